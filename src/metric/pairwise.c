/*
 * All pairs of rows, tile by tile: see pairwise.h.
 *
 * Squared distances. Each side is moved by its own mean, so that neither the data's offset nor what
 * lies between the sides costs digits; with D = mean_x - mean_y and x~, y~ the moved rows,
 *
 *     |x - y|^2 = |x~ + D|^2 + (|y~|^2 - 2 D.y~) - 2 x~.y~
 *
 * is one product of float matrices and two numbers. Pairs much nearer than the terms are large
 * (equal rows, tight clusters) are taken from differences in double, value and gradient alike.
 *
 * Gradient. With W_ij the weighted pulls, P_i = sum_j W_ij within X, Q_i = sum_j W_ij across,
 *
 *     dD/dx_i = (Q_i - P_i) x~_i + Q_i D + sum_j W_ij x~_j - sum_j W_ij y~_j
 *
 * whose sums are matrix products again. Within a side, tiles above the diagonal serve both their
 * rows and, transposed, their columns.
 *
 * Cost: (n^2/2 + m^2/2 + n m) d time of gemm, times 2 with a gradient; O((n + m) d + tile^2)
 * memory. Threads: the context's; sums run in an order that does not depend on how many.
 */
#include "pairwise.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "context.h"
#include "gemm.h"
#include "parallel.h"
#include "simd.h"

/* Below this share of the terms' size the product's rounding (some 1e-7 of it) would show. */
#define NEAR_SHARE (1.0F / 64.0F)

/* Tiles of no more pairs are taken from differences altogether: where a value is a difference of a
 * few kernels, no sum evens their rounding out. */
#define EXACT_PAIRS ((size_t)1024)

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static double scale_of(const kd2m_pair_side *side, size_t i) {
    return side->scales ? side->scales[i] : 1;
}

/* All rows of one side against all of another: a tile of them at a time. */
typedef struct pair_block {
    kd2m_pairs *pairs;
    const kd2m_pair_kernel *kernel;
    const kd2m_pair_side *of, *against;
    double value;                  /* sum of weighted kernel values */
    double weight;                 /* that a pull has in the gradient */
    double *pull_sums;             /* per row of `of` */
    double gap;                    /* squared, between the means */
    const kd2m_gradient *gradient; /* or NULL */
    size_t row, rows, column, columns;
} pair_block;

static bool is_within(const pair_block *block) {
    return block->of == block->against;
}

/* Above the diagonal of a side with itself: the tile also stands for its mirror image. */
static bool is_mirrored(const pair_block *block) {
    return is_within(block) && block->row != block->column;
}

KD2M_CLONES
static double product_with(const float *restrict row, const double *restrict vector, size_t dim) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < dim; k++)
        sum += (double)row[k] * vector[k];
    return sum;
}

static bool is_exact(const pair_block *block) {
    return block->rows * block->columns <= EXACT_PAIRS;
}

/* What a row's product with the gap takes part in: none where there is no gap. */
static double along_gap(const pair_block *block, const kd2m_pair_side *side, size_t i) {
    size_t dim = side->rows.dim;
    return is_within(block) ? 0 : product_with(side->moved + i * dim, block->pairs->gap, dim);
}

static void set_of_terms(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const pair_block *block = user;
    const kd2m_pairs *pairs = block->pairs;
    for (size_t i = begin; i < end; i++) {
        double square = (double)block->of->square[i];
        pairs->of_term[i] = (float)(square + 2 * along_gap(block, block->of, i) + block->gap);
        pairs->of_scale[i] = (float)(square + block->gap);
        pairs->row_values[i] = 0;
    }
}

static void set_against_terms(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const pair_block *block = user;
    const kd2m_pairs *pairs = block->pairs;
    for (size_t j = begin; j < end; j++) {
        float square = block->against->square[j];
        pairs->against_term[j] = (float)((double)square - 2 * along_gap(block, block->against, j));
        pairs->against_scale[j] = square;
    }
}

