/*
 * Exact transport by the primal network simplex method on the complete bipartite graph: Ahuja,
 * Magnanti and Orlin, 'Network Flows', 1993, chapter 11, after W. H. Cunningham, 'A network simplex
 * method', Mathematical Programming 11, 1976.
 *
 *     min sum_ij plan_ij C_ij   over plans with the given row and column sums
 *
 * A basis is a spanning tree over rows and columns, hung up at one column (simplex_tree.h). Each
 * node keeps its parent and the flow on the arc between the two; arcs lead from rows to columns, so
 * that the side a node is on tells the direction. Potentials f, g make f_i + g_j = C_ij on the
 * tree. A pivot brings in an arc with C_ij < f_i + g_j, sends flow round the cycle it closes, and
 * drops an arc that is used up.
 *
 * - Trees are strongly feasible: an arc without flow leads towards the root. With the leaving arc
 *   chosen as in find_leaving, this rules out cycling (Cunningham 1976).
 * - Pricing looks at whole rows of costs in turn and takes the best arc of a few of them.
 * - Columns without mass stay out of the tree, because no strongly feasible one could hold them.
 *
 * Cost: O(columns) per row priced, and per pivot the length of a cycle and the size of the subtree
 * that moves; in practice some 5 to 20 pivots per point. O(rows + columns) memory beside the costs.
 * Threads: one.
 */
#include <math.h>
#include <stdbool.h>

#include "certificate.h"
#include "context.h"
#include "scan.h"
#include "simplex_tree.h"

/* Arcs with f_i + g_j - C_ij below this share of the largest cost are left alone: rounding. */
#define PRICE_TOLERANCE 1e-12

/* Rows priced before the best arc found enters. */
#define ROWS_PRICED ((size_t)4)

/* Give-up point; no known input comes near it. */
#define PIVOTS_PER_NODE 5000

/* Pivots between two looks at the interrupt callback. */
#define PIVOTS_PER_POLL 256

typedef kd2m_tree_node node;

typedef struct simplex {
    kd2m_costs costs;
    uint32_t rows;
    uint32_t count; /* of nodes: the rows, then the columns */
    uint32_t root;  /* a column */
    node *nodes;
    double *potentials; /* f, then g; g is -infinity for columns without mass */
    double *lowest;     /* of blocks of columns: see scan.h */
    double tolerance;   /* on reduced costs */
    size_t next_row;    /* to be priced */
    int64_t pivots;
} simplex;

typedef struct arc {
    uint32_t row;
    uint32_t column; /* as a node */
    double excess;   /* C_ij - f_i - g_j */
} arc;

static bool is_row(const simplex *s, uint32_t u) {
    return u < s->rows;
}

static double arc_cost(const simplex *s, uint32_t a, uint32_t b) {
    uint32_t row = is_row(s, a) ? a : b;
    uint32_t column = (is_row(s, a) ? b : a) - s->rows;
    return (double)s->costs.values[row * s->costs.stride + column];
}

/* ---- the basis ---- */

/* Potentials as the tree's arcs demand, free of what many pivots may have added in rounding. */
static void set_potentials(simplex *s) {
    for (uint32_t u = s->rows; u < s->count; u++)
        s->potentials[u] = -INFINITY;
    s->potentials[s->root] = 0.0;
    for (uint32_t u = kd2m_tree_walk(s->nodes, s->root, s->root); u != KD2M_NO_NODE;
         u = kd2m_tree_walk(s->nodes, u, s->root)) {
        uint32_t parent = s->nodes[u].parent;
        s->potentials[u] = arc_cost(s, u, parent) - s->potentials[parent];
    }
}

/* ---- pivots ---- */

static bool find_entering(simplex *s, arc *best) {
    size_t columns = s->count - s->rows;
    bool found = false;
    best->excess = -s->tolerance;
    for (size_t scanned = 1; scanned <= s->rows; scanned++) {
        size_t i = s->next_row;
        s->next_row = (i + 1) % s->rows;
        kd2m_nearest_double nearest = kd2m_scan_nearest_double(
            s->costs.values + i * s->costs.stride, s->potentials + s->rows, columns, s->lowest);
        double excess = nearest.value - s->potentials[i];
        if (excess < best->excess) {
            *best = (arc){(uint32_t)i, s->rows + (uint32_t)nearest.index, excess};
            found = true;
        }
        if (found && scanned % ROWS_PRICED == 0)
            break;
    }
    return found;
}

