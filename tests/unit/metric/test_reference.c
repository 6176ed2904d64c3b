/* Value and gradient of every metric, alone and conditioned, against plain loops in double. */
#include "problem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "metric.h"
#include "rng.h"

static kd2m_context *context;
static metric_problem given;

static double central_difference(const reference_metric *metric, reference_use use,
                                 reference_side *x, const reference_side *y,
                                 const reference_constants *constants, const double *direction,
                                 double step) {
    size_t count = x->rows * x->dim;
    double *moved = malloc(count * sizeof *moved), values[2];
    reference_side there = *x;
    there.values = moved;
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < count; k++)
            moved[k] = x->values[k] + (side ? step : -step) * direction[k];
        values[side] = reference_value(metric, use, &there, y, constants);
    }
    free(moved);
    return (values[1] - values[0]) / (2 * step);
}

/* Two central differences extrapolated to step 0, where a variance near 0 makes a divergence bend
 * within any step that rounding allows. *doubt: how far the two are apart, and the rounding of
 * terms of the order of 1, as dimensionless metrics have inside, over the step. */
static double derivative(const reference_metric *metric, reference_use use, reference_side *x,
                         const reference_side *y, const reference_constants *constants,
                         const double *direction, double step, double *doubt) {
    double coarse = central_difference(metric, use, x, y, constants, direction, step);
    double fine = central_difference(metric, use, x, y, constants, direction, step / 2);
    *doubt = fabs(fine - coarse) + DBL_EPSILON / step;
    return fine + (fine - coarse) / 3;
}

/* What the values of x spread over, for a step that suits them. */
static double spread(const metric_problem *problem) {
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < problem->x.rows; i++)
        for (size_t k = 0; k < problem->x.dim; k++) {
            double value = problem->x.values[i * problem->x.stride + k];
            low = fmin(low, value);
            high = fmax(high, value);
        }
    return high > low ? high - low : 1;
}

/* Along each coordinate where there are few, else along random directions; on a line so short a
 * step that hardly two of many points change their order, where the slope jumps. */
static void check_gradient(const reference_metric *metric, reference_use use,
                           const metric_problem *problem, reference_side *x,
                           const reference_side *y, const reference_constants *constants,
                           const float *gradient, double tolerance) {
    size_t count = x->rows * x->dim;
    bool few = count <= 64;
    double *direction = calloc(count, sizeof *direction);
    double largest = problem_largest(gradient, count), step = 1e-5 * spread(problem);
    if (strcmp(metric->name, "sw2") == 0 && !few)
        step *= 1e-3;
    kd2m_rng rng;
    kd2m_rng_init(&rng, 7, KD2M_STREAM_TEST, 1);
    for (size_t trial = 0; trial < (few ? count : 2); trial++) {
        double expected, doubt, found = 0, length = 0;
        for (size_t k = 0; k < count; k++) {
            direction[k] = few ? k == trial : kd2m_rng_normal(&rng);
            length += direction[k] * direction[k];
            found += direction[k] * (double)gradient[k];
        }
        expected = derivative(metric, use, x, y, constants, direction, step, &doubt);
        EXPECT_CLOSE(expected, found, doubt + tolerance * largest * sqrt(length), tolerance);
    }
    free(direction);
}

static void check_constants(const problem_metric *opened, const reference_metric *metric,
                            reference_use use, const reference_constants *constants) {
    size_t index = 0;
    const char *name;
    double value;
    for (size_t label = 0; metric->constant && label < REFERENCE_GROUPS; label++) {
        if (constants->values[label] == 0)
            continue;
        EXPECT_OK(context, kd2m_metric_constant(opened->metric, index++, &name, &value));
        assert_string_equal(name, reference_constant_name(metric));
        EXPECT_CLOSE(constants->values[label], value, 0, 1e-5);
    }
    assert_int_equal(index, metric->constant ? (use == USE_ALONE ? 1 : index) : 0);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_metric_constant(opened->metric, index, &name, &value));
}

/* tolerance: relative, of value and gradient. */
static double tolerance;

static void check(problem_metric *opened, const reference_metric *metric, reference_use use) {
    metric_problem problem;
    if (!problem_adapt(&problem, &given, opened))
        return;
    if (problem.x.dim > 100 && strstr(metric->spec, "cov=full"))
        return; /* cubic, by loops */
    reference_side x = problem_reference(&problem.x), y = problem_reference(&problem.y);
    reference_constants constants;
    reference_prepare(metric, use, &x, &y, &constants);
    double expected = reference_value(metric, use, &x, &y, &constants);
    float *gradient = malloc(x.rows * x.dim * sizeof *gradient);
    if (isfinite(expected)) {
        kd2m_metric_result result = problem_result(opened, &problem, gradient);
        EXPECT_CLOSE(expected, result.value, 1e-12, tolerance);
        if (reference_spread_share(metric) && x.rows == y.rows)
            EXPECT_CLOSE(reference_pair_share(metric, use, &x, &y, &constants), result.pair_share,
                         1e-6, 0);
        assert_true(result.certificate.converged);
        assert_true(result.certificate.gap >= 0 && result.certificate.gap < 1e-5);
        check_constants(opened, metric, use, &constants);
        check_gradient(metric, use, &problem, &x, &y, &constants, gradient, 10 * tolerance);
    } else {
        kd2m_metric_result result;
        EXPECT_STATUS(context, KD2M_ERROR_NUMERIC,
                      problem_evaluate(opened, &problem, &result, gradient));
    }
    free(gradient);
    problem_release(&x);
    problem_release(&y);
}

