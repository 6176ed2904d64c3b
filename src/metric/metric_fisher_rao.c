/*
 * Fisher-Rao distance of the fitted Gaussians with diagonal covariances: the length of the geodesic
 * between them in the Fisher metric. With g = mean_x - mean_y and v, w the standard deviations of x
 * and y,
 *
 *     D = sqrt(sum_k d_k^2),  d = sqrt(2) arccosh(1 + e),  e = (g^2/2 + (v - w)^2)/(2 v w)
 *     d(d^2) = 4 arccosh(1 + e)/sqrt(e (e + 2)) de,  de/dg = g/(2 v w),  de/dv = (v - w)/(v w) -
 * e/v
 *
 * Between full covariances the geodesic has no closed form, so that cov offers diag alone, and says
 * why where full is asked for.
 *
 * Costa, Santos & Strapasson, 'Fisher information distance: a geometrical reading', 2015.
 * Floor, cost and threads: metric_gaussian.c.
 */
#include "metric_gaussian.h"

#include <math.h>
#include <string.h>

#include "context.h"

/* clang-format off */
#define FISHER_RAO_SETTINGS(X)                                                                     \
    X(TEXT,   cov, "diag", 0, 0,   "diag", "covariances: per feature alone")                       \
    KD2M_GAUSSIAN_REG(X)
/* clang-format on */

#define ROW(...) KD2M_SETTINGS_ROW(kd2m_gaussian_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {FISHER_RAO_SETTINGS(ROW)};

static kd2m_status configure(kd2m_context *context, kd2m_metric_unit *unit) {
    const kd2m_gaussian_settings *settings = unit->settings;
    if (strcmp(settings->cov, "full") == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "fisher-rao:cov=full: between full covariances the geodesic has no closed "
                         "form; leave cov out, or take gauss-w2, jeffreys or bhattacharyya, which "
                         "have one");
    if (strcmp(settings->cov, "diag") != 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "fisher-rao: cov takes diag, not '%.80s'",
                         settings->cov);
    return kd2m_gaussian_configure_symmetric(context, unit);
}

static kd2m_gaussian_term feature(double parameter, double gap, double s, double t) {
    (void)parameter;
    double v = sqrt(s), w = sqrt(t), product = v * w, difference = v - w;
    double excess = (0.5 * gap * gap + difference * difference) / (2 * product);
    double sine = sqrt(excess * (excess + 2)); /* sinh(arccosh(1 + e)) */
    double angle = log1p(excess + sine);
    double by_excess = sine > 0 ? 4 * angle / sine : 4;
    return (kd2m_gaussian_term){
        .value = 2 * angle * angle,
        .by_gap = by_excess * gap / (2 * product),
        .by_variance = by_excess * (difference / product - excess / v) / (2 * v),
    };
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const kd2m_gaussian_settings *settings = call->unit->settings;
    const kd2m_gaussian_divergence divergence = {
        .term = feature, .reg = settings->reg, .outer = kd2m_gaussian_root};
    return kd2m_gaussian_evaluate(call, &divergence, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_fisher_rao = {
    .name = "fisher-rao",
    .summary = "Fisher-Rao distance of the fitted Gaussians",
    .formula =
        "sqrt(2 sum_k arccosh(1 + ((mean_x - mean_y)^2/2 + (v - w)^2)/(2 v w))^2), v^2 and w^2 "
        "the variances of x and y plus reg times the mean variance of y",
    .source = "Costa et al. 2015",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_TRANSLATION | KD2M_METRIC_PERMUTATION |
              KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING | KD2M_METRIC_MOMENTS,
    .degree = 0,
    .least_rows = 2,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(kd2m_gaussian_settings),
    .configure = configure,
    .workspace = kd2m_gaussian_bytes,
    .evaluate = evaluate,
};
