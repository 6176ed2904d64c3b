/*
 * The rbf kernel of mmd, k(x, y) = exp(-|x - y|^2 / (2 s^2)).
 *
 * With p_ij = a_j k(x_i, x_j) for j other than i and p_ii = 0, q_ij = b_j k(x_i, y_j),
 * P_i = sum_j p_ij, Q_i = sum_j q_ij, and x~, y~ the rows moved by their own side's mean,
 *
 *     dD/dx_i = 2 a_i/s^2 [ sum_j q_ij (x_i - y_j) - sum_j p_ij (x_i - x_j) ]
 *             = 2 a_i/s^2 [ (Q_i - P_i) x~_i + Q_i (mean_x - mean_y)
 *                           + sum_j p_ij x~_j - sum_j q_ij y~_j ]
 *
 * whose sums are products of float matrices. Moving by the means keeps an offset of the data out of
 * them, and without p_ii, a pull of each row at itself, what is left of it by rounding.
 *
 * Cost: O((n^2 + m^2 + n m) d) time, O((n + m) (d + tile)) memory: rows are served in tiles.
 * Threads: the context's. X = Y gives exactly 0: equal blocks are computed alike.
 */
#include "metric_mmd_rbf.h"

#include <float.h>
#include <math.h>

#include "context.h"
#include "exponential.h"
#include "gemm.h"
#include "memory.h"
#include "metric_moments.h"
#include "parallel.h"
#include "simd.h"

/* Rows served at a time. Each tile goes over all of the other side once to centre it, which this
 * many rows of work make up for. */
#define TILE_ROWS 512

static size_t tile_rows(size_t rows_of_side) {
    return rows_of_side < TILE_ROWS ? rows_of_side : TILE_ROWS;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t kd2m_metric_rbf_bytes(const kd2m_metric_shape *shape) {
    size_t most = larger(shape->n, shape->m), tile = tile_rows(most);
    size_t tile_count, x_count, y_count;
    if (!kd2m_size_multiply(tile, most, &tile_count) ||
        !kd2m_size_multiply(shape->n, shape->dim_x, &x_count) ||
        !kd2m_size_multiply(shape->m, shape->dim_x, &y_count))
        return SIZE_MAX;
    const size_t parts[] = {
        kd2m_arena_bytes(tile_count, sizeof(float)), kd2m_distances_bytes(tile, most, shape->dim_x),
        kd2m_arena_bytes(x_count, sizeof(float)),    kd2m_arena_bytes(y_count, sizeof(float)),
        kd2m_arena_bytes(shape->n, sizeof(double)),  kd2m_arena_bytes(shape->n, sizeof(double)),
        kd2m_arena_bytes(shape->m, sizeof(double)),  kd2m_metric_moments_bytes(shape->dim_x),
        kd2m_arena_bytes(shape->n, sizeof(double)),  kd2m_arena_bytes(shape->m, sizeof(double)),
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        bytes = kd2m_arena_sum(bytes, parts[i]);
    return bytes;
}

/* All rows of one side against all of another, served tile by tile. */
typedef struct kernel_block {
    const kd2m_metric_side *of, *against;
    const double *weights; /* of the rows of `against` */
    double exponent;       /* -1/(2 s^2) */
    size_t first, count;   /* the tile: rows first .. first + count - 1 of `of` */
    float *values;         /* count x against->rows: squared distances, then weighted kernel */
    double *row_sums;      /* per row of `of` */
    const float *moved;    /* rows of `against` less their mean, or NULL without a gradient */
    float sign;            /* of their sum in the gradient: 1 for X, then -1 for Y */
    const kd2m_gradient *gradient;
} kernel_block;

/* Sums of distances along a row. */
static void sum_distances(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const kernel_block *block = user;
    size_t columns = block->against->rows;
    for (size_t i = begin; i < end; i++) {
        const float *squared = block->values + i * columns;
        double sum = 0;
        for (size_t j = 0; j < columns; j++)
            sum += sqrtf(squared[j]);
        block->row_sums[block->first + i] = sum;
    }
}

/* Squared distances become weights[j] exp(exponent * squared distance); returns their sum. */
KD2M_CLONES
static double weigh_row(float *restrict values, const double *restrict weights, size_t columns,
                        double exponent) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < columns; j++) {
        double kernel = weights[j] * kd2m_exp(values[j] * exponent);
        values[j] = (float)kernel;
        sum += kernel;
    }
    return sum;
}

