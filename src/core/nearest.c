/* The nearest known name, by Levenshtein's edit distance: see spec.h. */
#include <string.h>

#include "spec.h"

#define LENGTH_MAX 63

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
