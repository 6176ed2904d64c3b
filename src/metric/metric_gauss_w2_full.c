/*
 * The squared 2-Wasserstein distance of the fitted Gaussians with full covariances A of x and B of
 * y:
 *
 *     D = |mean_x - mean_y|^2 + tr A + tr B - 2 tr (A^1/2 B A^1/2)^1/2
 *
 * With X, Y the centred rows times the roots of their weights, A = X^T X and B = Y^T Y, the last
 * trace is the sum of the singular values of Y X^T = U S V^T = W H, W = U V^T its orthogonal
 * factor. Where a side has no more rows than features, that matrix is decomposed:
 *
 *     dD/dX = 2 X - 2 W^T Y,              directions that either side lacks left out
 *
 * and else, with A = K K^T and B = L L^T by Cholesky, the smaller L^T K = W H:
 *
 *     dD/dX = 2 X (1 - T),                T = L W K^-1, the map that takes one Gaussian to the
 * other
 *
 * Large matrices give W by products alone (linalg/polar.c), which needs full rank: rows that are
 * centred lack the direction of the roots of their weights, s_x and s_y, and tau s_y s_x^T fills it
 * in. Small ones, and those that lack more, take the singular values; or by features, with
 * B = K K^T by its eigenvectors, the eigenvalues of C = K^T A K,
 *
 *     dD/dX = 2 X (1 - K C^-1/2 K^T)
 *
 * which are squares of the singular values, 0 below the precision of double.
 *
 * Dowson & Landau, 'The Frechet distance between multivariate normal distributions', 1982; Bhatia,
 * Jain & Lim, 'On the Bures-Wasserstein distance between positive definite matrices', 2019.
 * Cost: O(n m min(n, m) + n m d) time by rows, O((n + m) d^2 + d^3) by features, in double but for
 * what polar.c says; O((n + m) d + min(n m, d^2)) memory. Threads: BLAS's, on the context's.
 */
#include "metric_gauss_w2_full.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "context.h"
#include "factor.h"
#include "metric_centred.h"
#include "polar.h"

/* Singular values below this share of the largest are rounding of float32 rows' means. */
#define NULL_SHARE 1e-10

/* From this smaller side on products are faster than a decomposition. */
#define POLAR_LEAST ((size_t)96)

/* A covariance is of full rank if none of its Cholesky factor's squared diagonal is below this
 * share of the largest. */
#define DEFINITE_SHARE 1e-8

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static bool by_rows(size_t n, size_t m, size_t dim) {
    return n <= dim || m <= dim;
}

static size_t row_route_bytes(size_t n, size_t m, size_t d) {
    size_t most = larger(n, m), least = smaller(smaller(n, m), d);
    size_t product = kd2m_matrix_bytes(most, least);
    size_t bytes = kd2m_arena_sum(kd2m_arena_sum(product, product), product); /* Y X^T, U, V */
    bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(least, d));
    bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(1, least));
    return kd2m_arena_sum(bytes,
                          larger(kd2m_svd_bytes(least, most), kd2m_polar_bytes(most, least)));
}

static size_t feature_route_bytes(size_t n, size_t d) {
    size_t bytes = kd2m_arena_sum(kd2m_matrix_bytes(1, d), kd2m_matrix_bytes(d, d));
    size_t eigen = kd2m_eigen_bytes(d), factor = kd2m_polar_bytes(d, d);
    for (int i = 0; i < 4; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(d, d));
    return kd2m_arena_sum(bytes, larger(larger(eigen, factor), kd2m_centred_map_bytes(n, d)));
}

size_t kd2m_metric_gauss_w2_full_bytes(const kd2m_metric_shape *shape) {
    size_t n = shape->n, m = shape->m, d = shape->dim_x;
    size_t bytes = kd2m_arena_sum(kd2m_centred_bytes(n, d), kd2m_centred_bytes(m, d));
    bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(1, d));
    size_t features = by_rows(n, m, d) ? 0 : feature_route_bytes(n, d);
    return kd2m_arena_sum(bytes, larger(row_route_bytes(n, m, d), features));
}

/* cross (large.rows x small.rows) += tau s s^T of the directions that centred rows lack. */
static void fill_in(const kd2m_metric_side *large, const kd2m_metric_side *small, double tau,
                    double *cross) {
    for (size_t i = 0; i < large->rows; i++) {
        double factor = tau * sqrt(kd2m_metric_weight(large, i));
        for (size_t k = 0; k < small->rows; k++)
            cross[i * small->rows + k] += factor * sqrt(kd2m_metric_weight(small, k));
    }
}

/* from_rows by the orthogonal factor of Y X^T, or of X Y^T where x has more rows. *found = false,
 * and nothing else done, where there is none. */
