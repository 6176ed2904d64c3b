/*
 * Entropic transport by Sinkhorn's iteration: M. Cuturi, 'Sinkhorn distances', NeurIPS 2013;
 * relaxed marginals: Chizat, Peyre, Schmitzer, Vialard, 'Scaling algorithms for unbalanced optimal
 * transport problems', Math. Comp. 87, 2018; the symmetric problem by averaging: Feydy et al.,
 * 'Interpolating between optimal transport and MMD using Sinkhorn divergences', AISTATS 2019.
 *
 *     f_i = -eps q log sum_j b_j exp((g_j - C_ij)/eps)     g_j alike     q = rho/(rho + eps), or 1
 *
 * The kernel K_ij = b_j exp((f_i + g_j - C_ij)/eps) is made of potentials f, g that are near the
 * result ('absorbed'), each row divided by its largest entry, so that nothing in it overflows.
 * Iterations then change factors u, v beside it: one pass, which takes a row's sum and, while the
 * row is in cache, adds the row to the sums of columns. Once a factor has gone far, it is absorbed
 * and the kernel made anew, in a pass of the same form with exponentials. A column whose kernel
 * underflows gets its potential by a log-sum-exp of its own. So any eps works; a small one takes
 * longer.
 *
 * With rho finite, f + t and g - t give the same plan for any t, and the iteration is slow to find
 * the best: it is set directly (Sejourne, Vialard, Peyre, 'Faster unbalanced optimal transport',
 * AISTATS 2022).
 *
 * A small eps is come to from a large one. Where the error falls slowly (some of the mass moves
 * over links of exp(-gap/eps)), Newton's method on the columns' potentials takes over, the rows'
 * following them:
 *
 *     (diag(c) - P^T diag(1/a) P) d = b - c        g += eps d        c = P^T 1
 *
 * solved by conjugate gradients, each of whose steps is a pass like the others (Brauer, Clason,
 * Lorenz, Wirth, 'A Sinkhorn-Newton method for entropic optimal transport', 2017).
 *
 * The symmetric problem averages f and its update: the error at least halves in every iteration.
 *
 * Where the costs are not kept in memory, neither is the kernel: every pass makes both anew, a
 * block of rows at a time, with all factors absorbed. That is the one difference.
 *
 * Cost: O(rows columns) time per iteration; as many floats, or two blocks of rows of them and in
 * every iteration the making of the costs; O(32 columns + rows) doubles.
 * Threads: the context's, over slabs of rows whose number follows from the rows alone: the result
 * does not depend on how many threads there are.
 */
#include "certificate.h"
#include "context.h"
#include "sinkhorn_state.h"

/* Slabs of a block's rows: at most, and rows in one at least. */
#define MOST_SLABS ((size_t)32)
#define SLAB_ROWS ((size_t)64)

/* Changes that are rounding: of sums over one kernel, and over one that is made anew of floats. */
#define ROUNDING 1e-13
#define ROUNDING_ANEW 6e-8

/* Speed and change at which Newton's method takes over; passes before it may. */
#define SLOW 0.8
#define NEAR 0.3
#define PLAIN_PASSES 20

/* An epsilon below a share of the mean cost is come to in steps by a factor, from a larger share
 * on, each with so many passes unless its change is small before. It begins so large that mass
 * finds the way even between groups whose kernel at the next step underflows. */
#define SMALL_SHARE 0.02
#define FIRST_SHARE 1.0
#define STEP_FACTOR 0.25
#define STEP_PASSES 60
#define STEP_CHANGE 1e-3

/* Passes between two looks at the interrupt callback. */
#define PASSES_PER_POLL 16

/* ---- memory ---- */

static size_t slab_count(size_t rows) {
    size_t slabs = rows / SLAB_ROWS;
    return slabs < 1 ? 1 : slabs > MOST_SLABS ? MOST_SLABS : slabs;
}

size_t kd2m_sinkhorn_bytes(size_t rows, size_t columns, size_t block_rows) {
    bool kept = block_rows == 0;
    size_t block = kept || rows < block_rows ? rows : block_rows;
    size_t bytes = kd2m_arena_bytes(columns, slab_count(block) * sizeof(double));
    for (int i = 0; i < (kept ? 1 : 2); i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_matrix_bytes(block, columns, sizeof(float)));
    for (int i = 0; i < 5; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(rows, sizeof(double)));
    for (int i = 0; i < 12; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(columns, sizeof(double)));
    return bytes;
}

static kd2m_status take_result(kd2m_arena *arena, kd2m_sinkhorn_state *s) {
    kd2m_status status;
    kd2m_sinkhorn_result *out = s->out;
    if (s->kept)
        KD2M_TRY(
            kd2m_arena_take_unset(arena, (void **)&out->plan, s->rows * s->columns, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->row_potentials, s->rows, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->column_potentials, s->columns, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->row_sums, s->rows, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->column_sums, s->columns, sizeof(double)));
cleanup:
    return status;
}

