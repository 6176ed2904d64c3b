/* The rbf kernel of mmd. */
#ifndef KD2M_METRIC_MMD_RBF_H
#define KD2M_METRIC_MMD_RBF_H

#include "metric.h"

/* Room for either of the two below. */
size_t kd2m_metric_rbf_bytes(const kd2m_metric_shape *shape);

/* *out = the mean of the n^2 + m^2 + n m distances within X, within Y and between them, the zeros
 * of the diagonals included. Weights don't enter. */
kd2m_status kd2m_metric_rbf_bandwidth(const kd2m_metric_call *call, double *out);

/* Value and gradient for the bandwidth `sigma`. */
kd2m_status kd2m_metric_rbf(const kd2m_metric_call *call, double sigma, kd2m_metric_result *result,
                            const kd2m_gradient *gradient);

#endif
