/* Joint transport: what stands beside features, its gradient, its limits. Values and the gradient
 * of the features are test_reference.c's. */
#include "problem.h"

#include <math.h>
#include <string.h>

static kd2m_context *context;
static metric_problem given;
static float gradient[PROBLEM_VALUES], other[PROBLEM_VALUES];
static float logits_gradient[PROBLEM_ROWS * PROBLEM_CLASSES];

static kd2m_metric_result result_of(const char *spec, float *into) {
    problem_metric opened = problem_open(context, spec);
    kd2m_metric_result result = problem_result(&opened, &given, into);
    problem_close(&opened);
    return result;
}

static const reference_metric *reference_of(const char *spec) {
    const reference_metric *metric;
    for (size_t i = 0; (metric = reference_metric_at(i)) != NULL; i++)
        if (strcmp(metric->spec, spec) == 0)
            return metric;
    fail_msg("no reference for %s", spec);
    return NULL;
}

/* d reference / d logit, the constant held. */
static double logit_slope(const reference_metric *metric, reference_side *x,
                          const reference_side *y, const reference_constants *constants,
                          size_t place) {
    double *logits = (double *)(uintptr_t)x->logits, kept = logits[place], values[2];
    const double step = 1e-5;
    for (int side = 0; side < 2; side++) {
        logits[place] = kept + (side ? step : -step);
        values[side] = reference_value(metric, USE_ALONE, x, y, constants);
    }
    logits[place] = kept;
    return (values[1] - values[0]) / (2 * step);
}

static void test_gradient_of_logits(void **state) {
    (void)state;
    static const char *const specs[] = {"joint(w2):of=logits", "joint(w1):of=logits,beta=0.2",
                                        "joint(w2):of=softmax,beta=3"};
    static const size_t rows[][2] = {{6, 6}, {3, 6}, {6, 2}};
    for (size_t s = 0; s < 9; s++) {
        const reference_metric *metric = reference_of(specs[s % 3]);
        problem_fill(&given, 10 + s, rows[s / 3][0], rows[s / 3][1], 4);
        problem_metric opened = problem_open(context, specs[s % 3]);
        kd2m_sample x = problem_sample(&given.x, opened.info.traits);
        kd2m_sample y = problem_sample(&given.y, opened.info.traits);
        kd2m_metric_result result;
        kd2m_gradient both = {gradient, 4, logits_gradient, PROBLEM_CLASSES};
        EXPECT_OK(context, kd2m_metric_evaluate(opened.metric, &x, &y, &result, &both));
        reference_side in_x = problem_reference(&given.x), in_y = problem_reference(&given.y);
        reference_constants constants;
        reference_prepare(metric, USE_ALONE, &in_x, &in_y, &constants);
        size_t count = given.x.rows * PROBLEM_CLASSES;
        double largest = problem_largest(logits_gradient, count);
        assert_true(largest > 0);
        for (size_t k = 0; k < count; k++)
            EXPECT_CLOSE(logit_slope(metric, &in_x, &in_y, &constants, k), logits_gradient[k],
                         1e-5 * largest, 1e-5);

        /* either half alone is the same, and nothing is written beside the rows */
        float half[6 * 7];
        for (size_t k = 0; k < 6 * 7; k++)
            half[k] = 42;
        kd2m_gradient logits_alone = {NULL, 0, half, 7};
        EXPECT_OK(context, kd2m_metric_evaluate(opened.metric, &x, &y, &result, &logits_alone));
        for (size_t i = 0; i < given.x.rows; i++)
            for (size_t k = 0; k < 7; k++)
                assert_true(half[i * 7 + k] ==
                            (k < PROBLEM_CLASSES ? logits_gradient[i * PROBLEM_CLASSES + k] : 42));
        EXPECT_OK(context, problem_evaluate(&opened, &given, &result, other));
        assert_memory_equal(gradient, other, given.x.rows * 4 * sizeof(float));
        both.logits_stride = PROBLEM_CLASSES - 1;
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_metric_evaluate(opened.metric, &x, &y, &result, &both));
        problem_release(&in_x);
        problem_release(&in_y);
        problem_close(&opened);
    }
}

static void test_without_beta_it_is_the_metric_scaled(void **state) {
    (void)state;
    static const char *const specs[][2] = {
        {"w2", "joint(w2):beta=0"},
        {"w1", "joint(w1):beta=0"},
        {"w2", "joint(w2):beta=0,of=softmax"},
    };
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        problem_fill(&given, 20 + s, 9, 12, 5);
        kd2m_metric_result plain = result_of(specs[s][0], gradient);
        problem_metric opened = problem_open(context, specs[s][1]);
        const char *name;
        double largest;
        kd2m_metric_result joint = problem_result(&opened, &given, other);
        EXPECT_OK(context, kd2m_metric_constant(opened.metric, 0, &name, &largest));
        assert_string_equal(name, "largest_cost");
        EXPECT_CLOSE(plain.value, joint.value * largest, 0, 1e-12);
        for (size_t k = 0; k < 9 * 5; k++)
            EXPECT_CLOSE(gradient[k], other[k] * largest, 1e-6, 1e-6);
        problem_close(&opened);
    }
}

