/*
 * Factorisations by LAPACK: see factor.h. LAPACK reads columns where this library writes rows, so
 * that it sees transposes: a symmetric matrix is its own, eigenvectors come as rows, and the
 * decomposition of a transpose has its factors swapped. Nothing is copied and nothing allocated:
 * work space is the arena's.
 *
 * Cost: O(n^3), of an m x n matrix O(m n min(m, n)). Threads: those of the BLAS beneath LAPACK, the
 * context's for large matrices, else one; of Cholesky's factorisation the context's.
 */
#include "factor.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>

#include "blas.h"
#include "memory.h"

/* Rows that a block of LAPACK's takes at a time: with room for as many it runs at full speed. */
#define BLOCK 64

/* Up to this many rows LAPACK loses more by waking threads for its small products than they gain.
 */
#define SERIAL_ROWS 1024

static kd2m_status check_size(kd2m_context *context, size_t n) {
    if (n > INT_MAX / 64)
        return kd2m_fail(context, KD2M_ERROR_UNSUPPORTED,
                         "a matrix of %zu rows or columns is beyond what LAPACK can index", n);
    return KD2M_OK;
}

static kd2m_status fail_code(kd2m_context *context, const char *routine, lapack_int code) {
    if (code > 0)
        return kd2m_fail(context, KD2M_ERROR_NUMERIC,
                         "%s does not converge: the samples' values are too extreme", routine);
    return kd2m_fail(context, KD2M_ERROR_INTERNAL, "%s failed with code %d", routine, (int)code);
}

/* kd2m_blas_enter for LAPACK's work on n rows or columns. */
static int enter(kd2m_context *context, size_t n) {
    int before = kd2m_blas_enter(context);
    if (n <= SERIAL_ROWS)
        omp_set_num_threads(1);
    return before;
}

/* Rows that a step of Cholesky's factorisation finishes: LAPACK takes one thread for so few, and
 * BLAS all of them for what is below. */
#define CHOLESKY_STEP ((size_t)96)

kd2m_status kd2m_cholesky(kd2m_context *context, double *a, size_t n, bool *definite) {
    kd2m_status status = check_size(context, n);
    lapack_int code = 0;
    *definite = false;
    if (status != KD2M_OK)
        return status;
    int threads = kd2m_blas_enter(context), leading = kd2m_blas_leading(n);
    for (size_t done = 0, rows; done < n && code == 0; done += rows) {
        rows = n - done < CHOLESKY_STEP ? n - done : CHOLESKY_STEP;
        size_t left = n - done - rows;
        double *block = a + done * n + done, *below = block + rows * n;
        omp_set_num_threads(1);
        code = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)rows, block, leading);
        omp_set_num_threads(kd2m_context_threads(context));
        if (code != 0 || left == 0)
            continue;
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)left,
                    (int)rows, 1, block, leading, below, leading);
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)left, (int)rows, -1, below,
                    leading, 1, below + rows, leading);
    }
    kd2m_blas_leave(threads);
    *definite = code == 0;
    return code < 0 ? fail_code(context, "dpotrf", code) : KD2M_OK;
}

kd2m_status kd2m_solve_lower(kd2m_context *context, bool right, bool transpose, size_t rows,
                             size_t columns, const double *l, double *b) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check_size(context, rows));
    KD2M_TRY(check_size(context, columns));
    int threads = kd2m_blas_enter(context);
    if (columns == 1 && !right) /* dtrsm packs the triangle, whatever it is for */
        cblas_dtrsv(CblasRowMajor, CblasLower, transpose ? CblasTrans : CblasNoTrans, CblasNonUnit,
                    (int)rows, l, kd2m_blas_leading(rows), b, 1);
    else
        cblas_dtrsm(CblasRowMajor, right ? CblasRight : CblasLeft, CblasLower,
                    transpose ? CblasTrans : CblasNoTrans, CblasNonUnit, (int)rows, (int)columns, 1,
                    l, kd2m_blas_leading(right ? columns : rows), b, kd2m_blas_leading(columns));
    kd2m_blas_leave(threads);
