/*
 * Exact transport by the primal network simplex method on the complete bipartite graph: Ahuja,
 * Magnanti and Orlin, 'Network Flows', 1993, chapter 11, after W. H. Cunningham, 'A network simplex
 * method', Mathematical Programming 11, 1976.
 *
 *     min sum_ij plan_ij C_ij   over plans with the given row and column sums
 *
 * A basis is a spanning tree over rows and columns, hung up at one column. Each node keeps its
 * parent and the flow on the arc between the two; arcs lead from rows to columns, so that the side
 * a node is on tells the direction. Potentials f, g make f_i + g_j = C_ij on the tree. A pivot
 * brings in an arc with C_ij < f_i + g_j, sends flow round the cycle it closes, and drops an arc
 * that is used up.
 *
 * - Masses are integers (multiples of 1/lcm(n, m) where both sides are uniform, else of 2^-60), so
 *   that flows are exact however many pivots they go through.
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
#include "transport.h"

#define NONE UINT32_MAX

/* The unit of masses that are not uniform. */
#define MASS_ONE ((int64_t)1 << 60)

/* How far the given masses of a side may be from summing to 1. */
#define SUM_TOLERANCE 1e-6

/* Arcs with f_i + g_j - C_ij below this share of the largest cost are left alone: rounding. */
#define PRICE_TOLERANCE 1e-12

/* Rows priced before the best arc found enters. */
#define ROWS_PRICED ((size_t)4)

/* Give-up point; no known input comes near it. */
#define PIVOTS_PER_NODE 5000

/* Pivots between two looks at the interrupt callback. */
#define PIVOTS_PER_POLL 256

typedef struct node {
    uint32_t parent;
    uint32_t child; /* the first of its children, or NONE */
    uint32_t next;  /* siblings, or NONE */
    uint32_t previous;
    uint32_t size; /* of the subtree, itself included */
    int64_t flow;  /* to or from the parent */
} node;

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

static void attach(simplex *s, uint32_t child, uint32_t parent, int64_t flow) {
    node *nodes = s->nodes;
    uint32_t next = nodes[parent].child;
    nodes[child].parent = parent;
    nodes[child].flow = flow;
    nodes[child].previous = NONE;
    nodes[child].next = next;
    nodes[parent].child = child;
    if (next != NONE)
        nodes[next].previous = child;
}

static void detach(simplex *s, uint32_t child) {
    node *nodes = s->nodes;
    uint32_t previous = nodes[child].previous;
    uint32_t next = nodes[child].next;
    if (previous != NONE)
        nodes[previous].next = next;
    else
        nodes[nodes[child].parent].child = next;
    if (next != NONE)
        nodes[next].previous = previous;
}

/* The node after u in a walk through the subtree of `top`, parents first; NONE at its end. */
static uint32_t walk(const simplex *s, uint32_t u, uint32_t top) {
    const node *nodes = s->nodes;
    if (nodes[u].child != NONE)
        return nodes[u].child;
    while (u != top && nodes[u].next == NONE)
        u = nodes[u].parent;
    return u == top ? NONE : nodes[u].next;
}

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
static int64_t set_masses(const simplex *s, int64_t *masses, const double *row_weights,
                          const double *column_weights) {
    size_t columns = s->count - s->rows;
    int64_t total = MASS_ONE;
    if (kd2m_weights_uniform(row_weights, s->rows) &&
        kd2m_weights_uniform(column_weights, columns)) {
        total = (int64_t)s->rows / common_divisor((int64_t)s->rows, (int64_t)columns) *
                (int64_t)columns;
        row_weights = column_weights = NULL;
    }
    to_integers(masses, row_weights, s->rows, total);
    to_integers(masses + s->rows, column_weights, columns, total);
    return total;
}

/* ---- the basis ---- */

/*
 * A tree to start from: the rows in turn send what they have left to the nearest column that still
 * takes something. Whichever of the two is used up is hung below the other, which stays open; on a
 * draw that is the column. So each tree of the growing forest has one open node, its top, and only
 * rows hang on arcs without flow: the tree is strongly feasible. The root takes what is left.
 * `open`: per column 0, or -infinity where it is used up. Uses up `masses`.
 */
