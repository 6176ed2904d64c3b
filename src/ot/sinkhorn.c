/*
 * Entropic transport by Sinkhorn's iteration: M. Cuturi, 'Sinkhorn distances', NeurIPS 2013;
 * relaxed marginals: Chizat, Peyre, Schmitzer, Vialard, 'Scaling algorithms for unbalanced optimal
 * transport problems', Math. Comp. 87, 2018; the symmetric problem by averaging: Feydy et al.,
 * 'Interpolating between optimal transport and MMD using Sinkhorn divergences', AISTATS 2019.
 *
 *     f_i = -eps q log sum_j b_j exp((g_j - C_ij)/eps)     g_j alike     q = rho/(rho + eps), or 1
 *
 * The kernel K_ij = b_j exp((f_i + g_j - C_ij)/eps) is made of potentials f, g that are near the
 * result ('absorbed'), each row divided by its sum, so that nothing in it overflows. Iterations
 * then change factors u, v beside it: one pass, which takes a row's sum and, while the row is in
 * cache, adds the row to the sums of columns. Once a factor has gone far, it is absorbed and the
 * kernel made anew, in a pass of the same form with exponentials. A column whose kernel underflows
 * gets its potential by a log-sum-exp of its own. So any eps works; a small one takes longer.
 *
 * With rho finite, f + t and g - t give the same plan for any t, and the iteration is slow to find
 * the best: it is set directly (Sejourne, Vialard, Peyre, 'Faster unbalanced optimal transport',
 * AISTATS 2022).
 *
 * Where the error falls slowly (small eps: some of the mass moves over links of exp(-gap/eps)),
 * Newton's method on the columns' potentials takes over, the rows' following them:
 *
 *     (diag(c) - P^T diag(1/a) P) d = b - c        g += eps d        c = P^T 1
 *
 * solved by conjugate gradients, each of whose steps is a pass like the others (Brauer, Clason,
 * Lorenz, Wirth, 'A Sinkhorn-Newton method for entropic optimal transport', 2017).
 *
 * The symmetric problem averages f and its update: the error at least halves in every iteration.
 *
 * Cost: O(rows columns) time per iteration; as many floats, and O(32 columns + rows) doubles.
 * Threads: the context's, over slabs of rows whose number follows from the rows alone: the result
 * does not depend on how many threads there are.
 */
#include "sinkhorn.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "certificate.h"
#include "context.h"
#include "kernel_rows.h"
#include "parallel.h"

/* Slabs of rows: at most, and rows in one at least. */
#define MOST_SLABS ((size_t)32)
#define SLAB_ROWS ((size_t)16)

/* Elements of the kernel worth a thread of their own. */
#define GRAIN_ELEMENTS ((size_t)32768)

/* A factor beyond exp(+-FURTHEST) is absorbed. */
#define FURTHEST 20.0

/* A column's sum below this share of its weight has underflowed. */
#define UNDERFLOW_SHARE 1e-25

/* Changes that are rounding. */
#define ROUNDING 1e-13

/* The speed of convergence is measured between the largest changes of two runs of iterations, for
 * an overshooting one swings. */
#define RUN 5
#define RUNS_APART 10
#define HISTORY (RUN + RUNS_APART)

/* Speed and change at which Newton's method takes over; passes before it may; steps of
 * conjugate gradients; the share of the residual they stop at; the longest step, in units of
 * epsilon. */
#define SLOW 0.8
#define NEAR 0.3
#define PLAIN_PASSES 20
#define GRADIENT_STEPS 40
#define GRADIENT_SHARE 0.05
#define LONGEST_STEP 2.0

/* A small epsilon is come to in steps by a factor, from this share of the mean cost, each with so
 * many passes unless its change is small before. */
#define FIRST_SHARE 0.02
#define STEP_FACTOR 0.25
#define STEP_PASSES 60
#define STEP_CHANGE 1e-3

/* Passes between two looks at the interrupt callback. */
#define PASSES_PER_POLL 16

