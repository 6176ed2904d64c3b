/*
 * One less the linear centred kernel alignment of paired rows: with X, Y the centred rows,
 * K = X X^T, L = Y Y^T and <K, L> the sum of products entry by entry,
 *
 *     D = 1 - <K, L>/(|K| |L|)              dD/dX = -2/(|K| |L|) [ L X - <K, L>/|K|^2 K X ]
 *
 * Where rows are more than features, the same numbers come from d x d matrices:
 * <K, L> = |Y^T X|^2, L X = Y (Y^T X). Rows that are all the same have no alignment: D is 0 where
 * both sides are like that and 1 where one is, with no gradient.
 *
 * Kornblith et al., 'Similarity of neural network representations revisited', 2019.
 * Cost: O(n d min(n, d)) time, all in double; O(n d + min(n, d)^2) memory. Threads: BLAS's, on the
 * context's.
 */
#include "metric_centred.h"

#include <math.h>

#include "context.h"

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    size_t n = shape->n, dim_x = shape->dim_x, dim_y = shape->dim_y;
    size_t most = larger(dim_x, dim_y), side = n < most ? n : most;
    size_t bytes = kd2m_arena_sum(kd2m_centred_bytes(n, dim_x), kd2m_centred_bytes(n, dim_y));
    for (int i = 0; i < 3; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(side, side));
    for (int i = 0; i < 2; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(n, dim_x));
    return bytes;
}

/* The three inner products; and K X, L X unless NULL. */
typedef struct alignment {
    double kk, ll, kl;
    double *kx, *lx;
} alignment;

static kd2m_status from_rows(const kd2m_metric_call *call, const kd2m_centred *x,
                             const kd2m_centred *y, alignment *out) {
    kd2m_status status = KD2M_OK;
    size_t n = x->rows, d = x->dim;
    double *k, *l;
    KD2M_TRY(kd2m_take_matrix(call, &k, n, n));
    KD2M_TRY(kd2m_take_matrix(call, &l, n, n));
    KD2M_TRY(kd2m_multiply(call, false, true, n, n, d, 1, x->values, x->values, 0, k));
    KD2M_TRY(kd2m_multiply(call, false, true, n, n, y->dim, 1, y->values, y->values, 0, l));
    out->kk = kd2m_matrix_product_sum(k, k, n * n);
    out->ll = kd2m_matrix_product_sum(l, l, n * n);
    out->kl = kd2m_matrix_product_sum(k, l, n * n);
    if (out->kx) {
        KD2M_TRY(kd2m_multiply(call, false, false, n, d, n, 1, k, x->values, 0, out->kx));
        KD2M_TRY(kd2m_multiply(call, false, false, n, d, n, 1, l, x->values, 0, out->lx));
    }
cleanup:
    return status;
}

static kd2m_status from_features(const kd2m_metric_call *call, const kd2m_centred *x,
                                 const kd2m_centred *y, alignment *out) {
    kd2m_status status = KD2M_OK;
    size_t n = x->rows, d = x->dim, e = y->dim;
    double *xx, *yy, *yx;
    KD2M_TRY(kd2m_take_matrix(call, &xx, d, d));
    KD2M_TRY(kd2m_take_matrix(call, &yy, e, e));
    KD2M_TRY(kd2m_take_matrix(call, &yx, e, d));
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, n, 1, x->values, x->values, 0, xx));
    KD2M_TRY(kd2m_multiply(call, true, false, e, e, n, 1, y->values, y->values, 0, yy));
    KD2M_TRY(kd2m_multiply(call, true, false, e, d, n, 1, y->values, x->values, 0, yx));
    out->kk = kd2m_matrix_product_sum(xx, xx, d * d);
    out->ll = kd2m_matrix_product_sum(yy, yy, e * e);
    out->kl = kd2m_matrix_product_sum(yx, yx, e * d);
    if (out->kx) {
        KD2M_TRY(kd2m_multiply(call, false, false, n, d, d, 1, x->values, xx, 0, out->kx));
        KD2M_TRY(kd2m_multiply(call, false, false, n, d, e, 1, y->values, yx, 0, out->lx));
    }
cleanup:
    return status;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_centred x, y;
    alignment found = {0};
    KD2M_TRY(kd2m_metric_centred(call, &call->x, &x));
    KD2M_TRY(kd2m_metric_centred(call, &call->y, &y));
    if (gradient) {
        KD2M_TRY(kd2m_take_matrix(call, &found.kx, x.rows, x.dim));
        KD2M_TRY(kd2m_take_matrix(call, &found.lx, x.rows, x.dim));
    }
    KD2M_TRY((x.rows < larger(x.dim, y.dim) ? from_rows : from_features)(call, &x, &y, &found));
    double lengths = sqrt(found.kk * found.ll);
    result->value = lengths > 0 ? 1 - found.kl / lengths : (found.kk > 0) != (found.ll > 0);
    for (size_t i = 0; gradient && i < x.rows * x.dim; i++)
        found.kx[i] =
            lengths > 0 ? -2 / lengths * (found.lx[i] - found.kl / found.kk * found.kx[i]) : 0;
    if (gradient)
        kd2m_centred_gradient(call, found.kx, NULL, gradient);
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_cka = {
    .name = "cka",
    .summary = "1 - linear centred kernel alignment of paired rows",
    .formula = "1 - <K, L>/(|K| |L|), K and L the Gram matrices of the centred rows of x and y",
    .source = "Kornblith et al. 2019",
    .traits = KD2M_METRIC_PAIRED | KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC |
              KD2M_METRIC_TRANSLATION | KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION |
              KD2M_METRIC_ANY_WIDTH | KD2M_METRIC_SCALING,
    .degree = 0,
    .least_rows = 1,
    .workspace = workspace,
    .evaluate = evaluate,
};
