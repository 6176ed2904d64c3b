/*
 * Moments and row-wise kernels: see rows.h.
 *
 * Sums run over rows in order, columns side by side in vector registers, so a result depends
 * neither on the thread count nor on the vector width. Cost: O(rows x dim) time, no memory.
 * Threads: columns (moments) or rows (the rest) are shared out over the context's threads.
 */
#include "rows.h"

#include <float.h>
#include <math.h>

#include "parallel.h"
#include "simd.h"

/* Elements worth a thread of their own. */
#define GRAIN_ELEMENTS ((size_t)32768)

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

KD2M_CLONES static size_t count_not_finite(const float *row, size_t dim) {
    size_t count = 0;
#pragma omp simd reduction(+ : count)
    for (size_t k = 0; k < dim; k++)
        count += !(fabsf(row[k]) <= FLT_MAX);
    return count;
}

size_t kd2m_rows_not_finite(kd2m_context *context, kd2m_rows x, size_t *first_row,
                            size_t *first_column) {
    (void)context;
    size_t count = 0;
    *first_row = *first_column = 0;
    for (size_t i = 0; i < x.rows; i++) {
        const float *row = x.values + i * x.stride;
        size_t found = count_not_finite(row, x.dim);
        if (found > 0 && count == 0) {
            *first_row = i;
            while (isfinite(row[*first_column]))
                (*first_column)++;
        }
        count += found;
    }
    return count;
}
