/*
 * The figures of a study: mean and sd over the report's seeds of every method in every cell on
 * every part (validation; test and shifts after the final evaluation), and how each differs from
 * the baselines: t intervals of the differences seed by seed, adjusted by Holm over the family of
 * all differences in the table. 'Better' is said only where the family's verdict says so.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "kd2m/stats.h"
#include "memory.h"
#include "study_internal.h"

#define ALPHA 0.05
#define MOST_BASELINES (sizeof((kd2m_plan *)NULL)->baselines / sizeof(char *))

/* One row of the table. */
typedef struct cell {
    size_t data, student, method;
    const char *part;
    double *values;               /* seeds; NaN: diverged, or not there */
    size_t tests[MOST_BASELINES]; /* numbers in the family; SIZE_MAX: none */
} cell;

typedef struct results {
    kd2m_study *study;
    kd2m_context *context;
    const char *score;
    cell *cells;
    size_t cell_count;
    double *values; /* of all cells */
    kd2m_mean_test *tests;
    kd2m_verdict *verdicts;
    size_t test_count;
} results;

/* ---- cells and their values ---- */

static size_t part_count(const kd2m_plan_data *data) {
    return 2 + data->shift_count;
}

static const char *part_name(const kd2m_plan_data *data, size_t part) {
    return part == 0 ? "validation" : part == 1 ? "test" : data->shifts[part - 2].name;
}

static kd2m_status make_cells(results *r) {
    const kd2m_plan *plan = r->study->plan;
    size_t count = 0, next = 0;
    kd2m_status status = KD2M_OK;
    for (size_t d = 0; d < plan->data_count; d++)
        count += part_count(&plan->data[d]) * plan->student_count * plan->method_count;
    KD2M_TRY(kd2m_alloc(r->context, (void **)&r->cells, count, sizeof *r->cells));
    KD2M_TRY(kd2m_alloc(r->context, (void **)&r->values, count * plan->seeds, sizeof *r->values));
    for (size_t i = 0; i < count * plan->seeds; i++)
        r->values[i] = NAN;
    for (size_t d = 0; d < plan->data_count; d++)
        for (size_t p = 0; p < part_count(&plan->data[d]); p++)
            for (size_t s = 0; s < plan->student_count; s++)
                for (size_t m = 0; m < plan->method_count; m++, next++)
                    r->cells[next] = (cell){
                        d, s, m, part_name(&plan->data[d], p), r->values + next * plan->seeds, {0}};
    r->cell_count = count;
cleanup:
    return status;
}

static cell *find_cell(const results *r, const kd2m_place *place, const char *part) {
    for (size_t i = 0; i < r->cell_count; i++) {
        cell *at = &r->cells[i];
        if (at->data == place->data && at->student == place->student &&
            at->method == place->method && strcmp(at->part, part) == 0)
            return at;
    }
    return NULL;
}

static void predict(int32_t *out, const float *logits, size_t rows, size_t classes) {
    for (size_t i = 0; i < rows; i++) {
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            if (logits[i * classes + c] > logits[i * classes + best])
                best = c;
        out[i] = (int32_t)best;
    }
}

static double named_score(const results *r, const kd2m_scores *scores) {
    return strcmp(r->score, "balanced_accuracy") == 0 ? scores->balanced_accuracy
           : strcmp(r->score, "macro_f1") == 0        ? scores->macro_f1
                                                      : scores->accuracy;
}

/* Columns: 0 stage, 1 data, 2 student, 3 method, 4 repeat, 5 part, 6 classes, 7 labels, 8 logits.
 */
static kd2m_status take_outputs(void *user, sqlite3_stmt *row) {
    const results *r = user;
    const kd2m_place place = {.data = (size_t)sqlite3_column_int64(row, 1),
                              .student = (size_t)sqlite3_column_int64(row, 2),
                              .method = (size_t)sqlite3_column_int64(row, 3)};
    cell *to = find_cell(r, &place, (const char *)sqlite3_column_text(row, 5));
    size_t classes = (size_t)sqlite3_column_int64(row, 6);
    size_t rows = (size_t)sqlite3_column_bytes(row, 7) / sizeof(int32_t);
    size_t logits = (size_t)sqlite3_column_bytes(row, 8) / sizeof(float);
    int32_t *predictions = NULL;
    kd2m_scores scores;
    kd2m_status status = KD2M_OK;
    if (!to)
        return KD2M_OK;
    if (classes == 0 || logits != rows * classes)
        return kd2m_fail(r->context, KD2M_ERROR_INPUT, "study.db: outputs of another size");
    KD2M_TRY(kd2m_alloc(r->context, (void **)&predictions, rows, sizeof *predictions));
    predict(predictions, sqlite3_column_blob(row, 8), rows, classes);
    KD2M_TRY(kd2m_score_predictions(&scores, NULL, r->context, sqlite3_column_blob(row, 7),
                                    predictions, rows, classes));
    to->values[sqlite3_column_int64(row, 4)] = named_score(r, &scores);
cleanup:
    kd2m_free(r->context, predictions);
    return status;
}

