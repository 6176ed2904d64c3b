/* Per-channel affine map of the input, measured on training data and stored with the model. */
#ifndef KD2M_CORE_NORMALISATION_H
#define KD2M_CORE_NORMALISATION_H

#include <stddef.h>

#include "kd2m/core.h"

/* value -> (value - mean[c]) * scale[c] for channel c; scale = 1/sd, or 1 where sd is 0. */
typedef struct kd2m_normalisation {
    size_t channels;
    float *mean;  /* channels */
    float *scale; /* channels */
} kd2m_normalisation;

/* Makes room for `channels` means (0) and scales (0). */
kd2m_status kd2m_normalisation_create(kd2m_normalisation *out, kd2m_context *context,
                                      size_t channels);

/* Frees both arrays and zeroes the struct. */
void kd2m_normalisation_clear(kd2m_context *context, kd2m_normalisation *normalisation);

/* Normalises one sample of `size` values in place, channel by channel; `size` is a multiple of the
 * channels. Safe on any thread. */
void kd2m_normalisation_apply(const kd2m_normalisation *normalisation, float *values, size_t size);

#endif
