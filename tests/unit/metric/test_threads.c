/* Metrics evaluated in two contexts by two threads at once: the bits of evaluations one by one. */
#include "problem.h"

#include <pthread.h>
#include <string.h>

#define ROUNDS 6

static metric_problem given;

typedef struct job {
    problem_metric metric;
    pthread_barrier_t *start;
    double expected_value;
    float expected[PROBLEM_VALUES], gradient[PROBLEM_VALUES];
    size_t wrong; /* evaluations that failed or differed */
} job;

static job jobs[2];

/* cmocka's checks belong to the main thread: a worker only counts. */
static void *evaluate(void *user) {
    job *work = user;
    size_t bytes = given.x.rows * given.x.dim * sizeof(float);
    pthread_barrier_wait(work->start);
    for (size_t round = 0; round < ROUNDS; round++) {
        kd2m_metric_result result;
        kd2m_status status = problem_evaluate(&work->metric, &given, &result, work->gradient);
        work->wrong += status != KD2M_OK || result.value != work->expected_value ||
                       memcmp(work->gradient, work->expected, bytes) != 0;
    }
    return NULL;
}

static void compare(const char *first, const char *second) {
    const char *const specs[2] = {first, second};
    pthread_t threads[2];
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    for (size_t i = 0; i < 2; i++) {
        jobs[i].metric = problem_open(testing_context(2), specs[i]);
        jobs[i].start = &start;
        jobs[i].wrong = 0;
        jobs[i].expected_value = problem_result(&jobs[i].metric, &given, jobs[i].expected).value;
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, evaluate, &jobs[i]), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
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
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits_side_by_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
