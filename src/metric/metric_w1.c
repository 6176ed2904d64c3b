/*
 * The 1-Wasserstein distance: exact transport of Euclidean distances.
 *
 *     D = min over plans of sum_ij plan_ij |x_i - y_j|
 *     dD/dx_i = sum_j plan_ij (x_i - y_j) / |x_i - y_j|, 0 where the two coincide
 *
 * Peyre & Cuturi, 'Computational optimal transport', 2019.
 * Cost and threads: metric_transport.c.
 */
#include "metric_transport.h"

const kd2m_metric_descriptor kd2m_metric_descriptor_w1 = {
    .name = "w1",
    .summary = "1-Wasserstein distance, exact",
    .formula = "min over plans of sum_ij plan_ij |x_i - y_j|",
    .source = "Peyre & Cuturi 2019",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_TRANSPORT |
              KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING,
    .degree = 1,
    .least_rows = 1,
    .feature_cost = KD2M_COST_DISTANCE,
    .workspace = kd2m_metric_transport_bytes,
    .evaluate = kd2m_metric_transport,
};
