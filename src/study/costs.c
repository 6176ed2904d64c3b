/*
 * What methods cost: seconds of a step and of each term of the loss in it, their memory; means over
 * the report's trials of a cell. From each trial's profile comes how a step's time is shared, from
 * its result how long a step took: a profile counts one sitting alone, the result all of them.
 * What the epochs' ends take (validation, checkpoints) is no part of a step.
 */
#include <math.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "memory.h"
#include "study_internal.h"

typedef struct term_cost {
    char *name;     /* owned */
    double seconds; /* of a step, share of it: sums over trials */
    double share;
    double bytes; /* the most; NaN: not kept */
} term_cost;

typedef struct costs {
    kd2m_study *study;
    kd2m_context *context;
    kd2m_table *table;
    kd2m_place at; /* whose trials these are */
    size_t trials;
    double step;  /* seconds, sum over trials */
    double bytes; /* of a whole trial, the most; NaN: not kept */
    term_cost *terms;
    size_t term_count, term_capacity;
    bool lacks_memory;
} costs;

static void clear_terms(costs *c) {
    for (size_t i = 0; i < c->term_count; i++)
        kd2m_free(c->context, c->terms[i].name);
    c->term_count = 0;
    c->trials = 0;
}

/* ---- rows ---- */

static kd2m_status add_row(const costs *c, const term_cost *term) {
    const kd2m_plan *plan = c->study->plan;
    kd2m_table *table = c->table;
    double trials = (double)c->trials;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "data", plan->data[c->at.data].part.name));
    KD2M_TRY(kd2m_table_set_text(table, "student", plan->students[c->at.student].name));
    KD2M_TRY(kd2m_table_set_text(table, "method", plan->methods[c->at.method].part.name));
    KD2M_TRY(kd2m_table_set_integer(table, "trials", (int64_t)c->trials));
    KD2M_TRY(kd2m_table_set_real(table, "step_ms", 1e3 * c->step / trials));
    KD2M_TRY(kd2m_table_set_real(table, "trial_mb", c->bytes / 1e6));
    KD2M_TRY(kd2m_table_set_text(table, "term", term->name));
    KD2M_TRY(kd2m_table_set_real(table, "term_ms", 1e3 * term->seconds / trials));
    KD2M_TRY(kd2m_table_set_real(table, "percent", 100 * term->share / trials));
    KD2M_TRY(kd2m_table_set_real(table, "term_mb", term->bytes / 1e6));
cleanup:
    return status;
}

/* The rows of the cell's method whose trials were taken in, which are then forgotten. */
static kd2m_status end_method(costs *c) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < c->term_count; i++)
        KD2M_TRY(add_row(c, &c->terms[i]));
    c->lacks_memory |= c->trials > 0 && isnan(c->bytes);
cleanup:
    clear_terms(c);
    return status;
}

static void begin_method(costs *c, const kd2m_place *place) {
    c->at = *place;
    c->step = 0;
    c->bytes = NAN;
}

/* ---- trials ---- */

/* NaN where there is none. */
static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool is_part(const json_t *row, const char *part) {
    const char *own = json_string_value(json_object_get(row, "part"));
    return own && strcmp(own, part) == 0;
}

/* Seconds of a profile's rows that are of steps. */
static double seconds_in_steps(const json_t *rows) {
    static const char *const parts[] = {"layer", "loss", "projector", "teacher", "step"};
    double sum = 0;
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) {
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            if (is_part(row, parts[k]))
                sum += number_of(row, "seconds");
    }
    return sum;
}

static kd2m_status add_terms(costs *c, const json_t *rows, double step, double whole) {
    size_t i, number = 0;
    const json_t *row;
    kd2m_status status = KD2M_OK;
    json_array_foreach(rows, i, row) {
        if (!is_part(row, "loss"))
            continue;
        if (number == c->term_count) {
            KD2M_TRY(kd2m_grow(c->context, (void **)&c->terms, &c->term_capacity, c->term_count,
                               number + 1, sizeof *c->terms));
            c->terms[c->term_count++] = (term_cost){.bytes = NAN};
            KD2M_TRY(kd2m_text_copy(c->context, &c->terms[number].name,
                                    json_string_value(json_object_get(row, "name"))));
        }
        term_cost *to = &c->terms[number++];
        double share = number_of(row, "seconds") / whole;
        to->share += share;
        to->seconds += share * step;
        to->bytes = fmax(to->bytes, number_of(row, "bytes"));
    }
cleanup:
    return status;
}

