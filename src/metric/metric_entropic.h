/* What the metrics of entropic transport share: their settings, the solution on the call's ground,
 * and gradients of its plan. */
#ifndef KD2M_METRIC_ENTROPIC_H
#define KD2M_METRIC_ENTROPIC_H

#include "metric_ground.h"
#include "sinkhorn.h"

/* clang-format off */
#define KD2M_ENTROPIC_SETTINGS(X)                                                                  \
    X(REAL,    eps,   "0.05", 1e-6, 1e12,      "E", "entropy's weight, as a share of the mean cost") \
    X(FLAG,    abs,   "0",    0,    1,         "0|1", "1: the weights are costs themselves")       \
    X(INTEGER, iters, "20000", 1,   1000000000, "N", "iterations at most")                         \
    X(INTEGER, memory, "1024", 0,   1048576,   "MIB", "matrices up to this size are kept; of larger ones rows are made anew in every pass")
/* clang-format on */

typedef struct kd2m_entropic_settings {
    KD2M_ENTROPIC_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_entropic_settings;

/* Hooks for units whose settings begin with kd2m_entropic_settings. The one constant, not there
 * with abs=1, is the mean cost. */
kd2m_status kd2m_entropic_configure(kd2m_context *context, kd2m_metric_unit *unit);
kd2m_status kd2m_entropic_prepare(const kd2m_metric_call *call);
/* What weights are multiplied with: the mean cost, or 1. */
double kd2m_entropic_unit(const kd2m_metric_call *call);

/* A solver's problem on the call's settings, costs apart: rho infinite, no start. */
kd2m_sinkhorn_problem kd2m_entropic_problem(const kd2m_metric_call *call);

/* What a plan is good for. It is there a few rows at a time, while it is solved for. */
typedef struct kd2m_entropic_plan {
    const kd2m_gradient *gradient; /* gets the products, unless NULL: */
    const kd2m_metric_side *z, *y; /* gradient = (first) or += sign * sum_j plan_ij z_j, z moved
                                      by the mean of y */
    bool first;
    float sign;
    double pair_share; /* out: of its mass on true pairs, NaN where there are none */
} kd2m_entropic_plan;

/* The solution of `problem` on the ground's costs, in the arena, and what `plan` asks for. The
 * costs are kept in a matrix where that is allowed; the solution's own plan is not to be looked at.
 */
kd2m_status kd2m_entropic_solve(const kd2m_metric_call *call, const kd2m_ground *ground,
                                const kd2m_sinkhorn_problem *problem, bool symmetric,
                                kd2m_entropic_plan *plan, kd2m_sinkhorn_result *out);
size_t kd2m_entropic_bytes(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape);

/* result's certificate = that of the solution. */
void kd2m_entropic_certify(kd2m_metric_result *result, const kd2m_sinkhorn_result *solved);

/*
 * The gradient of sums of sum_ij plan_ij c(x_i, z_j) is taken in two steps so that nothing large
 * cancels. The plans' products, for features and for logits where the ground compares them, with z
 * moved by the mean of Y. Then this: gradient_i = slope * (mass_i x_i - gradient_i), x moved alike;
 * mass_i = sum of all signed plans' row i.
 */
kd2m_status kd2m_entropic_finish(const kd2m_metric_call *call, const kd2m_ground *ground,
                                 const double *mass, const kd2m_gradient *gradient);

/* Value, certificate, pair share and gradient of one problem between X and Y. */
kd2m_status kd2m_entropic(const kd2m_metric_call *call, const kd2m_sinkhorn_problem *problem,
                          kd2m_metric_result *result, const kd2m_gradient *gradient);

#endif
