/* Means, their t tests and intervals, families of tests: references, coverage, what is refused. */
#include "suite.h"

#include <math.h>
#include <stdbool.h>

#include "golden.h"
#include "kd2m/stats.h"
#include "rng.h"

static void expect_test(const golden_line *line, const kd2m_mean_test *test) {
    const double found[] = {test->t, test->df, test->p, test->low, test->high};
    golden_expect(line, found, 5);
    EXPECT_CLOSE(test->estimate, (test->low + test->high) / 2, 1e-14, 1e-11);
    EXPECT_CLOSE(test->estimate, test->t * test->se, 1e-14, 1e-11);
    EXPECT_CLOSE(line->in[0], test->level, 0, 0);
}

static void summary(const golden_line *line) {
    kd2m_summary found;
    EXPECT_OK(context, kd2m_summarise(&found, context, line->in, line->ins));
    assert_int_equal(found.count, line->ins);
    golden_expect(line, (const double[]){found.mean, found.sd, found.se}, 3);
}

static void one(const golden_line *line) {
    kd2m_mean_test test;
    EXPECT_OK(context,
              kd2m_mean_test_one(&test, context, line->in + 1, line->ins - 1, line->in[0]));
    expect_test(line, &test);
}

static void paired(const golden_line *line) {
    kd2m_mean_test test;
    size_t count = (line->ins - 1) / 2;
    EXPECT_OK(context, kd2m_mean_test_paired(&test, context, line->in + 1, line->in + 1 + count,
                                             count, line->in[0]));
    expect_test(line, &test);
}

static void interaction(const golden_line *line) {
    kd2m_mean_test test;
    size_t count = (line->ins - 1) / 4;
    const double *values = line->in + 1;
    EXPECT_OK(context,
              kd2m_mean_test_interaction(&test, context, values, values + count, values + 2 * count,
                                         values + 3 * count, count, line->in[0]));
    expect_test(line, &test);
}

static void welch(const golden_line *line) {
    kd2m_mean_test test;
    size_t count = (size_t)line->in[1];
    EXPECT_OK(context,
              kd2m_mean_test_welch(&test, context, line->in + 2, count, line->in + 2 + count,
                                   line->ins - 2 - count, line->in[0]));
    expect_test(line, &test);
}

static void holm(const golden_line *line) {
    double adjusted[GOLDEN_NUMBERS];
    EXPECT_OK(context, kd2m_holm(adjusted, context, line->in, line->ins));
    golden_expect(line, adjusted, line->ins);
}

static void golden_values_are_met(void **state) {
    (void)state;
    golden_each("procedures.txt", "summary", 4, summary);
    golden_each("procedures.txt", "one", 4, one);
    golden_each("procedures.txt", "paired", 4, paired);
    golden_each("procedures.txt", "interaction", 4, interaction);
    golden_each("procedures.txt", "welch", 3, welch);
    golden_each("procedures.txt", "holm", 5, holm);
}

/* Student's own example: additional hours of sleep by two drugs (1908), t = -4.0621, p = 0.00283.
 */
