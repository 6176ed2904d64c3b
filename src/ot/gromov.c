/*
 * Gromov-Wasserstein by conditional gradient:
 *
 *     E(P) = sum_ijkl (dX_ik - dY_jl)^2 P_ij P_kl = const - 2 <dX P dY, P>
 *
 * Each step solves exact transport on the gradient's costs, -dX P dY up to what depends on a row or
 * a column alone, and searches the line to its plan. Euclidean distances are conditionally negative
 * definite, which makes E concave on plans (Maron & Lipman, '(Probably) concave graph matching',
 * NeurIPS 2018): along the line it is lowest at the far end, so that every plan is a vertex, with
 * n + m - 1 entries at most, and the steps end at a local optimum.
 *
 * With u, v the points' mean distances to their own side, less the mean of those, and cX, cY the
 * distances less what their rows and columns have in common,
 *
 *     dX P dY = cX P cY + u v^T + what depends on a row or a column alone
 *
 * so that a product in float loses nothing but digits of the differences that matter; whether a
 * step gained is judged by E itself, summed from differences of distances in double.
 *
 * Starts: first transport on costs -u_i v_j, where the gradient at P = a b^T leads: it couples
 * points in the order of u and v. Second where the gradient leads at a few pairs of landmarks
 * (landmarks.h), which finds clusters that u and v mix up. Then random numbers in place of u and v,
 * dealt out in their order, so that no start depends on how rows are ordered. The best end is kept;
 * starts that fall far behind it are given up on the way.
 *
 * A transport begins with the basis of the one before, of which fewer pivots are left to do with
 * each step; the first start's with that of its coupling.
 *
 * Memoli, 'Gromov-Wasserstein distances and the metric approach to object matching', 2011; Peyre,
 * Cuturi, Solomon, 'Gromov-Wasserstein averaging of kernel and distance matrices', ICML 2016.
 * Cost per step: a transport, O(n m^2 + (n + m)^2) time; O(n^2 + m^2 + n m) floats. Threads: the
 * context's; the result does not depend on how many but for gemm's.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "certificate.h"
#include "context.h"
#include "gromov_state.h"
#include "landmarks.h"
#include "line.h"
#include "rng.h"

/* Steps of one start; it ends after a few. */
#define MOST_STEPS 500

/* A gain below this share of mean dX^2 + mean dY^2 is rounding. */
#define LEAST_GAIN 1e-14

/* A start is given up when it would take more steps like its last one to come up with the best. */
#define PATIENCE 8

/* Pairs that the second start is made of. */
#define LANDMARKS 64

static size_t most_entries(size_t n, size_t m) {
    return n + m;
}

/* A place for each entry, and two for each point of a side. */
static size_t most_shares(size_t n, size_t m) {
    return 2 * (n > m ? n : m);
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

static size_t plan_bytes(size_t n, size_t m) {
    size_t numbers = kd2m_arena_bytes(most_entries(n, m), sizeof(uint32_t));
    return kd2m_arena_sum(kd2m_arena_sum(numbers, numbers),
                          kd2m_arena_bytes(most_entries(n, m), sizeof(double)));
}

static size_t side_bytes(size_t count) {
    size_t keys = kd2m_arena_bytes(count, sizeof(uint64_t));
    size_t bytes = kd2m_arena_sum(keys, kd2m_arena_bytes(count, sizeof(float)));
    return kd2m_arena_sum(kd2m_arena_sum(bytes, keys),
                          kd2m_arena_matrix_bytes(count, count, sizeof(float)));
}

size_t kd2m_gromov_bytes(size_t n, size_t m) {
    size_t most = n > m ? n : m;
    const size_t parts[] = {
        side_bytes(n),
        side_bytes(m),
        kd2m_arena_matrix_bytes(n, m, sizeof(float)),
        kd2m_arena_matrix_bytes(n, m, sizeof(float)),
        kd2m_arena_bytes(most_shares(n, m), sizeof(double)),
        kd2m_arena_bytes(most, sizeof(uint64_t)),
        kd2m_arena_bytes(most, sizeof(float)),
        plan_bytes(n, m),
        plan_bytes(n, m),
        kd2m_tree_bytes(n, m),
        kd2m_network_simplex_bytes(n, m),
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        bytes = kd2m_arena_sum(bytes, parts[i]);
    return bytes;
}

static kd2m_status take_side(kd2m_arena *arena, gromov_side *side) {
    kd2m_status status;
    size_t count = side->count, all = count * count;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&side->far, count, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&side->by_far, count, sizeof(uint64_t)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&side->dealt, count, sizeof(uint64_t)));
    KD2M_TRY(kd2m_arena_take_unset(arena, (void **)&side->inner, all, sizeof(float)));
cleanup:
    return status;
}

