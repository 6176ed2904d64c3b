/*
 * Entropic optimal transport between two sets of weighted points, given their cost matrix, or
 * something that makes rows of it.
 *
 *     min over P >= 0 of  <P, C> + eps KL(P | a b^T) + rho KL(P 1 | a) + rho KL(P^T 1 | b)
 *
 * KL(p | q) = sum p log(p/q) - p + q. With rho infinite the last two demand that the plan's
 * marginals are the weights a and b. The plan is P_ij = a_i b_j exp((f_i + g_j - C_ij)/eps).
 */
#ifndef KD2M_OT_SINKHORN_H
#define KD2M_OT_SINKHORN_H

#include "transport.h"

typedef struct kd2m_sinkhorn_result kd2m_sinkhorn_result;

typedef struct kd2m_sinkhorn_problem {
    kd2m_costs costs; /* values NULL: only rows and columns are looked at, `fill` makes the rest */
    const double *row_weights, *column_weights; /* sum to 1; NULL = uniform */
    double epsilon;                             /* > 0, a cost */
    double rho;                                 /* > 0, a cost; INFINITY = marginals are kept */
    double tolerance;        /* on the plan's distance from its limit, as a share of the mass */
    int64_t most_iterations; /* >= 1 */
    const double *start;     /* column potentials to begin with; NULL = 0 */

    /* Where costs are not kept: out (count x columns) = rows first .. first + count of them, finite
     * and the same whenever asked, up to block_rows (>= 1) at a time; and their mean magnitude. */
    kd2m_status (*fill)(void *user, float *out, size_t first, size_t count);
    size_t block_rows;
    double mean_cost;

    /* Is shown the plan from its first row to its last, costs.rows rows at a time with their costs,
     * `out` complete but for the sums of columns, the value and the certificate. NULL = nobody
     * looks.
     */
    kd2m_status (*visit)(void *user, const kd2m_sinkhorn_result *out, const float *plan,
                         kd2m_costs costs, size_t first);
    void *user; /* of fill and visit */
} kd2m_sinkhorn_problem;

/* Lives in the caller's arena. */
struct kd2m_sinkhorn_result {
    float *plan; /* rows x columns, contiguous; NULL where costs are not kept */
    double *row_potentials, *column_potentials;
    double *row_sums, *column_sums; /* of the plan */
    double value;                   /* the dual's: below the optimum by no more than the gap */
    double gap;                     /* primal - dual, as a share of the mean |cost| */
    double marginal_error;          /* largest deviation of a marginal from what the potentials
                                       ask of it: a and b, or a exp(-f/rho) and b exp(-g/rho) */
    int64_t iterations;             /* passes over the matrix */
    int converged;
};

/* Errors: KD2M_ERROR_USAGE, KD2M_ERROR_NUMERIC as for exact transport; those of fill and visit;
 * KD2M_ERROR_INTERRUPTED. That it did not converge is no error: the result says so. */
kd2m_status kd2m_sinkhorn(kd2m_arena *arena, const kd2m_sinkhorn_problem *problem,
                          kd2m_sinkhorn_result *out);

/* The same between a set of points and itself, rho infinite: costs and weights of the two sides are
 * the same, and so are the potentials. `column_weights` and `start` are not looked at. */
kd2m_status kd2m_sinkhorn_symmetric(kd2m_arena *arena, const kd2m_sinkhorn_problem *problem,
                                    kd2m_sinkhorn_result *out);

/* Arena bytes for either; block_rows = 0 where the caller keeps the costs. */
size_t kd2m_sinkhorn_bytes(size_t rows, size_t columns, size_t block_rows);

#endif
