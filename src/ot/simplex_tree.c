/*
 * Trees for the network simplex to start from: see simplex_tree.h, and network_simplex.c for what
 * they are made of. Masses are integers (multiples of 1/lcm(n, m) where both sides are uniform,
 * else of 2^-60), so that flows are exact however many pivots they go through.
 *
 * A tree grows as a forest. Of a row and a column the one that is used up is hung below the other,
 * which stays open; on a draw that is the column. So each tree of the forest has one open node, its
 * top, and only rows hang on arcs without flow: the whole is strongly feasible. The root, a column,
 * takes what is left. Columns without mass stay out.
 *
 * Cost: O(n m) at worst. Threads: one; pure functions.
 */
#include "simplex_tree.h"

#include <math.h>
#include <stdbool.h>

#include "certificate.h"
#include "context.h"
#include "scan.h"

/* The unit of masses that are not uniform. */
#define MASS_ONE ((int64_t)1 << 60)

/* How far the given masses of a side may be from summing to 1. */
#define SUM_TOLERANCE 1e-6

/* ---- masses ---- */

static kd2m_status check_weights(kd2m_context *context, const double *weights, size_t count,
                                 const char *side) {
    double sum = 0.0;
    for (size_t i = 0; weights && i < count; i++) {
        if (!(weights[i] >= 0.0))
            return kd2m_fail(context, KD2M_ERROR_USAGE,
                             "weight %zu of the %s is %g; it must be 0 "
                             "or more",
                             i, side, weights[i]);
        sum += weights[i];
    }
    if (weights && !(fabs(sum - 1.0) <= SUM_TOLERANCE))
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "the weights of the %s sum to %.9g; they must sum to 1", side, sum);
    return KD2M_OK;
}

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* masses = weights in multiples of 1/total that sum to it exactly; rounding goes to the largest. */
static void to_integers(int64_t *masses, const double *weights, size_t count, int64_t total) {
    double sum = 0.0;
    for (size_t i = 0; weights && i < count; i++)
        sum += weights[i];
    size_t largest = 0;
    int64_t left = total;
    for (size_t i = 0; i < count; i++) {
        masses[i] = weights ? llround(weights[i] / sum * (double)total) : total / (int64_t)count;
        left -= masses[i];
        if (masses[i] > masses[largest])
            largest = i;
    }
    masses[largest] += left;
}

/* Fills masses (rows, then columns); returns what they sum to on either side. */
static int64_t set_masses(const kd2m_tree *tree, int64_t *masses, const double *row_weights,
                          const double *column_weights) {
    size_t rows = tree->rows, columns = tree->columns;
    int64_t total = MASS_ONE;
    if (kd2m_weights_uniform(row_weights, rows) && kd2m_weights_uniform(column_weights, columns)) {
        total = (int64_t)rows / common_divisor((int64_t)rows, (int64_t)columns) * (int64_t)columns;
        row_weights = column_weights = NULL;
    }
    to_integers(masses, row_weights, rows, total);
    to_integers(masses + rows, column_weights, columns, total);
    return total;
}

/* ---- trees ---- */

size_t kd2m_tree_bytes(size_t rows, size_t columns) {
    return kd2m_arena_bytes(rows + columns, sizeof(kd2m_tree_node));
}

kd2m_status kd2m_tree_take(kd2m_arena *arena, size_t rows, size_t columns, kd2m_tree *out) {
    *out = (kd2m_tree){.rows = rows, .columns = columns};
    return kd2m_arena_take(arena, (void **)&out->nodes, rows + columns, sizeof *out->nodes);
}

size_t kd2m_tree_start_bytes(size_t rows, size_t columns) {
    size_t bytes = kd2m_arena_bytes(rows + columns, sizeof(int64_t));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(columns, sizeof(float)));
    return kd2m_arena_sum(bytes, kd2m_arena_bytes(kd2m_scan_blocks(columns), sizeof(float)));
}

/* A forest of single nodes, and what they hold (rows, then columns; scratch of the arena's). */
static kd2m_status plant(kd2m_arena *arena, const double *row_weights, const double *column_weights,
                         kd2m_tree *tree, int64_t **masses) {
    kd2m_status status;
    size_t count = tree->rows + tree->columns;
    tree->total = 0;
    KD2M_TRY(check_weights(arena->context, row_weights, tree->rows, "rows"));
    KD2M_TRY(check_weights(arena->context, column_weights, tree->columns, "columns"));
    KD2M_TRY(kd2m_arena_take(arena, (void **)masses, count, sizeof **masses));
    for (size_t u = 0; u < count; u++)
        tree->nodes[u] = (kd2m_tree_node){.parent = KD2M_NO_NODE, .child = KD2M_NO_NODE, .size = 1};
    tree->total = set_masses(tree, *masses, row_weights, column_weights);
cleanup:
    return status;
}

