/*
 * Sinkhorn's iteration, the result: the plan, its value and its certificate. See sinkhorn.c.
 * One pass of O(rows columns). Threads: over slabs of rows.
 */
#include <string.h>

#include "kernel_rows.h"
#include "sinkhorn_state.h"

/* Row i of the plan and its sum; where f = g the potential is that of the column, else the one that
 * follows from the columns'. */
static void make_plan_row(kd2m_sinkhorn_state *s, size_t i) {
    double shift, sum = kd2m_sinkhorn_make_free_row(s, i, &shift);
    double potential =
        s->symmetric ? s->column_base[i] : s->damping * (shift - s->epsilon * log(sum));
    double factor = row_weight(s, i) * exp((potential - shift) / s->epsilon);
    s->out->row_potentials[i] = potential;
    s->out->row_sums[i] = factor * sum;
    kd2m_kernel_scale(kernel_row(s, i), factor, s->columns);
}

static void fill_plan(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    kd2m_sinkhorn_state *s = user;
    const double ones[1] = {1.0};
    for (size_t slab = begin; slab < end; slab++) {
        double *sums = kd2m_sinkhorn_begin_sums(s, slab);
        for (size_t i = slab_begin(s, slab); i < slab_begin(s, slab + 1); i++) {
            make_plan_row(s, i);
            kd2m_kernel_add(sums, kernel_row(s, i), s->columns, ones, 1, s->columns);
        }
    }
}

static double weighted_mean(const double *values, const double *weights, size_t count) {
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += weight_at(weights, i, count) * values[i];
    return sum;
}

/* One side's part of the dual and of what is missing to the primal: the terms that the marginals'
 * constraint or relaxation gives. Returns the former. */
static double side_value(const kd2m_sinkhorn_state *s, const double *potentials, const double *sums,
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

static void certify(kd2m_sinkhorn_state *s, double mean) {
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
    out->gap = missing > 0.0 ? missing / mean : 0.0;
}

void kd2m_sinkhorn_read_result(kd2m_sinkhorn_state *s, double mean) {
    kd2m_sinkhorn_result *out = s->out;
    kd2m_sinkhorn_absorb(s);
    s->stale = true;
    s->kernel = s->plan;
    memcpy(out->column_potentials, s->column_base, s->columns * sizeof(double));
    kd2m_sinkhorn_run(s, fill_plan, true);
    kd2m_sinkhorn_gather(s);
    memcpy(out->column_sums, s->sums, s->columns * sizeof(double));
    certify(s, mean);
}
