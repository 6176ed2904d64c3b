/*
 * Kullback-Leibler divergence between the Gaussians that fit the two samples. With s, t the
 * variances and g = mean_x - mean_y, a feature adds
 *
 *     dir=st   KL(S|T) = 1/2 [ s/t - 1 - log(s/t) + g^2/t ]
 *     dir=ts   KL(T|S) = 1/2 [ t/s - 1 - log(t/s) + g^2/s ]
 *
 * Kullback & Leibler, 'On information and sufficiency', 1951.
 * Gradient, floor, cost and threads: metric_gaussian.c.
 */
#include "metric_gaussian.h"

#include <string.h>

/* clang-format off */
#define KL_SETTINGS(X)                                                                             \
    KD2M_GAUSSIAN_SETTINGS(X)                                                                      \
    X(CHOICE, dir, "st",   0, 0,   "st|ts", "KL(student|teacher), or the other way round")
/* clang-format on */

typedef struct kl_settings {
    KL_SETTINGS(KD2M_SETTINGS_FIELD)
} kl_settings;

#define ROW(...) KD2M_SETTINGS_ROW(kl_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {KL_SETTINGS(ROW)};

static kd2m_gaussian_term student_to_teacher(double parameter, double gap, double s, double t) {
    (void)parameter;
    return (kd2m_gaussian_term){
        .value = 0.5 * (kd2m_gaussian_excess(s / t) + gap * gap / t),
        .by_gap = gap / t,
        .by_variance = 0.5 * (1 / t - 1 / s),
    };
}

static kd2m_gaussian_term teacher_to_student(double parameter, double gap, double s, double t) {
    (void)parameter;
    double ratio = t / s, distance = gap * gap / s;
    return (kd2m_gaussian_term){
        .value = 0.5 * (kd2m_gaussian_excess(ratio) + distance),
        .by_gap = gap / s,
        .by_variance = 0.5 * (1 - ratio - distance) / s,
        .bend = gap / s,
    };
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const kl_settings *settings = call->unit->settings;
    bool reversed = strcmp(settings->dir, "ts") == 0;
    const kd2m_gaussian_divergence divergence = {
        .term = reversed ? teacher_to_student : student_to_teacher,
        .reg = settings->reg,
        .coupling = reversed ? -0.5 : 0,
    };
    return kd2m_gaussian_evaluate(call, &divergence, result, gradient);
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
    .configure = kd2m_gaussian_configure_cov,
    .workspace = kd2m_gaussian_bytes,
    .evaluate = evaluate,
};
