/*
 * CORAL: the squared Frobenius distance of the covariances A of x and B of y,
 *
 *     D = |A - B|^2/(4 d^2)                 dD/dx_i = a_i (A - B)(x_i - mean_x)/d^2
 *
 * With X, Y the centred rows times the roots of their weights, A = X^T X; where both sides have
 * fewer rows than features, Gram matrices serve instead, and nothing of d x d is formed:
 *
 *     |A - B|^2 = |X X^T|^2 + |Y Y^T|^2 - 2 |X Y^T|^2,      (A - B) X^T = ((X X^T) X - (X Y^T) Y)^T
 *
 * Sun & Saenko, 'Deep CORAL: correlation alignment for deep domain adaptation', 2016.
 * Cost: O((n + m) d min(d, n + m)) time, all in double; O((n + m) d + min(d, n + m)^2) memory.
 * Threads: BLAS's, on the context's.
 */
#include "metric_centred.h"

#include "context.h"

static bool by_rows(size_t n, size_t m, size_t dim) {
    return n < dim && m < dim;
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    size_t n = shape->n, m = shape->m, d = shape->dim_x, most = n > m ? n : m;
    size_t side = most < d ? most : d; /* of the matrices, by either route */
    size_t bytes = kd2m_arena_sum(kd2m_centred_bytes(n, d), kd2m_centred_bytes(m, d));
    for (int i = 0; i < 3; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_matrix_bytes(side, side));
    return kd2m_arena_sum(bytes, kd2m_matrix_bytes(n, d));
}

/* *square = |A - B|^2; by_values = X (A - B). */
static kd2m_status from_covariances(const kd2m_metric_call *call, const kd2m_centred *x,
                                    const kd2m_centred *y, double *square, double *by_values) {
    kd2m_status status = KD2M_OK;
    size_t d = x->dim;
    double *gap;
    KD2M_TRY(kd2m_take_matrix(call, &gap, d, d));
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, y->rows, 1, y->values, y->values, 0, gap));
    KD2M_TRY(kd2m_multiply(call, true, false, d, d, x->rows, 1, x->values, x->values, -1, gap));
    *square = kd2m_matrix_product_sum(gap, gap, d * d);
    if (by_values)
        KD2M_TRY(kd2m_multiply(call, false, false, x->rows, d, d, 1, x->values, gap, 0, by_values));
cleanup:
    return status;
}

static kd2m_status from_rows(const kd2m_metric_call *call, const kd2m_centred *x,
                             const kd2m_centred *y, double *square, double *by_values) {
    kd2m_status status = KD2M_OK;
    size_t n = x->rows, m = y->rows, d = x->dim;
    double *xx, *yy, *xy;
    KD2M_TRY(kd2m_take_matrix(call, &xx, n, n));
    KD2M_TRY(kd2m_take_matrix(call, &yy, m, m));
    KD2M_TRY(kd2m_take_matrix(call, &xy, n, m));
    KD2M_TRY(kd2m_multiply(call, false, true, n, n, d, 1, x->values, x->values, 0, xx));
    KD2M_TRY(kd2m_multiply(call, false, true, m, m, d, 1, y->values, y->values, 0, yy));
    KD2M_TRY(kd2m_multiply(call, false, true, n, m, d, 1, x->values, y->values, 0, xy));
    *square = kd2m_matrix_product_sum(xx, xx, n * n) + kd2m_matrix_product_sum(yy, yy, m * m) -
              2 * kd2m_matrix_product_sum(xy, xy, n * m);
    if (by_values) {
        KD2M_TRY(kd2m_multiply(call, false, false, n, d, m, 1, xy, y->values, 0, by_values));
        KD2M_TRY(kd2m_multiply(call, false, false, n, d, n, 1, xx, x->values, -1, by_values));
    }
cleanup:
    return status;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_centred x, y;
    double *by_values = NULL, square = 0;
    KD2M_TRY(kd2m_metric_centred(call, &call->x, &x));
    KD2M_TRY(kd2m_metric_centred(call, &call->y, &y));
    double d = (double)x.dim;
    if (gradient)
        KD2M_TRY(kd2m_take_matrix(call, &by_values, x.rows, x.dim));
    KD2M_TRY((by_rows(x.rows, y.rows, x.dim) ? from_rows : from_covariances)(call, &x, &y, &square,
                                                                             by_values));
    result->value = square / (4 * d * d);
    for (size_t i = 0; gradient && i < x.rows * x.dim; i++)
        by_values[i] /= d * d;
    if (gradient)
        kd2m_centred_gradient(call, by_values, NULL, gradient);
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_coral = {
    .name = "coral",
    .summary = "squared distance of the covariances",
    .formula = "|A - B|^2/(4 d^2), A and B the covariances of x and y",
    .source = "Sun & Saenko 2016",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_WEIGHTS |
              KD2M_METRIC_SCALING,
    .degree = 4,
    .least_rows = 2,
    .workspace = workspace,
    .evaluate = evaluate,
};
