/*
 * Partial transport, exact: see transport.h. Each side gets one more point that takes, for nothing,
 * what the other leaves behind; between the two extra points it costs more than anywhere else, so
 * that nothing goes there. The problem is then a common one, for the network simplex.
 *
 * Chapel, Alaya, Gasso, 'Partial optimal transport with applications on positive-unlabeled
 * learning', NeurIPS 2020.
 * Cost: the network simplex's on one point more a side; a copy of the costs. Threads: one.
 */
#include <math.h>
#include <string.h>

#include "certificate.h"
#include "context.h"
#include "transport.h"

size_t kd2m_partial_bytes(size_t rows, size_t columns) {
    if (rows >= UINT32_MAX || columns >= UINT32_MAX || rows + 1 > SIZE_MAX / (columns + 1))
        return SIZE_MAX;
    size_t bytes = kd2m_arena_bytes((rows + 1) * (columns + 1), sizeof(float));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(rows + 1, sizeof(double)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(columns + 1, sizeof(double)));
    return kd2m_arena_sum(bytes, kd2m_transport_bytes(rows + 1, columns + 1));
}

/* *out = the weights of a side and its extra point, which sum to 1. */
static kd2m_status extend_weights(kd2m_arena *arena, double **out, const double *weights,
                                  size_t count, double mass) {
    kd2m_status status;
    KD2M_TRY(kd2m_arena_take(arena, (void **)out, count + 1, sizeof **out));
    for (size_t i = 0; i < count; i++)
        (*out)[i] = (weights ? weights[i] : 1.0 / (double)count) / (2.0 - mass);
    (*out)[count] = (1.0 - mass) / (2.0 - mass);
cleanup:
    return status;
}

static kd2m_status extend_costs(kd2m_arena *arena, kd2m_costs costs, double largest,
                                kd2m_costs *out) {
    kd2m_status status;
    float *values;
    size_t stride = costs.columns + 1;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&values, (costs.rows + 1) * stride, sizeof *values));
    for (size_t i = 0; i < costs.rows; i++)
        memcpy(values + i * stride, costs.values + i * costs.stride,
               costs.columns * sizeof *values);
    values[costs.rows * stride + costs.columns] = largest > 0.0 ? (float)(2.0 * largest) : 1.0F;
    *out = (kd2m_costs){values, costs.rows + 1, stride, stride};
cleanup:
    return status;
}

/* Leaves the extra points out of the plan, and gives masses back their size. */
static void reduce(kd2m_transport *out, kd2m_costs costs, double mass) {
    size_t kept = 0;
    for (size_t e = 0; e < out->plan.entries; e++) {
        if (out->plan.row[e] == costs.rows || out->plan.column[e] == costs.columns)
            continue;
        out->plan.row[kept] = out->plan.row[e];
        out->plan.column[kept] = out->plan.column[e];
        out->plan.mass[kept++] = out->plan.mass[e] * (2.0 - mass);
    }
    out->plan.entries = kept;
    out->cost *= 2.0 - mass;
    out->marginal_error *= 2.0 - mass;
}

kd2m_status kd2m_partial(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                         const double *column_weights, double mass, kd2m_transport *out) {
    kd2m_status status;
    size_t before = arena->used;
    kd2m_cost_scale scale;
    kd2m_costs extended;
    double *rows, *columns;
    *out = (kd2m_transport){0};
    KD2M_TRY(kd2m_costs_measure(arena->context, costs, &scale));
    if (!(mass > 0.0 && mass <= 1.0)) {
        status = kd2m_fail(arena->context, KD2M_ERROR_USAGE,
                           "partial transport moves a mass above 0 and up to 1, not %g", mass);
        goto cleanup;
    }
    if (mass >= 1.0)
        return kd2m_transport_solve(arena, costs, row_weights, column_weights, out);
    KD2M_TRY(extend_costs(arena, costs, scale.largest, &extended));
    KD2M_TRY(extend_weights(arena, &rows, row_weights, costs.rows, mass));
    KD2M_TRY(extend_weights(arena, &columns, column_weights, costs.columns, mass));
    KD2M_TRY(kd2m_network_simplex(arena, extended, rows, columns, out));
    reduce(out, costs, mass);
cleanup:
    if (status != KD2M_OK) {
        kd2m_arena_rewind(arena, before);
        *out = (kd2m_transport){0};
    }
    return status;
}
