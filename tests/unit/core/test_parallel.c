/* Parallel loops: every index once, a fixed cut, workers of their own, loops inside loops. */
#include "testing.h"

#include <string.h>

#include "parallel.h"

#define COUNT_MAX 1000
#define THREADS_MAX 8

/* What the body was called with. */
typedef struct trace {
    int touched[COUNT_MAX];
    size_t begin[THREADS_MAX], end[THREADS_MAX];
    int calls[THREADS_MAX];
} trace;

static void record(void *user, size_t begin, size_t end, int worker) {
    trace *seen = user;
    seen->calls[worker]++;
    seen->begin[worker] = begin;
    seen->end[worker] = end;
    for (size_t i = begin; i < end; i++)
        seen->touched[i]++;
}

static void check_cut(const trace *seen, size_t count, size_t grain, int threads) {
    size_t next = 0, smallest = count, largest = 0;
    int workers = 0;
    for (size_t i = 0; i < COUNT_MAX; i++)
        assert_int_equal(i < count, seen->touched[i]);
    for (int w = 0; w < THREADS_MAX; w++) {
        assert_in_range(seen->calls[w], 0, 1);
        if (!seen->calls[w])
            continue;
        assert_int_equal(workers++, w); /* numbered from 0 without gaps */
        assert_int_equal(next, seen->begin[w]);
        next = seen->end[w];
        size_t part = seen->end[w] - seen->begin[w];
        smallest = part < smallest ? part : smallest;
        largest = part > largest ? part : largest;
    }
    assert_int_equal(count, next);
    assert_in_range(workers, count > 0, threads);
    if (workers > 1) {
        assert_true(smallest >= grain);
        assert_true(largest - smallest <= 1);
    }
    if (count >= grain * (size_t)threads && count > 0)
        assert_int_equal(threads, workers);
}

static void every_index_comes_once(void **state) {
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 999, 1000};
    static const size_t grains[] = {1, 2, 8, 64, 999, 1000, 5000, SIZE_MAX};
    static const int threads[] = {1, 2, 3, 8};
    (void)state;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        kd2m_context *context = testing_context(threads[t]);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (size_t g = 0; g < sizeof grains / sizeof *grains; g++) {
                static trace seen, again;
                memset(&seen, 0, sizeof seen);
                memset(&again, 0, sizeof again);
                kd2m_parallel_for(context, counts[c], grains[g], record, &seen);
                check_cut(&seen, counts[c], grains[g], threads[t]);
                kd2m_parallel_for(context, counts[c], grains[g], record, &again);
                assert_memory_equal(&seen, &again, sizeof seen); /* the same cut each time */
            }
        kd2m_context_free(context);
    }
}

/* The cut inside a parallel loop is the cut outside of it. */
static trace nested[THREADS_MAX];

static void start_inner(void *user, size_t begin, size_t end, int worker) {
    (void)begin;
    (void)end;
    kd2m_parallel_for(user, 1000, 1, record, &nested[worker]);
}

static void loops_may_stand_in_loops(void **state) {
    kd2m_context *context = testing_context(4);
    static trace outside;
    (void)state;
    memset(nested, 0, sizeof nested);
    kd2m_parallel_for(context, 1000, 1, record, &outside);
    kd2m_parallel_for(context, 4, 1, start_inner, context);
    for (int w = 0; w < 4; w++)
        assert_memory_equal(&outside, &nested[w], sizeof outside);
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_comes_once),
        cmocka_unit_test(loops_may_stand_in_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
