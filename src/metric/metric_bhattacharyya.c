/*
 * Bhattacharyya distance of the fitted Gaussians p and q, -log of the integral of sqrt(p q). With
 * s, t the variances and g = mean_x - mean_y, a feature adds
 *
 *     1/4 g^2/(s + t) + 1/2 log((s + t)/(2 sqrt(s t)))
 *         = 1/4 [ g^2/(s + t) + log(1 + (s - t)^2/(4 s t)) ]
 *
 * Bhattacharyya, 'On a measure of divergence between two statistical populations', 1943; Nielsen &
 * Boltz, 'The Burbea-Rao and Bhattacharyya centroids', 2011.
 * Gradient, floor, cost and threads: metric_gaussian.c.
 */
#include "metric_gaussian.h"

#include <math.h>

kd2m_gaussian_term kd2m_gaussian_bhattacharyya(double parameter, double gap, double s, double t) {
    (void)parameter;
    double sum = s + t, difference = s - t, scaled = gap / sum;
    return (kd2m_gaussian_term){
        .value = 0.25 * (gap * scaled + log1p(difference * difference / (4 * s * t))),
        .by_gap = 0.5 * scaled,
        .by_variance = 0.25 * (difference / (s * sum) - scaled * scaled),
        .bend = scaled,
    };
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const kd2m_gaussian_settings *settings = call->unit->settings;
    const kd2m_gaussian_divergence divergence = {.term = kd2m_gaussian_bhattacharyya,
                                                 .reg = settings->reg,
                                                 .coupling = KD2M_BHATTACHARYYA_COUPLING};
    return kd2m_gaussian_evaluate(call, &divergence, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_bhattacharyya = {
    .name = "bhattacharyya",
    .summary = "Bhattacharyya distance of the fitted Gaussians",
    .formula = "sum_k [(mean_x - mean_y)^2/(s + t)/4 + log((s + t)/(2 sqrt(s t)))/2], "
               "s and t the variances of x and y plus reg times the mean variance of y",
    .source = "Bhattacharyya 1943; Nielsen & Boltz 2011",
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
