/*
 * The squared 2-Wasserstein distance of the fitted Gaussians with full covariances A of x and B of
 * y:
 *
 *     D = |mean_x - mean_y|^2 + tr A + tr B - 2 tr (A^1/2 B A^1/2)^1/2
 *
 * With X, Y the centred rows times the roots of their weights, A = X^T X and B = Y^T Y, the last
 * trace is the sum of the singular values of Y X^T = U S V^T. Where a side has no more rows than
 * features, that matrix is decomposed:
 *
 *     dD/dX = 2 X - 2 V U^T Y,              directions that either side lacks left out
 *
 * and else, with B = K K^T by its eigenvectors, the smaller C = K^T A K:
 *
 *     dD/dX = 2 X (1 - K C^-1/2 K^T)
 *
 * whose eigenvalues, squares of the singular values, are 0 below the precision of double.
 *
 * Dowson & Landau, 'The Frechet distance between multivariate normal distributions', 1982; Bhatia,
 * Jain & Lim, 'On the Bures-Wasserstein distance between positive definite matrices', 2019.
 * Cost: O(n m min(n, m) + n m d) time by rows, O((n + m) d^2 + d^3) by features, all in double;
 * O((n + m) d + min(n m, d^2)) memory. Threads: BLAS's, on the context's.
 */
#include "metric_gauss_w2_full.h"

#include <float.h>
#include <math.h>

#include "context.h"
#include "factor.h"
#include "metric_centred.h"

/* Singular values below this share of the largest are rounding of float32 rows' means. */
#define NULL_SHARE 1e-10

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
    return kd2m_arena_sum(bytes, kd2m_svd_bytes(least, most));
}

static size_t feature_route_bytes(size_t d) {
    size_t bytes = kd2m_arena_sum(kd2m_matrix_bytes(1, d), kd2m_eigen_bytes(d));
    for (int i = 0; i < 4; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(d, d));
    return bytes;
}

size_t kd2m_metric_gauss_w2_full_bytes(const kd2m_metric_shape *shape) {
    size_t n = shape->n, m = shape->m, d = shape->dim_x;
    size_t bytes = kd2m_arena_sum(kd2m_centred_bytes(n, d), kd2m_centred_bytes(m, d));
    bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(n, d));
    bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(1, d));
    size_t features = by_rows(n, m, d) ? 0 : feature_route_bytes(d);
    return kd2m_arena_sum(bytes, larger(row_route_bytes(n, m, d), features));
}

/* *overlap = sum of singular values of Y X^T; by_values (or NULL) = V U^T Y. */
static kd2m_status from_rows(const kd2m_metric_call *call, const kd2m_centred *x,
                             const kd2m_centred *y, double *overlap, double *by_values) {
    kd2m_status status = KD2M_OK;
    size_t n = x->rows, m = y->rows, d = x->dim, count = smaller(n, m);
    double *cross, *u, *vt, *values, *turned;
    KD2M_TRY(kd2m_take_matrix(call, &cross, m, n));
    KD2M_TRY(kd2m_take_matrix(call, &u, m, count));
    KD2M_TRY(kd2m_take_matrix(call, &vt, count, n));
    KD2M_TRY(kd2m_take_matrix(call, &values, 1, count));
    KD2M_TRY(kd2m_multiply(call, false, true, m, n, d, 1, y->values, x->values, 0, cross));
    KD2M_TRY(kd2m_svd(call->arena, cross, m, n, u, values, vt));
    for (size_t k = 0; k < count; k++)
        *overlap += values[k];
    if (!by_values)
        goto cleanup;
    KD2M_TRY(kd2m_take_matrix(call, &turned, count, d));
    KD2M_TRY(kd2m_multiply(call, true, false, count, d, m, 1, u, y->values, 0, turned));
    for (size_t k = 0; k < count; k++)
        for (size_t c = 0; c < d && values[k] <= NULL_SHARE * values[0]; c++)
            turned[k * d + c] = 0;
    KD2M_TRY(kd2m_multiply(call, true, false, n, d, count, 1, vt, turned, 0, by_values));
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

/* The same from d x d matrices: by_values = X K C^-1/2 K^T. */
static kd2m_status from_features(const kd2m_metric_call *call, const kd2m_centred *x,
                                 const kd2m_centred *y, double *overlap, double *by_values) {
    kd2m_status status = KD2M_OK;
    size_t d = x->dim;
    double *a, *root, *c, *turned, *values;
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
    if (!by_values)
        goto cleanup;
    KD2M_TRY(kd2m_multiply(call, false, false, d, d, d, 1, c, root, 0, turned));
    for (size_t k = 0; k < d; k++)
        values[k] = values[k] > 0 ? 1 / sqrt(values[k]) : 0;
    scale_rows(turned, values, d); /* C^-1/4 of its eigenvectors, K^T */
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, d, 1, turned, turned, 0, a));
    KD2M_TRY(kd2m_multiply(call, false, false, x->rows, d, d, 1, x->values, a, 0, by_values));
cleanup:
    return status;
}

kd2m_status kd2m_metric_gauss_w2_full(const kd2m_metric_call *call, kd2m_metric_result *result,
                                      const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_centred x, y;
    double *by_values = NULL, *shift = NULL, overlap = 0;
    KD2M_TRY(kd2m_metric_centred(call, &call->x, &x));
    KD2M_TRY(kd2m_metric_centred(call, &call->y, &y));
    KD2M_TRY(kd2m_take_matrix(call, &shift, 1, x.dim));
    if (gradient)
        KD2M_TRY(kd2m_take_matrix(call, &by_values, x.rows, x.dim));
    KD2M_TRY((by_rows(x.rows, y.rows, x.dim) ? from_rows : from_features)(call, &x, &y, &overlap,
                                                                          by_values));
    for (size_t k = 0; k < x.dim; k++) {
        double gap = x.mean[k] - y.mean[k];
        result->value += gap * gap;
        shift[k] = 2 * gap;
    }
    result->value += kd2m_matrix_product_sum(x.values, x.values, x.rows * x.dim) +
                     kd2m_matrix_product_sum(y.values, y.values, y.rows * y.dim) - 2 * overlap;
    for (size_t i = 0; gradient && i < x.rows * x.dim; i++)
        by_values[i] = 2 * (x.values[i] - by_values[i]);
    if (gradient)
        kd2m_centred_gradient(call, by_values, shift, gradient);
cleanup:
    return status;
}
