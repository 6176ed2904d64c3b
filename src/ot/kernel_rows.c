/*
 * The loops of kernel_rows.h. O(count) per row, no memory. Threads: the caller's; pure functions.
 */
#include "kernel_rows.h"

#include <math.h>

#include "exponential.h"
#include "simd.h"

/* Smaller entries count for nothing, and as subnormal floats would cost a hundred times the time.
 */
#define SMALLEST 1e-30

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

KD2M_CLONES static double kernel_exponentials(float *restrict out, const float *restrict costs,
                                              const double *restrict potentials, double shift,
                                              double sharpness, size_t count) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++) {
        double value = kd2m_exp((shift + (potentials[j] - (double)costs[j])) * sharpness);
        out[j] = value < SMALLEST ? 0.0F : (float)value;
        sum += value;
    }
    return sum;
}

double kd2m_kernel_exponentials(float *out, const float *costs, const double *potentials,
                                double shift, double sharpness, size_t count) {
    return kernel_exponentials(out, costs, potentials, shift, sharpness, count);
}

KD2M_CLONES static void kernel_scale(float *row, float factor, size_t count) {
#pragma omp simd
    for (size_t j = 0; j < count; j++)
        row[j] *= factor;
}

void kd2m_kernel_scale(float *row, double factor, size_t count) {
    kernel_scale(row, (float)factor, count);
}

KD2M_CLONES static double kernel_dot(const float *restrict row, const double *restrict factors,
                                     size_t count) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < count; j++)
        sum += (double)row[j] * factors[j];
    return sum;
}

double kd2m_kernel_dot(const float *row, const double *factors, size_t count) {
    return kernel_dot(row, factors, count);
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
        out[j] = value < SMALLEST ? 0.0F : (float)value;
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

void kd2m_reference_add(double *sums, const float *rows, size_t stride, const double *weights,
                        size_t row_count, size_t count) {
    for (size_t r = 0; r < row_count; r++)
        for (size_t j = 0; j < count; j++)
            sums[j] += weights[r] * (double)rows[r * stride + j];
}