static kd2m_status fill_cells(results *r) {
    kd2m_trial_row *rows = NULL;
    size_t count;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_trials(r->study->store, &rows, &count));
    for (size_t i = 0; i < count && strcmp(r->score, "accuracy") == 0; i++)
        if (rows[i].place.stage == KD2M_STAGE_REPORT)
            find_cell(r, &rows[i].place, "validation")->values[rows[i].place.repeat] =
                rows[i].score;
    KD2M_TRY(kd2m_store_query(r->study->store,
                              "SELECT stage, data, student, method, repeat, part, classes, labels,"
                              " logits FROM score JOIN trial ON trial.id = score.trial"
                              " WHERE stage = 2",
                              NULL, take_outputs, r));
cleanup:
    kd2m_free(r->context, rows);
    return status;
}

/* ---- differences ---- */

static const cell *baseline_of(const results *r, const cell *of, size_t baseline) {
    const kd2m_plan *plan = r->study->plan;
    for (size_t m = 0; m < plan->method_count; m++)
        if (strcmp(plan->methods[m].part.name, plan->baselines[baseline]) == 0)
            return find_cell(
                r, &(kd2m_place){.data = of->data, .student = of->student, .method = m}, of->part);
    return NULL;
}

/* Whether a method is an earlier baseline than `baseline`: their difference counts once. */
static bool is_earlier_baseline(const results *r, const cell *of, size_t baseline) {
    const char *name = r->study->plan->methods[of->method].part.name;
    for (size_t k = 0; k < baseline; k++)
        if (strcmp(r->study->plan->baselines[k], name) == 0)
            return true;
    return false;
}

/* Tests the seeds that both have; without two of them there is nothing to test. */
static kd2m_status test_difference(results *r, cell *of, size_t baseline, double *a, double *b) {
    const cell *to = baseline_of(r, of, baseline);
    size_t count = 0;
    of->tests[baseline] = SIZE_MAX;
    if (!to || to->method == of->method || is_earlier_baseline(r, of, baseline))
        return KD2M_OK;
    for (size_t i = 0; i < r->study->plan->seeds; i++)
        if (isfinite(of->values[i]) && isfinite(to->values[i])) {
            a[count] = of->values[i];
            b[count++] = to->values[i];
        }
    if (count < 2)
        return KD2M_OK;
    of->tests[baseline] = r->test_count;
    return kd2m_mean_test_paired(&r->tests[r->test_count++], r->context, a, b, count, 1 - ALPHA);
}

static kd2m_status test_all(results *r) {
    size_t seeds = r->study->plan->seeds, most = r->cell_count * MOST_BASELINES;
    double *pairs = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(r->context, (void **)&pairs, 2 * seeds, sizeof *pairs));
    KD2M_TRY(kd2m_alloc(r->context, (void **)&r->tests, most, sizeof *r->tests));
    KD2M_TRY(kd2m_alloc(r->context, (void **)&r->verdicts, most, sizeof *r->verdicts));
    for (size_t i = 0; i < r->cell_count; i++)
        for (size_t k = 0; k < r->study->plan->baseline_count; k++)
            KD2M_TRY(test_difference(r, &r->cells[i], k, pairs, pairs + seeds));
    if (r->test_count > 0)
        KD2M_TRY(kd2m_family_judge(r->verdicts, r->context, r->tests, r->test_count, ALPHA));
cleanup:
    kd2m_free(r->context, pairs);
    return status;
}

/* ---- the table ---- */

/* 'KIND_BASELINE' */
static void column_key(char out[80], const char *kind, const char *baseline) {
    snprintf(out, 80, "%s_%.60s", kind, baseline);
}

