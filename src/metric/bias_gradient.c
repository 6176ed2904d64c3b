/*
 * The gradients of batches: see bias_gradient.h. With S_i the sum of row i's k_i gradients g, Q_i
 * that of their squared norms, G_i the gradient on all rows, and p_i = k_i (k_i - 1):
 *
 *     mean <E g, G>      = sum_i p_i <S_i / k_i, G_i> / sum_i p_i
 *     mean |E g|^2       = sum_i (|S_i|^2 - Q_i)      / sum_i p_i       products of two batches
 *     mean E |g - E g|^2 = sum_i (Q_i - |S_i|^2 / k_i) / sum_i (k_i - 1)
 *
 * mean |G|^2 has the weights of what it is compared with, p_i or k_i - 1: which rows came often
 * then makes no difference where E g = G. O(rows x width) time for a batch and for what is told.
 * Single-threaded.
 */
#include "bias_gradient.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "context.h"
#include "memory.h"

kd2m_status kd2m_bias_gradient_create(kd2m_bias_gradient **out, kd2m_context *context, size_t rows,
                                      size_t width) {
    *out = NULL;
    kd2m_bias_gradient *made = NULL;
    size_t count;
    kd2m_status status = KD2M_OK;
    if (!kd2m_size_multiply(rows, width, &count))
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "%zu rows of %zu values don't fit", rows,
                         width);
    KD2M_TRY(kd2m_alloc(context, (void **)&made, 1, sizeof *made));
    made->context = context;
    made->rows = rows;
    made->width = width;
    KD2M_TRY(kd2m_alloc(context, (void **)&made->full, count, sizeof *made->full));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->sums, count, sizeof *made->sums));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->squares, rows, sizeof *made->squares));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->visits, rows, sizeof *made->visits));
    *out = made;
    made = NULL;
cleanup:
    kd2m_bias_gradient_free(made);
    return status;
}

void kd2m_bias_gradient_free(kd2m_bias_gradient *gradient) {
    if (!gradient)
        return;
    kd2m_context *context = gradient->context;
    kd2m_free(context, gradient->full);
    kd2m_free(context, gradient->sums);
    kd2m_free(context, gradient->squares);
    kd2m_free(context, gradient->visits);
    kd2m_free(context, gradient);
}

void kd2m_bias_gradient_begin(kd2m_bias_gradient *gradient) {
    for (size_t i = 0; i < gradient->rows * gradient->width; i++)
        gradient->full[i] *= (float)gradient->rows;
}

void kd2m_bias_gradient_reset(kd2m_bias_gradient *gradient) {
    memset(gradient->sums, 0, gradient->rows * gradient->width * sizeof *gradient->sums);
    memset(gradient->squares, 0, gradient->rows * sizeof *gradient->squares);
    memset(gradient->visits, 0, gradient->rows * sizeof *gradient->visits);
}

void kd2m_bias_gradient_add(kd2m_bias_gradient *gradient, const float *batch,
                            const uint32_t *numbers, size_t count) {
    size_t width = gradient->width;
    for (size_t i = 0; i < count; i++) {
        double *sums = gradient->sums + numbers[i] * width;
        double square = 0;
        for (size_t k = 0; k < width; k++) {
            double value = (double)count * batch[i * width + k];
            sums[k] += value;
            square += value * value;
        }
        gradient->squares[numbers[i]] += square;
        gradient->visits[numbers[i]]++;
    }
}

void kd2m_bias_gradient_tell(const kd2m_bias_gradient *gradient, kd2m_bias_size *out) {
    size_t width = gradient->width;
    double along = 0, expected = 0, whole = 0; /* the means, times the sum of p_i */
    double within = 0, beside = 0;             /* the last one and |G|^2, times that of k_i - 1 */
    for (size_t i = 0; i < gradient->rows; i++) {
        const double *sums = gradient->sums + i * width;
        const float *full = gradient->full + i * width;
        double count = (double)gradient->visits[i], square = gradient->squares[i];
        double product = 0, sum_square = 0, full_square = 0;
        if (count < 2)
            continue;
        for (size_t k = 0; k < width; k++) {
            product += sums[k] * full[k];
            sum_square += sums[k] * sums[k];
            full_square += (double)full[k] * full[k];
        }
        along += (count - 1) * product;
        expected += sum_square - square;
        whole += count * (count - 1) * full_square;
        within += square - sum_square / count;
        beside += (count - 1) * full_square;
    }
    /* where G is 0, or no row came twice, nothing can be told; where noise drowns E g, little */
    bool told = expected > 0 && whole > 0;
    out->norm_ratio = told ? sqrt(expected / whole) : NAN;
    out->cosine = told ? fmax(-1, fmin(1, along / sqrt(expected * whole))) : NAN;
    out->noise = beside > 0 ? sqrt(fmax(0, within) / beside) : NAN;
}
