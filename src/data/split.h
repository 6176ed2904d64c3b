/*
 * How the rows of the training part are shared out among training, validation and, where the data
 * have no test part of their own, test. Each rule of --split is a file:
 *
 *     random          by class, each its share                                     split_random.c
 *     group:COLUMN    whole groups of rows that have a code of COLUMN in common    split_group.c
 *     time[:COLUMN]   the earliest rows train, the latest test; with a column, on  split_time.c
 *                     the clock of each of its codes
 *
 * The rows for test do not depend on the share for validation. Of the rows left to train on,
 * --imbalance and then --limit keep some (split_limit.c).
 */
#ifndef KD2M_DATA_SPLIT_H
#define KD2M_DATA_SPLIT_H

#include "dataset.h"

/* Places of rows that no split has; the others are of kd2m_split. */
#define KD2M_NOWHERE 3  /* it lies across a cut in time */
#define KD2M_LEFT_OUT 4 /* by the limit or the imbalance */
#define KD2M_PLACES 5

typedef struct kd2m_sharing {
    const kd2m_dataset *dataset;
    double validation, test; /* shares of the rows to be placed; sum below 1 */
    uint64_t seed;
    /* Of each row of the training part. Rules place those that arrive as KD2M_TRAIN. */
    unsigned char *places;
} kd2m_sharing;

#define KD2M_NO_COLUMN SIZE_MAX

/* The rules. `column` is a number in the data set, one that the training part has. */
kd2m_status kd2m_split_random(kd2m_sharing *sharing);
kd2m_status kd2m_split_groups(kd2m_sharing *sharing, size_t column);
kd2m_status kd2m_split_time(kd2m_sharing *sharing, size_t column);

/* Leaves `limit` >= 1 rows of those placed as KD2M_TRAIN, or all if they are fewer. */
kd2m_status kd2m_split_limit(kd2m_sharing *sharing, size_t limit);

/* Leaves of class after class fewer rows, down to `ratio` of the largest class's; split_limit.c. */
kd2m_status kd2m_split_imbalance(kd2m_sharing *sharing, double ratio);

/* Sorts the rows placed as KD2M_TRAIN by class: class c's are by_class[start[c] .. start[c+1]-1],
 * ascending. `start` has classes + 1 elements, zeroed; `by_class` one for each row. */
void kd2m_split_by_class(const kd2m_sharing *sharing, size_t *start, uint32_t *by_class);

/* Of `count` rows those for test and for validation, by their shares, rounded; one is left. */
void kd2m_split_shares(const kd2m_sharing *sharing, size_t count, size_t *test, size_t *validation);

/* KD2M_ERROR_USAGE unless `rule` is one of the above; columns are not looked at. */
kd2m_status kd2m_split_check(kd2m_context *context, const char *rule);

/*
 * Fills dataset->rows from dataset->raw by the settings split, validation, test, imbalance, limit
 * and split_seed.
 * Errors: KD2M_ERROR_USAGE: unknown column, data without times, too few groups, test rows asked for
 * where there are some, nothing left to train on; KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_dataset_split(kd2m_dataset *dataset, const kd2m_data_settings *settings);

#endif
