/*
 * Matrix products: see gemm.h. The float one is dnnl_sgemm, which knows this processor's kernels
 * where a distribution's BLAS may not; in a build without oneDNN both are CBLAS.
 *
 * Cost: 2 m n k operations, little more than half of them for a large matrix by its own transpose.
 * Threads: both libraries work on OpenMP's pool and size it by the calling thread's setting, which
 * is the context's for the duration of the call. Within a parallel loop a product is one thread's.
 */
#include "gemm.h"

#include <cblas.h>
#include <limits.h>

#include "blas.h"
#include "parallel.h"

#ifdef KD2M_WITH_NN
#include <oneapi/dnnl/dnnl.h>

#define PART ((size_t)64) /* rows or columns that are worth a thread */
#endif

/* A product of float matrices, or of double ones. */
typedef struct product {
    bool is_double, transpose_a, transpose_b;
    size_t m, n, k;
    double alpha;
    const void *a;
    size_t lda;
    const void *b;
    size_t ldb;
    double beta;
    void *c;
    size_t ldc;
    int code; /* of a part that failed; 0 */
} product;

/* Where a part of the product lies. */
typedef struct part {
    size_t row, rows, column, columns;
} part;

static CBLAS_TRANSPOSE transposed(bool is) {
    return is ? CblasTrans : CblasNoTrans;
}

static size_t start_in_a(const product *p, const part *of) {
    return of->row * (p->transpose_a ? 1 : p->lda);
}

static size_t start_in_b(const product *p, const part *of) {
    return of->column * (p->transpose_b ? p->ldb : 1);
}

static void multiply_doubles(const product *p, part of) {
    cblas_dgemm(CblasRowMajor, transposed(p->transpose_a), transposed(p->transpose_b), (int)of.rows,
                (int)of.columns, (int)p->k, p->alpha, (const double *)p->a + start_in_a(p, &of),
                kd2m_blas_leading(p->lda), (const double *)p->b + start_in_b(p, &of),
                kd2m_blas_leading(p->ldb), p->beta, (double *)p->c + of.row * p->ldc + of.column,
                kd2m_blas_leading(p->ldc));
}

static void multiply_floats(product *p, part of) {
    const float *a = (const float *)p->a + start_in_a(p, &of);
    const float *b = (const float *)p->b + start_in_b(p, &of);
    float *c = (float *)p->c + of.row * p->ldc + of.column;
#ifdef KD2M_WITH_NN
    if (p->k > 0) { /* for k = 0 dnnl_sgemm leaves C as it is, unscaled */
        dnnl_status_t code = dnnl_sgemm(p->transpose_a ? 'T' : 'N', p->transpose_b ? 'T' : 'N',
                                        (dnnl_dim_t)of.rows, (dnnl_dim_t)of.columns,
                                        (dnnl_dim_t)p->k, (float)p->alpha, a, (dnnl_dim_t)p->lda, b,
                                        (dnnl_dim_t)p->ldb, (float)p->beta, c, (dnnl_dim_t)p->ldc);
        if (code != dnnl_success) {
#pragma omp atomic write
            p->code = (int)code;
        }
        return;
    }
#endif
    cblas_sgemm(CblasRowMajor, transposed(p->transpose_a), transposed(p->transpose_b), (int)of.rows,
                (int)of.columns, (int)p->k, (float)p->alpha, a, kd2m_blas_leading(p->lda), b,
                kd2m_blas_leading(p->ldb), (float)p->beta, c, kd2m_blas_leading(p->ldc));
}

static void multiply(product *p, part of) {
    if (p->is_double)
        multiply_doubles(p, of);
    else
        multiply_floats(p, of);
}

/* ---- a matrix by its own transpose ---- */

/* From this many rows of the result on, half of a symmetric product takes less time than all. */
#define SYMMETRIC_LEAST ((size_t)256)

/* Pairs of strips of rows, at least, that a symmetric product is cut in; of each strip, what lies
 * left of its diagonal block and that block are worked out. */
#define PAIRS_LEAST ((size_t)4)
#define STRIP_UNIT ((size_t)16) /* rows that kernels like */

/* Sides of the blocks that mirrors go by: a cache's line of floats. */
#define MIRROR_BLOCK ((size_t)16)

static bool is_symmetric(const product *p) {
    return p->a == p->b && p->lda == p->ldb && p->transpose_a != p->transpose_b && p->m == p->n &&
           p->beta == 0 && p->n >= SYMMETRIC_LEAST;
}

/* c above the diagonal = what lies below it, for rows begin <= i < end of the lower triangle. Lines
 * are written whole, one block after the other: strides of whole pages would else share few places
 * in the cache. */
#define DEFINE_MIRROR(name, type)                                                                  \
    static void name(type *restrict c, size_t ldc, size_t begin, size_t end) {                     \
        const size_t side = MIRROR_BLOCK;                                                          \
        for (size_t row = begin; row < end; row += side)                                           \
            for (size_t column = 0; column <= row; column += side)                                 \
                if (column < row && row + side <= end) {                                           \
                    for (size_t j = column; j < column + side; j++)                                \
                        for (size_t i = row; i < row + side; i++)                                  \
                            c[j * ldc + i] = c[i * ldc + j];                                       \
                } else {                                                                           \
                    for (size_t i = row; i < end && i < row + side; i++)                           \
                        for (size_t j = column; j < i && j < column + side; j++)                   \
                            c[j * ldc + i] = c[i * ldc + j];                                       \
                }                                                                                  \
    }
