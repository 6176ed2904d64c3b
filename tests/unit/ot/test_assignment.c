/* Assignments against brute force, and proved optimal by their potentials on hard inputs. */
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "problem.h"

/* Whole-number costs leave nothing to float's rounding; for others it allows this much. */
#define FLOAT_GAP 2e-6

static void solve_in(kd2m_arena *arena, const problem *p, kd2m_transport *out) {
    kd2m_arena_rewind(arena, 0);
    EXPECT_OK(arena->context, kd2m_arena_reserve(arena, kd2m_assignment_bytes(p->costs.rows)));
    EXPECT_OK(arena->context, kd2m_assignment(arena, p->costs, out));
    assert_int_equal(p->costs.rows, out->plan.entries);
}

static kd2m_arena make_arena(void) {
    kd2m_arena arena;
    kd2m_arena_init(&arena, testing_context(1));
    return arena;
}

static void drop_arena(kd2m_arena *arena) {
    kd2m_context *context = arena->context;
    kd2m_arena_free(arena);
    kd2m_context_free(context);
}

static void small_ones_match_brute_force(void **state) {
    (void)state;
    kd2m_arena arena = make_arena();
    for (uint64_t seed = 1; seed <= 600; seed++) {
        uint64_t draws = seed;
        size_t n = 1 + seed % 7;
        /* from all equal over many ties to hardly any, of both signs */
        uint32_t range = seed % 5 == 0 ? 1 : seed % 5 == 1 ? 3 : 1000;
        float costs[49];
        double exact[49];
        for (size_t i = 0; i < n * n; i++)
            exact[i] = costs[i] =
                (float)problem_draw(&draws, range) - (float)(seed % 3 * range / 2);
        problem p = problem_from(costs, n, n);
        kd2m_transport result;
        solve_in(&arena, &p, &result);
        problem_expect_optimal(&p, &result, 0.0);
        EXPECT_CLOSE(problem_brute_force(exact, n), result.cost, 1e-12, 1e-12);
        problem_free(&p);
    }
    drop_arena(&arena);
}

