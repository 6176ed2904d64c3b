/*
 * The 2-Wasserstein distance, squared: exact transport of squared Euclidean distances.
 *
 *     D = min over plans of sum_ij plan_ij |x_i - y_j|^2
 *     dD/dx_i = 2 sum_j plan_ij (x_i - y_j)
 *
 * Peyre & Cuturi, 'Computational optimal transport', 2019; Montesuma, 'KD2M', arXiv:2504.01757.
 * Cost and threads: metric_transport.c.
 */
#include "metric_transport.h"

const kd2m_metric_descriptor kd2m_metric_descriptor_w2 = {
    .name = "w2",
    .summary = "squared 2-Wasserstein distance, exact",
    .formula = "min over plans of sum_ij plan_ij |x_i - y_j|^2",
    .source = "Peyre & Cuturi 2019; Montesuma 2025 (KD2M)",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_TRANSPORT |
              KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING,
    .degree = 2,
    .least_rows = 1,
    .feature_cost = KD2M_COST_SQUARED,
    .workspace = kd2m_metric_transport_bytes,
    .evaluate = kd2m_metric_transport,
};
