/*
 * The orthogonal factor of a matrix: see polar.h.
 *
 * Odd functions of X, X f(X^T X), leave singular vectors alone and move singular values; the ones
 * used here take all of them towards 1. With G = X^T X, the largest is at most the eighth root of
 * |G^4|, and hardly less; the smallest comes from a power iteration on G's Cholesky factor.
 *
 * 1. Halley's iteration, in double, weighted for the spectrum at hand (QDWH), until that lies
 *    between 0.02 and 1: no step for well conditioned matrices, two at most.
 * 2. In float, the polynomials of degree 5 that come nearest to 1 on that interval, each on what
 *    the one before leaves (Remez): after four the spectrum is within 5e-4 of 1; narrower ones
 *    start further on.
 * 3. The Taylor polynomial of x (x^2)^-1/2 at 1, of degree 5, whose correction alone is rounded to
 *    float, the distance from orthogonality being taken in double.
 *
 * Float's rounding in 2 turns u by some 1e-7 over the smallest singular value there; the sum of the
 * singular values, being the largest of <u, a> over all such u, feels the square of that.
 *
 * Nakatsukasa, Bai & Gygi, 'Optimizing Halley's iteration for computing the matrix polar
 * decomposition', SIAM J. Matrix Anal. Appl. 31, 2010; Amsel, Persson, Musco & Gower, 'The Polar
 * Express', arXiv:2505.16932, 2025; Higham, 'Functions of matrices', 2008, chapter 8.
 * Cost: some 30 m n^2 operations in float, 3 to 10 m n^2 in double; 2 m n floats and m n doubles,
 * 3 n^2 floats and 2 n^2 doubles. Threads: BLAS's and oneDNN's, on the context's.
 */
#include "polar.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "factor.h"
#include "gemm.h"
#include "simd.h"

/* x (a + b x^2 + c x^4), for singular values between `least` and `most`. */
typedef struct quintic {
    double least, most;
    double a, b, c;
} quintic;

/* Nearest to 1 on [0.02, 1] and on what each leaves. */
static const quintic steps[] = {
    {0.02, 1, 7.710969, -22.11375, 16.24874},
    {0.154, 1.846, 3.215276, -2.411172, 0.5013},
    {0.4865, 1.5135, 2.218308, -1.59399, 0.4107479},
    {0.9069, 1.0931, 1.884209, -1.260195, 0.3760209},
};
enum { step_count = sizeof steps / sizeof *steps };

/* Where the smallest singular value was over-estimated the last of them is taken again so often. */
#define MORE_STEPS 2

/* |1 - u^T u|/sqrt(n), in Frobenius' norm, from which the Taylor polynomial reaches its goal. */
#define NEARLY_ORTHOGONAL 1e-3

/* Power iterations for the smallest singular value, and what share of their result to trust in. */
#define POWER_STEPS 5
#define SMALLEST_MARGIN 0.5

/* What Halley's iteration may be asked to lift: below, double's rounding. */
#define SMALLEST 1e-8

typedef struct polar {
    kd2m_arena *arena;
    size_t m, n;
    double *u, *before;           /* m x n */
    double *gram, *factor;        /* n x n: X^T X, a Cholesky factor */
    double *vector;               /* n */
    float *x, *moved;             /* m x n */
    float *squares, *fourths, *q; /* n x n: X^T X, its square, the polynomial */
} polar;

size_t kd2m_polar_bytes(size_t m, size_t n) {
    size_t bytes = kd2m_arena_matrix_bytes(m, n, sizeof(double));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(n, sizeof(double)));
    for (int i = 0; i < 2; i++) {
        bytes = kd2m_arena_sum(bytes, kd2m_arena_matrix_bytes(n, n, sizeof(double)));
        bytes = kd2m_arena_sum(bytes, kd2m_arena_matrix_bytes(m, n, sizeof(float)));
    }
    for (int i = 0; i < 3; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_matrix_bytes(n, n, sizeof(float)));
    return bytes;
}

static kd2m_status take_scratch(polar *p) {
    kd2m_status status = KD2M_OK;
    size_t square = p->n * p->n, all = p->m * p->n;
    const struct {
        void **field;
        size_t count, size;
    } parts[] = {
        {(void **)&p->before, all, sizeof(double)},
        {(void **)&p->gram, square, sizeof(double)},
        {(void **)&p->factor, square, sizeof(double)},
        {(void **)&p->vector, p->n, sizeof(double)},

        {(void **)&p->x, all, sizeof(float)},
        {(void **)&p->moved, all, sizeof(float)},
        {(void **)&p->squares, square, sizeof(float)},
        {(void **)&p->fourths, square, sizeof(float)},
        {(void **)&p->q, square, sizeof(float)},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        KD2M_TRY(kd2m_arena_take_unset(p->arena, parts[i].field, parts[i].count, parts[i].size));
cleanup:
    return status;
}

/* gram = u^T u */
static kd2m_status take_gram(const polar *p) {
    return kd2m_gemm_double(p->arena->context, true, false, p->n, p->n, p->m, 1, p->u, p->n, p->u,
                            p->n, 0, p->gram, p->n);
}

/* ---- the spectrum ---- */

/* The Frobenius norm. */
KD2M_CLONES
static double matrix_size(const float *restrict values, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < count; k++)
        sum += (double)values[k] * (double)values[k];
    return sqrt(sum);
}

