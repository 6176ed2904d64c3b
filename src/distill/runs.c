/* Lists of runs: see kd2m/runs.h. Every folder below is looked into once; what is kept in memory is
 * a few kilobytes for each run that passes. */
#include "kd2m/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "context.h"
#include "memory.h"
#include "run_filter.h"
#include "run_folder.h"
#include "run_record.h"
#include "writer.h"

static const kd2m_setting rows[] = {
#define ROW(...) KD2M_SETTINGS_ROW(kd2m_runs_settings, __VA_ARGS__)
    KD2M_RUNS_SETTINGS(ROW)
#undef ROW
};
static const kd2m_setting_list list = {rows, sizeof rows / sizeof *rows};

const kd2m_setting_list *kd2m_runs_setting_list(void) {
    return &list;
}

/* A run and what it is sorted by. */
typedef struct entry {
    json_t *record;
    const char *text; /* NULL where the key is a number */
    double number;
    bool reverse;
} entry;

typedef struct listing {
    kd2m_context *context;
    kd2m_run_filter *filters;
    size_t filter_count;
    entry *entries; /* of the runs that pass */
    size_t count, capacity;
    size_t found, damaged; /* of all; of those that don't pass */
} listing;

static void clear(listing *of) {
    for (size_t i = 0; i < of->count; i++)
        json_decref(of->entries[i].record);
    kd2m_free(of->context, of->entries);
    kd2m_free(of->context, of->filters);
}

/* ---- the runs below a folder ---- */

/* Takes the record over. */
static kd2m_status keep(listing *to, json_t *record) {
    bool passes = true;
    kd2m_status status = KD2M_OK;
    to->found++;
    for (size_t i = 0; i < to->filter_count; i++)
        passes = passes && kd2m_run_filter_holds(&to->filters[i], record);
    to->damaged += !passes && strcmp(kd2m_run_text(record, "state"), "damaged") == 0;
    if (!passes)
        goto cleanup;
    KD2M_TRY(kd2m_grow(to->context, (void **)&to->entries, &to->capacity, to->count, to->count + 1,
                       sizeof *to->entries));
    to->entries[to->count++] = (entry){.record = json_incref(record)};
cleanup:
    json_decref(record);
    return status;
}

static kd2m_status search(listing *to, const char *folder);

static kd2m_status search_entry(void *user, const char *parent, const char *name) {
    listing *to = user;
    struct stat found;
    char *path = NULL;
    json_t *damaged;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_join_path(to->context, &path, parent, name));
    if (lstat(path, &found) != 0 || !S_ISDIR(found.st_mode))
        goto cleanup;
    status = search(to, path);
    if (status == KD2M_ERROR_IO) {
        KD2M_TRY(kd2m_run_record_damaged(&damaged, to->context, path));
        KD2M_TRY(keep(to, damaged));
    }
cleanup:
    kd2m_free(to->context, path);
    return status;
}

/* KD2M_ERROR_IO where the folder itself can't be read. */
static kd2m_status search(listing *to, const char *folder) {
    json_t *record;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_check_interrupt(to->context));
    KD2M_TRY(kd2m_run_record_read(&record, to->context, folder));
    if (record)
        KD2M_TRY(keep(to, record));
    KD2M_TRY(kd2m_folder_visit(to->context, folder, search_entry, to));
cleanup:
    return status;
}

/* 'runs/' is 'runs'. */
static kd2m_status search_below(listing *to, const char *folder) {
    char *path;
    kd2m_status status = kd2m_text_copy(to->context, &path, folder);
    if (status != KD2M_OK)
        return status;
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--)
        path[end - 1] = '\0';
    status = search(to, path);
    kd2m_free(to->context, path);
    return status;
}

/* ---- their order ---- */

static bool has_none(const entry *of) {
    return of->text ? of->text[0] == '\0' : isnan(of->number);
}

static int compare(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (has_none(x) != has_none(y))
        return has_none(x) - has_none(y);
    int order =
        x->text ? strcmp(x->text, y->text) : (x->number > y->number) - (x->number < y->number);
    if (order != 0)
        return x->reverse ? -order : order;
    return strcmp(kd2m_run_text(x->record, "run"), kd2m_run_text(y->record, "run"));
}

static void sort(listing *of, const kd2m_table_column *key, bool reverse) {
    for (size_t i = 0; i < of->count; i++) {
        entry *at = &of->entries[i];
        at->reverse = reverse;
        at->text = key->type == KD2M_COLUMN_TEXT ? kd2m_run_text(at->record, key->key) : NULL;
        at->number = at->text ? NAN : kd2m_run_number(at->record, key->key);
    }
    if (of->count > 0)
        qsort(of->entries, of->count, sizeof *of->entries, compare);
}

/* ---- the table ---- */

typedef struct selection {
    const kd2m_table_column **keys; /* room for all there are */
    size_t count;
} selection;

static kd2m_status select_keys(selection *to, kd2m_context *context, const char *const *names,
                               size_t count) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < count && status == KD2M_OK; i++)
        status = kd2m_run_key_find(&to->keys[to->count++], context, names[i], strlen(names[i]));
    return status;
}