static void sleep_data_give_the_textbook(void **state) {
    (void)state;
    const double first[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
    const double second[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
    kd2m_mean_test test;
    EXPECT_OK(context, kd2m_mean_test_paired(&test, context, first, second, 10, 0.95));
    EXPECT_CLOSE(-1.58, test.estimate, 1e-12, 0);
    EXPECT_CLOSE(-4.0621, test.t, 5e-5, 0);
    EXPECT_CLOSE(0.002833, test.p, 5e-7, 0);
    EXPECT_CLOSE(-2.459886, test.low, 5e-7, 0);
    EXPECT_CLOSE(-0.7001142, test.high, 5e-7, 0);
    EXPECT_OK(context, kd2m_mean_test_welch(&test, context, first, 10, second, 10, 0.95));
    EXPECT_CLOSE(17.776, test.df, 5e-4, 0);
    EXPECT_CLOSE(0.07939, test.p, 5e-6, 0);
}

static void without_spread_nothing_is_claimed(void **state) {
    (void)state;
    const double zeros[3] = {0}, same[] = {0.1, 0.1, 0.1};
    const double a[] = {0.93, 0.91, 0.62}, b[] = {0.92, 0.90, 0.61}; /* a - b differ in rounding */
    kd2m_mean_test tests[4];
    EXPECT_OK(context, kd2m_mean_test_one(&tests[0], context, zeros, 3, 0.95));
    EXPECT_OK(context, kd2m_mean_test_one(&tests[1], context, same, 3, 0.95));
    EXPECT_OK(context, kd2m_mean_test_paired(&tests[2], context, a, b, 3, 0.95));
    EXPECT_OK(context, kd2m_mean_test_welch(&tests[3], context, same, 3, zeros, 3, 0.95));
    kd2m_verdict verdicts[4];
    EXPECT_OK(context, kd2m_family_judge(verdicts, context, tests, 4, 0.05));
    for (size_t i = 0; i < 4; i++) {
        assert_true(tests[i].se == 0 && tests[i].t == 0 && tests[i].p == 1);
        assert_true(tests[i].low == -INFINITY && tests[i].high == INFINITY);
        assert_true(verdicts[i].adjusted_p == 1 && verdicts[i].low == -INFINITY);
        assert_int_equal(0, verdicts[i].sign);
    }
    EXPECT_CLOSE(0.01, tests[2].estimate, 1e-15, 0);
}

static void spread_survives_an_offset(void **state) {
    (void)state;
    const double values[] = {1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4};
    kd2m_summary found;
    EXPECT_OK(context, kd2m_summarise(&found, context, values, 4));
    EXPECT_CLOSE(1e9 + 2.5, found.mean, 0, 0);
    EXPECT_CLOSE(sqrt(5.0 / 3), found.sd, 0, 1e-15);
    EXPECT_OK(context, kd2m_summarise(&found, context, values, 1));
    assert_true(isnan(found.sd) && isnan(found.se) && found.mean == values[0]);
}

/* How many of `trials` intervals over 5 seeds hold the truth. */
static double coverage(size_t trials,
                       kd2m_status (*interval)(kd2m_mean_test *out, const double *values)) {
    size_t covered = 0;
    kd2m_rng rng;
    kd2m_rng_init(&rng, 11, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < trials; i++) {
        double values[20];
        kd2m_mean_test test;
        for (size_t k = 0; k < 20; k++)
            values[k] = kd2m_rng_normal(&rng);
        EXPECT_OK(context, interval(&test, values));
        covered += test.low < 0 && test.high > 0;
    }
    return (double)covered / (double)trials;
}

static kd2m_status one_of_five(kd2m_mean_test *out, const double *values) {
    return kd2m_mean_test_one(out, context, values, 5, 0.95);
}

static kd2m_status pairs_of_five(kd2m_mean_test *out, const double *values) {
    return kd2m_mean_test_paired(out, context, values, values + 5, 5, 0.9);
}

static kd2m_status interactions_of_five(kd2m_mean_test *out, const double *values) {
    return kd2m_mean_test_interaction(out, context, values, values + 5, values + 10, values + 15, 5,
                                      0.8);
}

static kd2m_status unlike_samples(kd2m_mean_test *out, const double *values) {
    double wide[8];
    for (size_t i = 0; i < 8; i++)
        wide[i] = 3 * values[12 + i];
    return kd2m_mean_test_welch(out, context, values, 12, wide, 8, 0.95);
}

static void intervals_cover_with_their_level(void **state) {
    (void)state;
    EXPECT_CLOSE(0.95, coverage(6000, one_of_five), 0.01, 0); /* 3.5 standard errors */
    EXPECT_CLOSE(0.9, coverage(6000, pairs_of_five), 0.0136, 0);
    EXPECT_CLOSE(0.8, coverage(6000, interactions_of_five), 0.018, 0);
    EXPECT_CLOSE(0.95, coverage(6000, unlike_samples), 0.012, 0);
}

static kd2m_mean_test test_of(double estimate, double se, double df) {
    return (kd2m_mean_test){.estimate = estimate,
                            .se = se,
                            .df = df,
                            .t = estimate / se,
                            .p = 2 * kd2m_student_tail(fabs(estimate / se), df)};
}

static void families_are_judged_step_by_step(void **state) {
    (void)state;
    /* p about 0.0001, 0.02, 0.03, 0.3: Holm stops at the second, which alone would pass */
    const kd2m_mean_test tests[] = {test_of(0.5, 0.48, 1000), test_of(-2.33, 1, 1000),
                                    test_of(3.9, 1, 1000), test_of(2.17, 1, 1000)};
    kd2m_verdict verdicts[4];
    EXPECT_OK(context, kd2m_family_judge(verdicts, context, tests, 4, 0.05));
    const size_t ranks[] = {4, 2, 1, 3};
    const int signs[] = {0, 0, 1, 0};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ranks[i], verdicts[i].rank);
        assert_int_equal(signs[i], verdicts[i].sign);
        double left = (double)(5 - ranks[i]);
        EXPECT_CLOSE(1 - 0.05 / left, verdicts[i].step_level, 1e-15, 0);
        double reach = kd2m_student_upper_quantile(0.025 / left, 1000) * tests[i].se;
        EXPECT_CLOSE(tests[i].estimate - reach, verdicts[i].step_low, 1e-12, 0);
        EXPECT_CLOSE(tests[i].estimate + reach, verdicts[i].step_high, 1e-12, 0);
        assert_true(verdicts[i].low <= verdicts[i].step_low);
        assert_true(verdicts[i].high >= verdicts[i].step_high);
    }
    /* at rank 3 the step interval excludes 0, but the step-down had stopped before */
    assert_true(tests[3].p < 0.05 / 2 || verdicts[3].step_low < 0);
    EXPECT_CLOSE(4 * tests[2].p, verdicts[2].adjusted_p, 0, 1e-12);
    EXPECT_CLOSE(verdicts[1].adjusted_p, 3 * tests[1].p, 0, 1e-12);
    EXPECT_OK(context, kd2m_family_judge(verdicts, context, tests, 4, 0.1));
    assert_int_equal(-1, verdicts[1].sign);
    assert_int_equal(1, verdicts[3].sign);
}