typedef struct sinkhorn {
    const kd2m_sinkhorn_problem *given;
    kd2m_context *context;
    size_t rows, columns, slabs;
    bool symmetric, relaxed;
    double epsilon;     /* now: it comes down to the problem's */
    double damping;     /* q */
    int64_t step_began; /* at this pass epsilon came down */
    kd2m_sinkhorn_result *out;
    float *kernel;          /* the plan's memory */
    double *row_base;       /* the absorbed f */
    double *column_base;    /* the absorbed g */
    double *weighted;       /* column_base + eps log b */
    double *row_factors;    /* u */
    double *column_factors; /* v */
    double *row_totals;     /* sum_j K_ij v_j */
    double *slab_sums;      /* slabs x columns: sum_i a_i u_i K_ij */
    double *masses;         /* Newton's: c */
    double *step, *residual, *direction, *image, *probe;
    bool stale;           /* the kernel is not that of row_base and column_base */
    bool newton;          /* goes on by Newton's method */
    double newton_moved;  /* mass that its last step was to move; infinite where it was cut short */
    int64_t passes;       /* that updated potentials */
    int64_t method_began; /* at this pass plain updates began */
    double changes[HISTORY]; /* of the last passes */
} sinkhorn;

static double weight_at(const double *weights, size_t i, size_t count) {
    return weights ? weights[i] : 1.0 / (double)count;
}

static double row_weight(const sinkhorn *s, size_t i) {
    return weight_at(s->given->row_weights, i, s->rows);
}

static double column_weight(const sinkhorn *s, size_t j) {
    return weight_at(s->symmetric ? s->given->row_weights : s->given->column_weights, j,
                     s->columns);
}

static const float *cost_row(const sinkhorn *s, size_t i) {
    return s->given->costs.values + i * s->given->costs.stride;
}

/* The potentials now. With rho finite a factor may underflow, so that they are kept themselves. */
static double row_potential(const sinkhorn *s, size_t i) {
    return s->relaxed ? s->out->row_potentials[i]
                      : s->row_base[i] + s->epsilon * log(s->row_factors[i]);
}

static double column_potential(const sinkhorn *s, size_t j) {
    return s->column_base[j] + s->epsilon * log(s->column_factors[j]);
}

/* ---- memory ---- */

static size_t slab_count(size_t rows) {
    size_t slabs = rows / SLAB_ROWS;
    return slabs < 1 ? 1 : slabs > MOST_SLABS ? MOST_SLABS : slabs;
}

size_t kd2m_sinkhorn_bytes(size_t rows, size_t columns) {
    size_t bytes = kd2m_arena_bytes(columns, slab_count(rows) * sizeof(double));
    if (columns > 0 && rows > SIZE_MAX / columns)
        return SIZE_MAX;
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(rows * columns, sizeof(float)));
    for (int i = 0; i < 5; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(rows, sizeof(double)));
    for (int i = 0; i < 11; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(columns, sizeof(double)));
    return bytes;
}

static kd2m_status take_result(kd2m_arena *arena, sinkhorn *s) {
    kd2m_status status;
    kd2m_sinkhorn_result *out = s->out;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->plan, s->rows * s->columns, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->row_potentials, s->rows, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->column_potentials, s->columns, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->row_sums, s->rows, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->column_sums, s->columns, sizeof(double)));
    s->kernel = out->plan;
cleanup:
    return status;
}

static kd2m_status take_scratch(kd2m_arena *arena, sinkhorn *s) {
    kd2m_status status;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s->row_base, s->rows, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s->row_factors, s->rows, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s->row_totals, s->rows, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s->column_base, s->columns, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s->weighted, s->columns, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s->column_factors, s->columns, sizeof(double)));
    double **const of_newton[] = {&s->masses,    &s->step,  &s->residual,
                                  &s->direction, &s->image, &s->probe};
    for (size_t i = 0; i < sizeof of_newton / sizeof *of_newton; i++)
        KD2M_TRY(kd2m_arena_take(arena, (void **)of_newton[i], s->columns, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s->slab_sums, s->columns, s->slabs * sizeof(double)));
