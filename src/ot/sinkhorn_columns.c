/*
 * Sinkhorn's iteration, the columns' updates after a pass: see sinkhorn.c. O(columns); a column
 * whose kernel underflowed costs O(rows) more.
 */
#include "sinkhorn_state.h"

/* A factor beyond exp(+-FURTHEST) is absorbed. */
#define FURTHEST 20.0
#define LARGEST_FACTOR 4.85165195409790277e8

/* -eps log(exp(-a/eps) + exp(-b/eps)) */
static double soft_minimum(double a, double b, double epsilon) {
    double lower = fmin(a, b), higher = fmax(a, b);
    return lower < INFINITY ? lower - epsilon * log1p(exp((lower - higher) / epsilon)) : lower;
}

/* -eps log sum_i a_i exp((f_i - C_ij)/eps) over rows of the block at work, whatever its size. */
static double column_log_sum(const kd2m_sinkhorn_state *s, size_t j, size_t begin, size_t end) {
    double lowest = INFINITY, sum = 0.0;
    for (size_t i = begin; i < end; i++)
        if (row_weight(s, i) > 0.0)
            lowest = fmin(lowest, (double)cost_row(s, i)[j] - row_potential(s, i));
    for (size_t i = begin; i < end; i++)
        if (row_weight(s, i) > 0.0)
            sum += row_weight(s, i) *
                   exp((lowest - ((double)cost_row(s, i)[j] - row_potential(s, i))) / s->epsilon);
    return lowest < INFINITY ? lowest - s->epsilon * log(sum) : lowest;
}

static bool underflowed(const kd2m_sinkhorn_state *s, size_t j) {
    double weight = column_weight(s, j);
    return weight > 0.0 && !(s->sums[j] > UNDERFLOW_SHARE * weight);
}

static void find_underflowed(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    kd2m_sinkhorn_state *s = user;
    for (size_t slab = begin; slab < end; slab++) {
        double *found = slab_row(s, slab);
        for (size_t j = 0; j < s->columns; j++)
            if (underflowed(s, j))
                found[j] = soft_minimum(
                    s->first > 0 ? found[j] : INFINITY,
                    column_log_sum(s, j, slab_begin(s, slab), slab_begin(s, slab + 1)), s->epsilon);
    }
}

/* What column j asks for after a pass of find_underflowed. */
static double found_potential(const kd2m_sinkhorn_state *s, size_t j) {
    double potential = INFINITY;
    for (size_t slab = 0; slab < s->slabs; slab++)
        potential = soft_minimum(potential, slab_row(s, slab)[j], s->epsilon);
    return potential;
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
    double weight = column_weight(s, j), sum = s->sums[j], before = s->column_factors[j];
    if (weight == 0.0)
        return 0.0;
    if (underflowed(s, j)) {
        kd2m_sinkhorn_set_column(s, j, s->damping * found_potential(s, j));
    } else if (s->relaxed) {
        kd2m_sinkhorn_set_column(s, j,
                                 s->damping * (s->column_base[j] - s->epsilon * log(sum / weight)));
    } else {
        s->column_factors[j] = weight / sum;
        s->stale |= !(s->column_factors[j] <= LARGEST_FACTOR &&
                      s->column_factors[j] >= 1.0 / LARGEST_FACTOR);
    }
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
    bool any = false;
    for (size_t j = 0; j < s->columns; j++)
        any |= underflowed(s, j);
    if (any)
        kd2m_sinkhorn_run(s, find_underflowed, false);
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