/* A later step interval that excludes 0 claims nothing once the step-down has stopped. */
static void later_ranks_wait_for_earlier_ones(void **state) {
    (void)state;
    const kd2m_mean_test tests[] = {test_of(2.3, 1, 1e6), test_of(2.3, 1, 1e6),
                                    test_of(2.3, 1, 1e6)};
    kd2m_verdict verdicts[3];
    EXPECT_OK(context, kd2m_family_judge(verdicts, context, tests, 3, 0.05));
    assert_true(verdicts[2].step_low > 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(i + 1, verdicts[i].rank);
        assert_int_equal(0, verdicts[i].sign);
    }
}

/* All families of true nulls: some claim is made in at most alpha of them; Bonferroni's intervals
 * hold the truth together in 1 - alpha or more. */
static void families_keep_their_error(void **state) {
    (void)state;
    size_t trials = 3000, claimed = 0, covered = 0;
    kd2m_rng rng;
    kd2m_rng_init(&rng, 12, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < trials; i++) {
        kd2m_mean_test tests[8];
        kd2m_verdict verdicts[8];
        bool any = false, all = true;
        for (size_t j = 0; j < 8; j++) {
            double values[5];
            for (size_t k = 0; k < 5; k++)
                values[k] = kd2m_rng_normal(&rng);
            EXPECT_OK(context, kd2m_mean_test_one(&tests[j], context, values, 5, 0.95));
        }
        EXPECT_OK(context, kd2m_family_judge(verdicts, context, tests, 8, 0.1));
        for (size_t j = 0; j < 8; j++) {
            any = any || verdicts[j].sign != 0;
            all = all && verdicts[j].low < 0 && verdicts[j].high > 0;
        }
        claimed += any;
        covered += all;
    }
    EXPECT_CLOSE(0.095, (double)claimed / (double)trials, 0.018, 0);
    EXPECT_CLOSE(0.905, (double)covered / (double)trials, 0.018, 0);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    const double values[] = {1, 2, NAN}, huge[] = {1e308, -1e308, 1e308};
    kd2m_mean_test test;
    kd2m_summary found;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_summarise(&found, context, values, 0));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_summarise(&found, context, values, 3));
    EXPECT_MESSAGE(context, "values[2] is nan");
    assert_true(isnan(found.mean));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_summarise(&found, context, huge, 3));
    EXPECT_MESSAGE(context, "too large");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_mean_test_one(&test, context, values, 1, 0.95));
    EXPECT_MESSAGE(context, "at least 2");
    assert_true(isnan(test.p));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_mean_test_paired(&test, context, huge, values, 3, 0.95));
    EXPECT_MESSAGE(context, "b[2]");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_mean_test_welch(&test, context, values, 2, values, 1, 0.95));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_mean_test_interaction(&test, context, huge, huge, huge, values, 3, 0.95));
    EXPECT_MESSAGE(context, "b_nominal[2]");
    const double levels[] = {0, 1, -1, 95, NAN};
    for (size_t i = 0; i < 5; i++)
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_mean_test_one(&test, context, values, 2, levels[i]));
    EXPECT_MESSAGE(context, "level");
}