/* Whether two of the runs are known to differ in a key. */
static bool differ(const listing *of, const char *key) {
    const json_t *first = NULL;
    for (size_t i = 0; i < of->count; i++) {
        const json_t *value = json_object_get(of->entries[i].record, key);
        first = first ? first : value;
        if (value && !json_equal(value, first))
            return true;
    }
    return false;
}

static kd2m_status select_differences(selection *to, const listing *of) {
    static const char *const run[] = {"run"};
    static const char *const results[] = {"state", "epoch",   "validation",
                                          "test",  "seconds", "message"};
    size_t count, made_by;
    const kd2m_table_column *keys = kd2m_run_keys(&count, &made_by);
    kd2m_status status = KD2M_OK;
    KD2M_TRY(select_keys(to, of->context, run, 1));
    for (size_t i = made_by; i < count; i++)
        if (differ(of, keys[i].key))
            to->keys[to->count++] = &keys[i];
    KD2M_TRY(select_keys(to, of->context, results, sizeof results / sizeof *results));
cleanup:
    return status;
}

static kd2m_status select_columns(selection *to, const listing *of, bool compared) {
    static const char *const listed[] = {"run",     "state",   "epoch", "epochs", "validation",
                                         "test",    "seconds", "date",  "seed",   "model",
                                         "teacher", "loss",    "data",  "message"};
    return compared ? select_differences(to, of)
                    : select_keys(to, of->context, listed, sizeof listed / sizeof *listed);
}

static kd2m_status set_cell(kd2m_table *table, const json_t *record, const kd2m_table_column *key) {
    const json_t *value = json_object_get(record, key->key);
    if (key->type == KD2M_COLUMN_TEXT && json_string_length(value) > 0)
        return kd2m_table_set_text(table, key->key, json_string_value(value));
    if (key->type == KD2M_COLUMN_INTEGER && json_is_integer(value))
        return kd2m_table_set_integer(table, key->key, json_integer_value(value));
    if (key->type == KD2M_COLUMN_REAL && json_is_number(value))
        return kd2m_table_set_real(table, key->key, json_number_value(value));
    return KD2M_OK;
}

/* What the table does not show. */
static kd2m_status add_note(kd2m_table *table, const listing *of) {
    char note[128] = "no runs";
    if (of->found > 0 && of->count == of->found)
        return KD2M_OK;
    if (of->found > 0)
        snprintf(note, sizeof note, "%zu of %zu runs%s", of->count, of->found,
                 of->damaged > 0 ? "; damaged ones are among the others: --where state=damaged"
                                 : "");
    return kd2m_table_add_note(table, note);
}

static kd2m_status fill(kd2m_table *table, const listing *of, const selection *columns) {
    kd2m_status status = KD2M_OK;
    for (size_t c = 0; c < columns->count; c++)
        KD2M_TRY(kd2m_table_add_columns(table, columns->keys[c], 1));
    for (size_t r = 0; r < of->count; r++) {
        KD2M_TRY(kd2m_table_add_row(table));
        for (size_t c = 0; c < columns->count; c++)
            KD2M_TRY(set_cell(table, of->entries[r].record, columns->keys[c]));
    }
    KD2M_TRY(add_note(table, of));
cleanup:
    return status;
}

static kd2m_status make_table(kd2m_table **out, const listing *of, bool compared) {
    kd2m_table *table = NULL;
    selection columns = {NULL, 0};
    size_t count, made_by;
    kd2m_status status = KD2M_OK;
    kd2m_run_keys(&count, &made_by);
    KD2M_TRY(kd2m_alloc(of->context, (void **)&columns.keys, count, sizeof(*columns.keys)));
    KD2M_TRY(select_columns(&columns, of, compared));
    KD2M_TRY(kd2m_table_create(&table, of->context, "runs"));
    KD2M_TRY(fill(table, of, &columns));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    kd2m_free(of->context, (void *)columns.keys);
    return status;
}

/* Leaves the first `limit` runs. */
static void cut(listing *of, size_t limit) {
    while (limit > 0 && of->count > limit)
        json_decref(of->entries[--of->count].record);
}

kd2m_status kd2m_runs_table(kd2m_table **out, kd2m_context *context, const char *const *folders,
                            size_t folder_count, const char *const *where, size_t where_count,
                            const kd2m_runs_settings *settings) {
    *out = NULL;
    listing runs = {.context = context, .filter_count = where_count};
    const char *by = settings->sort ? settings->sort : "run";
    const kd2m_table_column *key;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_settings_validate(context, &list, settings));
    KD2M_TRY(kd2m_run_key_find(&key, context, by, strlen(by)));
    KD2M_TRY(kd2m_alloc(context, (void **)&runs.filters, where_count, sizeof *runs.filters));
    for (size_t i = 0; i < where_count; i++)
        KD2M_TRY(kd2m_run_filter_parse(&runs.filters[i], context, where[i]));
    for (size_t i = 0; i < folder_count; i++)
        KD2M_TRY(search_below(&runs, folders[i]));
    sort(&runs, key, settings->reverse != 0);
    cut(&runs, (size_t)settings->limit);
    KD2M_TRY(make_table(out, &runs, settings->compare != 0));
cleanup:
    clear(&runs);
    return status;
}
