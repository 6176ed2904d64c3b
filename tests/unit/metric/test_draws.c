/* What a preparation settles. Metrics that draw: what is drawn follows from seed and draw alone, is
 * held between preparations, and averages to the truth. Constants: the same whether prepared apart
 * or with the value. */
#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static kd2m_context *context;
static metric_problem given;
static float gradient[PROBLEM_VALUES];

static double value_of(const problem_metric *opened) {
    return problem_result(opened, &given, gradient).value;
}

static void test_draws_follow_from_seed_and_number(void **state) {
    (void)state;
    problem_fill(&given, 1, 40, 30, 6);
    problem_metric first = problem_open(context, "sw2:proj=5");
    problem_metric second = problem_open(context, "sw2:proj=5");
    double values[4];
    for (size_t i = 0; i < 4; i++)
        values[i] = value_of(&first);
    assert_true(values[0] != values[1] && values[1] != values[2]);
    kd2m_metric_seek(second.metric, 0, 2);
    assert_true(value_of(&second) == values[2] && value_of(&second) == values[3]);
    kd2m_metric_seek(second.metric, 0, 0);
    assert_true(value_of(&second) == values[0]);
    kd2m_metric_seek(second.metric, 1, 0);
    assert_true(value_of(&second) != values[0]);

    kd2m_metric_result result;
    EXPECT_OK(context, problem_evaluate(&first, &given, &result, NULL));
    assert_true(result.value == values[3]); /* held */
    problem_close(&first);
    problem_close(&second);
}

static void test_without_redraw_directions_stay(void **state) {
    (void)state;
    problem_fill(&given, 2, 20, 20, 6);
    problem_metric opened = problem_open(context, "sw2:redraw=0");
    double value = value_of(&opened);
    assert_true(value_of(&opened) == value);
    problem_close(&opened);
}

/* A move by v: every direction t sees (v.t)^2, |v|^2/d on average. */
static void test_directions_are_uniform(void **state) {
    (void)state;
    problem_fill(&given, 3, 8, 8, 5);
    double square = 0;
    for (size_t k = 0; k < 5; k++) {
        double move = 1 + (double)k;
        square += move * move;
        for (size_t i = 0; i < 8; i++)
            given.y.values[i * given.y.stride + k] =
                given.x.values[i * given.x.stride + k] + (float)move;
    }
    problem_metric opened = problem_open(context, "sw2:proj=20000");
    EXPECT_CLOSE(square / 5, value_of(&opened), 0, 0.03);
    for (size_t k = 0; k < 5; k++) /* 2/n (x - y)/d, on average */
        EXPECT_CLOSE(-2.0 / 8 * (1 + (double)k) / 5, gradient[k], 0.01, 0.03);
    problem_close(&opened);
}

static void test_one_dimension_is_exact_transport(void **state) {
    (void)state;
    problem_fill(&given, 4, 31, 45, 1);
    problem_metric sliced = problem_open(context, "sw2:proj=3"),
                   exact = problem_open(context, "w2");
    EXPECT_CLOSE(value_of(&exact), value_of(&sliced), 0, 1e-6);
    problem_close(&sliced);
    problem_close(&exact);
}

/* Value and gradient are those of a preparation and an evaluation, to the bit. */
static void check_fresh(problem_metric *opened, const metric_problem *problem) {
    static float apart[PROBLEM_VALUES];
    metric_problem *fit = malloc(sizeof *fit);
    kd2m_metric_result result;
    assert_non_null(fit);
    if (problem_adapt(fit, problem, opened)) {
        kd2m_sample x = problem_sample(&fit->x, opened->info.traits);
        kd2m_sample y = problem_sample(&fit->y, opened->info.traits);
        bool on_logits = opened->info.traits & KD2M_METRIC_ON_LOGITS;
        const kd2m_gradient wanted = {.features = on_logits ? NULL : gradient,
                                      .stride = fit->x.dim,
                                      .logits = on_logits ? gradient : NULL,
                                      .logits_stride = fit->x.dim};
        kd2m_metric_seek(opened->metric, 7, 3);
        kd2m_metric_result expected = problem_result(opened, fit, apart);
        memset(gradient, 0, sizeof gradient);
        kd2m_metric_seek(opened->metric, 7, 3);
        EXPECT_OK(context, kd2m_metric_evaluate_fresh(opened->metric, &x, &y, &result, &wanted));
        assert_true(result.value == expected.value);
        assert_memory_equal(gradient, apart, fit->x.rows * fit->x.dim * sizeof *apart);
        /* and the constants are held */
        EXPECT_OK(context, kd2m_metric_evaluate(opened->metric, &x, &y, &result, NULL));
        assert_true(fabs(result.value - expected.value) <= 1e-9 * fabs(expected.value));
    }
    free(fit);
}

static void check_fresh_use(problem_metric *opened, const reference_metric *metric,
                            reference_use use) {
    (void)metric;
    (void)use;
    check_fresh(opened, &given);
}

static void test_fresh_is_prepared_and_evaluated(void **state) {
    (void)state;
    problem_fill(&given, 11, 24, 24, 6);
    problem_for_each(context, check_fresh_use);
}

/* Distances over several tiles, those of near pairs too, and weights, which no bandwidth sees. */
static void test_kept_distances(void **state) {
    (void)state;
    static const char *const specs[] = {"mmd", "mmd:unbiased=1", "cond(mmd)"};
    problem_fill(&given, 12, 600, 520, 6);
    for (size_t i = 0; i < 300; i++) /* rows in common */
        memcpy(given.y.values + i * given.y.stride, given.x.values + 2 * i * given.x.stride,
               6 * sizeof(float));
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++)
        for (int weighted = 0; weighted < 2; weighted++) {
            problem_metric opened = problem_open(context, specs[s]);
            given.x.weighted = weighted;
            check_fresh(&opened, &given);
            problem_close(&opened);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh_is_prepared_and_evaluated),
        cmocka_unit_test(test_kept_distances),
        cmocka_unit_test(test_draws_follow_from_seed_and_number),
        cmocka_unit_test(test_without_redraw_directions_stay),
        cmocka_unit_test(test_directions_are_uniform),
        cmocka_unit_test(test_one_dimension_is_exact_transport),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
