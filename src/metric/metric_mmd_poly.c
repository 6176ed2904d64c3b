/*
 * The polynomial kernel of mmd, k(u, v) = (u.v + c)^p on rows of length 1, u = x/|x|: between such
 * rows it is a function of |u - v|^2 = 2 - 2 u.v, and by differences it keeps its digits where all
 * rows point the same way.
 *
 *     dD/dx = (g - (g.u) u)/|x|,  g = dD/du
 *
 * A row of zeros stays 0, with no gradient. Its kernel with any row is c^p; with a, b the weight of
 * such rows on each side, that adds (a - b)^2 ((1 + c)^p - c^p) to the V-statistic.
 *
 * Huang & Wang, 'Like what you like: knowledge distill via neuron selectivity transfer', 2017.
 * Cost, memory and threads: pairwise.c.
 */
#include "metric_mmd_poly.h"

#include <math.h>

#include "context.h"
#include "parallel.h"

size_t kd2m_metric_poly_bytes(const kd2m_metric_shape *shape) {
    size_t bytes = kd2m_arena_sum(kd2m_arena_bytes(shape->n, sizeof(double)),
                                  kd2m_arena_bytes(shape->m, sizeof(double)));
    return kd2m_arena_sum(bytes, kd2m_pairs_bytes(shape, false));
}

/* The weight of one side's rows of zeros. */
typedef struct zero_rows {
    double weight, squares; /* sum of weights, and of their squares */
} zero_rows;

/* *out = 1/|x_i| per row, 0 for a row of zeros. */
static kd2m_status measure_lengths(const kd2m_metric_call *call, const kd2m_metric_side *side,
                                   double **out, zero_rows *zeros) {
    kd2m_status status = KD2M_OK;
    const kd2m_rows rows = side->features;
    *zeros = (zero_rows){0};
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)out, side->rows, sizeof **out));
    for (size_t i = 0; i < side->rows; i++) {
        double sum = 0, weight = kd2m_metric_weight(side, i);
        for (size_t k = 0; k < rows.dim; k++)
            sum += pow(rows.values[i * rows.stride + k], 2);
        (*out)[i] = sum > 0 ? 1 / sqrt(sum) : 0;
        zeros->weight += sum > 0 ? 0 : weight;
        zeros->squares += sum > 0 ? 0 : weight * weight;
    }
cleanup:
    return status;
}

/* The pairs with a row of zeros in them, times how much less than (1 + c)^p their kernel is. */
static double zero_pairs(zero_rows x, zero_rows y, kd2m_pair_factors factors, bool unbiased) {
    double self_x = unbiased ? x.squares : 0, self_y = unbiased ? y.squares : 0;
    return factors.within_x * (2 * x.weight - x.weight * x.weight - self_x) +
           factors.within_y * (2 * y.weight - y.weight * y.weight - self_y) -
           2 * (x.weight + y.weight - x.weight * y.weight);
}

typedef struct turn_job {
    const kd2m_rows x;
    const double *scales; /* 1/|x_i| */
    const kd2m_gradient *gradient;
} turn_job;

/* From the gradient by u to that by x. */
static void turn_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const turn_job *job = user;
    for (size_t i = begin; i < end; i++) {
        const float *row = job->x.values + i * job->x.stride;
        float *out = job->gradient->features + i * job->gradient->stride;
        double scale = job->scales[i], along = 0;
        for (size_t k = 0; k < job->x.dim; k++)
            along += scale * (double)row[k] * (double)out[k];
        for (size_t k = 0; k < job->x.dim; k++)
            out[k] = (float)(scale * ((double)out[k] - along * scale * (double)row[k]));
    }
}

kd2m_status kd2m_metric_poly(const kd2m_metric_call *call, int power, double c, bool unbiased,
                             kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_pairs pairs;
    double *scales_x, *scales_y;
    zero_rows zero_x, zero_y;
    const kd2m_pair_kernel kernel = kd2m_kernel_poly(power, c);
    kd2m_pair_factors factors = kd2m_pair_factors_of(call, unbiased);
    KD2M_TRY(measure_lengths(call, &call->x, &scales_x, &zero_x));
    KD2M_TRY(measure_lengths(call, &call->y, &scales_y, &zero_y));
    KD2M_TRY(kd2m_pairs_open(&pairs, call, false, scales_x, scales_y));
    kd2m_pairs_weigh(&pairs);
    KD2M_TRY(kd2m_pairs_compare(&pairs, &kernel, factors, &result->value, gradient));
    result->value +=
        zero_pairs(zero_x, zero_y, factors, unbiased) * (pow(c, power) - pow(1 + c, power));
    if (gradient) {
        turn_job job = {call->x.features, scales_x, gradient};
        kd2m_parallel_for(call->context, call->x.rows, 64, turn_rows, &job);
    }
cleanup:
    return status;
}
