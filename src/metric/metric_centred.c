/*
 * Centred rows in double: see metric_centred.h.
 *
 * The mean's own rounding is taken off in a second pass, so that the rows' weighted sum is 0 to the
 * last digit whatever the data's offset: rank and null space of what is made of them depend on it.
 *
 * A function of the centred rows alone has a derivative whose weighted sum over rows is 0 where it
 * does not change with the mean; that is why none is taken off the gradient.
 *
 * Cost: O(rows dim) time and memory. Threads: the context's; the result does not depend on how
 * many.
 */
#include "metric_centred.h"

#include <math.h>

#include "context.h"
#include "gemm.h"
#include "metric_moments.h"
#include "parallel.h"
#include "simd.h"

size_t kd2m_matrix_bytes(size_t rows, size_t columns) {
    return kd2m_arena_matrix_bytes(rows, columns, sizeof(double));
}

kd2m_status kd2m_take_matrix(const kd2m_metric_call *call, double **out, size_t rows,
                             size_t columns) {
    return kd2m_arena_take(call->arena, (void **)out, rows * columns, sizeof **out);
}

kd2m_status kd2m_take_unset_matrix(const kd2m_metric_call *call, double **out, size_t rows,
                                   size_t columns) {
    return kd2m_arena_take_unset(call->arena, (void **)out, rows * columns, sizeof **out);
}

KD2M_CLONES
static double matrix_product_sum(const double *restrict a, const double *restrict b, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

double kd2m_matrix_product_sum(const double *a, const double *b, size_t count) {
    return matrix_product_sum(a, b, count);
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

typedef struct centring_job {
    const kd2m_metric_side *side;
    kd2m_centred *out;
    double *rest; /* the mean of what the mean leaves */
} centring_job;

/* Features from `begin` on, at one row: their values less the mean, and into the rest with them. */
KD2M_CLONES
static void centre_row(double *restrict out, double *restrict rest, const float *restrict row,
                       const double *restrict mean, const double *restrict variance, double weight,
                       size_t count) {
#pragma omp simd
    for (size_t k = 0; k < count; k++) {
        out[k] = variance[k] > 0 ? (double)row[k] - mean[k] : 0;
        rest[k] += weight * out[k];
    }
}

KD2M_CLONES
static void scale_centred_row(double *restrict out, const double *restrict rest, double root,
                              size_t count) {
#pragma omp simd
    for (size_t k = 0; k < count; k++)
        out[k] = root * (out[k] - rest[k]);
}

static void centre_features(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const centring_job *job = user;
    const kd2m_centred *out = job->out;
    const kd2m_rows from = job->side->features;
    for (size_t i = 0; i < from.rows; i++)
        centre_row(out->values + i * from.dim + begin, job->rest + begin,
                   from.values + i * from.stride + begin, out->mean + begin, out->variance + begin,
                   kd2m_metric_weight(job->side, i), end - begin);
    for (size_t i = 0; i < from.rows; i++)
        scale_centred_row(out->values + i * from.dim + begin, job->rest + begin,
                          sqrt(kd2m_metric_weight(job->side, i)), end - begin);
}

kd2m_status kd2m_metric_centred(const kd2m_metric_call *call, const kd2m_metric_side *side,
                                kd2m_centred *out) {
    kd2m_status status = KD2M_OK;
    size_t rows = side->features.rows, dim = side->features.dim;
    centring_job job = {.side = side, .out = out};
    *out = (kd2m_centred){.rows = rows, .dim = dim};
    KD2M_TRY(kd2m_take_unset_matrix(call, &out->values, rows, dim));
    KD2M_TRY(kd2m_take_matrix(call, &out->mean, 1, dim));
    KD2M_TRY(kd2m_take_matrix(call, &out->variance, 1, dim));
    KD2M_TRY(kd2m_take_matrix(call, &job.rest, 1, dim));
    kd2m_metric_measure(call->context, side, out->mean, out->variance);
    kd2m_parallel_for(call->context, dim, 64, centre_features, &job);
cleanup:
    return status;
}

typedef struct gradient_job {
    const kd2m_metric_side *side;
    const double *by_values; /* NULL: what the gradient holds */
    const double *shift;
    const kd2m_gradient *gradient;
} gradient_job;

static void gradient_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const gradient_job *job = user;
    size_t dim = job->side->features.dim;
    for (size_t i = begin; i < end; i++) {
        double weight = kd2m_metric_weight(job->side, i), root = sqrt(weight);
        float *out = job->gradient->features + i * job->gradient->stride;
        const double *by_values = job->by_values ? job->by_values + i * dim : NULL;
        for (size_t k = 0; k < dim; k++)
            out[k] = (float)(root * (by_values ? by_values[k] : (double)out[k]) +
                             (job->shift ? weight * job->shift[k] : 0));
    }
}

void kd2m_centred_gradient(const kd2m_metric_call *call, const double *by_values,
                           const double *shift, const kd2m_gradient *gradient) {
    gradient_job job = {&call->x, by_values, shift, gradient};
    kd2m_parallel_for(call->context, call->x.rows, 64, gradient_rows, &job);
}

size_t kd2m_centred_map_bytes(size_t rows, size_t dim) {
    return kd2m_arena_sum(kd2m_arena_matrix_bytes(rows, dim, sizeof(float)),
                          kd2m_arena_matrix_bytes(dim, dim, sizeof(float)));
}

typedef struct rounding_job {
    const double *from;
    float *to;
} rounding_job;

static void round_values(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const rounding_job *job = user;
    for (size_t i = begin; i < end; i++)
        job->to[i] = (float)job->from[i];
}

/* *out = the values as floats. */
static kd2m_status take_rounded(const kd2m_metric_call *call, const double *values, size_t count,
                                float **out) {
    kd2m_status status = kd2m_arena_take_unset(call->arena, (void **)out, count, sizeof **out);
    rounding_job job = {values, *out};
    if (status == KD2M_OK)
        kd2m_parallel_for(call->context, count, 32768, round_values, &job);
    return status;
}

kd2m_status kd2m_centred_map_gradient(const kd2m_metric_call *call, const kd2m_centred *x,
                                      const double *map, const double *shift,
                                      const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t n = x->rows, d = x->dim, mark = call->arena->used;
    float *values, *by;
    KD2M_TRY(take_rounded(call, x->values, n * d, &values));
    KD2M_TRY(take_rounded(call, map, d * d, &by));
    KD2M_TRY(kd2m_gemm(call->context, false, false, n, d, d, 1, values, d, by, d, 0,
                       gradient->features, gradient->stride));
    kd2m_centred_gradient(call, NULL, shift, gradient);
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}
