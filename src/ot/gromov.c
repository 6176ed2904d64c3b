/*
 * Gromov-Wasserstein by conditional gradient:
 *
 *     E(P) = sum_ijkl (dX_ik - dY_jl)^2 P_ij P_kl = const - 2 <dX P dY, P>
 *
 * Each step solves exact transport on the gradient's costs, -dX P dY up to what depends on a row or
 * a column alone, and searches the line to its plan. Euclidean distances are conditionally negative
 * definite, which makes E concave on plans (Maron & Lipman, '(Probably) concave graph matching',
 * NeurIPS 2018): along the line it is lowest at the far end, so that every plan is a vertex, with
 * n + m - 1 entries at most, and the steps end at a local optimum. Costs lose their rows' and
 * columns' means before they become floats; the solver's potentials are double, and whether a step
 * gained is judged by E itself, summed from differences of distances.
 *
 * Starts are vertices, too: transport on costs -u_i v_j. First u, v = mean distances from a point
 * to its own side, where the gradient at P = a b^T leads; then random numbers, dealt out in the
 * order of those means, so that no start depends on how rows are ordered. The best end is kept.
 *
 * Memoli, 'Gromov-Wasserstein distances and the metric approach to object matching', 2011; Peyre,
 * Cuturi, Solomon, 'Gromov-Wasserstein averaging of kernel and distance matrices', ICML 2016.
 * Cost per step: a transport, O(n m^2 + (n + m)^2) time; O(n m) doubles. Threads: gemm's.
 */
#include "gromov.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "gemm.h"
#include "rng.h"

/* Steps of one start; it ends after a few. */
#define MOST_STEPS 500

/* A gain below this share of mean dX^2 + mean dY^2 is rounding. */
#define LEAST_GAIN 1e-14

typedef struct gromov {
    const kd2m_gromov_problem *given;
    kd2m_arena *arena;
    double scale;          /* mean dX^2 + mean dY^2 */
    double *x_far, *y_far; /* mean distances to the own side */
    double *u, *v;
    double *half, *full; /* (dX P)^T and (dX P dY)^T, m x n */
    float *costs;        /* n x m */
    kd2m_plan plan;      /* the current one */
} gromov;

static double weight_at(const double *weights, size_t i, size_t count) {
    return weights ? weights[i] : 1.0 / (double)count;
}

static size_t most_entries(size_t n, size_t m) {
    return n + m;
}

static kd2m_status take_plan(kd2m_arena *arena, kd2m_plan *out, size_t entries) {
    kd2m_status status;
    out->entries = 0;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->row, entries, sizeof *out->row));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->column, entries, sizeof *out->column));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->mass, entries, sizeof *out->mass));
cleanup:
    return status;
}

static void copy_plan(kd2m_plan *to, const kd2m_plan *from) {
    to->entries = from->entries;
    memcpy(to->row, from->row, from->entries * sizeof *to->row);
    memcpy(to->column, from->column, from->entries * sizeof *to->column);
    memcpy(to->mass, from->mass, from->entries * sizeof *to->mass);
}

size_t kd2m_gromov_bytes(size_t n, size_t m) {
    size_t products, plan = 0;
    if (m > 0 && n > SIZE_MAX / m / sizeof(double))
        return SIZE_MAX;
    products = kd2m_arena_sum(kd2m_arena_bytes(n * m, sizeof(double)),
                              kd2m_arena_bytes(n * m, sizeof(double)));
    plan = kd2m_arena_sum(kd2m_arena_bytes(most_entries(n, m), sizeof(uint32_t)),
                          kd2m_arena_bytes(most_entries(n, m), sizeof(uint32_t)));
    plan = kd2m_arena_sum(plan, kd2m_arena_bytes(most_entries(n, m), sizeof(double)));
    size_t bytes = kd2m_arena_sum(products, kd2m_arena_bytes(n * m, sizeof(float)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_sum(plan, plan));
    for (int i = 0; i < 2; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_sum(kd2m_arena_bytes(n, sizeof(double)),
                                                     kd2m_arena_bytes(m, sizeof(double))));
    return kd2m_arena_sum(bytes, kd2m_network_simplex_bytes(n, m));
}

static kd2m_status take_scratch(gromov *s) {
    kd2m_status status;
    size_t n = s->given->n, m = s->given->m;
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->x_far, n, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->y_far, m, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->u, n, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->v, m, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->half, n * m, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->full, n * m, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->costs, n * m, sizeof(float)));
    KD2M_TRY(take_plan(s->arena, &s->plan, most_entries(n, m)));
