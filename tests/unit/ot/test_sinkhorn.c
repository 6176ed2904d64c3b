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
static kd2m_sinkhorn_problem problem_of(const problem *p, double epsilon, double rho) {
    double mean = mean_cost(p);
    return (kd2m_sinkhorn_problem){
        .costs = p->costs,
        .row_weights = p->row_weights,
        .column_weights = p->column_weights,
        .epsilon = epsilon * mean,
        .rho = rho * mean,
        .tolerance = 1e-7,
        .most_iterations = 20000,
        .mean_cost = mean,
    };
}

static kd2m_sinkhorn_result solve(const problem *p, double epsilon, double rho, bool symmetric) {
    size_t n = p->costs.rows, m = p->costs.columns;
    kd2m_sinkhorn_result result;
    kd2m_sinkhorn_problem given = problem_of(p, epsilon, rho);
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_sinkhorn_bytes(n, m, 0)));
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
            EXPECT_CLOSE(expected[j], found[j], 1e-30, 1e-6);
        for (size_t j = 0; j < count; j++)
            potentials[j] = kd2m_rng_normal(&rng);
        for (size_t rows = 1; rows <= KD2M_KERNEL_ROWS; rows++) {
            double dots[KD2M_KERNEL_ROWS];
            kd2m_kernel_dot(dots, costs, most, potentials, rows, count);
            for (size_t r = 0; r < rows; r++)
                EXPECT_CLOSE(kd2m_reference_dot(costs + r * most, potentials, count), dots[r],
                             1e-11, 1e-12);
            kd2m_reference_add(sums[0], costs, most, weights, rows, count);
            kd2m_kernel_add(sums[1], costs, most, weights, rows, count);
            for (size_t j = 0; j < count; j++)
                EXPECT_CLOSE(sums[0][j], sums[1][j], 1e-11, 1e-12);
            EXPECT_CLOSE(kd2m_reference_spread(costs, sums[0], potentials, 0.3, count),
                         kd2m_kernel_spread(costs, sums[0], potentials, 0.3, count), 1e-11, 1e-12);
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

/* A small epsilon: close to exact transport. */
static void small_epsilons_converge(void **state) {
    (void)state;
    static const char *const kinds[] = {"uniform", "clusters", "plane", "permuted"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (double epsilon = 1e-2; epsilon > 5e-5; epsilon /= 10) {
            problem p = problem_make(kinds[k], 40, 40, 0, 3);
            kd2m_sinkhorn_result result = solve(&p, epsilon, INFINITY, false);
            double value = result.value, mean = mean_cost(&p);
            expect_honest(&p, &result, epsilon);
            assert_true(result.converged && result.gap < 1e-6);
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

/* Costs made anew a few rows at a time; the call number `fail_at` fails. */
typedef struct made_costs {
    const problem *p;
    size_t calls, fail_at, seen;
    double mass; /* of the plan that was shown */
} made_costs;

static kd2m_status make_costs(void *user, float *out, size_t first, size_t count) {
    made_costs *made = user;
    const kd2m_costs *costs = &made->p->costs;
    for (size_t r = 0; r < count; r++)
        memcpy(out + r * costs->columns, costs->values + (first + r) * costs->stride,
               costs->columns * sizeof *out);
    return made->calls++ == made->fail_at ? KD2M_ERROR_NUMERIC : KD2M_OK;
}

static kd2m_status see_plan(void *user, const kd2m_sinkhorn_result *out, const float *plan,
                            kd2m_costs costs, size_t first) {
    made_costs *made = user;
    assert_int_equal(made->seen, first);
    assert_true(out->row_sums[first] >= 0);
    made->seen += costs.rows;
    for (size_t k = 0; k < costs.rows * costs.columns; k++) {
        size_t i = k / costs.columns, j = k % costs.columns;
        made->mass += (double)plan[k];
        assert_true(costs.values[i * costs.stride + j] ==
                    made->p->values[(first + i) * made->p->costs.stride + j]);
    }
    return KD2M_OK;
}

static kd2m_status solve_made(made_costs *made, size_t block, double epsilon, double rho,
                              kd2m_sinkhorn_result *result) {
    const problem *p = made->p;
    size_t n = p->costs.rows, m = p->costs.columns;
    kd2m_sinkhorn_problem given = problem_of(p, epsilon, rho);
    given.costs.values = NULL;
    given.fill = make_costs;
    given.visit = see_plan;
    given.block_rows = block;
    given.user = made;
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_sinkhorn_bytes(n, m, block)));
    return kd2m_sinkhorn(&arena, &given, result);
}

static void costs_made_anew_give_the_same(void **state) {
    (void)state;
    static const char *const kinds[] = {"uniform", "clusters", "duplicates"};
    static const double shares[] = {1, 0.05, 0.002}, rhos[] = {INFINITY, 1, INFINITY};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t e = 0; e < sizeof shares / sizeof *shares; e++)
            for (size_t block = 1; block < 200; block = 7 * block + 1) {
                problem p = problem_make(kinds[k], 150, 90, e % 2, 1 + k);
                made_costs made = {.p = &p, .fail_at = SIZE_MAX};
                kd2m_sinkhorn_result result, kept = solve(&p, shares[e], rhos[e], false);
                double value = kept.value, scale = 1e-7 * mean_cost(&p);
                bool converged = kept.converged;
                EXPECT_OK(arena.context, solve_made(&made, block, shares[e], rhos[e], &result));
                assert_true(result.converged && converged && result.gap < 1e-6);
                EXPECT_CLOSE(value, result.value, scale, 0);
                assert_true(!result.plan && made.seen == 150);
                double sum = 0;
                for (size_t i = 0; i < 150; i++)
                    sum += result.row_sums[i];
                EXPECT_CLOSE(sum, made.mass, 0, 1e-6);
                problem_free(&p);
            }
}

static void costs_that_fail_end_it(void **state) {
    (void)state;
    problem p = problem_make("clusters", 60, 50, 0, 1);
    for (size_t fail_at = 0; fail_at < 40; fail_at++) {
        made_costs made = {.p = &p, .fail_at = fail_at};
        kd2m_sinkhorn_result result;
        EXPECT_STATUS(arena.context, KD2M_ERROR_NUMERIC,
                      solve_made(&made, 16, 0.05, INFINITY, &result));
        assert_int_equal(made.calls, fail_at + 1);
        assert_true(!result.row_sums && arena.used == 0);
    }
    problem_free(&p);
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
    kd2m_sinkhorn_problem given = {
        .costs = p.costs, .epsilon = 1, .rho = INFINITY, .tolerance = 1e-7, .most_iterations = 10};
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_sinkhorn_bytes(4, 5, 0)));
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
        EXPECT_OK(arena.context,
                  kd2m_arena_reserve(&small, kd2m_sinkhorn_bytes(4, 5, 0) * part / 8));
        EXPECT_STATUS(arena.context, KD2M_ERROR_INTERNAL, kd2m_sinkhorn(&small, &given, &result));
        kd2m_arena_free(&small);
    }
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_match_plain_ones),
        cmocka_unit_test(every_kind_converges),
        cmocka_unit_test(small_epsilons_converge),
        cmocka_unit_test(the_symmetric_solver_agrees),
        cmocka_unit_test(costs_made_anew_give_the_same),
        cmocka_unit_test(costs_that_fail_end_it),
        cmocka_unit_test(threads_do_not_show),
        cmocka_unit_test(bad_input_is_refused),
    };
    kd2m_context *context = testing_context(2);
    kd2m_arena_init(&arena, context);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_arena_free(&arena);
    kd2m_context_free(context);
    return failed;
}
