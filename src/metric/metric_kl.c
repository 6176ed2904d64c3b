/*
 * Kullback-Leibler divergence between the Gaussians that fit the two samples, with diagonal
 * covariances. With s = var_x + floor, t = var_y + floor, floor = reg * mean_k var_y and
 * g = mean_x - mean_y:
 *
 *     dir=st   KL(S|T) = 1/2 sum_k [ s/t - 1 - log(s/t) + g^2/t ]
 *              dD/dx_i = a_i [ g/t + (1/t - 1/s)(x_i - mean_x) ]
 *     dir=ts   KL(T|S) = 1/2 sum_k [ t/s - 1 - log(t/s) + g^2/s ]
 *              dD/dx_i = a_i [ g/s + (1/s - (t + g^2)/s^2)(x_i - mean_x) ]
 *
 * The floor keeps a feature that is dead on one side finite. Where it is 0 itself (a teacher
 * without any variance, or reg=0) and a variance is 0, the divergence is infinite: said, not
 * returned.
 *
 * Kullback & Leibler, 'On information and sufficiency', 1951.
 * Cost: O((n + m) d) time, O(d) memory. Threads: the context's.
 */
#include "metric_moments.h"

#include <math.h>
#include <string.h>

#include "context.h"

/* clang-format off */
#define KL_SETTINGS(X)                                                                             \
    X(CHOICE, cov, "diag", 0, 0,   "diag|full", "covariances: per feature alone, or of all pairs") \
    X(REAL,   reg, "1e-5", 0, 1e6, "R", "adds R times the teacher's mean variance to all variances") \
    X(CHOICE, dir, "st",   0, 0,   "st|ts", "KL(student|teacher), or the other way round")
/* clang-format on */

typedef struct kl_settings {
    KL_SETTINGS(KD2M_SETTINGS_FIELD)
} kl_settings;

#define ROW(...) KD2M_SETTINGS_ROW(kl_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {KL_SETTINGS(ROW)};

static kd2m_status configure(kd2m_context *context, kd2m_metric_unit *unit) {
    const kl_settings *settings = unit->settings;
    if (strcmp(settings->cov, "diag") != 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "kl:cov=full is not there yet; kl:cov=diag works");
    return KD2M_OK;
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    return kd2m_metric_moments_bytes(shape->dim_x);
}

/* Adds the floor to all variances; fails where one stays 0. */
static kd2m_status add_floor(const kd2m_metric_call *call, kd2m_moments *moments, double reg) {
    double total = 0;
    for (size_t k = 0; k < moments->dim; k++)
        total += moments->variance_y[k];
    double floor = reg * total / (double)moments->dim;
    for (size_t k = 0; k < moments->dim; k++) {
        moments->variance_x[k] += floor;
        moments->variance_y[k] += floor;
        if (!(moments->variance_x[k] > 0 && moments->variance_y[k] > 0))
            return kd2m_fail(call->context, KD2M_ERROR_NUMERIC,
                             "kl is infinite: feature %zu of the %s has no variance, and reg=%g "
                             "times the teacher's mean variance, %g, adds nothing to it",
                             k, moments->variance_y[k] > 0 ? "student" : "teacher", reg,
                             total / (double)moments->dim);
    }
    return KD2M_OK;
}

/* r - 1 - log(r), without cancellation near r = 1. */
static double excess(double ratio) {
    return (ratio - 1) - log1p(ratio - 1);
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kl_settings *settings = call->unit->settings;
    bool reversed = strcmp(settings->dir, "ts") == 0;
    kd2m_moments moments;
    double *shift, *slope;
    KD2M_TRY(kd2m_metric_moments(call, &moments));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&shift, moments.dim, sizeof *shift));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&slope, moments.dim, sizeof *slope));
    KD2M_TRY(add_floor(call, &moments, settings->reg));
    for (size_t k = 0; k < moments.dim; k++) {
        double s = moments.variance_x[k], t = moments.variance_y[k];
        double gap = moments.mean_x[k] - moments.mean_y[k];
        double ratio = reversed ? t / s : s / t;
        double scale = reversed ? s : t; /* the variance that the means are measured in */
        result->value += 0.5 * (excess(ratio) + gap * gap / scale);
        shift[k] = gap / scale;
        slope[k] = reversed ? (1 - ratio - gap * gap / s) / s : 1 / t - 1 / s;
    }
    if (gradient)
        kd2m_metric_moments_gradient(call, moments.mean_x, shift, slope, gradient);
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_kl = {
    .name = "kl",
    .summary = "Kullback-Leibler divergence of the fitted Gaussians",
    .formula = "1/2 sum_k [s/t - 1 - log(s/t) + (mean_x - mean_y)^2/t], "
               "s and t the variances of x and y plus reg times the mean variance of y",
    .source = "Kullback & Leibler 1951",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_TRANSLATION | KD2M_METRIC_PERMUTATION |
              KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING | KD2M_METRIC_MOMENTS,
    .degree = 0,
    .least_rows = 2,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(kl_settings),
    .configure = configure,
    .workspace = workspace,
    .evaluate = evaluate,
};
