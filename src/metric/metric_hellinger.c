/*
 * Hellinger distance of the fitted Gaussians p and q: with B their Bhattacharyya distance,
 *
 *     H = sqrt(1/2 integral (sqrt p - sqrt q)^2) = sqrt(1 - exp(-B))         dH/dB = exp(-B)/(2 H)
 *
 * It lies between 0 and 1, and where it is near 1 its gradient has all but vanished: far Gaussians,
 * which many features make of near ones, want bhattacharyya.
 *
 * Hellinger, 1909; Nielsen & Boltz, 'The Burbea-Rao and Bhattacharyya centroids', 2011.
 * Floor, cost and threads: metric_gaussian.c.
 */
#include "metric_gaussian.h"

#include <math.h>

static void hellinger(double sum, double *value, double *slope) {
    kd2m_gaussian_root(-expm1(-sum), value, slope);
    *slope *= exp(-sum);
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const kd2m_gaussian_settings *settings = call->unit->settings;
    const kd2m_gaussian_divergence divergence = {.term = kd2m_gaussian_bhattacharyya,
                                                 .reg = settings->reg,
                                                 .coupling = KD2M_BHATTACHARYYA_COUPLING,
                                                 .outer = hellinger};
    return kd2m_gaussian_evaluate(call, &divergence, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_hellinger = {
    .name = "hellinger",
    .summary = "Hellinger distance of the fitted Gaussians",
    .formula = "sqrt(1 - exp(-bhattacharyya))",
    .source = "Hellinger 1909; Nielsen & Boltz 2011",
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
