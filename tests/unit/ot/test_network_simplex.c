/* The network simplex: proved optimal by its potentials on every kind of problem, against brute
 * force, against the assignment solver and against POT's costs. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problem.h"

static kd2m_arena arena;

static void solve(const problem *p, kd2m_transport *out) {
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_network_simplex_bytes(
                                                            p->costs.rows, p->costs.columns)));
    EXPECT_OK(arena.context,
              kd2m_network_simplex(&arena, p->costs, p->row_weights, p->column_weights, out));
    assert_true(out->converged);
}

static void every_kind_is_proved_optimal(void **state) {
    (void)state;
    static const char *const kinds[] = {"uniform", "clusters", "duplicates", "plane", "line"};
    static const size_t sizes[][2] = {{1, 1},   {1, 9},   {9, 1},    {2, 3},     {5, 4},  {16, 24},
                                      {37, 53}, {61, 17}, {128, 96}, {100, 101}, {64, 64}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (uint64_t seed = 1; seed <= 8; seed++) {
                problem p = problem_make(kinds[k], sizes[s][0], sizes[s][1], seed % 2, seed);
                kd2m_transport result;
                solve(&p, &result);
                problem_expect_optimal(&p, &result, 1e-12);
                problem_free(&p);
            }
}

/* Hundreds of small ones with few different costs: degenerate, where a simplex could cycle. */
static void small_ones_match_brute_force(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        uint64_t draws = seed;
        size_t n = 1 + seed % 7;
        uint32_t range = seed % 4 == 0 ? 1 : seed % 4 == 1 ? 2 : seed % 4 == 2 ? 5 : 1000;
        float costs[49];
        double exact[49];
        for (size_t i = 0; i < n * n; i++)
            exact[i] = costs[i] = (float)problem_draw(&draws, range) - (float)(seed % 3);
        problem p = problem_from(costs, n, n);
        kd2m_transport result;
        solve(&p, &result);
        problem_expect_optimal(&p, &result, 1e-12);
        EXPECT_CLOSE(problem_brute_force(exact, n), result.cost, 1e-12, 1e-12);
        problem_free(&p);
    }
}

/* Rows of 1/n split into n m units: a brute force over copies, n m <= 8. */
static void different_sizes_match_brute_force(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{1, 2}, {2, 1}, {2, 3}, {3, 2}, {2, 4}, {4, 2}, {1, 8}};
    for (uint64_t seed = 1; seed <= 140; seed++) {
        uint64_t draws = seed;
        size_t n = sizes[seed % 7][0], m = sizes[seed % 7][1], units = n * m;
        float costs[8];
        double copies[64];
        for (size_t i = 0; i < units; i++)
            costs[i] = (float)problem_draw(&draws, seed % 2 ? 4 : 1000);
        for (size_t u = 0; u < units; u++)
            for (size_t v = 0; v < units; v++)
                copies[u * units + v] = costs[u / m * m + v / n];
        problem p = problem_from(costs, n, m);
        kd2m_transport result;
        solve(&p, &result);
        problem_expect_optimal(&p, &result, 1e-12);
        EXPECT_CLOSE(problem_brute_force(copies, units), result.cost, 1e-12, 1e-12);
        problem_free(&p);
    }
}

static void agrees_with_the_assignment(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        problem p = problem_make(seed % 2 ? "clusters" : "permuted", 90, 90, 0, seed);
        kd2m_transport simplex, assignment;
        solve(&p, &simplex);
        double cost = simplex.cost;
        kd2m_arena_rewind(&arena, 0);
        EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_assignment_bytes(90)));
        EXPECT_OK(arena.context, kd2m_assignment(&arena, p.costs, &assignment));
        EXPECT_CLOSE(cost, assignment.cost, 1e-9, 1e-12);
        problem_free(&p);
    }
}

static void shuffle(uint64_t *order, size_t count, uint64_t *draws) {
    for (size_t i = 0; i < count; i++) {
        size_t at = problem_draw(draws, (uint32_t)i + 1);
        order[i] = order[at];
        order[at] = i;
    }
}

/* Room for a tree and for a solution from it. */
static kd2m_tree fresh_tree(size_t rows, size_t columns) {
    kd2m_tree tree;
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context,
              kd2m_arena_reserve(&arena, kd2m_tree_bytes(rows, columns) +
                                             kd2m_network_simplex_bytes(rows, columns)));
    EXPECT_OK(arena.context, kd2m_tree_take(&arena, rows, columns, &tree));
    return tree;
}

/* Solves from the tree's basis; the cost must be the cold solution's. */
static void expect_same_as_cold(const problem *p, double cold, kd2m_tree *tree) {
    size_t mark = arena.used;
    kd2m_transport result;
    EXPECT_OK(arena.context, kd2m_network_simplex_from(&arena, p->costs, p->row_weights,
                                                       p->column_weights, tree, &result));
    assert_true(result.converged);
    problem_expect_optimal(p, &result, 1e-12);
    EXPECT_CLOSE(cold, result.cost, 1e-12, 1e-15);
    kd2m_arena_rewind(&arena, mark);
}

/* Other costs between the same weights, some of which are 0: from one to the next and to the first,
 * from each its own best basis, and from couplings in any order. */
