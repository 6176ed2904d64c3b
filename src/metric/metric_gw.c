/*
 * The Gromov-Wasserstein distance, squared: transport that knows of each side its distances alone,
 * so that widths may differ.
 *
 *     D = min over plans P of sum_ijkl (dX_ik - dY_jl)^2 P_ij P_kl       d Euclidean distances
 *     dD/dx_i = 4 sum_k (a_i a_k - S_ik / dX_ik) (x_i - x_k)             S = P dY P^T
 *
 * k with dX_ik = 0 apart. The plan is a local optimum, the best of some starts, held in the
 * gradient: see ot/gromov.h. With one start it is that of POT; two find a better one on most data,
 * more random ones some more often. Those follow from the seed alone, not from the draw, so that
 * equal samples give equal values.
 *
 * Memoli 2011; Peyre, Cuturi, Solomon, ICML 2016.
 * Cost: O((n^2 + m^2) d) in double for the distances, then ot/gromov.c's; O(n^2 + m^2 + n m)
 * doubles. Threads: the context's.
 */
#include <math.h>

#include "context.h"
#include "gemm.h"
#include "gromov.h"
#include "metric_transport.h"
#include "parallel.h"

/* clang-format off */
#define GW_SETTINGS(X)                                                                             \
    X(INTEGER, starts, "2", 1, 100000, "N", "starts; the best end is kept")
/* clang-format on */

/* Below this share of |x_i|^2 + |x_k|^2 a squared distance is taken from differences: above, the
 * rounding of products is at most 1e-10 of it. */
#define NEAR_SHARE 1e-6

typedef struct gw_settings {
    GW_SETTINGS(KD2M_SETTINGS_FIELD)
} gw_settings;

#define ROW(...) KD2M_SETTINGS_ROW(gw_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {GW_SETTINGS(ROW)};

static size_t distances_bytes(size_t count, size_t dim) {
    return kd2m_arena_sum(kd2m_arena_matrix_bytes(count, dim, sizeof(double)),
                          kd2m_arena_sum(kd2m_arena_bytes(dim, sizeof(double)),
                                         kd2m_arena_bytes(count, sizeof(double))));
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    size_t n = shape->n, m = shape->m, x_scratch = distances_bytes(n, shape->dim_x);
    size_t y_scratch = distances_bytes(m, shape->dim_y);
    const size_t parts[] = {
        kd2m_arena_matrix_bytes(n, n, sizeof(double)),
        kd2m_arena_matrix_bytes(m, m, sizeof(double)),
        x_scratch > y_scratch ? x_scratch : y_scratch,
        kd2m_gromov_bytes(n, m),
        kd2m_arena_matrix_bytes(n, n, sizeof(double)), /* S */
        kd2m_arena_matrix_bytes(n, n, sizeof(float)),
        kd2m_arena_matrix_bytes(n, shape->dim_x, sizeof(float)),
        kd2m_arena_bytes(n, sizeof(double)),
        kd2m_arena_bytes(shape->dim_x, sizeof(double)),
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        bytes = kd2m_arena_sum(bytes, parts[i]);
    return bytes;
}

typedef struct distance_job {
    kd2m_rows x;
    const double *mean;
    double *moved;   /* rows x dim: x less its mean */
    double *squares; /* of the lengths of those */
    double *out;     /* their products, then distances */
} distance_job;

static void move_to_mean(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const distance_job *job = user;
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < job->x.dim; k++)
            job->moved[i * job->x.dim + k] =
                (double)job->x.values[i * job->x.stride + k] - job->mean[k];
}

/* |x_i - x_k| from products, or from differences where rows are so near that products lose it. */
static void measure_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const distance_job *job = user;
    const kd2m_rows x = job->x;
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < x.rows; k++) {
            double *out = &job->out[i * x.rows + k], both = job->squares[i] + job->squares[k];
            double square = both - 2 * *out;
            if (!(square > NEAR_SHARE * both))
                square =
                    kd2m_squared_distance(x.values + i * x.stride, x.values + k * x.stride, x.dim);
            *out = sqrt(square);
        }
}

