/*
 * Newton's method on the columns' potentials, the rows' following them: see sinkhorn.c.
 *
 *     (diag(c) - P^T diag(1/a) P) d = b - c        g += eps d        c = P^T 1
 *
 * by conjugate gradients, each of whose steps is a pass of O(rows columns) over slabs of rows.
 */
#include "kernel_rows.h"
#include "sinkhorn_state.h"

/* Steps of conjugate gradients; the share of the residual they stop at; the longest step, in units
 * of epsilon. */
#define GRADIENT_STEPS 1000
#define GRADIENT_SHARE 0.05
#define LONGEST_STEP 2.0

/* slab_sums of P^T diag(1/a) P times `probe`, factors of the columns apart. */
static void newton_pass(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    kd2m_sinkhorn_state *s = user;
    for (size_t slab = begin; slab < end; slab++) {
        double *sums = kd2m_sinkhorn_begin_sums(s, slab);
        size_t last = slab_begin(s, slab + 1);
        for (size_t first = slab_begin(s, slab); first < last; first += KD2M_KERNEL_ROWS) {
            size_t count = last - first < KD2M_KERNEL_ROWS ? last - first : KD2M_KERNEL_ROWS;
            double weights[KD2M_KERNEL_ROWS];
            for (size_t i = first; i < first + count && !s->kept; i++)
                kd2m_sinkhorn_make_row(s, i, s->row_base[i]);
            kd2m_kernel_dot(weights, kernel_row(s, first), s->columns, s->probe, count, s->columns);
            for (size_t r = 0; r < count; r++)
                weights[r] *= row_weight(s, first + r) * s->row_factors[first + r] *
                              s->row_factors[first + r];
            kd2m_kernel_add(sums, kernel_row(s, first), s->columns, weights, count, s->columns);
        }
    }
}

/* image = (diag(c) - P^T diag(1/a) P) direction; returns <direction, image>. */
static double newton_image(kd2m_sinkhorn_state *s) {
    double product = 0.0;
    for (size_t j = 0; j < s->columns; j++)
        s->probe[j] = s->column_factors[j] * s->direction[j];
    kd2m_sinkhorn_run(s, newton_pass, false);
    kd2m_sinkhorn_gather(s);
    s->out->iterations++;
    for (size_t j = 0; j < s->columns; j++) {
        s->image[j] = s->masses[j] * s->direction[j] - s->column_factors[j] * s->sums[j];
        product += s->direction[j] * s->image[j];
    }
    return product;
}

static double preconditioned(const kd2m_sinkhorn_state *s, size_t j) {
    return s->masses[j] > 0.0 ? s->residual[j] / s->masses[j] : 0.0;
}

/* step = the solution for `residual`, which is used up; whether it is within a share of its size.
 */
static bool solve_step(kd2m_sinkhorn_state *s, double size) {
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

/* row_totals = of each row sum_j P_ij |step_j - m_i| / a_i, m_i = sum_j P_ij step_j / a_i: by how
 * much a step, the rows following it, moves the row's mass. */
static void shift_pass(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    kd2m_sinkhorn_state *s = user;
    for (size_t i = slab_begin(s, begin); i < slab_begin(s, end); i++) {
        double mean;
        if (!s->kept)
            kd2m_sinkhorn_make_row(s, i, s->row_base[i]);
        kd2m_kernel_dot(&mean, kernel_row(s, i), s->columns, s->probe, 1, s->columns);
        mean *= s->row_factors[i];
        s->row_totals[i] =
            s->row_factors[i] *
            kd2m_kernel_spread(kernel_row(s, i), s->column_factors, s->step, mean, s->columns);
    }
}

/* The mass that a step of the columns' potentials moves, to first order: small though the step may
 * be long, where parts of the plan hardly exchange any. */
static double mass_moved(kd2m_sinkhorn_state *s) {
    double moved = 0.0;
    for (size_t j = 0; j < s->columns; j++)
        s->probe[j] = s->column_factors[j] * s->step[j];
    kd2m_sinkhorn_run(s, shift_pass, false);
    s->out->iterations++;
    for (size_t i = 0; i < s->rows; i++)
        moved += row_weight(s, i) * s->row_totals[i];
    return moved;
}

/* Moves the columns' potentials by a step, cut where it is long. Returns the marginal's error
 * before it. */
double kd2m_sinkhorn_update_by_newton(kd2m_sinkhorn_state *s) {
    double error = 0.0, mean = 0.0, longest = 0.0;
    s->newton_moved = INFINITY;
    for (size_t j = 0; j < s->columns; j++) {
        s->masses[j] = s->column_factors[j] * s->sums[j];
        s->residual[j] = column_weight(s, j) - s->masses[j];
        error += fabs(s->residual[j]);
    }
    for (size_t j = 0; j < s->columns; j++)
        if (s->masses[j] <= UNDERFLOW_SHARE * column_weight(s, j) && column_weight(s, j) > 0.0)
            return kd2m_sinkhorn_update_columns(s);
    solve_step(s, error);
    if (error <= s->given->tolerance)
        s->newton_moved = mass_moved(s);
    for (size_t j = 0; j < s->columns; j++) /* a shift of all is none */
        mean += s->masses[j] * s->step[j];
    for (size_t j = 0; j < s->columns; j++)
        longest = fmax(longest, fabs(s->step[j] - mean));
    double cut = longest > LONGEST_STEP ? LONGEST_STEP / longest : 1.0;
    for (size_t j = 0; j < s->columns; j++) {
        double step = cut * (s->step[j] - mean);
        kd2m_sinkhorn_set_column(s, j, column_potential(s, j) + s->epsilon * step);
    }
    return error;
}
