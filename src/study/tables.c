/* What a study tells about its own course: progress, trials, winners. */
#include <math.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "memory.h"
#include "spec.h"
#include "study_internal.h"
#include "text.h"

static const char *const stage_names[] = {"teacher", "search", "report"};
static const char *const state_names[] = {"waiting", "running", "done", "failed"};
#define STAGES (sizeof stage_names / sizeof *stage_names)
#define STATES (sizeof state_names / sizeof *state_names)

/* Gives the table that `status` lets live to the caller. */
static kd2m_status hand_out(kd2m_table **out, kd2m_table *table, kd2m_status status) {
    *out = status == KD2M_OK ? table : NULL;
    if (status != KD2M_OK)
        kd2m_table_free(table);
    return status;
}

/* ---- progress ---- */

static kd2m_status add_progress_row(kd2m_table *table, const char *stage,
                                    const size_t counts[STATES]) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "stage", stage));
    for (size_t i = 0; i < STATES; i++)
        KD2M_TRY(kd2m_table_set_integer(table, state_names[i], (int64_t)counts[i]));
cleanup:
    return status;
}

kd2m_status kd2m_study_progress(kd2m_table **out, kd2m_study *study) {
    kd2m_table *table = NULL;
    kd2m_trial_row *rows = NULL;
    size_t count, counts[STAGES][STATES] = {{0}}, all[STATES] = {0};
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_store_trials(study->store, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        counts[rows[i].place.stage][rows[i].state]++;
        all[rows[i].state]++;
    }
    /* what can't be named yet waits, too */
    all[KD2M_TRIAL_WAITING] += study->total - count;
    KD2M_TRY(kd2m_table_create(&table, study->context, "progress"));
    KD2M_TRY(kd2m_table_add_column(table, "stage", "stage", KD2M_COLUMN_TEXT, 0));
    for (size_t i = 0; i < STATES; i++)
        KD2M_TRY(
            kd2m_table_add_column(table, state_names[i], state_names[i], KD2M_COLUMN_INTEGER, 0));
    for (size_t i = 0; i < STAGES; i++)
        KD2M_TRY(add_progress_row(table, stage_names[i], counts[i]));
    KD2M_TRY(add_progress_row(table, "all", all));
cleanup:
    kd2m_free(study->context, rows);
    return hand_out(out, table, status);
}

/* ---- trials ---- */

typedef struct trial_table {
    kd2m_study *study;
    kd2m_table *table;
} trial_table;

static kd2m_status set_real_of(kd2m_table *table, const json_t *result, const char *key) {
    const json_t *value = json_object_get(result, key);
    return kd2m_table_set_real(table, key, json_is_number(value) ? json_number_value(value) : NAN);
}

/* Columns: 0 hash, 1 stage, 2 data, 3 student, 4 method, 5 rung, 6 candidate, 7 repeat, 8 state,
 * 9 score, 10 sittings, 11 message, 12 result. */
static kd2m_status add_trial(void *user, sqlite3_stmt *row) {
    const trial_table *to = user;
    const kd2m_plan *plan = to->study->plan;
    kd2m_table *table = to->table;
    int stage = sqlite3_column_int(row, 1);
    const char *text = (const char *)sqlite3_column_text(row, 12);
    json_t *result = NULL;
    kd2m_status status = KD2M_OK;
    if (text)
        KD2M_TRY(kd2m_json_parse(to->study->context, &result, text, strlen(text), "a result"));
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "trial", (const char *)sqlite3_column_text(row, 0)));
    KD2M_TRY(kd2m_table_set_text(table, "stage", stage_names[stage]));
    KD2M_TRY(
        kd2m_table_set_text(table, "data", plan->data[sqlite3_column_int64(row, 2)].part.name));
    if (stage != KD2M_STAGE_TEACHER) {
        KD2M_TRY(kd2m_table_set_text(table, "student",
                                     plan->students[sqlite3_column_int64(row, 3)].name));
        KD2M_TRY(kd2m_table_set_text(table, "method",
                                     plan->methods[sqlite3_column_int64(row, 4)].part.name));
        KD2M_TRY(kd2m_table_set_integer(table, "candidate", sqlite3_column_int64(row, 6)));
    }
    if (stage == KD2M_STAGE_SEARCH)
        KD2M_TRY(kd2m_table_set_integer(table, "rung", sqlite3_column_int64(row, 5)));
    if (stage == KD2M_STAGE_REPORT)
        KD2M_TRY(kd2m_table_set_integer(table, "seed", sqlite3_column_int64(row, 7)));
    KD2M_TRY(kd2m_table_set_text(table, "state", (const char *)sqlite3_column_text(row, 8)));
    if (sqlite3_column_type(row, 9) != SQLITE_NULL)
        KD2M_TRY(kd2m_table_set_real(table, "validation", sqlite3_column_double(row, 9)));
    KD2M_TRY(set_real_of(table, result, "seconds"));
    KD2M_TRY(kd2m_table_set_integer(table, "sittings", sqlite3_column_int64(row, 10)));
    if (sqlite3_column_type(row, 11) != SQLITE_NULL)
        KD2M_TRY(kd2m_table_set_text(table, "message", (const char *)sqlite3_column_text(row, 11)));
cleanup:
    json_decref(result);
    return status;
}

