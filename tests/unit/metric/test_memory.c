/* Memory and repeatability: failing allocations, no allocation in a step, bits, threads. */
#include "problem.h"

#include <math.h>
#include <string.h>

static metric_problem given;
static float gradient[PROBLEM_VALUES], other[PROBLEM_VALUES];

/* Create, prepare, evaluate and describe, until the first failure. */
static kd2m_status live(kd2m_context *context, const char *spec) {
    kd2m_metric *metric = NULL;
    kd2m_status status = kd2m_metric_create(&metric, context, spec);
    if (status != KD2M_OK) {
        assert_null(metric);
        return status;
    }
    problem_metric opened = {.context = context, .metric = metric};
    metric_problem problem;
    kd2m_metric_result result;
    kd2m_metric_describe(metric, &opened.info);
    problem_adapt(&problem, &given, &opened);
    kd2m_sample x = problem_sample(&problem.x, opened.info.traits);
    kd2m_sample y = problem_sample(&problem.y, opened.info.traits);
    status = kd2m_metric_prepare(metric, &x, &y);
    if (status == KD2M_OK)
        status = problem_evaluate(&opened, &problem, &result, gradient);
    kd2m_metric_free(metric);
    return status;
}

static void sweep(const char *spec) {
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        if (fail_at > 10000)
            fail_msg("%s never gets the memory it wants", spec);
        kd2m_context *context = testing_failing_context(fail_at);
        status = live(context, spec);
        if (status != KD2M_OK)
            EXPECT_STATUS(context, KD2M_ERROR_MEMORY, status);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
    }
}

static void each_spec(void (*body)(const char *spec)) {
    const reference_metric *metric;
    problem_fill(&given, 1, 12, 12, 5);
    for (size_t i = 0; (metric = reference_metric_at(i)) != NULL; i++)
        for (reference_use use = USE_ALONE; use < reference_uses(metric); use++)
            body(reference_spec(metric, use));
}

static void test_failing_allocations(void **state) {
    (void)state;
    each_spec(sweep);
}

static void expect_no_allocation(const char *spec) {
    kd2m_context *context = testing_failing_context(SIZE_MAX);
    problem_metric opened = problem_open(context, spec);
    metric_problem problem;
    kd2m_metric_result result, again;
    problem_adapt(&problem, &given, &opened);
    problem_result(&opened, &problem, gradient);
    size_t before = testing_allocations();
    EXPECT_OK(context, problem_evaluate(&opened, &problem, &result, gradient));
    EXPECT_OK(context, problem_evaluate(&opened, &problem, &again, other));
    assert_int_equal(testing_allocations(), before);
    assert_memory_equal(&result.value, &again.value, sizeof result.value);
    assert_memory_equal(gradient, other, problem.x.rows * problem.x.dim * sizeof(float));

    /* nor for the smaller last batch of an epoch */
    problem.x.rows = 7;
    problem.y.rows = opened.info.traits & KD2M_METRIC_PAIRED ? 7 : 11;
    EXPECT_OK(context, problem_evaluate(&opened, &problem, &result, gradient));
    problem_result(&opened, &problem, gradient);
    assert_int_equal(testing_allocations(), before);

    /* a larger one makes room */
    problem_fill(&problem, 2, 40, 40, 11);
    problem_adapt(&problem, &problem, &opened);
    problem_result(&opened, &problem, gradient);
    assert_true(testing_allocations() > before);
    problem_close(&opened);
    assert_int_equal(testing_live(), 0);
    kd2m_context_free(context);
}

static void test_a_step_allocates_nothing(void **state) {
    (void)state;
    each_spec(expect_no_allocation);
}

/* A metric that an error interrupted is as good as before. */
static void expect_recovery(const char *spec) {
    kd2m_context *context = testing_context(1);
    problem_metric opened = problem_open(context, spec);
    static metric_problem problem;
    kd2m_metric_result result;
    problem_adapt(&problem, &given, &opened);
    double value = problem_result(&opened, &problem, gradient).value;
    problem.x.values[0] = NAN;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  problem_evaluate(&opened, &problem, &result, gradient));
    problem.x.values[0] = given.x.values[0];
    EXPECT_OK(context, problem_evaluate(&opened, &problem, &result, gradient));
    assert_true(result.value == value);
    problem_close(&opened);
    kd2m_context_free(context);
}

static void test_errors_leave_no_trace(void **state) {
    (void)state;
    each_spec(expect_recovery);
}

static double value_with(int threads, const char *spec, float *into) {
    kd2m_context *context = testing_context(threads);
    problem_metric opened = problem_open(context, spec);
    metric_problem problem;
    problem_adapt(&problem, &given, &opened);
    double value = problem_result(&opened, &problem, into).value;
    problem_close(&opened);
    kd2m_context_free(context);
    return value;
}

static void compare_threads(const char *spec) {
    size_t count = given.x.rows * given.x.dim;
    double one = value_with(1, spec, gradient), two = value_with(2, spec, other);
    double largest = problem_largest(gradient, count);
    EXPECT_CLOSE(one, two, 0, 1e-6);
    for (size_t k = 0; k < count; k++)
        EXPECT_CLOSE(gradient[k], other[k], 1e-6 * largest, 1e-6);
    double again = value_with(2, spec, gradient);
    assert_memory_equal(&two, &again, sizeof two);
    assert_memory_equal(other, gradient, count * sizeof *gradient);
}

static void test_threads(void **state) {
    (void)state;
    const reference_metric *metric;
    problem_fill(&given, 3, 300, 300, 30);
    for (size_t i = 0; (metric = reference_metric_at(i)) != NULL; i++)
        for (reference_use use = USE_ALONE; use < reference_uses(metric); use++) {
            /* hundreds of starts, which run on one thread, are enough of a few rows */
            given.x.rows = given.y.rows = strcmp(metric->name, "gw") == 0 ? 20 : 300;
            compare_threads(reference_spec(metric, use));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_a_step_allocates_nothing),
        cmocka_unit_test(test_errors_leave_no_trace),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