static void bad_families_are_refused(void **state) {
    (void)state;
    double adjusted[2] = {-7, -7};
    EXPECT_OK(context, kd2m_holm(adjusted, context, adjusted, 0));
    EXPECT_OK(context, kd2m_family_judge(NULL, context, NULL, 0, 0.05));
    const double bad[][2] = {{0.1, -1e-9}, {0.1, 1.1}, {0.1, NAN}};
    for (size_t i = 0; i < 3; i++) {
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_holm(adjusted, context, bad[i], 2));
        EXPECT_MESSAGE(context, "p[1]");
    }
    kd2m_mean_test tests[] = {test_of(1, 1, 4), test_of(1, 1, 4)};
    kd2m_verdict verdicts[2];
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_family_judge(verdicts, context, tests, 2, 1));
    tests[1].se = -1;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_family_judge(verdicts, context, tests, 2, 0.05));
    EXPECT_MESSAGE(context, "test 1");
    double p[] = {0.04, 0.01};
    EXPECT_OK(context, kd2m_holm(p, context, p, 2)); /* in place */
    EXPECT_CLOSE(0.04, p[0], 1e-15, 0);
    EXPECT_CLOSE(0.02, p[1], 1e-15, 0);
}

static void failing_allocations_are_reported(void **state) {
    (void)state;
    const double p[] = {0.04, 0.01};
    const kd2m_mean_test tests[] = {test_of(1, 1, 4), test_of(1, 1, 4)};
    double adjusted[2];
    kd2m_verdict verdicts[2];
    kd2m_context *failing = testing_failing_context(0);
    EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, kd2m_holm(adjusted, failing, p, 2));
    EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, kd2m_family_judge(verdicts, failing, tests, 2, 0.1));
    assert_int_equal(0, testing_live());
    kd2m_context_free(failing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_values_are_met),
        cmocka_unit_test(sleep_data_give_the_textbook),
        cmocka_unit_test(without_spread_nothing_is_claimed),
        cmocka_unit_test(spread_survives_an_offset),
        cmocka_unit_test(intervals_cover_with_their_level),
        cmocka_unit_test(families_are_judged_step_by_step),
        cmocka_unit_test(later_ranks_wait_for_earlier_ones),
        cmocka_unit_test(families_keep_their_error),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(bad_families_are_refused),
        cmocka_unit_test(failing_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
