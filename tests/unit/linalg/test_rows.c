/* Row kernels against their plain references, closed forms and hard inputs. */
#include "testing.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "rng.h"
#include "rows.h"

#define DIM_MAX ((size_t)70)
#define PADDING                                                                                    \
    ((size_t)3) /* elements between rows, NaN, so that a kernel that reads them shows              \
                 */

static kd2m_rows make_rows(size_t rows, size_t dim, double offset, double spread, uint64_t seed) {
    size_t stride = dim + PADDING;
    float *values = malloc(rows * stride * sizeof *values);
    assert_non_null(values);
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 1);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < stride; k++)
            values[i * stride + k] =
                k < dim ? (float)(offset + spread * kd2m_rng_normal(&rng)) : NAN;
    return (kd2m_rows){.values = values, .rows = rows, .dim = dim, .stride = stride};
}

static void drop_rows(kd2m_rows x) {
    free((void *)(uintptr_t)x.values);
}

static double *make_weights(size_t rows, uint64_t seed) {
    double *weights = malloc(rows * sizeof *weights);
    assert_non_null(weights);
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 2);
    double sum = 0.0;
    for (size_t i = 0; i < rows; i++)
        sum += weights[i] = i % 5 == 4 ? 0.0 : kd2m_rng_uniform(&rng) + 0.01;
    for (size_t i = 0; i < rows; i++)
        weights[i] /= sum;
    return weights;
}

static void check_moments(kd2m_context *context, kd2m_rows x, const double *weights) {
    double *mean = malloc(4 * x.dim * sizeof *mean);
    assert_non_null(mean);
    double *variance = mean + x.dim;
    double *mean_reference = mean + 2 * x.dim;
    double *variance_reference = mean + 3 * x.dim;
    kd2m_rows_mean(context, mean, x, weights);
    kd2m_reference_mean(mean_reference, x, weights);
    kd2m_rows_variance(context, variance, x, mean, weights);
    kd2m_reference_variance(variance_reference, x, mean, weights);
    for (size_t k = 0; k < x.dim; k++) {
        EXPECT_CLOSE(mean_reference[k], mean[k], 1e-13, 1e-13);
        EXPECT_CLOSE(variance_reference[k], variance[k], 0.0, 1e-12);
    }
    kd2m_rows_moments(context, mean, variance, x, weights);
    for (size_t k = 0; k < x.dim; k++) {
        EXPECT_CLOSE(mean_reference[k], mean[k], 1e-13, 1e-13);
        EXPECT_CLOSE(variance_reference[k], variance[k], 0.0, 1e-12);
    }
    free(mean);
}

static void moments_match_their_references(void **state) {
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        kd2m_context *context = testing_context(threads);
        for (size_t dim = 1; dim <= DIM_MAX; dim++) {
            kd2m_rows x = make_rows(1 + dim % 23, dim, 3.0, 2.0, dim);
            double *weights = make_weights(x.rows, dim);
            check_moments(context, x, NULL);
            check_moments(context, x, weights);
            free(weights);
            drop_rows(x);
        }
        /* wide enough that columns are shared out over the threads */
        kd2m_rows wide = make_rows(300, 500, 1e4, 1e-3, 9);
        check_moments(context, wide, NULL);
        drop_rows(wide);
        kd2m_context_free(context);
    }
}

static void moments_do_not_depend_on_the_thread_count(void **state) {
    (void)state;
    kd2m_context *one = testing_context(1);
    kd2m_context *two = testing_context(2);
    kd2m_rows x = make_rows(301, 517, 0.0, 1.0, 4);
    static double first[4][517];
    kd2m_rows_mean(one, first[0], x, NULL);
    kd2m_rows_mean(two, first[1], x, NULL);
    kd2m_rows_variance(one, first[2], x, first[0], NULL);
    kd2m_rows_variance(two, first[3], x, first[0], NULL);
    assert_memory_equal(first[0], first[1], sizeof first[0]);
    assert_memory_equal(first[2], first[3], sizeof first[2]);
    drop_rows(x);
    kd2m_context_free(one);
    kd2m_context_free(two);
}

