/*
 * Divergences of the fitted Gaussians with diagonal covariances (full ones:
 * metric_gaussian_full.c): outer(sum over features of
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

bool kd2m_gaussian_is_full(const kd2m_metric_unit *unit) {
    const kd2m_setting_list *list = &unit->descriptor->settings;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->rows[i].name, "cov") == 0) {
            const void *field = (const char *)unit->settings + list->rows[i].offset;
            return strcmp(*(const char *const *)field, "full") == 0;
        }
    return false;
}

kd2m_status kd2m_gaussian_configure_cov(kd2m_context *context, kd2m_metric_unit *unit) {
    (void)context;
    if (!kd2m_gaussian_is_full(unit))
        return KD2M_OK;
    unit->traits |= KD2M_METRIC_ROTATION;
    unit->traits &= ~(unsigned)KD2M_METRIC_MOMENTS; /* covariances count, too */
    return KD2M_OK;
}

kd2m_status kd2m_gaussian_configure_symmetric(kd2m_context *context, kd2m_metric_unit *unit) {
    const kd2m_gaussian_settings *settings = unit->settings;
    if (settings->reg == 0)
        unit->traits |= KD2M_METRIC_SYMMETRIC;
    return kd2m_gaussian_configure_cov(context, unit);
}

size_t kd2m_gaussian_bytes(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    if (kd2m_gaussian_is_full(unit))
        return kd2m_gaussian_full_bytes(shape);
    return kd2m_arena_sum(kd2m_metric_moments_bytes(shape->dim_x),
                          kd2m_arena_bytes(shape->dim_x, sizeof(double)));
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

kd2m_status kd2m_gaussian_sum(const kd2m_metric_call *call,
                              const kd2m_gaussian_divergence *divergence,
                              kd2m_gaussian_directions *directions, double *value) {
    double sum = 0;
    for (size_t k = 0; k < directions->count; k++) {
        double s = directions->s[k], t = directions->t[k];
        kd2m_gaussian_term term = divergence->term(divergence->parameter, directions->gap[k], s, t);
        if (isinf(term.value))
            return kd2m_fail(call->context, KD2M_ERROR_NUMERIC,
                             "%s is infinite: along %s %zu the student's variance, %g, is too "
                             "large beside the teacher's, %g",
                             call->unit->descriptor->name, directions->name, k, s, t);
        sum += term.value;
        directions->by_gap[k] = term.by_gap;
        directions->by_variance[k] = term.by_variance;
        if (directions->bend)
            directions->bend[k] = term.bend;
    }
    *value = sum;
    directions->slope = 1;
    if (divergence->outer)
        divergence->outer(fmax(sum, 0), value, &directions->slope);
    return KD2M_OK;
}

static kd2m_status evaluate_diagonal(const kd2m_metric_call *call,
                                     const kd2m_gaussian_divergence *divergence,
                                     kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_moments moments;
    double *gap, *shift, *slope;
    KD2M_TRY(kd2m_metric_moments(call, &moments));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&gap, moments.dim, sizeof *gap));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&shift, moments.dim, sizeof *shift));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&slope, moments.dim, sizeof *slope));
    KD2M_TRY(add_floor(call, &moments, divergence->reg));
    for (size_t k = 0; k < moments.dim; k++)
        gap[k] = moments.mean_x[k] - moments.mean_y[k];
    kd2m_gaussian_directions features = {.name = "feature",
                                         .count = moments.dim,
                                         .gap = gap,
                                         .s = moments.variance_x,
                                         .t = moments.variance_y,
                                         .by_gap = shift,
                                         .by_variance = slope};
    KD2M_TRY(kd2m_gaussian_sum(call, divergence, &features, &result->value));
    for (size_t k = 0; k < moments.dim; k++) {
        shift[k] *= features.slope;
        slope[k] *= 2 * features.slope;
    }
    if (gradient)
        kd2m_metric_moments_gradient(call, moments.mean_x, shift, slope, gradient);
cleanup:
    return status;
}

kd2m_status kd2m_gaussian_evaluate(const kd2m_metric_call *call,
                                   const kd2m_gaussian_divergence *divergence,
                                   kd2m_metric_result *result, const kd2m_gradient *gradient) {
    return (kd2m_gaussian_is_full(call->unit) ? kd2m_gaussian_evaluate_full : evaluate_diagonal)(
        call, divergence, result, gradient);
}
