/*
 * The method's two claims, tested on a study's own figures (E. F. Montesuma, arXiv:2504.01757):
 * matching distributions of features beats matching outputs in most cells, and it does most of all
 * under shift and where the student is much smaller.
 *
 * The first: in how many cells the mean over seeds is higher, its share with Clopper and Pearson's
 * interval, and a sign test. Cells share data and seeds, so that the interval describes these cells
 * and is no law. The second: per seed the contrast of differences
 *     (method - outputs under shift) - (method - outputs on test)
 *     (method - outputs of the smallest student) - (the same of the largest)
 * with its t interval, adjusted by Holm over all contrasts of the table.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comparisons.h"
#include "context.h"
#include "figures.h"
#include "kd2m/stats.h"
#include "memory.h"

#define ALPHA 0.05

/* A contrast of four figures and where it stands. */
typedef struct contrast {
    const char *what; /* "shift" or "size" */
    size_t data, student, method;
    const char *part;
    kd2m_mean_test test;
} contrast;

typedef struct claims {
    kd2m_study *study;
    kd2m_context *context;
    kd2m_figures figures;
    size_t outputs;           /* the method that matches outputs */
    size_t smallest, largest; /* students */
    contrast *contrasts;
    size_t contrast_count;
    double *sets; /* 4 x seeds */
} claims;

/* ---- what is compared ---- */

static bool is_baseline(const kd2m_plan *plan, size_t method) {
    for (size_t k = 0; k < plan->baseline_count; k++)
        if (kd2m_baseline_method(plan, k) == method)
            return true;
    return false;
}

/* The last baseline stands for matching outputs: of 'ce' and 'kd' the latter. */
static kd2m_status find_outputs(claims *c) {
    const kd2m_plan *plan = c->study->plan;
    if (plan->baseline_count > 0) {
        c->outputs = kd2m_baseline_method(plan, plan->baseline_count - 1);
        return KD2M_OK;
    }
    return kd2m_fail(c->context, KD2M_ERROR_USAGE,
                     "the plan has no baseline to test claims against: a method called 'kd', or "
                     "\"baselines\"");
}

static kd2m_status take_size(void *user, sqlite3_stmt *row) {
    double *sizes = user;
    sizes[sqlite3_column_int64(row, 0)] = sqlite3_column_double(row, 1);
    return KD2M_OK;
}

static kd2m_status find_sizes(claims *c) {
    size_t count = c->study->plan->student_count;
    double *sizes = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(c->context, (void **)&sizes, count, sizeof *sizes));
    KD2M_TRY(
        kd2m_store_query(c->study->store,
                         "SELECT student, max(json_extract(result, '$.parameters')) FROM trial"
                         " WHERE stage = 2 AND data = 0 AND result IS NOT NULL GROUP BY student",
                         NULL, take_size, sizes));
    for (size_t i = 1; i < count; i++) {
        c->smallest = sizes[i] < sizes[c->smallest] ? i : c->smallest;
        c->largest = sizes[i] > sizes[c->largest] ? i : c->largest;
    }
cleanup:
    kd2m_free(c->context, sizes);
    return status;
}

/* ---- the first claim ---- */

typedef enum parts { PARTS_TEST, PARTS_SHIFTS, PARTS_ALL } parts;

static bool belongs(const kd2m_figure *at, parts which) {
    bool test = strcmp(at->part, "test") == 0;
    if (strcmp(at->part, "validation") == 0)
        return false;
    return which == PARTS_ALL || test == (which == PARTS_TEST);
}

/* The mean difference to matching outputs; false where no seed has both. */
static bool mean_difference(const claims *c, const kd2m_figure *at, double *out) {
    size_t seeds = c->study->plan->seeds;
    const kd2m_figure *to =
        kd2m_figures_find(&c->figures, at->data, at->student, c->outputs, at->part);
    double *const sets[] = {c->sets, c->sets + seeds};
    size_t count = kd2m_figures_common(&c->figures, (const kd2m_figure *[]){at, to}, 2, sets);
    *out = 0;
    for (size_t i = 0; i < count; i++)
        *out += (sets[0][i] - sets[1][i]) / (double)count;
    return count > 0;
}