static void weigh_kernel(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const kernel_block *block = user;
    size_t columns = block->against->rows;
    for (size_t i = begin; i < end; i++) {
        float *values = block->values + i * columns;
        block->row_sums[block->first + i] =
            weigh_row(values, block->weights, columns, block->exponent);
        if (block->of == block->against) /* a row does not pull at itself */
            values[block->first + i] = 0;
    }
}

/* gradient rows of the tile = (or, for the second block, +=) sign * kernel values * moved rows. */
static kd2m_status add_products(const kd2m_metric_call *call, const kernel_block *block) {
    const kd2m_gradient *gradient = block->gradient;
    size_t columns = block->against->rows, dim = block->against->features.dim;
    return kd2m_gemm(call->context, false, false, block->count, dim, columns, block->sign,
                     block->values, columns, block->moved, dim, block->sign > 0 ? 0.0F : 1.0F,
                     gradient->features + block->first * gradient->stride, gradient->stride);
}

static kd2m_status run_block(const kd2m_metric_call *call, kernel_block *block,
                             kd2m_parallel_body body) {
    kd2m_status status = KD2M_OK;
    const kd2m_rows rows_of = block->of->features;
    for (block->first = 0; block->first < rows_of.rows; block->first += block->count) {
        block->count = tile_rows(rows_of.rows - block->first);
        kd2m_rows tile = {rows_of.values + block->first * rows_of.stride, block->count, rows_of.dim,
                          rows_of.stride};
        KD2M_TRY(kd2m_distances(call->arena, block->values, tile, block->against->features));
        kd2m_parallel_for(call->context, block->count, 4, body, block);
        if (block->moved)
            KD2M_TRY(add_products(call, block));
        KD2M_TRY(kd2m_check_interrupt(call->context));
    }
cleanup:
    return status;
}

static kd2m_status take_tile(const kd2m_metric_call *call, float **values) {
    size_t most = larger(call->x.rows, call->y.rows);
    return kd2m_arena_take(call->arena, (void **)values, tile_rows(most) * most, sizeof **values);
}

kd2m_status kd2m_metric_rbf_bandwidth(const kd2m_metric_call *call, double *out) {
    kd2m_status status = KD2M_OK;
    const kd2m_metric_side *x = &call->x, *y = &call->y;
    const kd2m_metric_side *const pairs[][2] = {{x, x}, {y, y}, {x, y}};
    double n = (double)x->rows, m = (double)y->rows, sum = 0;
    kernel_block block = {0};
    KD2M_TRY(take_tile(call, &block.values));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&block.row_sums, larger(x->rows, y->rows),
                             sizeof(double)));
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        block.of = pairs[i][0];
        block.against = pairs[i][1];
        KD2M_TRY(run_block(call, &block, sum_distances));
        for (size_t row = 0; row < block.of->rows; row++)
            sum += block.row_sums[row];
    }
    if (!isfinite(sum)) {
        status = kd2m_fail(call->context, KD2M_ERROR_NUMERIC,
                           "mmd: distances are beyond float's range; scale the features down");
        goto cleanup;
    }
    *out = sum / (n * n + m * m + n * m);
cleanup:
    return status;
}

/* What the gradient takes beside the kernel: each side's mean, and its rows less that mean. */
typedef struct centred_rows {
    double *mean_x, *mean_y;
    float *x, *y;
} centred_rows;

