/* Reading a study's figures: see figures.h. */
#include "figures.h"

#include <math.h>
#include <string.h>

#include "comparisons.h"
#include "context.h"
#include "memory.h"
#include "score.h"

static kd2m_status make_rows(kd2m_figures *f) {
    const kd2m_plan *plan = f->study->plan;
    size_t parts = 0, next = 0;
    kd2m_status status = KD2M_OK;
    for (size_t d = 0; d < plan->data_count; d++)
        parts += kd2m_part_count(&plan->data[d]);
    size_t count = parts * plan->student_count * plan->method_count;
    size_t values = count * plan->seeds + parts;
    KD2M_TRY(kd2m_alloc(f->context, (void **)&f->rows, count, sizeof *f->rows));
    KD2M_TRY(kd2m_alloc(f->context, (void **)&f->values, values, sizeof *f->values));
    for (size_t i = 0; i < values; i++)
        f->values[i] = NAN;
    double *teacher = f->values + count * plan->seeds;
    for (size_t d = 0; d < plan->data_count; d++)
        for (size_t p = 0; p < kd2m_part_count(&plan->data[d]); p++, teacher++)
            for (size_t s = 0; s < plan->student_count; s++)
                for (size_t m = 0; m < plan->method_count; m++, next++)
                    f->rows[next] = (kd2m_figure){d,
                                                  s,
                                                  m,
                                                  kd2m_part_name(&plan->data[d], p),
                                                  f->values + next * plan->seeds,
                                                  teacher};
    f->count = count;
cleanup:
    return status;
}

kd2m_figure *kd2m_figures_find(const kd2m_figures *figures, size_t data, size_t student,
                               size_t method, const char *part) {
    for (size_t i = 0; i < figures->count; i++) {
        kd2m_figure *at = &figures->rows[i];
        if (at->data == data && at->student == student && at->method == method &&
            strcmp(at->part, part) == 0)
            return at;
    }
    return NULL;
}

/* The walk through what nets said: each trial's validation comes before its other parts. */
typedef struct walk {
    kd2m_figures *figures;
    int64_t trial; /* whose threshold it is */
    double threshold;
} walk;

/* Columns: 0 trial, 1 data, 2 student, 3 method, 4 repeat, 5 part, 6 classes, 7 labels, 8 logits,
 * 9 stage. */
static kd2m_status take_outputs(void *user, sqlite3_stmt *row) {
    walk *w = user;
    const kd2m_plan *plan = w->figures->study->plan;
    const char *part = (const char *)sqlite3_column_text(row, 5), *score = w->figures->score;
    size_t repeat = (size_t)sqlite3_column_int64(row, 4);
    kd2m_figure *to = kd2m_figures_find(w->figures, (size_t)sqlite3_column_int64(row, 1),
                                        (size_t)sqlite3_column_int64(row, 2),
                                        (size_t)sqlite3_column_int64(row, 3), part);
    kd2m_outputs outputs;
    kd2m_status status = KD2M_OK;
    if (!to || repeat >= plan->seeds)
        return KD2M_OK;
    KD2M_TRY(kd2m_store_outputs_in(w->figures->study->store, row, 6, &outputs));
    if (w->trial != sqlite3_column_int64(row, 0)) {
        w->trial = sqlite3_column_int64(row, 0);
        w->threshold = INFINITY; /* without validation no alarm is ever raised */
    }
    if (strcmp(part, "validation") == 0)
        KD2M_TRY(kd2m_score_threshold(plan, score, &outputs, &w->threshold));
    bool teacher = sqlite3_column_int(row, 9) == KD2M_STAGE_TEACHER;
    KD2M_TRY(kd2m_score_outputs(plan, score, w->threshold, &outputs,
                                teacher ? to->teacher : &to->values[repeat]));
cleanup:
    return status;
}

kd2m_status kd2m_figures_read(kd2m_figures *out, kd2m_study *study, const char *score) {
    *out = (kd2m_figures){.study = study, .context = study->context, .score = score};
    walk w = {.figures = out, .trial = -1};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_score_check(study->plan, score));
    KD2M_TRY(make_rows(out));
    KD2M_TRY(kd2m_store_query(study->store,
                              "SELECT id, data, student, method, repeat, part, classes, labels,"
                              " logits, stage FROM outputs JOIN trial ON trial.id = outputs.trial"
                              " WHERE stage <> 1 ORDER BY id, part <> 'validation'",
                              NULL, take_outputs, &w));
cleanup:
    return status;
}

void kd2m_figures_clear(kd2m_figures *figures) {
    kd2m_free(figures->context, figures->values);
    kd2m_free(figures->context, figures->rows);
}

size_t kd2m_figures_common(const kd2m_figures *figures, const kd2m_figure *const *rows,
                           size_t count, double *const *sets) {
    size_t found = 0;
    for (size_t seed = 0; seed < figures->study->plan->seeds; seed++) {
        bool all = true;
        for (size_t k = 0; k < count; k++)
            all &= isfinite(rows[k]->values[seed]) != 0;
        if (!all)
            continue;
        for (size_t k = 0; k < count; k++)
            sets[k][found] = rows[k]->values[seed];
        found++;
    }
    return found;
}
