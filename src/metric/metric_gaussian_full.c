/*
 * Divergences of the fitted Gaussians with full covariances A of x and B of y, both with the floor
 * reg * tr B/d on their diagonals. They do not change when both sides go through one invertible
 * map, and some map makes B the identity and A diagonal: with B = L L^T and L^-1 A L^-T = U^T
 * diag(s) U,
 *
 *     T = U L^-1,   D = outer(sum_k term(gap_k, s_k, 1)),   gap = T (mean_x - mean_y)
 *
 * so that the terms of diagonal covariances serve. In those coordinates the derivative by the
 * covariance is G, by_variance on the diagonal and coupling bend_k bend_l beside it, and
 *
 *     dD/dx_i = outer' a_i [ T^T by_gap + 2 T^T G T (x_i - mean_x) ]
 *
 * Where the floor is 0 and either covariance singular (no more rows than features, a dead feature),
 * the divergence is infinite or undefined: said, not returned.
 *
 * Cost: O((n + m) d^2 + d^3) time, O((n + m) d + d^2) memory, all in double. Threads: BLAS's, on
 * the context's.
 */
#include "metric_gaussian.h"

#include <float.h>
#include <math.h>

#include "context.h"
#include "factor.h"
#include "metric_centred.h"

enum { vectors = 7, matrices = 3 };

size_t kd2m_gaussian_full_bytes(const kd2m_metric_shape *shape) {
    size_t n = shape->n, d = shape->dim_x;
    size_t bytes = kd2m_arena_sum(kd2m_centred_bytes(n, d), kd2m_centred_bytes(shape->m, d));
    bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(n, d));
    for (int i = 0; i < vectors; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(1, d));
    for (int i = 0; i < matrices; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(d, d));
    return kd2m_arena_sum(bytes, kd2m_eigen_bytes(d));
}

/* The coordinates in which B is the identity and A diagonal. */
typedef struct common_axes {
    size_t dim;
    double floor, trace; /* trace: of B, without the floor */
    double *lower;       /* L */
    double *map;         /* T */
    double *s, *ones, *gap;
} common_axes;

static kd2m_status fail_singular(const kd2m_metric_call *call, const char *side) {
    return kd2m_fail(call->context, KD2M_ERROR_NUMERIC,
                     "%s is infinite or undefined: the covariance of the %s is singular, as with "
                     "no more rows than features, and reg times the teacher's mean variance adds "
                     "nothing to it",
                     call->unit->descriptor->name, side);
}

/* *out = the covariance with the floor on its diagonal. */
static kd2m_status covariance(const kd2m_metric_call *call, const kd2m_centred *side, double floor,
                              double *out) {
    kd2m_status status = KD2M_OK;
    size_t d = side->dim;
    KD2M_TRY(
        kd2m_multiply(call, true, false, d, d, side->rows, 1, side->values, side->values, 0, out));
    for (size_t k = 0; k < d; k++)
        out[k * d + k] += floor;
cleanup:
    return status;
}

/* Sets lower; fails where B is singular. */
static kd2m_status factor_teacher(const kd2m_metric_call *call, const kd2m_centred *y,
                                  common_axes *axes) {
    kd2m_status status = KD2M_OK;
    size_t d = axes->dim;
    bool definite = false;
    KD2M_TRY(covariance(call, y, axes->floor, axes->lower));
    KD2M_TRY(kd2m_cholesky(call->context, axes->lower, d, &definite));
    double least = (double)d * DBL_EPSILON * axes->trace;
    for (size_t k = 0; k < d && axes->floor == 0; k++)
        definite = definite && axes->lower[k * d + k] * axes->lower[k * d + k] > least;
    if (!definite)
        status = fail_singular(call, "teacher");
cleanup:
    return status;
}

/* Sets map and s; fails where A is singular. */
static kd2m_status turn_student(const kd2m_metric_call *call, const kd2m_centred *x,
                                common_axes *axes) {
    kd2m_status status = KD2M_OK;
    size_t d = axes->dim;
    KD2M_TRY(covariance(call, x, axes->floor, axes->map));
    KD2M_TRY(kd2m_solve_lower(call->context, false, false, d, d, axes->lower, axes->map));
    KD2M_TRY(kd2m_solve_lower(call->context, true, true, d, d, axes->lower, axes->map));
    KD2M_TRY(kd2m_eigen(call->arena, axes->map, axes->s, d));
    KD2M_TRY(kd2m_solve_lower(call->context, true, false, d, d, axes->lower, axes->map));
    /* with a floor A is at least that, and below it what is left of rounding */
    double least = axes->floor > 0 ? axes->floor / (axes->trace + axes->floor)
                                   : (double)d * DBL_EPSILON * axes->s[d - 1];
    for (size_t k = 0; k < d; k++) {
        if (axes->floor == 0 && !(axes->s[k] > least)) {
            status = fail_singular(call, "student");
            goto cleanup;
        }
        axes->s[k] = fmax(axes->s[k], least);
        axes->ones[k] = 1;
    }
cleanup:
    return status;
}

