/*
 * Groups by label: both sides' rows are sorted by label (radix sort: stable, and without the memory
 * that the C library's sort may take), then walked side by side.
 * Cost: O(n + m) time and memory.
 */
#include "metric_groups.h"

#include "context.h"

#define DIGIT_BITS 8
#define DIGITS (1 << DIGIT_BITS)

size_t kd2m_metric_groups_bytes(size_t n, size_t m) {
    size_t least = n < m ? n : m;
    const size_t parts[] = {
        kd2m_arena_bytes(n, sizeof(uint32_t)),       kd2m_arena_bytes(n, sizeof(uint32_t)),
        kd2m_arena_bytes(m, sizeof(uint32_t)),       kd2m_arena_bytes(m, sizeof(uint32_t)),
        kd2m_arena_bytes(least, sizeof(kd2m_group)),
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        bytes = kd2m_arena_sum(bytes, parts[i]);
    return bytes;
}

static size_t digit(int32_t label, unsigned shift) {
    return ((uint32_t)label >> shift) & (DIGITS - 1);
}

/* A walk over the groups of one side. */
typedef struct group_walk {
    const kd2m_metric_side *side;
    const uint32_t *rows; /* numbers of the rows with weight, sorted by label */
    size_t row_count;
    size_t first, count; /* the current group; count 0 = the end */
    int32_t label;
    double share;
} group_walk;

/* Sorts the side's rows by label; rows of one label keep their order. */
static kd2m_status sort_rows(kd2m_arena *arena, group_walk *out, const kd2m_metric_side *side) {
    kd2m_status status = KD2M_OK;
    size_t count = 0;
    uint32_t *rows = NULL, *other = NULL, all_bits = 0;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&rows, side->rows, sizeof *rows));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&other, side->rows, sizeof *other));
    for (size_t i = 0; i < side->rows; i++) {
        if (kd2m_metric_weight(side, i) <= 0)
            continue;
        rows[count++] = (uint32_t)i;
        all_bits |= (uint32_t)side->labels[i];
    }
    for (unsigned shift = 0; shift < 32 && all_bits >> shift != 0; shift += DIGIT_BITS) {
        size_t start[DIGITS + 1] = {0};
        for (size_t i = 0; i < count; i++)
            start[digit(side->labels[rows[i]], shift) + 1]++;
        for (size_t d = 0; d < DIGITS; d++)
            start[d + 1] += start[d];
        for (size_t i = 0; i < count; i++)
            other[start[digit(side->labels[rows[i]], shift)]++] = rows[i];
        uint32_t *sorted = other;
        other = rows;
        rows = sorted;
    }
    *out = (group_walk){.side = side, .rows = rows, .row_count = count};
cleanup:
    return status;
}

/* Moves on to the next group. */
static void advance(group_walk *walk) {
    const int32_t *labels = walk->side->labels;
    walk->first += walk->count;
    walk->count = 0;
    walk->share = 0;
    if (walk->first == walk->row_count)
        return;
    walk->label = labels[walk->rows[walk->first]];
    for (size_t i = walk->first; i < walk->row_count && labels[walk->rows[i]] == walk->label; i++) {
        walk->share += kd2m_metric_weight(walk->side, walk->rows[i]);
        walk->count++;
    }
}

kd2m_status kd2m_metric_groups(const kd2m_metric_call *call, kd2m_groups *out) {
    kd2m_status status = KD2M_OK;
    size_t n = call->x.rows, m = call->y.rows;
    group_walk x, y;
    *out = (kd2m_groups){0};
    KD2M_TRY(sort_rows(call->arena, &x, &call->x));
    KD2M_TRY(sort_rows(call->arena, &y, &call->y));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out->kept, n < m ? n : m, sizeof *out->kept));
    advance(&x);
    advance(&y);
    while (x.count > 0 || y.count > 0) {
        bool on_x = x.count > 0 && (y.count == 0 || x.label <= y.label);
        bool on_y = y.count > 0 && (x.count == 0 || y.label <= x.label);
        if (on_x && on_y)
            out->kept[out->count++] = (kd2m_group){.label = x.label,
                                                   .x_rows = x.rows + x.first,
                                                   .y_rows = y.rows + y.first,
                                                   .x_count = x.count,
                                                   .y_count = y.count,
                                                   .x_share = x.share,
                                                   .y_share = y.share};
        else
            out->dropped++;
        if (on_x)
            advance(&x);
        if (on_y)
            advance(&y);
    }
cleanup:
    return status;
}
