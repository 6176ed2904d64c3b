/*
 * A limit on the training rows: of each class its share, by running sums,
 *
 *     class c keeps floor(N_c L / N) - floor(N_{c-1} L / N)     N_c: rows of classes 0..c, N: of
 * all
 *
 * so that L rows stay and no class is off its share by a row. Which rows, the seed alone decides.
 * Time O(rows + classes).
 */
#include "context.h"
#include "memory.h"
#include "rng.h"
#include "split.h"

kd2m_status kd2m_split_limit(kd2m_sharing *sharing, size_t limit) {
    kd2m_context *context = sharing->dataset->context;
    size_t rows = sharing->dataset->raw.train.rows, classes = sharing->dataset->raw.classes;
    size_t *start = NULL;
    uint32_t *by_class = NULL;
    kd2m_status status = KD2M_OK;

    KD2M_TRY(kd2m_alloc(context, (void **)&start, classes + 1, sizeof *start));
    KD2M_TRY(kd2m_alloc(context, (void **)&by_class, rows, sizeof *by_class));
    kd2m_split_by_class(sharing, start, by_class);
    size_t total = start[classes]; /* rows and limit are below 2^32: no product overflows */
    for (size_t c = 0; c < classes && limit < total; c++) {
        size_t kept = start[c + 1] * limit / total - start[c] * limit / total;
        kd2m_rng rng;
        kd2m_rng_init(&rng, sharing->seed, KD2M_STREAM_LIMIT, c);
        kd2m_rng_shuffle(&rng, by_class + start[c], start[c + 1] - start[c]);
        for (size_t i = start[c] + kept; i < start[c + 1]; i++)
            sharing->places[by_class[i]] = KD2M_LEFT_OUT;
    }

cleanup:
    kd2m_free(context, start);
    kd2m_free(context, by_class);
    return status;
}
