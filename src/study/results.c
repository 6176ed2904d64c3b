/*
 * The figures of a study: mean and sd over the report's seeds of every method in every cell on
 * every part (validation; test and shifts after the final evaluation), and how each differs from
 * the baselines: t intervals of the differences seed by seed, adjusted by Holm over the family of
 * all differences in the table. 'Better' is said only where the family's verdict says so.
 */
#include <math.h>
#include <stdio.h>

#include "comparisons.h"
#include "context.h"
#include "figures.h"
#include "kd2m/stats.h"
#include "memory.h"

#define ALPHA 0.05

typedef struct results {
    kd2m_study *study;
    kd2m_context *context;
    kd2m_figures figures;
    size_t (*numbers)[KD2M_MOST_BASELINES]; /* of a figure's tests in the family; SIZE_MAX: none */
    kd2m_mean_test *tests;
    kd2m_verdict *verdicts;
    size_t test_count;
    bool has_teacher;
} results;

/* ---- differences ---- */

/* Tests the seeds that both have; without two of them there is nothing to test. */
static kd2m_status test_difference(results *r, size_t row, size_t baseline, double *const sets[2]) {
    const kd2m_plan *plan = r->study->plan;
    const kd2m_figure *of = &r->figures.rows[row];
    r->numbers[row][baseline] = SIZE_MAX;
    if (!kd2m_is_compared(plan, of->method, baseline))
        return KD2M_OK;
    const kd2m_figure *to = kd2m_figures_find(&r->figures, of->data, of->student,
                                              kd2m_baseline_method(plan, baseline), of->part);
    size_t count = kd2m_figures_common(&r->figures, (const kd2m_figure *[]){of, to}, 2, sets);
    if (count < 2)
        return KD2M_OK;
    r->numbers[row][baseline] = r->test_count;
    return kd2m_mean_test_paired(&r->tests[r->test_count++], r->context, sets[0], sets[1], count,
                                 1 - ALPHA);
}

static kd2m_status test_all(results *r) {
    size_t seeds = r->study->plan->seeds, rows = r->figures.count,
           most = rows * KD2M_MOST_BASELINES;
    double *pairs = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(r->context, (void **)&pairs, 2 * seeds, sizeof *pairs));
    KD2M_TRY(kd2m_alloc(r->context, (void **)&r->numbers, rows, sizeof *r->numbers));
    KD2M_TRY(kd2m_alloc(r->context, (void **)&r->tests, most, sizeof *r->tests));
    KD2M_TRY(kd2m_alloc(r->context, (void **)&r->verdicts, most, sizeof *r->verdicts));
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < r->study->plan->baseline_count; k++)
            KD2M_TRY(test_difference(r, i, k, (double *const[]){pairs, pairs + seeds}));
    if (r->test_count > 0)
        KD2M_TRY(kd2m_family_judge(r->verdicts, r->context, r->tests, r->test_count, ALPHA));
cleanup:
    kd2m_free(r->context, pairs);
    return status;
}

/* ---- the table ---- */

static kd2m_status add_columns(const results *r, kd2m_table *table) {
    static const char *const texts[] = {"data", "part", "student", "method"};
    const kd2m_plan *plan = r->study->plan;
    char key[KD2M_KEY_SIZE];
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        KD2M_TRY(kd2m_table_add_column(table, texts[i], texts[i], KD2M_COLUMN_TEXT, 0));
    KD2M_TRY(kd2m_table_add_column(table, "seeds", "seeds", KD2M_COLUMN_INTEGER, 0));
    KD2M_TRY(
        kd2m_table_add_column(table, r->figures.score, r->figures.score, KD2M_COLUMN_MEAN_SD, 4));
    for (size_t k = 0; k < plan->baseline_count; k++) {
        KD2M_TRY(kd2m_add_difference_columns(table, plan, k));
        kd2m_baseline_key(key, "p", plan, k);
        KD2M_TRY(kd2m_table_add_column(table, key, "Holm's p", KD2M_COLUMN_REAL, 4));
        kd2m_baseline_key(key, "verdict", plan, k);
        KD2M_TRY(kd2m_table_add_column(table, key, "verdict", KD2M_COLUMN_TEXT, 0));
    }
cleanup:
    return status;
}

