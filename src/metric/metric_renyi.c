/*
 * Renyi divergence of order alpha of the fitted Gaussians, the student's from the teacher's. With
 * s, t the variances, g = mean_x - mean_y and m = alpha t + (1 - alpha) s, a feature adds
 *
 *     1/2 [ log(m/t)/(1 - alpha) - log(s/t) + alpha g^2/m ]
 *
 * alpha -> 1 is kl. For alpha > 1 it is infinite where m <= 0: said, not returned. Symmetric for
 * alpha = 1/2 alone, and then but for the floor.
 *
 * Renyi, 'On measures of entropy and information', 1961; Gil, Alajaji & Linder, 'Renyi divergence
 * measures for commonly used univariate continuous distributions', 2013.
 * Gradient, floor, cost and threads: metric_gaussian.c.
 */
#include "metric_gaussian.h"

#include <math.h>

#include "context.h"

/* clang-format off */
#define RENYI_SETTINGS(X)                                                                          \
    X(REAL,   alpha, "0.5", 1e-6, 1e6, "A", "order, not 1: that is kl")                            \
    KD2M_GAUSSIAN_SETTINGS(X)
/* clang-format on */

typedef struct renyi_settings {
    RENYI_SETTINGS(KD2M_SETTINGS_FIELD)
} renyi_settings;

#define ROW(...) KD2M_SETTINGS_ROW(renyi_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {RENYI_SETTINGS(ROW)};

static kd2m_status configure(kd2m_context *context, kd2m_metric_unit *unit) {
    const renyi_settings *settings = unit->settings;
    if (fabs(settings->alpha - 1) < 1e-6)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "renyi:alpha=1 is kl; use kl");
    if (settings->alpha == 0.5 && settings->reg == 0)
        unit->traits |= KD2M_METRIC_SYMMETRIC;
    return kd2m_gaussian_configure_cov(context, unit);
}

static kd2m_gaussian_term feature(double alpha, double gap, double s, double t) {
    double beta = 1 - alpha, excess = (s - t) / t;
    double mixed = t * (1 + beta * excess);
    if (!(mixed > 0))
        return (kd2m_gaussian_term){.value = INFINITY};
    double scaled = gap / mixed;
    return (kd2m_gaussian_term){
        .value = 0.5 * (log1p(beta * excess) / beta - log1p(excess) + alpha * gap * scaled),
        .by_gap = alpha * scaled,
        .by_variance = 0.5 * alpha * ((s - t) / (mixed * s) - beta * scaled * scaled),
        .bend = scaled,
    };
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const renyi_settings *settings = call->unit->settings;
    const kd2m_gaussian_divergence divergence = {.term = feature,
                                                 .parameter = settings->alpha,
                                                 .reg = settings->reg,
                                                 .coupling = -0.5 * settings->alpha *
                                                             (1 - settings->alpha)};
    return kd2m_gaussian_evaluate(call, &divergence, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_renyi = {
    .name = "renyi",
    .summary = "Renyi divergence of the fitted Gaussians",
    .formula = "1/2 sum_k [log(m/t)/(1 - alpha) - log(s/t) + alpha (mean_x - mean_y)^2/m], "
               "m = alpha t + (1 - alpha) s, s and t the variances of x and y plus reg times the "
               "mean variance of y",
    .source = "Renyi 1961; Gil et al. 2013",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_TRANSLATION | KD2M_METRIC_PERMUTATION |
              KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING | KD2M_METRIC_MOMENTS,
    .degree = 0,
    .least_rows = 2,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(renyi_settings),
    .configure = configure,
    .workspace = kd2m_gaussian_bytes,
    .evaluate = evaluate,
};
