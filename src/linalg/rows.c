/*
 * Moments and row-wise kernels: see rows.h.
 *
 * Sums run over rows in a fixed order, columns side by side in vector registers, so a result
 * depends neither on the thread count nor on the vector width. Cost: O(rows x dim) time, no memory;
 * mean and variance together in one pass over the rows. Threads: columns (moments) or rows (the
 * rest) are shared out over the context's threads.
 */
#include "rows.h"

#include <math.h>
#include <string.h>

#include "parallel.h"
#include "simd.h"

/* Elements worth a thread of their own. */
#define GRAIN_ELEMENTS ((size_t)32768)

/* As many as a context may have. */
#define MOST_WORKERS ((size_t)256)

static size_t grain(size_t elements_each) {
    return elements_each < GRAIN_ELEMENTS ? GRAIN_ELEMENTS / (elements_each + 1) + 1 : 1;
}

typedef struct moments {
    kd2m_rows x;
    const double *weights;
    const double *mean; /* NULL while it is the mean that is summed */
    double *out;
} moments;

static double weight_of(const moments *work, size_t i) {
    return work->weights ? work->weights[i] : 1.0 / (double)work->x.rows;
}

KD2M_CLONES static void sum_values(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const moments *work = user;
    double *out = work->out;
    for (size_t k = begin; k < end; k++)
        out[k] = 0.0;
    for (size_t i = 0; i < work->x.rows; i++) {
        const float *row = work->x.values + i * work->x.stride;
        double weight = weight_of(work, i);
#pragma omp simd
        for (size_t k = begin; k < end; k++)
            out[k] += weight * (double)row[k];
    }
}

KD2M_CLONES static void sum_squares(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const moments *work = user;
    const double *mean = work->mean;
    double *out = work->out;
    for (size_t k = begin; k < end; k++)
        out[k] = 0.0;
    for (size_t i = 0; i < work->x.rows; i++) {
        const float *row = work->x.values + i * work->x.stride;
        double weight = weight_of(work, i);
#pragma omp simd
        for (size_t k = begin; k < end; k++) {
            double difference = (double)row[k] - mean[k];
            out[k] += weight * difference * difference;
        }
    }
}

void kd2m_rows_mean(kd2m_context *context, double *mean, kd2m_rows x, const double *weights) {
    moments work = {.x = x, .weights = weights, .out = mean};
    kd2m_parallel_for(context, x.dim, grain(x.rows), sum_values, &work);
}

void kd2m_rows_variance(kd2m_context *context, double *variance, kd2m_rows x, const double *mean,
                        const double *weights) {
    moments work = {.x = x, .weights = weights, .mean = mean, .out = variance};
    kd2m_parallel_for(context, x.dim, grain(x.rows), sum_squares, &work);
}

/* ---- mean and variance in one pass ----
 *
 * Sums of x - s and (x - s)^2 with s the row of the largest weight: that is at most 1/weight
 * variances away from the mean, at most the number of rows, so that taking the difference of the
 * two costs no more digits than a sum over as many rows does; and both are exactly 0 in a feature
 * that is the same in every row. */

typedef struct both_moments {
    kd2m_rows x;
    const double *weights;
    const float *shift;
    double *mean, *variance;
} both_moments;

/* Rows that are added up before they meet the sums, which lie in memory. */
enum { rows_at_once = 4 };

KD2M_CLONES static void add_shifted_rows(double *restrict sums, double *restrict squares,
                                         const float *restrict shift, const float *rows,
                                         size_t stride, const double *weights, size_t count) {
    const float *a = rows, *b = rows + stride, *c = rows + 2 * stride, *d = rows + 3 * stride;
#pragma omp simd
    for (size_t k = 0; k < count; k++) {
        double s = (double)shift[k];
        double at_a = (double)a[k] - s, at_b = (double)b[k] - s;
        double at_c = (double)c[k] - s, at_d = (double)d[k] - s;
        double part_a = weights[0] * at_a, part_b = weights[1] * at_b;
        double part_c = weights[2] * at_c, part_d = weights[3] * at_d;
        sums[k] += (part_a + part_b) + (part_c + part_d);
        squares[k] += (part_a * at_a + part_b * at_b) + (part_c * at_c + part_d * at_d);
    }
}

KD2M_CLONES static void finish_moments(double *restrict mean, double *restrict variance,
                                       const float *restrict shift, size_t count) {
#pragma omp simd
    for (size_t k = 0; k < count; k++) {
        double square = variance[k] - mean[k] * mean[k];
        variance[k] = square > 0 ? square : 0;
        mean[k] += (double)shift[k];
    }
}

static void sum_both(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const both_moments *work = user;
    const kd2m_rows x = work->x;
    for (size_t k = begin; k < end; k++)
        work->mean[k] = work->variance[k] = 0;
    for (size_t i = 0, together; i < x.rows; i += together) {
        double weights[rows_at_once] = {0};
        together = x.rows - i < rows_at_once ? 1 : rows_at_once;
        for (size_t r = 0; r < together; r++)
            weights[r] = work->weights ? work->weights[i + r] : 1.0 / (double)x.rows;
        /* a row alone stands for all of them, the others without weight */
        add_shifted_rows(work->mean + begin, work->variance + begin, work->shift + begin,
                         x.values + i * x.stride + begin, together > 1 ? x.stride : 0, weights,
                         end - begin);
    }
    finish_moments(work->mean + begin, work->variance + begin, work->shift + begin, end - begin);
}

