/* Where the time goes: see profile.h. A begin or an end costs one reading of the clock. */
#include "profile.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "progress.h"

typedef struct row {
    kd2m_profile_label label;
    double seconds[KD2M_PHASES];
    double calls[KD2M_PHASES];
    size_t bytes;
} row;

struct kd2m_profile {
    kd2m_context *context;
    row *rows;
    size_t count, capacity;
    size_t charged; /* row * KD2M_PHASES + phase that time goes to now */
    double since;   /* when it was last charged */
};

kd2m_status kd2m_profile_create(kd2m_profile **out, kd2m_context *context) {
    *out = NULL;
    kd2m_profile *profile = NULL;
    size_t rest;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&profile, 1, sizeof *profile));
    profile->context = context;
    KD2M_TRY(kd2m_profile_add(profile, &(kd2m_profile_label){.part = "rest"}, &rest));
    profile->since = kd2m_seconds();
    *out = profile;
    profile = NULL;
cleanup:
    kd2m_profile_free(profile);
    return status;
}

void kd2m_profile_free(kd2m_profile *profile) {
    if (!profile)
        return;
    kd2m_free(profile->context, profile->rows);
    kd2m_free(profile->context, profile);
}

kd2m_status kd2m_profile_add(kd2m_profile *profile, const kd2m_profile_label *label, size_t *out) {
    *out = profile->count;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_grow(profile->context, (void **)&profile->rows, &profile->capacity,
                       profile->count, profile->count + 1, sizeof *profile->rows));
    profile->rows[profile->count++] = (row){.label = *label};
cleanup:
    return status;
}

/* Charges the time since the last call, and lets what follows go to `next`. */
static void charge(kd2m_profile *profile, size_t next) {
    double now = kd2m_seconds();
    row *charged = &profile->rows[profile->charged / KD2M_PHASES];
    charged->seconds[profile->charged % KD2M_PHASES] += now - profile->since;
    profile->since = now;
    profile->charged = next;
}

size_t kd2m_profile_enter(kd2m_profile *profile, size_t number, kd2m_phase phase) {
    size_t outer = profile->charged;
    charge(profile, number * KD2M_PHASES + (size_t)phase);
    profile->rows[number].calls[phase]++;
    return outer;
}

void kd2m_profile_leave(kd2m_profile *profile, size_t outer) {
    charge(profile, outer);
}

void kd2m_profile_note_bytes(kd2m_profile *profile, size_t number, size_t bytes) {
    row *of = &profile->rows[number];
    of->bytes = bytes > of->bytes ? bytes : of->bytes;
}

/* The table. */

typedef struct sums {
    double seconds[KD2M_PHASES];
    double calls[KD2M_PHASES];
    double flops;
} sums;

static void add_to(sums *to, const row *from) {
    for (size_t i = 0; i < KD2M_PHASES; i++) {
        to->seconds[i] += from->seconds[i];
        to->calls[i] += from->calls[i];
        to->flops += from->calls[i] * from->label.flops[i];
    }
}

static double whole(const sums *of) {
    double seconds = 0;
    for (size_t i = 0; i < KD2M_PHASES; i++)
        seconds += of->seconds[i];
    return seconds;
}

static kd2m_status add_columns(kd2m_table *table) {
    static const kd2m_table_column columns[] = {
        {"part", "part", KD2M_COLUMN_TEXT, 0},
        {"name", "name", KD2M_COLUMN_TEXT, 0},
        {"operator", "operator", KD2M_COLUMN_TEXT, 0},
        {"forward_seconds", "forward s", KD2M_COLUMN_REAL, 3},
        {"backward_seconds", "backward s", KD2M_COLUMN_REAL, 3},
        {"seconds", "seconds", KD2M_COLUMN_REAL, 3},
        {"percent", "%", KD2M_COLUMN_REAL, 1},
        {"gflops", "GFLOP/s", KD2M_COLUMN_REAL, 1},
        {"bytes", "bytes", KD2M_COLUMN_INTEGER, 0},
    };
    return kd2m_table_add_columns(table, columns, sizeof columns / sizeof *columns);
}

static kd2m_status print_row(kd2m_table *table, const kd2m_profile_label *label, const sums *of,
                             double total) {
    kd2m_status status = KD2M_OK;
    double seconds = whole(of);
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "part", label->part));
    KD2M_TRY(kd2m_table_set_text(table, "name", label->name));
    KD2M_TRY(kd2m_table_set_text(table, "operator", label->kind));
    KD2M_TRY(kd2m_table_set_real(table, "seconds", seconds));
    KD2M_TRY(kd2m_table_set_real(table, "percent", 100 * seconds / total));
    if (of->calls[KD2M_PHASE_FORWARD] > 0)
        KD2M_TRY(kd2m_table_set_real(table, "forward_seconds", of->seconds[KD2M_PHASE_FORWARD]));
    if (of->calls[KD2M_PHASE_BACKWARD] > 0)
        KD2M_TRY(kd2m_table_set_real(table, "backward_seconds", of->seconds[KD2M_PHASE_BACKWARD]));
    if (of->flops > 0)
        KD2M_TRY(kd2m_table_set_real(table, "gflops", 1e-9 * of->flops / seconds));
cleanup:
    return status;
}

static bool same_kind(const row *a, const row *b) {
    return a->label.kind && b->label.kind && strcmp(a->label.kind, b->label.kind) == 0;
}

/* One row for each kind, in the order of their first rows. */
static kd2m_status print_kinds(const kd2m_profile *profile, kd2m_table *table, double total) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < profile->count; i++) {
        const row *first = &profile->rows[i];
        bool seen = !first->label.kind;
        for (size_t k = 0; k < i && !seen; k++)
            seen = same_kind(first, &profile->rows[k]);
        if (seen)
            continue;
        sums of = {.flops = 0};
        for (size_t k = i; k < profile->count; k++)
            if (same_kind(first, &profile->rows[k]))
                add_to(&of, &profile->rows[k]);
        const kd2m_profile_label label = {.part = "operator", .name = first->label.kind};
        KD2M_TRY(print_row(table, &label, &of, total));
    }
cleanup:
    return status;
}

static kd2m_status print_rows(const kd2m_profile *profile, kd2m_table *table) {
    kd2m_status status = KD2M_OK;
    const kd2m_profile_label total_label = {.part = "total"};
    sums total = {.flops = 0};
    for (size_t i = 0; i < profile->count; i++)
        add_to(&total, &profile->rows[i]);
    for (size_t i = 1; i <= profile->count; i++) { /* row 0 comes last */
        sums of = {.flops = 0};
        const row *at = &profile->rows[i % profile->count];
        add_to(&of, at);
        if (i == profile->count)
            KD2M_TRY(print_kinds(profile, table, whole(&total)));
        KD2M_TRY(print_row(table, &at->label, &of, whole(&total)));
        if (at->bytes > 0)
            KD2M_TRY(kd2m_table_set_integer(table, "bytes", (int64_t)at->bytes));
    }
    KD2M_TRY(print_row(table, &total_label, &total, whole(&total)));
    KD2M_TRY(kd2m_table_add_note(table, "rows of part 'operator' sum up the layers' rows"));
cleanup:
    return status;
}

kd2m_status kd2m_profile_table(kd2m_profile *profile, kd2m_table **out) {
    *out = NULL;
    kd2m_table *table = NULL;
    kd2m_status status = KD2M_OK;
    charge(profile, profile->charged);
    KD2M_TRY(kd2m_table_create(&table, profile->context, "profile"));
    KD2M_TRY(add_columns(table));
    KD2M_TRY(print_rows(profile, table));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    return status;
}
