/*
 * t tests and intervals of means: see stats.h.
 *
 *     t = mean / se, df = n - 1                              one sample, pairs, interaction
 *     se^2 = u + v, u = sd_a^2 / n_a, v = sd_b^2 / n_b       Welch
 *     df = (u + v)^2 / (u^2 / (n_a - 1) + v^2 / (n_b - 1))
 *
 * Student, 'The probable error of a mean', Biometrika 6(1), 1908; B. L. Welch, 'The generalization
 * of "Student's" problem when several different population variances are involved', Biometrika
 * 34, 1947. The interaction is a t test of each seed's difference of differences.
 * Cost: passes over the values, no memory. Threads: the caller's.
 */
#include "mean_test.h"

#include <math.h>

#include "check.h"
#include "context.h"
#include "summary.h"

double kd2m_t_reach(double se, double df, double alpha) {
    return se > 0 ? kd2m_student_upper_quantile(alpha / 2, df) * se : INFINITY;
}

static const kd2m_mean_test unknown = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

static kd2m_mean_test conclude(double estimate, double se, double df, double level) {
    double t = se > 0 ? estimate / se : 0;
    double reach = kd2m_t_reach(se, df, 1 - level);
    return (kd2m_mean_test){.estimate = estimate,
                            .se = se,
                            .df = df,
                            .t = t,
                            .p = 2 * kd2m_student_tail(fabs(t), df),
                            .low = estimate - reach,
                            .high = estimate + reach,
                            .level = level};
}

static kd2m_status test_contrast(kd2m_mean_test *out, kd2m_context *context,
                                 const kd2m_contrast *contrast, size_t count, double level) {
    *out = unknown;
    kd2m_summary summary;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_check_open_share(context, "level", level));
    KD2M_TRY(kd2m_contrast_summarise(&summary, context, contrast, count, 2));
    *out = conclude(summary.mean, summary.se, (double)(count - 1), level);
cleanup:
    return status;
}

kd2m_status kd2m_mean_test_one(kd2m_mean_test *out, kd2m_context *context, const double *values,
                               size_t count, double level) {
    const kd2m_contrast contrast = {1, {values}, {"values"}};
    return test_contrast(out, context, &contrast, count, level);
}

kd2m_status kd2m_mean_test_paired(kd2m_mean_test *out, kd2m_context *context, const double *a,
                                  const double *b, size_t count, double level) {
    const kd2m_contrast contrast = {2, {a, b}, {"a", "b"}};
    return test_contrast(out, context, &contrast, count, level);
}

kd2m_status kd2m_mean_test_interaction(kd2m_mean_test *out, kd2m_context *context,
                                       const double *a_shift, const double *b_shift,
                                       const double *a_nominal, const double *b_nominal,
                                       size_t count, double level) {
    const kd2m_contrast contrast = {4,
                                    {a_shift, b_shift, a_nominal, b_nominal},
                                    {"a_shift", "b_shift", "a_nominal", "b_nominal"}};
    return test_contrast(out, context, &contrast, count, level);
}

kd2m_status kd2m_mean_test_welch(kd2m_mean_test *out, kd2m_context *context, const double *a,
                                 size_t a_count, const double *b, size_t b_count, double level) {
    *out = unknown;
    const kd2m_contrast sides[2] = {{1, {a}, {"a"}}, {1, {b}, {"b"}}};
    kd2m_summary x, y;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_check_open_share(context, "level", level));
    KD2M_TRY(kd2m_contrast_summarise(&x, context, &sides[0], a_count, 2));
    KD2M_TRY(kd2m_contrast_summarise(&y, context, &sides[1], b_count, 2));
    double se = hypot(x.se, y.se);
    double share = se > 0 ? pow(x.se / se, 2) : 0.5; /* of the variance that is a's */
    double df =
        1 / (share * share / (double)(a_count - 1) + pow(1 - share, 2) / (double)(b_count - 1));
    *out = conclude(x.mean - y.mean, se, df, level);
cleanup:
    return status;
}
