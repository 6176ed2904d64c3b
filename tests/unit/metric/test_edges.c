/* What metrics say and do at the edges: bad samples, dead features, duplicates, extreme values. */
#include "problem.h"

#include <math.h>
#include <string.h>

static kd2m_context *context;
static metric_problem given;
static float gradient[PROBLEM_VALUES];

static void run(void (*body)(problem_metric *, const reference_metric *, reference_use)) {
    problem_fill(&given, 1, 6, 6, 4);
    problem_for_each(context, body);
}

static void expect_input_error(const problem_metric *opened, const metric_problem *problem,
                               const char *message) {
    kd2m_metric_result result;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, problem_evaluate(opened, problem, &result, gradient));
    EXPECT_MESSAGE(context, message);
    assert_true(result.value == 0);
}

static void check_bad_values(problem_metric *opened, const reference_metric *metric,
                             reference_use use) {
    (void)metric;
    (void)use;
    metric_problem problem;
    problem_adapt(&problem, &given, opened);
    problem.y.values[2 * problem.y.stride + 1] = NAN;
    problem.y.values[4 * problem.y.stride + 3] = -INFINITY;
    expect_input_error(opened, &problem, "teacher (y)");
    EXPECT_MESSAGE(context, "2 of 24");
    EXPECT_MESSAGE(context, "row 2, column 1");
    problem.x.values[3] = INFINITY;
    expect_input_error(opened, &problem, "student (x)");
    EXPECT_MESSAGE(context, "1 of 24");
    EXPECT_MESSAGE(context, "row 0, column 3");
}

static void check_bad_shapes(problem_metric *opened, const reference_metric *metric,
                             reference_use use) {
    (void)metric;
    (void)use;
    metric_problem problem;
    problem_adapt(&problem, &given, opened);
    problem.y.dim = 3;
    if (!(opened->info.traits & KD2M_METRIC_ANY_WIDTH))
        expect_input_error(opened, &problem, "one width");
    problem_adapt(&problem, &given, opened);
    problem.x.rows = 0;
    expect_input_error(opened, &problem, "empty");
    problem_adapt(&problem, &given, opened);
    problem.x.stride = 3;
    expect_input_error(opened, &problem, "stride");
    problem_adapt(&problem, &given, opened);
    problem.y.rows = 5;
    if (opened->info.traits & KD2M_METRIC_PAIRED)
        expect_input_error(opened, &problem, "row i with row i");

    kd2m_sample x = problem_sample(&given.x, opened->info.traits), y = x;
    kd2m_metric_result result;
    x.features = x.logits = NULL;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_metric_evaluate(opened->metric, &x, &y, &result, NULL));
    EXPECT_MESSAGE(context, "has none");
}

static void check_bad_weights(problem_metric *opened, const reference_metric *metric,
                              reference_use use) {
    (void)metric;
    (void)use;
    static const struct {
        double weight;
        const char *message;
    } bad[] = {{-1, "weight -1 of row 2"}, {NAN, "of row 2"}, {INFINITY, "of row 2"}};
    if (!(opened->info.traits & KD2M_METRIC_WEIGHTS))
        return;
    metric_problem problem = given;
    problem.x.weighted = true;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        problem.x.weights[2] = bad[i].weight;
        expect_input_error(opened, &problem, bad[i].message);
    }
    memset(problem.x.weights, 0, sizeof problem.x.weights);
    expect_input_error(opened, &problem, "sum to 0");
}