static void every_kind_is_proved_optimal(void **state) {
    (void)state;
    kd2m_arena arena = make_arena();
    const char *kinds[] = {"uniform", "clusters", "duplicates", "plane", "line", "permuted"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (uint64_t seed = 1; seed <= 60; seed++) {
            size_t n = seed < 56 ? 2 * seed + seed % 2 : 150 * (seed - 55);
            problem p = problem_make(kinds[k], n, n, 0, 7 * seed);
            kd2m_transport result;
            solve_in(&arena, &p, &result);
            problem_expect_optimal(&p, &result, 0.0);
            if (strcmp(kinds[k], "permuted") == 0)
                assert_true(result.cost == 0.0);
            problem_free(&p);
        }
    drop_arena(&arena);
}

/* Costs on which every float operation rounds. */
static problem rough_problem(size_t n, double offset, double spread, int exponents, uint64_t seed) {
    uint64_t draws = seed;
    float *costs = malloc(n * n * sizeof *costs);
    assert_non_null(costs);
    for (size_t i = 0; i < n * n; i++) {
        double value = (double)problem_draw(&draws, 1U << 30) / (double)(1U << 30);
        if (exponents)
            value *= pow(10.0, (double)problem_draw(&draws, (uint32_t)exponents));
        costs[i] = (float)(offset + spread * value);
    }
    problem p = problem_from(costs, n, n);
    free(costs);
    return p;
}

static void rounding_costs_little(void **state) {
    (void)state;
    kd2m_arena arena = make_arena();
    const struct {
        double offset, spread;
        int exponents;
    } cases[] = {{0, 1, 0},     {-0.5, 1, 0},   {1000, 1e-2, 0}, {-1e6, 3, 0},
                 {0, 1e-30, 0}, {0, 1e-20, 50}, {0, 1e29, 0},    {0, 1e-3, 7}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (uint64_t seed = 1; seed <= 12; seed++) {
            problem p = rough_problem(20 * seed, cases[c].offset, cases[c].spread,
                                      cases[c].exponents, seed);
            kd2m_transport result;
            solve_in(&arena, &p, &result);
            problem_expect_optimal(&p, &result, FLOAT_GAP);
            problem_free(&p);
        }
    drop_arena(&arena);
}

static void equal_costs_give_some_assignment(void **state) {
    (void)state;
    kd2m_arena arena = make_arena();
    const float values[] = {0.0F, 5.0F, -3.0F};
    for (size_t v = 0; v < 3; v++)
        for (size_t n = 1; n <= 300; n = n * 3 - 1) {
            float *costs = malloc(n * n * sizeof *costs);
            assert_non_null(costs);
            for (size_t i = 0; i < n * n; i++)
                costs[i] = values[v];
            problem p = problem_from(costs, n, n);
            kd2m_transport result;
            solve_in(&arena, &p, &result);
            problem_expect_optimal(&p, &result, 0.0);
            EXPECT_CLOSE((double)values[v], result.cost, 1e-12, 0.0);
            problem_free(&p);
            free(costs);
            if (n == 1)
                n = 2;
        }
    drop_arena(&arena);
}

static void the_same_costs_give_the_same_bits(void **state) {
    (void)state;
    kd2m_arena arenas[2] = {make_arena(), make_arena()};
    problem p = rough_problem(177, 0.0, 1.0, 0, 5);
    kd2m_transport results[2];
    for (size_t t = 0; t < 2; t++)
        solve_in(&arenas[t], &p, &results[t]);
    assert_memory_equal(results[0].plan.column, results[1].plan.column, 177 * sizeof(uint32_t));
    assert_memory_equal(results[0].row_potentials, results[1].row_potentials, 177 * sizeof(double));
    assert_true(results[0].cost == results[1].cost);
    problem_free(&p);
    for (size_t t = 0; t < 2; t++)
        drop_arena(&arenas[t]);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    kd2m_arena arena = make_arena();
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_assignment_bytes(10)));
    float costs[6] = {1, 2, 3, 4, 5, 6};
    kd2m_transport result = {.cost = 3.0};
    EXPECT_STATUS(arena.context, KD2M_ERROR_USAGE,
                  kd2m_assignment(&arena, (kd2m_costs){costs, 2, 3, 3}, &result));
    EXPECT_MESSAGE(arena.context, "2 and 3");
    assert_true(result.cost == 0.0 && result.row_potentials == NULL);
    EXPECT_STATUS(arena.context, KD2M_ERROR_USAGE,
                  kd2m_assignment(&arena, (kd2m_costs){costs, 0, 0, 0}, &result));
    EXPECT_STATUS(arena.context, KD2M_ERROR_USAGE,
                  kd2m_assignment(&arena, (kd2m_costs){costs, 2, 2, 1}, &result));
    const float bad[] = {NAN, INFINITY, -INFINITY, 1e31F};
    for (size_t t = 0; t < 4; t++) {
        costs[3] = bad[t];
        EXPECT_STATUS(arena.context, KD2M_ERROR_NUMERIC,
                      kd2m_assignment(&arena, (kd2m_costs){costs, 2, 2, 2}, &result));
        EXPECT_MESSAGE(arena.context, "row 1");
        assert_int_equal(0, arena.used);
    }
    drop_arena(&arena);
}

static int stop(void *user) {
    int *calls = user;
    return (*calls)++ >= 2;
}

static void an_interrupt_leaves_nothing_behind(void **state) {
    (void)state;
    int calls = 0;
    kd2m_context_settings settings;
    kd2m_context_settings_default(&settings);
    settings.interrupted = stop;
    settings.user = &calls;
    kd2m_context *context = NULL;
    assert_int_equal(KD2M_OK, kd2m_context_create(&context, &settings));
    kd2m_arena arena;
    kd2m_arena_init(&arena, context);
    problem p = problem_make("plane", 200, 200, 0, 1);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, kd2m_assignment_bytes(200)));
    kd2m_transport result;
    EXPECT_STATUS(context, KD2M_ERROR_INTERRUPTED, kd2m_assignment(&arena, p.costs, &result));
    assert_int_equal(0, arena.used);
    assert_null(result.plan.mass);
    problem_free(&p);
    drop_arena(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_ones_match_brute_force),
        cmocka_unit_test(every_kind_is_proved_optimal),
        cmocka_unit_test(rounding_costs_little),
        cmocka_unit_test(equal_costs_give_some_assignment),
        cmocka_unit_test(the_same_costs_give_the_same_bits),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(an_interrupt_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