/* *out >= the largest eigenvalue of gram, by less than the eighth root of n; 0 where gram is 0 or
 * not finite. */
static kd2m_status bound_largest(polar *p, double *out) {
    kd2m_status status = KD2M_OK;
    size_t n = p->n, count = n * n;
    kd2m_context *context = p->arena->context;
    double trace = 0;
    *out = 0;
    for (size_t k = 0; k < n; k++)
        trace += p->gram[k * n + k];
    if (!(trace > 0) || isinf(trace))
        goto cleanup;
    for (size_t i = 0; i < count; i++)
        p->q[i] = (float)(p->gram[i] / trace);
    KD2M_TRY(kd2m_gemm(context, true, false, n, n, n, 1, p->q, n, p->q, n, 0, p->squares, n));
    /* large enough for the next square not to leave float's range */
    float scale = (float)(1 / matrix_size(p->squares, count));
    KD2M_TRY(kd2m_gemm(context, true, false, n, n, n, scale * scale, p->squares, n, p->squares, n,
                       0, p->fourths, n));
    *out = trace * sqrt(sqrt(matrix_size(p->fourths, count)) / (double)scale);
cleanup:
    return status;
}

static void normalise_vector(double *vector, size_t count, double *length) {
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += vector[k] * vector[k];
    *length = sqrt(sum);
    for (size_t k = 0; k < count; k++)
        vector[k] /= *length;
}

/* *out = the smallest eigenvalue of L L^T in p->factor, or a little more. */
static kd2m_status find_smallest(polar *p, double *out) {
    kd2m_status status = KD2M_OK;
    kd2m_context *context = p->arena->context;
    double inverse;
    for (size_t k = 0; k < p->n; k++) /* no two alike, so that no direction is missed for long */
        p->vector[k] = 1 + cos((double)(k * k));
    normalise_vector(p->vector, p->n, &inverse);
    for (int step = 0; step < POWER_STEPS; step++) {
        KD2M_TRY(kd2m_solve_lower(context, false, false, p->n, 1, p->factor, p->vector));
        KD2M_TRY(kd2m_solve_lower(context, false, true, p->n, 1, p->factor, p->vector));
        normalise_vector(p->vector, p->n, &inverse);
    }
    *out = 1 / inverse;
cleanup:
    return status;
}

/* Moves u and gram so that all singular values are at most 1, all but some at least *least, which
 * is 0 where u is 0 or not finite. */
static kd2m_status normalise(polar *p, double *least) {
    kd2m_status status = KD2M_OK;
    double largest, smallest = 0;
    bool definite;
    *least = 0;
    KD2M_TRY(bound_largest(p, &largest));
    if (!(largest > 0) || !isnormal(largest))
        goto cleanup;
    for (size_t i = 0; i < p->m * p->n; i++)
        p->u[i] /= sqrt(largest);
    for (size_t i = 0; i < p->n * p->n; i++)
        p->factor[i] = p->gram[i] /= largest;
    KD2M_TRY(kd2m_cholesky(p->arena->context, p->factor, p->n, &definite));
    if (definite)
        KD2M_TRY(find_smallest(p, &smallest));
    *least = fmax(SMALLEST_MARGIN * sqrt(smallest), SMALLEST);
cleanup:
    return status;
}

/* ---- steps ---- */

/* u = u (a + b u^T u) (1 + c u^T u)^-1 with Halley's weights for singular values from *least to 1,
 * and *least what that makes of it. */
static kd2m_status halley(polar *p, double *least) {
    kd2m_status status = KD2M_OK;
    size_t m = p->m, n = p->n;
    kd2m_context *context = p->arena->context;
    double square = *least * *least, d = cbrt(4 * (1 - square) / (square * square));
    double a = sqrt(1 + d) + 0.5 * sqrt(8 - 4 * d + 8 * (2 - square) / (square * sqrt(1 + d)));
    double b = (a - 1) * (a - 1) / 4, c = a + b - 1;
    bool definite; /* it is: 1 and more */
    *least *= (a + b * square) / (1 + c * square);
    for (size_t i = 0; i < n * n; i++)
        p->factor[i] = c * p->gram[i];
    for (size_t k = 0; k < n; k++)
        p->factor[k * n + k] += 1;
    KD2M_TRY(kd2m_cholesky(context, p->factor, n, &definite));
    memcpy(p->before, p->u, m * n * sizeof *p->u);
    KD2M_TRY(kd2m_solve_lower(context, true, true, m, n, p->factor, p->u));
    KD2M_TRY(kd2m_solve_lower(context, true, false, m, n, p->factor, p->u));
    for (size_t i = 0; i < m * n; i++)
        p->u[i] = b / c * p->before[i] + (a - b / c) * p->u[i];
cleanup:
    return status;
}