static kd2m_status add_count(claims *c, kd2m_table *table, const char *where, parts which) {
    double *differences = NULL;
    size_t count = 0;
    kd2m_sign_count signs;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(c->context, (void **)&differences, c->figures.count, sizeof *differences));
    for (size_t i = 0; i < c->figures.count; i++) {
        const kd2m_figure *at = &c->figures.rows[i];
        if (belongs(at, which) && !is_baseline(c->study->plan, at->method) &&
            mean_difference(c, at, &differences[count]))
            count++;
    }
    if (count == 0)
        goto cleanup;
    KD2M_TRY(kd2m_count_signs(&signs, c->context, differences, count, 1 - ALPHA));
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "claim", "features beat outputs"));
    KD2M_TRY(kd2m_table_set_text(table, "part", where));
    KD2M_TRY(kd2m_table_set_integer(table, "better", signs.better));
    KD2M_TRY(kd2m_table_set_integer(table, "cells", (int64_t)count));
    KD2M_TRY(kd2m_table_set_real(table, "estimate", signs.better_share.estimate));
    KD2M_TRY(kd2m_table_set_real(table, "low", signs.better_share.low));
    KD2M_TRY(kd2m_table_set_real(table, "high", signs.better_share.high));
    KD2M_TRY(kd2m_table_set_real(table, "p", signs.p));
    KD2M_TRY(kd2m_table_set_text(table, "verdict",
                                 signs.better_share.low > 0.5    ? "in most cells"
                                 : signs.better_share.high < 0.5 ? "in few cells"
                                                                 : "open"));
cleanup:
    kd2m_free(c->context, differences);
    return status;
}

/* ---- the second claim ---- */

/* Adds the contrast (method - outputs at one place) - (method - outputs at the other). */
static kd2m_status add_contrast(claims *c, contrast what, const kd2m_figure *one,
                                const kd2m_figure *other) {
    size_t seeds = c->study->plan->seeds;
    double *const sets[] = {c->sets, c->sets + seeds, c->sets + 2 * seeds, c->sets + 3 * seeds};
    const kd2m_figure *rows[] = {
        one, kd2m_figures_find(&c->figures, one->data, one->student, c->outputs, one->part), other,
        kd2m_figures_find(&c->figures, other->data, other->student, c->outputs, other->part)};
    size_t count = kd2m_figures_common(&c->figures, rows, 4, sets);
    if (count < 2)
        return KD2M_OK;
    kd2m_status status = kd2m_mean_test_interaction(&what.test, c->context, sets[0], sets[1],
                                                    sets[2], sets[3], count, 1 - ALPHA);
    if (status == KD2M_OK)
        c->contrasts[c->contrast_count++] = what;
    return status;
}

static kd2m_status find_contrasts(claims *c) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < c->figures.count; i++) {
        const kd2m_figure *at = &c->figures.rows[i];
        const contrast of = {.what = "shift",
                             .data = at->data,
                             .student = at->student,
                             .method = at->method,
                             .part = at->part};
        if (is_baseline(c->study->plan, at->method) || !belongs(at, PARTS_ALL))
            continue;
        if (belongs(at, PARTS_SHIFTS))
            KD2M_TRY(add_contrast(
                c, of, at,
                kd2m_figures_find(&c->figures, at->data, at->student, at->method, "test")));
        if (at->student == c->smallest && c->smallest != c->largest) {
            contrast size = of;
            size.what = "size";
            KD2M_TRY(add_contrast(
                c, size, at,
                kd2m_figures_find(&c->figures, at->data, c->largest, at->method, at->part)));
        }
    }
cleanup:
    return status;
}

static kd2m_status add_contrast_row(const claims *c, kd2m_table *table, const contrast *of,
                                    const kd2m_verdict *verdict) {
    const kd2m_plan *plan = c->study->plan;
    bool size = strcmp(of->what, "size") == 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "claim",
                                 size ? "more where the student is smaller" : "more under shift"));
    KD2M_TRY(kd2m_table_set_text(table, "data", plan->data[of->data].part.name));
    KD2M_TRY(kd2m_table_set_text(table, "part", of->part));
    KD2M_TRY(kd2m_table_set_text(table, "student", plan->students[of->student].name));
    KD2M_TRY(kd2m_table_set_text(table, "method", plan->methods[of->method].part.name));
    KD2M_TRY(kd2m_table_set_real(table, "estimate", of->test.estimate));
    KD2M_TRY(kd2m_table_set_real(table, "low", verdict->step_low));
    KD2M_TRY(kd2m_table_set_real(table, "high", verdict->step_high));
    KD2M_TRY(kd2m_table_set_real(table, "p", verdict->adjusted_p));
    KD2M_TRY(kd2m_table_set_text(table, "verdict",
                                 verdict->sign > 0   ? "more"
                                 : verdict->sign < 0 ? "less"
                                                     : "open"));
