/*
 * The sums over pairs that the search for a Gromov-Wasserstein plan is led by: see gromov.c.
 *
 * Cost: the objective O((n + m)^2), the gradient's product O(n m^2). Threads: the context's;
 * nothing depends on how many but gemm's rounding.
 */
#include <string.h>

#include "context.h"
#include "gemm.h"
#include "gromov_state.h"
#include "line.h"
#include "parallel.h"
#include "simd.h"

/* ---- the sides ---- */

typedef struct side_job {
    const gromov_side *side;
    double *means, *squares; /* of a point's distances */
    double mean;             /* of all */
} side_job;

static void measure_points(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const side_job *job = user;
    const gromov_side *side = job->side;
    for (size_t i = begin; i < end; i++) {
        const double *distances = side->distances + i * side->count;
        double sum = 0.0, squares = 0.0;
        for (size_t k = 0; k < side->count; k++) {
            double part = kd2m_gromov_weight(side, k) * distances[k];
            sum += part;
            squares += part * distances[k];
        }
        job->means[i] = sum;
        job->squares[i] = squares;
    }
}

static void center_points(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const side_job *job = user;
    const gromov_side *side = job->side;
    for (size_t i = begin; i < end; i++) {
        const double *distances = side->distances + i * side->count;
        side->far[i] = (float)(job->means[i] - job->mean);
        for (size_t k = 0; k < side->count; k++)
            side->inner[i * side->count + k] =
                (float)(distances[k] - (job->means[i] - job->mean) - job->means[k]);
    }
}

double kd2m_gromov_measure(const gromov *s, gromov_side *side) {
    side_job job = {side, s->shares, s->shares + side->count, 0.0};
    double square = 0.0;
    kd2m_parallel_for(s->arena->context, side->count, 64, measure_points, &job);
    for (size_t i = 0; i < side->count; i++) {
        square += kd2m_gromov_weight(side, i) * job.squares[i];
        job.mean += kd2m_gromov_weight(side, i) * job.means[i];
    }
    kd2m_parallel_for(s->arena->context, side->count, 64, center_points, &job);
    kd2m_line_sort(side->far, side->count, side->by_far, s->keys);
    return square;
}

/* ---- the objective ---- */

typedef struct objective_job {
    const gromov *s;
    const kd2m_plan *plan;
} objective_job;

/* sum over the plan's entries of mass (from_row - to_column)^2 */
KD2M_CLONES
static double sum_mismatch(const kd2m_plan *plan, const double *restrict from,
                           const double *restrict to) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t f = 0; f < plan->entries; f++) {
        double difference = from[plan->row[f]] - to[plan->column[f]];
        sum += plan->mass[f] * difference * difference;
    }
    return sum;
}

static void share_entries(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const objective_job *job = user;
    const gromov_side *x = &job->s->x, *y = &job->s->y;
    const kd2m_plan *plan = job->plan;
    for (size_t e = begin; e < end; e++)
        job->s->shares[e] =
            plan->mass[e] * sum_mismatch(plan, x->distances + plan->row[e] * x->count,
                                         y->distances + plan->column[e] * y->count);
}

double kd2m_gromov_objective(const gromov *s, const kd2m_plan *plan) {
    double value = 0.0;
    objective_job job = {s, plan};
    kd2m_parallel_for(s->arena->context, plan->entries, 64, share_entries, &job);
    for (size_t e = 0; e < plan->entries; e++)
        value += s->shares[e];
    return value;
}

/* Columns [begin, end) of half = P^T cX. */
static void halve(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const gromov *s = user;
    size_t n = s->x.count;
    for (size_t j = 0; j < s->y.count; j++)
        memset(s->half + j * n + begin, 0, (end - begin) * sizeof *s->half);
    for (size_t e = 0; e < s->plan.entries; e++) {
        const float *from = s->x.inner + s->plan.row[e] * n;
        float *to = s->half + s->plan.column[e] * n, mass = (float)s->plan.mass[e];
        for (size_t i = begin; i < end; i++)
            to[i] += mass * from[i];
    }
}

static void cost_order(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const gromov *s = user;
    for (size_t i = begin; i < end; i++)
        for (size_t j = 0; j < s->y.count; j++)
            s->costs[i * s->y.count + j] = -s->x.far[i] * s->y.far[j];
}

kd2m_status kd2m_gromov_differentiate(gromov *s) {
    size_t n = s->x.count, m = s->y.count;
    kd2m_parallel_for(s->arena->context, n, 64, halve, s);
    kd2m_parallel_for(s->arena->context, n, 64, cost_order, s);
    return kd2m_gemm(s->arena->context, true, false, n, m, m, -1.0F, s->half, n, s->y.inner, m,
                     1.0F, s->costs, m);
}

double kd2m_gromov_cost(const gromov *s, const kd2m_plan *plan) {
    double sum = 0.0;
    for (size_t e = 0; e < plan->entries; e++)
        sum += plan->mass[e] * (double)s->costs[plan->row[e] * s->y.count + plan->column[e]];
    return sum;
}