/* moved = x (a + b G + c G^2) of the symmetric G in p->squares. */
static kd2m_status multiply_polynomial(polar *p, double a, double b, double c) {
    kd2m_status status = KD2M_OK;
    size_t m = p->m, n = p->n;
    kd2m_context *context = p->arena->context;
    KD2M_TRY(kd2m_gemm(context, true, false, n, n, n, 1, p->squares, n, p->squares, n, 0,
                       p->fourths, n));
    for (size_t i = 0; i < n * n; i++)
        p->q[i] = (float)(b * (double)p->squares[i] + c * (double)p->fourths[i]);
    for (size_t k = 0; k < n; k++)
        p->q[k * n + k] += (float)a;
    KD2M_TRY(kd2m_gemm(context, false, false, m, n, n, 1, p->x, n, p->q, n, 0, p->moved, n));
cleanup:
    return status;
}

/* x = the polynomial of it; squares must be x^T x. */
static kd2m_status step_in_float(polar *p, const quintic *by) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(multiply_polynomial(p, by->a, by->b, by->c));
    float *swapped = p->x;
    p->x = p->moved;
    p->moved = swapped;
cleanup:
    return status;
}

/* squares = x^T x, x being `factor` times u; from gram where that still is u^T u. */
static kd2m_status take_squares(polar *p, bool gram_fits, double factor) {
    if (!gram_fits)
        return kd2m_gemm(p->arena->context, true, false, p->n, p->n, p->m, 1, p->x, p->n, p->x,
                         p->n, 0, p->squares, p->n);
    for (size_t i = 0; i < p->n * p->n; i++)
        p->squares[i] = (float)(factor * factor * p->gram[i]);
    return KD2M_OK;
}

/* u = x, squares = 1 - u^T u; *distance = the latter's size. */
static kd2m_status measure(polar *p, double *distance) {
    kd2m_status status = KD2M_OK;
    size_t n = p->n;
    double sum = 0;
    for (size_t i = 0; i < p->m * n; i++)
        p->u[i] = (double)p->x[i];
    KD2M_TRY(take_gram(p));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            double rest = (i == k) - p->gram[i * n + k];
            p->squares[i * n + k] = (float)rest;
            sum += rest * rest;
        }
    *distance = sqrt(sum);
cleanup:
    return status;
}

/* u = x (1 - R)^-1/2 = x + x (R/2 + 3 R^2/8 + ...) with R = 1 - x^T x. */
static kd2m_status finish(polar *p) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(multiply_polynomial(p, 0, 0.5, 0.375));
    for (size_t i = 0; i < p->m * p->n; i++)
        p->u[i] += (double)p->moved[i];
cleanup:
    return status;
}

/* u of singular values from `least` to 1 becomes orthogonal; *found = whether it did. gram_fits:
 * gram is u^T u. */
static kd2m_status orthogonalise(polar *p, double least, bool gram_fits, bool *found) {
    kd2m_status status = KD2M_OK;
    size_t step = step_count - 1;
    double distance = INFINITY;
    while (step > 0 && least < steps[step].least / steps[step].most)
        step--;
    double factor = steps[step].most;
    for (size_t i = 0; i < p->m * p->n; i++)
        p->x[i] = (float)(factor * p->u[i]);
    for (; step < step_count + MORE_STEPS && !*found; step++, gram_fits = false) {
        bool last = step + 1 >= step_count;
        KD2M_TRY(kd2m_check_interrupt(p->arena->context));
        KD2M_TRY(take_squares(p, gram_fits, factor));
        KD2M_TRY(step_in_float(p, &steps[last ? step_count - 1 : step]));
        if (last)
            KD2M_TRY(measure(p, &distance));
        *found = distance < NEARLY_ORTHOGONAL * sqrt((double)p->n);
    }
    if (*found)
        KD2M_TRY(finish(p));
cleanup:
    return status;
}

kd2m_status kd2m_polar(kd2m_arena *arena, size_t m, size_t n, double *u, bool *found) {
    kd2m_status status = KD2M_OK;
    size_t mark = arena->used;
    polar p = {.arena = arena, .m = m, .n = n, .u = u};
    double least;
    bool gram_fits = true; /* gram is u^T u */
    *found = false;
    KD2M_TRY(take_scratch(&p));
    KD2M_TRY(take_gram(&p));
    KD2M_TRY(normalise(&p, &least));
    if (least == 0)
        goto cleanup;
    for (; least < steps[0].least; gram_fits = false) {
        if (!gram_fits)
            KD2M_TRY(take_gram(&p));
        KD2M_TRY(halley(&p, &least));
    }
    KD2M_TRY(orthogonalise(&p, least, gram_fits, found));
cleanup:
    kd2m_arena_rewind(arena, mark);
    return status;
}
