/*
 * Samples by number: see roster.h. Sorted by key, then seed, then row, those of one key come
 * together; the k-th of a key in one seed and the k-th in another are one sample, so that samples
 * that are the same stay as many as they are. O(n log n) for n rows of all seeds.
 */
#include "roster.h"

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "memory.h"

typedef struct entry {
    uint64_t key;
    size_t seed, row;
    int32_t group;
} entry;

typedef struct reader {
    kd2m_study *study;
    kd2m_roster *roster;
    size_t data;
    const char *part;
    entry *entries;
    size_t count, capacity;
    bool grouped; /* in every seed */
} reader;

static void bind_part(void *user, sqlite3_stmt *statement) {
    const reader *r = user;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)r->data);
    sqlite3_bind_text(statement, 2, r->part, -1, SQLITE_STATIC);
}

/* Columns: 0 repeat, 1 keys, 2 column, 3 codes. */
static kd2m_status take_samples(void *user, sqlite3_stmt *row) {
    reader *r = user;
    kd2m_roster *to = r->roster;
    size_t seed = (size_t)sqlite3_column_int64(row, 0);
    size_t rows = (size_t)sqlite3_column_bytes(row, 1) / sizeof(uint64_t);
    size_t codes = (size_t)sqlite3_column_bytes(row, 3) / sizeof(int32_t);
    const char *keys = sqlite3_column_blob(row, 1), *groups = sqlite3_column_blob(row, 3);
    const char *column = (const char *)sqlite3_column_text(row, 2);
    kd2m_status status = KD2M_OK;
    if (seed >= to->seeds || rows == 0)
        return KD2M_OK;
    if (column && codes != rows)
        return kd2m_fail(to->context, KD2M_ERROR_INPUT,
                         "study.db: groups of another number than samples");
    if (column && !to->column)
        KD2M_TRY(kd2m_text_copy(to->context, &to->column, column));
    r->grouped &= column && strcmp(column, to->column) == 0;
    KD2M_TRY(kd2m_grow(to->context, (void **)&r->entries, &r->capacity, r->count, r->count + rows,
                       sizeof *r->entries));
    KD2M_TRY(kd2m_alloc(to->context, (void **)&to->numbers[seed], rows, sizeof *to->numbers[seed]));
    to->rows[seed] = rows;
    for (size_t i = 0; i < rows; i++) {
        entry *at = &r->entries[r->count++];
        *at = (entry){.seed = seed, .row = i};
        memcpy(&at->key, keys + i * sizeof at->key, sizeof at->key);
        if (column)
            memcpy(&at->group, groups + i * sizeof at->group, sizeof at->group);
    }
cleanup:
    return status;
}

static int by_key(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->seed != y->seed)
        return x->seed < y->seed ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Numbers the sorted entries and gives each number its group. */
static void number(kd2m_roster *to, const entry *entries, size_t count) {
    size_t first = 0, next = 0; /* number of the key's first sample, and of the seed's next */
    for (size_t i = 0; i < count; i++) {
        const entry *at = &entries[i];
        if (i == 0 || at->key != entries[i - 1].key)
            first = next = to->count;
        else if (at->seed != entries[i - 1].seed)
            next = first;
        if (next == to->count)
            to->groups[to->count++] = at->group;
        to->numbers[at->seed][at->row] = (uint32_t)next++;
    }
}

static kd2m_status begin(kd2m_roster *out, kd2m_context *context, size_t seeds) {
    kd2m_status status = KD2M_OK;
    *out = (kd2m_roster){.context = context, .seeds = seeds};
    KD2M_TRY(kd2m_alloc(context, (void **)&out->rows, seeds, sizeof *out->rows));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->numbers, seeds, sizeof *out->numbers));
cleanup:
    return status;
}

kd2m_status kd2m_roster_read(kd2m_roster *out, kd2m_study *study, size_t data, const char *part) {
    reader r = {.study = study, .roster = out, .data = data, .part = part, .grouped = true};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(begin(out, study->context, study->plan->seeds));
    KD2M_TRY(kd2m_store_query(study->store,
                              "SELECT repeat, keys, grouped_by, codes FROM samples"
                              " WHERE data = ? AND part = ? ORDER BY repeat",
                              bind_part, take_samples, &r));
    if (r.count == 0)
        goto cleanup;
    KD2M_TRY(kd2m_alloc(out->context, (void **)&out->groups, r.count, sizeof *out->groups));
    qsort(r.entries, r.count, sizeof *r.entries, by_key);
    number(out, r.entries, r.count);
    if (!r.grouped) {
        kd2m_free(out->context, out->groups);
        kd2m_free(out->context, out->column);
        out->groups = NULL;
        out->column = NULL;
    }
cleanup:
    kd2m_free(study->context, r.entries);
    return status;
}

kd2m_status kd2m_roster_assume(kd2m_roster *roster, size_t rows) {
    kd2m_status status = KD2M_OK;
    for (size_t seed = 0; seed < roster->seeds; seed++) {
        uint32_t **numbers = &roster->numbers[seed];
        KD2M_TRY(kd2m_alloc(roster->context, (void **)numbers, rows, sizeof **numbers));
        for (size_t i = 0; i < rows; i++)
            (*numbers)[i] = (uint32_t)i;
        roster->rows[seed] = rows;
    }
    roster->count = rows;
cleanup:
    return status;
}

void kd2m_roster_clear(kd2m_roster *roster) {
    for (size_t seed = 0; roster->numbers && seed < roster->seeds; seed++)
        kd2m_free(roster->context, roster->numbers[seed]);
    kd2m_free(roster->context, roster->numbers);
    kd2m_free(roster->context, roster->rows);
    kd2m_free(roster->context, roster->groups);
    kd2m_free(roster->context, roster->column);
}
