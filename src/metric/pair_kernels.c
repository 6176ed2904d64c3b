/*
 * Kernels of squared distances, a row at a time: see pairwise.h for what they owe. With
 * h = |x - y|^2,
 *
 *     rbf      k - 1 = exp(-h/(2 s^2)) - 1      pull exp(-h/(2 s^2)), scale 1/s^2
 *     energy   -sqrt(h)                         pull 1/sqrt(h), 0 where h = 0
 *     distance sqrt(h)                          none
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
        float distance = sqrtf(values[j]); /* as exact as what it is the root of */
        sum -= shares[j] * (double)distance;
        /* a division under a condition would not be done in vectors */
        double kept = distance > 0 ? 1 : 0;
        values[j] = (float)(share * shares[j] * kept) / (distance + FLT_MIN);
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
static double sum_distances(const float *restrict values, const double *restrict shares,
                            size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++)
        sum += shares[j] * (double)sqrtf(values[j]);
    return sum;
}

static double distance_row(const kd2m_pair_kernel *kernel, float *values, double share,
                           const double *shares, size_t count) {
    (void)kernel;
    (void)share;
    return sum_distances(values, shares, count);
}

kd2m_pair_kernel kd2m_kernel_distance(void) {
    return (kd2m_pair_kernel){.row = distance_row};
}

/* Columns that poly raises to its power side by side. */
#define POLY_BLOCK 64

/* series = sum_j b^j B^(p-1-j), raised = b^(p-1) for b = top - values/2, B = top. */
KD2M_CLONES
static void raise_poly(double *restrict series, double *restrict raised,
                       const float *restrict values, int power, double top, size_t count) {
    for (size_t j = 0; j < count; j++)
        series[j] = raised[j] = 1;
    for (int m = 1; m < power; m++) {
#pragma omp simd
        for (size_t j = 0; j < count; j++) {
            raised[j] *= top - 0.5 * (double)values[j];
            series[j] = series[j] * top + raised[j];
        }
    }
}

KD2M_CLONES
static double pull_poly(float *restrict values, double share, const double *restrict shares,
                        const double *restrict series, const double *restrict raised, int power,
                        size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++) {
        sum -= shares[j] * 0.5 * (double)values[j] * series[j];
        values[j] = (float)(share * shares[j] * power * raised[j]);
    }
    return sum;
}

static double poly_row(const kd2m_pair_kernel *kernel, float *values, double share,
                       const double *shares, size_t count) {
    double series[POLY_BLOCK], raised[POLY_BLOCK], sum = 0;
    for (size_t first = 0; first < count; first += POLY_BLOCK) {
        size_t block = count - first < POLY_BLOCK ? count - first : POLY_BLOCK;
        raise_poly(series, raised, values + first, kernel->power, 1 + kernel->parameter, block);
        sum +=
            pull_poly(values + first, share, shares + first, series, raised, kernel->power, block);
    }
    return sum;
}

kd2m_pair_kernel kd2m_kernel_poly(int power, double c) {
    return (kd2m_pair_kernel){.row = poly_row, .scale = 1, .parameter = c, .power = power};
}