/* One row far away, and features that are the same in every row. */
static void moments_at_once_survive_outliers(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    kd2m_rows x = make_rows(61, 40, 0.1, 1e-3, 5);
    double *weights = make_weights(61, 6);
    float *values = (float *)(uintptr_t)x.values;
    for (size_t k = 0; k < 40; k++)
        values[k] = k < 20 ? 1e6F : 0.1F; /* the first row */
    for (size_t i = 0; i < 61; i++)
        values[i * x.stride + 39] = 0.1F;
    double mean[40], variance[40], expected_mean[40], expected[40];
    for (int weighted = 0; weighted < 2; weighted++) {
        double total = 0;
        for (size_t i = 1; i < 61; i++)
            total += weights[i];
        for (size_t i = 1; i < 61; i++)
            weights[i] /= total;
        weights[0] = 1e-17; /* hardly there */
        const double *by = weighted ? weights : NULL;
        kd2m_rows_moments(context, mean, variance, x, by);
        kd2m_reference_mean(expected_mean, x, by);
        kd2m_reference_variance(expected, x, expected_mean, by);
        for (size_t k = 0; k < 40; k++)
            EXPECT_CLOSE(expected[k], variance[k], 1e-30, 1e-10);
        assert_true(variance[39] == 0);
    }
    free(weights);
    drop_rows(x);
    kd2m_context_free(context);
}

static void centring_subtracts_in_double(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    for (size_t dim = 1; dim <= DIM_MAX; dim += 3) {
        kd2m_rows x = make_rows(9, dim, 1e4, 1e-2, dim);
        double mean[DIM_MAX];
        float out[9 * DIM_MAX];
        kd2m_rows_mean(context, mean, x, NULL);
        kd2m_rows_center(context, out, x, mean);
        for (size_t i = 0; i < x.rows; i++)
            for (size_t k = 0; k < dim; k++)
                assert_true(out[i * dim + k] ==
                            (float)((double)x.values[i * x.stride + k] - mean[k]));
        drop_rows(x);
    }
    kd2m_context_free(context);
}

static void squared_distance_is_exact_to_rounding(void **state) {
    (void)state;
    for (size_t dim = 1; dim <= DIM_MAX; dim++) {
        kd2m_rows x = make_rows(2, dim, 1e4, 1e-2, dim);
        double expected[4];
        kd2m_reference_distances(expected, x, x);
        EXPECT_CLOSE(expected[1], kd2m_squared_distance(x.values, x.values + x.stride, dim), 0.0,
                     1e-13);
        assert_true(kd2m_squared_distance(x.values, x.values, dim) == 0.0);
        drop_rows(x);
    }
}

/* Largest relative error over all pairs. */
static double worst_distance(kd2m_context *context, kd2m_rows x, kd2m_rows y) {
    size_t count = x.rows * y.rows;
    float *out = malloc(count * sizeof *out);
    double *expected = malloc(count * sizeof *expected);
    assert_non_null(out);
    assert_non_null(expected);
    kd2m_arena arena;
    kd2m_arena_init(&arena, context);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, kd2m_distances_bytes(x.rows, y.rows, x.dim)));
    EXPECT_OK(context, kd2m_distances(&arena, out, x, y));
    assert_int_equal(0, arena.used);
    kd2m_arena_free(&arena);
    kd2m_reference_distances(expected, x, y);
    double worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        assert_true(out[i] >= 0.0F);
        if (expected[i] == 0.0)
            assert_true(out[i] == 0.0F);
        else
            worst = fmax(worst, fabs((double)out[i] / expected[i] - 1.0));
    }
    free(out);
    free(expected);
    return worst;
}

static void distances_match_their_reference(void **state) {
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        kd2m_context *context = testing_context(threads);
        for (size_t dim = 1; dim <= DIM_MAX; dim++) {
            kd2m_rows x = make_rows(1 + dim % 37, dim, 0.0, 1.0, dim);
            kd2m_rows y = make_rows(1 + dim % 29, dim, 0.5, 2.0, dim + 1000);
            /* 1e-5 is the promise for pairs a hair beyond the near share; 2e-6 typical */
            assert_true(worst_distance(context, x, y) < 1e-5);
            drop_rows(x);
            drop_rows(y);
        }
        kd2m_context_free(context);
    }
}

static void distances_survive_an_offset(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    const double offsets[] = {10.0, 1e4};
    const double spreads[] = {1e-3, 1e-3};
    for (size_t t = 0; t < 2; t++) {
        kd2m_rows x = make_rows(60, 512, offsets[t], spreads[t], 5);
        kd2m_rows y = make_rows(45, 512, offsets[t], spreads[t], 6);
        assert_true(worst_distance(context, x, y) < 1e-6);
        drop_rows(x);
        drop_rows(y);
    }
    kd2m_context_free(context);
}

static void equal_rows_have_distance_zero(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    kd2m_rows x = make_rows(40, 33, 2.0, 1.0, 7);
    float *values = (float *)(uintptr_t)x.values;
    memcpy(values + 3 * x.stride, values + 17 * x.stride, x.dim * sizeof *values);
    assert_true(worst_distance(context, x, x) < 1e-5);
    drop_rows(x);
    kd2m_context_free(context);
}

