/* Discrepancies of kernels, as their definitions read. */
#include "reference_families.h"

#include <math.h>

double reference_squared(const reference_side *x, size_t i, const reference_side *y, size_t j) {
    double sum = 0;
    for (size_t k = 0; k < x->dim; k++) {
        double difference = x->values[i * x->dim + k] - y->values[j * y->dim + k];
        sum += difference * difference;
    }
    return sum;
}

/* The kernel of two rows. */
typedef double (*kernel)(double parameter, const reference_side *x, size_t i,
                         const reference_side *y, size_t j);

/* The mean of the kernel over pairs; unbiased: of different rows, weights being equal. */
static double mean_kernel(kernel k, double parameter, const reference_side *x,
                          const reference_side *y, bool unbiased) {
    double sum = 0, n = (double)x->rows;
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < y->rows; j++)
            if (!unbiased || i != j)
                sum += x->weights[i] * y->weights[j] * k(parameter, x, i, y, j);
    return unbiased ? sum * n / (n - 1) : sum;
}

/* NaN for a single row, unbiased. */
static double discrepancy(kernel k, double parameter, const reference_side *x,
                          const reference_side *y, bool unbiased) {
    if (unbiased && (x->rows < 2 || y->rows < 2))
        return NAN;
    return mean_kernel(k, parameter, x, x, unbiased) + mean_kernel(k, parameter, y, y, unbiased) -
           2 * mean_kernel(k, parameter, x, y, false);
}

static double gaussian(double sigma, const reference_side *x, size_t i, const reference_side *y,
                       size_t j) {
    return expm1(-reference_squared(x, i, y, j) / (2 * sigma * sigma));
}

REFERENCE(rbf) {
    (void)metric;
    return discrepancy(gaussian, constant, x, y, false);
}

REFERENCE(rbf_u) {
    (void)metric;
    return discrepancy(gaussian, constant, x, y, true);
}

/* x.y less what only one row decides, (|x|^2 + |y|^2)/2, which adds up to nothing. */
static double product(double parameter, const reference_side *x, size_t i, const reference_side *y,
                      size_t j) {
    (void)parameter;
    return -reference_squared(x, i, y, j) / 2;
}

REFERENCE(linear_u) {
    (void)metric;
    (void)constant;
    return discrepancy(product, 0, x, y, true);
}

static double length(const reference_side *x, size_t i) {
    double sum = 0;
    for (size_t k = 0; k < x->dim; k++)
        sum += pow(x->values[i * x->dim + k], 2);
    return sqrt(sum);
}

/* 1 less the cosine of the angle between two rows; a row of zeros has the cosine 0 with any. */
static double turn(const reference_side *x, size_t i, const reference_side *y, size_t j) {
    double length_x = length(x, i), length_y = length(y, j), sum = 0;
    if (length_x == 0 || length_y == 0)
        return 1;
    for (size_t k = 0; k < x->dim; k++)
        sum += pow(x->values[i * x->dim + k] / length_x - y->values[j * y->dim + k] / length_y, 2);
    return sum / 2;
}

/* (1 + c - e)^2 and ^3 less their values at e = 0, multiplied out: the differences of 1 and 1 -
 * 1e-8 would leave central differences no digits. */
static double square_kernel(double c, const reference_side *x, size_t i, const reference_side *y,
                            size_t j) {
    double e = turn(x, i, y, j), top = 1 + c;
    return e * e - 2 * top * e;
}

static double cubic_kernel(double c, const reference_side *x, size_t i, const reference_side *y,
                           size_t j) {
    double e = turn(x, i, y, j), top = 1 + c;
    return -e * e * e + 3 * top * e * e - 3 * top * top * e;
}

REFERENCE(poly) {
    (void)constant;
    return discrepancy(square_kernel, metric->parameter, x, y, false);
}

REFERENCE(poly_cubic) {
    (void)constant;
    return discrepancy(cubic_kernel, metric->parameter, x, y, false);
}

REFERENCE(poly_u) {
    (void)constant;
    return discrepancy(square_kernel, metric->parameter, x, y, true);
}

static double distance(double parameter, const reference_side *x, size_t i, const reference_side *y,
                       size_t j) {
    (void)parameter;
    return sqrt(reference_squared(x, i, y, j));
}

REFERENCE(energy) {
    (void)metric;
    (void)constant;
    return -discrepancy(distance, 0, x, y, false);
}

static double distance_sum(const reference_side *x, const reference_side *y) {
    double sum = 0;
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < y->rows; j++)
            sum += sqrt(reference_squared(x, i, y, j));
    return sum;
}

double reference_bandwidth(const reference_metric *metric, const reference_side *x,
                           const reference_side *y) {
    if (metric->parameter > 0)
        return metric->parameter;
    double n = (double)x->rows, m = (double)y->rows;
    return (distance_sum(x, x) + distance_sum(y, y) + distance_sum(x, y)) / (n * n + m * m + n * m);
}
