/* Per-channel affine map of the input, measured on training data and stored with the model. */
#ifndef KD2M_CORE_NORMALISATION_H
#define KD2M_CORE_NORMALISATION_H

#include <stddef.h>

/* value -> (value - mean[c]) * scale[c] for channel c; scale = 1/sd, or 1 where sd is 0. */
typedef struct kd2m_normalisation {
    size_t channels;
    float *mean;  /* channels */
    float *scale; /* channels */
} kd2m_normalisation;

#endif
