/* Factorisations against what they promise: the factors give the matrix back, and are what they are
 * called. */
#include "testing.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "factor.h"
#include "rng.h"

#define LARGEST 210 /* more than two steps of Cholesky's factorisation */

static kd2m_context *context;
static double a[LARGEST * LARGEST], kept[LARGEST * LARGEST], u[LARGEST * LARGEST];
static double vt[LARGEST * LARGEST], values[LARGEST];

static void fill(double *out, size_t count, uint64_t seed) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < count; i++)
        out[i] = kd2m_rng_normal(&rng);
}

/* a = kept = R R^T / n of a random n x rank matrix R. */
static void fill_symmetric(size_t n, size_t rank, uint64_t seed) {
    fill(u, n * rank, seed);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < rank; k++)
                sum += u[i * rank + k] * u[j * rank + k];
            a[i * n + j] = kept[i * n + j] = sum / (double)n;
        }
}

static const size_t sizes[] = {1, 2, 5, 33, LARGEST};

static void test_cholesky(void **state) {
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        bool definite = false;
        fill_symmetric(n, n, s);
        EXPECT_OK(context, kd2m_cholesky(context, a, n, &definite));
        assert_true(definite);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0;
                for (size_t k = 0; k <= i && k <= j; k++)
                    sum += a[i * n + k] * a[j * n + k];
                EXPECT_CLOSE(kept[i * n + j], sum, 1e-12, 0);
            }
    }
    fill_symmetric(6, 6, 9);
    a[14] = -1;
    bool definite = true;
    EXPECT_OK(context, kd2m_cholesky(context, a, 6, &definite));
    assert_false(definite);
    fill_symmetric(LARGEST, LARGEST, 9);
    a[150 * LARGEST + 150] = -1; /* in a later step */
    EXPECT_OK(context, kd2m_cholesky(context, a, LARGEST, &definite));
    assert_false(definite);
}

/* Every solve, multiplied out again. */
static void test_solve_lower(void **state) {
    (void)state;
    enum { rows = 7, columns = 4 };
    for (int form = 0; form < 4; form++) {
        bool right = form & 1, transpose = form & 2, definite;
        size_t n = right ? columns : rows;
        fill_symmetric(n, n, 20);
        EXPECT_OK(context, kd2m_cholesky(context, a, n, &definite));
        fill(vt, rows * columns, 21);
        memcpy(u, vt, sizeof u);
        EXPECT_OK(context, kd2m_solve_lower(context, right, transpose, rows, columns, a, u));
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++) {
                double sum = 0;
                for (size_t k = 0; k < n; k++) {
                    size_t first = right ? k : i, second = right ? j : k;
                    double l = transpose ? (second >= first ? a[second * n + first] : 0)
                                         : (first >= second ? a[first * n + second] : 0);
                    sum += right ? u[i * columns + k] * l : l * u[k * columns + j];
                }
                EXPECT_CLOSE(vt[i * columns + j], sum, 1e-9, 1e-9);
            }
    }
}

static void test_multiply_lower(void **state) {
    (void)state;
    enum { rows = 7, columns = 4 };
    for (int transpose = 0; transpose < 2; transpose++) {
        fill(a, rows * rows, 30); /* what lies above the diagonal isn't looked at */
        fill(vt, rows * columns, 31);
        memcpy(u, vt, rows * columns * sizeof *u);
        EXPECT_OK(context, kd2m_multiply_lower(context, transpose, rows, columns, a, u));
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++) {
                double sum = 0;
                for (size_t k = 0; k < rows; k++)
                    if (transpose ? k >= i : k <= i)
                        sum +=
                            (transpose ? a[k * rows + i] : a[i * rows + k]) * vt[k * columns + j];
                EXPECT_CLOSE(sum, u[i * columns + j], 1e-13, 1e-13);
            }
    }
}

static void expect_orthonormal(const double *rows, size_t count, size_t length) {
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            double sum = 0;
            for (size_t k = 0; k < length; k++)
                sum += rows[i * length + k] * rows[j * length + k];
            EXPECT_CLOSE(i == j, sum, 1e-12, 0);
        }
}

static void test_eigen(void **state) {
    (void)state;
    for (size_t s = 0; s < 2 * sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s / 2];
        kd2m_arena arena;
        kd2m_arena_init(&arena, context);
        EXPECT_OK(context, kd2m_arena_reserve(&arena, kd2m_eigen_bytes(n)));
        fill_symmetric(n, s % 2 ? n : (n + 1) / 2, s); /* of full and of half rank */
        EXPECT_OK(context, kd2m_eigen(&arena, a, values, n));
        assert_int_equal(arena.used, 0);
        expect_orthonormal(a, n, n);
        for (size_t k = 0; k < n; k++) {
            assert_true(k == 0 || values[k] >= values[k - 1]);
            for (size_t i = 0; i < n; i++) {
                double sum = 0;
                for (size_t j = 0; j < n; j++)
                    sum += kept[i * n + j] * a[k * n + j];
                EXPECT_CLOSE(values[k] * a[k * n + i], sum, 1e-12, 0);
            }
        }
        kd2m_arena_free(&arena);
    }
}

static void check_svd(size_t m, size_t n) {
    size_t least = m < n ? m : n, most = m < n ? n : m;
    kd2m_arena arena;
    kd2m_arena_init(&arena, context);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, kd2m_svd_bytes(least, most)));
    fill(a, m * n, m + n);
    memcpy(kept, a, sizeof kept);
    EXPECT_OK(context, kd2m_svd(&arena, a, m, n, u, values, vt));
    assert_int_equal(arena.used, 0);
    expect_orthonormal(vt, least, n);
    for (size_t k = 0; k < least; k++)
        assert_true(values[k] >= 0 && (k == 0 || values[k] <= values[k - 1]));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < least; k++)
                sum += u[i * least + k] * values[k] * vt[k * n + j];
            EXPECT_CLOSE(kept[i * n + j], sum, 1e-12, 0);
        }
    kd2m_arena_free(&arena);
}

static void test_svd(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{1, 1},   {1, 7},   {7, 1},  {5, 5},
                                       {20, 90}, {90, 20}, {90, 90}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        check_svd(shapes[s][0], shapes[s][1]);
}

/* What the arena lacks is said, not written over. */
static void test_small_arena(void **state) {
    (void)state;
    kd2m_arena arena;
    kd2m_arena_init(&arena, context);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, 64));
    fill_symmetric(5, 5, 1);
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL, kd2m_eigen(&arena, a, values, 5));
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL, kd2m_svd(&arena, a, 5, 5, u, values, vt));
    assert_memory_equal(a, kept, 25 * sizeof *a);
    kd2m_arena_free(&arena);
    assert_int_equal(kd2m_eigen_bytes(SIZE_MAX / 2), SIZE_MAX);
    assert_int_equal(kd2m_svd_bytes(SIZE_MAX / 8, SIZE_MAX / 4), SIZE_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cholesky),
        cmocka_unit_test(test_solve_lower),
        cmocka_unit_test(test_multiply_lower),
        cmocka_unit_test(test_eigen),
        cmocka_unit_test(test_svd),
        cmocka_unit_test(test_small_arena),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
