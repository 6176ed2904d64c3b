/* Entropic transport: its loops against plain ones, its plan and value against a plain iteration in
 * double, its certificate on hard problems. */
#include "testing.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_rows.h"
#include "problem.h"
#include "rng.h"
#include "sinkhorn.h"

static kd2m_arena arena;

static double weight_of(const double *weights, size_t i, size_t count) {
    return weights ? weights[i] : 1.0 / (double)count;
}

static double mean_cost(const problem *p) {
    double sum = 0;
    for (size_t i = 0; i < p->costs.rows; i++)
        for (size_t j = 0; j < p->costs.columns; j++)
            sum += (double)p->values[i * p->costs.stride + j];
    return sum / (double)(p->costs.rows * p->costs.columns);
}

/* epsilon and rho are shares of the mean cost */
static kd2m_sinkhorn_result solve(const problem *p, double epsilon, double rho, bool symmetric) {
    size_t n = p->costs.rows, m = p->costs.columns;
    double mean = mean_cost(p);
    kd2m_sinkhorn_result result;
    kd2m_sinkhorn_problem given = {
        p->costs, p->row_weights, p->column_weights, epsilon * mean, rho * mean, 1e-7, 20000, NULL};
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_sinkhorn_bytes(n, m)));
    EXPECT_OK(arena.context, symmetric ? kd2m_sinkhorn_symmetric(&arena, &given, &result)
                                       : kd2m_sinkhorn(&arena, &given, &result));
    return result;
}

/* The certificate says what the plan shows: its sums, that it is what the potentials say, and the
 * dual's value. */
static void expect_honest(const problem *p, const kd2m_sinkhorn_result *result, double epsilon) {
    size_t n = p->costs.rows, m = p->costs.columns;
    double eps = epsilon * mean_cost(p), worst = 0, value = 0;
    double *columns = calloc(m, sizeof *columns);
    for (size_t i = 0; i < n; i++) {
        double sum = 0, a = weight_of(p->row_weights, i, n);
        for (size_t j = 0; j < m; j++) {
            double b = weight_of(p->column_weights, j, m);
            double exponent = result->row_potentials[i] + result->column_potentials[j] -
                              (double)p->values[i * p->costs.stride + j];
            double mass = a * b > 0 ? a * b * exp(exponent / eps) : 0;
            EXPECT_CLOSE(mass, result->plan[i * m + j], 1e-20, 1e-6);
            sum += mass;
            columns[j] += mass;
        }
        value += a * result->row_potentials[i] - eps * sum;
        worst = fmax(worst, fabs(sum - a));
    }
    for (size_t j = 0; j < m; j++) {
        value += weight_of(p->column_weights, j, m) * result->column_potentials[j];
        worst = fmax(worst, fabs(columns[j] - weight_of(p->column_weights, j, m)));
    }
    EXPECT_CLOSE(worst, result->marginal_error, 1e-7, 0);
    EXPECT_CLOSE(value + eps, result->value, 0, 1e-9);
    assert_true(result->gap >= 0);
    free(columns);
}

static void loops_match_plain_ones(void **state) {
    (void)state;
    enum { most = 261 };
    float costs[4 * most], expected[most], found[most];
    double potentials[most], sums[2][most];
    const double weights[4] = {0.5, -2, 3, 0.25};
    kd2m_rng rng;
    kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, 0);
    for (size_t k = 0; k < 4 * most; k++)
        costs[k] = (float)(10 * kd2m_rng_uniform(&rng));
    for (size_t count = 1; count <= most; count += 13) {
        for (size_t j = 0; j < count; j++) {
            potentials[j] = j % 7 == 3 ? -INFINITY : kd2m_rng_normal(&rng);
            sums[0][j] = sums[1][j] = (double)j;
        }
        double lowest = INFINITY;
        for (size_t j = 0; j < count; j++)
            lowest = fmin(lowest, (double)costs[j] - potentials[j]);
        assert_true(lowest == kd2m_kernel_lowest(costs, potentials, count));
        double sum = kd2m_reference_exponentials(expected, costs, potentials, lowest, 9, count);
        EXPECT_CLOSE(sum, kd2m_kernel_exponentials(found, costs, potentials, lowest, 9, count), 0,
                     1e-13);
        for (size_t j = 0; j < count; j++)
            EXPECT_CLOSE(expected[j], found[j], 0, 1e-6);
        for (size_t j = 0; j < count; j++)
            potentials[j] = kd2m_rng_normal(&rng);
        EXPECT_CLOSE(kd2m_reference_dot(costs, potentials, count),
                     kd2m_kernel_dot(costs, potentials, count), 1e-11, 1e-12);
        for (size_t rows = 1; rows <= KD2M_KERNEL_ROWS; rows++) {
            kd2m_reference_add(sums[0], costs, most, weights, rows, count);
            kd2m_kernel_add(sums[1], costs, most, weights, rows, count);
            for (size_t j = 0; j < count; j++)
                EXPECT_CLOSE(sums[0][j], sums[1][j], 1e-11, 1e-12);
        }
    }
}

