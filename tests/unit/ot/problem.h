/*
 * Transport problems made from whole numbers, so that costs are exact in float and a script in
 * another language can make the same ones (tools/golden_transport.py), and the proof that a result
 * is optimal, independent of the solvers.
 */
#ifndef KD2M_TESTS_OT_PROBLEM_H
#define KD2M_TESTS_OT_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "transport.h"

typedef struct problem {
    kd2m_costs costs;
    double *row_weights;    /* NULL = uniform */
    double *column_weights; /* NULL = uniform */
    float *values;          /* the costs; rows lie apart, NaN between them */
} problem;

#define PROBLEM_DIM 8

/* Numbers 0..range-1 of a linear congruential generator. */
uint32_t problem_draw(uint64_t *state, uint32_t range);

/*
 * Squared distances between points of a kind: "uniform" (a cube), "clusters" (ten), "duplicates"
 * (five places), "plane" (intrinsic dimension 2), "line" (ten places on a line: many ties),
 * "permuted" (columns are the rows in another order; rows = columns). Weights: 0 none, 1 random
 * whole numbers, some of them 0, over their sum.
 */
problem problem_make(const char *kind, size_t rows, size_t columns, int weighted, uint64_t seed);

/* Costs as they are given, rows x columns. */
problem problem_from(const float *costs, size_t rows, size_t columns);

void problem_free(problem *p);

/*
 * Fails the test unless the plan is a plan (positive entries, each pair once, marginals to 1e-12),
 * the potentials are dual feasible, and primal and dual value differ by at most `gap` of the mean
 * |cost|: then the plan is optimal to that accuracy, whoever made it.
 */
void problem_expect_optimal(const problem *p, const kd2m_transport *result, double gap);

/* Lowest cost over all permutations of n <= 8 rows of `costs` (n x n), divided by n. */
double problem_brute_force(const double *costs, size_t n);

#endif
