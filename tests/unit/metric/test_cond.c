/* Conditioning: which groups count, what they weigh, what is held for them. */
#include "problem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static kd2m_context *context;
static metric_problem given;
static float gradient[PROBLEM_VALUES], other[PROBLEM_VALUES];

static void set_labels(const int32_t *x, const int32_t *y) {
    memcpy(given.x.labels, x, given.x.rows * sizeof *x);
    memcpy(given.y.labels, y, given.y.rows * sizeof *y);
}

static kd2m_metric_result result_of(const char *spec, float *into) {
    problem_metric opened = problem_open(context, spec);
    kd2m_metric_result result = problem_result(&opened, &given, into);
    problem_close(&opened);
    return result;
}

static void test_a_class_on_one_side_is_dropped(void **state) {
    (void)state;
    static const int32_t x[] = {0, 5, 0, 2, 5, 5}, y[] = {2, 0, 9, 0, 2, 9};
    problem_fill(&given, 1, 6, 6, 3);
    set_labels(x, y);
    kd2m_metric_result result = result_of("cond(w2)", gradient);
    assert_int_equal(result.groups_kept, 2);
    assert_int_equal(result.groups_dropped, 2);
    assert_int_equal(result.fallbacks, 0);
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(gradient[i * 3 + k] == 0, x[i] == 5);
}

static void test_small_groups_fall_back_to_means(void **state) {
    (void)state;
    static const int32_t x[] = {0, 0, 0, 1, 2, 2}, y[] = {0, 0, 1, 1, 2, 1};
    static const char *const specs[] = {"gauss-w2", "kl", "mmd", "w2"};
    problem_fill(&given, 2, 6, 6, 3);
    set_labels(x, y);
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        char spec[64];
        snprintf(spec, sizeof spec, "cond(%s)", specs[s]);
        kd2m_metric_result result = result_of(spec, NULL);
        assert_int_equal(result.groups_kept, 3);
        assert_int_equal(result.fallbacks, s < 2 ? 2 : 0);
    }
}

static void test_one_row_per_class_is_mse(void **state) {
    (void)state;
    problem_fill(&given, 3, 7, 7, 4);
    for (int32_t i = 0; i < 7; i++)
        given.x.labels[i] = given.y.labels[i] = 6 - i;
    kd2m_metric_result cond = result_of("cond(w2)", gradient), mse = result_of("mse", other);
    EXPECT_CLOSE(mse.value, cond.value, 0, 1e-12);
    EXPECT_CLOSE(1, cond.pair_share, 1e-12, 0);
    for (size_t k = 0; k < 28; k++)
        EXPECT_CLOSE(other[k], gradient[k], 0, 1e-6);
}

static void test_one_class_is_the_metric_itself(void **state) {
    (void)state;
    static const char *const specs[] = {"w2", "w1", "gauss-w2", "kl", "mmd", "mmd:kernel=linear"};
    problem_fill(&given, 4, 9, 12, 4);
    memset(given.x.labels, 0, sizeof given.x.labels);
    memset(given.y.labels, 0, sizeof given.y.labels);
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        char spec[64];
        snprintf(spec, sizeof spec, "cond(%s)", specs[s]);
        kd2m_metric_result cond = result_of(spec, gradient), alone = result_of(specs[s], other);
        assert_true(cond.value == alone.value);
        assert_memory_equal(gradient, other, 36 * sizeof(float));
        assert_true(cond.certificate.iterations == alone.certificate.iterations);
    }
}

/* Pairs are rows of the same number in the caller's samples, not of the same place in a group. */
static void test_pair_share(void **state) {
    (void)state;
    static const int32_t straight[] = {0, 0, 1, 1}, crossed[] = {1, 0, 0, 1};
    problem_fill(&given, 5, 4, 4, 2);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 2; k++)
            given.x.values[i * given.x.stride + k] = given.y.values[i * given.y.stride + k] =
                (float)(i + 1);
    assert_true(result_of("w2", NULL).pair_share == 1);
    set_labels(straight, straight);
    assert_true(result_of("cond(w2)", NULL).pair_share == 1);
    set_labels(straight, crossed); /* group 0: rows 0 1 on 1 2; group 1: rows 2 3 on 0 3 */
    EXPECT_CLOSE(0.25, result_of("cond(w2)", NULL).pair_share, 1e-12, 0);
    given.y.rows = 3;
    assert_true(isnan(result_of("w2", NULL).pair_share));
    assert_true(isnan(result_of("cond(w2)", NULL).pair_share));
}

