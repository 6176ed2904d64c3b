/*
 * The loops of kernel_rows.h. O(count) per row, no memory. Threads: the caller's; pure functions.
 */
#include "kernel_rows.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "exponential.h"
#include "simd.h"

/* Powers of two: the largest |exponent|, and the least one that is not 0. Smaller entries of a
 * kernel count for nothing, and as subnormal floats would cost a hundred times the time. */
#define FURTHEST 126.0
#define LEAST (-100)

/* Exponents that are kept at once, in the nearest cache. */
#define CHUNK ((size_t)256)

/* Minima side by side: clang does not vectorise a minimum of doubles as a reduction. */
#define LANES ((size_t)16)

KD2M_CLONES static double kernel_lowest(const float *restrict costs,
                                        const double *restrict potentials, size_t count) {
    double lanes[LANES], lowest = INFINITY;
    size_t whole = count - count % LANES;
    for (size_t l = 0; l < LANES; l++)
        lanes[l] = INFINITY;
    for (size_t j = 0; j < whole; j += LANES) {
#pragma omp simd
        for (size_t l = 0; l < LANES; l++) {
            double value = (double)costs[j + l] - potentials[j + l];
            lanes[l] = value < lanes[l] ? value : lanes[l];
        }
    }
    for (size_t l = 0; l < LANES; l++)
        lowest = lanes[l] < lowest ? lanes[l] : lowest;
    for (size_t j = whole; j < count; j++) {
        double value = (double)costs[j] - potentials[j];
        lowest = value < lowest ? value : lowest;
    }
    return lowest;
}

double kd2m_kernel_lowest(const float *costs, const double *potentials, size_t count) {
    return kernel_lowest(costs, potentials, count);
}

/* exponents[j] = (shift + (potentials[j] - costs[j])) * sharpness, held within what 2^x can show. A
 * loop of its own: beside the power, compilers would turn the bounds into jumps. */
static inline void fill_exponents(double *restrict exponents, const float *restrict costs,
                                  const double *restrict potentials, double shift, double sharpness,
                                  size_t count) {
#pragma omp simd
    for (size_t j = 0; j < count; j++) {
        double x = (shift + (potentials[j] - (double)costs[j])) * sharpness;
        x = x < FURTHEST ? x : FURTHEST;
        exponents[j] = x > -FURTHEST ? x : -FURTHEST;
    }
}

/* 2^x for |x| <= FURTHEST, 0 below 2^(LEAST - 1/2); relative error below 1e-15. kd2m_exp
 * without a jump. */
static inline double power_of_two(double x) {
    const double round = 0x1.8p52; /* adding it leaves the rounded integer in the lowest bits */
    double shifted = x + round;
    double r = (x - (shifted - round)) * 0x1.62e42fefa39efp-1;
    double sum = kd2m_exp_near(r);
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    uint32_t exponent = (uint32_t)bits + 1023;
    bits = exponent >= 1023 + LEAST ? (uint64_t)exponent << 52 : 0;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

KD2M_CLONES static double kernel_exponentials(float *out, const float *costs,
                                              const double *potentials, double shift,
                                              double sharpness, size_t count) {
    double exponents[CHUNK], sum = 0.0;
    for (size_t first = 0; first < count; first += CHUNK) {
        size_t chunk = count - first < CHUNK ? count - first : CHUNK;
        fill_exponents(exponents, costs + first, potentials + first, shift, sharpness, chunk);
#pragma omp simd reduction(+ : sum)
        for (size_t j = 0; j < chunk; j++) {
            double value = power_of_two(exponents[j]);
            out[first + j] = (float)value;
            sum += value;
        }
    }
    return sum;
}

double kd2m_kernel_exponentials(float *out, const float *costs, const double *potentials,
                                double shift, double sharpness, size_t count) {
    return kernel_exponentials(out, costs, potentials, shift, sharpness * M_LOG2E, count);
}

KD2M_CLONES static void kernel_scale(float *row, float factor, size_t count) {
#pragma omp simd
    for (size_t j = 0; j < count; j++)
        row[j] *= factor;
}

void kd2m_kernel_scale(float *row, double factor, size_t count) {
    kernel_scale(row, (float)factor, count);
}

KD2M_CLONES static double kernel_dot_one(const float *restrict row, const double *restrict factors,
                                         size_t count) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++)
        sum += (double)row[j] * factors[j];
    return sum;
}

