/*
 * Matrix products: see gemm.h. The float one is dnnl_sgemm, which knows this processor's kernels
 * where a distribution's BLAS may not; in a build without oneDNN both are CBLAS.
 *
 * Cost: 2 m n k operations, in double half of them for a large matrix by its own transpose.
 * Threads: both libraries work on OpenMP's pool and size it by the calling thread's setting, which
 * is the context's for the duration of the call.
 */
#include "gemm.h"

#include <cblas.h>
#include <limits.h>

#include "blas.h"

#ifdef KD2M_WITH_NN
#include <oneapi/dnnl/dnnl.h>

#include "parallel.h"

#define PART ((size_t)64) /* rows or columns that are worth a thread */
#endif

/* BLAS ends the process on a bad leading dimension, so it must never see one. */
static kd2m_status check_shape(kd2m_context *context, bool transpose_a, bool transpose_b, size_t m,
                               size_t n, size_t k, size_t lda, size_t ldb, size_t ldc) {
    if (lda < (transpose_a ? m : k) || ldb < (transpose_b ? k : n) || ldc < n)
        return kd2m_fail(context, KD2M_ERROR_INTERNAL,
                         "a product of %zu x %zu by %zu x %zu was given rows of %zu, %zu and %zu",
                         m, k, k, n, lda, ldb, ldc);
    if (m > INT_MAX || n > INT_MAX || k > INT_MAX || lda > INT_MAX || ldb > INT_MAX ||
        ldc > INT_MAX)
        return kd2m_fail(context, KD2M_ERROR_UNSUPPORTED,
                         "a product of %zu x %zu by %zu x %zu is beyond what BLAS can index; "
                         "work on fewer rows at a time",
                         m, k, k, n);
    return KD2M_OK;
}

#ifdef KD2M_WITH_NN
/* A product; the work of a part is some rows or columns of C. */
typedef struct product {
    bool transpose_a, transpose_b;
    size_t m, n, k;
    float alpha;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb;
    float beta;
    float *c;
    size_t ldc;
    int code; /* of a part that failed; dnnl_success */
} product;

static void multiply(product *p, size_t row, size_t rows, size_t column, size_t columns) {
    const float *a = p->a + row * (p->transpose_a ? 1 : p->lda);
    const float *b = p->b + column * (p->transpose_b ? p->ldb : 1);
    dnnl_status_t code =
        dnnl_sgemm(p->transpose_a ? 'T' : 'N', p->transpose_b ? 'T' : 'N', (dnnl_dim_t)rows,
                   (dnnl_dim_t)columns, (dnnl_dim_t)p->k, p->alpha, a, (dnnl_dim_t)p->lda, b,
                   (dnnl_dim_t)p->ldb, p->beta, p->c + row * p->ldc + column, (dnnl_dim_t)p->ldc);
    if (code != dnnl_success) {
#pragma omp atomic write
        p->code = (int)code;
    }
}

static void multiply_rows(void *user, size_t begin, size_t end, int worker) {
    product *p = user;
    (void)worker;
    multiply(p, begin, end - begin, 0, p->n);
}

static void multiply_columns(void *user, size_t begin, size_t end, int worker) {
    product *p = user;
    (void)worker;
    multiply(p, 0, p->m, begin, end - begin);
}

/* A transposed operand is what costs most to pack. Each thread packs its part of it, where oneDNN's
 * own division may have every thread pack the whole. */
static kd2m_status onednn_product(kd2m_context *context, product *p) {
    if (p->transpose_b)
        kd2m_parallel_for(context, p->n, PART, multiply_columns, p);
    else if (p->transpose_a)
        kd2m_parallel_for(context, p->m, PART, multiply_rows, p);
    else
        multiply(p, 0, p->m, 0, p->n);
    if (p->code == dnnl_success)
        return KD2M_OK;
    if (p->code == dnnl_out_of_memory)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory in a matrix product");
    return kd2m_fail(context, KD2M_ERROR_INTERNAL, "dnnl_sgemm failed with code %d", p->code);
}
#endif

kd2m_status kd2m_gemm(kd2m_context *context, bool transpose_a, bool transpose_b, size_t m, size_t n,
                      size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                      float beta, float *c, size_t ldc) {
    kd2m_status status = check_shape(context, transpose_a, transpose_b, m, n, k, lda, ldb, ldc);
    if (status != KD2M_OK || m == 0 || n == 0)
        return status;
    int threads = kd2m_blas_enter(context);
#ifdef KD2M_WITH_NN
    if (k > 0) /* for k = 0 dnnl_sgemm leaves C as it is, unscaled */
        status = onednn_product(context, &(product){transpose_a, transpose_b, m, n, k, alpha, a,
                                                    lda, b, ldb, beta, c, ldc, dnnl_success});
    else
#endif
        cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                    transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a,
                    kd2m_blas_leading(lda), b, kd2m_blas_leading(ldb), beta, c,
                    kd2m_blas_leading(ldc));
    kd2m_blas_leave(threads);
    return status;
}

/* From this many rows of the result on, half of a symmetric product takes less time than all. */
#define SYMMETRIC_LEAST 384

/* Mirrors the lower triangle, in blocks that stay in cache. */
static void mirror(double *c, size_t n, size_t ldc) {
    const size_t block = 32;
    for (size_t row = 0; row < n; row += block)
        for (size_t column = 0; column <= row; column += block)
            for (size_t i = row; i < n && i < row + block; i++)
                for (size_t j = column; j < i && j < column + block; j++)
                    c[j * ldc + i] = c[i * ldc + j];
}

/* c (n x n) = alpha a^T a, or a a^T, from its lower triangle. */
static void multiply_by_itself(bool transpose, size_t n, size_t k, double alpha, const double *a,
                               size_t lda, double *c, size_t ldc) {
    cblas_dsyrk(CblasRowMajor, CblasLower, transpose ? CblasTrans : CblasNoTrans, (int)n, (int)k,
                alpha, a, kd2m_blas_leading(lda), 0, c, kd2m_blas_leading(ldc));
    mirror(c, n, ldc);
}

kd2m_status kd2m_gemm_double(kd2m_context *context, bool transpose_a, bool transpose_b, size_t m,
                             size_t n, size_t k, double alpha, const double *a, size_t lda,
                             const double *b, size_t ldb, double beta, double *c, size_t ldc) {
    kd2m_status status = check_shape(context, transpose_a, transpose_b, m, n, k, lda, ldb, ldc);
    if (status != KD2M_OK || m == 0 || n == 0)
        return status;
    int threads = kd2m_blas_enter(context);
    bool symmetric = a == b && lda == ldb && transpose_a != transpose_b && m == n;
    if (symmetric && beta == 0 && n >= SYMMETRIC_LEAST)
        multiply_by_itself(transpose_a, m, k, alpha, a, lda, c, ldc);
    else
        cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                    transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a,
                    kd2m_blas_leading(lda), b, kd2m_blas_leading(ldb), beta, c,
                    kd2m_blas_leading(ldc));
    kd2m_blas_leave(threads);
    return KD2M_OK;
}
