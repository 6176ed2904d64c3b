/* The row kernels of rows.h as their definitions read, for the tests. One thread, no vectors. */
#include <math.h>

#include "rows.h"

static double at(kd2m_rows x, size_t i, size_t k) {
    return (double)x.values[i * x.stride + k];
}

void kd2m_reference_mean(double *mean, kd2m_rows x, const double *weights) {
    for (size_t k = 0; k < x.dim; k++) {
        mean[k] = 0.0;
        for (size_t i = 0; i < x.rows; i++)
            mean[k] += (weights ? weights[i] : 1.0 / (double)x.rows) * at(x, i, k);
    }
}

void kd2m_reference_variance(double *variance, kd2m_rows x, const double *mean,
                             const double *weights) {
    for (size_t k = 0; k < x.dim; k++) {
        variance[k] = 0.0;
        for (size_t i = 0; i < x.rows; i++)
            variance[k] +=
                (weights ? weights[i] : 1.0 / (double)x.rows) * pow(at(x, i, k) - mean[k], 2.0);
    }
}

void kd2m_reference_distances(double *out, kd2m_rows x, kd2m_rows y) {
    for (size_t i = 0; i < x.rows; i++)
        for (size_t j = 0; j < y.rows; j++) {
            double sum = 0.0;
            for (size_t k = 0; k < x.dim; k++)
                sum += pow(at(x, i, k) - at(y, j, k), 2.0);
            out[i * y.rows + j] = sum;
        }
}