static kd2m_status add_columns(const results *r, kd2m_table *table) {
    static const char *const texts[] = {"data", "part", "student", "method"};
    const kd2m_plan *plan = r->study->plan;
    char key[80], title[80];
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        KD2M_TRY(kd2m_table_add_column(table, texts[i], texts[i], KD2M_COLUMN_TEXT, 0));
    KD2M_TRY(kd2m_table_add_column(table, "seeds", "seeds", KD2M_COLUMN_INTEGER, 0));
    KD2M_TRY(kd2m_table_add_column(table, r->score, r->score, KD2M_COLUMN_MEAN_SD, 4));
    for (size_t k = 0; k < plan->baseline_count; k++) {
        const char *name = plan->baselines[k];
        column_key(key, "difference", name);
        snprintf(title, sizeof title, "- %.60s", name);
        KD2M_TRY(kd2m_table_add_column(table, key, title, KD2M_COLUMN_REAL, 4));
        column_key(key, "low", name);
        KD2M_TRY(kd2m_table_add_column(table, key, "from", KD2M_COLUMN_REAL, 4));
        column_key(key, "high", name);
        KD2M_TRY(kd2m_table_add_column(table, key, "to", KD2M_COLUMN_REAL, 4));
        column_key(key, "p", name);
        KD2M_TRY(kd2m_table_add_column(table, key, "Holm's p", KD2M_COLUMN_REAL, 4));
        column_key(key, "verdict", name);
        KD2M_TRY(kd2m_table_add_column(table, key, "verdict", KD2M_COLUMN_TEXT, 0));
    }
cleanup:
    return status;
}

static kd2m_status add_difference(const results *r, kd2m_table *table, const cell *of, size_t k) {
    const char *name = r->study->plan->baselines[k];
    char key[80];
    kd2m_status status = KD2M_OK;
    if (of->tests[k] == SIZE_MAX)
        return KD2M_OK;
    const kd2m_mean_test *test = &r->tests[of->tests[k]];
    const kd2m_verdict *verdict = &r->verdicts[of->tests[k]];
    column_key(key, "difference", name);
    KD2M_TRY(kd2m_table_set_real(table, key, test->estimate));
    column_key(key, "low", name);
    KD2M_TRY(kd2m_table_set_real(table, key, verdict->step_low));
    column_key(key, "high", name);
    KD2M_TRY(kd2m_table_set_real(table, key, verdict->step_high));
    column_key(key, "p", name);
    KD2M_TRY(kd2m_table_set_real(table, key, verdict->adjusted_p));
    column_key(key, "verdict", name);
    KD2M_TRY(kd2m_table_set_text(table, key,
                                 verdict->sign > 0   ? "better"
                                 : verdict->sign < 0 ? "worse"
                                                     : "open"));
cleanup:
    return status;
}

static kd2m_status add_cell(const results *r, kd2m_table *table, const cell *of) {
    const kd2m_plan *plan = r->study->plan;
    double *finite = NULL;
    size_t count = 0;
    kd2m_summary summary;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(r->context, (void **)&finite, plan->seeds, sizeof *finite));
    for (size_t i = 0; i < plan->seeds; i++)
        if (isfinite(of->values[i]))
            finite[count++] = of->values[i];
    if (count == 0)
        goto cleanup;
    KD2M_TRY(kd2m_summarise(&summary, r->context, finite, count));
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "data", plan->data[of->data].part.name));
    KD2M_TRY(kd2m_table_set_text(table, "part", of->part));
    KD2M_TRY(kd2m_table_set_text(table, "student", plan->students[of->student].name));
    KD2M_TRY(kd2m_table_set_text(table, "method", plan->methods[of->method].part.name));
    KD2M_TRY(kd2m_table_set_integer(table, "seeds", (int64_t)count));
    KD2M_TRY(kd2m_table_set_mean_sd(table, r->score, summary.mean, summary.sd));
    for (size_t k = 0; k < plan->baseline_count; k++)
        KD2M_TRY(add_difference(r, table, of, k));
cleanup:
    kd2m_free(r->context, finite);
    return status;
}

static kd2m_status add_notes(const results *r, kd2m_table *table) {
    char note[256];
    kd2m_status status = KD2M_OK;
    if (r->test_count == 0)
        return KD2M_OK;
    snprintf(note, sizeof note,
             "differences: t intervals over seeds, df = seeds - 1, at the level that Holm's "
             "procedure asks of each among the %zu of this table (together %g %%); 'open': the "
             "data do not tell",
             r->test_count, 100 * (1 - ALPHA));
    KD2M_TRY(kd2m_table_add_note(table, note));
cleanup:
    return status;
}

static void clear(results *r) {
    kd2m_free(r->context, r->verdicts);
    kd2m_free(r->context, r->tests);
    kd2m_free(r->context, r->values);
    kd2m_free(r->context, r->cells);
}

kd2m_status kd2m_study_results(kd2m_table **out, kd2m_study *study, const char *score) {
    results r = {.study = study, .context = study->context, .score = score};
    kd2m_table *table = NULL;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(make_cells(&r));
    KD2M_TRY(fill_cells(&r));
    KD2M_TRY(test_all(&r));
    KD2M_TRY(kd2m_table_create(&table, study->context, "results"));
    KD2M_TRY(add_columns(&r, table));
    for (size_t i = 0; i < r.cell_count; i++)
        KD2M_TRY(add_cell(&r, table, &r.cells[i]));
    KD2M_TRY(add_notes(&r, table));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    clear(&r);
    return status;
}
