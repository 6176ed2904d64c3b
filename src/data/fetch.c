/*
 * Samples as the net sees them: widened to float and normalised per channel, and the measurement of
 * that normalisation.
 *
 *   value = stored * value_scale;  normalised = (value - mean_c) / sd_c,  sd over 1/n
 *
 * The measurement goes over the training split twice, in double: means, then squares about the
 * mean. Time O(rows * sample size), memory O(sample size). kd2m_dataset_fetch may run on any
 * thread.
 */
#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "simd.h"

#define CACHE_LINE ((size_t)64)
#define PREFETCH_BYTES ((size_t)4096) /* then the processor does it by itself */

KD2M_CLONES
static void widen_bytes(float *restrict out, const uint8_t *restrict in, size_t count,
                        float scale) {
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        out[i] = (float)in[i] * scale;
}

KD2M_CLONES
static void widen_floats(float *restrict out, const float *restrict in, size_t count, float scale) {
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] * scale;
}

void kd2m_part_read(const kd2m_part *part, float scale, size_t size, size_t first, size_t count,
                    float *out) {
    if (part->values.element == KD2M_UINT8)
        widen_bytes(out, (const uint8_t *)part->values.values + first * size, count * size, scale);
    else
        widen_floats(out, (const float *)part->values.values + first * size, count * size, scale);
}

void kd2m_dataset_prefetch(const kd2m_dataset *dataset, kd2m_split split, size_t row) {
    const kd2m_part *part = kd2m_dataset_part(dataset, split);
    size_t place = dataset->rows[split][row];
    size_t bytes = kd2m_dataset_sample_size(dataset) * kd2m_part_width(part);
    const char *first = (const char *)part->values.values + place * bytes;
    __builtin_prefetch(part->labels + place);
    for (size_t i = 0; i < bytes && i < PREFETCH_BYTES; i += CACHE_LINE)
        __builtin_prefetch(first + i);
}

void kd2m_dataset_fetch(const kd2m_dataset *dataset, kd2m_split split, size_t row,
                        const kd2m_normalisation *normalisation, float *values, int32_t *label) {
    const kd2m_part *part = kd2m_dataset_part(dataset, split);
    size_t place = dataset->rows[split][row];
    size_t size = kd2m_dataset_sample_size(dataset);
    if (label)
        *label = part->labels[place];
    if (!values)
        return;
    kd2m_part_read(part, dataset->raw.value_scale, size, place, 1, values);
    if (normalisation)
        kd2m_normalisation_apply(normalisation, values, size);
}

/* sum[c] += sum over the channel's positions of value - mean[c], squared if `squared`. */
KD2M_CLONES
static void add_moments(double *restrict sum, const float *restrict values, size_t channels,
                        size_t positions, const double *restrict mean, bool squared) {
    for (size_t c = 0; c < channels; c++) {
        double total = 0.0;
#pragma omp simd reduction(+ : total)
        for (size_t i = 0; i < positions; i++) {
            double difference = (double)values[c * positions + i] - mean[c];
            total += squared ? difference * difference : difference;
        }
        sum[c] += total;
    }
}

/* out[c] = mean over the training split of value - mean[c], squared if `squared`. */
static void average_moments(const kd2m_dataset *dataset, double *out, const double *mean,
                            bool squared, float *sample) {
    size_t rows = dataset->row_count[KD2M_TRAIN];
    size_t channels = dataset->raw.shape[0];
    size_t positions = kd2m_dataset_sample_size(dataset) / channels;
    for (size_t c = 0; c < channels; c++)
        out[c] = 0.0;
    for (size_t i = 0; i < rows; i++) {
        kd2m_dataset_fetch(dataset, KD2M_TRAIN, i, NULL, sample, NULL);
        add_moments(out, sample, channels, positions, mean, squared);
    }
    for (size_t c = 0; c < channels; c++)
        out[c] /= (double)rows * (double)positions;
}

kd2m_status kd2m_dataset_measure(const kd2m_dataset *dataset, kd2m_normalisation *out) {
    *out = (kd2m_normalisation){0};
    kd2m_status status = KD2M_OK;
    kd2m_context *context = dataset->context;
    size_t channels = dataset->raw.shape[0];
    float *sample = NULL;
    double *zero = NULL;
    double *mean = NULL;
    double *variance = NULL;

    if (dataset->row_count[KD2M_TRAIN] == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "data set '%s' has no training rows to measure its scale on",
                         dataset->spec);
    KD2M_TRY(
        kd2m_alloc(context, (void **)&sample, kd2m_dataset_sample_size(dataset), sizeof *sample));
    KD2M_TRY(kd2m_alloc(context, (void **)&zero, channels, sizeof *zero));
    KD2M_TRY(kd2m_alloc(context, (void **)&mean, channels, sizeof *mean));
    KD2M_TRY(kd2m_alloc(context, (void **)&variance, channels, sizeof *variance));
    KD2M_TRY(kd2m_normalisation_create(out, context, channels));

    average_moments(dataset, mean, zero, false, sample);
    average_moments(dataset, variance, mean, true, sample);
    for (size_t c = 0; c < channels; c++) {
        double sd = sqrt(variance[c]);
        double rounding = fmax(1e-12 * fabs(mean[c]), (double)FLT_MIN);
        out->mean[c] = (float)mean[c];
        out->scale[c] = sd > rounding ? (float)(1.0 / sd) : 1.0F; /* a constant channel */
    }

cleanup:
    kd2m_free(context, sample);
    kd2m_free(context, zero);
    kd2m_free(context, mean);
    kd2m_free(context, variance);
    if (status != KD2M_OK)
        kd2m_normalisation_clear(context, out);
    return status;
}
