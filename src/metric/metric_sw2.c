/*
 * The sliced 2-Wasserstein distance, squared: the mean over K random directions of the one on a
 * line,
 *
 *     D = 1/K sum_k W2^2(X t_k, Y t_k)             t_k uniform on the unit sphere
 *     dD/dx_i = 1/K sum_k t_k 2 sum_j P^k_ij (x_i - y_j).t_k
 *
 * Directions come from (seed, draw): with redraw=1 every preparation draws anew, with redraw=0 they
 * stay. Both sides are moved by the mean of Y first, which changes nothing but rounding.
 *
 * Bonneel et al., 'Sliced and Radon Wasserstein barycenters of measures', JMIV 2015.
 * Cost: O(K (n + m) d) in products of float matrices, O(K (n + m)) for the rest; K (n + m + d)
 * floats and a copy of the rows. Threads: the context's; the result does not depend on how many.
 */
#include "metric.h"

#include <math.h>

#include "context.h"
#include "gemm.h"
#include "line.h"
#include "parallel.h"
#include "rng.h"

/* clang-format off */
#define SW2_SETTINGS(X)                                                                            \
    X(INTEGER, proj,   "50", 1, 1000000, "K",   "random directions")                               \
    X(FLAG,    redraw, "1",  0, 1,       "0|1", "1: other directions for every batch")
/* clang-format on */

typedef struct sw2_settings {
    SW2_SETTINGS(KD2M_SETTINGS_FIELD)
} sw2_settings;

#define ROW(...) KD2M_SETTINGS_ROW(sw2_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {SW2_SETTINGS(ROW)};

/* Parts that directions are worked on in, at most: each has scratch of its own. */
#define MOST_PARTS ((size_t)32)

static size_t count_of(const kd2m_metric_unit *unit) {
    return (size_t)((const sw2_settings *)unit->settings)->proj;
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    size_t k = count_of(unit), most = shape->n > shape->m ? shape->n : shape->m;
    const size_t parts[] = {
        kd2m_arena_matrix_bytes(k, shape->dim_x, sizeof(float)),
        kd2m_arena_matrix_bytes(k, shape->n, sizeof(float)),
        kd2m_arena_matrix_bytes(k, shape->m, sizeof(float)),
        kd2m_arena_matrix_bytes(most, shape->dim_x, sizeof(float)),
        kd2m_arena_matrix_bytes(MOST_PARTS, kd2m_line_scratch(shape->n, shape->m),
                                sizeof(uint64_t)),
        kd2m_arena_bytes(shape->dim_x, sizeof(double)),
        kd2m_arena_bytes(k, sizeof(double)),
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        bytes = kd2m_arena_sum(bytes, parts[i]);
    return bytes;
}

typedef struct drawing_job {
    kd2m_rng rng;
    float *out;
    size_t count;
} drawing_job;

/* A block of the generator is four numbers, and each block a function of its own number. */
#define BLOCK ((size_t)4)

static void draw_blocks(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const drawing_job *job = user;
    kd2m_rng rng = job->rng;
    size_t first = begin * BLOCK, behind = end * BLOCK < job->count ? end * BLOCK : job->count;
    rng.index += begin;
    kd2m_rng_fill_normal(&rng, job->out + first, behind - first);
}

/* out (count x dim) = the directions of the call's draw. */
static kd2m_status draw_directions(const kd2m_metric_call *call, size_t dim, float **out) {
    kd2m_status status = KD2M_OK;
    const sw2_settings *settings = call->unit->settings;
    size_t count = count_of(call->unit);
    drawing_job job = {.count = count * dim};
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)out, count * dim, sizeof **out));
    job.out = *out;
    kd2m_rng_init(&job.rng, call->seed, KD2M_STREAM_METRIC, settings->redraw ? call->draw : 0);
    kd2m_parallel_for(call->context, (job.count + BLOCK - 1) / BLOCK, 512, draw_blocks, &job);
    for (size_t k = 0; k < count; k++) {
        float *direction = *out + k * dim;
        double square = 0;
        for (size_t l = 0; l < dim; l++)
            square += (double)direction[l] * direction[l];
        for (size_t l = 0; l < dim; l++) /* all zeros, by a rare chance in one dimension, stay */
            direction[l] = square > 0 ? (float)(direction[l] / sqrt(square)) : 0;
    }
cleanup:
    return status;
}

/* *out (directions x rows) = the rows less `mean` along each direction. */
static kd2m_status project(const kd2m_metric_call *call, kd2m_rows x, const double *mean,
                           const float *directions, float **out) {
    kd2m_status status = KD2M_OK;
    size_t count = count_of(call->unit), mark = 0;
    float *moved = NULL;
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)out, count * x.rows, sizeof **out));
    mark = call->arena->used;
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&moved, x.rows * x.dim, sizeof *moved));
    kd2m_rows_center(call->context, moved, x, mean);
    KD2M_TRY(kd2m_gemm(call->context, false, true, count, x.rows, x.dim, 1.0F, directions, x.dim,
                       moved, x.dim, 0.0F, *out, x.rows));
    kd2m_arena_rewind(call->arena, mark);
cleanup:
    return status;
}

typedef struct line_job {
    const kd2m_metric_call *call;
    float *x, *y; /* along each direction; x becomes the pulls */
    uint64_t *scratch;
    double *values;
} line_job;

static void solve_lines(void *user, size_t begin, size_t end, int worker) {
    const line_job *job = user;
    const kd2m_metric_side *x = &job->call->x, *y = &job->call->y;
    uint64_t *scratch = job->scratch + (size_t)worker * kd2m_line_scratch(x->rows, y->rows);
    for (size_t k = begin; k < end; k++) {
        float *along = job->x + k * x->rows;
        const kd2m_line from = {along, x->weights, x->rows};
        const kd2m_line to = {job->y + k * y->rows, y->weights, y->rows};
        job->values[k] = kd2m_line_transport(from, to, scratch, along);
    }
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd2m_rows x = call->x.features, y = call->y.features;
    size_t count = count_of(call->unit), scratch = kd2m_line_scratch(x.rows, y.rows);
    float *directions = NULL;
    double *mean = NULL;
    line_job job = {.call = call};
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&mean, x.dim, sizeof *mean));
    KD2M_TRY(draw_directions(call, x.dim, &directions));
    kd2m_rows_mean(call->context, mean, y, call->y.weights);
    KD2M_TRY(project(call, x, mean, directions, &job.x));
    KD2M_TRY(project(call, y, mean, directions, &job.y));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&job.values, count, sizeof(double)));
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&job.scratch, MOST_PARTS * scratch,
                                   sizeof(uint64_t)));
    kd2m_parallel_for(call->context, count, (count + MOST_PARTS - 1) / MOST_PARTS, solve_lines,
                      &job);
    for (size_t k = 0; k < count; k++)
        result->value += job.values[k] / (double)count;
    if (gradient)
        KD2M_TRY(kd2m_gemm(call->context, true, false, x.rows, x.dim, count, 1.0F / (float)count,
                           job.x, x.rows, directions, x.dim, 0.0F, gradient->features,
                           gradient->stride));
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_sw2 = {
    .name = "sw2",
    .summary = "squared sliced 2-Wasserstein distance, over random directions",
    .formula = "mean over random unit t of W2^2(X t, Y t)",
    .source = "Bonneel et al. 2015",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_PERMUTATION | KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING,
    .degree = 2,
    .least_rows = 1,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(sw2_settings),
    .workspace = workspace,
    .evaluate = evaluate,
};