static void tight_clusters_keep_their_distances(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_rows x = make_rows(50, 64, 0.0, 1e-4, 8);
    float *values = (float *)(uintptr_t)x.values;
    for (size_t i = 0; i < x.rows; i++)
        values[i * x.stride + i % 4] += 100.0F;
    assert_true(worst_distance(context, x, x) < 1e-5);
    drop_rows(x);
    kd2m_context_free(context);
}

static void distances_show_nan(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    float x[2] = {1.0F, 2.0F};
    float y[2] = {NAN, 2.0F};
    float out[1] = {0.0F};
    kd2m_arena arena;
    kd2m_arena_init(&arena, context);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, kd2m_distances_bytes(1, 1, 2)));
    EXPECT_OK(context,
              kd2m_distances(&arena, out, (kd2m_rows){x, 1, 2, 2}, (kd2m_rows){y, 1, 2, 2}));
    assert_true(isnan(out[0]));
    kd2m_arena_free(&arena);
    kd2m_context_free(context);
}

static void a_short_arena_is_an_error(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_rows x = make_rows(5, 9, 0.0, 1.0, 1);
    float out[25];
    size_t needed = kd2m_distances_bytes(5, 5, 9);
    for (size_t bytes = 0; bytes <= needed; bytes += 64) {
        kd2m_arena arena;
        kd2m_arena_init(&arena, context);
        EXPECT_OK(context, kd2m_arena_reserve(&arena, bytes));
        EXPECT_STATUS(context, bytes < needed ? KD2M_ERROR_INTERNAL : KD2M_OK,
                      kd2m_distances(&arena, out, x, x));
        assert_int_equal(0, arena.used);
        kd2m_arena_free(&arena);
    }
    drop_rows(x);
    kd2m_context_free(context);
}

static void log_softmax_is_stable(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    const double factors[] = {1.0, 0.25};
    for (size_t dim = 1; dim <= DIM_MAX; dim += 7)
        for (size_t t = 0; t < 2; t++) {
            kd2m_rows x = make_rows(11, dim, 1000.0, 5.0, dim);
            float out[11 * DIM_MAX];
            kd2m_rows_log_softmax(context, out, x, factors[t]);
            for (size_t i = 0; i < x.rows; i++) {
                const float *row = x.values + i * x.stride;
                for (size_t k = 0; k < dim; k++) {
                    /* -log sum_l exp(f (x_l - x_k)), which needs no maximum here */
                    double sum = 0.0;
                    for (size_t l = 0; l < dim; l++)
                        sum += exp(factors[t] * ((double)row[l] - (double)row[k]));
                    EXPECT_CLOSE(-log(sum), out[i * dim + k], 1e-7, 1e-7);
                }
            }
            drop_rows(x);
        }
    const float extreme[3] = {-3e38F, 0.0F, 3e38F};
    float out[3];
    kd2m_rows_log_softmax(context, out, (kd2m_rows){extreme, 1, 3, 3}, 1.0);
    assert_true(out[2] == 0.0F && out[1] == -3e38F && out[0] < -3e38F);
    kd2m_context_free(context);
}

static void not_finite_values_are_found(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    size_t row = 99;
    size_t column = 99;
    for (size_t dim = 1; dim <= DIM_MAX; dim++) {
        kd2m_rows x = make_rows(6, dim, 0.0, 1.0, dim);
        float *values = (float *)(uintptr_t)x.values;
        values[0] = FLT_MAX;
        assert_int_equal(0, kd2m_rows_not_finite(context, x, &row, &column));
        values[2 * x.stride + dim - 1] = -INFINITY;
        values[4 * x.stride] = NAN;
        values[5 * x.stride + dim / 2] = INFINITY;
        assert_int_equal(3, kd2m_rows_not_finite(context, x, &row, &column));
        assert_int_equal(2, row);
        assert_int_equal(dim - 1, column);
        drop_rows(x);
    }
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_match_their_references),
        cmocka_unit_test(moments_do_not_depend_on_the_thread_count),
        cmocka_unit_test(moments_at_once_survive_outliers),
        cmocka_unit_test(centring_subtracts_in_double),
        cmocka_unit_test(squared_distance_is_exact_to_rounding),
        cmocka_unit_test(distances_match_their_reference),
        cmocka_unit_test(distances_survive_an_offset),
        cmocka_unit_test(equal_rows_have_distance_zero),
        cmocka_unit_test(tight_clusters_keep_their_distances),
        cmocka_unit_test(distances_show_nan),
        cmocka_unit_test(a_short_arena_is_an_error),
        cmocka_unit_test(log_softmax_is_stable),
        cmocka_unit_test(not_finite_values_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
