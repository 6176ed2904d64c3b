#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

#define PADDING ((size_t)5) /* floats between two rows of costs */

uint32_t problem_draw(uint64_t *state, uint32_t range) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*state >> 33) % range);
}

static void draw_point(int32_t *point, const char *kind, uint64_t *state) {
    memset(point, 0, PROBLEM_DIM * sizeof *point);
    uint32_t first = 0;
    uint32_t second = 0;
    if (strcmp(kind, "clusters") == 0)
        first = problem_draw(state, 10);
    if (strcmp(kind, "duplicates") == 0)
        first = problem_draw(state, 5);
    if (strcmp(kind, "plane") == 0) {
        first = problem_draw(state, 256);
        second = problem_draw(state, 256);
    }
    if (strcmp(kind, "line") == 0) {
        point[0] = (int32_t)problem_draw(state, 10);
        return;
    }
    for (uint32_t k = 0; k < PROBLEM_DIM; k++) {
        if (strcmp(kind, "clusters") == 0)
            point[k] = (int32_t)(100 * ((first * 7 + k * 13) % 10) + problem_draw(state, 20));
        else if (strcmp(kind, "duplicates") == 0)
            point[k] = (int32_t)((first * 37 + k * 11) % 50);
        else if (strcmp(kind, "plane") == 0)
            point[k] = (int32_t)(first * (k % 3) + second * (k % 2));
        else
            point[k] = (int32_t)problem_draw(state, 1024);
    }
}

static double *draw_weights(size_t count, uint64_t *state) {
    double *weights = calloc(count, sizeof *weights);
    assert_non_null(weights);
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += weights[i] = (double)problem_draw(state, 7);
    if (sum == 0.0)
        sum = weights[0] = 1.0;
    for (size_t i = 0; i < count; i++)
        weights[i] /= sum;
    return weights;
}

static problem empty_problem(size_t rows, size_t columns) {
    size_t stride = columns + PADDING;
    problem p = {.values = malloc(rows * stride * sizeof(float))};
    assert_non_null(p.values);
    for (size_t i = 0; i < rows * stride; i++)
        p.values[i] = NAN;
    p.costs = (kd2m_costs){p.values, rows, columns, stride};
    return p;
}

problem problem_make(const char *kind, size_t rows, size_t columns, int weighted, uint64_t seed) {
    problem p = empty_problem(rows, columns);
    int32_t(*x)[PROBLEM_DIM] = malloc(rows * sizeof *x);
    int32_t(*y)[PROBLEM_DIM] = malloc(columns * sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    uint64_t state = seed;
    for (size_t i = 0; i < rows; i++)
        draw_point(x[i], kind, &state);
    for (size_t j = 0; j < columns; j++)
        if (strcmp(kind, "permuted") == 0)
            memcpy(y[j], x[columns - 1 - j], sizeof y[j]);
        else
            draw_point(y[j], kind, &state);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            int32_t sum = 0;
            for (size_t k = 0; k < PROBLEM_DIM; k++)
                sum += (x[i][k] - y[j][k]) * (x[i][k] - y[j][k]);
            p.values[i * p.costs.stride + j] = (float)sum;
        }
    if (weighted) {
        p.row_weights = draw_weights(rows, &state);
        p.column_weights = draw_weights(columns, &state);
    }
    free(x);
    free(y);
    return p;
}

problem problem_from(const float *costs, size_t rows, size_t columns) {
    problem p = empty_problem(rows, columns);
    for (size_t i = 0; i < rows; i++)
        memcpy(p.values + i * p.costs.stride, costs + i * columns, columns * sizeof *costs);
    return p;
}

void problem_free(problem *p) {
    free(p->values);
    free(p->row_weights);
    free(p->column_weights);
    memset(p, 0, sizeof *p);
}

static double weight_of(const double *weights, size_t i, size_t count) {
    return weights ? weights[i] : 1.0 / (double)count;
}

static double cost_of(const problem *p, size_t i, size_t j) {
    return (double)p->values[i * p->costs.stride + j];
}

/* Sums of the plan; fails where an entry is out of range, not positive or there twice. */
static double check_plan(const problem *p, const kd2m_plan *plan, double *rows, double *columns) {
    size_t n = p->costs.rows;
    size_t m = p->costs.columns;
    assert_true(plan->entries >= 1 && plan->entries <= n + m - 1);
    char *seen = calloc(n * m, 1);
    assert_non_null(seen);
    double cost = 0.0;
    for (size_t e = 0; e < plan->entries; e++) {
        size_t i = plan->row[e];
        size_t j = plan->column[e];
        assert_true(i < n && j < m && plan->mass[e] > 0.0);
        assert_false(seen[i * m + j]++);
        rows[i] += plan->mass[e];
        columns[j] += plan->mass[e];
        cost += plan->mass[e] * cost_of(p, i, j);
    }
    free(seen);
    return cost;
}

void problem_expect_optimal(const problem *p, const kd2m_transport *result, double gap) {
    size_t n = p->costs.rows;
    size_t m = p->costs.columns;
    double *sums = calloc(n + m, sizeof *sums);
    assert_non_null(sums);
    double cost = check_plan(p, &result->plan, sums, sums + n);
    double dual = 0.0;
    double mean = 0.0;
    double largest = 0.0;
    double error = 0.0;
    for (size_t i = 0; i < n; i++) {
        double weight = weight_of(p->row_weights, i, n);
        error = fmax(error, fabs(sums[i] - weight));
        dual += weight * result->row_potentials[i];
        for (size_t j = 0; j < m; j++) {
            mean += fabs(cost_of(p, i, j)) / (double)(n * m);
            largest = fmax(largest, fabs(cost_of(p, i, j)));
        }
    }
    for (size_t j = 0; j < m; j++) {
        double weight = weight_of(p->column_weights, j, m);
        error = fmax(error, fabs(sums[n + j] - weight));
        dual += weight * result->column_potentials[j];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            assert_true(result->row_potentials[i] + result->column_potentials[j] <=
                        cost_of(p, i, j) + 1e-13 * largest);
    EXPECT_CLOSE(0.0, error, 1e-12, 0.0);
    EXPECT_CLOSE(error, result->marginal_error, 1e-15, 0.0);
    EXPECT_CLOSE(cost, result->cost, 1e-13 * largest, 1e-13);
    EXPECT_CLOSE(cost, dual, gap * mean + 1e-13 * largest, 0.0);
    assert_true(result->gap >= 0.0 && result->gap <= gap);
    assert_int_equal(1, result->converged);
    free(sums);
}

static double best_of_rest(const double *costs, size_t n, size_t row, unsigned taken) {
    if (row == n)
        return 0.0;
    double best = HUGE_VAL;
    for (size_t j = 0; j < n; j++)
        if (!(taken & (1U << j)))
            best =
                fmin(best, costs[row * n + j] + best_of_rest(costs, n, row + 1, taken | (1U << j)));
    return best;
}

double problem_brute_force(const double *costs, size_t n) {
    return best_of_rest(costs, n, 0, 0) / (double)n;
}
