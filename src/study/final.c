/*
 * The final evaluation: the nets of the report, and the teachers that the study trained, on the
 * data sets' test parts and on the plan's shifts. Nothing before it reads these. What the nets say
 * is kept row by row; tables make scores of it.
 */
#include <string.h>

#include "context.h"
#include "evaluate.h"
#include "json.h"
#include "memory.h"
#include "progress.h"
#include "study_internal.h"

/* ---- one net on one part ---- */

/* The labels and logits of a run over a split. */
typedef struct collector {
    size_t rows, classes;
    int32_t *labels;
    float *logits;
} collector;

static kd2m_status collect(void *user, kd2m_runner *runner, size_t rows) {
    collector *to = user;
    memcpy(to->labels + to->rows, runner->labels, rows * sizeof *to->labels);
    memcpy(to->logits + to->rows * to->classes, runner->outputs,
           rows * to->classes * sizeof *to->logits);
    to->rows += rows;
    return KD2M_OK;
}

static kd2m_status run_net(kd2m_study *study, const char *folder,
                           const kd2m_data_settings *settings, const kd2m_trial_row *row,
                           const char *part) {
    kd2m_context *context = study->context;
    kd2m_trial trial;
    kd2m_evaluation evaluation;
    collector to = {0, 0, NULL, NULL};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_trial_open(&trial, context, folder, settings));
    KD2M_TRY(kd2m_trial_start(&trial, NULL, 0));
    size_t rows = trial.dataset->row_count[KD2M_TEST];
    if (rows == 0) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "'%s' has no test part; \"test\": 0.2 among its settings cuts one off",
                           settings->data);
        goto cleanup;
    }
    to.classes = trial.file->graph->classes;
    KD2M_TRY(kd2m_alloc(context, (void **)&to.labels, rows, sizeof *to.labels));
    KD2M_TRY(kd2m_alloc(context, (void **)&to.logits, rows * to.classes, sizeof *to.logits));
    KD2M_TRY(kd2m_runner_run(trial.runner, KD2M_TEST, &evaluation, collect, &to));
    KD2M_TRY(kd2m_store_add_score(study->store, row->trial, part,
                                  &(kd2m_outputs){rows, to.classes, to.labels, to.logits}));
cleanup:
    kd2m_free(context, to.logits);
    kd2m_free(context, to.labels);
    kd2m_trial_clear(&trial);
    return status;
}

/* The data of a part: the training's, those of `shift` over them. The net's own file holds the
 * transform it was trained with. */
static kd2m_status part_settings(kd2m_study *study, const json_t *training, const json_t *shift,
                                 json_t **kept, kd2m_data_settings *out) {
    kd2m_train_settings values;
    kd2m_status status = KD2M_OK;
    *kept = json_deep_copy(training);
    if (!*kept)
        return kd2m_fail(study->context, KD2M_ERROR_MEMORY, "out of memory for a data set");
    json_object_del(*kept, "transform");
    if (shift && json_object_update(*kept, (json_t *)shift) != 0)
        return kd2m_fail(study->context, KD2M_ERROR_MEMORY, "out of memory for a data set");
    KD2M_TRY(kd2m_plan_settings(study->context, *kept, &values));
#define COPY(type, name, ...) .name = values.name,
    *out = (kd2m_data_settings){KD2M_DATA_SETTINGS(COPY)};
#undef COPY
cleanup:
    return status;
}

static kd2m_status evaluate_part(kd2m_study *study, const kd2m_trial_row *row,
                                 const json_t *training, const kd2m_plan_part *part) {
    json_t *kept = NULL;
    char *folder = NULL;
    kd2m_data_settings settings;
    bool there;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_has_score(study->store, row->trial, part->name, &there));
    if (there)
        return KD2M_OK;
    KD2M_TRY(part_settings(study, training, part->settings, &kept, &settings));
    KD2M_TRY(kd2m_study_trial_folder(study, row->hash, &folder));
    status = run_net(study, folder, &settings, row, part->name);
    if (status != KD2M_OK)
        kd2m_fail_within(study->context, status, "part '%s'", part->name);
cleanup:
    kd2m_free(study->context, folder);
    json_decref(kept);
    return status;
}

/* ---- all of them ---- */

static bool is_reported(const kd2m_trial_row *row) {
    return row->state == KD2M_TRIAL_DONE && row->place.stage != KD2M_STAGE_SEARCH && row->has_net;
}

static kd2m_status evaluate_trial(kd2m_study *study, const kd2m_trial_row *row) {
    const kd2m_plan_data *data = &study->plan->data[row->place.data];
    static const kd2m_plan_part test = {"test", NULL};
    json_t *training = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_settings(study->store, row->trial, &training));
    KD2M_TRY(evaluate_part(study, row, training, &test));
    for (size_t i = 0; i < data->shift_count; i++)
        KD2M_TRY(evaluate_part(study, row, training, &data->shifts[i]));
cleanup:
    json_decref(training);
    return status;
}

/* KD2M_ERROR_USAGE while there is training left to do. */
static kd2m_status check_finished(kd2m_study *study, const kd2m_trial_row *rows, size_t count) {
    size_t done = 0;
    for (size_t i = 0; i < count; i++)
        done += rows[i].state == KD2M_TRIAL_DONE;
    if (done == study->total)
        return KD2M_OK;
    return kd2m_fail(study->context, KD2M_ERROR_USAGE,
                     "%zu of %zu trials are done: test data are read when all are, so that "
                     "nothing is chosen by them",
                     done, study->total);
}

kd2m_status kd2m_study_final(kd2m_study *study) {
    kd2m_trial_row *rows = NULL;
    size_t count, reported = 0;
    kd2m_meter meter;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_trials(study->store, &rows, &count));
    KD2M_TRY(check_finished(study, rows, count));
    KD2M_TRY(kd2m_store_note_reading(study->store, "test parts and shifts"));
    for (size_t i = 0; i < count; i++)
        reported += is_reported(&rows[i]);
    kd2m_meter_begin(&meter, study->context, "nets", (double)reported, 0);
    for (size_t i = 0; i < count && status == KD2M_OK; i++) {
        if (!is_reported(&rows[i]))
            continue;
        kd2m_meter_text(&meter, "final evaluation");
        status = evaluate_trial(study, &rows[i]);
        kd2m_meter_advance(&meter, 1);
    }
    kd2m_meter_end(&meter);
cleanup:
    kd2m_free(study->context, rows);
    return status;
}
