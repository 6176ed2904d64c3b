/*
 * The validation split, stratified: each class gives the same share of its training rows, rounded,
 * and keeps at least one for training. Which rows, the seed alone decides. Time O(rows + classes).
 */
#include <math.h>

#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "rng.h"

/* Sorts row numbers by class (counting sort): class c's rows are by_class[start[c]..start[c+1]-1],
 * ascending. `start` has classes + 1 elements, zeroed. */
static void group_rows(const kd2m_part *part, size_t classes, size_t *start, uint32_t *by_class) {
    for (size_t i = 0; i < part->rows; i++)
        start[part->labels[i]]++;
    size_t sum = 0;
    for (size_t c = 0; c <= classes; c++) {
        sum += start[c];
        start[c] = sum;
    }
    for (size_t i = part->rows; i-- > 0;)
        by_class[--start[part->labels[i]]] = (uint32_t)i;
}

static size_t validation_share(size_t count, double validation) {
    size_t share = (size_t)floor((double)count * validation + 0.5);
    return share == count && count > 0 ? count - 1 : share;
}

/* Marks the rows that go to validation; returns how many. */
static size_t choose_rows(uint64_t seed, double validation, size_t classes, const size_t *start,
                          uint32_t *by_class, unsigned char *chosen) {
    size_t total = 0;
    for (size_t c = 0; c < classes; c++) {
        uint32_t *rows = by_class + start[c];
        size_t count = start[c + 1] - start[c];
        size_t share = validation_share(count, validation);
        kd2m_rng rng;
        kd2m_rng_init(&rng, seed, KD2M_STREAM_SPLIT, c);
        kd2m_rng_shuffle(&rng, rows, count);
        for (size_t i = 0; i < share; i++)
            chosen[rows[i]] = 1;
        total += share;
    }
    return total;
}

static kd2m_status alloc_rows(kd2m_dataset *dataset, kd2m_split split, size_t count) {
    dataset->row_count[split] = count;
    return kd2m_alloc(dataset->context, (void **)&dataset->rows[split], count, sizeof(uint32_t));
}

kd2m_status kd2m_dataset_split(kd2m_dataset *dataset, double validation, uint64_t seed) {
    kd2m_status status = KD2M_OK;
    kd2m_context *context = dataset->context;
    const kd2m_part *train = &dataset->raw.train;
    size_t classes = dataset->raw.classes;
    size_t *start = NULL;
    uint32_t *by_class = NULL;
    unsigned char *chosen = NULL;
    size_t next[2] = {0, 0};

    KD2M_TRY(kd2m_alloc(context, (void **)&start, classes + 1, sizeof *start));
    KD2M_TRY(kd2m_alloc(context, (void **)&by_class, train->rows, sizeof *by_class));
    KD2M_TRY(kd2m_alloc(context, (void **)&chosen, train->rows, sizeof *chosen));
    group_rows(train, classes, start, by_class);
    size_t held_out = choose_rows(seed, validation, classes, start, by_class, chosen);

    KD2M_TRY(alloc_rows(dataset, KD2M_TRAIN, train->rows - held_out));
    KD2M_TRY(alloc_rows(dataset, KD2M_VALIDATION, held_out));
    KD2M_TRY(alloc_rows(dataset, KD2M_TEST, dataset->raw.test.rows));
    for (size_t i = 0; i < train->rows; i++)
        dataset->rows[chosen[i]][next[chosen[i]]++] = (uint32_t)i;
    for (size_t i = 0; i < dataset->raw.test.rows; i++)
        dataset->rows[KD2M_TEST][i] = (uint32_t)i;

cleanup:
    kd2m_free(context, start);
    kd2m_free(context, by_class);
    kd2m_free(context, chosen);
    return status;
}
