/*
 * The two sides of a comparison by pairs, and the room for its tiles: see pairwise.h.
 *
 * Where the distances are asked for twice (a bandwidth, then a value), those between up to
 * SMALL_ROWS a side are kept, 16 MB at most; of more rows each tile takes the place of the one
 * before.
 *
 * Cost: O((n + m) d). Threads: the context's.
 */
#include "pairwise.h"

#include "arena.h"
#include "context.h"
#include "parallel.h"
#include "simd.h"

/* Small tiles save more of what symmetry makes superfluous, large ones are multiplied faster. */
#define SMALL_ROWS ((size_t)1024)
#define SMALL_TILE ((size_t)256)
#define TILE ((size_t)512)

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

kd2m_pair_factors kd2m_pair_factors_of(const kd2m_metric_call *call, bool unbiased) {
    double n = (double)call->x.rows, m = (double)call->y.rows;
    return unbiased ? (kd2m_pair_factors){n / (n - 1), m / (m - 1)} : (kd2m_pair_factors){1, 1};
}

static size_t side_bytes(size_t rows, size_t dim) {
    size_t bytes = kd2m_arena_sum(kd2m_arena_matrix_bytes(rows, dim, sizeof(float)),
                                  kd2m_arena_bytes(dim, sizeof(double)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(rows, sizeof(double))); /* shares */
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(rows, sizeof(float)));
    return kd2m_arena_sum(bytes, kd2m_arena_bytes(rows, sizeof(double))); /* scales, for the mean */
}

/* Pairs and rows of the tiles that are there at a time. */
typedef struct tile_room {
    size_t tile, pairs, rows;
} tile_room;

static tile_room room_of(size_t n, size_t m, bool keep) {
    size_t most = larger(n, m), tile = smaller(most, most <= SMALL_ROWS ? SMALL_TILE : TILE);
    if (!keep || most > SMALL_ROWS)
        return (tile_room){tile, tile * tile, tile};
    size_t tiles = (most + tile - 1) / tile;
    return (tile_room){tile, n * n + n * m + m * m, (2 * n + m) * tiles};
}

static size_t room_bytes(const tile_room *room) {
    size_t bytes = kd2m_arena_sum(kd2m_arena_bytes(room->pairs, sizeof(float)),
                                  kd2m_arena_bytes(room->pairs, sizeof(char)));
    return kd2m_arena_sum(bytes, kd2m_arena_bytes(room->rows, sizeof(size_t)));
}

size_t kd2m_pairs_bytes(const kd2m_metric_shape *shape, bool keep) {
    size_t most = larger(shape->n, shape->m);
    const tile_room one = room_of(shape->n, shape->m, false);
    /* samples within these bounds may be small */
    const tile_room small =
        room_of(smaller(shape->n, SMALL_ROWS), smaller(shape->m, SMALL_ROWS), keep);
    const size_t parts[] = {
        kd2m_arena_bytes(1, sizeof(kd2m_pairs)),
        side_bytes(shape->n, shape->dim_x),
        side_bytes(shape->m, shape->dim_y),
        kd2m_arena_bytes(most, sizeof(double)),
        kd2m_arena_bytes(shape->n, sizeof(double)),
        kd2m_arena_bytes(shape->n, sizeof(double)),
        kd2m_arena_bytes(most, sizeof(float)),
        kd2m_arena_bytes(most, sizeof(float)),
        kd2m_arena_bytes(most, sizeof(float)),
        kd2m_arena_bytes(most, sizeof(float)),
        larger(room_bytes(&one), room_bytes(&small)),
        kd2m_arena_bytes(shape->dim_x, sizeof(double)),
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        bytes = kd2m_arena_sum(bytes, parts[i]);
    return bytes;
}

KD2M_CLONES
static float move_row(float *restrict out, const float *restrict row, double scale,
                      const double *restrict mean, size_t dim) {
    double square = 0;
#pragma omp simd reduction(+ : square)
    for (size_t k = 0; k < dim; k++) {
        float moved = (float)(scale * (double)row[k] - mean[k]);
        out[k] = moved;
        square += (double)moved * (double)moved;
    }
    return (float)square;
}

static void move_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const kd2m_pair_side *side = user;
    const kd2m_rows rows = side->rows;
    for (size_t i = begin; i < end; i++)
        side->square[i] = move_row(side->moved + i * rows.dim, rows.values + i * rows.stride,
                                   side->scales ? side->scales[i] : 1, side->mean, rows.dim);
}

static kd2m_status open_side(const kd2m_metric_call *call, kd2m_pair_side *out,
                             const kd2m_metric_side *side, const double *scales) {
    kd2m_status status = KD2M_OK;
    kd2m_arena *arena = call->arena;
    const kd2m_rows rows = side->features;
    double *parts = NULL; /* what a row counts in the mean of the scaled rows */
    *out = (kd2m_pair_side){.rows = rows, .scales = scales};
    KD2M_TRY(
        kd2m_arena_take_unset(arena, (void **)&out->moved, rows.rows * rows.dim, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->mean, rows.dim, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->square, rows.rows, sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->shares, rows.rows, sizeof(double)));
    if (scales)
        KD2M_TRY(kd2m_arena_take(arena, (void **)&parts, rows.rows, sizeof *parts));
    for (size_t i = 0; i < rows.rows; i++) {
        out->shares[i] = scales && scales[i] == 0 ? 0 : 1;
        if (scales)
            parts[i] = scales[i] / (double)rows.rows;
    }
    kd2m_rows_mean(call->context, out->mean, rows, parts);
    kd2m_parallel_for(call->context, rows.rows, 64, move_rows, out);
cleanup:
    return status;
}

kd2m_status kd2m_pairs_open(kd2m_pairs *out, const kd2m_metric_call *call, bool keep,
                            const double *scales_x, const double *scales_y) {
    kd2m_status status = KD2M_OK;
    size_t n = call->x.rows, m = call->y.rows, most = larger(n, m);
    const tile_room room = room_of(n, m, keep);
    *out = (kd2m_pairs){.call = call, .side = room.tile, .keeps = keep && most <= SMALL_ROWS};
    KD2M_TRY(open_side(call, &out->x, &call->x, scales_x));
    KD2M_TRY(open_side(call, &out->y, &call->y, scales_y));
    const struct {
        void **field;
        size_t count, size;
    } parts[] = {
        {(void **)&out->gap, call->x.features.dim, sizeof(double)},
        {(void **)&out->row_values, most, sizeof(double)},
        {(void **)&out->sums_within, n, sizeof(double)},
        {(void **)&out->sums_across, n, sizeof(double)},
        {(void **)&out->of_term, most, sizeof(float)},
        {(void **)&out->against_term, most, sizeof(float)},
        {(void **)&out->of_scale, most, sizeof(float)},
        {(void **)&out->against_scale, most, sizeof(float)},
        {(void **)&out->room.values, room.pairs, sizeof(float)},
        {(void **)&out->room.near, room.pairs, 1},
        {(void **)&out->room.near_counts, room.rows, sizeof(size_t)},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) /* all written before they are read */
        KD2M_TRY(kd2m_arena_take_unset(call->arena, parts[i].field, parts[i].count, parts[i].size));
cleanup:
    return status;
}

static void weigh(kd2m_pair_side *side, const kd2m_metric_side *given) {
    for (size_t i = 0; i < side->rows.rows; i++)
        side->shares[i] *= kd2m_metric_weight(given, i) * (double)side->rows.rows;
}

void kd2m_pairs_weigh(kd2m_pairs *pairs) {
    weigh(&pairs->x, &pairs->call->x);
    weigh(&pairs->y, &pairs->call->y);
}
