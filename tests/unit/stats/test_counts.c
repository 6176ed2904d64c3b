/* Proportions, McNemar's test, sign counts, ranks: references, exact coverage, what is refused. */
#include "suite.h"

#include <math.h>

#include "golden.h"
#include "kd2m/stats.h"

typedef kd2m_status (*interval)(kd2m_proportion *out, kd2m_context *context, int64_t successes,
                                int64_t trials, double level);

static void expect_proportion(const golden_line *line, interval method) {
    kd2m_proportion found;
    EXPECT_OK(context,
              method(&found, context, (int64_t)line->in[0], (int64_t)line->in[1], line->in[2]));
    EXPECT_CLOSE(line->in[0] / line->in[1], found.estimate, 0, 0);
    golden_expect(line, (const double[]){found.low, found.high}, 2);
}

static void wilson(const golden_line *line) {
    expect_proportion(line, kd2m_proportion_wilson);
}

static void exact(const golden_line *line) {
    expect_proportion(line, kd2m_proportion_exact);
}

static void mcnemar(const golden_line *line) {
    kd2m_mcnemar found;
    EXPECT_OK(context,
              kd2m_mcnemar_counts(&found, context, (int64_t)line->in[0], (int64_t)line->in[1]));
    golden_expect(line, (const double[]){found.p, found.mid_p}, 2);
}

static void ranks(const golden_line *line) {
    double found[GOLDEN_NUMBERS];
    size_t blocks = (size_t)line->in[0], methods = (line->ins - 1) / blocks;
    EXPECT_OK(context, kd2m_average_ranks(found, context, line->in + 1, blocks, methods));
    golden_expect(line, found, methods);
}

static void golden_values_are_met(void **state) {
    (void)state;
    golden_each("procedures.txt", "wilson", 8, wilson);
    golden_each("procedures.txt", "exact", 8, exact);
    golden_each("procedures.txt", "mcnemar", 7, mcnemar);
    golden_each("procedures.txt", "ranks", 4, ranks);
}

/* The chance that the interval holds p, over all outcomes of n trials. */
static double coverage(interval method, int64_t n, double p, double level) {
    double covered = 0;
    for (int64_t k = 0; k <= n; k++) {
        kd2m_proportion found;
        EXPECT_OK(context, method(&found, context, k, n, level));
        assert_true(found.low <= found.estimate && found.estimate <= found.high);
        if (found.low <= p && p <= found.high)
            covered += kd2m_binomial_mass(k, n, p);
    }
    return covered;
}

static void intervals_cover_as_they_promise(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 60; n += 7) {
        double mean = 0;
        for (int i = 1; i < 100; i++) {
            double p = (double)i / 100;
            assert_true(coverage(kd2m_proportion_exact, n, p, 0.9) >= 0.9);
            mean += coverage(kd2m_proportion_wilson, n, p, 0.9) / 99;
        }
        assert_true(mean > 0.885 && mean < 0.93);
    }
}

static void large_counts_stay_right(void **state) {
    (void)state;
    kd2m_proportion found;
    int64_t n = KD2M_MOST_TRIALS;
    EXPECT_OK(context, kd2m_proportion_exact(&found, context, n / 4, n, 0.95));
    double reach = kd2m_normal_upper_quantile(0.025) * sqrt(0.25 * 0.75 / (double)n);
    EXPECT_CLOSE(0.25 - reach, found.low, 1e-10, 0);
    EXPECT_CLOSE(0.25 + reach, found.high, 1e-10, 0);
    kd2m_mcnemar test;
    EXPECT_OK(context, kd2m_mcnemar_counts(&test, context, n / 2, n / 2));
    EXPECT_CLOSE(1, test.p, 0, 0);
    EXPECT_CLOSE(1, test.mid_p, 1e-12, 0);
    EXPECT_OK(context, kd2m_mcnemar_counts(&test, context, 0, 900));
    EXPECT_CLOSE(0x1p-899, test.p, 0, 1e-12);
    EXPECT_CLOSE(0x1p-900, test.mid_p, 0, 1e-12);
}