static kd2m_status take_distances(const kd2m_metric_call *call, kd2m_rows x, double **out) {
    kd2m_status status = KD2M_OK;
    kd2m_context *context = call->context;
    distance_job job = {.x = x};
    double *mean;
    size_t mark;
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)out, x.rows * x.rows, sizeof **out));
    mark = call->arena->used;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&mean, x.dim, sizeof *mean));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&job.squares, x.rows, sizeof(double)));
    KD2M_TRY(
        kd2m_arena_take_unset(call->arena, (void **)&job.moved, x.rows * x.dim, sizeof(double)));
    kd2m_rows_mean(context, mean, x, NULL);
    job.mean = mean;
    job.out = *out;
    kd2m_parallel_for(context, x.rows, 32, move_to_mean, &job);
    KD2M_TRY(kd2m_gemm_double(context, false, true, x.rows, x.rows, x.dim, 1, job.moved, x.dim,
                              job.moved, x.dim, 0, *out, x.rows));
    for (size_t i = 0; i < x.rows; i++)
        job.squares[i] = (*out)[i * x.rows + i];
    kd2m_parallel_for(context, x.rows, 16, measure_rows, &job);
    kd2m_arena_rewind(call->arena, mark);
cleanup:
    return status;
}

/* *out (n x n) = P dY P^T */
static kd2m_status take_pulled(const kd2m_metric_call *call, const kd2m_plan *plan,
                               const double *y_distances, double **out) {
    kd2m_status status = KD2M_OK;
    size_t n = call->x.rows, m = call->y.rows;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)out, n * n, sizeof **out));
    for (size_t e = 0; e < plan->entries; e++) {
        const double *from = y_distances + plan->column[e] * m;
        double *to = *out + plan->row[e] * n, mass = plan->mass[e];
        for (size_t f = 0; f < plan->entries; f++)
            to[plan->row[f]] += mass * plan->mass[f] * from[plan->column[f]];
    }
cleanup:
    return status;
}

/* With w_ik the factor of (x_i - x_k): gradient = (sum_k w_ik) x_i - sum_k w_ik x_k, x moved by the
 * mean. */
static kd2m_status write_gradient(const kd2m_metric_call *call, const kd2m_plan *plan,
                                  const double *x_distances, const double *y_distances,
                                  const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd2m_rows x = call->x.features;
    size_t n = x.rows;
    double *pulled = NULL, *sums = NULL, *mean = NULL;
    float *factors = NULL, *moved = NULL;
    KD2M_TRY(take_pulled(call, plan, y_distances, &pulled));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&factors, n * n, sizeof *factors));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&moved, n * x.dim, sizeof *moved));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&sums, n, sizeof *sums));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&mean, x.dim, sizeof *mean));
    kd2m_rows_mean(call->context, mean, x, call->x.weights);
    kd2m_rows_center(call->context, moved, x, mean);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            double distance = x_distances[i * n + k];
            double both = kd2m_metric_weight(&call->x, i) * kd2m_metric_weight(&call->x, k);
            double factor = distance > 0 ? 4 * (both - pulled[i * n + k] / distance) : 0;
            factors[i * n + k] = (float)factor;
            sums[i] += (double)factors[i * n + k]; /* as rounded: what they share cancels */
        }
    KD2M_TRY(kd2m_gemm(call->context, false, false, n, x.dim, n, -1.0F, factors, n, moved, x.dim,
                       0.0F, gradient->features, gradient->stride));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < x.dim; k++)
            gradient->features[i * gradient->stride + k] += (float)(sums[i] * moved[i * x.dim + k]);
cleanup:
    return status;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const gw_settings *settings = call->unit->settings;
    double *x_distances = NULL, *y_distances = NULL;
    kd2m_gromov_result solved;
    KD2M_TRY(take_distances(call, call->x.features, &x_distances));
    KD2M_TRY(take_distances(call, call->y.features, &y_distances));
    const kd2m_gromov_problem problem = {
        .x_distances = x_distances,
        .y_distances = y_distances,
        .n = call->x.rows,
        .m = call->y.rows,
        .x_weights = call->x.weights,
        .y_weights = call->y.weights,
        .starts = settings->starts,
        .seed = call->seed,
    };
    KD2M_TRY(kd2m_gromov(call->arena, &problem, &solved));
    result->value = solved.value;
    result->certificate = (kd2m_certificate){.gap = solved.gap,
                                             .marginal_error = solved.marginal_error,
                                             .iterations = solved.iterations,
                                             .converged = solved.converged};
    result->pair_share = kd2m_metric_pair_share(call, &solved.plan);
    if (gradient)
        KD2M_TRY(write_gradient(call, &solved.plan, x_distances, y_distances, gradient));
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_gw = {
    .name = "gw",
    .summary = "squared Gromov-Wasserstein distance: of distances within, any widths",
    .formula = "min over plans P of sum_ijkl (|x_i - x_k| - |y_j - y_l|)^2 P_ij P_kl",
    .source = "Memoli 2011; Peyre, Cuturi & Solomon 2016",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_TRANSPORT |
              KD2M_METRIC_ANY_WIDTH | KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING,
    .degree = 2,
    .least_rows = 1,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(gw_settings),
    .workspace = workspace,
    .evaluate = evaluate,
};
