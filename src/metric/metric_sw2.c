/*
 * The sliced 2-Wasserstein distance, squared: the mean over K random directions of the one on a
 * line,
 *
 *     D = 1/K sum_k W2^2(X t_k, Y t_k)             t_k uniform on the unit sphere
 *     dD/dx_i = 1/K sum_k t_k 2 sum_j P^k_ij (x_i - y_j).t_k
 *
 * Directions come from (seed, draw): with redraw=1 every preparation draws anew, with redraw=0 they
 * stay. Both sides are moved first by the mean of some of Y's rows, which changes nothing but
 * rounding.
 *
 * Bonneel et al., 'Sliced and Radon Wasserstein barycenters of measures', JMIV 2015.
 * Cost: O(K (n + m) d) in products of float matrices, O(K (n + m)) for the rest; K (n + m + d)
 * floats and some rows for each thread. Threads: the context's; the result does not depend on how
 * many.
 */
#include "metric.h"

#include <math.h>

#include "context.h"
#include "gemm.h"
#include "line.h"
#include "parallel.h"
#include "rng.h"
#include "simd.h"

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

/* Parts that rows and directions are worked on in, at most: each has scratch of its own. */
#define MOST_PARTS ((size_t)32)

/* Rows that are moved and multiplied at a time, so that they stay in cache between the two. */
#define CHUNK ((size_t)128)

/* Rows whose mean is taken for the middle of the data. */
#define MIDDLE_ROWS ((size_t)64)

static size_t count_of(const kd2m_metric_unit *unit) {
    return (size_t)((const sw2_settings *)unit->settings)->proj;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* That are moved at the same time, of the rows of both sides. */
static size_t moved_rows(size_t both) {
    return smaller(both, MOST_PARTS * CHUNK);
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    size_t k = count_of(unit);
    const size_t parts[] = {
        kd2m_arena_matrix_bytes(k, shape->dim_x, sizeof(float)),
        kd2m_arena_matrix_bytes(k, shape->n, sizeof(float)),
        kd2m_arena_matrix_bytes(k, shape->m, sizeof(float)),
        kd2m_arena_bytes(shape->dim_x, sizeof(float)),
        kd2m_arena_matrix_bytes(moved_rows(shape->n + shape->m), shape->dim_x, sizeof(float)),
        kd2m_arena_matrix_bytes(MOST_PARTS, kd2m_line_scratch(shape->n, shape->m),
                                sizeof(uint64_t)),
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

KD2M_CLONES
static void scale_direction(float *direction, size_t dim) {
    double square = 0;
#pragma omp simd reduction(+ : square)
    for (size_t l = 0; l < dim; l++)
        square += (double)direction[l] * (double)direction[l];
    double scale = square > 0 ? 1 / sqrt(square) : 0; /* all zeros, by a rare chance, stay */
#pragma omp simd
    for (size_t l = 0; l < dim; l++)
        direction[l] = (float)(direction[l] * scale);
}

typedef struct scaling_job {
    float *directions;
    size_t dim;
} scaling_job;

static void scale_directions(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const scaling_job *job = user;
    for (size_t k = begin; k < end; k++)
        scale_direction(job->directions + k * job->dim, job->dim);
}

/* out (count x dim) = the directions of the call's draw. */
static void draw_directions(const kd2m_metric_call *call, size_t dim, float *out) {
    const sw2_settings *settings = call->unit->settings;
    size_t count = count_of(call->unit);
    drawing_job drawing = {.out = out, .count = count * dim};
    scaling_job scaling = {out, dim};
    kd2m_rng_init(&drawing.rng, call->seed, KD2M_STREAM_METRIC, settings->redraw ? call->draw : 0);
    kd2m_parallel_for(call->context, (drawing.count + BLOCK - 1) / BLOCK, 512, draw_blocks,
                      &drawing);
    kd2m_parallel_for(call->context, count, 8192 / (dim + 1) + 1, scale_directions, &scaling);
}

typedef struct projecting_job {
    const kd2m_metric_call *call;
    const float *directions;
    float *middle; /* which rows are moved by */
    float *moved;  /* a chunk of rows for each worker */
    float *x, *y;  /* (directions x rows) = the moved rows along each direction */
    kd2m_status status;
} projecting_job;

KD2M_CLONES
static void add_row(float *restrict sums, const float *restrict row, float weight, size_t dim) {
#pragma omp simd
    for (size_t l = 0; l < dim; l++)
        sums[l] += weight * row[l];
}

/* *middle = the mean of rows spread evenly over y. */
static void find_middle(kd2m_rows y, float *middle) {
    size_t count = smaller(y.rows, MIDDLE_ROWS);
    for (size_t r = 0; r < count; r++)
        add_row(middle, y.values + r * y.rows / count * y.stride, 1.0F / (float)count, y.dim);
}

KD2M_CLONES
static void move_chunk(float *restrict out, kd2m_rows chunk, const float *restrict middle) {
    for (size_t i = 0; i < chunk.rows; i++)
#pragma omp simd
        for (size_t l = 0; l < chunk.dim; l++)
            out[i * chunk.dim + l] = chunk.values[i * chunk.stride + l] - middle[l];
}

/* Rows are counted through both sides. */
static void project_rows(void *user, size_t begin, size_t end, int worker) {
    projecting_job *job = user;
    const kd2m_rows x = job->call->x.features, y = job->call->y.features;
    size_t count = count_of(job->call->unit);
    for (size_t row = begin, taken; row < end; row += taken) {
        kd2m_rows side = row < x.rows ? x : y;
        size_t first = row < x.rows ? row : row - x.rows;
        float *out = row < x.rows ? job->x : job->y;
        float *moved = job->moved + (size_t)worker * CHUNK * x.dim;
        taken = smaller(smaller(end - row, side.rows - first), CHUNK);
        move_chunk(moved,
                   (kd2m_rows){side.values + first * side.stride, taken, side.dim, side.stride},
                   job->middle);
        kd2m_status status =
            kd2m_gemm(job->call->context, false, true, count, taken, x.dim, 1.0F, job->directions,
                      x.dim, moved, x.dim, 0.0F, out + first, side.rows);
        if (status != KD2M_OK) {
#pragma omp atomic write
            job->status = status;
        }
    }
}

/* Sets *x and *y. */
static kd2m_status project(const kd2m_metric_call *call, const float *directions, float **x,
                           float **y) {
    kd2m_status status = KD2M_OK;
    const size_t n = call->x.rows, m = call->y.rows, dim = call->x.features.dim;
    const size_t count = count_of(call->unit);
    projecting_job job = {.call = call, .directions = directions, .status = KD2M_OK};
    size_t grain = (n + m + MOST_PARTS - 1) / MOST_PARTS, mark;
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&job.x, count * n, sizeof(float)));
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&job.y, count * m, sizeof(float)));
    mark = call->arena->used;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&job.middle, dim, sizeof(float)));
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&job.moved, moved_rows(n + m) * dim,
                                   sizeof(float)));
    find_middle(call->y.features, job.middle);
    kd2m_parallel_for(call->context, n + m, grain > CHUNK ? grain : CHUNK, project_rows, &job);
    KD2M_TRY(job.status);
    kd2m_arena_rewind(call->arena, mark);
    *x = job.x;
    *y = job.y;
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
    line_job job = {.call = call};
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&directions, count * x.dim,
                                   sizeof *directions));
    draw_directions(call, x.dim, directions);
    KD2M_TRY(project(call, directions, &job.x, &job.y));
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