/* So heavy a beta that no plan crosses labels: transport class by class. */
static void test_heavy_labels_make_it_conditional(void **state) {
    (void)state;
    problem_fill(&given, 30, 12, 12, 4);
    memcpy(given.y.labels, given.x.labels, sizeof given.y.labels);
    problem_metric opened = problem_open(context, "joint(w2):beta=1e3");
    const char *name;
    double largest;
    kd2m_metric_result joint = problem_result(&opened, &given, gradient);
    EXPECT_OK(context, kd2m_metric_constant(opened.metric, 0, &name, &largest));
    kd2m_metric_result cond = result_of("cond(w2)", other);
    EXPECT_CLOSE(cond.value, joint.value * largest, 0, 1e-6);
    for (size_t k = 0; k < 12 * 4; k++)
        EXPECT_CLOSE(other[k], gradient[k] * largest, 1e-5, 1e-5);
    EXPECT_CLOSE(cond.pair_share, joint.pair_share, 1e-9, 0);
    problem_close(&opened);
}

static void test_equal_labels_cost_nothing(void **state) {
    (void)state;
    problem_fill(&given, 31, 8, 11, 4);
    memset(given.x.labels, 0, sizeof given.x.labels);
    memset(given.y.labels, 0, sizeof given.y.labels);
    assert_true(result_of("joint(w2):beta=5", gradient).value ==
                result_of("joint(w2):beta=0", other).value);
    assert_memory_equal(gradient, other, 8 * 4 * sizeof(float));
}

/* No spread among features: labels alone cost, and the features have no gradient. */
static void test_coinciding_features(void **state) {
    (void)state;
    static const char *const specs[] = {"joint(w2):beta=0.5", "joint(w1):beta=0.5"};
    problem_fill(&given, 32, 6, 6, 3); /* labels 0 1 0 1 0 1 against 0 1 2 0 1 2 */
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 3; k++)
            given.x.values[i * given.x.stride + k] = given.y.values[i * given.y.stride + k] = 0.7F;
    for (size_t s = 0; s < 2; s++) {
        EXPECT_CLOSE(0.5 * 2 * 2 / 6, result_of(specs[s], gradient).value, 1e-12, 0);
        assert_true(problem_largest(gradient, 18) == 0);
    }
}

/* Rows of weight 0 are as if they were not there, for the scale too. */
static void test_rows_without_weight(void **state) {
    (void)state;
    problem_fill(&given, 33, 6, 6, 3);
    given.y.rows = 5;
    double expected = result_of("joint(w2)", NULL).value;
    given.y.rows = 6;
    given.y.values[5 * given.y.stride] = 1e6F;
    given.y.weighted = true;
    given.y.weights[5] = 0;
    EXPECT_CLOSE(expected, result_of("joint(w2)", NULL).value, 0, 1e-9);
}

static void test_the_scale_is_held(void **state) {
    (void)state;
    problem_fill(&given, 34, 6, 6, 3);
    problem_metric opened = problem_open(context, "joint(w2):beta=0");
    double before = problem_result(&opened, &given, NULL).value;
    for (size_t k = 0; k < 6 * given.x.stride; k++) {
        given.x.values[k] *= 2;
        given.y.values[k] *= 2;
    }
    kd2m_metric_result result;
    EXPECT_OK(context, problem_evaluate(&opened, &given, &result, NULL));
    EXPECT_CLOSE(4 * before, result.value, 0, 1e-6);
    EXPECT_CLOSE(before, problem_result(&opened, &given, NULL).value, 0, 1e-6);
    problem_close(&opened);
}

static void expect_input_error(const problem_metric *opened, const kd2m_sample *x,
                               const kd2m_sample *y, const char *message) {
    kd2m_metric_result result;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_metric_evaluate(opened->metric, x, y, &result, NULL));
    EXPECT_MESSAGE(context, message);
}

static void test_missing_parts(void **state) {
    (void)state;
    problem_fill(&given, 35, 4, 4, 3);
    problem_metric onehot = problem_open(context, "joint(w2)");
    kd2m_sample x = problem_sample(&given.x, onehot.info.traits), y = x;
    y.labels = NULL;
    expect_input_error(&onehot, &x, &y, "joint needs labels, but the teacher (y) sample has no");
    problem_close(&onehot);

    problem_metric logits = problem_open(context, "joint(w2):of=logits");
    x = problem_sample(&given.x, logits.info.traits);
    assert_null(x.labels);
    y = x;
    x.logits = NULL;
    expect_input_error(&logits, &x, &y, "joint compares logits, but the student (x)");
    x = y;
    y.classes = 2;
    expect_input_error(&logits, &x, &y, "has 3 of them in a row and the teacher (y) 2");
    y = x;
    given.x.logits[1] = NAN;
    expect_input_error(&logits, &x, &y, "student (x) logits: 1 of 12");
    problem_close(&logits);
}

static void test_refused_specs(void **state) {
    (void)state;
    static const char *const specs[][2] = {
        {"joint(gauss-w2)", "'gauss-w2' has no cost"},
        {"joint(mse)", "as in joint(w2)"},
        {"joint(w2):of=one", "onehot"},
        {"joint(w2):beta=-1", "beta"},
        {"joint", "written around another metric"},
        {"cond(joint(w2))", "can't stand inside"},
        {"joint(cond(w2))", "can't stand inside"},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        kd2m_metric *metric;
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_metric_create(&metric, context, specs[i][0]));
        EXPECT_MESSAGE(context, specs[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_of_logits),
        cmocka_unit_test(test_without_beta_it_is_the_metric_scaled),
        cmocka_unit_test(test_heavy_labels_make_it_conditional),
        cmocka_unit_test(test_equal_labels_cost_nothing),
        cmocka_unit_test(test_coinciding_features),
        cmocka_unit_test(test_rows_without_weight),
        cmocka_unit_test(test_the_scale_is_held),
        cmocka_unit_test(test_missing_parts),
        cmocka_unit_test(test_refused_specs),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
