/*
 * The inner loops of the Sinkhorn iteration: each runs along rows of costs, or of the kernel that
 * was made of them, with sums in double. The plain forms, kd2m_reference_*, are what the tests
 * compare them with.
 */
#ifndef KD2M_OT_KERNEL_ROWS_H
#define KD2M_OT_KERNEL_ROWS_H

#include <stddef.h>

/* Rows that kd2m_kernel_dot and kd2m_kernel_add take at once at most. */
#define KD2M_KERNEL_ROWS ((size_t)4)

/* The lowest costs[j] - potentials[j]. */
double kd2m_kernel_lowest(const float *costs, const double *potentials, size_t count);

/* out[j] = exp((shift + potentials[j] - costs[j]) * sharpness), what is below some 1e-30 as 0 (so
 * with a potential of -infinity), at most 2^126; returns their sum, taken before they were rounded.
 * `out` may be `costs`. */
double kd2m_kernel_exponentials(float *out, const float *costs, const double *potentials,
                                double shift, double sharpness, size_t count);

/* row *= factor */
void kd2m_kernel_scale(float *row, double factor, size_t count);

/* out[r] = sum_j rows[r * stride + j] factors[j] over 1 .. KD2M_KERNEL_ROWS rows */
void kd2m_kernel_dot(double *out, const float *rows, size_t stride, const double *factors,
                     size_t row_count, size_t count);

/* sum_j row[j] factors[j] |values[j] - centre| */
double kd2m_kernel_spread(const float *row, const double *factors, const double *values,
                          double centre, size_t count);

/* sums[j] += sum_r weights[r] rows[r * stride + j] over 1 .. KD2M_KERNEL_ROWS rows */
void kd2m_kernel_add(double *sums, const float *rows, size_t stride, const double *weights,
                     size_t row_count, size_t count);

double kd2m_reference_exponentials(float *out, const float *costs, const double *potentials,
                                   double shift, double sharpness, size_t count);
double kd2m_reference_dot(const float *row, const double *factors, size_t count);
double kd2m_reference_spread(const float *row, const double *factors, const double *values,
                             double centre, size_t count);
void kd2m_reference_add(double *sums, const float *rows, size_t stride, const double *weights,
                        size_t row_count, size_t count);

#endif
