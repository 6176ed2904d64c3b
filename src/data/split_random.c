/*
 * random: stratified. Each class gives the same share of its rows, rounded, to test and to
 * validation, and keeps at least one for training. Which rows, the seed alone decides. Time
 * O(rows + classes).
 */
#include "context.h"
#include "memory.h"
#include "rng.h"
#include "split.h"

kd2m_status kd2m_split_random(kd2m_sharing *sharing) {
    kd2m_context *context = sharing->dataset->context;
    size_t rows = sharing->dataset->raw.train.rows, classes = sharing->dataset->raw.classes;
    size_t *start = NULL;
    uint32_t *by_class = NULL;
    kd2m_status status = KD2M_OK;

    KD2M_TRY(kd2m_alloc(context, (void **)&start, classes + 1, sizeof *start));
    KD2M_TRY(kd2m_alloc(context, (void **)&by_class, rows, sizeof *by_class));
    kd2m_split_by_class(sharing, start, by_class);
    for (size_t c = 0; c < classes; c++) {
        size_t count = start[c + 1] - start[c], test, validation;
        kd2m_rng rng;
        kd2m_rng_init(&rng, sharing->seed, KD2M_STREAM_SPLIT, c);
        kd2m_rng_shuffle(&rng, by_class + start[c], count);
        kd2m_split_shares(sharing, count, &test, &validation);
        for (size_t i = 0; i < test + validation; i++)
            sharing->places[by_class[start[c] + i]] = i < test ? KD2M_TEST : KD2M_VALIDATION;
    }

cleanup:
    kd2m_free(context, start);
    kd2m_free(context, by_class);
    return status;
}