static void start(simplex *s, int64_t *masses, float *open, float *lowest) {
    size_t columns = s->count - s->rows;
    s->root = NONE;
    for (uint32_t u = 0; u < s->count; u++)
        s->nodes[u] = (node){.parent = NONE, .child = NONE, .size = 1};
    for (uint32_t u = s->rows; u < s->count; u++) {
        bool takes = masses[u] > 0;
        if (takes && s->root == NONE) {
            s->root = u;
            takes = false; /* till the end */
        }
        open[u - s->rows] = takes ? 0.0F : -INFINITY;
    }
    for (uint32_t i = 0, left = s->rows; left > 0; i = (i + 1) % s->rows) {
        if (s->nodes[i].parent != NONE)
            continue;
        const float *costs = s->costs.values + i * s->costs.stride;
        size_t j = kd2m_scan_nearest(costs, open, columns, lowest).index;
        uint32_t column = j < columns ? s->rows + (uint32_t)j : s->root;
        bool row_ends = masses[i] < masses[column] || column == s->root;
        uint32_t ends = row_ends ? i : column;
        uint32_t stays = row_ends ? column : i;
        attach(s, ends, stays, masses[ends]);
        masses[stays] -= masses[ends];
        s->nodes[stays].size += s->nodes[ends].size;
        if (row_ends)
            left--;
        else
            open[j] = -INFINITY;
    }
}

/* Potentials as the tree's arcs demand, free of what many pivots may have added in rounding. */
static void set_potentials(simplex *s) {
    for (uint32_t u = s->rows; u < s->count; u++)
        s->potentials[u] = -INFINITY;
    s->potentials[s->root] = 0.0;
    for (uint32_t u = walk(s, s->root, s->root); u != NONE; u = walk(s, u, s->root)) {
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
    uint32_t leaving = NONE;
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
        detach(s, u);
        attach(s, u, parent, flow);
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
    for (uint32_t u = top; u != NONE; u = walk(s, u, top))
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
    size_t count = rows + columns;
    size_t bytes = kd2m_arena_bytes(count, sizeof(node));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(count, sizeof(double)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(kd2m_scan_blocks(columns), sizeof(double)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(count, sizeof(int64_t)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(columns, sizeof(float)));
    return kd2m_arena_sum(bytes, kd2m_arena_bytes(kd2m_scan_blocks(columns), sizeof(float)));
}

size_t kd2m_network_simplex_bytes(size_t rows, size_t columns) {
    size_t scratch = scratch_bytes(rows, columns);
    size_t certificate = kd2m_certificate_bytes(rows, columns);
    return kd2m_arena_sum(kd2m_transport_result_bytes(rows, columns),
                          scratch > certificate ? scratch : certificate);
}

/* The plan is the flow on the tree. Columns that stood aside get the potentials that suit the
 * rows' best. */
static void read_result(const simplex *s, int64_t total, kd2m_transport *out) {
    for (uint32_t u = 0; u < s->count; u++) {
        uint32_t parent = s->nodes[u].parent;
        if (parent == NONE || s->nodes[u].flow == 0)
            continue;
        size_t e = out->plan.entries++;
        out->plan.row[e] = is_row(s, u) ? u : parent;
        out->plan.column[e] = (is_row(s, u) ? parent : u) - s->rows;
        out->plan.mass[e] = (double)s->nodes[u].flow / (double)total;
    }
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
    out->iterations = s->pivots;
}

kd2m_status kd2m_network_simplex(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                                 const double *column_weights, kd2m_transport *out) {
    kd2m_status status;
    kd2m_context *context = arena->context;
    size_t before = arena->used;
    size_t mark;
    kd2m_cost_scale scale;
    int64_t *masses;
    float *open;
    float *lowest;
    *out = (kd2m_transport){0};
    KD2M_TRY(kd2m_costs_measure(context, costs, &scale));
    KD2M_TRY(check_weights(context, row_weights, costs.rows, "rows"));
    KD2M_TRY(check_weights(context, column_weights, costs.columns, "columns"));
    KD2M_TRY(kd2m_transport_take(arena, costs, out));

    simplex s = {.costs = costs,
                 .rows = (uint32_t)costs.rows,
                 .count = (uint32_t)(costs.rows + costs.columns),
                 .tolerance = PRICE_TOLERANCE * scale.largest};
    size_t blocks = kd2m_scan_blocks(costs.columns);
    mark = arena->used;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s.nodes, s.count, sizeof(node)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s.potentials, s.count, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&s.lowest, blocks, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&masses, s.count, sizeof *masses));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&open, costs.columns, sizeof *open));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&lowest, blocks, sizeof *lowest));

    int64_t total = set_masses(&s, masses, row_weights, column_weights);
    start(&s, masses, open, lowest);
    KD2M_TRY(solve(context, &s, &out->converged));
    read_result(&s, total, out);
    kd2m_arena_rewind(arena, mark);
    KD2M_TRY(kd2m_transport_certify(arena, costs, row_weights, column_weights, scale, out));
cleanup:
    if (status != KD2M_OK) {
        kd2m_arena_rewind(arena, before);
        *out = (kd2m_transport){0};
    }
    return status;
}