static void check_bad_labels(problem_metric *opened, const reference_metric *metric,
                             reference_use use) {
    (void)metric;
    if (use == USE_ALONE)
        return;
    metric_problem problem;
    kd2m_metric_result result;
    problem_adapt(&problem, &given, opened);
    kd2m_sample x = problem_sample(&problem.x, opened->info.traits);
    kd2m_sample y = problem_sample(&problem.y, opened->info.traits);
    y.labels = NULL;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_metric_evaluate(opened->metric, &x, &y, &result, NULL));
    EXPECT_MESSAGE(context, "teacher (y) sample has no labels");
    problem.x.labels[3] = -2;
    expect_input_error(opened, &problem, "label -2 of row 3");
    problem.x.labels[3] = 7;
    if (opened->info.traits & KD2M_METRIC_PAIRED) {
        expect_input_error(opened, &problem, "row 3 is of group 7");
        return;
    }
    for (size_t i = 0; i < problem.x.rows; i++)
        problem.x.labels[i] = 40 + (int32_t)i;
    expect_input_error(opened, &problem, "no group in common");
    EXPECT_MESSAGE(context, "9 groups");
}

static void expect_finite(const problem_metric *opened, const metric_problem *problem) {
    kd2m_metric_result result = problem_result(opened, problem, gradient);
    if (opened->info.traits & KD2M_METRIC_ZERO)
        assert_true(result.value >= -1e-12);
    for (size_t k = 0; k < problem->x.rows * problem->x.dim; k++)
        if (!isfinite(gradient[k]))
            fail_msg("%s: gradient %zu is %g", opened->info.spec, k, (double)gradient[k]);
}

/* Whether the metric alone has no value; those with constants, transport and kernels, always have.
 */
static bool is_infinite(const reference_metric *metric, const metric_problem *problem) {
    if (metric->constant)
        return false;
    reference_side x = problem_reference(&problem->x), y = problem_reference(&problem->y);
    double value = reference_value(metric, USE_ALONE, &x, &y, &(reference_constants){{0}});
    problem_release(&x);
    problem_release(&y);
    return !isfinite(value);
}

static void expect_infinite(const problem_metric *opened, const metric_problem *problem) {
    kd2m_metric_result result;
    EXPECT_STATUS(context, KD2M_ERROR_NUMERIC,
                  problem_evaluate(opened, problem, &result, gradient));
    EXPECT_MESSAGE(context, "infinite");
}

static void set_feature(problem_side *side, size_t feature, float value) {
    for (size_t i = 0; i < side->rows; i++)
        side->values[i * side->stride + feature] = value;
}

static void check_dead_features(problem_metric *opened, const reference_metric *metric,
                                reference_use use) {
    metric_problem problem;
    problem_adapt(&problem, &given, opened);
    set_feature(&problem.x, 1, 0.1F);
    expect_finite(opened, &problem);
    set_feature(&problem.y, 1, 0.1F);
    expect_finite(opened, &problem);
    problem_adapt(&problem, &given, opened);
    set_feature(&problem.y, 2, 0.3F);
    if (use == USE_ALONE && is_infinite(metric, &problem))
        expect_infinite(opened, &problem);
    else
        expect_finite(opened, &problem);
}

/* All rows of both sides alike: every distance is 0, but a divergence of points is infinite, and
 * joint sees labels still. */
static void check_one_point(problem_metric *opened, const reference_metric *metric,
                            reference_use use) {
    metric_problem problem;
    if (metric->alone)
        return;
    problem_adapt(&problem, &given, opened);
    for (size_t k = 0; k < problem.x.dim; k++) {
        set_feature(&problem.x, k, 0.7F);
        set_feature(&problem.y, k, 0.7F);
    }
    bool infinite = is_infinite(metric, &problem);
    if (use == USE_ALONE && infinite) {
        expect_infinite(opened, &problem);
        return;
    }
    kd2m_metric_result result = problem_result(opened, &problem, gradient);
    EXPECT_CLOSE(0, result.value, 1e-12, 0);
    assert_true(problem_largest(gradient, 24) < 1e-12);
    assert_int_equal(result.fallbacks, infinite ? 2 : 0);
}

static void check_duplicates(problem_metric *opened, const reference_metric *metric,
                             reference_use use) {
    (void)metric;
    (void)use;
    metric_problem problem;
    problem_adapt(&problem, &given, opened);
    for (size_t i = 2; i < problem.x.rows; i++) {
        memcpy(problem.x.values + i * problem.x.stride,
               problem.x.values + (i - 2) * problem.x.stride, problem.x.dim * sizeof(float));
        memcpy(problem.y.values + i * problem.y.stride,
               problem.x.values + (i - 2) * problem.x.stride, problem.x.dim * sizeof(float));
    }
    expect_finite(opened, &problem);
}