static void test_every_metric_is_listed(void **state) {
    (void)state;
    const kd2m_metric_descriptor *descriptor;
    for (size_t i = 0; (descriptor = kd2m_metric_registry(i)) != NULL; i++) {
        bool listed = descriptor->wraps; /* every metric is tried inside it */
        const reference_metric *metric;
        for (size_t k = 0; (metric = reference_metric_at(k)) != NULL; k++)
            listed = listed || strcmp(metric->name, descriptor->name) == 0;
        if (!listed)
            fail_msg("metric '%s' has no reference in tests/unit/metric/reference.c",
                     descriptor->name);
    }
}

static void test_small_shapes(void **state) {
    (void)state;
    static const struct {
        size_t n, m, dim;
    } shapes[] = {{1, 1, 1}, {1, 1, 4}, {1, 4, 2}, {4, 1, 2}, {2, 6, 3},  {3, 6, 2},
                  {6, 3, 3}, {6, 6, 1}, {6, 6, 4}, {5, 5, 5}, {3, 6, 300}};
    tolerance = 2e-6;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        problem_fill(&given, 100 + i, shapes[i].n, shapes[i].m, shapes[i].dim);
        problem_for_each(context, check);
    }
}

static void test_weights(void **state) {
    (void)state;
    static const double x[] = {1, 2, 1, 1, 1}, y[] = {1, 2, 2, 1};
    static const int32_t x_labels[] = {0, 1, 0, 1, 1}, y_labels[] = {1, 0, 2, 1};
    tolerance = 2e-6;
    problem_fill(&given, 200, 5, 4, 3);
    given.x.weighted = given.y.weighted = true;
    memcpy(given.x.weights, x, sizeof x);
    memcpy(given.y.weights, y, sizeof y);
    memcpy(given.x.labels, x_labels, sizeof x_labels);
    memcpy(given.y.labels, y_labels, sizeof y_labels);
    problem_for_each(context, check);
    given.x.weighted = false; /* 1/5 against 1/6: too odd for brute force, so cut the rows */
    given.x.rows = 3;
    problem_for_each(context, check);
}

static void test_an_offset_costs_no_digits(void **state) {
    (void)state;
    tolerance = 2e-5; /* float32 inputs: the spread is 1e4 units of their last digit */
    problem_fill(&given, 300, 6, 6, 4);
    for (size_t i = 0; i < 6 * given.x.stride; i++) {
        given.x.values[i] = 10 + 1e-3F * given.x.values[i];
        given.y.values[i] = 10 + 1e-3F * given.y.values[i];
    }
    problem_for_each(context, check);
}

static void check_any_width(problem_metric *opened, const reference_metric *metric,
                            reference_use use) {
    if (opened->info.traits & KD2M_METRIC_ANY_WIDTH)
        check(opened, metric, use);
}

static void test_other_widths(void **state) {
    (void)state;
    tolerance = 2e-6;
    problem_fill(&given, 500, 5, 5, 5); /* so few that gw finds its best plan */
    given.y.dim = 3;
    problem_for_each(context, check_any_width);
    given.x.dim = 2;
    problem_for_each(context, check_any_width);
}

static void check_closed_form(problem_metric *opened, const reference_metric *metric,
                              reference_use use) {
    if (!(opened->info.traits & KD2M_METRIC_TRANSPORT)) /* too large for brute force */
        check(opened, metric, use);
}

/* Covariances of less than full rank, and of hardly that. */
static void test_about_as_many_rows_as_features(void **state) {
    (void)state;
    static const size_t shapes[][3] = {{9, 8, 24}, {7, 30, 20}, {24, 25, 24}, {26, 30, 24}};
    tolerance = 1e-5; /* a U-statistic is a small difference of float kernels */
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        problem_fill(&given, 600 + i, shapes[i][0], shapes[i][1], shapes[i][2]);
        problem_for_each(context, check_closed_form);
    }
}

static void test_larger_than_a_tile(void **state) {
    (void)state;
    tolerance = 1e-5;
    problem_fill(&given, 400, 530, 140, 13);
    problem_for_each(context, check_closed_form);
    problem_fill(&given, 401, 120, 530, 9);
    problem_for_each(context, check_closed_form);
    given.x.weighted = given.y.weighted = true;
    for (size_t i = 0; i < given.y.rows; i++) {
        given.x.weights[i] = 1 + (double)(i % 5);
        given.y.weights[i] = (double)(i % 3);
    }
    problem_for_each(context, check_closed_form);
    problem_fill(&given, 402, 130, 130, 40);
    problem_for_each(context, check_closed_form);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_metric_is_listed),
        cmocka_unit_test(test_small_shapes),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_other_widths),
        cmocka_unit_test(test_an_offset_costs_no_digits),
        cmocka_unit_test(test_about_as_many_rows_as_features),
        cmocka_unit_test(test_larger_than_a_tile),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