/* Memory of the kernel and the plan: one matrix, or blocks of costs and of the plan. */
static kd2m_status take_kernel(kd2m_arena *arena, kd2m_sinkhorn_state *s) {
    kd2m_status status = KD2M_OK;
    size_t count = s->most_rows * s->columns;
    s->kernel = s->plan = s->out->plan;
    s->costs = s->given->costs.values;
    s->cost_stride = s->given->costs.stride;
    if (!s->kept) {
        KD2M_TRY(kd2m_arena_take_unset(arena, (void **)&s->made, count, sizeof(float)));
        KD2M_TRY(kd2m_arena_take_unset(arena, (void **)&s->plan, count, sizeof(float)));
        s->costs = s->kernel = s->made;
        s->cost_stride = s->columns;
    }
cleanup:
    return status;
}

static kd2m_status take_scratch(kd2m_arena *arena, kd2m_sinkhorn_state *s) {
    kd2m_status status;
    double **const of_rows[] = {&s->row_base, &s->row_factors, &s->row_totals};
    double **const of_columns[] = {&s->column_base, &s->weighted, &s->column_factors, &s->sums,
                                   &s->masses,      &s->step,     &s->residual,       &s->direction,
                                   &s->image,       &s->probe};
    for (size_t i = 0; i < sizeof of_rows / sizeof *of_rows; i++)
        KD2M_TRY(kd2m_arena_take(arena, (void **)of_rows[i], s->rows, sizeof(double)));
    for (size_t i = 0; i < sizeof of_columns / sizeof *of_columns; i++)
        KD2M_TRY(kd2m_arena_take(arena, (void **)of_columns[i], s->columns, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s->slab_sums, s->columns, s->slabs * sizeof(double)));
cleanup:
    return status;
}

/* ---- the course of the iteration ---- */

/* The change `back` passes ago; 0 where there was none. */
static double change_at(const kd2m_sinkhorn_state *s, int64_t back) {
    return back < s->passes ? s->changes[(s->passes - 1 - back) % HISTORY] : 0.0;
}

/* The largest change in the run that ends `back` passes ago. */
static double largest_change(const kd2m_sinkhorn_state *s, int64_t back) {
    double largest = 0.0;
    for (int64_t k = back; k < back + RUN; k++)
        largest = fmax(largest, change_at(s, k));
    return largest;
}

/* By how much a pass multiplies the change, as the last ones show. */
static double speed(const kd2m_sinkhorn_state *s) {
    double earlier = largest_change(s, RUNS_APART);
    return earlier > 0.0 ? pow(largest_change(s, 0) / earlier, 1.0 / RUNS_APART) : 1.0;
}

/* Whether what is still to come, at this speed, is below the tolerance. */
static bool settled(const kd2m_sinkhorn_state *s) {
    double largest = largest_change(s, 0);
    double tolerance = s->given->tolerance;
    if (s->stale)
        return false;
    if (s->newton && s->newton_moved <= tolerance)
        return true;
    return largest <= (s->kept ? ROUNDING : ROUNDING_ANEW) ||
           (largest <= tolerance && largest * speed(s) <= tolerance * (1.0 - speed(s)));
}

/* Newton's method begins where plain updates are slow, and ends where the error grew. */
static void choose_method(kd2m_sinkhorn_state *s) {
    bool slow = s->passes - s->method_began >= PLAIN_PASSES && speed(s) > SLOW &&
                largest_change(s, 0) < NEAR;
    if (s->relaxed || s->symmetric)
        return;
    if (s->newton && change_at(s, 0) > 2.0 * change_at(s, 1)) {
        s->newton = false;
        s->method_began = s->passes;
    } else if (slow) {
        s->newton = true;
    }
}

static void set_epsilon(kd2m_sinkhorn_state *s, double value) {
    s->epsilon = value;
    s->damping = s->relaxed ? s->given->rho / (s->given->rho + value) : 1.0;
    s->step_began = s->method_began = s->passes;
    s->stale = true;
}

/* Whether epsilon is the problem's; where it is not, brings it down in time. */
static bool at_last_epsilon(kd2m_sinkhorn_state *s) {
    if (s->epsilon <= s->given->epsilon)
        return true;
    if (s->passes - s->step_began >= STEP_PASSES || change_at(s, 0) <= STEP_CHANGE) {
        kd2m_sinkhorn_absorb(s);
        set_epsilon(s, fmax(s->epsilon * STEP_FACTOR, s->given->epsilon));
    }
    return false;
}

/* One pass, and what follows from it for the columns. Returns the mass that moved. */
static double update(kd2m_sinkhorn_state *s) {
    kd2m_sinkhorn_pass(s);
    if (s->symmetric)
        return kd2m_sinkhorn_update_symmetric(s);
    return s->newton ? kd2m_sinkhorn_update_by_newton(s) : kd2m_sinkhorn_update_columns(s);
}