/* Values near the end of float's range: an answer, or a refusal; no NaN, no hang. */
static void check_extremes(problem_metric *opened, const reference_metric *metric,
                           reference_use use) {
    (void)metric;
    (void)use;
    static const float scales[] = {1e30F, 1e18F, 1e-18F, 1e-30F};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        metric_problem problem;
        kd2m_metric_result result = {0};
        problem_adapt(&problem, &given, opened);
        for (size_t i = 0; i < problem.x.rows * problem.x.stride; i++) {
            problem.x.values[i] *= scales[s];
            problem.y.values[i] *= scales[s];
        }
        problem_metric fresh = problem_open(context, opened->info.spec);
        kd2m_status status = problem_evaluate(&fresh, &problem, &result, gradient);
        if (status != KD2M_OK)
            EXPECT_STATUS(context, KD2M_ERROR_NUMERIC, status);
        assert_true(isfinite(result.value));
        problem_close(&fresh);
    }
}

static void check_gradient_targets(problem_metric *opened, const reference_metric *metric,
                                   reference_use use) {
    (void)metric;
    (void)use;
    if (opened->info.traits & KD2M_METRIC_WITH_LOGITS)
        return; /* test_joint.c */
    enum { stride = 9, rows = 6, dim = 4 };
    float features[rows * stride], logits[rows * stride];
    metric_problem problem;
    kd2m_metric_result result;
    problem_adapt(&problem, &given, opened);
    problem_result(opened, &problem, gradient);
    kd2m_sample x = problem_sample(&problem.x, opened->info.traits);
    kd2m_sample y = problem_sample(&problem.y, opened->info.traits);
    x.features = x.logits = problem.x.values; /* both there, though one is used */
    x.dim = x.classes = dim;
    x.stride = x.logits_stride = problem.x.stride;
    for (size_t k = 0; k < rows * stride; k++)
        features[k] = logits[k] = 42;
    kd2m_gradient both = {features, stride, logits, stride};
    EXPECT_OK(context, kd2m_metric_evaluate(opened->metric, &x, &y, &result, &both));
    bool on_logits = opened->info.traits & KD2M_METRIC_ON_LOGITS;
    const float *moved = on_logits ? logits : features, *still = on_logits ? features : logits;
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < stride; k++) {
            double expected = k < dim ? gradient[i * dim + k] : 42;
            assert_true(moved[i * stride + k] == expected);
            assert_true(still[i * stride + k] == (k < dim ? 0 : 42));
        }
    kd2m_gradient narrow = {features, dim - 1, logits, dim - 1}, none = {NULL, 0, NULL, 0};
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_metric_evaluate(opened->metric, &x, &y, &result, &narrow));
    EXPECT_MESSAGE(context, "stride");
    EXPECT_OK(context, kd2m_metric_evaluate(opened->metric, &x, &y, &result, &none));
}

#define LOOP(name)                                                                                 \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        run(check_##name);                                                                         \
    }
LOOP(bad_values)
LOOP(bad_shapes)
LOOP(bad_weights)
LOOP(bad_labels)
LOOP(dead_features)
LOOP(one_point)
LOOP(duplicates)
LOOP(extremes)
LOOP(gradient_targets)

/* The mean of equal numbers with weights is off in its last digit; divided by a deviation that is
 * as small, that would be a gradient of full size on a feature that says nothing. */