static size_t held_count(const problem_metric *opened, double *values) {
    const char *name;
    size_t count = 0;
    while (kd2m_metric_constant(opened->metric, count, &name, &values[count]) == KD2M_OK) {
        assert_string_equal(name, "sigma");
        count++;
    }
    return count;
}

static void test_constants_are_held_per_group(void **state) {
    (void)state;
    static const int32_t x[] = {0, 0, 3, 3, 0, 3}, y[] = {3, 0, 0, 3, 4, 4};
    static const int32_t later[] = {4, 4, 3, 3, 0, 0};
    double before[8], after[8];
    kd2m_metric_result result;
    problem_fill(&given, 6, 6, 6, 3);
    set_labels(x, y);
    problem_metric opened = problem_open(context, "cond(mmd)");
    assert_int_equal(held_count(&opened, before), 0);
    EXPECT_OK(context, problem_evaluate(&opened, &given, &result, NULL)); /* prepares itself */
    assert_int_equal(held_count(&opened, before), 2);

    for (size_t k = 0; k < 6 * given.x.stride; k++)
        given.x.values[k] *= 3;
    set_labels(later, y); /* group 4 is met for the first time */
    EXPECT_OK(context, problem_evaluate(&opened, &given, &result, NULL));
    assert_int_equal(result.groups_kept, 3);
    assert_int_equal(held_count(&opened, after), 3);
    assert_true(after[0] == before[0] && after[1] == before[1]);

    problem_result(&opened, &given, NULL); /* prepares anew */
    assert_int_equal(held_count(&opened, after), 3);
    assert_true(after[0] != before[0]);
    set_labels(x, y);
    problem_result(&opened, &given, NULL); /* group 4 is gone */
    assert_int_equal(held_count(&opened, after), 2);
    problem_close(&opened);
}

/* Labels that agree in their low bits, and orders that differ by which bits are looked at. */
static void test_large_labels(void **state) {
    (void)state;
    static const int32_t small[] = {0, 1, 2, 3, 0, 1, 2, 3};
    static const int32_t large[] = {1, 65537, 16777217, INT32_MAX, 1, 65537, 16777217, INT32_MAX};
    static const int32_t y_small[] = {3, 2, 1, 0, 3, 2, 1, 0};
    static const int32_t y_large[] = {INT32_MAX, 16777217, 65537, 1, INT32_MAX, 16777217, 65537, 1};
    problem_fill(&given, 7, 8, 8, 3);
    set_labels(small, y_small);
    double expected = result_of("cond(gauss-w2)", NULL).value;
    set_labels(large, y_large);
    kd2m_metric_result result = result_of("cond(gauss-w2)", NULL);
    EXPECT_CLOSE(expected, result.value, 0, 1e-12);
    assert_int_equal(result.groups_kept, 4);
}

/* Rows of weight 0 are as if they were not there: a class of nothing else is dropped. */
static void test_a_class_without_weight_is_dropped(void **state) {
    (void)state;
    static const int32_t labels[] = {0, 1, 0, 1, 2, 2};
    problem_fill(&given, 8, 6, 6, 3);
    set_labels(labels, labels);
    given.x.weighted = true;
    given.x.weights[4] = given.x.weights[5] = 0;
    kd2m_metric_result result = result_of("cond(w2)", gradient);
    assert_true(isfinite(result.value));
    assert_int_equal(result.groups_kept, 2);
    assert_int_equal(result.groups_dropped, 1);
    assert_true(problem_largest(gradient + 12, 6) == 0);
}