static kd2m_status from_row_factor(const kd2m_metric_call *call, const kd2m_centred *x,
                                   const kd2m_centred *y, bool gradient, double *overlap,
                                   bool *found) {
    kd2m_status status = KD2M_OK;
    bool turned = x->rows > y->rows;
    const kd2m_centred *large = turned ? x : y, *small = turned ? y : x;
    size_t m = large->rows, n = small->rows, d = x->dim, mark = call->arena->used;
    double *cross, *factor;
    KD2M_TRY(kd2m_take_unset_matrix(call, &cross, m, n));
    KD2M_TRY(kd2m_take_unset_matrix(call, &factor, m, n));
    KD2M_TRY(kd2m_multiply(call, false, true, m, n, d, 1, large->values, small->values, 0, cross));
    double tau = sqrt(kd2m_matrix_product_sum(cross, cross, m * n) / (double)n);
    fill_in(turned ? &call->x : &call->y, turned ? &call->y : &call->x, tau, cross);
    memcpy(factor, cross, m * n * sizeof *factor);
    KD2M_TRY(kd2m_polar(call->arena, m, n, factor, found));
    if (*found)
        *overlap = kd2m_matrix_product_sum(cross, factor, m * n) - tau;
    if (*found && gradient)
        KD2M_TRY(kd2m_multiply(call, !turned, false, x->rows, d, y->rows, -2, factor, y->values, 2,
                               x->values));
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

/* *overlap = sum of singular values of Y X^T; for a gradient x's values become the derivative by
 * them. */
static kd2m_status from_rows(const kd2m_metric_call *call, const kd2m_centred *x,
                             const kd2m_centred *y, bool gradient, double *overlap) {
    kd2m_status status = KD2M_OK;
    size_t n = x->rows, m = y->rows, d = x->dim, count = smaller(n, m);
    double *cross, *u, *vt, *values, *turned;
    bool found = false;
    if (count >= POLAR_LEAST)
        KD2M_TRY(from_row_factor(call, x, y, gradient, overlap, &found));
    if (found)
        goto cleanup;
    KD2M_TRY(kd2m_take_matrix(call, &cross, m, n));
    KD2M_TRY(kd2m_take_matrix(call, &u, m, count));
    KD2M_TRY(kd2m_take_matrix(call, &vt, count, n));
    KD2M_TRY(kd2m_take_matrix(call, &values, 1, count));
    KD2M_TRY(kd2m_multiply(call, false, true, m, n, d, 1, y->values, x->values, 0, cross));
    KD2M_TRY(kd2m_svd(call->arena, cross, m, n, u, values, vt));
    for (size_t k = 0; k < count; k++)
        *overlap += values[k];
    if (!gradient)
        goto cleanup;
    KD2M_TRY(kd2m_take_matrix(call, &turned, count, d));
    KD2M_TRY(kd2m_multiply(call, true, false, count, d, m, 1, u, y->values, 0, turned));
    for (size_t k = 0; k < count; k++)
        for (size_t c = 0; c < d && values[k] <= NULL_SHARE * values[0]; c++)
            turned[k * d + c] = 0;
    KD2M_TRY(kd2m_multiply(call, true, false, n, d, count, -2, vt, turned, 2, x->values));
cleanup:
    return status;
}

/* Each row of `rows` (count x count) times factors[its number]. */
static void scale_rows(double *rows, const double *factors, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            rows[i * count + k] *= factors[i];
}

/* Roots of eigenvalues in place; those that are rounding become 0. Returns their sum. */
static double take_roots(double *values, size_t count) {
    double least = (double)count * DBL_EPSILON * fmax(values[count - 1], 0), sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += values[k] = values[k] > least ? sqrt(values[k]) : 0;
    return sum;
}

/* *lower = K of rows^T rows = K K^T, zeros above the diagonal; *definite = whether there is one. */
static kd2m_status take_lower(const kd2m_metric_call *call, const kd2m_centred *rows,
                              double **lower, bool *definite) {
    kd2m_status status = KD2M_OK;
    size_t d = rows->dim;
    double least = INFINITY, most = 0;
    KD2M_TRY(kd2m_take_unset_matrix(call, lower, d, d));
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, rows->rows, 1, rows->values, rows->values, 0,
                           *lower));
    KD2M_TRY(kd2m_cholesky(call->context, *lower, d, definite));
    for (size_t i = 0; i < d && *definite; i++) {
        double *row = *lower + i * d;
        least = fmin(least, row[i] * row[i]);
        most = fmax(most, row[i] * row[i]);
        for (size_t k = i + 1; k < d; k++)
            row[k] = 0;
    }
    *definite = *definite && least > DEFINITE_SHARE * most;
cleanup:
    return status;
}

/* from_features by the orthogonal factor of L^T K. *found = false, and nothing else done, where
 * there is none. */
