/*
 * The final evaluation: the nets of the report, and the teachers that the study trained, on the
 * data sets' test parts and on the plan's shifts. Nothing before it reads these. What the nets say
 * is kept row by row; tables make scores of it.
 */
#include "context.h"
#include "memory.h"
#include "outputs.h"
#include "progress.h"
#include "samples.h"

static kd2m_status run_net(kd2m_study *study, const kd2m_trial_row *row, const json_t *training,
                           const kd2m_plan_part *part) {
    kd2m_said said = {.context = study->context};
    char *folder = NULL;
    kd2m_outputs outputs;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_study_trial_folder(study, row->hash, &folder));
    KD2M_TRY(kd2m_outputs_of(&said, study->context, folder, training, part->settings, KD2M_TEST));
    outputs = kd2m_said_outputs(&said);
    KD2M_TRY(kd2m_store_add_outputs(study->store, row->trial, part->name, &outputs));
cleanup:
    kd2m_said_clear(&said);
    kd2m_free(study->context, folder);
    return status;
}

static kd2m_status evaluate_part(kd2m_study *study, const kd2m_trial_row *row,
                                 const json_t *training, const kd2m_plan_part *part) {
    bool there;
    kd2m_status status = kd2m_store_has_outputs(study->store, row->trial, part->name, &there);
    if (status == KD2M_OK && !there)
        status = run_net(study, row, training, part);
    if (status == KD2M_OK)
        status = kd2m_study_keep_samples(study, &row->place, training, part, KD2M_TEST);
    return status == KD2M_OK ? status
                             : kd2m_fail_within(study->context, status, "part '%s'", part->name);
}

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
