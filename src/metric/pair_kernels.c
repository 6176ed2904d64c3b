/*
 * Kernels of squared distances, a row at a time: see pairwise.h for what they owe. With
 * h = |x - y|^2,
 *
 *     rbf      k - 1 = exp(-h/(2 s^2)) - 1      pull exp(-h/(2 s^2)), scale 1/s^2
 *     energy   -sqrt(h)                         pull 1/sqrt(h), 0 where h = 0
 *     poly     b^p - B^p                        pull p b^(p-1), with B = 1 + c and
 *              = -h/2 sum_j b^j B^(p-1-j)       b = B - h/2, which is x.y + c for rows of length 1
 *
 * Cost: a few operations per pair, an exponential or a root. Threads: the caller's.
 */
#include "pair_kernels.h"

#include <float.h>
#include <math.h>

#include "exponential.h"
#include "simd.h"

/* Pulls below this are 0: subnormal numbers would slow the products down a hundredfold. */
#define LEAST_PULL 1e-30

KD2M_CLONES
static double pull_rbf(float *restrict values, double share, const double *restrict shares,
                       double exponent, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++) {
        double kernel = kd2m_exp((double)values[j] * exponent);
        sum += shares[j] * (kernel - 1);
        values[j] = (float)(share * shares[j] * (kernel < LEAST_PULL ? 0 : kernel));
    }
    return sum;
}

static double rbf_row(const kd2m_pair_kernel *kernel, float *values, double share,
                      const double *shares, size_t count) {
    return pull_rbf(values, share, shares, kernel->parameter, count);
}

kd2m_pair_kernel kd2m_kernel_rbf(double sigma) {
    double sharpness = fmin(1 / (sigma * sigma), DBL_MAX);
    return (kd2m_pair_kernel){
        .row = rbf_row,
        .scale = sigma > 0 ? sharpness : 0,
        .parameter = -sharpness / 2,
    };
}

KD2M_CLONES
static double pull_energy(float *restrict values, double share, const double *restrict shares,
                          size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++) {
        double distance = sqrt((double)values[j]);
        sum -= shares[j] * distance;
        values[j] = values[j] > 0 ? (float)(share * shares[j] / distance) : 0;
    }
    return sum;
}

static double energy_row(const kd2m_pair_kernel *kernel, float *values, double share,
                         const double *shares, size_t count) {
    (void)kernel;
    return pull_energy(values, share, shares, count);
}

kd2m_pair_kernel kd2m_kernel_energy(void) {
    return (kd2m_pair_kernel){.row = energy_row, .scale = 1};
}

KD2M_CLONES
static double pull_poly(float *restrict values, double share, const double *restrict shares,
                        int power, double top, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++) {
        double half = 0.5 * (double)values[j], base = top - half;
        double series = 1, raised = 1; /* sum_j b^j B^(m-1-j) and b^(m-1), for m = 1 first */
        for (int m = 1; m < power; m++) {
            raised *= base;
            series = series * top + raised;
        }
        sum -= shares[j] * half * series;
        values[j] = (float)(share * shares[j] * power * raised);
    }
    return sum;
}

static double poly_row(const kd2m_pair_kernel *kernel, float *values, double share,
                       const double *shares, size_t count) {
    return pull_poly(values, share, shares, kernel->power, 1 + kernel->parameter, count);
}

kd2m_pair_kernel kd2m_kernel_poly(int power, double c) {
    return (kd2m_pair_kernel){.row = poly_row, .scale = 1, .parameter = c, .power = power};
}