static void test_weighted_dead_feature(void **state) {
    (void)state;
    problem_metric opened = problem_open(context, "gauss-w2");
    for (size_t n = 3; n < 40; n++) {
        double total = 0, mean_y = 0;
        problem_fill(&given, n, n, 40, 4);
        given.x.weighted = true;
        for (size_t i = 0; i < n; i++)
            total += given.x.weights[i] = 1 + 0.37 * (double)(i % 7);
        for (size_t i = 0; i < 40; i++)
            mean_y += given.y.values[i * given.y.stride + 1] / 40;
        set_feature(&given.x, 1, 0.1F);
        problem_result(&opened, &given, gradient);
        for (size_t i = 0; i < n; i++) /* the mean's pull alone */
            EXPECT_CLOSE(2 * given.x.weights[i] / total * ((double)0.1F - mean_y),
                         gradient[i * 4 + 1], 1e-6, 1e-5);
    }
    problem_close(&opened);
}

/* The reference metric of a spec. */
static const reference_metric *find_reference(const char *spec) {
    const reference_metric *metric = reference_metric_at(0);
    for (size_t i = 1; strcmp(metric->spec, spec) != 0; i++) {
        metric = reference_metric_at(i);
        assert_non_null(metric);
    }
    return metric;
}

/* Squared distances of 1e-6 beside ones of 400: the plan within the clusters must still be right.
 */
static void test_tight_clusters(void **state) {
    (void)state;
    static const char *const specs[] = {"w2", "w1"};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        const reference_metric *metric = find_reference(specs[s]);
        problem_fill(&given, 6, 7, 7, 4);
        for (size_t i = 0; i < 7; i++)
            for (size_t k = 0; k < 4; k++) {
                float *x = &given.x.values[i * given.x.stride + k];
                float *y = &given.y.values[i * given.y.stride + k];
                float center = i < 3 ? -10 : 10;
                *x = center + 1e-3F * *x;
                *y = center + 1e-3F * *y;
            }
        problem_metric opened = problem_open(context, specs[s]);
        reference_side x = problem_reference(&given.x), y = problem_reference(&given.y);
        reference_constants none = {{0}};
        EXPECT_CLOSE(reference_value(metric, USE_ALONE, &x, &y, &none),
                     problem_result(&opened, &given, NULL).value, 0, 1e-6);
        problem_close(&opened);
        problem_release(&x);
        problem_release(&y);
    }
}

/* Feature k of what pulls row i of x to row j of y: of energy, or of rbf with the bandwidth 0.002.
 */
static double pull(bool rbf, const problem_side *x, size_t i, const problem_side *y, size_t j,
                   size_t k) {
    double square = 0, gap = 0;
    for (size_t c = 0; c < x->dim; c++) {
        double d = (double)x->values[i * x->stride + c] - y->values[j * y->stride + c];
        square += d * d;
        gap = c == k ? d : gap;
    }
    if (square == 0)
        return 0;
    return rbf ? exp(-square / 8e-6) * gap / 4e-6 : gap / sqrt(square);
}

/* Rows of zeros point nowhere: their kernel with all rows is c^power. */
static void test_poly_of_zero_rows(void **state) {
    (void)state;
    static const char *const specs[] = {"mmd:kernel=poly", "mmd:kernel=poly,power=3,c=0.5",
                                        "mmd:kernel=poly,unbiased=1,c=1"};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        problem_metric opened = problem_open(context, specs[s]);
        problem_fill(&given, 8, 6, 5, 4);
        for (size_t k = 0; k < 4; k++) {
            given.x.values[k] = given.x.values[3 * given.x.stride + k] = 0;
            given.y.values[2 * given.y.stride + k] = 0;
        }
        reference_side x = problem_reference(&given.x), y = problem_reference(&given.y);
        double value = problem_result(&opened, &given, gradient).value;
        EXPECT_CLOSE(find_reference(specs[s])->value(find_reference(specs[s]), &x, &y, 0), value, 0,
                     1e-6);
        for (size_t k = 0; k < 4; k++)
            assert_true(gradient[k] == 0 && gradient[3 * 4 + k] == 0);
        problem_release(&x);
        problem_release(&y);
        problem_close(&opened);
    }
}