/* Four rows at once: four sums that do not wait for each other. */
KD2M_CLONES static void kernel_dot_four(double *restrict out, const float *restrict rows,
                                        size_t stride, const double *restrict factors,
                                        size_t count) {
    const float *first = rows, *second = rows + stride;
    const float *third = second + stride, *fourth = third + stride;
    double sum1 = 0.0, sum2 = 0.0, sum3 = 0.0, sum4 = 0.0;
#pragma omp simd reduction(+ : sum1, sum2, sum3, sum4)
    for (size_t j = 0; j < count; j++) {
        sum1 += (double)first[j] * factors[j];
        sum2 += (double)second[j] * factors[j];
        sum3 += (double)third[j] * factors[j];
        sum4 += (double)fourth[j] * factors[j];
    }
    out[0] = sum1;
    out[1] = sum2;
    out[2] = sum3;
    out[3] = sum4;
}

void kd2m_kernel_dot(double *out, const float *rows, size_t stride, const double *factors,
                     size_t row_count, size_t count) {
    if (row_count == KD2M_KERNEL_ROWS) {
        kernel_dot_four(out, rows, stride, factors, count);
        return;
    }
    for (size_t r = 0; r < row_count; r++)
        out[r] = kernel_dot_one(rows + r * stride, factors, count);
}

KD2M_CLONES static double kernel_spread(const float *restrict row, const double *restrict factors,
                                        const double *restrict values, double centre,
                                        size_t count) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++)
        sum += (double)row[j] * factors[j] * fabs(values[j] - centre);
    return sum;
}

double kd2m_kernel_spread(const float *row, const double *factors, const double *values,
                          double centre, size_t count) {
    return kernel_spread(row, factors, values, centre, count);
}

/* Four rows at once: the sums are read and written a quarter as often. */
KD2M_CLONES static void kernel_add_four(double *restrict sums, const float *restrict rows,
                                        size_t stride, const double *weights, size_t count) {
    const float *first = rows, *second = rows + stride;
    const float *third = second + stride, *fourth = third + stride;
#pragma omp simd
    for (size_t j = 0; j < count; j++)
        sums[j] += (weights[0] * (double)first[j] + weights[1] * (double)second[j]) +
                   (weights[2] * (double)third[j] + weights[3] * (double)fourth[j]);
}

KD2M_CLONES static void kernel_add_one(double *restrict sums, const float *restrict row,
                                       double weight, size_t count) {
#pragma omp simd
    for (size_t j = 0; j < count; j++)
        sums[j] += weight * (double)row[j];
}

void kd2m_kernel_add(double *sums, const float *rows, size_t stride, const double *weights,
                     size_t row_count, size_t count) {
    if (row_count == KD2M_KERNEL_ROWS) {
        kernel_add_four(sums, rows, stride, weights, count);
        return;
    }
    for (size_t r = 0; r < row_count; r++)
        kernel_add_one(sums, rows + r * stride, weights[r], count);
}

double kd2m_reference_exponentials(float *out, const float *costs, const double *potentials,
                                   double shift, double sharpness, size_t count) {
    double sum = 0.0;
    for (size_t j = 0; j < count; j++) {
        double value = exp((shift + potentials[j] - (double)costs[j]) * sharpness);
        out[j] = value < ldexp(1.0, LEAST) ? 0.0F : (float)value;
        sum += value;
    }
    return sum;
}

double kd2m_reference_dot(const float *row, const double *factors, size_t count) {
    double sum = 0.0;
    for (size_t j = 0; j < count; j++)
        sum += (double)row[j] * factors[j];
    return sum;
}

double kd2m_reference_spread(const float *row, const double *factors, const double *values,
                             double centre, size_t count) {
    double sum = 0.0;
    for (size_t j = 0; j < count; j++)
        sum += (double)row[j] * factors[j] * fabs(values[j] - centre);
    return sum;
}

void kd2m_reference_add(double *sums, const float *rows, size_t stride, const double *weights,
                        size_t row_count, size_t count) {
    for (size_t r = 0; r < row_count; r++)
        for (size_t j = 0; j < count; j++)
            sums[j] += weights[r] * (double)rows[r * stride + j];
}
