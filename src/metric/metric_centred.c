/*
 * Centred rows in double: see metric_centred.h.
 *
 * The mean's own rounding is taken off in a second pass, so that the rows' weighted sum is 0 to the
 * last digit whatever the data's offset: rank and null space of what is made of them depend on it.
 *
 * A function of the centred rows alone has a derivative whose weighted sum over rows is 0 where it
 * does not change with the mean; that is why none is taken off the gradient.
 *
 * Cost: O(rows dim) time and memory. Threads: the context's for the gradient.
 */
#include "metric_centred.h"

#include <math.h>

#include "context.h"
#include "gemm.h"
#include "metric_moments.h"
#include "parallel.h"

size_t kd2m_matrix_bytes(size_t rows, size_t columns) {
    return kd2m_arena_matrix_bytes(rows, columns, sizeof(double));
}

kd2m_status kd2m_take_matrix(const kd2m_metric_call *call, double **out, size_t rows,
                             size_t columns) {
    return kd2m_arena_take(call->arena, (void **)out, rows * columns, sizeof **out);
}

double kd2m_matrix_product_sum(const double *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

kd2m_status kd2m_multiply(const kd2m_metric_call *call, bool transpose_a, bool transpose_b,
                          size_t m, size_t n, size_t k, double alpha, const double *a,
                          const double *b, double beta, double *c) {
    return kd2m_gemm_double(call->context, transpose_a, transpose_b, m, n, k, alpha, a,
                            transpose_a ? m : k, b, transpose_b ? k : n, beta, c, n);
}

size_t kd2m_centred_bytes(size_t rows, size_t dim) {
    size_t each = kd2m_arena_bytes(dim, sizeof(double));
    size_t three = kd2m_arena_sum(each, kd2m_arena_sum(each, each));
    return kd2m_arena_sum(three, kd2m_matrix_bytes(rows, dim));
}

kd2m_status kd2m_metric_centred(const kd2m_metric_call *call, const kd2m_metric_side *side,
                                kd2m_centred *out) {
    kd2m_status status = KD2M_OK;
    const kd2m_rows from = side->features;
    size_t dim = from.dim;
    double *rest; /* the mean of what the mean leaves */
    *out = (kd2m_centred){.rows = from.rows, .dim = dim};
    KD2M_TRY(kd2m_take_matrix(call, &out->values, from.rows, dim));
    KD2M_TRY(kd2m_take_matrix(call, &out->mean, 1, dim));
    KD2M_TRY(kd2m_take_matrix(call, &out->variance, 1, dim));
    KD2M_TRY(kd2m_take_matrix(call, &rest, 1, dim));
    kd2m_metric_measure(call->context, side, out->mean, out->variance);
    for (size_t i = 0; i < from.rows; i++)
        for (size_t k = 0; k < dim; k++) {
            double value = (double)from.values[i * from.stride + k] - out->mean[k];
            out->values[i * dim + k] = out->variance[k] > 0 ? value : 0;
            rest[k] += kd2m_metric_weight(side, i) * out->values[i * dim + k];
        }
    for (size_t i = 0; i < from.rows; i++) {
        double root = sqrt(kd2m_metric_weight(side, i));
        for (size_t k = 0; k < dim; k++)
            out->values[i * dim + k] = root * (out->values[i * dim + k] - rest[k]);
    }
cleanup:
    return status;
}

typedef struct gradient_job {
    const kd2m_metric_side *side;
    const double *by_values, *shift;
    const kd2m_gradient *gradient;
} gradient_job;

static void gradient_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const gradient_job *job = user;
    size_t dim = job->side->features.dim;
    for (size_t i = begin; i < end; i++) {
        double weight = kd2m_metric_weight(job->side, i), root = sqrt(weight);
        float *out = job->gradient->features + i * job->gradient->stride;
        for (size_t k = 0; k < dim; k++)
            out[k] = (float)(root * job->by_values[i * dim + k] +
                             (job->shift ? weight * job->shift[k] : 0));
    }
}

void kd2m_centred_gradient(const kd2m_metric_call *call, const double *by_values,
                           const double *shift, const kd2m_gradient *gradient) {
    gradient_job job = {&call->x, by_values, shift, gradient};
    kd2m_parallel_for(call->context, call->x.rows, 64, gradient_rows, &job);
}