/* The codes of a column do what labels do, whatever else the sample carries. */
static void test_groups_by_column(void **state) {
    (void)state;
    static const char *const metrics[] = {"w2", "gauss-w2", "mmd", "mse"};
    int32_t other_codes[9] = {0};
    problem_fill(&given, 9, 9, 9, 3);
    memcpy(given.y.labels, given.x.labels, sizeof given.y.labels);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        char spec[64];
        kd2m_metric_result result;
        snprintf(spec, sizeof spec, "cond(%s)", metrics[i]);
        kd2m_metric_result expected = result_of(spec, gradient);
        snprintf(spec, sizeof spec, "cond(%s):by=\"load 2\"", metrics[i]);
        problem_metric opened = problem_open(context, spec);
        kd2m_sample x = problem_sample(&given.x, 0), y = problem_sample(&given.y, 0);
        const kd2m_sample_column columns[2][2] = {
            {{"machine", other_codes}, {"load 2", given.x.labels}},
            {{"load 2", given.y.labels}, {"label", other_codes}}};
        x.columns = columns[0];
        y.columns = columns[1];
        x.column_count = y.column_count = 2;
        x.labels = other_codes;
        kd2m_gradient wanted = {other, 3, NULL, 0};
        EXPECT_OK(context, kd2m_metric_evaluate(opened.metric, &x, &y, &result, &wanted));
        assert_true(result.value == expected.value);
        assert_int_equal(result.groups_kept, 2);
        assert_memory_equal(gradient, other, 27 * sizeof(float));
        problem_close(&opened);
    }
}

static void test_columns_that_do_not_fit(void **state) {
    (void)state;
    problem_fill(&given, 10, 4, 4, 3);
    problem_metric opened = problem_open(context, "cond(w2):by=machine");
    kd2m_sample x = problem_sample(&given.x, 0), y = problem_sample(&given.y, 0);
    const kd2m_sample_column columns[] = {{"load", given.x.labels}, {"speed", given.x.labels}};
    const kd2m_sample_column machine = {"machine", given.x.labels};
    kd2m_metric_result result;
    x.columns = &machine;
    x.column_count = 1;
    const struct {
        size_t count;
        const char *message;
    } cases[] = {{0, "by column 'machine', but the teacher (y) sample's columns are: none"},
                 {2, "sample's columns are: load, speed"}};
    for (size_t i = 0; i < 2; i++) {
        y.columns = columns;
        y.column_count = cases[i].count;
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_metric_evaluate(opened.metric, &x, &y, &result, NULL));
        EXPECT_MESSAGE(context, cases[i].message);
    }
    y.columns = &machine;
    y.column_count = 1;
    given.x.labels[2] = -5;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_metric_evaluate(opened.metric, &x, &y, &result, NULL));
    EXPECT_MESSAGE(context, "machine -5 of row 2 of the student (x) sample is negative");

    /* many long names: the sentence ends somewhere, nothing is overrun */
    static char names[40][64];
    static kd2m_sample_column many[40];
    for (size_t i = 0; i < 40; i++) {
        memset(names[i], 'c', 60);
        many[i] = (kd2m_sample_column){names[i], given.y.labels};
    }
    y.columns = many;
    y.column_count = 40;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_metric_evaluate(opened.metric, &y, &y, &result, NULL));
    EXPECT_MESSAGE(context, "cccc, cccc");
    problem_close(&opened);
}

/* The whole is as sure as its least sure group: its certificate is put together from those that the
 * groups have by themselves. */
