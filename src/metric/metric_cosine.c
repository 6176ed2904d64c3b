/*
 * Cosine distance of paired rows:
 *
 *     D = 1/n sum_i (1 - x_i.y_i / (|x_i| |y_i|)), a row of zeros counting as at right angles
 *     dD/dx_i = 1/n [ (x_i.y_i) x_i / |x_i|^2 - y_i ] / (|x_i| |y_i|)
 *
 * Cost: O(n d) time, no memory. Threads: one.
 */
#include "metric.h"

#include <math.h>

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    (void)shape;
    return 0;
}

static double dot(const float *x, const float *y, size_t dim) {
    double sum = 0;
    for (size_t k = 0; k < dim; k++)
        sum += (double)x[k] * y[k];
    return sum;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const kd2m_rows x = call->x.features, y = call->y.features;
    double n = (double)x.rows;
    for (size_t i = 0; i < x.rows; i++) {
        const float *row_x = x.values + i * x.stride, *row_y = y.values + i * y.stride;
        double square = dot(row_x, row_x, x.dim), product = dot(row_x, row_y, x.dim);
        double lengths = sqrt(square * dot(row_y, row_y, x.dim));
        result->value += (1 - (lengths > 0 ? product / lengths : 0)) / n;
        for (size_t k = 0; gradient && k < x.dim; k++)
            gradient->features[i * gradient->stride + k] =
                lengths > 0 ? (float)((product / square * row_x[k] - row_y[k]) / (n * lengths)) : 0;
    }
    return KD2M_OK;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_cosine = {
    .name = "cosine",
    .summary = "cosine distance of paired rows",
    .formula = "1/n sum_i (1 - x_i.y_i / (|x_i| |y_i|))",
    .source = "Salton & McGill 1983",
    .traits = KD2M_METRIC_PAIRED | KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_ROTATION |
              KD2M_METRIC_PERMUTATION | KD2M_METRIC_SCALING,
    .degree = 0,
    .least_rows = 1,
    .workspace = workspace,
    .evaluate = evaluate,
};
