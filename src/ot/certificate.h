/*
 * What both solvers do around their own work: check and measure the costs, lay out the result, and
 * prove how good it is.
 */
#ifndef KD2M_OT_CERTIFICATE_H
#define KD2M_OT_CERTIFICATE_H

#include <stdbool.h>

#include "transport.h"

/* Whether all weights are 1/count up to rounding (NULL is). */
bool kd2m_weights_uniform(const double *weights, size_t count);

/* The size of the costs, against which gaps and tolerances are measured. */
typedef struct kd2m_cost_scale {
    double mean;    /* of |C_ij| */
    double largest; /* |C_ij| */
} kd2m_cost_scale;

/* Errors: KD2M_ERROR_USAGE (no rows or columns, a stride shorter than a row, too many points). */
kd2m_status kd2m_costs_check_shape(kd2m_context *context, kd2m_costs costs);

/* Errors: those, and KD2M_ERROR_NUMERIC (NaN, infinity, or so large that sums of costs would
 * overflow). */
kd2m_status kd2m_costs_measure(kd2m_context *context, kd2m_costs costs, kd2m_cost_scale *scale);

/* Room for the plan and the potentials in the arena; everything zero. */
kd2m_status kd2m_transport_take(kd2m_arena *arena, kd2m_costs costs, kd2m_transport *out);
size_t kd2m_transport_result_bytes(size_t rows, size_t columns);

/* Largest absolute deviation of a plan's marginals from the weights; of `shape` the rows and
 * columns count. Scratch: `sums`, as many values as rows and columns. */
double kd2m_plan_marginal_error(const kd2m_plan *plan, kd2m_costs shape, const double *row_weights,
                                const double *column_weights, double *sums);

/*
 * Given the plan and any column potentials, sets the row potentials to the largest that are dual
 * feasible, and from them cost, gap and marginal error. `weights` as the solvers take them;
 * scratch comes from the arena (kd2m_certificate_bytes). O(rows x columns) time.
 */
kd2m_status kd2m_transport_certify(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                                   const double *column_weights, kd2m_cost_scale scale,
                                   kd2m_transport *out);
size_t kd2m_certificate_bytes(size_t rows, size_t columns);

#endif
