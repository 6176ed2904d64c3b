/* Every metric against values and gradients that PyTorch and POT gave: tools/golden_metrics.py. */
#include "problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kd2m_context *context;

static double read_number(FILE *file) {
    double value = 0;
    if (fscanf(file, "%lf", &value) != 1)
        fail_msg("a number is missing in the golden file");
    return value;
}

static void read_side(FILE *file, problem_side *side) {
    memset(side, 0, sizeof *side);
    side->rows = (size_t)read_number(file);
    side->dim = side->stride = (size_t)read_number(file);
    for (size_t i = 0; i < side->rows * side->dim; i++)
        side->values[i] = (float)read_number(file);
}

static void check_metric(FILE *file, const metric_problem *problem, double tolerance) {
    char spec[128], word[32];
    float gradient[PROBLEM_ROWS];
    double value = 0;
    size_t count = problem->x.rows * problem->x.dim;
    assert_true(count <= PROBLEM_ROWS);
    assert_int_equal(fscanf(file, "%127s %31s", spec, word), 2);
    assert_string_equal(word, "value");
    value = read_number(file);
    problem_metric opened = problem_open(context, spec);
    kd2m_metric_result result = problem_result(&opened, problem, gradient);
    problem_close(&opened);
    EXPECT_CLOSE(value, result.value, 0, tolerance);

    double expected[PROBLEM_ROWS], largest = 0;
    assert_int_equal(fscanf(file, "%31s", word), 1);
    assert_string_equal(word, "gradient");
    for (size_t k = 0; k < count; k++) {
        expected[k] = read_number(file);
        largest = expected[k] > largest ? expected[k] : largest;
        largest = -expected[k] > largest ? -expected[k] : largest;
    }
    for (size_t k = 0; k < count; k++)
        EXPECT_CLOSE(expected[k], gradient[k], tolerance * largest, tolerance);
}

static void check_file(const char *name, size_t expected_metrics, double tolerance) {
    static metric_problem problem;
    char path[4096], word[32];
    problem_side *side = NULL;
    size_t metrics = 0;
    snprintf(path, sizeof path, "%s/golden/metric/%s.txt", KD2M_TEST_SOURCE, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "#%*[^\n]"), 0);
    while (fscanf(file, "%31s", word) == 1) {
        if (strcmp(word, "x") == 0 || strcmp(word, "y") == 0) {
            side = word[0] == 'x' ? &problem.x : &problem.y;
            read_side(file, side);
        } else if (strcmp(word, "labels") == 0) {
            for (size_t i = 0; i < side->rows; i++)
                side->labels[i] = (int32_t)read_number(file);
        } else if (strcmp(word, "logits") == 0) {
            for (size_t i = 0; i < side->rows * PROBLEM_CLASSES; i++)
                side->logits[i / PROBLEM_CLASSES * PROBLEM_LOGITS_STRIDE + i % PROBLEM_CLASSES] =
                    (float)read_number(file);
        } else if (strcmp(word, "weights") == 0) {
            side->weighted = true;
            for (size_t i = 0; i < side->rows; i++)
                side->weights[i] = read_number(file);
        } else {
            assert_string_equal(word, "metric");
            check_metric(file, &problem, tolerance);
            metrics++;
        }
    }
    fclose(file);
    assert_int_equal(metrics, expected_metrics);
}

static void test_paired(void **state) {
    (void)state;
    check_file("paired", 118, 2e-6);
}

static void test_unequal(void **state) {
    (void)state;
    check_file("unequal", 100, 2e-6);
}

static void test_weighted(void **state) {
    (void)state;
    check_file("weighted", 91, 2e-6);
}

static void test_offset(void **state) {
    (void)state;
    check_file("offset", 118, 2e-5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paired),
        cmocka_unit_test(test_unequal),
        cmocka_unit_test(test_weighted),
        cmocka_unit_test(test_offset),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
