/* Metrics evaluated in two contexts by two threads at once: the bits of evaluations one by one. */
#include "problem.h"

#include <string.h>

#define ROUNDS 6

static metric_problem given;

typedef struct job {
    problem_metric metric;
    double expected_value;
    float expected[PROBLEM_VALUES], gradient[PROBLEM_VALUES];
    size_t wrong; /* evaluations that failed or differed */
} job;

static job jobs[2];

static void evaluate(void *user) {
    job *work = user;
    size_t bytes = given.x.rows * given.x.dim * sizeof(float);
    for (size_t round = 0; round < ROUNDS; round++) {
        kd2m_metric_result result;
        kd2m_status status = problem_evaluate(&work->metric, &given, &result, work->gradient);
        work->wrong += status != KD2M_OK || result.value != work->expected_value ||
                       memcmp(work->gradient, work->expected, bytes) != 0;
    }
}

static void compare(const char *first, const char *second) {
    const char *const specs[2] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        jobs[i].metric = problem_open(testing_context(2), specs[i]);
        jobs[i].wrong = 0;
        jobs[i].expected_value = problem_result(&jobs[i].metric, &given, jobs[i].expected).value;
    }
    testing_side_by_side(evaluate, &jobs[0], &jobs[1]);
    for (size_t i = 0; i < 2; i++) {
        kd2m_context *context = jobs[i].metric.context;
        assert_int_equal(jobs[i].wrong, 0);
        problem_close(&jobs[i].metric);
        kd2m_context_free(context);
    }
}

static void test_same_bits_side_by_side(void **state) {
    (void)state;
    problem_fill(&given, 11, 200, 200, 48);
    compare("w2", "w2");
    compare("mmd", "cond(w2)");
    compare("gauss-w2", "kl");
    compare("mse", "kd:T=4");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits_side_by_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