static kd2m_status add_difference(const results *r, kd2m_table *table, size_t row, size_t k) {
    const kd2m_plan *plan = r->study->plan;
    char key[KD2M_KEY_SIZE];
    kd2m_status status = KD2M_OK;
    size_t number = r->numbers[row][k];
    if (number == SIZE_MAX)
        return KD2M_OK;
    const kd2m_mean_test *test = &r->tests[number];
    const kd2m_verdict *verdict = &r->verdicts[number];
    kd2m_baseline_key(key, "difference", plan, k);
    KD2M_TRY(kd2m_table_set_real(table, key, test->estimate));
    kd2m_baseline_key(key, "low", plan, k);
    KD2M_TRY(kd2m_table_set_real(table, key, verdict->step_low));
    kd2m_baseline_key(key, "high", plan, k);
    KD2M_TRY(kd2m_table_set_real(table, key, verdict->step_high));
    kd2m_baseline_key(key, "p", plan, k);
    KD2M_TRY(kd2m_table_set_real(table, key, verdict->adjusted_p));
    kd2m_baseline_key(key, "verdict", plan, k);
    KD2M_TRY(kd2m_table_set_text(table, key,
                                 verdict->sign > 0   ? "better"
                                 : verdict->sign < 0 ? "worse"
                                                     : "open"));
cleanup:
    return status;
}

/* Begins the row of a method, or teacher, in a figure's cell. */
static kd2m_status begin_row(const results *r, kd2m_table *table, const kd2m_figure *of,
                             const char *method, size_t seeds) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_begin_method_row(table, r->study->plan, of->data, of->part, of->student, method));
    KD2M_TRY(kd2m_table_set_integer(table, "seeds", (int64_t)seeds));
cleanup:
    return status;
}

/* What the students learn from, before the first of a cell's `count` figures unless it has none. */
static kd2m_status add_teacher(results *r, kd2m_table *table, const kd2m_figure *first,
                               size_t count) {
    bool any = false;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < count * r->study->plan->seeds; i++)
        any |= isfinite(first->values[i]) != 0;
    if (!any || !isfinite(*first->teacher))
        return KD2M_OK;
    r->has_teacher = true;
    KD2M_TRY(begin_row(r, table, first, "teacher", 1));
    KD2M_TRY(kd2m_table_set_mean_sd(table, r->figures.score, *first->teacher, NAN));
cleanup:
    return status;
}

static kd2m_status add_figure(const results *r, kd2m_table *table, size_t row) {
    const kd2m_plan *plan = r->study->plan;
    const kd2m_figure *of = &r->figures.rows[row];
    double *finite = NULL;
    size_t count;
    kd2m_summary summary;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(r->context, (void **)&finite, plan->seeds, sizeof *finite));
    count = kd2m_figures_common(&r->figures, &of, 1, &finite);
    if (count == 0)
        goto cleanup;
    KD2M_TRY(kd2m_summarise(&summary, r->context, finite, count));
    KD2M_TRY(begin_row(r, table, of, plan->methods[of->method].part.name, count));
    KD2M_TRY(kd2m_table_set_mean_sd(table, r->figures.score, summary.mean, summary.sd));
    for (size_t k = 0; k < plan->baseline_count; k++)
        KD2M_TRY(add_difference(r, table, row, k));
cleanup:
    kd2m_free(r->context, finite);
    return status;
}

static kd2m_status add_notes(const results *r, kd2m_table *table) {
    char note[256];
    kd2m_status status = KD2M_OK;
    if (r->has_teacher)
        KD2M_TRY(kd2m_table_add_note(table, "teacher: one training, that all students of the data "
                                            "set learn from"));
    if (r->test_count == 0)
        goto cleanup;
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
    kd2m_free(r->context, r->numbers);
    kd2m_figures_clear(&r->figures);
}

kd2m_status kd2m_study_results(kd2m_table **out, kd2m_study *study, const char *score) {
    results r = {.study = study, .context = study->context};
    kd2m_table *table = NULL;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_figures_read(&r.figures, study, score ? score : study->plan->score));
    KD2M_TRY(test_all(&r));
    KD2M_TRY(kd2m_table_create(&table, study->context, "results"));
    KD2M_TRY(add_columns(&r, table));
    for (size_t i = 0; i < r.figures.count; i++) {
        const kd2m_figure *at = &r.figures.rows[i];
        if (at->method == 0)
            KD2M_TRY(add_teacher(&r, table, at, study->plan->method_count));
        KD2M_TRY(add_figure(&r, table, i));
    }
    KD2M_TRY(add_notes(&r, table));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    clear(&r);
    return status;
}
