/* Products against the definition in double, for every transposition, with strides and betas. */
#include "testing.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <string.h>

#include "gemm.h"
#include "memory.h"
#include "rng.h"

#define LARGEST 75 /* elements from row to row in every matrix */

typedef struct shape {
    size_t m, n, k;
} shape;

static const shape shapes[] = {{1, 1, 1},    {1, 7, 3},    {5, 1, 9},    {3, 4, 0},
                               {16, 16, 16}, {17, 33, 70}, {70, 65, 31}, {64, 10, 64}};

typedef struct matrices {
    float a[LARGEST * LARGEST], b[LARGEST * LARGEST], c[LARGEST * LARGEST];
    double a2[LARGEST * LARGEST], b2[LARGEST * LARGEST], c2[LARGEST * LARGEST];
    double expected[LARGEST * LARGEST];
} matrices;

static void fill(matrices *all, uint64_t seed) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < (size_t)LARGEST * LARGEST; i++) {
        all->a2[i] = all->a[i] = (float)kd2m_rng_normal(&rng);
        all->b2[i] = all->b[i] = (float)kd2m_rng_normal(&rng);
        all->c2[i] = all->c[i] = (float)kd2m_rng_normal(&rng);
    }
}

static void expect_product(matrices *all, shape s, bool ta, bool tb, double alpha, double beta) {
    for (size_t i = 0; i < s.m; i++)
        for (size_t j = 0; j < s.n; j++) {
            double sum = 0.0;
            for (size_t k = 0; k < s.k; k++)
                sum += all->a2[ta ? k * LARGEST + i : i * LARGEST + k] *
                       all->b2[tb ? j * LARGEST + k : k * LARGEST + j];
            all->expected[i * LARGEST + j] = alpha * sum + beta * all->c2[i * LARGEST + j];
        }
}

static void products_follow_their_definition(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    static matrices all;
    const double betas[] = {0.0, 1.0, -0.5};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int transposed = 0; transposed < 4; transposed++)
            for (size_t t = 0; t < 3; t++) {
                bool ta = transposed & 1;
                bool tb = transposed & 2;
                shape at = shapes[s];
                fill(&all, s);
                expect_product(&all, at, ta, tb, 1.5, betas[t]);
                EXPECT_OK(context,
                          kd2m_gemm(context, ta, tb, at.m, at.n, at.k, 1.5F, all.a, LARGEST, all.b,
                                    LARGEST, (float)betas[t], all.c, LARGEST));
                EXPECT_OK(context,
                          kd2m_gemm_double(context, ta, tb, at.m, at.n, at.k, 1.5, all.a2, LARGEST,
                                           all.b2, LARGEST, betas[t], all.c2, LARGEST));
                for (size_t i = 0; i < at.m; i++)
                    for (size_t j = 0; j < at.n; j++) {
                        double expected = all.expected[i * LARGEST + j];
                        EXPECT_CLOSE(expected, all.c[i * LARGEST + j], 5e-5, 0.0);
                        EXPECT_CLOSE(expected, all.c2[i * LARGEST + j], 1e-12, 0.0);
                    }
            }
    kd2m_context_free(context);
}

static void nothing_beyond_the_result_is_written(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    static matrices all;
    static float before[LARGEST * LARGEST];
    fill(&all, 3);
    memcpy(before, all.c, sizeof before);
    EXPECT_OK(context, kd2m_gemm(context, false, true, 17, 33, 9, 1.0F, all.a, LARGEST, all.b,
                                 LARGEST, 0.0F, all.c, LARGEST));
    for (size_t i = 0; i < LARGEST; i++)
        for (size_t j = 0; j < LARGEST; j++)
            if (i >= 17 || j >= 33)
                assert_true(before[i * LARGEST + j] == all.c[i * LARGEST + j]);
    kd2m_context_free(context);
}

/* A matrix by its own transpose, of which little more than half is worked out, against the product
 * with a copy of it, which is worked out whole. */
