/*
 * Sinkhorn's iteration, a pass: rows' totals and factors, columns' sums while a row is in cache;
 * then the columns' updates. See sinkhorn.c. Time O(rows columns); threads: over slabs of rows.
 */
#include <string.h>

#include "kernel_rows.h"
#include "sinkhorn_state.h"

/* Elements of the kernel worth a thread of their own. */
#define GRAIN_ELEMENTS ((size_t)32768)

/* A factor beyond exp(+-FURTHEST) is absorbed. */
#define FURTHEST 20.0

void kd2m_sinkhorn_absorb(kd2m_sinkhorn_state *s) {
    for (size_t j = 0; j < s->columns; j++) {
        s->column_base[j] = column_potential(s, j);
        s->column_factors[j] = 1.0;
        s->weighted[j] = s->column_base[j] + s->epsilon * log(column_weight(s, j));
    }
}

/* Row i of the kernel anew, and the potential that makes it sum to 1. */
static void make_row(kd2m_sinkhorn_state *s, size_t i) {
    const float *costs = cost_row(s, i);
    float *row = s->kernel + i * s->columns;
    double lowest = kd2m_kernel_lowest(costs, s->weighted, s->columns);
    double sum =
        kd2m_kernel_exponentials(row, costs, s->weighted, lowest, 1.0 / s->epsilon, s->columns);
    kd2m_kernel_scale(row, 1.0 / sum, s->columns);
    s->row_base[i] = lowest - s->epsilon * log(sum);
}

/* The row's total, and the factor that its potential asks for. */
static void update_row(kd2m_sinkhorn_state *s, size_t i) {
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

void kd2m_sinkhorn_pass(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    kd2m_sinkhorn_state *s = user;
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

void kd2m_sinkhorn_run_slabs(kd2m_sinkhorn_state *s, kd2m_parallel_body body) {
    size_t elements = (s->rows / s->slabs + 1) * s->columns;
    kd2m_parallel_for(s->context, s->slabs, GRAIN_ELEMENTS / elements + 1, body, s);
}

/* ---- updates of the columns ---- */

/* -eps log sum_i a_i exp((f_i - C_ij)/eps), whatever its size. */
static double column_log_sum(const kd2m_sinkhorn_state *s, size_t j) {
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

void kd2m_sinkhorn_set_column(kd2m_sinkhorn_state *s, size_t j, double potential) {
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
static double update_column(kd2m_sinkhorn_state *s, size_t j) {
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
        kd2m_sinkhorn_set_column(s, j, s->damping * asked);
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
static void balance(kd2m_sinkhorn_state *s) {
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
        kd2m_sinkhorn_set_column(s, j, g[j] - shift);
}

double kd2m_sinkhorn_update_columns(kd2m_sinkhorn_state *s) {
    double change = 0.0;
    for (size_t j = 0; j < s->columns; j++)
        change += update_column(s, j);
    if (s->relaxed)
        balance(s);
    return change;
}

/* Halfway from each potential to what the others ask of it. Returns the marginal's error. */
double kd2m_sinkhorn_update_symmetric(kd2m_sinkhorn_state *s) {
    double error = 0.0;
    for (size_t i = 0; i < s->rows; i++) {
        double before = column_potential(s, i);
        double asked = row_potential(s, i);
        if (row_weight(s, i) == 0.0)
            continue;
        kd2m_sinkhorn_set_column(s, i, (before + asked) / 2);
        error += row_weight(s, i) * fabs(exp((before - asked) / s->epsilon) - 1.0);
    }
    return error;
}
