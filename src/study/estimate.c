/*
 * What a study will take, before it begins: of every method in every cell a few steps are timed,
 * under a teacher that is not trained, which costs the same as one that is. Memory is what trials
 * set aside through the library's allocator; a data set counts once a trial.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocation_counter.h"
#include "context.h"
#include "json.h"
#include "memory.h"
#include "model_file.h"
#include "progress.h"
#include "source.h"
#include "stages.h"
#include "study_internal.h"
#include "trainer.h"
#include "writer.h"

/* ---- one training ---- */

/* What a training of all its epochs takes. */
typedef struct cost {
    double start, epoch; /* seconds */
    double step;
    double bytes;
} training_cost;

static kd2m_status write_untrained(kd2m_trainer *trainer, const char *path) {
    kd2m_tensors *tensors = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tensors_create(&tensors, trainer->context));
    KD2M_TRY(kd2m_net_store(trainer->student, tensors));
    KD2M_TRY(kd2m_model_file_set_transform(tensors, trainer->dataset->transform));
    KD2M_TRY(kd2m_model_file_write(path, trainer->graph, tensors, &trainer->normalisation));
cleanup:
    kd2m_tensors_free(tensors);
    return status;
}

/* Times a training with these settings; `path`, unless NULL, gets its net, untrained. */
static kd2m_status time_in(kd2m_context *context, const kd2m_train_settings *settings,
                           const char *path, training_cost *out) {
    kd2m_trainer *trainer = NULL;
    kd2m_trainer_pace pace;
    double began = kd2m_seconds();
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_trainer_create(&trainer, context, settings));
    out->start = kd2m_seconds() - began;
    if (path)
        KD2M_TRY(write_untrained(trainer, path));
    KD2M_TRY(kd2m_trainer_measure(trainer, &pace));
    out->step = pace.step_seconds;
    out->epoch = (double)pace.steps * pace.step_seconds + pace.validation_seconds;
cleanup:
    kd2m_trainer_free(trainer);
    return status;
}

static kd2m_status time_training(kd2m_study *study, const json_t *object, const char *path,
                                 training_cost *out) {
    kd2m_context_settings quiet = study->context->settings;
    kd2m_allocation_counter counter;
    kd2m_context *context = NULL;
    kd2m_train_settings settings;
    kd2m_status status = KD2M_OK;
    quiet.allocator = kd2m_allocation_counter_begin(&counter, &quiet.allocator);
    quiet.log = NULL;
    quiet.progress = NULL;
    KD2M_TRY(kd2m_plan_settings(study->context, object, &settings));
    KD2M_TRY(kd2m_context_create(&context, &quiet));
    status = time_in(context, &settings, path, out);
    out->bytes = (double)kd2m_allocation_counter_peak(&counter);
    if (status != KD2M_OK)
        kd2m_fail(study->context, status, "%s", kd2m_context_message(context));
cleanup:
    kd2m_context_free(context);
    return status;
}

/* ---- all of them ---- */

typedef struct estimate {
    kd2m_study *study;
    kd2m_table *table;
    kd2m_meter meter;
    double seconds; /* of all trials */
    double bytes;   /* of the largest */
    char *teacher;  /* path of the data set's, untrained */
} estimate;

static kd2m_status add_row(estimate *e, const char *data, const char *student, const char *method,
                           size_t trials, double seconds, const training_cost *of) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_row(e->table));
    KD2M_TRY(kd2m_table_set_text(e->table, "data", data));
    KD2M_TRY(kd2m_table_set_text(e->table, "student", student));
    KD2M_TRY(kd2m_table_set_text(e->table, "method", method));
    KD2M_TRY(kd2m_table_set_integer(e->table, "trials", (int64_t)trials));
    if (of) {
        KD2M_TRY(kd2m_table_set_real(e->table, "step_ms", 1e3 * of->step));
        KD2M_TRY(kd2m_table_set_real(e->table, "epoch_s", of->epoch));
    }
    KD2M_TRY(kd2m_table_set_real(e->table, "hours", seconds / 3600));
    KD2M_TRY(kd2m_table_set_real(e->table, "memory_mb", (of ? of->bytes : e->bytes) / 1e6));
cleanup:
    return status;
}

static kd2m_status estimate_teacher(estimate *e, size_t data) {
    kd2m_study *study = e->study;
    const kd2m_plan_data *of = &study->plan->data[data];
    char name[48];
    json_t *settings = NULL;
    training_cost cost = {0};
    kd2m_train_settings values;
    kd2m_status status = KD2M_OK;
    if (of->teacher_path)
        return kd2m_text_copy(study->context, &e->teacher, of->teacher_path);
    snprintf(name, sizeof name, "untrained-%zu.safetensors", data);
    KD2M_TRY(kd2m_join_path(study->context, &e->teacher, study->folder, name));
    KD2M_TRY(kd2m_plan_teacher(study->plan, data, &settings));
    KD2M_TRY(kd2m_plan_settings(study->context, settings, &values));
    KD2M_TRY(time_training(study, settings, e->teacher, &cost));
    double seconds = cost.start + cost.epoch * (double)values.epochs;
    e->seconds += seconds;
    e->bytes = cost.bytes > e->bytes ? cost.bytes : e->bytes;
    KD2M_TRY(add_row(e, of->part.name, values.model, "teacher", 1, seconds, &cost));
cleanup:
    json_decref(settings);
    return status;
}

