/* What the exact transport metrics share: their hooks. */
#ifndef KD2M_METRIC_TRANSPORT_H
#define KD2M_METRIC_TRANSPORT_H

#include "metric_ground.h"
#include "transport.h"

size_t kd2m_metric_transport_bytes(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape);

/* Solves on the call's ground, and fills value, certificate and pair_share from the plan; then the
 * gradient. */
kd2m_status kd2m_metric_transport(const kd2m_metric_call *call, kd2m_metric_result *result,
                                  const kd2m_gradient *gradient);

/* The share of the plan's mass that goes from a row to the row of the same number; NaN where there
 * are no true pairs. */
double kd2m_metric_pair_share(const kd2m_metric_call *call, const kd2m_plan *plan);

/* Its parts, for another solver: the ground's costs; and all of the result from what was solved. */
kd2m_status kd2m_metric_transport_costs(const kd2m_metric_call *call, const kd2m_ground *ground,
                                        kd2m_costs *out);
kd2m_status kd2m_metric_transport_on(const kd2m_metric_call *call, const kd2m_ground *ground,
                                     const kd2m_transport *solved, kd2m_metric_result *result,
                                     const kd2m_gradient *gradient);

#endif
