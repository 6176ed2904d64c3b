/* The nearest known name, by Levenshtein's edit distance, and what is said of an unknown one: see
 * spec.h. */
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "spec.h"

#define LENGTH_MAX 63
#define LISTED_BYTES 640 /* of names in a message */

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Insertions, deletions and substitutions from one to the other, in one row of the table. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[LENGTH_MAX + 1];
    size_t n = strlen(a), m = strlen(b);
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(replaced, 1 + smaller(row[j], row[j - 1]));
        }
    }
    return row[m];
}

const char *kd2m_nearest_name(const char *name, const char *const *names, size_t count) {
    const char *best = NULL;
    size_t best_distance = 0;
    if (strnlen(name, LENGTH_MAX + 1) > LENGTH_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strnlen(names[i], LENGTH_MAX + 1) > LENGTH_MAX)
            continue;
        size_t distance = edit_distance(name, names[i]);
        if (!best || distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    /* more than half of the letters wrong is another word */
    return best && 2 * best_distance <= strlen(name) + 1 ? best : NULL;
}

/* 'a, b, c and 4 more'. */
static void list_names(char out[LISTED_BYTES + 64], const char *const *names, size_t count) {
    size_t length = 0, listed = 0;
    for (; listed < count && length + strlen(names[listed]) + 2 < LISTED_BYTES; listed++)
        length += (size_t)sprintf(out + length, "%s%s", listed > 0 ? ", " : "", names[listed]);
    if (listed < count)
        sprintf(out + length, " and %zu more", count - listed);
}

kd2m_status kd2m_fail_unknown(kd2m_context *context, const char *owner, const char *kind,
                              const char *name, const char *const *names, size_t count) {
    char list[LISTED_BYTES + 64] = "none";
    const char *nearest = kd2m_nearest_name(name, names, count);
    list_names(list, names, count);
    return kd2m_fail(context, KD2M_ERROR_USAGE, "%.100s has no %s '%.80s'%s%s%s; it has %s", owner,
                     kind, name, nearest ? " (did you mean '" : "", nearest ? nearest : "",
                     nearest ? "'?)" : "", list);
}