cleanup:
    return status;
}

/* ---- a pass over the rows ---- */

/* The factors go into the potentials, and become 1. */
static void absorb(sinkhorn *s) {
    for (size_t j = 0; j < s->columns; j++) {
        s->column_base[j] = column_potential(s, j);
        s->column_factors[j] = 1.0;
        s->weighted[j] = s->column_base[j] + s->epsilon * log(column_weight(s, j));
    }
}

/* Row i of the kernel anew, and the potential that makes it sum to 1. */
static void make_row(sinkhorn *s, size_t i) {
    const float *costs = cost_row(s, i);
    float *row = s->kernel + i * s->columns;
    double lowest = kd2m_kernel_lowest(costs, s->weighted, s->columns);
    double sum =
        kd2m_kernel_exponentials(row, costs, s->weighted, lowest, 1.0 / s->epsilon, s->columns);
    kd2m_kernel_scale(row, 1.0 / sum, s->columns);
    s->row_base[i] = lowest - s->epsilon * log(sum);
}

/* The row's total, and the factor that its potential asks for. */
static void update_row(sinkhorn *s, size_t i) {
    double total = 1.0;
    if (s->stale)
        make_row(s, i);
    else
        total = kd2m_kernel_dot(s->kernel + i * s->columns, s->column_factors, s->columns);
    s->row_totals[i] = total;
    s->row_factors[i] = 1.0 / total;
    if (s->relaxed) {
        double asked = s->damping * (s->row_base[i] - s->epsilon * log(total));
        s->out->row_potentials[i] = asked;
        s->row_factors[i] = exp((asked - s->row_base[i]) / s->epsilon);
    }
}

static size_t slab_begin(const sinkhorn *s, size_t slab) {
    return slab * s->rows / s->slabs;
}

static void pass(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    sinkhorn *s = user;
    for (size_t slab = begin; slab < end; slab++) {
        double *sums = s->slab_sums + slab * s->columns;
        size_t last = slab_begin(s, slab + 1);
        memset(sums, 0, s->columns * sizeof *sums);
        for (size_t first = slab_begin(s, slab); first < last; first += KD2M_KERNEL_ROWS) {
            size_t count = last - first < KD2M_KERNEL_ROWS ? last - first : KD2M_KERNEL_ROWS;
            double weights[KD2M_KERNEL_ROWS];
            for (size_t r = 0; r < count; r++) {
                update_row(s, first + r);
                weights[r] = row_weight(s, first + r) * s->row_factors[first + r];
            }
            if (!s->symmetric)
                kd2m_kernel_add(sums, s->kernel + first * s->columns, s->columns, weights, count,
                                s->columns);
        }
    }
}

static void run_slabs(sinkhorn *s, kd2m_parallel_body body) {
    size_t elements = (s->rows / s->slabs + 1) * s->columns;
    kd2m_parallel_for(s->context, s->slabs, GRAIN_ELEMENTS / elements + 1, body, s);
}

/* sum over the slabs, in their order */
static double column_sum(const sinkhorn *s, size_t j) {
    double sum = 0.0;
    for (size_t slab = 0; slab < s->slabs; slab++)
        sum += s->slab_sums[slab * s->columns + j];
    return sum;
}

/* ---- updates of the columns ---- */

/* -eps log sum_i a_i exp((f_i - C_ij)/eps), whatever its size. */
static double column_log_sum(const sinkhorn *s, size_t j) {
    double lowest = INFINITY;
    double sum = 0.0;
    for (size_t i = 0; i < s->rows; i++)
        if (row_weight(s, i) > 0.0)
            lowest = fmin(lowest, (double)cost_row(s, i)[j] - row_potential(s, i));
    for (size_t i = 0; i < s->rows; i++)
        if (row_weight(s, i) > 0.0)
            sum += row_weight(s, i) *
                   exp((lowest - ((double)cost_row(s, i)[j] - row_potential(s, i))) / s->epsilon);
    return lowest - s->epsilon * log(sum);
}

