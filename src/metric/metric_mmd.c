/*
 * Maximum mean discrepancy, squared, as the V-statistic:
 *
 *     D = sum_ij a_i a_j k(x_i, x_j) + sum_ij b_i b_j k(y_i, y_j) - 2 sum_ij a_i b_j k(x_i, y_j)
 *
 * kernel=linear, k(x, y) = x.y: D = |mean_x - mean_y|^2, in O((n + m) d).
 *
 * kernel=rbf, k(x, y) = exp(-|x - y|^2 / (2 s^2)): with p_ij = a_j k(x_i, x_j), q_ij = b_j k(x_i,
 * y_j), and x~, y~ the rows moved by their own side's mean,
 *
 *     dD/dx_i = 2 a_i/s^2 [ sum_j q_ij (x_i - y_j) - sum_j p_ij (x_i - x_j) ]
 *             = 2 a_i/s^2 [ (Q_i - P_i) x~_i + Q_i (mean_x - mean_y)
 *                           + sum_j p_ij x~_j - sum_j q_ij y~_j ],  P_i = sum_j p_ij, Q_i likewise
 *
 * whose sums are products of matrices; moving by the means first keeps an offset of the data out of
 * them. The bandwidth s is sigma, or where that is 0 the mean of the n^2 + m^2 + n m distances
 * within X, within Y and between them, the zeros of the diagonals included; prepare holds it.
 * Weights don't enter the bandwidth.
 *
 * Gretton et al., 'A kernel two-sample test', JMLR 2012; bandwidth: Montesuma, 'KD2M',
 * arXiv:2504.01757.
 * Cost (rbf): O((n^2 + m^2 + n m) d) time, O((n + m) d) memory: rows are served in tiles.
 * Threads: the context's. X = Y gives exactly 0: equal blocks are computed alike.
 */
#include "metric_moments.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "context.h"
#include "gemm.h"
#include "memory.h"
#include "parallel.h"

/* Rows served at a time. Each tile goes over all of the other side once to centre it, which this
 * many rows of work make up for. */
#define TILE_ROWS 512

/* clang-format off */
#define MMD_SETTINGS(X)                                                                            \
    X(CHOICE, kernel, "rbf", 0, 0,    "rbf|linear", "kernel") \
    X(REAL,   sigma,  "0",   0, 1e30, "S", "bandwidth of rbf; 0 = the mean distance of the rows")
/* clang-format on */

typedef struct mmd_settings {
    MMD_SETTINGS(KD2M_SETTINGS_FIELD)
} mmd_settings;

#define ROW(...) KD2M_SETTINGS_ROW(mmd_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {MMD_SETTINGS(ROW)};

static bool is_linear(const kd2m_metric_unit *unit) {
    const mmd_settings *settings = unit->settings;
    return strcmp(settings->kernel, "linear") == 0;
}

static kd2m_status configure(kd2m_context *context, kd2m_metric_unit *unit) {
    const mmd_settings *settings = unit->settings;
    if (is_linear(unit)) {
        if (settings->sigma > 0)
            return kd2m_fail(context, KD2M_ERROR_USAGE,
                             "mmd: sigma belongs to kernel=rbf; kernel=linear has no bandwidth");
        unit->degree = 2;
        unit->constant_count = 0;
    } else if (settings->sigma > 0) {
        unit->traits &= ~(unsigned)KD2M_METRIC_SCALING; /* the bandwidth does not scale along */
    }
    return KD2M_OK;
}

static size_t tile_rows(size_t rows_of_side) {
    return rows_of_side < TILE_ROWS ? rows_of_side : TILE_ROWS;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    if (is_linear(unit))
        return kd2m_metric_moments_bytes(shape->dim_x);
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
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        bytes = kd2m_arena_sum(bytes, parts[i]);
    return bytes;
}

