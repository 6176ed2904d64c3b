/*
 * The assignment problem by shortest augmenting paths: R. Jonker and A. Volgenant, 'A shortest
 * augmenting path algorithm for dense and sparse linear assignment problems', Computing 38, 1987.
 *
 *     min over permutations p of (1/n) sum_i C[i][p(i)]
 *
 * Column potentials v are lowered until the rows' nearest columns (lowest C_ij - v_j) are all
 * different. Three cheap phases (column reduction, reduction transfer, augmenting row reduction)
 * settle most rows; for each row left, Dijkstra's algorithm finds the shortest path to a free
 * column. Everything runs in float, where a difference may vanish in rounding: a phase goes on only
 * if a potential really fell, and its number of steps is bounded. Optimality is proved afterwards,
 * in double, by the potentials.
 *
 * Cost: O(n^3) time at worst, about n^2 in the three phases; O(n) memory beside the costs.
 * Threads: one.
 */
#include <math.h>
#include <string.h>

#include "certificate.h"
#include "context.h"
#include "scan.h"
#include "transport.h"

#define NONE UINT32_MAX

/* Passes over the rows left, and steps that each may take per row of the problem: a few, and one
 * more for so many rows. A scan of Dijkstra's algorithm goes through three arrays beside the row's
 * costs, a step through one, which matters where they leave the cache. */
#define REDUCTION_PASSES 2
#define REDUCTION_STEPS 4
#define ROWS_PER_STEP 128

/* A gap above this means that float's rounding was not enough for these costs. */
#define GAP_TOLERANCE 1e-5

typedef struct assignment {
    kd2m_costs costs;
    uint32_t n;
    float *potentials;      /* v, of columns; -infinity while a search has settled the column */
    uint32_t *column_of;    /* of a row, or NONE */
    uint32_t *row_of;       /* of a column, or NONE */
    uint32_t *unassigned;   /* rows, in the order they will be treated */
    uint32_t left;          /* how many */
    float *labels;          /* of columns: length of the shortest path so far */
    uint32_t *predecessors; /* of columns: the row before them on it */
    float *lowest;          /* of blocks of columns: see scan.h */
    uint32_t *settled;      /* columns that a search is done with, in order of label */
    float *settled_label;
    float *settled_potential;
    int64_t scans; /* of rows */
} assignment;

size_t kd2m_assignment_bytes(size_t n) {
    size_t bytes = kd2m_arena_bytes(kd2m_scan_blocks(n), sizeof(float));
    for (int i = 0; i < 4; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(n, sizeof(float)));
    for (int i = 0; i < 5; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(n, sizeof(uint32_t)));
    size_t certificate = kd2m_certificate_bytes(n, n);
    return kd2m_arena_sum(kd2m_transport_result_bytes(n, n),
                          bytes > certificate ? bytes : certificate);
}

static kd2m_status take_scratch(kd2m_arena *arena, assignment *a) {
    kd2m_status status;
    size_t blocks = kd2m_scan_blocks(a->n);
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->lowest, blocks, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->potentials, a->n, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->labels, a->n, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->settled_label, a->n, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->settled_potential, a->n, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->column_of, a->n, sizeof(uint32_t)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->row_of, a->n, sizeof(uint32_t)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->unassigned, a->n, sizeof(uint32_t)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->predecessors, a->n, sizeof(uint32_t)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&a->settled, a->n, sizeof(uint32_t)));
cleanup:
    return status;
}

static const float *cost_row(const assignment *a, uint32_t row) {
    return a->costs.values + row * a->costs.stride;
}

/*
 * Column reduction: each column's potential is its lowest cost, and the row where it stands gets
 * the column unless it has one. Then reduction transfer: a row whose column nobody else wanted
 * takes its potential down by the distance to the row's second choice, to the others' benefit.
 */
static void reduce_columns(assignment *a) {
    uint32_t *nearest_row = a->predecessors;
    uint32_t *wanted = a->settled; /* columns whose lowest cost stands in the row */
    for (uint32_t j = 0; j < a->n; j++) {
        a->potentials[j] = INFINITY;
        a->column_of[j] = a->row_of[j] = NONE;
    }
    for (uint32_t i = 0; i < a->n; i++)
        kd2m_scan_lower(cost_row(a, i), i, a->n, a->potentials, nearest_row);
    memset(wanted, 0, a->n * sizeof *wanted);
    for (uint32_t j = a->n; j-- > 0;) {
        uint32_t i = nearest_row[j];
        if (wanted[i]++ == 0) {
            a->column_of[i] = j;
            a->row_of[j] = i;
        }
    }
    for (uint32_t i = 0; i < a->n; i++) {
        if (wanted[i] == 0) {
            a->unassigned[a->left++] = i;
        } else if (wanted[i] == 1 && a->n > 1) {
            kd2m_nearest nearest[2];
            kd2m_scan_two_nearest(nearest, cost_row(a, i), a->potentials, a->n, a->lowest);
            uint32_t j = a->column_of[i];
            float other = nearest[nearest[0].index == j].value;
            a->potentials[j] -= other - (cost_row(a, i)[j] - a->potentials[j]);
            a->scans++;
        }
    }
}

/*
 * Augmenting row reduction: a row takes its nearest column, from another row if need be, and
 * lowers its potential until the second nearest is as near. A row that lost its column is treated
 * next if the potential fell, else in the next pass.
 */