/* Where the paths from a and b to the root meet. */
static uint32_t meeting_point(const simplex *s, uint32_t a, uint32_t b) {
    const node *nodes = s->nodes;
    while (a != b) {
        if (nodes[a].size < nodes[b].size)
            a = nodes[a].parent;
        else
            b = nodes[b].parent;
    }
    return a;
}

/*
 * The cycle runs from the apex down to the entering arc's row, over the arc, and from its column
 * up again. Flow falls on row-to-parent arcs of the first part and column-to-parent arcs of the
 * second. Of the arcs with the least flow the last on the cycle leaves, which keeps the tree
 * strongly feasible. Returns the node below it.
 */
static uint32_t find_leaving(const simplex *s, arc entering, uint32_t apex, int64_t *flow) {
    const node *nodes = s->nodes;
    uint32_t leaving = KD2M_NO_NODE;
    *flow = INT64_MAX;
    for (uint32_t u = entering.row; u != apex; u = nodes[u].parent)
        if (is_row(s, u) && nodes[u].flow < *flow) {
            *flow = nodes[u].flow;
            leaving = u;
        }
    for (uint32_t u = entering.column; u != apex; u = nodes[u].parent)
        if (!is_row(s, u) && nodes[u].flow <= *flow) {
            *flow = nodes[u].flow;
            leaving = u;
        }
    return leaving;
}

static void send_round(simplex *s, arc entering, uint32_t apex, int64_t flow) {
    node *nodes = s->nodes;
    for (uint32_t u = entering.row; u != apex; u = nodes[u].parent)
        nodes[u].flow += is_row(s, u) ? -flow : flow;
    for (uint32_t u = entering.column; u != apex; u = nodes[u].parent)
        nodes[u].flow += is_row(s, u) ? flow : -flow;
}

/* Cuts the subtree of `leaving` off, and hangs it by its node `end` below `parent`. */
static void rehang(simplex *s, uint32_t leaving, uint32_t end, uint32_t parent, uint32_t apex,
                   int64_t flow) {
    node *nodes = s->nodes;
    uint32_t moved = nodes[leaving].size;
    for (uint32_t u = nodes[leaving].parent; u != apex; u = nodes[u].parent)
        nodes[u].size -= moved;
    for (uint32_t u = parent; u != apex; u = nodes[u].parent)
        nodes[u].size += moved;
    /* from `end` up to `leaving`, what was the parent becomes a child */
    uint32_t below = 0; /* former size of the node before */
    for (uint32_t u = end;;) {
        node former = nodes[u];
        kd2m_tree_detach(nodes, u);
        kd2m_tree_attach(nodes, u, parent, flow);
        nodes[u].size = moved - below;
        if (u == leaving)
            break;
        parent = u;
        flow = former.flow;
        below = former.size;
        u = former.parent;
    }
}

static void pivot(simplex *s, arc entering) {
    uint32_t apex = meeting_point(s, entering.row, entering.column);
    int64_t flow;
    uint32_t leaving = find_leaving(s, entering, apex, &flow);
    send_round(s, entering, apex, flow);
    bool row_moves = is_row(s, leaving); /* then it hangs on the row's side of the cycle */
    uint32_t top = row_moves ? entering.row : entering.column;
    rehang(s, leaving, top, row_moves ? entering.column : entering.row, apex, flow);
    /* all arcs within the part that moved keep f_i + g_j = C_ij, and the new one gets it */
    double shift = row_moves ? entering.excess : -entering.excess;
    for (uint32_t u = top; u != KD2M_NO_NODE; u = kd2m_tree_walk(s->nodes, u, top))
        s->potentials[u] += is_row(s, u) ? shift : -shift;
    s->pivots++;
}