/* The two numbers of each row that make squared distances of products, and the size of terms. */
static void set_terms(pair_block *block) {
    kd2m_context *context = block->pairs->call->context;
    double *gap = block->pairs->gap;
    block->gap = 0;
    for (size_t k = 0; k < block->of->rows.dim; k++) {
        gap[k] = block->of->mean[k] - block->against->mean[k];
        block->gap += gap[k] * gap[k];
    }
    kd2m_parallel_for(context, block->of->rows.rows, 64, set_of_terms, block);
    kd2m_parallel_for(context, block->against->rows.rows, 64, set_against_terms, block);
}

/* Turns a row's products -2 x~.y~ into squared distances; returns how many came out near. */
KD2M_CLONES
static size_t finish_pair_row(float *restrict values, float term, float scale,
                              const float *restrict terms, const float *restrict scales,
                              size_t count) {
    size_t near = 0;
#pragma omp simd reduction(+ : near)
    for (size_t j = 0; j < count; j++) {
        float value = (term + terms[j]) + values[j];
        near += value < NEAR_SHARE * (scale + scales[j]);
        values[j] = value < 0.0F ? 0.0F : value; /* in this form NaN stays NaN */
    }
    return near;
}

static const float *row_of(const kd2m_pair_side *side, size_t i) {
    return side->rows.values + i * side->rows.stride;
}

/* |x_i - y_j|^2 from differences. */
static double near_square(const pair_block *block, size_t i, size_t j) {
    const float *x = row_of(block->of, i), *y = row_of(block->against, j);
    double scale_x = scale_of(block->of, i), scale_y = scale_of(block->against, j), sum = 0;
    if (!block->of->scales)
        return kd2m_squared_distance(x, y, block->of->rows.dim);
    for (size_t k = 0; k < block->of->rows.dim; k++) {
        double difference = scale_x * (double)x[k] - scale_y * (double)y[k];
        sum += difference * difference;
    }
    return sum;
}

/* out += factor (x_i - y_j), the rows of two sides from differences. */
static void add_difference(float *out, double factor, const kd2m_pair_side *of, size_t i,
                           const kd2m_pair_side *against, size_t j) {
    const float *x = row_of(of, i), *y = row_of(against, j);
    double scale_x = factor * scale_of(of, i), scale_y = factor * scale_of(against, j);
    for (size_t k = 0; k < of->rows.dim; k++)
        out[k] += (float)(scale_x * (double)x[k] - scale_y * (double)y[k]);
}

/* The factor that (x_i - y_j) has in the gradient by x_i: pulls within X work against the kernel's
 * fall, those towards Y with it. */
static double pull_factor(const pair_block *block, float pull) {
    return (is_within(block) ? -block->weight : block->weight) * pull;
}

static float *gradient_row(const pair_block *block, size_t i) {
    return block->gradient->features + i * block->gradient->stride;
}

/* Turns row r of the tile from products into squared distances and flags the near ones; returns how
 * many these are. */
static size_t measure_row(const pair_block *block, size_t r) {
    const kd2m_pairs *pairs = block->pairs;
    size_t i = block->row + r, near = block->columns;
    float *values = pairs->tile.values + r * block->columns;
    const float *scales = pairs->against_scale + block->column;
    unsigned char *flags = pairs->tile.near + r * block->columns;
    if (!is_exact(block))
        near = finish_pair_row(values, pairs->of_term[i], pairs->of_scale[i],
                               pairs->against_term + block->column, scales, block->columns);
    for (size_t c = 0; c < block->columns && near > 0; c++) {
        flags[c] = is_exact(block) || values[c] < NEAR_SHARE * (pairs->of_scale[i] + scales[c]);
        if (flags[c])
            values[c] = (float)near_square(block, i, block->column + c);
    }
    return near;
}

static void work_on_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const pair_block *block = user;
    const kd2m_pairs *pairs = block->pairs;
    const kd2m_pair_kernel *kernel = block->kernel;
    for (size_t r = begin; r < end; r++) {
        size_t i = block->row + r;
        size_t near = pairs->measured ? pairs->tile.near_counts[r] : measure_row(block, r);
        float *values = pairs->tile.values + r * block->columns;
        const unsigned char *flags = pairs->tile.near + r * block->columns;
        pairs->tile.near_counts[r] = near;
        double share = block->of->shares[i];
        double sum = kernel->row(kernel, values, share, block->against->shares + block->column,
                                 block->columns);
        pairs->row_values[i] += (is_mirrored(block) ? 2 : 1) * share * sum;
        for (size_t c = 0; block->gradient && c < block->columns && near > 0; c++)
            if (flags[c] && values[c] != 0)
                add_difference(gradient_row(block, i), pull_factor(block, values[c]), block->of, i,
                               block->against, block->column + c);
    }
}