static void predictions_are_counted(void **state) {
    (void)state;
    const int32_t labels[] = {0, 1, 2, 0, 1, 2, 0}, a[] = {0, 1, 2, 1, 1, 0, 1},
                  b[] = {0, 0, 1, 0, 0, 1, 2};
    kd2m_mcnemar counted, given;
    EXPECT_OK(context, kd2m_mcnemar_predictions(&counted, context, labels, a, b, 7));
    assert_int_equal(3, counted.only_a);
    assert_int_equal(1, counted.only_b);
    EXPECT_OK(context, kd2m_mcnemar_counts(&given, context, 1, 3)); /* the same either way */
    assert_true(counted.p == given.p && counted.mid_p == given.mid_p);
    EXPECT_CLOSE(10.0 / 16, counted.p, 1e-15, 0);
    EXPECT_CLOSE(6.0 / 16, counted.mid_p, 1e-15, 0);
}

static void signs_are_counted(void **state) {
    (void)state;
    const double differences[] = {0.1, 0.2, 0, -0.1, 0.3, 1e-300, 0.1, -0.0};
    kd2m_sign_count found;
    kd2m_proportion share;
    EXPECT_OK(context, kd2m_count_signs(&found, context, differences, 8, 0.95));
    assert_int_equal(5, found.better);
    assert_int_equal(1, found.worse);
    assert_int_equal(2, found.equal);
    EXPECT_OK(context, kd2m_proportion_exact(&share, context, 5, 8, 0.95));
    assert_true(share.low == found.better_share.low && share.high == found.better_share.high);
    EXPECT_CLOSE(2 * 7.0 / 64, found.p, 1e-15, 0);
}

static void ranks_take_infinity_and_ties(void **state) {
    (void)state;
    const double scores[] = {1, INFINITY, 1, -INFINITY}, all_equal[] = {2, 2, 2};
    double found[4];
    EXPECT_OK(context, kd2m_average_ranks(found, context, scores, 1, 4));
    const double expected[] = {2.5, 1, 2.5, 4};
    for (size_t j = 0; j < 4; j++)
        assert_true(found[j] == expected[j]);
    EXPECT_OK(context, kd2m_average_ranks(found, context, all_equal, 1, 3));
    assert_true(found[0] == 2 && found[1] == 2 && found[2] == 2);
    EXPECT_OK(context, kd2m_average_ranks(found, context, scores, 3, 0));
}

static void bad_input_is_refused(void **state) {
    (void)state;
    const int64_t bad[][2] = {{0, 0}, {-1, 4}, {5, 4}, {0, -1}, {0, KD2M_MOST_TRIALS + 1}};
    kd2m_proportion found;
    kd2m_mcnemar test;
    kd2m_sign_count signs;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_proportion_wilson(&found, context, bad[i][0], bad[i][1], 0.95));
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_proportion_exact(&found, context, bad[i][0], bad[i][1], 0.95));
        assert_true(isnan(found.low));
    }
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_proportion_wilson(&found, context, 1, 2, 1));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_proportion_exact(&found, context, 1, 2, NAN));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_mcnemar_counts(&test, context, -1, 3));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_mcnemar_counts(&test, context, 3, INT64_MIN));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_mcnemar_counts(&test, context, INT64_MAX, INT64_MAX));
    assert_true(isnan(test.p) && isnan(test.mid_p));
    const double differences[] = {1, NAN};
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_count_signs(&signs, context, differences, 2, 0.95));
    EXPECT_MESSAGE(context, "differences[1]");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_count_signs(&signs, context, differences, 0, 0.95));
    double ranked[2];
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_average_ranks(ranked, context, differences, 1, 2));
    EXPECT_MESSAGE(context, "method 1");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_average_ranks(ranked, context, differences, 0, 2));
}

static void failing_allocations_are_reported(void **state) {
    (void)state;
    const double scores[] = {1, 2};
    double ranked[2];
    kd2m_context *failing = testing_failing_context(0);
    EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, kd2m_average_ranks(ranked, failing, scores, 1, 2));
    assert_int_equal(0, testing_live());
    kd2m_context_free(failing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_values_are_met),
        cmocka_unit_test(intervals_cover_as_they_promise),
        cmocka_unit_test(large_counts_stay_right),
        cmocka_unit_test(predictions_are_counted),
        cmocka_unit_test(signs_are_counted),
        cmocka_unit_test(ranks_take_infinity_and_ties),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(failing_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
