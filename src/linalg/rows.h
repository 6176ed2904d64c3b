/*
 * Kernels over rows of float matrices, sums in double. The reductions and distances have plain
 * references, kd2m_reference_*, which the tests compare them with.
 */
#ifndef KD2M_LINALG_ROWS_H
#define KD2M_LINALG_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "kd2m/core.h"

/* A matrix as it lies in memory: rows x dim, `stride` elements from row to row. Borrowed. */
typedef struct kd2m_rows {
    const float *values;
    size_t rows, dim, stride;
} kd2m_rows;

/* mean[dim] = sum_i w_i x_i; `weights` sum to 1, NULL = uniform. */
void kd2m_rows_mean(kd2m_context *context, double *mean, kd2m_rows x, const double *weights);

/* variance[dim] = sum_i w_i (x_i - mean)^2, in a second pass over differences. */
void kd2m_rows_variance(kd2m_context *context, double *variance, kd2m_rows x, const double *mean,
                        const double *weights);

/* Both at once, in one pass; x.rows >= 1. Features that are the same in every row have the variance
 * 0. */
void kd2m_rows_moments(kd2m_context *context, double *mean, double *variance, kd2m_rows x,
                       const double *weights);

/* out (rows x dim, contiguous) = x - mean. */
void kd2m_rows_center(kd2m_context *context, float *out, kd2m_rows x, const double *mean);

/* sum_k (x_k - y_k)^2, differences and sum in double. */
double kd2m_squared_distance(const float *x, const float *y, size_t dim);

/*
 * out (x.rows x y.rows, contiguous) = squared Euclidean distances, >= 0, with a relative error of
 * about 1e-5 at worst whatever the data's offset; 0 for equal rows. x.dim = y.dim.
 * `arena` needs kd2m_distances_bytes of room, given back on return.
 */
kd2m_status kd2m_distances(kd2m_arena *arena, float *out, kd2m_rows x, kd2m_rows y);
size_t kd2m_distances_bytes(size_t n, size_t m, size_t dim);

/* One side of all pairs: its rows, moved by the mean of both sides. */
typedef struct kd2m_distance_side {
    kd2m_rows x;
    float *centred; /* rows x dim */
    float *norms;   /* squared length of each centred row */
} kd2m_distance_side;

/* The same distances a few rows at a time. Open takes the kd2m_distances_bytes, which stay taken;
 * fill writes rows first .. first + count, the same whoever asks how often. */
typedef struct kd2m_distance_pairs {
    kd2m_distance_side x, y;
} kd2m_distance_pairs;

kd2m_status kd2m_distances_open(kd2m_arena *arena, kd2m_distance_pairs *out, kd2m_rows x,
                                kd2m_rows y);
kd2m_status kd2m_distances_fill(kd2m_context *context, const kd2m_distance_pairs *pairs, float *out,
                                size_t first, size_t count);

/* out (rows x dim, contiguous) = log softmax(x * factor) per row. */
void kd2m_rows_log_softmax(kd2m_context *context, float *out, kd2m_rows x, double factor);

/* Counts NaN and infinity; *first_row, *first_column: where the first one is. */
size_t kd2m_rows_not_finite(kd2m_context *context, kd2m_rows x, size_t *first_row,
                            size_t *first_column);

void kd2m_reference_mean(double *mean, kd2m_rows x, const double *weights);
void kd2m_reference_variance(double *variance, kd2m_rows x, const double *mean,
                             const double *weights);
void kd2m_reference_distances(double *out, kd2m_rows x, kd2m_rows y);

#endif