static kd2m_status take_scratch(gromov *s) {
    kd2m_status status;
    size_t n = s->x.count, m = s->y.count, most = n > m ? n : m;
    KD2M_TRY(take_side(s->arena, &s->x));
    KD2M_TRY(take_side(s->arena, &s->y));
    KD2M_TRY(kd2m_arena_take_unset(s->arena, (void **)&s->half, n * m, sizeof(float)));
    KD2M_TRY(kd2m_arena_take_unset(s->arena, (void **)&s->costs, n * m, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->shares, most_shares(n, m), sizeof(double)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->keys, most, sizeof(uint64_t)));
    KD2M_TRY(kd2m_arena_take(s->arena, (void **)&s->values, most, sizeof(float)));
    KD2M_TRY(take_plan(s->arena, &s->plan, most_entries(n, m)));
    KD2M_TRY(kd2m_tree_take(s->arena, n, m, &s->tree));
cleanup:
    return status;
}

/* ---- steps ---- */

typedef struct descent {
    double value, gap; /* gap: what the last step promised */
    bool ended;        /* at a local optimum */
} descent;

/* Steps from the current plan, of value to->value, until none gains, or until out->value is out of
 * reach. */
static kd2m_status descend(gromov *s, kd2m_gromov_result *out, descent *to) {
    kd2m_status status = KD2M_OK;
    size_t mark = s->arena->used, n = s->x.count, m = s->y.count;
    double gain = INFINITY;
    for (int step = 0; step < MOST_STEPS && !to->ended; step++) {
        if (gain < INFINITY && to->value - PATIENCE * gain > out->value)
            break;
        kd2m_transport solved;
        KD2M_TRY(kd2m_check_interrupt(s->arena->context));
        KD2M_TRY(kd2m_gromov_differentiate(s));
        KD2M_TRY(kd2m_network_simplex_from(s->arena, (kd2m_costs){s->costs, n, m, m}, s->x.weights,
                                           s->y.weights, &s->tree, &solved));
        out->iterations++;
        out->converged &= solved.converged;
        double next = kd2m_gromov_objective(s, &solved.plan);
        gain = to->value - next;
        to->gap =
            fmax(0.0, 4.0 * (kd2m_gromov_cost(s, &s->plan) - kd2m_gromov_cost(s, &solved.plan)));
        to->ended = !(gain > LEAST_GAIN * s->scale);
        if (!to->ended) {
            to->value = next;
            copy_plan(&s->plan, &solved.plan);
        }
        kd2m_arena_rewind(s->arena, mark);
    }
cleanup:
    return status;
}

/* ---- starts ---- */

static double random_number(const gromov *s, int64_t start, uint64_t side, size_t rank) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, s->given->seed, KD2M_STREAM_METRIC, 0);
    rng.index = ((uint64_t)start * 2 + side) << 32 | rank;
    return kd2m_rng_uniform(&rng);
}

/* side->dealt = the points in the order of the numbers that the start deals out. */
static void deal(gromov *s, int64_t start, uint64_t number, gromov_side *side) {
    for (size_t rank = 0; rank < side->count; rank++)
        s->values[rank] = (float)random_number(s, start, number, rank);
    kd2m_line_sort(s->values, side->count, side->dealt, s->keys);
    for (size_t i = 0; i < side->count; i++)
        side->dealt[i] = side->by_far[(uint32_t)side->dealt[i]];
}

