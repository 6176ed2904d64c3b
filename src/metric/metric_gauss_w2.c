/*
 * The 2-Wasserstein distance, squared, between the Gaussians that fit the two samples. With
 * diagonal covariances (full ones: metric_gauss_w2_full.c):
 *
 *     D = |mean_x - mean_y|^2 + |sd_x - sd_y|^2
 *     dD/dx_i = 2 a_i [(mean_x - mean_y) + (1 - sd_y/sd_x)(x_i - mean_x)],  the second term 0 where
 *                                                                           sd_x = 0
 *
 * Dowson & Landau, 'The Frechet distance between multivariate normal distributions', 1982.
 * Cost: O((n + m) d) time, O(d) memory. Threads: the context's.
 */
#include "metric_gauss_w2_full.h"
#include "metric_gaussian.h"
#include "metric_moments.h"

#include <math.h>

#include "context.h"

/* clang-format off */
#define GAUSS_W2_SETTINGS(X)                                                                       \
    X(CHOICE, cov, "diag", 0, 0, "diag|full", "covariances: per feature alone, or of all pairs")
/* clang-format on */

typedef struct gauss_w2_settings {
    GAUSS_W2_SETTINGS(KD2M_SETTINGS_FIELD)
} gauss_w2_settings;

#define ROW(...) KD2M_SETTINGS_ROW(gauss_w2_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {GAUSS_W2_SETTINGS(ROW)};

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    return kd2m_gaussian_is_full(unit) ? kd2m_metric_gauss_w2_full_bytes(shape)
                                       : kd2m_metric_moments_bytes(shape->dim_x);
}

static kd2m_status from_moments(const kd2m_metric_call *call, kd2m_metric_result *result,
                                const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_moments moments;
    double *shift, *slope;
    KD2M_TRY(kd2m_metric_moments(call, &moments));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&shift, moments.dim, sizeof *shift));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&slope, moments.dim, sizeof *slope));
    for (size_t k = 0; k < moments.dim; k++) {
        double mean_gap = moments.mean_x[k] - moments.mean_y[k];
        double sd_x = sqrt(moments.variance_x[k]);
        double sd_gap = sd_x - sqrt(moments.variance_y[k]);
        result->value += mean_gap * mean_gap + sd_gap * sd_gap;
        shift[k] = 2 * mean_gap;
        slope[k] = sd_x > 0 ? 2 * sd_gap / sd_x : 0;
    }
    if (gradient)
        kd2m_metric_moments_gradient(call, moments.mean_x, shift, slope, gradient);
cleanup:
    return status;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    return (kd2m_gaussian_is_full(call->unit) ? kd2m_metric_gauss_w2_full
                                              : from_moments)(call, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_gauss_w2 = {
    .name = "gauss-w2",
    .summary = "squared 2-Wasserstein distance of the fitted Gaussians",
    .formula = "|mean_x - mean_y|^2 + |sd_x - sd_y|^2; "
               "full: |mean_x - mean_y|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)",
    .source = "Dowson & Landau 1982",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_PERMUTATION | KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING |
              KD2M_METRIC_MOMENTS,
    .degree = 2,
    .least_rows = 2,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(gauss_w2_settings),
    .configure = kd2m_gaussian_configure_cov,
    .workspace = workspace,
    .evaluate = evaluate,
};