static kd2m_status solve(kd2m_context *context, simplex *s, int *converged) {
    int64_t limit = (int64_t)PIVOTS_PER_NODE * s->count;
    bool fresh = true; /* potentials come from set_potentials */
    set_potentials(s);
    for (*converged = 0; s->pivots < limit;) {
        arc entering;
        if (find_entering(s, &entering)) {
            pivot(s, entering);
            fresh = false;
        } else if (fresh) {
            *converged = 1;
            return KD2M_OK;
        } else {
            set_potentials(s);
            fresh = true;
        }
        if (s->pivots % PIVOTS_PER_POLL == 0) {
            kd2m_status status = kd2m_check_interrupt(context);
            if (status != KD2M_OK)
                return status;
        }
    }
    return KD2M_OK;
}

/* ---- the solver ---- */

static size_t scratch_bytes(size_t rows, size_t columns) {
    size_t bytes = kd2m_arena_bytes(rows + columns, sizeof(double));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(kd2m_scan_blocks(columns), sizeof(double)));
    return kd2m_arena_sum(bytes, kd2m_tree_start_bytes(rows, columns));
}

size_t kd2m_network_simplex_bytes(size_t rows, size_t columns) {
    size_t scratch = scratch_bytes(rows, columns);
    size_t certificate = kd2m_certificate_bytes(rows, columns);
    return kd2m_arena_sum(
        kd2m_arena_sum(kd2m_tree_bytes(rows, columns), kd2m_transport_result_bytes(rows, columns)),
        scratch > certificate ? scratch : certificate);
}

/* Columns that stood aside get the potentials that suit the rows' best. */
static void read_potentials(const simplex *s, kd2m_transport *out) {
    for (size_t j = 0; j < s->costs.columns; j++) {
        double potential = s->potentials[s->rows + j];
        if (potential == -INFINITY) {
            potential = INFINITY;
            for (size_t i = 0; i < s->rows; i++)
                potential = fmin(potential, (double)s->costs.values[i * s->costs.stride + j] -
                                                s->potentials[i]);
        }
        out->column_potentials[j] = potential;
    }
}

kd2m_status kd2m_network_simplex_from(kd2m_arena *arena, kd2m_costs costs,
                                      const double *row_weights, const double *column_weights,
                                      kd2m_tree *tree, kd2m_transport *out) {
    kd2m_status status;
    size_t before = arena->used;
    size_t mark;
    kd2m_cost_scale scale;
    simplex s = {.costs = costs,
                 .rows = (uint32_t)costs.rows,
                 .count = (uint32_t)(costs.rows + costs.columns),
                 .nodes = tree->nodes};
    *out = (kd2m_transport){0};
    KD2M_TRY(kd2m_costs_measure(arena->context, costs, &scale));
    KD2M_TRY(kd2m_transport_take(arena, costs, out));
    mark = arena->used;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s.potentials, s.count, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s.lowest, kd2m_scan_blocks(costs.columns),
                             sizeof(double)));
    if (tree->total == 0)
        KD2M_TRY(kd2m_tree_start(arena, costs, row_weights, column_weights, tree));
    s.root = tree->root;
    s.tolerance = PRICE_TOLERANCE * scale.largest;
    KD2M_TRY(solve(arena->context, &s, &out->converged));
    kd2m_tree_read(tree, &out->plan);
    read_potentials(&s, out);
    out->iterations = s.pivots;
    kd2m_arena_rewind(arena, mark);
    KD2M_TRY(kd2m_transport_certify(arena, costs, row_weights, column_weights, scale, out));
cleanup:
    if (status != KD2M_OK) {
        kd2m_arena_rewind(arena, before);
        *out = (kd2m_transport){0};
    }
    return status;
}

kd2m_status kd2m_network_simplex(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                                 const double *column_weights, kd2m_transport *out) {
    kd2m_status status;
    size_t before = arena->used;
    kd2m_tree tree;
    *out = (kd2m_transport){0};
    KD2M_TRY(kd2m_costs_check_shape(arena->context, costs));
    KD2M_TRY(kd2m_tree_take(arena, costs.rows, costs.columns, &tree));
    KD2M_TRY(kd2m_network_simplex_from(arena, costs, row_weights, column_weights, &tree, out));
cleanup:
    if (status != KD2M_OK)
        kd2m_arena_rewind(arena, before);
    return status;
}
