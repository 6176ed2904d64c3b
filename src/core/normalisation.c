/* The input's normalisation, an owned pair of arrays, and its use: see normalisation.h. */
#include "normalisation.h"

#include "context.h"
#include "memory.h"
#include "simd.h"

kd2m_status kd2m_normalisation_create(kd2m_normalisation *out, kd2m_context *context,
                                      size_t channels) {
    *out = (kd2m_normalisation){channels, NULL, NULL};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&out->mean, channels, sizeof *out->mean));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->scale, channels, sizeof *out->scale));
cleanup:
    if (status != KD2M_OK)
        kd2m_normalisation_clear(context, out);
    return status;
}

void kd2m_normalisation_clear(kd2m_context *context, kd2m_normalisation *normalisation) {
    kd2m_free(context, normalisation->mean);
    kd2m_free(context, normalisation->scale);
    *normalisation = (kd2m_normalisation){0, NULL, NULL};
}

KD2M_CLONES static void apply_to_columns(size_t count, const float *mean, const float *scale,
                                         float *values) {
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        values[i] = (values[i] - mean[i]) * scale[i];
}

KD2M_CLONES static void apply_to_channel(size_t count, float mean, float scale, float *values) {
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        values[i] = (values[i] - mean) * scale;
}

void kd2m_normalisation_apply(const kd2m_normalisation *normalisation, float *values, size_t size) {
    size_t positions = size / normalisation->channels;
    if (positions == 1)
        apply_to_columns(size, normalisation->mean, normalisation->scale, values);
    else
        for (size_t c = 0; c < normalisation->channels; c++)
            apply_to_channel(positions, normalisation->mean[c], normalisation->scale[c],
                             values + c * positions);
}
