/* What the exact transport metrics share. */
#ifndef KD2M_METRIC_TRANSPORT_H
#define KD2M_METRIC_TRANSPORT_H

#include "metric.h"

typedef enum kd2m_ground_cost {
    KD2M_COST_SQUARED, /* |x - y|^2 */
    KD2M_COST_DISTANCE /* |x - y| */
} kd2m_ground_cost;

size_t kd2m_metric_transport_bytes(const kd2m_metric_shape *shape);

/* Solves, and fills value, certificate and pair_share from the plan; then the gradient. */
kd2m_status kd2m_metric_transport(const kd2m_metric_call *call, kd2m_ground_cost cost,
                                  kd2m_metric_result *result, const kd2m_gradient *gradient);

#endif
