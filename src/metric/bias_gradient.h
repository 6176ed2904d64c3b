/*
 * The gradients of batches, row by row of the sample that batches are drawn from: see kd2m/bias.h
 * for what is told of them.
 */
#ifndef KD2M_METRIC_BIAS_GRADIENT_H
#define KD2M_METRIC_BIAS_GRADIENT_H

#include <stdint.h>

#include "kd2m/bias.h"

typedef struct kd2m_bias_gradient {
    kd2m_context *context;
    size_t rows, width;
    float *full;     /* rows x width: rows times the gradient on all rows */
    double *sums;    /* rows x width: over batches, batch rows times the gradient */
    double *squares; /* rows: over batches, the squared norm of the same */
    size_t *visits;  /* rows: batches that held the row */
} kd2m_bias_gradient;

/* Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_bias_gradient_create(kd2m_bias_gradient **out, kd2m_context *context, size_t rows,
                                      size_t width);
void kd2m_bias_gradient_free(kd2m_bias_gradient *gradient);

/* Takes gradient->full, where the gradient on all rows was written, times the rows. */
void kd2m_bias_gradient_begin(kd2m_bias_gradient *gradient);

/* Forgets all batches. */
void kd2m_bias_gradient_reset(kd2m_bias_gradient *gradient);

/* Adds the gradient of a batch (count x width), whose rows are numbers[0 .. count - 1]. */
void kd2m_bias_gradient_add(kd2m_bias_gradient *gradient, const float *batch,
                            const uint32_t *numbers, size_t count);

/* Fills cosine, norm_ratio and noise. */
void kd2m_bias_gradient_tell(const kd2m_bias_gradient *gradient, kd2m_bias_size *out);

#endif