static void test_certificates_of_groups_add_up(void **state) {
    (void)state;
    kd2m_certificate worst = {.converged = 1};
    size_t unconverged = 0;
    problem_fill(&given, 11, 24, 24, 3);
    for (size_t i = 0; i < 24; i++) {
        given.x.labels[i] = given.y.labels[i] = (int32_t)(i / 8);
        for (size_t k = 0; i < 8 && k < 3; k++) /* the first group is all alike: done at once */
            given.x.values[i * given.x.stride + k] = given.y.values[i * given.y.stride + k] = 1;
    }
    kd2m_metric_result whole = result_of("cond(sinkhorn:eps=0.001,iters=2)", NULL);
    for (int32_t label = 0; label < 3; label++) {
        metric_problem all = given;
        given.x.rows = given.y.rows = 8;
        for (size_t i = 0; i < 8 * given.x.stride; i++) {
            given.x.values[i] = all.x.values[(size_t)label * 8 * given.x.stride + i];
            given.y.values[i] = all.y.values[(size_t)label * 8 * given.y.stride + i];
        }
        kd2m_certificate part = result_of("sinkhorn:eps=0.001,iters=2", NULL).certificate;
        given = all;
        worst.gap = fmax(worst.gap, part.gap);
        worst.marginal_error = fmax(worst.marginal_error, part.marginal_error);
        worst.iterations += part.iterations;
        worst.converged = worst.converged && part.converged;
        unconverged += !part.converged;
    }
    assert_int_equal(unconverged, 2);
    assert_true(worst.marginal_error > 0);
    assert_false(whole.certificate.converged);
    assert_true(whole.certificate.gap == worst.gap);
    assert_true(whole.certificate.marginal_error == worst.marginal_error);
    assert_int_equal(whole.certificate.iterations, worst.iterations);
    assert_true(result_of("cond(sinkhorn)", NULL).certificate.converged);
}

/* A strict metric refuses what another one gives, with the same figures in its message. */
static void test_strict(void **state) {
    (void)state;
    static const char *const specs[] = {"sinkhorn:iters=2", "cond(uot:iters=2)",
                                        "joint(sinkhorn-div:iters=2)"};
    kd2m_metric_result result;
    problem_fill(&given, 12, 12, 12, 3);
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        problem_metric opened = problem_open(context, specs[s]);
        EXPECT_OK(context, problem_evaluate(&opened, &given, &result, NULL));
        assert_false(result.certificate.converged);
        double value = result.value;
        EXPECT_STATUS(context, KD2M_ERROR_NUMERIC, kd2m_metric_certify(opened.metric, &result));
        EXPECT_MESSAGE(context, "raise iters= or eps=");
        kd2m_metric_set_strict(opened.metric, 1);
        EXPECT_STATUS(context, KD2M_ERROR_NUMERIC,
                      problem_evaluate(&opened, &given, &result, gradient));
        EXPECT_MESSAGE(context, opened.info.spec);
        EXPECT_MESSAGE(context, "did not converge: gap ");
        assert_true(result.value == value);
        kd2m_metric_set_strict(opened.metric, 0);
        EXPECT_OK(context, problem_evaluate(&opened, &given, &result, gradient));
        problem_close(&opened);
    }
    problem_metric exact = problem_open(context, "w2");
    kd2m_metric_set_strict(exact.metric, 1);
    result = problem_result(&exact, &given, NULL);
    EXPECT_OK(context, kd2m_metric_certify(exact.metric, &result));
    result.certificate.converged = 0;
    EXPECT_STATUS(context, KD2M_ERROR_NUMERIC, kd2m_metric_certify(exact.metric, &result));
    EXPECT_MESSAGE(context, "compare fewer rows, or take another metric");
    problem_close(&exact);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_class_on_one_side_is_dropped),
        cmocka_unit_test(test_small_groups_fall_back_to_means),
        cmocka_unit_test(test_one_row_per_class_is_mse),
        cmocka_unit_test(test_one_class_is_the_metric_itself),
        cmocka_unit_test(test_pair_share),
        cmocka_unit_test(test_constants_are_held_per_group),
        cmocka_unit_test(test_large_labels),
        cmocka_unit_test(test_a_class_without_weight_is_dropped),
        cmocka_unit_test(test_groups_by_column),
        cmocka_unit_test(test_columns_that_do_not_fit),
        cmocka_unit_test(test_certificates_of_groups_add_up),
        cmocka_unit_test(test_strict),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
