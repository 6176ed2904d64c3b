/* Rows less their mean in double: what covariances and Gram matrices are made of. */
#ifndef KD2M_METRIC_CENTRED_H
#define KD2M_METRIC_CENTRED_H

#include "metric.h"

/* One side's rows less their mean, each times the root of its weight, so that the covariance is
 * values^T values and the Gram matrix of rows values values^T. In the arena. */
typedef struct kd2m_centred {
    size_t rows, dim;
    double *values;   /* rows x dim, contiguous; 0 in a feature that is the same in every row */
    double *mean;     /* dim */
    double *variance; /* dim */
} kd2m_centred;

size_t kd2m_centred_bytes(size_t rows, size_t dim);
kd2m_status kd2m_metric_centred(const kd2m_metric_call *call, const kd2m_metric_side *side,
                                kd2m_centred *out);

/* Room for `rows` x `columns` doubles, and the taking of it. */
size_t kd2m_matrix_bytes(size_t rows, size_t columns);
kd2m_status kd2m_take_matrix(const kd2m_metric_call *call, double **out, size_t rows,
                             size_t columns);

/* The same with whatever lies there, for what is written before it is read. */
kd2m_status kd2m_take_unset_matrix(const kd2m_metric_call *call, double **out, size_t rows,
                                   size_t columns);

/* The sum of products of two arrays, entry by entry. */
double kd2m_matrix_product_sum(const double *a, const double *b, size_t count);

/* C = alpha op(A) op(B) + beta C, all contiguous; op(A) is m x k, op(B) k x n. */
kd2m_status kd2m_multiply(const kd2m_metric_call *call, bool transpose_a, bool transpose_b,
                          size_t m, size_t n, size_t k, double alpha, const double *a,
                          const double *b, double beta, double *c);

/* gradient_i = sqrt(a_i) by_values_i + a_i shift, where by_values (rows x dim) is the derivative by
 * x's centred values, and shift that by the mean, or NULL. */
void kd2m_centred_gradient(const kd2m_metric_call *call, const double *by_values,
                           const double *shift, const kd2m_gradient *gradient);

/* The same where the derivative by x's centred values is x map (dim x dim), a product in float.
 * Needs kd2m_centred_map_bytes. */
kd2m_status kd2m_centred_map_gradient(const kd2m_metric_call *call, const kd2m_centred *x,
                                      const double *map, const double *shift,
                                      const kd2m_gradient *gradient);
size_t kd2m_centred_map_bytes(size_t rows, size_t dim);

#endif