/* Near pairs of a mirrored tile, for the rows that are its columns. */
static void work_on_columns(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const pair_block *block = user;
    const kd2m_pairs *pairs = block->pairs;
    for (size_t r = 0; r < block->rows; r++)
        for (size_t c = begin; c < end && pairs->tile.near_counts[r] > 0; c++)
            if (pairs->tile.near[r * block->columns + c])
                add_difference(gradient_row(block, block->column + c),
                               pull_factor(block, pairs->tile.values[r * block->columns + c]),
                               block->against, block->column + c, block->of, block->row + r);
}

KD2M_CLONES
static double sum_of_pulls(const float *restrict values, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < count; k++)
        sum += (double)values[k];
    return sum;
}

KD2M_CLONES
static void add_pulls(double *restrict sums, const float *restrict values, double weight,
                      size_t count) {
#pragma omp simd
    for (size_t k = 0; k < count; k++)
        sums[k] += weight * (double)values[k];
}

/* Near pairs have been served: out of the tile with them. Then the sums of its rows. */
static void sum_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const pair_block *block = user;
    for (size_t r = begin; r < end; r++) {
        float *values = block->pairs->tile.values + r * block->columns;
        const unsigned char *flags = block->pairs->tile.near + r * block->columns;
        for (size_t c = 0; c < block->columns && block->pairs->tile.near_counts[r] > 0; c++)
            values[c] = flags[c] ? 0 : values[c];
        block->pull_sums[block->row + r] += block->weight * sum_of_pulls(values, block->columns);
    }
}

static void sum_columns(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const pair_block *block = user;
    double *sums = block->pull_sums + block->column;
    for (size_t r = 0; r < block->rows; r++)
        add_pulls(sums + begin, block->pairs->tile.values + r * block->columns + begin,
                  block->weight, end - begin);
}

/* Adds the tile's share of the gradient. */
static kd2m_status add_gradient(const pair_block *block) {
    kd2m_status status = KD2M_OK;
    kd2m_context *context = block->pairs->call->context;
    const kd2m_gradient *to = block->gradient;
    const float *tile = block->pairs->tile.values;
    size_t dim = block->of->rows.dim, rows = block->rows, columns = block->columns, near = 0;
    float weight = (float)(is_within(block) ? block->weight : -block->weight);
    for (size_t r = 0; r < rows; r++)
        near += block->pairs->tile.near_counts[r];
    if (is_mirrored(block) && near > 0)
        kd2m_parallel_for(context, columns, 32, work_on_columns, (void *)(uintptr_t)block);
    if (is_exact(block))
        goto cleanup;
    kd2m_parallel_for(context, rows, 16, sum_rows, (void *)(uintptr_t)block);
    KD2M_TRY(kd2m_gemm(context, false, false, rows, dim, columns, weight, tile, columns,
                       block->against->moved + block->column * dim, dim, 1,
                       gradient_row(block, block->row), to->stride));
    if (!is_mirrored(block))
        goto cleanup;
    kd2m_parallel_for(context, columns, 64, sum_columns, (void *)(uintptr_t)block);
    KD2M_TRY(kd2m_gemm(context, true, false, columns, dim, rows, weight, tile, columns,
                       block->of->moved + block->row * dim, dim, 1,
                       gradient_row(block, block->column), to->stride));
cleanup:
    return status;
}

static kd2m_status run_tile(pair_block *block) {
    kd2m_status status = KD2M_OK;
    kd2m_pairs *pairs = block->pairs;
    size_t dim = block->of->rows.dim;
    if (!is_exact(block) && !pairs->measured)
        KD2M_TRY(kd2m_gemm(pairs->call->context, false, true, block->rows, block->columns, dim, -2,
                           block->of->moved + block->row * dim, dim,
                           block->against->moved + block->column * dim, dim, 0, pairs->tile.values,
                           block->columns));
    kd2m_parallel_for(pairs->call->context, block->rows, 4, work_on_rows, block);
    if (block->gradient)
        KD2M_TRY(add_gradient(block));
    if (pairs->keeps) {
        pairs->tile.values += block->rows * block->columns;
        pairs->tile.near += block->rows * block->columns;
        pairs->tile.near_counts += block->rows;
    }
    KD2M_TRY(kd2m_check_interrupt(pairs->call->context));
cleanup:
    return status;
}