static void any_basis_leads_to_the_cold_cost(void **state) {
    (void)state;
    static const char *const kinds[] = {"uniform", "clusters", "duplicates", "plane", "line"};
    static const size_t sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {37, 53}, {61, 17}, {64, 64}};
    enum { kind_count = sizeof kinds / sizeof *kinds };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int weighted = 0; weighted < 2; weighted++) {
            size_t rows = sizes[s][0], columns = sizes[s][1];
            problem problems[kind_count];
            double cold[kind_count];
            uint64_t row_order[64], column_order[64], draws = 5;
            for (size_t k = 0; k < kind_count; k++) {
                kd2m_transport result;
                problems[k] = problem_make(kinds[k], rows, columns, weighted, 7);
                for (size_t i = 0; weighted && i < rows; i++)
                    problems[k].row_weights[i] = problems[0].row_weights[i];
                for (size_t j = 0; weighted && j < columns; j++)
                    problems[k].column_weights[j] = problems[0].column_weights[j];
                solve(&problems[k], &result);
                cold[k] = result.cost;
            }
            kd2m_tree tree = fresh_tree(rows, columns);
            for (size_t turn = 0; turn < 2 * kind_count; turn++) {
                expect_same_as_cold(&problems[turn % kind_count], cold[turn % kind_count], &tree);
                expect_same_as_cold(&problems[turn % kind_count], cold[turn % kind_count], &tree);
            }
            tree = fresh_tree(rows, columns);
            for (size_t k = 0; k < kind_count; k++) {
                shuffle(row_order, rows, &draws);
                shuffle(column_order, columns, &draws);
                EXPECT_OK(arena.context, kd2m_tree_couple(&arena, problems[k].row_weights,
                                                          problems[k].column_weights, row_order,
                                                          column_order, &tree));
                expect_same_as_cold(&problems[k], cold[k], &tree);
            }
            for (size_t k = 0; k < kind_count; k++)
                problem_free(&problems[k]);
        }
}

static void pot_finds_the_same_costs(void **state) {
    (void)state;
    FILE *file = fopen(KD2M_TEST_SOURCE "/golden/transport/costs.txt", "r");
    char line[256], kind[32];
    int count = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        size_t rows, columns;
        int weighted;
        unsigned long seed;
        double cost;
        assert_int_equal(6, sscanf(line, "%31s %zu %zu %d %lu %lf", kind, &rows, &columns,
                                   &weighted, &seed, &cost));
        problem p = problem_make(kind, rows, columns, weighted, seed);
        kd2m_transport result;
        solve(&p, &result);
        EXPECT_CLOSE(cost, result.cost, 1e-9, 1e-11);
        problem_free(&p);
        count++;
    }
    fclose(file);
    assert_true(count >= 10);
}

static void the_same_costs_give_the_same_bits(void **state) {
    (void)state;
    problem p = problem_make("uniform", 60, 47, 1, 3);
    kd2m_transport first, second;
    double mass[128];
    solve(&p, &first);
    memcpy(mass, first.plan.mass, first.plan.entries * sizeof *mass);
    size_t entries = first.plan.entries;
    solve(&p, &second);
    assert_int_equal(entries, second.plan.entries);
    assert_memory_equal(mass, second.plan.mass, entries * sizeof *mass);
    problem_free(&p);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    problem p = problem_make("uniform", 4, 5, 1, 1);
    kd2m_transport result;
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_network_simplex_bytes(4, 5)));
    p.values[p.costs.stride + 2] = NAN;
    EXPECT_STATUS(arena.context, KD2M_ERROR_NUMERIC,
                  kd2m_network_simplex(&arena, p.costs, NULL, NULL, &result));
    p.values[p.costs.stride + 2] = 1;
    const double sums[][4] = {{0, 0, 0, 0}, {0.5, 0.5, 0.5, 0}, {1.5, -0.5, 0, 0}, {NAN, 1, 0, 0}};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        kd2m_arena_rewind(&arena, 0);
        kd2m_status status = kd2m_network_simplex(&arena, p.costs, sums[i], NULL, &result);
        assert_int_not_equal(KD2M_OK, status);
    }
    problem_free(&p);
}

static void a_short_arena_is_an_internal_error(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    problem p = problem_make("uniform", 20, 30, 0, 1);
    size_t bytes = kd2m_network_simplex_bytes(20, 30);
    for (size_t part = 0; part < 8; part++) {
        kd2m_arena small;
        kd2m_transport result;
        kd2m_arena_init(&small, context);
        EXPECT_OK(context, kd2m_arena_reserve(&small, bytes * part / 8 / 2));
        EXPECT_STATUS(context, KD2M_ERROR_INTERNAL,
                      kd2m_network_simplex(&small, p.costs, NULL, NULL, &result));
        kd2m_arena_free(&small);
    }
    problem_free(&p);
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_proved_optimal),
        cmocka_unit_test(small_ones_match_brute_force),
        cmocka_unit_test(different_sizes_match_brute_force),
        cmocka_unit_test(agrees_with_the_assignment),
        cmocka_unit_test(any_basis_leads_to_the_cold_cost),
        cmocka_unit_test(pot_finds_the_same_costs),
        cmocka_unit_test(the_same_costs_give_the_same_bits),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(a_short_arena_is_an_internal_error),
    };
    kd2m_context *context = testing_context(1);
    kd2m_arena_init(&arena, context);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_arena_free(&arena);
    kd2m_context_free(context);
    return failed;
}