/* Sets a column's potential; one that went far is absorbed at once. */
static void set_column(sinkhorn *s, size_t j, double potential) {
    double distance = (potential - s->column_base[j]) / s->epsilon;
    if (fabs(distance) <= FURTHEST) {
        s->column_factors[j] = exp(distance);
    } else {
        s->column_base[j] = potential;
        s->column_factors[j] = 1.0;
        s->stale = true;
    }
}

/* Returns by how much the column's mass changed. */
static double update_column(sinkhorn *s, size_t j) {
    double weight = column_weight(s, j);
    double sum = column_sum(s, j);
    double before = s->column_factors[j];
    if (weight == 0.0)
        return 0.0;
    if (sum > UNDERFLOW_SHARE * weight && !s->relaxed) {
        s->column_factors[j] = weight / sum;
    } else {
        double asked = sum > UNDERFLOW_SHARE * weight
                           ? s->column_base[j] - s->epsilon * log(sum / weight)
                           : column_log_sum(s, j);
        set_column(s, j, s->damping * asked);
    }
    s->stale |= !(fabs(log(s->column_factors[j])) <= FURTHEST);
    return sum * fabs(s->column_factors[j] - before);
}

/* log sum_i weight_i exp(-potential_i / rho) */
static double log_mass(const double *weights, const double *potentials, size_t count, double rho) {
    double lowest = INFINITY;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        if (weight_at(weights, i, count) > 0.0)
            lowest = fmin(lowest, potentials[i]);
    for (size_t i = 0; i < count; i++)
        if (weight_at(weights, i, count) > 0.0)
            sum += weight_at(weights, i, count) * exp((lowest - potentials[i]) / rho);
    return log(sum) - lowest / rho;
}

/* Moves f up and g down by what makes the dual largest. */
static void balance(sinkhorn *s) {
    const kd2m_sinkhorn_problem *given = s->given;
    double *f = s->out->row_potentials, *g = s->out->column_potentials;
    for (size_t j = 0; j < s->columns; j++)
        g[j] = column_potential(s, j);
    double shift = given->rho / 2 *
                   (log_mass(given->row_weights, f, s->rows, given->rho) -
                    log_mass(given->column_weights, g, s->columns, given->rho));
    for (size_t i = 0; i < s->rows; i++)
        f[i] += shift;
    for (size_t j = 0; j < s->columns; j++)
        set_column(s, j, g[j] - shift);
}

static double update_columns(sinkhorn *s) {
    double change = 0.0;
    for (size_t j = 0; j < s->columns; j++)
        change += update_column(s, j);
    if (s->relaxed)
        balance(s);
    return change;
}

/* Halfway from each potential to what the others ask of it. Returns the marginal's error. */
static double update_symmetric(sinkhorn *s) {
    double error = 0.0;
    for (size_t i = 0; i < s->rows; i++) {
        double before = column_potential(s, i);
        double asked = row_potential(s, i);
        if (row_weight(s, i) == 0.0)
            continue;
        set_column(s, i, (before + asked) / 2);
        error += row_weight(s, i) * fabs(exp((before - asked) / s->epsilon) - 1.0);
    }
    return error;
}

/* ---- Newton's method ---- */

/* slab_sums of P^T diag(1/a) P times `probe`, factors of the columns apart. */
static void newton_pass(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    sinkhorn *s = user;
    for (size_t slab = begin; slab < end; slab++) {
        double *sums = s->slab_sums + slab * s->columns;
        memset(sums, 0, s->columns * sizeof *sums);
        for (size_t i = slab_begin(s, slab); i < slab_begin(s, slab + 1); i++) {
            const float *row = s->kernel + i * s->columns;
            double factor = s->row_factors[i];
            double weight =
                row_weight(s, i) * factor * factor * kd2m_kernel_dot(row, s->probe, s->columns);
            kd2m_kernel_add(sums, row, s->columns, &weight, 1, s->columns);
        }
    }
}