kd2m_status kd2m_study_trials(kd2m_table **out, kd2m_study *study) {
    static const kd2m_table_column columns[] = {
        {"trial", NULL, KD2M_COLUMN_TEXT, 0},        {"stage", NULL, KD2M_COLUMN_TEXT, 0},
        {"data", NULL, KD2M_COLUMN_TEXT, 0},         {"student", NULL, KD2M_COLUMN_TEXT, 0},
        {"method", NULL, KD2M_COLUMN_TEXT, 0},       {"rung", NULL, KD2M_COLUMN_INTEGER, 0},
        {"candidate", NULL, KD2M_COLUMN_INTEGER, 0}, {"seed", NULL, KD2M_COLUMN_INTEGER, 0},
        {"state", NULL, KD2M_COLUMN_TEXT, 0},        {"validation", NULL, KD2M_COLUMN_REAL, 4},
        {"seconds", NULL, KD2M_COLUMN_REAL, 1},      {"sittings", NULL, KD2M_COLUMN_INTEGER, 0},
        {"message", NULL, KD2M_COLUMN_TEXT, 0},
    };
    trial_table to = {study, NULL};
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_table_create(&to.table, study->context, "trials"));
    KD2M_TRY(kd2m_table_add_columns(to.table, columns, sizeof columns / sizeof *columns));
    KD2M_TRY(kd2m_store_query(study->store,
                              "SELECT hash, stage, data, student, method, rung, candidate, repeat,"
                              " state, score, sittings, message, result FROM trial ORDER BY id",
                              NULL, add_trial, &to));
cleanup:
    return hand_out(out, to.table, status);
}

/* ---- winners ---- */

/* 'lr=0.01 sampler=balanced': what the search chose beside the loss. */
static kd2m_status set_choice(kd2m_study *study, kd2m_table *table, const kd2m_plan_method *method,
                              const json_t *settings) {
    const char *key;
    json_t *range;
    kd2m_text text = {study->context, NULL, 0, 0};
    char number[KD2M_NUMBER_SIZE];
    kd2m_status status = KD2M_OK;
    json_object_foreach((json_t *)method->search, key, range) {
        const json_t *value = json_object_get(settings, key);
        const char *said = json_string_value(value);
        if (!value)
            continue; /* in the loss */
        if (!said) {
            kd2m_format_number(number, json_number_value(value));
            said = number;
        }
        KD2M_TRY(kd2m_text_append(&text, "%s%s=%s", text.length > 0 ? " " : "", key, said));
    }
    if (text.text)
        KD2M_TRY(kd2m_table_set_text(table, "chosen", text.text));
cleanup:
    kd2m_free(study->context, text.text);
    return status;
}

static kd2m_status add_winner(kd2m_study *study, kd2m_table *table, const kd2m_trial_row *report,
                              double score) {
    const kd2m_plan *plan = study->plan;
    const kd2m_place *place = &report->place;
    json_t *settings = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_plan_candidate(plan, place->data, place->student, place->method, place->candidate,
                                 &settings));
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "data", plan->data[place->data].part.name));
    KD2M_TRY(kd2m_table_set_text(table, "student", plan->students[place->student].name));
    KD2M_TRY(kd2m_table_set_text(table, "method", plan->methods[place->method].part.name));
    KD2M_TRY(
        kd2m_table_set_text(table, "loss", json_string_value(json_object_get(settings, "loss"))));
    KD2M_TRY(set_choice(study, table, &plan->methods[place->method], settings));
    KD2M_TRY(kd2m_table_set_real(table, "validation", score));
cleanup:
    json_decref(settings);
    return status;
}

/* The score of the last rung's trial that a report's candidate won with. */
static double winning_score(const kd2m_study *study, const kd2m_trial_row *rows, size_t count,
                            const kd2m_place *place) {
    for (size_t i = 0; i < count; i++) {
        const kd2m_place *at = &rows[i].place;
        if (at->stage == KD2M_STAGE_SEARCH && at->data == place->data &&
            at->student == place->student && at->method == place->method &&
            at->candidate == place->candidate && at->rung + 1 == study->plan->rungs)
            return rows[i].score;
    }
    return NAN;
}

kd2m_status kd2m_study_winners(kd2m_table **out, kd2m_study *study) {
    static const kd2m_table_column columns[] = {
        {"data", NULL, KD2M_COLUMN_TEXT, 0},   {"student", NULL, KD2M_COLUMN_TEXT, 0},
        {"method", NULL, KD2M_COLUMN_TEXT, 0}, {"loss", NULL, KD2M_COLUMN_TEXT, 0},
        {"chosen", NULL, KD2M_COLUMN_TEXT, 0}, {"validation", NULL, KD2M_COLUMN_REAL, 4},
    };
    kd2m_table *table = NULL;
    kd2m_trial_row *rows = NULL;
    size_t count;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_store_trials(study->store, &rows, &count));
    KD2M_TRY(kd2m_table_create(&table, study->context, "winners"));
    KD2M_TRY(kd2m_table_add_columns(table, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < count; i++)
        if (rows[i].place.stage == KD2M_STAGE_REPORT && rows[i].place.repeat == 0)
            KD2M_TRY(add_winner(study, table, &rows[i],
                                winning_score(study, rows, count, &rows[i].place)));
cleanup:
    kd2m_free(study->context, rows);
    return hand_out(out, table, status);
}