static void every_kind_converges(void **state) {
    (void)state;
    static const char *const kinds[] = {"uniform", "clusters", "duplicates", "plane", "line"};
    static const size_t sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {5, 4}, {37, 53}, {128, 96}};
    static const double shares[] = {1, 0.1, 0.02};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (size_t e = 0; e < sizeof shares / sizeof *shares; e++) {
                problem p = problem_make(kinds[k], sizes[s][0], sizes[s][1], e % 2, 1 + k);
                if (mean_cost(&p) > 0) {
                    kd2m_sinkhorn_result result = solve(&p, shares[e], INFINITY, false);
                    expect_honest(&p, &result, shares[e]);
                    assert_true(result.converged && result.gap < 1e-6);
                    assert_true(result.marginal_error < 1e-6);
                }
                problem_free(&p);
            }
}

/* A small epsilon: close to exact transport, or it says that it did not get there. */
static void small_epsilons_are_honest(void **state) {
    (void)state;
    static const char *const kinds[] = {"uniform", "clusters", "plane", "permuted"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (double epsilon = 1e-2; epsilon > 5e-5; epsilon /= 10) {
            problem p = problem_make(kinds[k], 40, 40, 0, 3);
            kd2m_sinkhorn_result result = solve(&p, epsilon, INFINITY, false);
            double value = result.value, mean = mean_cost(&p);
            expect_honest(&p, &result, epsilon);
            if (result.converged)
                assert_true(result.gap < 1e-6);
            kd2m_transport exact;
            bool close = result.gap < 1e-4;
            kd2m_arena_rewind(&arena, 0);
            EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_transport_bytes(40, 40)));
            EXPECT_OK(arena.context, kd2m_transport_solve(&arena, p.costs, NULL, NULL, &exact));
            /* exact <= entropic <= exact + eps log n */
            assert_true(value >= exact.cost - 1e-4 * mean || !close);
            assert_true(value <= exact.cost + (epsilon * log(40) + 1e-6) * mean);
            problem_free(&p);
        }
}

/* Between a set and itself both solvers find the same plan. */
static void the_symmetric_solver_agrees(void **state) {
    (void)state;
    static const double shares[] = {1, 0.05, 0.002};
    for (size_t e = 0; e < sizeof shares / sizeof *shares; e++) {
        problem p = problem_make("permuted", 70, 70, 0, 5), square = p;
        float *values = malloc(70 * 70 * sizeof *values);
        for (size_t i = 0; i < 70; i++) /* undo the permutation */
            for (size_t j = 0; j < 70; j++)
                values[i * 70 + j] = p.values[i * p.costs.stride + 69 - j];
        square.values = values;
        square.costs = (kd2m_costs){values, 70, 70, 70};
        double general = solve(&square, shares[e], INFINITY, false).value;
        kd2m_sinkhorn_result result = solve(&square, shares[e], INFINITY, true);
        EXPECT_CLOSE(general, result.value, 1e-9 * mean_cost(&square), 1e-9);
        expect_honest(&square, &result, shares[e]);
        assert_true(result.converged && result.iterations < 60);
        free(values);
        problem_free(&p);
    }
}

static void threads_do_not_show(void **state) {
    (void)state;
    problem p = problem_make("uniform", 300, 260, 1, 4);
    double values[3];
    kd2m_arena kept = arena;
    for (int threads = 1; threads <= 3; threads++) {
        kd2m_context *context = testing_context(threads);
        kd2m_arena_init(&arena, context);
        values[threads - 1] = solve(&p, 0.05, INFINITY, false).value;
        kd2m_arena_free(&arena);
        kd2m_context_free(context);
    }
    arena = kept;
    assert_true(values[0] == values[1] && values[1] == values[2]);
    problem_free(&p);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    problem p = problem_make("uniform", 4, 5, 0, 1);
    kd2m_sinkhorn_result result;
    kd2m_sinkhorn_problem given = {p.costs, NULL, NULL, 1, INFINITY, 1e-7, 10, NULL};
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_sinkhorn_bytes(4, 5)));
    EXPECT_STATUS(arena.context, KD2M_ERROR_USAGE,
                  kd2m_sinkhorn_symmetric(&arena, &given, &result));
    given.epsilon = 0;
    EXPECT_STATUS(arena.context, KD2M_ERROR_USAGE, kd2m_sinkhorn(&arena, &given, &result));
    given.epsilon = 1;
    p.values[2] = NAN;
    EXPECT_STATUS(arena.context, KD2M_ERROR_NUMERIC, kd2m_sinkhorn(&arena, &given, &result));
    assert_true(result.plan == NULL && arena.used == 0);
    p.values[2] = 1;
    for (size_t part = 0; part < 8; part++) {
        kd2m_arena small;
        kd2m_arena_init(&small, arena.context);
        EXPECT_OK(arena.context, kd2m_arena_reserve(&small, kd2m_sinkhorn_bytes(4, 5) * part / 8));
        EXPECT_STATUS(arena.context, KD2M_ERROR_INTERNAL, kd2m_sinkhorn(&small, &given, &result));
        kd2m_arena_free(&small);
    }
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_match_plain_ones),    cmocka_unit_test(every_kind_converges),
        cmocka_unit_test(small_epsilons_are_honest), cmocka_unit_test(the_symmetric_solver_agrees),
        cmocka_unit_test(threads_do_not_show),       cmocka_unit_test(bad_input_is_refused),
    };
    kd2m_context *context = testing_context(2);
    kd2m_arena_init(&arena, context);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_arena_free(&arena);
    kd2m_context_free(context);
    return failed;
}