/* image = (diag(c) - P^T diag(1/a) P) direction; returns <direction, image>. */
static double newton_image(sinkhorn *s) {
    double product = 0.0;
    for (size_t j = 0; j < s->columns; j++)
        s->probe[j] = s->column_factors[j] * s->direction[j];
    run_slabs(s, newton_pass);
    s->out->iterations++;
    for (size_t j = 0; j < s->columns; j++) {
        s->image[j] = s->masses[j] * s->direction[j] - s->column_factors[j] * column_sum(s, j);
        product += s->direction[j] * s->image[j];
    }
    return product;
}

static double preconditioned(const sinkhorn *s, size_t j) {
    return s->masses[j] > 0.0 ? s->residual[j] / s->masses[j] : 0.0;
}

/* step = the solution for `residual`, which is used up; whether it is within a share of its size.
 */
static bool solve_step(sinkhorn *s, double size) {
    double square = 0.0;
    for (size_t j = 0; j < s->columns; j++) {
        s->step[j] = 0.0;
        s->direction[j] = preconditioned(s, j);
        square += s->residual[j] * s->direction[j];
    }
    for (int k = 0; k < GRADIENT_STEPS && square > 0.0; k++) {
        double product = newton_image(s), length = square / product, left = 0.0, next = 0.0;
        if (!(product > 0.0) || !(length < INFINITY))
            return false;
        for (size_t j = 0; j < s->columns; j++) {
            s->step[j] += length * s->direction[j];
            s->residual[j] -= length * s->image[j];
            left += fabs(s->residual[j]);
            next += s->residual[j] * preconditioned(s, j);
        }
        if (left <= GRADIENT_SHARE * size)
            return true;
        for (size_t j = 0; j < s->columns; j++)
            s->direction[j] = preconditioned(s, j) + next / square * s->direction[j];
        square = next;
    }
    return false;
}

/* Moves the columns' potentials by a step, cut where it is long. Returns the marginal's error
 * before it. */
static double update_by_newton(sinkhorn *s) {
    double error = 0.0, mean = 0.0, longest = 0.0, moved = 0.0;
    s->newton_moved = INFINITY;
    for (size_t j = 0; j < s->columns; j++) {
        s->masses[j] = s->column_factors[j] * column_sum(s, j);
        s->residual[j] = column_weight(s, j) - s->masses[j];
        error += fabs(s->residual[j]);
    }
    for (size_t j = 0; j < s->columns; j++)
        if (s->masses[j] <= UNDERFLOW_SHARE * column_weight(s, j) && column_weight(s, j) > 0.0)
            return update_columns(s);
    bool solved = solve_step(s, error);
    for (size_t j = 0; j < s->columns; j++) /* a shift of all is none */
        mean += s->masses[j] * s->step[j];
    for (size_t j = 0; j < s->columns; j++)
        longest = fmax(longest, fabs(s->step[j] - mean));
    double cut = longest > LONGEST_STEP ? LONGEST_STEP / longest : 1.0;
    for (size_t j = 0; j < s->columns; j++) {
        double step = cut * (s->step[j] - mean);
        moved += s->masses[j] * fabs(step);
        set_column(s, j, column_potential(s, j) + s->epsilon * step);
    }
    if (solved && cut >= 1.0)
        s->newton_moved = moved + error;
    return error;
}

/* ---- the course of the iteration ---- */

/* The change `back` passes ago; 0 where there was none. */
static double change_at(const sinkhorn *s, int64_t back) {
    return back < s->passes ? s->changes[(s->passes - 1 - back) % HISTORY] : 0.0;
}

/* The largest change in the run that ends `back` passes ago. */
static double largest_change(const sinkhorn *s, int64_t back) {
    double largest = 0.0;
    for (int64_t k = back; k < back + RUN; k++)
        largest = fmax(largest, change_at(s, k));
    return largest;
}

/* By how much a pass multiplies the change, as the last ones show. */
static double speed(const sinkhorn *s) {
    double earlier = largest_change(s, RUNS_APART);
    return earlier > 0.0 ? pow(largest_change(s, 0) / earlier, 1.0 / RUNS_APART) : 1.0;
}