DEFINE_MIRROR(mirror_floats, float)
DEFINE_MIRROR(mirror_doubles, double)

typedef struct strips_job {
    product *of;
    size_t pairs;
} strips_job;

static void multiply_strip(product *p, size_t strip, size_t height) {
    size_t begin = strip * height, end = begin + height < p->n ? begin + height : p->n;
    if (begin >= p->n)
        return;
    multiply(p, (part){begin, end - begin, 0, end});
    if (p->is_double)
        mirror_doubles(p->c, p->ldc, begin, end);
    else
        mirror_floats(p->c, p->ldc, begin, end);
}

/* A long strip goes with a short one, so that all pairs are as much work. */
static void multiply_strips(void *user, size_t begin, size_t end, int worker) {
    const strips_job *job = user;
    (void)worker;
    size_t strips = 2 * job->pairs, height = (job->of->n + strips - 1) / strips;
    height = (height + STRIP_UNIT - 1) / STRIP_UNIT * STRIP_UNIT;
    for (size_t pair = begin; pair < end; pair++) {
        multiply_strip(job->of, pair, height);
        multiply_strip(job->of, strips - 1 - pair, height);
    }
}

static void multiply_by_itself(kd2m_context *context, product *p) {
    size_t threads = (size_t)kd2m_context_threads(context);
    strips_job job = {p, threads > PAIRS_LEAST ? threads : PAIRS_LEAST};
    kd2m_parallel_for(context, job.pairs, 1, multiply_strips, &job);
}

/* ---- all products ---- */

#ifdef KD2M_WITH_NN
static void multiply_rows(void *user, size_t begin, size_t end, int worker) {
    product *p = user;
    (void)worker;
    multiply(p, (part){begin, end - begin, 0, p->n});
}

static void multiply_columns(void *user, size_t begin, size_t end, int worker) {
    product *p = user;
    (void)worker;
    multiply(p, (part){0, p->m, begin, end - begin});
}
#endif

static void share_out(kd2m_context *context, product *p) {
    if (is_symmetric(p)) {
        multiply_by_itself(context, p);
        return;
    }
#ifdef KD2M_WITH_NN
    /* A transposed operand is what costs most to pack. Each thread packs its part of it, where
     * oneDNN's own division may have every thread pack the whole. */
    if (!p->is_double && (p->transpose_a || p->transpose_b) && !omp_in_parallel()) {
        if (p->transpose_b)
            kd2m_parallel_for(context, p->n, PART, multiply_columns, p);
        else
            kd2m_parallel_for(context, p->m, PART, multiply_rows, p);
        return;
    }
#endif
    multiply(p, (part){0, p->m, 0, p->n});
}

/* BLAS ends the process on a bad leading dimension, so it must never see one. */
static kd2m_status check_shape(kd2m_context *context, const product *p) {
    size_t m = p->m, n = p->n, k = p->k;
    if (p->lda < (p->transpose_a ? m : k) || p->ldb < (p->transpose_b ? k : n) || p->ldc < n)
        return kd2m_fail(context, KD2M_ERROR_INTERNAL,
                         "a product of %zu x %zu by %zu x %zu was given rows of %zu, %zu and %zu",
                         m, k, k, n, p->lda, p->ldb, p->ldc);
    if (m > INT_MAX || n > INT_MAX || k > INT_MAX || p->lda > INT_MAX || p->ldb > INT_MAX ||
        p->ldc > INT_MAX)
        return kd2m_fail(context, KD2M_ERROR_UNSUPPORTED,
                         "a product of %zu x %zu by %zu x %zu is beyond what BLAS can index; "
                         "work on fewer rows at a time",
                         m, k, k, n);
    return KD2M_OK;
}

static kd2m_status run(kd2m_context *context, product *p) {
    kd2m_status status = check_shape(context, p);
    if (status != KD2M_OK || p->m == 0 || p->n == 0)
        return status;
    int threads = kd2m_blas_enter(context);
    share_out(context, p);
    kd2m_blas_leave(threads);
#ifdef KD2M_WITH_NN
    if (p->code == dnnl_out_of_memory)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory in a matrix product");
    if (p->code != dnnl_success)
        return kd2m_fail(context, KD2M_ERROR_INTERNAL, "dnnl_sgemm failed with code %d", p->code);
#endif
    return KD2M_OK;
}

kd2m_status kd2m_gemm(kd2m_context *context, bool transpose_a, bool transpose_b, size_t m, size_t n,
                      size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                      float beta, float *c, size_t ldc) {
    return run(context, &(product){false, transpose_a, transpose_b, m, n, k, (double)alpha, a, lda,
                                   b, ldb, (double)beta, c, ldc, 0});
}

kd2m_status kd2m_gemm_double(kd2m_context *context, bool transpose_a, bool transpose_b, size_t m,
                             size_t n, size_t k, double alpha, const double *a, size_t lda,
                             const double *b, size_t ldb, double beta, double *c, size_t ldc) {
    return run(context, &(product){true, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb,
                                   beta, c, ldc, 0});
}
