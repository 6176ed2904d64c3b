/*
 * Divergences of the fitted Gaussians with diagonal covariances: outer(sum over features of
 * term(gap, s, t)), with s = var_x + floor, t = var_y + floor, floor = reg * mean_k var_y and
 * gap = mean_x - mean_y. The floor is the teacher's, a constant to the student's gradient:
 *
 *     dD/dx_i = outer' a_i [ dterm/dgap + 2 dterm/ds (x_i - mean_x) ]
 *
 * The floor keeps a feature that is dead on one side finite. Where it is 0 itself (a teacher
 * without any variance, or reg=0) and a variance is 0, the divergence is infinite or undefined:
 * said, not returned.
 *
 * Cost: O((n + m) d) time, O(d) memory. Threads: the context's.
 */
#include "metric_gaussian.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "metric_moments.h"

/* Below this sum of squared distances per standard deviation, what is left is rounding of float32
 * data's means, and its direction means nothing. */
#define ROOT_ROUNDING 1e-20

#define ROW(...) KD2M_SETTINGS_ROW(kd2m_gaussian_settings, __VA_ARGS__)
const kd2m_setting kd2m_gaussian_rows[] = {KD2M_GAUSSIAN_SETTINGS(ROW)};

kd2m_status kd2m_gaussian_check_cov(kd2m_context *context, const kd2m_metric_unit *unit,
                                    const char *cov) {
    const char *name = unit->descriptor->name;
    if (strcmp(cov, "diag") != 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%s:cov=full is not there yet; %s:cov=diag works", name, name);
    return KD2M_OK;
}

kd2m_status kd2m_gaussian_configure_symmetric(kd2m_context *context, kd2m_metric_unit *unit) {
    const kd2m_gaussian_settings *settings = unit->settings;
    if (settings->reg == 0)
        unit->traits |= KD2M_METRIC_SYMMETRIC;
    return kd2m_gaussian_check_cov(context, unit, settings->cov);
}

size_t kd2m_gaussian_bytes(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    return kd2m_metric_moments_bytes(shape->dim_x);
}

double kd2m_gaussian_excess(double ratio) {
    return (ratio - 1) - log1p(ratio - 1);
}

void kd2m_gaussian_root(double sum, double *value, double *slope) {
    *value = sqrt(sum);
    *slope = sum > ROOT_ROUNDING ? 0.5 / *value : 0;
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
                             "%s is infinite or undefined: feature %zu of the %s has no variance, "
                             "and reg=%g times the teacher's mean variance, %g, adds nothing to it",
                             call->unit->descriptor->name, k,
                             moments->variance_y[k] > 0 ? "student" : "teacher", reg,
                             total / (double)moments->dim);
    }
    return KD2M_OK;
}

kd2m_status kd2m_gaussian_evaluate(const kd2m_metric_call *call,
                                   const kd2m_gaussian_divergence *divergence,
                                   kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_moments moments;
    double *shift, *slope, sum = 0, outer_slope = 1;
    KD2M_TRY(kd2m_metric_moments(call, &moments));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&shift, moments.dim, sizeof *shift));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&slope, moments.dim, sizeof *slope));
    KD2M_TRY(add_floor(call, &moments, divergence->reg));
    for (size_t k = 0; k < moments.dim; k++) {
        double s = moments.variance_x[k], t = moments.variance_y[k];
        kd2m_gaussian_term term =
            divergence->term(divergence->parameter, moments.mean_x[k] - moments.mean_y[k], s, t);
        if (isinf(term.value)) {
            status = kd2m_fail(call->context, KD2M_ERROR_NUMERIC,
                               "%s is infinite: the student's variance of feature %zu, %g, is too "
                               "large beside the teacher's, %g",
                               call->unit->descriptor->name, k, s, t);
            goto cleanup;
        }
        sum += term.value;
        shift[k] = term.by_gap;
        slope[k] = 2 * term.by_variance;
    }
    result->value = sum;
    if (divergence->outer)
        divergence->outer(fmax(sum, 0), &result->value, &outer_slope);
    for (size_t k = 0; k < moments.dim; k++) {
        shift[k] *= outer_slope;
        slope[k] *= outer_slope;
    }
    if (gradient)
        kd2m_metric_moments_gradient(call, moments.mean_x, shift, slope, gradient);
cleanup:
    return status;
}