static size_t heaviest_row(size_t rows, const double *weights) {
    size_t heaviest = 0;
    for (size_t i = 1; weights && i < rows; i++)
        heaviest = weights[i] > weights[heaviest] ? i : heaviest;
    return heaviest;
}

void kd2m_rows_moments(kd2m_context *context, double *mean, double *variance, kd2m_rows x,
                       const double *weights) {
    both_moments work = {.x = x,
                         .weights = weights,
                         .shift = x.values + heaviest_row(x.rows, weights) * x.stride,
                         .mean = mean,
                         .variance = variance};
    kd2m_parallel_for(context, x.dim, grain(x.rows), sum_both, &work);
}

typedef struct row_work {
    kd2m_rows x;
    const double *mean;
    double factor;
    float *out;
} row_work;

KD2M_CLONES static void center(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const row_work *work = user;
    const double *mean = work->mean;
    for (size_t i = begin; i < end; i++) {
        const float *row = work->x.values + i * work->x.stride;
        float *out = work->out + i * work->x.dim;
#pragma omp simd
        for (size_t k = 0; k < work->x.dim; k++)
            out[k] = (float)((double)row[k] - mean[k]);
    }
}

void kd2m_rows_center(kd2m_context *context, float *out, kd2m_rows x, const double *mean) {
    row_work work = {.x = x, .mean = mean, .out = out};
    kd2m_parallel_for(context, x.rows, grain(x.dim), center, &work);
}

/* log softmax = z - max - log sum exp(z - max), which neither overflows nor loses the small ones */
static void log_softmax(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const row_work *work = user;
    size_t dim = work->x.dim;
    for (size_t i = begin; i < end; i++) {
        const float *row = work->x.values + i * work->x.stride;
        double highest = -HUGE_VAL;
        for (size_t k = 0; k < dim; k++)
            highest = fmax(highest, work->factor * (double)row[k]);
        double sum = 0.0;
        for (size_t k = 0; k < dim; k++)
            sum += exp(work->factor * (double)row[k] - highest);
        double shift = highest + log(sum);
        for (size_t k = 0; k < dim; k++)
            work->out[i * dim + k] = (float)(work->factor * (double)row[k] - shift);
    }
}

void kd2m_rows_log_softmax(kd2m_context *context, float *out, kd2m_rows x, double factor) {
    row_work work = {.x = x, .factor = factor, .out = out};
    kd2m_parallel_for(context, x.rows, grain(16 * x.dim), log_softmax, &work);
}

KD2M_CLONES static double squared_distance(const float *x, const float *y, size_t dim) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < dim; k++) {
        double difference = (double)x[k] - (double)y[k];
        sum += difference * difference;
    }
    return sum;
}

double kd2m_squared_distance(const float *x, const float *y, size_t dim) {
    return squared_distance(x, y, dim);
}

/* Bits of an infinite float's magnitude: those of NaN are above, those of numbers below. */
#define INFINITE_BITS UINT32_C(0x7f800000)

static uint32_t magnitude_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & UINT32_C(0x7fffffff);
}

/* The largest magnitude of a row, as bits: a maximum of integers is what vectors are quick at. */
KD2M_CLONES static uint32_t largest_bits(const float *row, size_t dim) {
    uint32_t largest = 0;
#pragma omp simd reduction(max : largest)
    for (size_t k = 0; k < dim; k++) {
        uint32_t bits = magnitude_bits(row[k]);
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

typedef struct finite_work {
    kd2m_rows x;
    uint32_t largest[MOST_WORKERS];
} finite_work;

static void find_largest(void *user, size_t begin, size_t end, int worker) {
    finite_work *work = user;
    uint32_t largest = 0;
    for (size_t i = begin; i < end; i++) {
        uint32_t bits = largest_bits(work->x.values + i * work->x.stride, work->x.dim);
        largest = bits > largest ? bits : largest;
    }
    work->largest[worker] = largest;
}

static bool all_finite(kd2m_context *context, kd2m_rows x) {
    finite_work work = {.x = x};
    kd2m_parallel_for(context, x.rows, grain(x.dim), find_largest, &work);
    for (size_t w = 0; w < MOST_WORKERS; w++)
        if (work.largest[w] >= INFINITE_BITS)
            return false;
    return true;
}

size_t kd2m_rows_not_finite(kd2m_context *context, kd2m_rows x, size_t *first_row,
                            size_t *first_column) {
    size_t count = 0;
    *first_row = *first_column = 0;
    if (all_finite(context, x))
        return 0;
    for (size_t i = 0; i < x.rows; i++)
        for (size_t k = 0; k < x.dim; k++)
            if (!isfinite(x.values[i * x.stride + k]) && count++ == 0) {
                *first_row = i;
                *first_column = k;
            }
    return count;
}
