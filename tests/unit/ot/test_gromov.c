/* Gromov-Wasserstein: a set that was moved and reordered is found again, starts help, ends are
 * vertices, bad input is refused. Values are the metric tests'. */
#include "testing.h"

#include <math.h>
#include <stdlib.h>

#include "gromov.h"
#include "landmarks.h"
#include "rng.h"

static kd2m_arena arena;

/* Distances between `count` random points on a plane, their order turned round if asked. */
static double *distances(uint64_t seed, size_t count, int turned) {
    double *points = malloc(2 * count * sizeof *points);
    double *out = malloc(count * count * sizeof *out);
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 0);
    for (size_t k = 0; k < 2 * count; k++)
        points[k] = kd2m_rng_normal(&rng);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            size_t a = turned ? count - 1 - i : i, b = turned ? count - 1 - k : k;
            out[i * count + k] =
                hypot(points[2 * a] - points[2 * b], points[2 * a + 1] - points[2 * b + 1]);
        }
    free(points);
    return out;
}

/* The objective of a permutation. */
static double mismatch(const double *x, const double *y, const uint32_t *to, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            sum += pow(x[i * n + k] - y[to[i] * n + to[k]], 2);
    return sum / (double)(n * n);
}

static kd2m_gromov_result solve(const kd2m_gromov_problem *problem) {
    kd2m_gromov_result result;
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_gromov_bytes(problem->n, problem->m)));
    EXPECT_OK(arena.context, kd2m_gromov(&arena, problem, &result));
    assert_true(result.converged && result.gap >= 0 && result.gap < 1e-5);
    assert_true(result.plan.entries < problem->n + problem->m);
    assert_true(result.marginal_error < 1e-12);
    return result;
}

static void a_turned_set_is_found_again(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        double *x = distances(seed, 50, 0), *y = distances(seed, 50, 1);
        const kd2m_gromov_problem problem = {x, y, 50, 50, NULL, NULL, 1, 0};
        kd2m_gromov_result result = solve(&problem);
        assert_true(result.value < 1e-20);
        for (size_t e = 0; e < result.plan.entries; e++)
            assert_int_equal(result.plan.row[e] + result.plan.column[e], 49);
        free(x);
        free(y);
    }
}

static void landmarks_find_their_likes(void **state) {
    (void)state;
    enum { n = 50, most = 20 };
    double *x = distances(3, n, 0), *y = distances(3, n, 1), weights[n], scratch[2 * n];
    uint32_t rows[most], columns[most];
    double masses[most];
    kd2m_plan pairs = {.row = rows, .column = columns, .mass = masses};
    for (size_t i = 0; i < n; i++)
        weights[i] = i % 2 ? 2.0 / n : 0.0;
    for (int weighted = 0; weighted < 2; weighted++) {
        kd2m_landmark_side from = {x, weighted ? weights : NULL, n, 7};
        kd2m_landmark_side to = {y, NULL, n, n - 1 - 7};
        kd2m_landmarks_pair(&from, &to, most, scratch, &pairs);
        assert_int_equal(most, pairs.entries);
        for (size_t e = 0; e < most; e++) {
            assert_int_equal(rows[e] + columns[e], n - 1);
            assert_true(!weighted || rows[e] % 2);
            EXPECT_CLOSE(1.0 / most, masses[e], 1e-15, 0);
        }
    }
    free(x);
    free(y);
}

/* Two places only, and one point with mass on the other side. */
static void landmarks_end_with_the_points(void **state) {
    (void)state;
    enum { n = 6 };
    double x[n * n], y[n * n], scratch[2 * n], masses[n], weights[n] = {0, 0, 1, 0, 0, 0};
    uint32_t rows[n], columns[n];
    kd2m_plan pairs = {.row = rows, .column = columns, .mass = masses};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            x[i * n + k] = y[i * n + k] = i % 2 == k % 2 ? 0.0 : 1.0;
    kd2m_landmark_side from = {x, NULL, n, 0}, to = {y, NULL, n, 0};
    kd2m_landmarks_pair(&from, &to, n, scratch, &pairs);
    assert_int_equal(2, pairs.entries);
    assert_true(rows[0] % 2 != rows[1] % 2 && columns[0] % 2 != columns[1] % 2);
    to = (kd2m_landmark_side){y, weights, n, 2};
    kd2m_landmarks_pair(&from, &to, n, scratch, &pairs);
    assert_int_equal(1, pairs.entries);
    assert_int_equal(2, columns[0]);
}

static void more_starts_are_no_worse(void **state) {
    (void)state;
    double *x = distances(7, 30, 0), *y = distances(8, 41, 0), before = INFINITY, first = 0;
    for (int64_t starts = 1; starts < 200; starts *= 5) {
        const kd2m_gromov_problem problem = {x, y, 30, 41, NULL, NULL, starts, 3};
        double value = solve(&problem).value;
        first = starts == 1 ? value : first;
        assert_true(value <= before && value == solve(&problem).value);
        before = value;
    }
    assert_true(before < first);
    free(x);
    free(y);
}

/* Distances that hardly differ: the objective is a small difference of large numbers, and must be
 * that of the plan all the same. */
static void small_differences_keep_their_digits(void **state) {
    (void)state;
    enum { n = 40 };
    double *x = distances(11, n, 0), *y = distances(12, n, 0);
    uint32_t to[n];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            x[i * n + k] = i == k ? 0 : 100 + 1e-3 * x[i * n + k];
            y[i * n + k] = i == k ? 0 : 100 + 1e-3 * y[i * n + k];
        }
    const kd2m_gromov_problem problem = {x, y, n, n, NULL, NULL, 3, 0};
    kd2m_gromov_result result = solve(&problem);
    for (size_t e = 0; e < n; e++)
        to[result.plan.row[e]] = result.plan.column[e];
    EXPECT_CLOSE(mismatch(x, y, to, n), result.value, 0, 1e-9);
    free(x);
    free(y);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    double zero = 0;
    kd2m_gromov_result result;
    kd2m_gromov_problem problem = {&zero, &zero, 1, 0, NULL, NULL, 1, 0};
    EXPECT_STATUS(arena.context, KD2M_ERROR_USAGE, kd2m_gromov(&arena, &problem, &result));
    problem.m = 1;
    problem.starts = 0;
    EXPECT_STATUS(arena.context, KD2M_ERROR_USAGE, kd2m_gromov(&arena, &problem, &result));
    problem.starts = 1;
    for (size_t part = 0; part < 8; part++) {
        kd2m_arena small;
        kd2m_arena_init(&small, arena.context);
        EXPECT_OK(arena.context, kd2m_arena_reserve(&small, kd2m_gromov_bytes(1, 1) * part / 9));
        EXPECT_STATUS(arena.context, KD2M_ERROR_INTERNAL, kd2m_gromov(&small, &problem, &result));
        kd2m_arena_free(&small);
    }
    assert_true(solve(&problem).value == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turned_set_is_found_again),
        cmocka_unit_test(landmarks_find_their_likes),
        cmocka_unit_test(landmarks_end_with_the_points),
        cmocka_unit_test(more_starts_are_no_worse),
        cmocka_unit_test(small_differences_keep_their_digits),
        cmocka_unit_test(bad_input_is_refused),
    };
    kd2m_context *context = testing_context(1);
    kd2m_arena_init(&arena, context);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_arena_free(&arena);
    kd2m_context_free(context);
    return failed;
}
