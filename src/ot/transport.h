/*
 * Exact optimal transport between two sets of weighted points, given their cost matrix.
 * Knows no labels and no nets. All scratch comes from the caller's arena; the *_bytes functions say
 * how much room a call needs.
 */
#ifndef KD2M_OT_TRANSPORT_H
#define KD2M_OT_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "kd2m/core.h"

/* Cost of moving row i to column j: costs[i * stride + j], finite, any sign. Borrowed. */
typedef struct kd2m_costs {
    const float *values;
    size_t rows, columns, stride;
} kd2m_costs;

/* A plan's positive entries: at most rows + columns - 1 of them. Lives in the caller's arena. */
typedef struct kd2m_plan {
    size_t entries;
    uint32_t *row;
    uint32_t *column;
    double *mass;
} kd2m_plan;

typedef struct kd2m_transport {
    kd2m_plan plan;
    double *row_potentials;    /* rows; dual feasible up to rounding: f_i + g_j <= C_ij */
    double *column_potentials; /* columns */
    double cost;               /* sum of mass * cost over the plan */
    double gap;                /* (cost - dual value) / scale of the costs, in double, >= 0 */
    double marginal_error;     /* largest absolute deviation of the plan's marginals */
    int64_t iterations;
    int converged;
} kd2m_transport;

/*
 * Assignment: rows = columns = n, uniform weights 1/n. Shortest augmenting paths with column and
 * row reduction (Jonker & Volgenant 1987), float costs, potentials checked in double.
 * O(n^3) time at worst, O(n) memory beside the costs.
 */
kd2m_status kd2m_assignment(kd2m_arena *arena, kd2m_costs costs, kd2m_transport *out);
size_t kd2m_assignment_bytes(size_t n);

/*
 * General: weights >= 0 summing to 1 on each side (NULL = uniform). Network simplex on the
 * bipartite graph with block pricing, in double. O(rows + columns) memory beside the costs.
 */
kd2m_status kd2m_network_simplex(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                                 const double *column_weights, kd2m_transport *out);
size_t kd2m_network_simplex_bytes(size_t rows, size_t columns);

/*
 * Where a network simplex stands: a basis of the problem between given weights, so that another
 * solution between them, on other costs, can begin with it. Lives in the caller's arena. `total`:
 * of the masses on either side, 0 while there is no basis.
 */
typedef struct kd2m_tree {
    size_t rows, columns;
    struct kd2m_tree_node *nodes;
    uint32_t root;
    int64_t total;
} kd2m_tree;

kd2m_status kd2m_tree_take(kd2m_arena *arena, size_t rows, size_t columns, kd2m_tree *out);
size_t kd2m_tree_bytes(size_t rows, size_t columns);

/* The basis that couples rows and columns in the given orders (point numbers in the lower 32 bits).
 * Errors: weights that are none. */
kd2m_status kd2m_tree_couple(kd2m_arena *arena, const double *row_weights,
                             const double *column_weights, const uint64_t *row_order,
                             const uint64_t *column_order, kd2m_tree *tree);

/* The basis's plan, into room for rows + columns - 1 entries. */
void kd2m_tree_read(const kd2m_tree *tree, kd2m_plan *out);

/* The network simplex from the tree's basis, which must be of these weights; from one of its own
 * where the tree has none. Leaves the last basis in the tree. As much of the arena. */
kd2m_status kd2m_network_simplex_from(kd2m_arena *arena, kd2m_costs costs,
                                      const double *row_weights, const double *column_weights,
                                      kd2m_tree *tree, kd2m_transport *out);

/* The solver that fits: assignment where it applies, else network simplex. */
kd2m_status kd2m_transport_solve(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                                 const double *column_weights, kd2m_transport *out);
size_t kd2m_transport_bytes(size_t rows, size_t columns);

/*
 * Partial: of the weights (as above) only `mass`, above 0 and up to 1, is moved, at the least cost,
 * costs being >= 0. The plan's marginals are at most the weights; potentials are those of the
 * problem with an extra point on each side.
 */
kd2m_status kd2m_partial(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                         const double *column_weights, double mass, kd2m_transport *out);
size_t kd2m_partial_bytes(size_t rows, size_t columns);

#endif