/* The plan that couples the points of both sides in the given orders. */
static kd2m_status couple(gromov *s, const uint64_t *x_order, const uint64_t *y_order,
                          descent *to) {
    kd2m_status status;
    KD2M_TRY(kd2m_tree_couple(s->arena, s->x.weights, s->y.weights, x_order, y_order, &s->tree));
    kd2m_tree_read(&s->tree, &s->plan);
    to->value = kd2m_gromov_objective(s, &s->plan);
cleanup:
    return status;
}

/* The point with mass of the largest mean distance. */
static size_t outermost(const gromov_side *side) {
    size_t rank = side->count - 1;
    while (rank > 0 && !(kd2m_gromov_weight(side, (uint32_t)side->by_far[rank]) > 0.0))
        rank--;
    return (uint32_t)side->by_far[rank];
}

/* Pairs of landmarks in place of a plan: they have no value, but a gradient. */
static void pair_landmarks(gromov *s, descent *to) {
    const kd2m_landmark_side x = {s->x.distances, s->x.weights, s->x.count, outermost(&s->x)};
    const kd2m_landmark_side y = {s->y.distances, s->y.weights, s->y.count, outermost(&s->y)};
    size_t fewer = x.count < y.count ? x.count : y.count;
    kd2m_landmarks_pair(&x, &y, fewer < LANDMARKS ? fewer : LANDMARKS, s->shares, &s->plan);
    s->tree.total = 0;
    to->value = INFINITY;
}

/* The plan that a start begins with. */
static kd2m_status begin(gromov *s, int64_t start, descent *to) {
    kd2m_status status = KD2M_OK;
    if (start == 0) {
        KD2M_TRY(couple(s, s->x.by_far, s->y.by_far, to));
    } else if (start == 1) {
        pair_landmarks(s, to);
    } else {
        deal(s, start, 0, &s->x);
        deal(s, start, 1, &s->y);
        KD2M_TRY(couple(s, s->x.dealt, s->y.dealt, to));
        s->tree.total = 0; /* far from what the first step leads to */
    }
cleanup:
    return status;
}

kd2m_status kd2m_gromov(kd2m_arena *arena, const kd2m_gromov_problem *problem,
                        kd2m_gromov_result *out) {
    kd2m_status status;
    size_t before = arena->used, mark;
    bool ended = false;
    gromov s = {
        .given = problem,
        .arena = arena,
        .x = {.distances = problem->x_distances,
              .weights = problem->x_weights,
              .count = problem->n},
        .y = {.distances = problem->y_distances,
              .weights = problem->y_weights,
              .count = problem->m},
    };
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
    s.scale = kd2m_gromov_measure(&s, &s.x) + kd2m_gromov_measure(&s, &s.y);
    for (int64_t turn = 0; turn < problem->starts; turn++) {
        /* the landmarks' before the first, which is then given up the sooner */
        int64_t start = turn < 2 && problem->starts > 1 ? 1 - turn : turn;
        descent to = {0};
        KD2M_TRY(begin(&s, start, &to));
        KD2M_TRY(descend(&s, out, &to));
        if (to.value < out->value) {
            out->value = to.value;
            out->gap = to.gap > 0.0 ? to.gap / s.scale : 0.0;
            ended = to.ended;
            copy_plan(&out->plan, &s.plan);
        }
    }
    out->converged &= ended;
    out->marginal_error = kd2m_plan_marginal_error(
        &out->plan, (kd2m_costs){.rows = problem->n, .columns = problem->m}, problem->x_weights,
        problem->y_weights, s.shares);
    kd2m_arena_rewind(arena, mark);
cleanup:
    if (status != KD2M_OK) {
        kd2m_arena_rewind(arena, before);
        *out = (kd2m_gromov_result){0};
    }
    return status;
}
