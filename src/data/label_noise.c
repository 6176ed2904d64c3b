/*
 * Wrong labels, on purpose: symmetric label noise. Which rows and which classes, the seed alone
 * decides: the wrong labels of a smaller share are among those of a larger one. The digest, the
 * keys and the rows of validation and test are what they were. Time O(rows), memory 4 bytes a row.
 */
#include "label_noise.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "rng.h"

kd2m_status kd2m_dataset_relabel(kd2m_dataset *dataset, double share, uint64_t seed) {
    kd2m_context *context = dataset->context;
    size_t rows = dataset->row_count[KD2M_TRAIN], classes = dataset->raw.classes;
    size_t wrong = (size_t)floor((double)rows * share + 0.5);
    uint32_t *chosen = NULL;
    kd2m_rng rng;
    kd2m_status status = KD2M_OK;
    if (share > 0 && classes < 2)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "label_noise=%g: '%s' has one class, no other to take", share,
                         dataset->spec);
    if (wrong == 0)
        return KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&chosen, rows, sizeof *chosen));
    memcpy(chosen, dataset->rows[KD2M_TRAIN], rows * sizeof *chosen);
    kd2m_rng_init(&rng, seed, KD2M_STREAM_LABEL_NOISE, 0);
    kd2m_rng_choose(&rng, chosen, rows, wrong);
    kd2m_rng_init(&rng, seed, KD2M_STREAM_LABEL_NOISE, 1);
    for (size_t i = 0; i < wrong; i++) {
        int32_t *label = &dataset->raw.train.labels[chosen[i]];
        size_t farther = 1 + (size_t)kd2m_rng_below(&rng, classes - 1);
        *label = (int32_t)(((size_t)*label + farther) % classes);
    }
    dataset->relabelled = wrong;
    kd2m_log(context, KD2M_LOG_INFO, "%zu of %zu training labels are replaced by other classes",
             wrong, rows);
cleanup:
    kd2m_free(context, chosen);
    return status;
}