static void reduce_rows(assignment *a) {
    uint32_t *rows = a->unassigned;
    uint32_t kept = 0;
    uint32_t next = 0;
    int64_t steps = (int64_t)(REDUCTION_STEPS + a->n / ROWS_PER_STEP) * a->n;
    for (; next < a->left && steps > 0; steps--) {
        uint32_t i = rows[next++];
        kd2m_nearest nearest[2];
        kd2m_scan_two_nearest(nearest, cost_row(a, i), a->potentials, a->n, a->lowest);
        uint32_t j = (uint32_t)nearest[0].index;
        float lowered = a->potentials[j] - (nearest[1].value - nearest[0].value);
        int fell = lowered < a->potentials[j];
        if (fell)
            a->potentials[j] = lowered;
        else if (a->row_of[j] != NONE)
            j = (uint32_t)nearest[1].index; /* as near */
        uint32_t loser = a->row_of[j];
        a->column_of[i] = j;
        a->row_of[j] = i;
        if (loser != NONE) {
            a->column_of[loser] = NONE;
            if (fell)
                rows[--next] = loser;
            else
                rows[kept++] = loser;
        }
        a->scans++;
    }
    while (next < a->left)
        rows[kept++] = rows[next++];
    a->left = kept;
}

/* Puts away column j, reached over a path of length `label`: the search passes it by from now on.
 */
static void settle(assignment *a, uint32_t count, uint32_t j, float label) {
    a->settled[count] = j;
    a->settled_label[count] = label;
    a->settled_potential[count] = a->potentials[j];
    a->potentials[j] = -INFINITY;
    a->labels[j] = INFINITY;
}

/*
 * Settles all columns of label `nearest`, behind the `count` settled before; returns the new
 * count. A free one among them ends the search: *end is set.
 */
static uint32_t settle_nearest(assignment *a, uint32_t count, float nearest, uint32_t *end) {
    size_t blocks = kd2m_scan_blocks(a->n);
    for (size_t b = 0; b < blocks; b++) {
        if (a->lowest[b] != nearest)
            continue;
        size_t begin = b * KD2M_SCAN_BLOCK;
        for (uint32_t j = (uint32_t)begin; j < a->n && j < begin + KD2M_SCAN_BLOCK; j++) {
            if (a->labels[j] != nearest)
                continue;
            if (a->row_of[j] == NONE) {
                *end = j;
                return count;
            }
            settle(a, count++, j, nearest);
        }
    }
    return count;
}

static float lowest_label(const assignment *a) {
    float lowest = INFINITY;
    size_t blocks = kd2m_scan_blocks(a->n);
    for (size_t b = 0; b < blocks; b++)
        lowest = a->lowest[b] < lowest ? a->lowest[b] : lowest;
    return lowest;
}

/* Finds the shortest path from `row` to a free column, adapts the potentials, and shifts the
 * assignments along it. */
static void augment(assignment *a, uint32_t row) {
    for (uint32_t j = 0; j < a->n; j++)
        a->labels[j] = INFINITY;
    kd2m_scan_relax(cost_row(a, row), a->potentials, 0.0F, row, a->n, a->labels, a->predecessors,
                    a->lowest);
    a->scans++;
    uint32_t count = 0;
    uint32_t end = NONE;
    float nearest;
    for (uint32_t done = 0;;) {
        nearest = lowest_label(a);
        count = settle_nearest(a, count, nearest, &end);
        if (end != NONE)
            break;
        for (; done < count; done++) {
            uint32_t j = a->settled[done];
            uint32_t i = a->row_of[j];
            float base = cost_row(a, i)[j] - a->settled_potential[done] - a->settled_label[done];
            kd2m_scan_relax(cost_row(a, i), a->potentials, base, i, a->n, a->labels,
                            a->predecessors, a->lowest);
            a->scans++;
        }
    }
    for (uint32_t s = 0; s < count; s++)
        a->potentials[a->settled[s]] = a->settled_potential[s] + (a->settled_label[s] - nearest);
    for (uint32_t i = NONE, j = end; i != row;) {
        i = a->predecessors[j];
        a->row_of[j] = i;
        uint32_t before = a->column_of[i];
        a->column_of[i] = j;
        j = before;
    }
}

kd2m_status kd2m_assignment(kd2m_arena *arena, kd2m_costs costs, kd2m_transport *out) {
    kd2m_status status;
    size_t before = arena->used;
    size_t mark;
    kd2m_cost_scale scale;
    assignment a = {.costs = costs, .n = (uint32_t)costs.rows};
    *out = (kd2m_transport){0};
    KD2M_TRY(kd2m_costs_measure(arena->context, costs, &scale));
    if (costs.rows != costs.columns) {
        status = kd2m_fail(arena->context, KD2M_ERROR_USAGE,
                           "an assignment needs as many rows as columns, got %zu and %zu",
                           costs.rows, costs.columns);
        goto cleanup;
    }
    KD2M_TRY(kd2m_transport_take(arena, costs, out));
    mark = arena->used;
    KD2M_TRY(take_scratch(arena, &a));

    reduce_columns(&a);
    for (int pass = 0; pass < REDUCTION_PASSES && a.left > 0; pass++)
        reduce_rows(&a);
    for (uint32_t r = 0; r < a.left; r++) {
        KD2M_TRY(kd2m_check_interrupt(arena->context));
        augment(&a, a.unassigned[r]);
    }

    out->plan.entries = a.n;
    for (uint32_t i = 0; i < a.n; i++) {
        out->plan.row[i] = i;
        out->plan.column[i] = a.column_of[i];
        out->plan.mass[i] = 1.0 / (double)a.n;
        out->column_potentials[i] = (double)a.potentials[i];
    }
    out->iterations = a.scans;
    kd2m_arena_rewind(arena, mark);
    KD2M_TRY(kd2m_transport_certify(arena, costs, NULL, NULL, scale, out));
    out->converged = out->gap <= GAP_TOLERANCE;
cleanup:
    if (status != KD2M_OK) {
        kd2m_arena_rewind(arena, before);
        *out = (kd2m_transport){0};
    }
    return status;
}
