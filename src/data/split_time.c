/*
 * time[:COLUMN]: on each clock, the latest rows go to test, those before them to validation, the
 * rest trains. With a column each of its codes has a clock, without one there is one clock for all.
 *
 *   cut c:  rows that begin at or behind c are later, rows that end at or before c are earlier, and
 *           a row that begins before c and ends behind it is in no split
 *
 * so that no two splits see the same stretch of a recording, whatever windows overlap; rows that
 * begin at one time stay together. Time O(rows log rows), memory 16 bytes a row.
 */
#include <math.h>
#include <stdlib.h>

#include "context.h"
#include "memory.h"
#include "split.h"

typedef struct timed_row {
    double begin;
    int32_t clock;
    uint32_t row;
} timed_row;

static int compare(const void *a, const void *b) {
    const timed_row *x = a, *y = b;
    if (x->clock != y->clock)
        return x->clock < y->clock ? -1 : 1;
    if (x->begin < y->begin || x->begin > y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Where a row lies between the cuts before validation and before test. */
static unsigned char place(double begin, double end, double validation, double test) {
    if (begin >= test)
        return KD2M_TEST;
    if (begin >= validation)
        return end > test ? KD2M_NOWHERE : KD2M_VALIDATION;
    return end > validation ? KD2M_NOWHERE : KD2M_TRAIN;
}

/* Places the rows of one clock, sorted by their beginning. */
static void cut_clock(kd2m_sharing *sharing, const timed_row *rows, size_t count) {
    const kd2m_part *part = &sharing->dataset->raw.train;
    size_t test, validation;
    kd2m_split_shares(sharing, count, &test, &validation);
    double test_cut = test > 0 ? rows[count - test].begin : INFINITY;
    double cut = test + validation > 0 ? rows[count - test - validation].begin : INFINITY;
    for (size_t i = 0; i < count; i++) {
        size_t row = rows[i].row;
        double end = part->until ? part->until[row] : rows[i].begin;
        sharing->places[row] = place(rows[i].begin, end, cut, test_cut);
    }
}

kd2m_status kd2m_split_time(kd2m_sharing *sharing, size_t column) {
    const kd2m_part *part = &sharing->dataset->raw.train;
    kd2m_context *context = sharing->dataset->context;
    timed_row *rows = NULL;
    size_t count = 0, end;
    kd2m_status status = KD2M_OK;
    if (!part->time)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "the training data of '%s' do not say when samples were taken",
                         sharing->dataset->spec);
    KD2M_TRY(kd2m_alloc(context, (void **)&rows, part->rows, sizeof *rows));
    for (size_t i = 0; i < part->rows; i++)
        if (sharing->places[i] == KD2M_TRAIN)
            rows[count++] = (timed_row){
                part->time[i], column == KD2M_NO_COLUMN ? 0 : part->codes[column][i], (uint32_t)i};
    qsort(rows, count, sizeof *rows, compare);
    for (size_t first = 0; first < count; first = end) {
        end = first + 1;
        while (end < count && rows[end].clock == rows[first].clock)
            end++;
        cut_clock(sharing, rows + first, end - first);
    }

cleanup:
    kd2m_free(context, rows);
    return status;
}
