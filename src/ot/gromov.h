/* Gromov-Wasserstein: transport between sets of points of which only distances within each are
 * known. */
#ifndef KD2M_OT_GROMOV_H
#define KD2M_OT_GROMOV_H

#include "transport.h"

typedef struct kd2m_gromov_problem {
    const double *x_distances, *y_distances; /* n x n and m x m, Euclidean, contiguous */
    size_t n, m;
    const double *x_weights, *y_weights; /* sum to 1; NULL = uniform */
    int64_t starts;                      /* >= 1; from the third on random ones */
    uint64_t seed;                       /* what those follow from */
} kd2m_gromov_problem;

/* Lives in the caller's arena. */
typedef struct kd2m_gromov_result {
    kd2m_plan plan;
    double value;          /* sum over pairs of entries of mass mass' (dX - dY)^2 */
    double gap;            /* what a linear step from the plan would still promise, as a share of
                              mean dX^2 + mean dY^2: 0 at a local optimum */
    double marginal_error; /* largest of the plan's marginals */
    int64_t iterations;    /* exact transports solved, over all starts */
    int converged;         /* to a local optimum, every transport to its best plan */
} kd2m_gromov_result;

/* Errors: those of exact transport. */
kd2m_status kd2m_gromov(kd2m_arena *arena, const kd2m_gromov_problem *problem,
                        kd2m_gromov_result *out);
size_t kd2m_gromov_bytes(size_t n, size_t m);

#endif
