/*
 * group:COLUMN: whole groups go to test and to validation, so many rows together as are nearest to
 * their share: the bounded subset sum
 *
 *   min over m_k <= number of groups of size k of |sum_k k m_k - share * rows|
 *
 * solved exactly, size by size, over all sums that can be nearest. Among groups of one size, and
 * among sums that can be reached in several ways, the seed decides. Test is filled first,
 * validation from what is left; each gets a group at least, and so does training. Time
 * O(rows + sizes * share * rows), where there are at most sqrt(2 rows) sizes; memory 16 bytes a
 * row.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "rng.h"
#include "split.h"

/* The groups that have rows to be placed. */
typedef struct group_set {
    kd2m_context *context;
    uint32_t *codes;       /* count: of the groups, in an order that the seed decides */
    size_t *sizes;         /* by code: rows to be placed */
    unsigned char *places; /* by code */
    size_t count;
    size_t rows; /* of all groups */
} group_set;

/* Which sums of sizes can be reached, and how: `via` is the number + 1 of the size that reached a
 * sum first, `used` how many of that size it took. */
typedef struct sums {
    uint32_t *number; /* by size: its number + 1; 0 for a size that no group has */
    size_t *sizes;    /* by number */
    uint32_t *counts; /* by number: groups of that size */
    size_t size_count;
    uint32_t *via, *used; /* by sum, up to `highest` */
    size_t highest;
} sums;

static void clear_sums(kd2m_context *context, sums *s) {
    kd2m_free(context, s->number);
    kd2m_free(context, s->sizes);
    kd2m_free(context, s->counts);
    kd2m_free(context, s->via);
    kd2m_free(context, s->used);
}

/* Numbers the sizes of the groups that still train, as they first come. Nearest to `target` lies
 * the smallest size or a sum up to twice the target, and something must be left. */
static kd2m_status create_sums(sums *s, const group_set *groups, double target) {
    size_t smallest = SIZE_MAX, left = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(groups->context, (void **)&s->number, groups->rows + 1, sizeof(uint32_t)));
    KD2M_TRY(kd2m_alloc(groups->context, (void **)&s->sizes, groups->count, sizeof(size_t)));
    KD2M_TRY(kd2m_alloc(groups->context, (void **)&s->counts, groups->count, sizeof(uint32_t)));
    for (size_t g = 0; g < groups->count; g++) {
        size_t size = groups->sizes[groups->codes[g]];
        if (groups->places[groups->codes[g]] != KD2M_TRAIN)
            continue;
        if (s->number[size] == 0) {
            s->sizes[s->size_count++] = size;
            s->number[size] = (uint32_t)s->size_count;
        }
        s->counts[s->number[size] - 1]++;
        smallest = size < smallest ? size : smallest;
        left += size;
    }
    s->highest = fmax((double)smallest, 2 * target) < (double)left
                     ? (size_t)fmax((double)smallest, 2 * target)
                     : left - 1;
    KD2M_TRY(kd2m_alloc(groups->context, (void **)&s->via, s->highest + 1, sizeof(uint32_t)));
    KD2M_TRY(kd2m_alloc(groups->context, (void **)&s->used, s->highest + 1, sizeof(uint32_t)));
cleanup:
    return status;
}

/* Reaches all sums, and returns the one nearest to `target`, the lower of two; 0 is none. */
static size_t nearest_sum(sums *s, double target) {
    size_t best = 0;
    for (uint32_t number = 0; number < s->size_count; number++) {
        size_t size = s->sizes[number];
        for (size_t sum = 1; sum <= s->highest; sum++) {
            s->used[sum] = 0;
            if (s->via[sum] != 0 || sum < size || (sum > size && s->via[sum - size] == 0) ||
                s->used[sum - size] == s->counts[number])
                continue;
            s->via[sum] = number + 1;
            s->used[sum] = s->used[sum - size] + 1;
        }
    }
    for (size_t sum = 1; sum <= s->highest; sum++)
        if (s->via[sum] != 0 &&
            (best == 0 || fabs((double)sum - target) < fabs((double)best - target)))
            best = sum;
    return best;
}