/* All rows of one side against all of another, served tile by tile. */
typedef struct kernel_block {
    const kd2m_metric_side *of, *against;
    double exponent;     /* -1/(2 s^2) */
    size_t first, count; /* the tile: rows first .. first + count - 1 of `of` */
    float *values;       /* count x against->rows: squared distances, then weighted kernel */
    double *row_sums;    /* per row of `of` */
    const float *moved;  /* rows of `against` less their mean, or NULL without a gradient */
    float sign;          /* of their sum in the gradient: 1 for X, then -1 for Y */
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

/* Squared distances become weight_j k(i, j); their sum is the row's. */
static void weigh_kernel(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const kernel_block *block = user;
    size_t columns = block->against->rows;
    for (size_t i = begin; i < end; i++) {
        float *values = block->values + i * columns;
        double sum = 0;
        for (size_t j = 0; j < columns; j++) {
            double kernel = exp(values[j] * block->exponent);
            kernel *= kd2m_metric_weight(block->against, j);
            values[j] = (float)kernel;
            sum += kernel;
        }
        block->row_sums[block->first + i] = sum;
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

static kd2m_status prepare(const kd2m_metric_call *call) {
    kd2m_status status = KD2M_OK;
    const mmd_settings *settings = call->unit->settings;
    const kd2m_metric_side *x = &call->x, *y = &call->y;
    const kd2m_metric_side *const pairs[][2] = {{x, x}, {y, y}, {x, y}};
    double n = (double)x->rows, m = (double)y->rows, sum = 0;
    kernel_block block = {0};
    call->constants[0] = settings->sigma;
    if (settings->sigma > 0)
        goto cleanup;
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
    call->constants[0] = sum / (n * n + m * m + n * m);
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
        double across = job->sums_xy[i], surplus = across - job->sums_xx[i];
        double factor = job->scale * kd2m_metric_weight(&job->call->x, i);
        for (size_t k = 0; k < dim; k++)
            out[k] =
                (float)(factor * (surplus * moved[k] + across * (mean_x[k] - mean_y[k]) + out[k]));
    }
}

static double weighted_sum(const kd2m_metric_side *side, const double *row_sums) {
    double sum = 0;
    for (size_t i = 0; i < side->rows; i++)
        sum += kd2m_metric_weight(side, i) * row_sums[i];
    return sum;
}

static kd2m_status evaluate_rbf(const kd2m_metric_call *call, kd2m_metric_result *result,
                                const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd2m_metric_side *x = &call->x, *y = &call->y;
    double *sums_xx = NULL, *sums_xy = NULL, *sums_yy = NULL;
    centred_rows centred = {0};
    float *tile = NULL;
    /* s = 0 where all rows coincide; then k is 1 for equal rows, else 0, with no gradient */
    double sharpness = fmin(1 / (call->constants[0] * call->constants[0]), DBL_MAX);
    KD2M_TRY(take_tile(call, &tile));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&sums_xx, x->rows, sizeof *sums_xx));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&sums_xy, x->rows, sizeof *sums_xy));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&sums_yy, y->rows, sizeof *sums_yy));
    if (gradient)
        KD2M_TRY(centre(call, &centred));
    kernel_block blocks[] = {
        {.of = x, .against = x, .row_sums = sums_xx, .moved = centred.x, .sign = 1},
        {.of = x, .against = y, .row_sums = sums_xy, .moved = centred.y, .sign = -1},
        {.of = y, .against = y, .row_sums = sums_yy},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        blocks[i].exponent = -sharpness / 2;
        blocks[i].values = tile;
        blocks[i].gradient = gradient;
        KD2M_TRY(run_block(call, &blocks[i], weigh_kernel));
    }
    result->value =
        weighted_sum(x, sums_xx) + weighted_sum(y, sums_yy) - 2 * weighted_sum(x, sums_xy);
    if (gradient) {
        finish_job job = {call, &centred, sums_xx, sums_xy, 2 * sharpness, gradient};
        kd2m_parallel_for(call->context, x->rows, 32, finish_rows, &job);
    }
cleanup:
    return status;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    return is_linear(call->unit) ? kd2m_metric_mean_difference(call, result, gradient)
                                 : evaluate_rbf(call, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_mmd = {
    .name = "mmd",
    .summary = "squared maximum mean discrepancy of a kernel",
    .formula = "mean k(x_i, x_j) + mean k(y_i, y_j) - 2 mean k(x_i, y_j); "
               "rbf: k(x, y) = exp(-|x - y|^2/(2 sigma^2)), linear: k(x, y) = x.y",
    .source = "Gretton et al. 2012; bandwidth: Montesuma 2025 (KD2M)",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_WEIGHTS |
              KD2M_METRIC_SCALING,
    .degree = 0,
    .least_rows = 1,
    .constant_names = {"sigma"},
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(mmd_settings),
    .configure = configure,
    .workspace = workspace,
    .prepare = prepare,
    .evaluate = evaluate,
};