/* Whether what is still to come, at this speed, is below the tolerance. */
static bool settled(const sinkhorn *s) {
    double largest = largest_change(s, 0);
    double tolerance = s->given->tolerance;
    if (s->stale)
        return false;
    if (s->newton && s->newton_moved <= tolerance)
        return true;
    return largest <= ROUNDING ||
           (largest <= tolerance && largest * speed(s) <= tolerance * (1.0 - speed(s)));
}

/* Newton's method begins where plain updates are slow, and ends where the error grew. */
static void choose_method(sinkhorn *s) {
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

static void set_epsilon(sinkhorn *s, double value) {
    s->epsilon = value;
    s->damping = s->relaxed ? s->given->rho / (s->given->rho + value) : 1.0;
    s->step_began = s->method_began = s->passes;
    s->stale = true;
}

/* Whether epsilon is the problem's; where it is not, brings it down in time. */
static bool at_last_epsilon(sinkhorn *s) {
    if (s->epsilon <= s->given->epsilon)
        return true;
    if (s->passes - s->step_began >= STEP_PASSES || change_at(s, 0) <= STEP_CHANGE) {
        absorb(s);
        set_epsilon(s, fmax(s->epsilon * STEP_FACTOR, s->given->epsilon));
    }
    return false;
}

/* One pass, and what follows from it for the columns. Returns the mass that moved. */
static double update(sinkhorn *s) {
    if (s->stale)
        absorb(s);
    run_slabs(s, pass);
    s->stale = false;
    s->out->iterations++;
    if (s->symmetric)
        return update_symmetric(s);
    return s->newton ? update_by_newton(s) : update_columns(s);
}

static kd2m_status iterate(sinkhorn *s, double mean_cost) {
    kd2m_status status = KD2M_OK;
    bool stepwise = !s->symmetric && !s->given->start;
    set_epsilon(s, stepwise ? fmax(s->given->epsilon, FIRST_SHARE * mean_cost) : s->given->epsilon);
    while (!s->out->converged && s->out->iterations < s->given->most_iterations) {
        double change = update(s);
        s->changes[s->passes++ % HISTORY] = change;
        if (at_last_epsilon(s)) {
            s->out->converged = settled(s);
            choose_method(s);
        }
        if (s->passes % PASSES_PER_POLL == 0)
            KD2M_TRY(kd2m_check_interrupt(s->context));
    }
    absorb(s);
    set_epsilon(s, s->given->epsilon); /* where the iterations ended before it was come to */
cleanup:
    return status;
}

/* ---- the result ---- */

static void fill_plan(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    sinkhorn *s = user;
    const double ones[1] = {1.0};
    for (size_t slab = begin; slab < end; slab++) {
        double *sums = s->slab_sums + slab * s->columns;
        memset(sums, 0, s->columns * sizeof *sums);
        for (size_t i = slab_begin(s, slab); i < slab_begin(s, slab + 1); i++) {
            float *row = s->kernel + i * s->columns;
            double shift = s->out->row_potentials[i] + s->epsilon * log(row_weight(s, i));
            s->out->row_sums[i] = kd2m_kernel_exponentials(row, cost_row(s, i), s->weighted, shift,
                                                           1.0 / s->epsilon, s->columns);
            kd2m_kernel_add(sums, row, s->columns, ones, 1, s->columns);
        }
    }
}

/* The plan of the columns' last potentials and of the rows' that follow from them; from it its sums
 * and the certificate are taken. */
static void read_result(sinkhorn *s) {
    kd2m_sinkhorn_result *out = s->out;
    absorb(s);
    s->stale = true;
    if (!s->symmetric)
        run_slabs(s, pass);
    for (size_t i = 0; i < s->rows; i++)
        out->row_potentials[i] = s->symmetric ? s->column_base[i] : row_potential(s, i);
    memcpy(out->column_potentials, s->column_base, s->columns * sizeof(double));
    run_slabs(s, fill_plan);
    for (size_t j = 0; j < s->columns; j++)
        out->column_sums[j] = column_sum(s, j);
}

static double weighted_mean(const double *values, const double *weights, size_t count) {
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += weight_at(weights, i, count) * values[i];
    return sum;
}

/* One side's part of the dual and of what is missing to the primal: the terms that the marginals'
 * constraint or relaxation gives. Returns the former. */
static double side_value(const sinkhorn *s, const double *potentials, const double *sums,
                         const double *weights, size_t count, double *missing) {
    double value = 0.0;
    double mean = weighted_mean(potentials, weights, count);
    double rho = s->given->rho;
    for (size_t i = 0; i < count; i++) {
        double weight = weight_at(weights, i, count);
        double asked = s->relaxed ? weight * exp(-potentials[i] / rho) : weight;
        double deviation = sums[i] - asked;
        s->out->marginal_error = fmax(s->out->marginal_error, fabs(deviation));
        if (!s->relaxed) {
            value += weight * potentials[i];
            *missing += fabs((potentials[i] - mean) * deviation);
        } else if (weight > 0.0) {
            double log_share = sums[i] > 0.0 ? log(sums[i] / asked) : 0.0;
            value -= rho * weight * expm1(-potentials[i] / rho);
            *missing += fmax(0.0, rho * (sums[i] * log_share - deviation));
        }
    }
    return value;
}

static void certify(sinkhorn *s, kd2m_cost_scale scale) {
    kd2m_sinkhorn_result *out = s->out;
    const double *a = s->given->row_weights;
    const double *b = s->symmetric ? a : s->given->column_weights;
    double mass = 0.0;
    double missing = 0.0;
    for (size_t i = 0; i < s->rows; i++)
        mass += out->row_sums[i];
    out->value = side_value(s, out->row_potentials, out->row_sums, a, s->rows, &missing) +
                 side_value(s, out->column_potentials, out->column_sums, b, s->columns, &missing) -
                 s->epsilon * (mass - 1.0);
    out->gap = missing > 0.0 ? missing / scale.mean : 0.0;
}

static kd2m_status check(kd2m_context *context, const kd2m_sinkhorn_problem *problem,
                         bool symmetric) {
    if (symmetric && problem->costs.rows != problem->costs.columns)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "symmetric transport needs as many rows as columns, got %zu and %zu",
                         problem->costs.rows, problem->costs.columns);
    if (!(problem->epsilon > 0.0) || !(problem->rho > 0.0) || problem->most_iterations < 1)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "entropic transport needs epsilon and rho above 0 and an iteration, got "
                         "%g, %g and %lld",
                         problem->epsilon, problem->rho, (long long)problem->most_iterations);
    return KD2M_OK;
}

