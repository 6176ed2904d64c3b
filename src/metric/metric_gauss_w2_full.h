/* gauss-w2 with full covariances. */
#ifndef KD2M_METRIC_GAUSS_W2_FULL_H
#define KD2M_METRIC_GAUSS_W2_FULL_H

#include "metric.h"

size_t kd2m_metric_gauss_w2_full_bytes(const kd2m_metric_shape *shape);
kd2m_status kd2m_metric_gauss_w2_full(const kd2m_metric_call *call, kd2m_metric_result *result,
                                      const kd2m_gradient *gradient);

#endif