cleanup:
    return status;
}

kd2m_status kd2m_multiply_lower(kd2m_context *context, bool transpose, size_t rows, size_t columns,
                                const double *l, double *b) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check_size(context, rows));
    KD2M_TRY(check_size(context, columns));
    int threads = kd2m_blas_enter(context);
    cblas_dtrmm(CblasRowMajor, CblasLeft, CblasLower, transpose ? CblasTrans : CblasNoTrans,
                CblasNonUnit, (int)rows, (int)columns, 1, l, kd2m_blas_leading(rows), b,
                kd2m_blas_leading(columns));
    kd2m_blas_leave(threads);
cleanup:
    return status;
}

/* rows x columns + more, SIZE_MAX on overflow. */
static size_t count_of(size_t rows, size_t columns, size_t more) {
    size_t count;
    return kd2m_size_multiply(rows, columns, &count) ? kd2m_arena_sum(count, more) : SIZE_MAX;
}

static size_t work_bytes(size_t doubles, size_t integers) {
    if (doubles == SIZE_MAX || integers == SIZE_MAX)
        return SIZE_MAX;
    return kd2m_arena_sum(kd2m_arena_bytes(doubles, sizeof(double)),
                          kd2m_arena_bytes(integers, sizeof(lapack_int)));
}

static size_t eigen_doubles(size_t n) {
    return count_of(2 * n, n, (6 + BLOCK) * n + 1);
}

static size_t eigen_integers(size_t n) {
    return 5 * n + 3;
}

size_t kd2m_eigen_bytes(size_t n) {
    return work_bytes(eigen_doubles(n), eigen_integers(n));
}

kd2m_status kd2m_eigen(kd2m_arena *arena, double *a, double *values, size_t n) {
    kd2m_status status = KD2M_OK;
    size_t mark = arena->used, doubles = eigen_doubles(n), integers = eigen_integers(n);
    double *work;
    lapack_int *integer_work;
    KD2M_TRY(check_size(arena->context, n));
    KD2M_TRY(check_size(arena->context, doubles / 64));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&work, doubles, sizeof *work));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&integer_work, integers, sizeof *integer_work));
    int threads = enter(arena->context, n);
    lapack_int code =
        LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', (lapack_int)n, a, kd2m_blas_leading(n),
                            values, work, (lapack_int)doubles, integer_work, (lapack_int)integers);
    kd2m_blas_leave(threads);
    if (code != 0)
        status = fail_code(arena->context, "dsyevd", code);
cleanup:
    kd2m_arena_rewind(arena, mark);
    return status;
}

static size_t svd_doubles(size_t least, size_t most) {
    return count_of(4 * least, least, (8 + BLOCK) * least + (1 + BLOCK) * most);
}

size_t kd2m_svd_bytes(size_t least, size_t most) {
    return work_bytes(svd_doubles(least, most), 8 * least);
}

kd2m_status kd2m_svd(kd2m_arena *arena, double *a, size_t m, size_t n, double *u, double *values,
                     double *vt) {
    kd2m_status status = KD2M_OK;
    size_t mark = arena->used, least = m < n ? m : n, most = m < n ? n : m;
    size_t doubles = svd_doubles(least, most);
    double *work;
    lapack_int *integer_work;
    KD2M_TRY(check_size(arena->context, most));
    KD2M_TRY(check_size(arena->context, doubles / 64));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&work, doubles, sizeof *work));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&integer_work, 8 * least, sizeof *integer_work));
    int threads = enter(arena->context, least);
    lapack_int code = LAPACKE_dgesdd_work(
        LAPACK_COL_MAJOR, 'S', (lapack_int)n, (lapack_int)m, a, kd2m_blas_leading(n), values, vt,
        kd2m_blas_leading(n), u, kd2m_blas_leading(least), work, (lapack_int)doubles, integer_work);
    kd2m_blas_leave(threads);
    if (code != 0)
        status = fail_code(arena->context, "dgesdd", code);
cleanup:
    kd2m_arena_rewind(arena, mark);
    return status;
}
