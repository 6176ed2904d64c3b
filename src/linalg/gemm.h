/*
 * Matrix products. Row-major everywhere. The float product is oneDNN's sgemm, or
 * CBLAS's in a build without it; the double one is CBLAS's.
 */
#ifndef KD2M_LINALG_GEMM_H
#define KD2M_LINALG_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "kd2m/core.h"

/* C (m x n) = alpha op(A) op(B) + beta C; op(A) is m x k, op(B) k x n. Errors: KD2M_ERROR_INTERNAL
 * with the library's code; KD2M_ERROR_MEMORY. */
kd2m_status kd2m_gemm(kd2m_context *context, bool transpose_a, bool transpose_b, size_t m, size_t n,
                      size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                      float beta, float *c, size_t ldc);

/* The same in double. */
kd2m_status kd2m_gemm_double(kd2m_context *context, bool transpose_a, bool transpose_b, size_t m,
                             size_t n, size_t k, double alpha, const double *a, size_t lda,
                             const double *b, size_t ldb, double beta, double *c, size_t ldc);

#endif