cleanup:
    return status;
}

/* far_i = sum_k weight_k d_ik; returns sum_ik weight_i weight_k d_ik^2. */
static double measure(const double *distances, const double *weights, size_t count, double *far) {
    double square = 0.0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            double distance = distances[i * count + k], weight = weight_at(weights, k, count);
            far[i] += weight * distance;
            square += weight_at(weights, i, count) * weight * distance * distance;
        }
    return square;
}

/* ---- the objective ---- */

static double objective(const gromov *s, const kd2m_plan *plan) {
    double value = 0.0;
    for (size_t e = 0; e < plan->entries; e++) {
        const double *from = s->given->x_distances + plan->row[e] * s->given->n;
        const double *to = s->given->y_distances + plan->column[e] * s->given->m;
        double sum = 0.0;
        for (size_t f = 0; f < plan->entries; f++) {
            double difference = from[plan->row[f]] - to[plan->column[f]];
            sum += plan->mass[f] * difference * difference;
        }
        value += plan->mass[e] * sum;
    }
    return value;
}

/* full = (dX P dY)^T */
static kd2m_status differentiate(gromov *s, const kd2m_plan *plan) {
    size_t n = s->given->n, m = s->given->m;
    memset(s->half, 0, n * m * sizeof *s->half);
    for (size_t e = 0; e < plan->entries; e++) {
        const double *from = s->given->x_distances + plan->row[e] * n;
        double *to = s->half + plan->column[e] * n;
        for (size_t i = 0; i < n; i++)
            to[i] += plan->mass[e] * from[i];
    }
    return kd2m_gemm_double(s->arena->context, false, false, m, n, m, 1.0, s->given->y_distances, m,
                            s->half, n, 0.0, s->full, n);
}

/* <dX P dY, Q>, P being what `full` was made from */
static double product(const gromov *s, const kd2m_plan *plan) {
    double sum = 0.0;
    for (size_t e = 0; e < plan->entries; e++)
        sum += plan->mass[e] * s->full[plan->column[e] * s->given->n + plan->row[e]];
    return sum;
}

/* ---- steps ---- */

/* costs = -full, less what rows and columns have in common: that moves no plan. */
static void fill_costs(gromov *s) {
    size_t n = s->given->n, m = s->given->m;
    double mean = 0.0;
    for (size_t i = 0; i < n; i++)
        s->u[i] = 0.0;
    for (size_t j = 0; j < m; j++) {
        const double *column = s->full + j * n;
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) {
            sum += column[i] / (double)n;
            s->u[i] += column[i] / (double)m;
        }
        s->v[j] = sum;
        mean += sum / (double)m;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            s->costs[i * m + j] = (float)(s->u[i] + s->v[j] - mean - s->full[j * n + i]);
}

static kd2m_status solve(gromov *s, kd2m_gromov_result *out, kd2m_transport *solved) {
    kd2m_status status;
    size_t n = s->given->n, m = s->given->m;
    KD2M_TRY(kd2m_network_simplex(s->arena, (kd2m_costs){s->costs, n, m, m}, s->given->x_weights,
                                  s->given->y_weights, solved));
    out->iterations++;
    out->converged &= solved->converged;
cleanup:
    return status;
}

/* Steps from the current plan until none gains; *value is its objective. *gap: what the last step
 * promised. */