static kd2m_status run_block(pair_block *block) {
    kd2m_status status = KD2M_OK;
    size_t rows = block->of->rows.rows, columns = block->against->rows.rows;
    size_t side = block->pairs->side;
    set_terms(block);
    for (block->row = 0; block->row < rows; block->row += side)
        for (block->column = is_within(block) ? block->row : 0; block->column < columns;
             block->column += side) {
            block->rows = smaller(rows - block->row, side);
            block->columns = smaller(columns - block->column, side);
            KD2M_TRY(run_tile(block));
        }
    for (size_t i = 0; i < rows; i++)
        block->value += block->pairs->row_values[i];
cleanup:
    return status;
}

typedef struct gradient_job {
    const kd2m_pairs *pairs;
    const kd2m_gradient *gradient;
} gradient_job;

/* What the products leave out. */
static void finish_gradient(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const gradient_job *job = user;
    const kd2m_pair_side *x = &job->pairs->x, *y = &job->pairs->y;
    size_t dim = x->rows.dim;
    for (size_t i = begin; i < end; i++) {
        float *out = job->gradient->features + i * job->gradient->stride;
        double across = job->pairs->sums_across[i], surplus = across - job->pairs->sums_within[i];
        for (size_t k = 0; k < dim; k++)
            out[k] += (float)(surplus * (double)x->moved[i * dim + k] +
                              across * (x->mean[k] - y->mean[k]));
    }
}

static void clear_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const gradient_job *job = user;
    for (size_t i = begin; i < end; i++) {
        job->pairs->sums_within[i] = job->pairs->sums_across[i] = 0;
        memset(job->gradient->features + i * job->gradient->stride, 0,
               job->pairs->x.rows.dim * sizeof(float));
    }
}

kd2m_status kd2m_pairs_compare(kd2m_pairs *pairs, const kd2m_pair_kernel *kernel,
                               kd2m_pair_factors factors, double *value,
                               const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_pair_side *x = &pairs->x, *y = &pairs->y;
    double n = (double)x->rows.rows, m = (double)y->rows.rows;
    double weight = 2 * kernel->scale / n;
    pair_block blocks[] = {
        {.of = x, .against = x, .gradient = gradient, .pull_sums = pairs->sums_within},
        {.of = x, .against = y, .gradient = gradient, .pull_sums = pairs->sums_across},
        {.of = y, .against = y},
    };
    blocks[0].weight = fmin(factors.within_x * weight / n, FLT_MAX);
    blocks[1].weight = fmin(weight / m, FLT_MAX);
    gradient_job job = {pairs, gradient};
    if (gradient)
        kd2m_parallel_for(pairs->call->context, x->rows.rows, 32, clear_rows, &job);
    pairs->tile = pairs->room;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        blocks[i].pairs = pairs;
        blocks[i].kernel = kernel;
        KD2M_TRY(run_block(&blocks[i]));
    }
    *value = factors.within_x * blocks[0].value / (n * n) +
             factors.within_y * blocks[2].value / (m * m) - 2 * blocks[1].value / (n * m);
    if (gradient)
        kd2m_parallel_for(pairs->call->context, x->rows.rows, 32, finish_gradient, &job);
cleanup:
    return status;
}

kd2m_status kd2m_pairs_total(kd2m_pairs *pairs, const kd2m_pair_kernel *kernel, double *out) {
    kd2m_status status = KD2M_OK;
    const kd2m_pair_side *x = &pairs->x, *y = &pairs->y;
    const kd2m_pair_side *const sides[][2] = {{x, x}, {x, y}, {y, y}}; /* as in a comparison */
    *out = 0;
    pairs->tile = pairs->room;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        pair_block block = {
            .pairs = pairs, .kernel = kernel, .of = sides[i][0], .against = sides[i][1]};
        KD2M_TRY(run_block(&block));
        *out += block.value;
    }
    pairs->measured = pairs->keeps;
cleanup:
    return status;
}