static kd2m_status find_axes(const kd2m_metric_call *call, const kd2m_centred *x,
                             const kd2m_centred *y, double reg, common_axes *axes) {
    kd2m_status status = KD2M_OK;
    size_t d = x->dim;
    *axes = (common_axes){.dim = d};
    KD2M_TRY(kd2m_take_matrix(call, &axes->lower, d, d));
    KD2M_TRY(kd2m_take_matrix(call, &axes->map, d, d));
    KD2M_TRY(kd2m_take_matrix(call, &axes->s, 1, d));
    KD2M_TRY(kd2m_take_matrix(call, &axes->ones, 1, d));
    KD2M_TRY(kd2m_take_matrix(call, &axes->gap, 1, d));
    for (size_t k = 0; k < d; k++)
        axes->trace += y->variance[k];
    axes->floor = reg * axes->trace / (double)d;
    KD2M_TRY(factor_teacher(call, y, axes));
    KD2M_TRY(turn_student(call, x, axes));
    for (size_t k = 0; k < d; k++)
        for (size_t l = 0; l < d; l++)
            axes->gap[k] += axes->map[k * d + l] * (x->mean[l] - y->mean[l]);
cleanup:
    return status;
}

/* out = factor T^T in, per feature. */
static void map_back(const common_axes *axes, double factor, const double *in, double *out) {
    size_t d = axes->dim;
    for (size_t l = 0; l < d; l++)
        out[l] = 0;
    for (size_t k = 0; k < d; k++)
        for (size_t l = 0; l < d; l++)
            out[l] += factor * axes->map[k * d + l] * in[k];
}

/* The gradient, from the terms' derivatives. Spoils the map. */
static kd2m_status add_up_gradient(const kd2m_metric_call *call, const kd2m_centred *x,
                                   common_axes *axes, const kd2m_gaussian_directions *found,
                                   double coupling, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t d = axes->dim;
    double *shift, *bend, *curve, *scaled = axes->lower, *by_values;
    KD2M_TRY(kd2m_take_matrix(call, &shift, 1, d));
    KD2M_TRY(kd2m_take_matrix(call, &curve, d, d));
    KD2M_TRY(kd2m_take_matrix(call, &by_values, x->rows, d));
    map_back(axes, found->slope, found->by_gap, shift);
    bend = axes->gap;
    map_back(axes, 1, found->bend, bend);
    for (size_t k = 0; k < d; k++)
        for (size_t l = 0; l < d; l++)
            scaled[k * d + l] =
                (found->by_variance[k] - coupling * found->bend[k] * found->bend[k]) *
                axes->map[k * d + l];
    for (size_t k = 0; k < d; k++)
        for (size_t l = 0; l < d; l++)
            curve[k * d + l] = coupling * bend[k] * bend[l];
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, d, 1, axes->map, scaled, 1, curve));
    KD2M_TRY(kd2m_multiply(call, false, false, x->rows, d, d, 2 * found->slope, x->values, curve, 0,
                           by_values));
    kd2m_centred_gradient(call, by_values, shift, gradient);
cleanup:
    return status;
}

kd2m_status kd2m_gaussian_evaluate_full(const kd2m_metric_call *call,
                                        const kd2m_gaussian_divergence *divergence,
                                        kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_centred x, y;
    common_axes axes;
    KD2M_TRY(kd2m_metric_centred(call, &call->x, &x));
    KD2M_TRY(kd2m_metric_centred(call, &call->y, &y));
    KD2M_TRY(find_axes(call, &x, &y, divergence->reg, &axes));
    kd2m_gaussian_directions found = {.name = "principal direction",
                                      .count = axes.dim,
                                      .gap = axes.gap,
                                      .s = axes.s,
                                      .t = axes.ones};
    double **const fields[] = {&found.by_gap, &found.by_variance, &found.bend};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        KD2M_TRY(kd2m_take_matrix(call, fields[i], 1, axes.dim));
    KD2M_TRY(kd2m_gaussian_sum(call, divergence, &found, &result->value));
    if (gradient)
        KD2M_TRY(add_up_gradient(call, &x, &axes, &found, divergence->coupling, gradient));
cleanup:
    return status;
}