static kd2m_status centre(const kd2m_metric_call *call, centred_rows *out) {
    kd2m_status status = KD2M_OK;
    const kd2m_rows x = call->x.features, y = call->y.features;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out->mean_x, x.dim, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out->mean_y, y.dim, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out->x, x.rows * x.dim, sizeof *out->x));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out->y, y.rows * y.dim, sizeof *out->y));
    kd2m_rows_mean(call->context, out->mean_x, x, call->x.weights);
    kd2m_rows_mean(call->context, out->mean_y, y, call->y.weights);
    kd2m_rows_center(call->context, out->x, x, out->mean_x);
    kd2m_rows_center(call->context, out->y, y, out->mean_y);
cleanup:
    return status;
}

typedef struct finish_job {
    const kd2m_metric_call *call;
    const centred_rows *centred;
    const double *sums_xx, *sums_xy;
    double scale; /* 2/s^2 */
    const kd2m_gradient *gradient;
} finish_job;

/* Adds to the products that stand in the gradient what is left of the formula. */
static void finish_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const finish_job *job = user;
    const double *mean_x = job->centred->mean_x, *mean_y = job->centred->mean_y;
    size_t dim = job->call->x.features.dim;
    for (size_t i = begin; i < end; i++) {
        const float *moved = job->centred->x + i * dim;
        float *out = job->gradient->features + i * job->gradient->stride;
        double weight = kd2m_metric_weight(&job->call->x, i);
        double across = job->sums_xy[i], within = job->sums_xx[i] - weight;
        double surplus = across - within, factor = job->scale * weight;
        for (size_t k = 0; k < dim; k++)
            out[k] =
                (float)(factor * (surplus * moved[k] + across * (mean_x[k] - mean_y[k]) + out[k]));
    }
}

static double weighted_sum(const double *weights, const double *row_sums, size_t rows) {
    double sum = 0;
    for (size_t i = 0; i < rows; i++)
        sum += weights[i] * row_sums[i];
    return sum;
}

/* *out = the weights written out, uniform ones too. */
static kd2m_status list_weights(const kd2m_metric_call *call, const kd2m_metric_side *side,
                                double **out) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)out, side->rows, sizeof **out));
    for (size_t i = 0; i < side->rows; i++)
        (*out)[i] = kd2m_metric_weight(side, i);
cleanup:
    return status;
}

kd2m_status kd2m_metric_rbf(const kd2m_metric_call *call, double sigma, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd2m_metric_side *x = &call->x, *y = &call->y;
    double *sums_xx = NULL, *sums_xy = NULL, *sums_yy = NULL, *a = NULL, *b = NULL;
    centred_rows centred = {0};
    float *tile = NULL;
    /* s = 0 where all rows coincide; then k is 1 for equal rows, else 0, with no gradient */
    double sharpness = fmin(1 / (sigma * sigma), DBL_MAX);
    KD2M_TRY(take_tile(call, &tile));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&sums_xx, x->rows, sizeof *sums_xx));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&sums_xy, x->rows, sizeof *sums_xy));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&sums_yy, y->rows, sizeof *sums_yy));
    KD2M_TRY(list_weights(call, x, &a));
    KD2M_TRY(list_weights(call, y, &b));
    if (gradient)
        KD2M_TRY(centre(call, &centred));
    kernel_block blocks[] = {
        {.of = x, .against = x, .weights = a, .row_sums = sums_xx, .moved = centred.x, .sign = 1},
        {.of = x, .against = y, .weights = b, .row_sums = sums_xy, .moved = centred.y, .sign = -1},
        {.of = y, .against = y, .weights = b, .row_sums = sums_yy},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        blocks[i].exponent = -sharpness / 2;
        blocks[i].values = tile;
        blocks[i].gradient = gradient;
        KD2M_TRY(run_block(call, &blocks[i], weigh_kernel));
    }
    result->value = weighted_sum(a, sums_xx, x->rows) + weighted_sum(b, sums_yy, y->rows) -
                    2 * weighted_sum(a, sums_xy, x->rows);
    if (gradient) {
        finish_job job = {call, &centred, sums_xx, sums_xy, 2 * sharpness, gradient};
        kd2m_parallel_for(call->context, x->rows, 32, finish_rows, &job);
    }
cleanup:
    return status;
}