static kd2m_status iterate(kd2m_sinkhorn_state *s, double mean_cost) {
    kd2m_status status = KD2M_OK;
    bool stepwise = !s->symmetric && !s->given->start;
    bool small = s->given->epsilon < SMALL_SHARE * mean_cost;
    set_epsilon(s, stepwise && small ? FIRST_SHARE * mean_cost : s->given->epsilon);
    while (!s->out->converged && s->out->iterations < s->given->most_iterations) {
        double change = update(s);
        KD2M_TRY(s->status);
        s->changes[s->passes++ % HISTORY] = change;
        if (!s->kept)
            kd2m_meter_text(&s->meter, "Sinkhorn, change %.1e", change);
        if (at_last_epsilon(s))
            s->out->converged = settled(s);
        choose_method(s);
        if (s->passes % PASSES_PER_POLL == 0)
            KD2M_TRY(kd2m_check_interrupt(s->context));
    }
    kd2m_sinkhorn_absorb(s);
    set_epsilon(s, s->given->epsilon); /* where the iterations ended before it was come to */
cleanup:
    return status;
}

static kd2m_status check(kd2m_context *context, const kd2m_sinkhorn_problem *problem,
                         bool symmetric) {
    if (symmetric && problem->costs.rows != problem->costs.columns)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "symmetric transport needs as many rows as columns, got %zu and %zu",
                         problem->costs.rows, problem->costs.columns);
    if (!problem->costs.values && (!problem->fill || problem->block_rows < 1))
        return kd2m_fail(context, KD2M_ERROR_INTERNAL, "nothing makes the costs of transport");
    if (!(problem->epsilon > 0.0) || !(problem->rho > 0.0) || problem->most_iterations < 1)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "entropic transport needs epsilon and rho above 0 and an iteration, got "
                         "%g, %g and %lld",
                         problem->epsilon, problem->rho, (long long)problem->most_iterations);
    return KD2M_OK;
}

/* From the state's beginning to its result; what it takes from the arena stays taken. */
static kd2m_status solve_state(kd2m_arena *arena, kd2m_sinkhorn_state *s) {
    kd2m_status status;
    kd2m_cost_scale scale = {.mean = s->given->mean_cost};
    if (s->kept)
        KD2M_TRY(kd2m_costs_measure(arena->context, s->given->costs, &scale));
    KD2M_TRY(take_kernel(arena, s));
    KD2M_TRY(take_scratch(arena, s));
    for (size_t j = 0; j < s->columns; j++) {
        s->column_base[j] = !s->symmetric && s->given->start ? s->given->start[j] : 0.0;
        s->column_factors[j] = 1.0;
    }
    if (!s->kept)
        kd2m_meter_begin(&s->meter, s->context, "rows", 0, 0);
    status = iterate(s, scale.mean);
    if (status == KD2M_OK) {
        kd2m_sinkhorn_read_result(s, scale.mean);
        status = s->status;
    }
    if (!s->kept)
        kd2m_meter_end(&s->meter);
cleanup:
    return status;
}

static kd2m_status solve(kd2m_arena *arena, const kd2m_sinkhorn_problem *problem, bool symmetric,
                         kd2m_sinkhorn_result *out) {
    kd2m_status status;
    size_t before = arena->used;
    bool kept = problem->costs.values != NULL;
    kd2m_sinkhorn_state s = {
        .given = problem,
        .context = arena->context,
        .rows = problem->costs.rows,
        .columns = problem->costs.columns,
        .symmetric = symmetric,
        .relaxed = !symmetric && problem->rho < INFINITY,
        .kept = kept,
        .epsilon = problem->epsilon,
        .out = out,
    };
    *out = (kd2m_sinkhorn_result){0};
    KD2M_TRY(kd2m_costs_check_shape(arena->context, problem->costs));
    KD2M_TRY(check(arena->context, problem, symmetric));
    s.most_rows = kept || s.rows < problem->block_rows ? s.rows : problem->block_rows;
    s.slabs = slab_count(s.most_rows);
    KD2M_TRY(take_result(arena, &s));
    size_t mark = arena->used;
    KD2M_TRY(solve_state(arena, &s));
    kd2m_arena_rewind(arena, mark);
cleanup:
    if (status != KD2M_OK) {
        kd2m_arena_rewind(arena, before);
        *out = (kd2m_sinkhorn_result){0};
    }
    return status;
}

kd2m_status kd2m_sinkhorn(kd2m_arena *arena, const kd2m_sinkhorn_problem *problem,
                          kd2m_sinkhorn_result *out) {
    return solve(arena, problem, false, out);
}

kd2m_status kd2m_sinkhorn_symmetric(kd2m_arena *arena, const kd2m_sinkhorn_problem *problem,
                                    kd2m_sinkhorn_result *out) {
    return solve(arena, problem, true, out);
}