static kd2m_status descend(gromov *s, kd2m_gromov_result *out, double *value, double *gap,
                           double *marginal_error) {
    kd2m_status status = KD2M_OK;
    size_t mark = s->arena->used;
    int ended = 0;
    *value = objective(s, &s->plan);
    for (int step = 0; step < MOST_STEPS && !ended; step++) {
        kd2m_transport solved;
        KD2M_TRY(kd2m_check_interrupt(s->arena->context));
        KD2M_TRY(differentiate(s, &s->plan));
        fill_costs(s);
        KD2M_TRY(solve(s, out, &solved));
        double next = objective(s, &solved.plan);
        *gap = fmax(0.0, 4.0 * (product(s, &solved.plan) - product(s, &s->plan)));
        ended = !(next < *value - LEAST_GAIN * s->scale);
        if (!ended) {
            *value = next;
            *marginal_error = solved.marginal_error;
            copy_plan(&s->plan, &solved.plan);
        }
        kd2m_arena_rewind(s->arena, mark);
    }
    out->converged &= ended;
cleanup:
    return status;
}

/* ---- starts ---- */

/* How many points are nearer to their side than point i. */
static size_t rank_of(const double *far, size_t i, size_t count) {
    size_t rank = 0;
    for (size_t k = 0; k < count; k++)
        rank += far[k] < far[i] || (far[k] <= far[i] && k < i);
    return rank;
}

static double dealt(const gromov *s, int64_t start, uint64_t side, size_t rank) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, s->given->seed, KD2M_STREAM_METRIC, 0);
    rng.index = ((uint64_t)start * 2 + side) << 32 | rank;
    return kd2m_rng_uniform(&rng);
}

/* The plan that a start begins with. */
static kd2m_status begin(gromov *s, int64_t start, kd2m_gromov_result *out,
                         double *marginal_error) {
    kd2m_status status;
    size_t n = s->given->n, m = s->given->m, mark = s->arena->used;
    kd2m_transport solved;
    for (size_t i = 0; i < n; i++)
        s->u[i] = start == 0 ? s->x_far[i] : dealt(s, start, 0, rank_of(s->x_far, i, n));
    for (size_t j = 0; j < m; j++)
        s->v[j] = start == 0 ? s->y_far[j] : dealt(s, start, 1, rank_of(s->y_far, j, m));
    for (size_t j = 0; j < m; j++)
        for (size_t i = 0; i < n; i++)
            s->full[j * n + i] = s->u[i] * s->v[j];
    fill_costs(s);
    KD2M_TRY(solve(s, out, &solved));
    *marginal_error = solved.marginal_error;
    copy_plan(&s->plan, &solved.plan);
    kd2m_arena_rewind(s->arena, mark);
cleanup:
    return status;
}

kd2m_status kd2m_gromov(kd2m_arena *arena, const kd2m_gromov_problem *problem,
                        kd2m_gromov_result *out) {
    kd2m_status status;
    size_t before = arena->used, mark;
    gromov s = {.given = problem, .arena = arena};
    *out = (kd2m_gromov_result){.value = INFINITY, .converged = 1};
    if (problem->n == 0 || problem->m == 0 || problem->starts < 1) {
        status = kd2m_fail(arena->context, KD2M_ERROR_USAGE,
                           "Gromov-Wasserstein needs points on both sides and a start, got %zu, "
                           "%zu and %lld",
                           problem->n, problem->m, (long long)problem->starts);
        goto cleanup;
    }
    KD2M_TRY(take_plan(arena, &out->plan, most_entries(problem->n, problem->m)));
    mark = arena->used;
    KD2M_TRY(take_scratch(&s));
    s.scale = measure(problem->x_distances, problem->x_weights, problem->n, s.x_far) +
              measure(problem->y_distances, problem->y_weights, problem->m, s.y_far);
    for (int64_t start = 0; start < problem->starts; start++) {
        double value, gap = 0.0, marginal_error;
        KD2M_TRY(begin(&s, start, out, &marginal_error));
        KD2M_TRY(descend(&s, out, &value, &gap, &marginal_error));
        if (value < out->value) {
            out->value = value;
            out->gap = gap > 0.0 ? gap / s.scale : 0.0;
            out->marginal_error = marginal_error;
            copy_plan(&out->plan, &s.plan);
        }
    }
    kd2m_arena_rewind(arena, mark);
cleanup:
    if (status != KD2M_OK) {
        kd2m_arena_rewind(arena, before);
        *out = (kd2m_gromov_result){0};
    }
    return status;
}