/* Takes in a trial; one whose last sitting made no step is left out. */
static kd2m_status add_trial(costs *c, const json_t *settings, const json_t *result,
                             const json_t *profile) {
    const json_t *rows = json_object_get(profile, "rows");
    double whole = seconds_in_steps(rows), rate = number_of(result, "samples_per_second");
    kd2m_train_settings values;
    kd2m_status status = KD2M_OK;
    if (!(whole > 0) || !(rate > 0))
        return KD2M_OK;
    KD2M_TRY(kd2m_plan_settings(c->context, settings, &values));
    double step = (double)values.batch_size / rate;
    KD2M_TRY(add_terms(c, rows, step, whole));
    c->step += step;
    c->bytes = fmax(c->bytes, number_of(result, "peak_bytes"));
    c->trials++;
cleanup:
    return status;
}

static kd2m_status parse(const costs *c, sqlite3_stmt *row, int column, const char *what,
                         json_t **out) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    return kd2m_json_parse(c->context, out, text, strlen(text), what);
}

/* Columns: 0 data, 1 student, 2 method, 3 settings, 4 result, 5 costs. */
static kd2m_status take_trial(void *user, sqlite3_stmt *row) {
    costs *c = user;
    const kd2m_place place = {.stage = KD2M_STAGE_REPORT,
                              .data = (size_t)sqlite3_column_int64(row, 0),
                              .student = (size_t)sqlite3_column_int64(row, 1),
                              .method = (size_t)sqlite3_column_int64(row, 2)};
    json_t *settings = NULL, *result = NULL, *profile = NULL;
    kd2m_status status = KD2M_OK;
    if (place.data != c->at.data || place.student != c->at.student ||
        place.method != c->at.method) {
        KD2M_TRY(end_method(c));
        begin_method(c, &place);
    }
    KD2M_TRY(parse(c, row, 3, "study.db: a trial's settings", &settings));
    KD2M_TRY(parse(c, row, 4, "study.db: a trial's result", &result));
    KD2M_TRY(parse(c, row, 5, "study.db: a trial's costs", &profile));
    KD2M_TRY(add_trial(c, settings, result, profile));
cleanup:
    json_decref(profile);
    json_decref(result);
    json_decref(settings);
    return status;
}

/* ---- the table ---- */

static kd2m_status add_notes(const costs *c) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_note(
        c->table, "step: nets, teacher, loss, optimiser and waiting for data; term: its value and "
                  "gradient at the layers; means over trials"));
    KD2M_TRY(kd2m_table_add_note(
        c->table, "term MB: the scratch, rows and bank that it asks for beforehand, for itself "
                  "alone; trial MB: the most that a whole trial had at a time, its data included"));
    if (c->lacks_memory)
        KD2M_TRY(kd2m_table_add_note(c->table, "no memory was kept of trials of an earlier "
                                               "version"));
cleanup:
    return status;
}

kd2m_status kd2m_study_costs(kd2m_table **out, kd2m_study *study) {
    static const kd2m_table_column columns[] = {
        {"data", NULL, KD2M_COLUMN_TEXT, 0},         {"student", NULL, KD2M_COLUMN_TEXT, 0},
        {"method", NULL, KD2M_COLUMN_TEXT, 0},       {"trials", NULL, KD2M_COLUMN_INTEGER, 0},
        {"step_ms", "step ms", KD2M_COLUMN_REAL, 3}, {"trial_mb", "trial MB", KD2M_COLUMN_REAL, 1},
        {"term", NULL, KD2M_COLUMN_TEXT, 0},         {"term_ms", "term ms", KD2M_COLUMN_REAL, 3},
        {"percent", "%", KD2M_COLUMN_REAL, 1},       {"term_mb", "term MB", KD2M_COLUMN_REAL, 3},
    };
    costs c = {.study = study, .context = study->context, .bytes = NAN};
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_table_create(&c.table, study->context, "costs"));
    KD2M_TRY(kd2m_table_add_columns(c.table, columns, sizeof columns / sizeof *columns));
    KD2M_TRY(kd2m_store_query(study->store,
                              "SELECT data, student, method, settings, result, costs FROM trial"
                              " WHERE stage = 2 AND result IS NOT NULL AND costs IS NOT NULL"
                              " ORDER BY data, student, method, repeat",
                              NULL, take_trial, &c));
    KD2M_TRY(end_method(&c));
    KD2M_TRY(add_notes(&c));
    *out = c.table;
    c.table = NULL;
cleanup:
    clear_terms(&c);
    kd2m_free(study->context, c.terms);
    kd2m_table_free(c.table);
    return status;
}
