/*
 * Entropic optimal transport of squared distances:
 *
 *     D = min over plans P of sum_ij P_ij |x_i - y_j|^2 + eps KL(P | a b^T)
 *     dD/dx_i = 2 sum_j P_ij (x_i - y_j)
 *
 * eps is a share of the mean cost, sum_ij a_i b_j |x_i - y_j|^2, which prepare holds; with abs=1 a
 * cost itself. The value is that of the dual, <f, a> + <g, b>. It is not 0 for X = Y: sinkhorn-div
 * is.
 *
 * Cuturi, 'Sinkhorn distances', NeurIPS 2013.
 * Cost and threads: metric_entropic.c.
 */
#include "metric_entropic.h"

#define ROW(...) KD2M_SETTINGS_ROW(kd2m_entropic_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {KD2M_ENTROPIC_SETTINGS(ROW)};

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    return kd2m_entropic_bytes(unit, shape);
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_sinkhorn_problem problem = kd2m_entropic_problem(call);
    return kd2m_entropic(call, &problem, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_sinkhorn = {
    .name = "sinkhorn",
    .summary = "entropic optimal transport of squared distances",
    .formula = "min over plans P of sum_ij P_ij |x_i - y_j|^2 + eps KL(P | a b)",
    .source = "Cuturi 2013",
    .traits = KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION | KD2M_METRIC_ROTATION |
              KD2M_METRIC_PERMUTATION | KD2M_METRIC_TRANSPORT | KD2M_METRIC_WEIGHTS |
              KD2M_METRIC_SCALING,
    .degree = 2,
    .least_rows = 1,
    .feature_cost = KD2M_COST_SQUARED,
    .constant_names = {"mean_cost"},
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(kd2m_entropic_settings),
    .configure = kd2m_entropic_configure,
    .workspace = workspace,
    .prepare = kd2m_entropic_prepare,
    .evaluate = evaluate,
};