/* Sends what it can from a row to a column, both of them tops of their trees; returns whether the
 * row is used up. The root is never. */
static bool join(kd2m_tree *tree, int64_t *masses, uint32_t row, uint32_t column) {
    bool row_ends = masses[row] < masses[column] || column == tree->root;
    uint32_t ends = row_ends ? row : column;
    uint32_t stays = row_ends ? column : row;
    kd2m_tree_attach(tree->nodes, ends, stays, masses[ends]);
    masses[stays] -= masses[ends];
    tree->nodes[stays].size += tree->nodes[ends].size;
    return row_ends;
}

/* `open`: per column 0, or -infinity where it takes nothing more, which for the root is at the end.
 */
static void grow(kd2m_tree *tree, kd2m_costs costs, int64_t *masses, float *open, float *lowest) {
    uint32_t rows = (uint32_t)tree->rows;
    tree->root = KD2M_NO_NODE;
    for (uint32_t j = 0; j < tree->columns; j++) {
        bool takes = masses[rows + j] > 0;
        if (takes && tree->root == KD2M_NO_NODE) {
            tree->root = rows + j;
            takes = false;
        }
        open[j] = takes ? 0.0F : -INFINITY;
    }
    for (uint32_t i = 0, left = rows; left > 0; i = (i + 1) % rows) {
        if (tree->nodes[i].parent != KD2M_NO_NODE)
            continue;
        size_t j =
            kd2m_scan_nearest(costs.values + i * costs.stride, open, tree->columns, lowest).index;
        if (join(tree, masses, i, j < tree->columns ? rows + (uint32_t)j : tree->root))
            left--;
        else
            open[j] = -INFINITY;
    }
}

kd2m_status kd2m_tree_start(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                            const double *column_weights, kd2m_tree *tree) {
    kd2m_status status;
    size_t mark = arena->used;
    int64_t *masses;
    float *open, *lowest;
    KD2M_TRY(plant(arena, row_weights, column_weights, tree, &masses));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&open, costs.columns, sizeof *open));
    KD2M_TRY(
        kd2m_arena_take(arena, (void **)&lowest, kd2m_scan_blocks(costs.columns), sizeof *lowest));
    grow(tree, costs, masses, open, lowest);
cleanup:
    kd2m_arena_rewind(arena, mark);
    return status;
}

kd2m_status kd2m_tree_couple(kd2m_arena *arena, const double *row_weights,
                             const double *column_weights, const uint64_t *row_order,
                             const uint64_t *column_order, kd2m_tree *tree) {
    kd2m_status status;
    size_t mark = arena->used, rows = tree->rows, last = tree->columns - 1;
    int64_t *masses;
    KD2M_TRY(plant(arena, row_weights, column_weights, tree, &masses));
    while (masses[rows + (uint32_t)column_order[last]] == 0)
        last--;
    tree->root = (uint32_t)(rows + (uint32_t)column_order[last]);
    for (size_t i = 0, j = 0; i < rows;) {
        uint32_t column = (uint32_t)(rows + (uint32_t)column_order[j]);
        if (masses[column] == 0 && column != tree->root)
            j++; /* never had any, or is used up */
        else if (join(tree, masses, (uint32_t)row_order[i], column))
            i++;
        else
            j++;
    }
cleanup:
    kd2m_arena_rewind(arena, mark);
    return status;
}

void kd2m_tree_read(const kd2m_tree *tree, kd2m_plan *out) {
    uint32_t rows = (uint32_t)tree->rows;
    out->entries = 0;
    for (uint32_t u = 0; u < tree->rows + tree->columns; u++) {
        const kd2m_tree_node *node = &tree->nodes[u];
        if (node->parent == KD2M_NO_NODE || node->flow == 0)
            continue;
        size_t e = out->entries++;
        out->row[e] = u < rows ? u : node->parent;
        out->column[e] = (u < rows ? node->parent : u) - rows;
        out->mass[e] = (double)node->flow / (double)tree->total;
    }
}
