/*
 * Jeffreys divergence: the Kullback-Leibler divergences of the fitted Gaussians both ways, summed.
 * With s, t the variances and g = mean_x - mean_y, a feature adds
 *
 *     1/2 [ (s - t)^2/(s t) + g^2 (1/s + 1/t) ]
 *
 * Jeffreys, 'An invariant form for the prior probability in estimation problems', 1946.
 * Gradient, floor, cost and threads: metric_gaussian.c.
 */
#include "metric_gaussian.h"

static kd2m_gaussian_term feature(double parameter, double gap, double s, double t) {
    (void)parameter;
    double difference = s - t, precision = 1 / s + 1 / t;
    return (kd2m_gaussian_term){
        .value = 0.5 * (difference * difference / (s * t) + gap * gap * precision),
        .by_gap = gap * precision,
        .by_variance = 0.5 * (difference * precision / s - gap * gap / (s * s)),
        .bend = gap / s,
    };
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const kd2m_gaussian_settings *settings = call->unit->settings;
    const kd2m_gaussian_divergence divergence = {
        .term = feature, .reg = settings->reg, .coupling = -0.5};
    return kd2m_gaussian_evaluate(call, &divergence, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_jeffreys = {
    .name = "jeffreys",
    .summary = "Kullback-Leibler divergences of the fitted Gaussians both ways, summed",
    .formula = "1/2 sum_k [(s - t)^2/(s t) + (mean_x - mean_y)^2 (1/s + 1/t)], "
               "s and t the variances of x and y plus reg times the mean variance of y",
    .source = "Jeffreys 1946",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_TRANSLATION | KD2M_METRIC_PERMUTATION |
              KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING | KD2M_METRIC_MOMENTS,
    .degree = 0,
    .least_rows = 2,
    .settings = {kd2m_gaussian_rows, KD2M_GAUSSIAN_SETTING_COUNT},
    .settings_size = sizeof(kd2m_gaussian_settings),
    .configure = kd2m_gaussian_configure_symmetric,
    .workspace = kd2m_gaussian_bytes,
    .evaluate = evaluate,
};