cleanup:
    return status;
}

static kd2m_status add_contrasts(claims *c, kd2m_table *table) {
    kd2m_mean_test *tests = NULL;
    kd2m_verdict *verdicts = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(find_contrasts(c));
    if (c->contrast_count == 0)
        goto cleanup;
    KD2M_TRY(kd2m_alloc(c->context, (void **)&tests, c->contrast_count, sizeof *tests));
    KD2M_TRY(kd2m_alloc(c->context, (void **)&verdicts, c->contrast_count, sizeof *verdicts));
    for (size_t i = 0; i < c->contrast_count; i++)
        tests[i] = c->contrasts[i].test;
    KD2M_TRY(kd2m_family_judge(verdicts, c->context, tests, c->contrast_count, ALPHA));
    for (size_t i = 0; i < c->contrast_count; i++)
        KD2M_TRY(add_contrast_row(c, table, &c->contrasts[i], &verdicts[i]));
cleanup:
    kd2m_free(c->context, verdicts);
    kd2m_free(c->context, tests);
    return status;
}

/* ---- the table ---- */

static kd2m_status add_columns(kd2m_table *table) {
    static const kd2m_table_column columns[] = {
        {"claim", "claim", KD2M_COLUMN_TEXT, 0},
        {"data", "data", KD2M_COLUMN_TEXT, 0},
        {"part", "part", KD2M_COLUMN_TEXT, 0},
        {"student", "student", KD2M_COLUMN_TEXT, 0},
        {"method", "method", KD2M_COLUMN_TEXT, 0},
        {"better", "better", KD2M_COLUMN_INTEGER, 0},
        {"cells", "cells", KD2M_COLUMN_INTEGER, 0},
        {"estimate", "estimate", KD2M_COLUMN_REAL, 4},
        {"low", "from", KD2M_COLUMN_REAL, 4},
        {"high", "to", KD2M_COLUMN_REAL, 4},
        {"p", "p", KD2M_COLUMN_REAL, 4},
        {"verdict", "verdict", KD2M_COLUMN_TEXT, 0},
    };
    return kd2m_table_add_columns(table, columns, sizeof columns / sizeof *columns);
}

static kd2m_status add_notes(const claims *c, kd2m_table *table) {
    char note[256];
    kd2m_status status = KD2M_OK;
    snprintf(note, sizeof note,
             "outputs: '%.60s'; features: every method that is no baseline. Counts of cells: share "
             "with exact interval, sign test; cells share data and seeds",
             c->study->plan->methods[c->outputs].part.name);
    KD2M_TRY(kd2m_table_add_note(table, note));
    KD2M_TRY(kd2m_table_add_note(table, "contrasts of differences, seed by seed: t intervals and p "
                                        "adjusted by Holm over those of this table"));
cleanup:
    return status;
}

static void clear(claims *c) {
    kd2m_free(c->context, c->sets);
    kd2m_free(c->context, c->contrasts);
    kd2m_figures_clear(&c->figures);
}

kd2m_status kd2m_study_claims(kd2m_table **out, kd2m_study *study, const char *score) {
    claims c = {.study = study, .context = study->context};
    kd2m_table *table = NULL;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_figures_read(&c.figures, study, score ? score : study->plan->score));
    KD2M_TRY(find_outputs(&c));
    KD2M_TRY(find_sizes(&c));
    KD2M_TRY(kd2m_alloc(c.context, (void **)&c.sets, 4 * study->plan->seeds, sizeof *c.sets));
    KD2M_TRY(
        kd2m_alloc(c.context, (void **)&c.contrasts, 2 * c.figures.count, sizeof *c.contrasts));
    KD2M_TRY(kd2m_table_create(&table, study->context, "claims"));
    KD2M_TRY(add_columns(table));
    KD2M_TRY(add_count(&c, table, "test", PARTS_TEST));
    KD2M_TRY(add_count(&c, table, "shifts", PARTS_SHIFTS));
    KD2M_TRY(add_count(&c, table, "both", PARTS_ALL));
    KD2M_TRY(add_contrasts(&c, table));
    KD2M_TRY(add_notes(&c, table));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    clear(&c);
    return status;
}