static void products_with_themselves_are_whole_and_symmetric(void **state) {
    (void)state;
    enum { most = 300, stride = 310 };
    static double a[most * stride], copy[most * stride], c[most * stride], whole[most * stride];
    static float a1[most * stride], copy1[most * stride], c1[most * stride], whole1[most * stride];
    const size_t sizes[] = {255, 256, 261, most};
    for (size_t i = 0; i < most * stride; i++)
        copy1[i] = a1[i] = (float)(copy[i] = a[i] = cos((double)(i * i % 1009)));
    for (int threads = 1; threads <= 7; threads += 2)
        for (size_t s = 0; s < 2 * sizeof sizes / sizeof *sizes; s++) {
            kd2m_context *context = testing_context(threads);
            size_t n = sizes[s / 2], k = 40;
            bool t = s % 2;
            EXPECT_OK(context, kd2m_gemm_double(context, t, !t, n, n, k, 0.5, a, stride, a, stride,
                                                0, c, stride));
            EXPECT_OK(context, kd2m_gemm_double(context, t, !t, n, n, k, 0.5, a, stride, copy,
                                                stride, 0, whole, stride));
            EXPECT_OK(context, kd2m_gemm(context, t, !t, n, n, k, 0.5F, a1, stride, a1, stride, 0,
                                         c1, stride));
            EXPECT_OK(context, kd2m_gemm(context, t, !t, n, n, k, 0.5F, a1, stride, copy1, stride,
                                         0, whole1, stride));
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                    EXPECT_CLOSE(whole[i * stride + j], c[i * stride + j], 1e-13, 1e-13);
                    EXPECT_CLOSE(whole1[i * stride + j], c1[i * stride + j], 1e-5, 1e-5);
                    if (n >= 256)
                        assert_true(c[i * stride + j] == c[j * stride + i]);
                }
            kd2m_context_free(context);
        }
}

static void beta_zero_ignores_what_was_there(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    float a = 2.0F;
    float c = NAN;
    double a2 = 2.0;
    double c2 = NAN;
    for (size_t k = 0; k < 2; k++) {
        c = NAN;
        c2 = NAN;
        EXPECT_OK(context,
                  kd2m_gemm(context, false, false, 1, 1, k, 1.0F, &a, 1, &a, 1, 0.0F, &c, 1));
        EXPECT_OK(context, kd2m_gemm_double(context, false, false, 1, 1, k, 1.0, &a2, 1, &a2, 1,
                                            0.0, &c2, 1));
        assert_true(c == (k ? 4.0F : 0.0F));
        assert_true(c2 == (k ? 4.0 : 0.0));
    }
    kd2m_context_free(context);
}

static void empty_products_do_nothing(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    EXPECT_OK(context, kd2m_gemm(context, false, false, 0, 5, 5, 1, NULL, 5, NULL, 5, 0, NULL, 5));
    EXPECT_OK(context,
              kd2m_gemm_double(context, false, false, 5, 0, 5, 1, NULL, 5, NULL, 5, 0, NULL, 5));
    kd2m_context_free(context);
}

static void wrong_shapes_are_refused(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    float a[4] = {0};
    double a2[4] = {0};
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL,
                  kd2m_gemm(context, false, false, 2, 2, 2, 1, a, 1, a, 2, 0, a, 2));
    EXPECT_MESSAGE(context, "2 x 2");
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL,
                  kd2m_gemm(context, true, false, 3, 2, 2, 1, a, 2, a, 2, 0, a, 2));
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL,
                  kd2m_gemm(context, false, true, 2, 2, 2, 1, a, 2, a, 1, 0, a, 2));
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL,
                  kd2m_gemm_double(context, false, false, 2, 2, 2, 1, a2, 2, a2, 2, 0, a2, 1));
    EXPECT_STATUS(context, KD2M_ERROR_UNSUPPORTED,
                  kd2m_gemm(context, false, false, (size_t)1 << 40, 2, 2, 1, a, 2, a, 2, 0, a, 2));
    kd2m_context_free(context);
}

static void the_thread_setting_is_left_as_found(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    int before = omp_get_max_threads();
    float a[4] = {1, 2, 3, 4};
    float c[4];
    EXPECT_OK(context, kd2m_gemm(context, false, false, 2, 2, 2, 1, a, 2, a, 2, 0, c, 2));
    assert_int_equal(before, omp_get_max_threads());
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_follow_their_definition),
        cmocka_unit_test(nothing_beyond_the_result_is_written),
        cmocka_unit_test(products_with_themselves_are_whole_and_symmetric),
        cmocka_unit_test(beta_zero_ignores_what_was_there),
        cmocka_unit_test(empty_products_do_nothing),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(the_thread_setting_is_left_as_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