static kd2m_status solve(kd2m_arena *arena, const kd2m_sinkhorn_problem *problem, bool symmetric,
                         kd2m_sinkhorn_result *out) {
    kd2m_status status;
    size_t before = arena->used;
    size_t mark;
    kd2m_cost_scale scale;
    bool relaxed = !symmetric && problem->rho < INFINITY;
    sinkhorn s = {
        .given = problem,
        .context = arena->context,
        .rows = problem->costs.rows,
        .columns = problem->costs.columns,
        .slabs = slab_count(problem->costs.rows),
        .symmetric = symmetric,
        .relaxed = relaxed,
        .epsilon = problem->epsilon,
        .out = out,
    };
    *out = (kd2m_sinkhorn_result){0};
    KD2M_TRY(kd2m_costs_measure(arena->context, problem->costs, &scale));
    KD2M_TRY(check(arena->context, problem, symmetric));
    KD2M_TRY(take_result(arena, &s));
    mark = arena->used;
    KD2M_TRY(take_scratch(arena, &s));
    for (size_t j = 0; j < s.columns; j++) {
        s.column_base[j] = !symmetric && problem->start ? problem->start[j] : 0.0;
        s.column_factors[j] = 1.0;
    }
    KD2M_TRY(iterate(&s, scale.mean));
    read_result(&s);
    certify(&s, scale);
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