/* Puts the smallest group that is in `place` back to training. */
static void give_back_one(group_set *groups, unsigned char place) {
    uint32_t smallest = UINT32_MAX;
    for (size_t g = 0; g < groups->count; g++) {
        uint32_t code = groups->codes[g];
        if (groups->places[code] == place &&
            (smallest == UINT32_MAX || groups->sizes[code] < groups->sizes[smallest]))
            smallest = code;
    }
    groups->places[smallest] = KD2M_TRAIN;
}

/* Moves groups from training to `place`, nearest to `share` of all rows; `needed` groups stay. */
static kd2m_status move_groups(group_set *groups, unsigned char place, double share,
                               size_t needed) {
    double target = share * (double)groups->rows;
    sums s = {.number = NULL};
    size_t left = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(create_sums(&s, groups, target));
    size_t sum = nearest_sum(&s, target);
    memset(s.counts, 0, s.size_count * sizeof *s.counts); /* from here on: how many to take */
    for (; sum > 0; sum -= s.sizes[s.via[sum] - 1])
        s.counts[s.via[sum] - 1]++;
    for (size_t g = 0; g < groups->count; g++) {
        uint32_t code = groups->codes[g];
        if (groups->places[code] != KD2M_TRAIN)
            continue;
        uint32_t *take = &s.counts[s.number[groups->sizes[code]] - 1];
        if (*take == 0)
            left++;
        else {
            --*take;
            groups->places[code] = place;
        }
    }
    for (; left < needed; left++)
        give_back_one(groups, place);
cleanup:
    clear_sums(groups->context, &s);
    return status;
}

/* Finds the groups of a column, and their order by the seed. */
static kd2m_status create_groups(group_set *out, const kd2m_sharing *sharing, size_t column) {
    const kd2m_raw_data *raw = &sharing->dataset->raw;
    kd2m_context *context = sharing->dataset->context;
    size_t codes = raw->columns[column].count;
    kd2m_rng rng;
    kd2m_status status = KD2M_OK;
    *out = (group_set){.context = context};
    KD2M_TRY(kd2m_alloc(context, (void **)&out->codes, codes, sizeof *out->codes));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->sizes, codes, sizeof *out->sizes));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->places, codes, 1));
    memset(out->places, KD2M_TRAIN, codes);
    for (size_t i = 0; i < raw->train.rows; i++)
        if (sharing->places[i] == KD2M_TRAIN) {
            out->sizes[raw->train.codes[column][i]]++;
            out->rows++;
        }
    for (size_t code = 0; code < codes; code++)
        if (out->sizes[code] > 0)
            out->codes[out->count++] = (uint32_t)code;
    kd2m_rng_init(&rng, sharing->seed, KD2M_STREAM_SPLIT, 0);
    kd2m_rng_shuffle(&rng, out->codes, out->count);
cleanup:
    return status;
}

kd2m_status kd2m_split_groups(kd2m_sharing *sharing, size_t column) {
    const kd2m_raw_data *raw = &sharing->dataset->raw;
    kd2m_context *context = sharing->dataset->context;
    group_set groups;
    bool test = sharing->test > 0, validation = sharing->validation > 0;
    size_t needed = (size_t)1 + test + validation;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(create_groups(&groups, sharing, column));
    if (groups.count < needed) {
        status =
            kd2m_fail(context, KD2M_ERROR_USAGE,
                      "the training data of '%s' are %zu group(s) by '%s', but %zu are needed: "
                      "one to train on%s%s",
                      sharing->dataset->spec, groups.count, raw->columns[column].name, needed,
                      validation ? ", one for validation" : "", test ? ", one for test" : "");
        goto cleanup;
    }
    if (test)
        KD2M_TRY(move_groups(&groups, KD2M_TEST, sharing->test, needed - 1));
    if (validation)
        KD2M_TRY(move_groups(&groups, KD2M_VALIDATION, sharing->validation, 1));
    for (size_t i = 0; i < raw->train.rows; i++)
        if (sharing->places[i] == KD2M_TRAIN)
            sharing->places[i] = groups.places[raw->train.codes[column][i]];

cleanup:
    kd2m_free(context, groups.codes);
    kd2m_free(context, groups.sizes);
    kd2m_free(context, groups.places);
    return status;
}