/* Distances of 1e-3 beside ones of 20, whose unit vectors an energy's gradient is made of. */
static void test_pulls_within_tight_clusters(void **state) {
    (void)state;
    enum { rows_x = 60, rows_y = 50 };
    static const char *const specs[] = {"energy", "mmd:kernel=rbf,sigma=0.002"};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        problem_metric opened = problem_open(context, specs[s]);
        problem_fill(&given, 9, rows_x, rows_y, 4);
        for (size_t i = 0; i < rows_x; i++)
            for (size_t k = 0; k < 4; k++) {
                float *x = &given.x.values[i * given.x.stride + k];
                float *y = &given.y.values[i * given.y.stride + k];
                float center = i < 20 ? -10 : 10;
                *x = center + 1e-3F * *x;
                *y = center + 1e-3F * *y;
            }
        double largest = 0, worst = 0;
        problem_result(&opened, &given, gradient);
        for (size_t i = 0; i < rows_x; i++)
            for (size_t k = 0; k < 4; k++) {
                double sum = 0;
                for (size_t j = 0; j < rows_x; j++)
                    sum -= pull(s == 1, &given.x, i, &given.x, j, k) / rows_x / rows_x;
                for (size_t j = 0; j < rows_y; j++)
                    sum += pull(s == 1, &given.x, i, &given.y, j, k) / rows_x / rows_y;
                largest = fmax(largest, fabs(2 * sum));
                worst = fmax(worst, fabs(2 * sum - gradient[i * 4 + k]));
            }
        assert_true(largest > 0 && worst < 1e-6 * largest);
        problem_close(&opened);
    }
}

/* Without a floor, and of orders above 1, a divergence of full covariances may be infinite. */
static void test_singular_covariances(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        size_t n, m;
        const char *message;
    } cases[] = {
        {"kl:cov=full,reg=0", 4, 30, "student is singular"},
        {"jeffreys:cov=full,reg=0", 30, 4, "teacher is singular"},
        {"hellinger:cov=full,reg=0", 4, 4, "teacher is singular"},
        {"renyi:cov=full,alpha=3", 30, 3, "along principal direction"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        problem_metric opened = problem_open(context, cases[i].spec);
        problem_fill(&given, 10 + i, cases[i].n, cases[i].m, 4);
        expect_infinite(&opened, &given);
        EXPECT_MESSAGE(context, cases[i].message);
        problem_close(&opened);
    }
    problem_metric opened = problem_open(context, "renyi:cov=full,alpha=1.05,reg=0");
    problem_metric near = problem_open(context, "kl:cov=full,reg=0");
    problem_fill(&given, 20, 40, 50, 4);
    double value = problem_result(&opened, &given, gradient).value;
    assert_true(value > problem_result(&near, &given, gradient).value); /* grows with alpha */
    problem_close(&opened);
    problem_close(&near);
}

static void test_logits_with_offset(void **state) {
    (void)state;
    problem_metric opened = problem_open(context, "kd");
    problem_fill(&given, 7, 5, 5, 6);
    double near = problem_result(&opened, &given, NULL).value;
    for (size_t i = 0; i < 5 * given.x.stride; i++)
        given.x.values[i] += 1024; /* the same distribution, rounded to 1e-4 */
    EXPECT_CLOSE(near, problem_result(&opened, &given, NULL).value, 0, 1e-3);
    for (size_t i = 0; i < 5 * given.x.stride; i++)
        given.x.values[i] = (given.x.values[i] - 1024) * 1e4F; /* all but one class vanish */
    assert_true(isfinite(problem_result(&opened, &given, gradient).value));
    problem_close(&opened);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_shapes),
        cmocka_unit_test(test_bad_weights),
        cmocka_unit_test(test_bad_labels),
        cmocka_unit_test(test_dead_features),
        cmocka_unit_test(test_one_point),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_gradient_targets),
        cmocka_unit_test(test_weighted_dead_feature),
        cmocka_unit_test(test_tight_clusters),
        cmocka_unit_test(test_logits_with_offset),
        cmocka_unit_test(test_poly_of_zero_rows),
        cmocka_unit_test(test_singular_covariances),
        cmocka_unit_test(test_pulls_within_tight_clusters),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
