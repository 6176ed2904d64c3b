/*
 * Relational knowledge distillation by distances (equations 3 to 5): with d_ij = |x_i - x_j|,
 * e_ij = |y_i - y_j|, each divided by the mean of its side's distances above 0,
 *
 *     D = 1/n^2 sum_ij huber(d_ij/mean d - e_ij/mean e),  huber(r) = r^2/2, or |r| - 1/2 above 1
 *
 * the mean over all n^2 pairs, and the gradient going through the student's mean distance, as in
 * the authors' PyTorch code: with h_ij = huber', s = sum_ij h_ij d_ij and p pairs above 0,
 *
 *     dD/dd_ij = 1/(n^2 mean d) [ h_ij - s/(p mean d) ]
 *
 * A side whose rows all coincide has relations of 0, with no gradient.
 *
 * Park et al., 'Relational knowledge distillation', 2019.
 * Cost: O(n^2 d) time, in double; 2 n^2 doubles of memory. Threads: the context's; the result does
 * not depend on how many.
 */
#include "metric_centred.h"

#include <math.h>

#include "context.h"
#include "parallel.h"

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    size_t matrix = kd2m_matrix_bytes(shape->n, shape->n);
    return kd2m_arena_sum(kd2m_arena_sum(matrix, matrix), kd2m_matrix_bytes(1, shape->dim_x));
}

typedef struct distance_job {
    kd2m_rows rows;
    double *distances; /* rows x rows */
} distance_job;

static void measure_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const distance_job *job = user;
    const kd2m_rows rows = job->rows;
    for (size_t i = begin; i < end; i++)
        for (size_t j = 0; j < rows.rows; j++)
            job->distances[i * rows.rows + j] = sqrt(kd2m_squared_distance(
                rows.values + i * rows.stride, rows.values + j * rows.stride, rows.dim));
}

/* Distances of all pairs of rows. */
typedef struct relations {
    double *distances;
    double mean;  /* of those above 0; 1 where there are none */
    double pairs; /* how many are above 0 */
} relations;

static kd2m_status measure(const kd2m_metric_call *call, kd2m_rows rows, relations *out) {
    kd2m_status status = KD2M_OK;
    double sum = 0;
    *out = (relations){.mean = 1};
    KD2M_TRY(kd2m_take_matrix(call, &out->distances, rows.rows, rows.rows));
    distance_job job = {rows, out->distances};
    kd2m_parallel_for(call->context, rows.rows, 4, measure_rows, &job);
    for (size_t p = 0; p < rows.rows * rows.rows; p++) {
        sum += out->distances[p];
        out->pairs += out->distances[p] > 0;
    }
    if (out->pairs > 0)
        out->mean = sum / out->pairs;
cleanup:
    return status;
}

typedef struct gradient_job {
    kd2m_rows x;
    const double *by_distance; /* over the distance */
    const kd2m_gradient *gradient;
} gradient_job;

/* Each pair stands twice in the sum, as ij and as ji. */
static void gradient_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const gradient_job *job = user;
    const kd2m_rows x = job->x;
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < x.dim; k++) {
            double sum = 0, at = x.values[i * x.stride + k];
            for (size_t j = 0; j < x.rows; j++)
                sum += job->by_distance[i * x.rows + j] * (at - x.values[j * x.stride + k]);
            job->gradient->features[i * job->gradient->stride + k] = (float)(2 * sum);
        }
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t count = call->x.rows * call->x.rows;
    relations x, y;
    double sum = 0, turned = 0; /* s of the formula */
    KD2M_TRY(measure(call, call->x.features, &x));
    KD2M_TRY(measure(call, call->y.features, &y));
    for (size_t p = 0; p < count; p++) {
        double gap = x.distances[p] / x.mean - y.distances[p] / y.mean;
        double slope = fmax(-1, fmin(1, gap));
        sum += slope * (gap - slope / 2);
        turned += slope * x.distances[p];
        y.distances[p] = slope;
    }
    result->value = sum / (double)count;
    for (size_t p = 0; gradient && p < count; p++)
        y.distances[p] = x.distances[p] > 0 ? (y.distances[p] - turned / (x.pairs * x.mean)) /
                                                  ((double)count * x.mean * x.distances[p])
                                            : 0;
    if (gradient) {
        gradient_job job = {call->x.features, y.distances, gradient};
        kd2m_parallel_for(call->context, call->x.rows, 4, gradient_rows, &job);
    }
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_rkd = {
    .name = "rkd",
    .summary = "distance-wise relational distillation of paired rows",
    .formula = "mean over ij of huber(|x_i - x_j|/mean - |y_i - y_j|/mean)",
    .source = "Park et al. 2019",
    .traits = KD2M_METRIC_PAIRED | KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC |
              KD2M_METRIC_TRANSLATION | KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION |
              KD2M_METRIC_ANY_WIDTH | KD2M_METRIC_SCALING,
    .degree = 0,
    .least_rows = 1,
    .workspace = workspace,
    .evaluate = evaluate,
};