static kd2m_status from_feature_factor(const kd2m_metric_call *call, const kd2m_centred *x,
                                       const kd2m_centred *y, double *overlap, double *map,
                                       bool *found) {
    kd2m_status status = KD2M_OK;
    size_t d = x->dim, mark = call->arena->used;
    double *lower_x, *lower_y, *cross, *factor;
    KD2M_TRY(take_lower(call, x, &lower_x, found));
    if (*found)
        KD2M_TRY(take_lower(call, y, &lower_y, found));
    if (!*found)
        goto cleanup;
    KD2M_TRY(kd2m_take_unset_matrix(call, &cross, d, d));
    KD2M_TRY(kd2m_take_unset_matrix(call, &factor, d, d));
    memcpy(cross, lower_x, d * d * sizeof *cross);
    KD2M_TRY(kd2m_multiply_lower(call->context, true, d, d, lower_y, cross));
    memcpy(factor, cross, d * d * sizeof *factor);
    KD2M_TRY(kd2m_polar(call->arena, d, d, factor, found));
    if (*found)
        *overlap = kd2m_matrix_product_sum(cross, factor, d * d);
    if (!*found || !map)
        goto cleanup;
    memcpy(map, factor, d * d * sizeof *map);
    KD2M_TRY(kd2m_multiply_lower(call->context, false, d, d, lower_y, map));
    KD2M_TRY(kd2m_solve_lower(call->context, true, false, d, d, lower_x, map));
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

/* The same from d x d matrices; map (d x d, or NULL) = T. */
static kd2m_status from_features(const kd2m_metric_call *call, const kd2m_centred *x,
                                 const kd2m_centred *y, double *overlap, double *map) {
    kd2m_status status = KD2M_OK;
    size_t d = x->dim;
    double *a, *root, *c, *turned, *values;
    bool found = false;
    if (d >= POLAR_LEAST)
        KD2M_TRY(from_feature_factor(call, x, y, overlap, map, &found));
    if (found)
        goto cleanup;
    KD2M_TRY(kd2m_take_matrix(call, &a, d, d));
    KD2M_TRY(kd2m_take_matrix(call, &root, d, d));
    KD2M_TRY(kd2m_take_matrix(call, &c, d, d));
    KD2M_TRY(kd2m_take_matrix(call, &turned, d, d));
    KD2M_TRY(kd2m_take_matrix(call, &values, 1, d));
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, x->rows, 1, x->values, x->values, 0, a));
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, y->rows, 1, y->values, y->values, 0, root));
    KD2M_TRY(kd2m_eigen(call->arena, root, values, d));
    take_roots(values, d);
    scale_rows(root, values, d); /* K^T */
    KD2M_TRY(kd2m_multiply(call, false, false, d, d, d, 1, root, a, 0, turned));
    KD2M_TRY(kd2m_multiply(call, false, true, d, d, d, 1, turned, root, 0, c));
    KD2M_TRY(kd2m_eigen(call->arena, c, values, d));
    *overlap = take_roots(values, d);
    if (!map)
        goto cleanup;
    KD2M_TRY(kd2m_multiply(call, false, false, d, d, d, 1, c, root, 0, turned));
    for (size_t k = 0; k < d; k++)
        values[k] = values[k] > 0 ? 1 / sqrt(values[k]) : 0;
    scale_rows(turned, values, d); /* C^-1/4 of its eigenvectors, K^T */
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, d, 1, turned, turned, 0, map));
cleanup:
    return status;
}

/* The gradient behind from_features: that by X is X 2(1 - T). */
static kd2m_status write_mapped(const kd2m_metric_call *call, const kd2m_centred *x, double *map,
                                const double *shift, const kd2m_gradient *gradient) {
    for (size_t i = 0; i < x->dim; i++)
        for (size_t k = 0; k < x->dim; k++)
            map[i * x->dim + k] = 2 * ((i == k) - map[i * x->dim + k]);
    return kd2m_centred_map_gradient(call, x, map, shift, gradient);
}

kd2m_status kd2m_metric_gauss_w2_full(const kd2m_metric_call *call, kd2m_metric_result *result,
                                      const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_centred x, y;
    double *map = NULL, *shift = NULL, overlap = 0, traces = 0;
    KD2M_TRY(kd2m_metric_centred(call, &call->x, &x));
    KD2M_TRY(kd2m_metric_centred(call, &call->y, &y));
    KD2M_TRY(kd2m_take_matrix(call, &shift, 1, x.dim));
    for (size_t k = 0; k < x.dim; k++) {
        double gap = x.mean[k] - y.mean[k];
        result->value += gap * gap;
        shift[k] = 2 * gap;
        traces += x.variance[k] + y.variance[k];
    }
    if (by_rows(x.rows, y.rows, x.dim)) {
        KD2M_TRY(from_rows(call, &x, &y, gradient, &overlap));
        if (gradient)
            kd2m_centred_gradient(call, x.values, shift, gradient);
    } else {
        if (gradient)
            KD2M_TRY(kd2m_take_unset_matrix(call, &map, x.dim, x.dim));
        KD2M_TRY(from_features(call, &x, &y, &overlap, map));
        if (gradient)
            KD2M_TRY(write_mapped(call, &x, map, shift, gradient));
    }
    result->value += traces - 2 * overlap;
cleanup:
    return status;
}
