/* Distances of the fitted Gaussians, as their definitions read. */
#include "reference_families.h"

#include <math.h>
#include <stdlib.h>

static double mean(const reference_side *x, size_t k) {
    double sum = 0;
    for (size_t i = 0; i < x->rows; i++)
        sum += x->weights[i] * x->values[i * x->dim + k];
    return sum;
}

static double variance(const reference_side *x, size_t k) {
    double center = mean(x, k), sum = 0;
    for (size_t i = 0; i < x->rows; i++) {
        double difference = x->values[i * x->dim + k] - center;
        sum += x->weights[i] * difference * difference;
    }
    return sum;
}

double *reference_covariance(const reference_side *x) {
    size_t d = x->dim;
    double *covariance = calloc(d * d, sizeof *covariance), *row = malloc(d * sizeof *row);
    double *center = malloc(d * sizeof *center);
    for (size_t k = 0; k < d; k++)
        center[k] = mean(x, k);
    for (size_t i = 0; i < x->rows; i++) {
        for (size_t k = 0; k < d; k++)
            row[k] = x->values[i * d + k] - center[k];
        for (size_t k = 0; k < d; k++)
            for (size_t l = 0; l < d; l++)
                covariance[k * d + l] += x->weights[i] * row[k] * row[l];
    }
    free(row);
    free(center);
    return covariance;
}

REFERENCE(mean_gap) {
    (void)metric;
    (void)constant;
    double sum = 0;
    for (size_t k = 0; k < x->dim; k++)
        sum += pow(mean(x, k) - mean(y, k), 2);
    return sum;
}

REFERENCE(gauss_w2) {
    double sum = reference_mean_gap(metric, x, y, constant);
    for (size_t k = 0; k < x->dim; k++)
        sum += pow(sqrt(variance(x, k)) - sqrt(variance(y, k)), 2);
    return sum;
}

/* A normal law in one dimension. */
typedef struct normal {
    double mean, variance;
} normal;

/* Sums a divergence of normal laws, the student's and the teacher's, over features. */
static double over_features(const reference_side *x, const reference_side *y, double reg,
                            double parameter,
                            double (*divergence)(double parameter, normal p, normal q)) {
    double floor = 0, sum = 0;
    for (size_t k = 0; k < y->dim; k++)
        floor += reg * variance(y, k) / (double)y->dim;
    for (size_t k = 0; k < x->dim; k++)
        sum += divergence(parameter, (normal){mean(x, k), variance(x, k) + floor},
                          (normal){mean(y, k), variance(y, k) + floor});
    return sum;
}

static double normal_kl(double parameter, normal p, normal q) {
    (void)parameter;
    return 0.5 *
           (log(q.variance / p.variance) + (p.variance + pow(p.mean - q.mean, 2)) / q.variance - 1);
}

static double reverse_kl(double parameter, normal p, normal q) {
    return normal_kl(parameter, q, p);
}

REFERENCE(kl) {
    (void)constant;
    return over_features(x, y, metric->parameter, 0, metric->reversed ? reverse_kl : normal_kl);
}

REFERENCE(jeffreys) {
    (void)constant;
    return over_features(x, y, metric->parameter, 0, normal_kl) +
           over_features(x, y, metric->parameter, 0, reverse_kl);
}

/* The squared length of the geodesic, as in the half-plane model: Costa et al., equation 12. */
static double squared_geodesic(double parameter, normal p, normal q) {
    (void)parameter;
    double v = sqrt(p.variance), w = sqrt(q.variance), gap = (p.mean - q.mean) / sqrt(2);
    double far = hypot(gap, v + w), near = hypot(gap, v - w);
    return 2 * pow(log1p(2 * near / (far - near)), 2);
}

REFERENCE(fisher_rao) {
    (void)constant;
    return sqrt(over_features(x, y, metric->parameter, 0, squared_geodesic));
}

/* log of the integral of sqrt(p q) */
static double log_affinity(double parameter, normal p, normal q) {
    (void)parameter;
    double sum = p.variance + q.variance;
    return 0.5 * log(2 * sqrt(p.variance * q.variance) / sum) - pow(p.mean - q.mean, 2) / (4 * sum);
}

REFERENCE(bhattacharyya) {
    (void)constant;
    return -over_features(x, y, metric->parameter, 0, log_affinity);
}

REFERENCE(hellinger) {
    (void)constant;
    double sum = over_features(x, y, metric->parameter, 0, log_affinity);
    return isfinite(sum) ? sqrt(1 - exp(sum)) : NAN; /* a variance of 0: no gradient */
}

/* Gil et al. 2013, table 2. */
static double normal_renyi(double alpha, normal p, normal q) {
    double mixed = alpha * q.variance + (1 - alpha) * p.variance;
    return log(sqrt(q.variance / p.variance)) + log(q.variance / mixed) / (2 * (alpha - 1)) +
           alpha * pow(p.mean - q.mean, 2) / (2 * mixed);
}

REFERENCE(renyi) {
    (void)constant;
    return over_features(x, y, 1e-5, metric->parameter, normal_renyi);
}