static kd2m_status estimate_method(estimate *e, size_t data, size_t student, size_t method) {
    kd2m_study *study = e->study;
    const kd2m_plan *plan = study->plan;
    json_t *settings = NULL;
    training_cost cost = {0};
    kd2m_train_settings values;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_plan_candidate(plan, data, student, method, 0, &settings));
    KD2M_TRY(kd2m_json_set(study->context, settings, "teacher", json_string(e->teacher)));
    KD2M_TRY(kd2m_plan_settings(study->context, settings, &values));
    KD2M_TRY(time_training(study, settings, NULL, &cost));
    size_t trials = plan->seeds, epochs = plan->seeds * (size_t)values.epochs;
    for (size_t rung = 0; rung < plan->rungs; rung++) {
        size_t candidates = kd2m_plan_rung_candidates(plan, rung);
        trials += candidates;
        epochs += candidates * kd2m_plan_rung_epochs(plan, rung, (size_t)values.epochs);
    }
    double seconds = cost.start * (double)trials + cost.epoch * (double)epochs;
    e->seconds += seconds;
    e->bytes = cost.bytes > e->bytes ? cost.bytes : e->bytes;
    KD2M_TRY(add_row(e, plan->data[data].part.name, plan->students[student].name,
                     plan->methods[method].part.name, trials, seconds, &cost));
    kd2m_meter_advance(&e->meter, 1);
cleanup:
    json_decref(settings);
    return status;
}

static kd2m_status estimate_data(estimate *e, size_t data) {
    kd2m_study *study = e->study;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(estimate_teacher(e, data));
    for (size_t s = 0; s < study->plan->student_count; s++)
        for (size_t m = 0; m < study->plan->method_count; m++)
            KD2M_TRY(estimate_method(e, data, s, m));
cleanup:
    if (e->teacher && !study->plan->data[data].teacher_path)
        remove(e->teacher);
    kd2m_free(study->context, e->teacher);
    e->teacher = NULL;
    return status;
}

static kd2m_status add_columns(kd2m_table *table) {
    static const kd2m_table_column columns[] = {
        {"data", NULL, KD2M_COLUMN_TEXT, 0},         {"student", NULL, KD2M_COLUMN_TEXT, 0},
        {"method", NULL, KD2M_COLUMN_TEXT, 0},       {"trials", NULL, KD2M_COLUMN_INTEGER, 0},
        {"step_ms", "ms/step", KD2M_COLUMN_REAL, 2}, {"epoch_s", "s/epoch", KD2M_COLUMN_REAL, 2},
        {"hours", NULL, KD2M_COLUMN_REAL, 3},        {"memory_mb", "MB", KD2M_COLUMN_REAL, 1},
    };
    return kd2m_table_add_columns(table, columns, sizeof columns / sizeof *columns);
}

static const char *time_text(char out[32], double seconds) {
    if (seconds < 120)
        snprintf(out, 32, "%.0f s", seconds);
    else if (seconds < 7200)
        snprintf(out, 32, "%.0f minutes", seconds / 60);
    else
        snprintf(out, 32, "%.1f hours", seconds / 3600);
    return out;
}

/* What of it fits: time goes with epochs, but for the starts. */
static kd2m_status add_advice(const estimate *e, double budget) {
    char note[256], time[32];
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_note(e->table, "one process at a time; two on the same cores take as "
                                           "long together"));
    KD2M_TRY(kd2m_table_add_note(e->table, "teachers run in every step here; where their outputs "
                                           "can be kept, steps take less"));
    if (!(budget > 0))
        return KD2M_OK;
    if (e->seconds <= budget)
        snprintf(note, sizeof note, "it fits a budget of %s", time_text(time, budget));
    else
        snprintf(note, sizeof note,
                 "a budget of %s fits %.0f %% of it: that share of the epochs, of the "
                 "training rows (\"limit\"), or of methods, students, candidates and seeds",
                 time_text(time, budget), 100 * budget / e->seconds);
    KD2M_TRY(kd2m_table_add_note(e->table, note));
cleanup:
    return status;
}

kd2m_status kd2m_study_estimate(kd2m_table **out, double *seconds, kd2m_study *study,
                                double budget) {
    const kd2m_plan *plan = study->plan;
    estimate e = {.study = study};
    size_t cells = plan->data_count * plan->student_count * plan->method_count;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    *seconds = 0;
    kd2m_meter_begin(&e.meter, study->context, "methods", (double)cells, 0);
    kd2m_meter_text(&e.meter, "timing a few steps of each");
    KD2M_TRY(kd2m_table_create(&e.table, study->context, "estimate"));
    KD2M_TRY(add_columns(e.table));
    for (size_t d = 0; d < plan->data_count; d++)
        KD2M_TRY(estimate_data(&e, d));
    KD2M_TRY(add_row(&e, "all", NULL, NULL, kd2m_stages_total(plan), e.seconds, NULL));
    KD2M_TRY(add_advice(&e, budget));
    *seconds = e.seconds;
    *out = e.table;
    e.table = NULL;
cleanup:
    kd2m_meter_end(&e.meter);
    kd2m_table_free(e.table);
    return status;
}
