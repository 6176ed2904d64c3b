/* Running a trial's net over a split: see outputs.h. Time that of inference; memory O(rows). */
#include "outputs.h"

#include <string.h>

#include "config.h"
#include "context.h"
#include "evaluate.h"
#include "json.h"
#include "memory.h"

/* The data of a part: the training's, those of `shift` over them. The net's own file holds the
 * transform that it was trained behind. */
kd2m_status kd2m_outputs_data(kd2m_context *context, const json_t *training, const json_t *shift,
                              json_t **kept, kd2m_data_settings *out) {
    kd2m_train_settings values;
    kd2m_status status = KD2M_OK;
    *kept = json_deep_copy(training);
    if (!*kept)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for a data set");
    json_object_del(*kept, "transform");
    if (shift && json_object_update(*kept, (json_t *)shift) != 0)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for a data set");
    KD2M_TRY(kd2m_plan_settings(context, *kept, &values));
    *out = kd2m_config_data(&values);
cleanup:
    return status;
}

static kd2m_status collect(void *user, kd2m_runner *runner, size_t rows) {
    kd2m_said *to = user;
    memcpy(to->labels + to->rows, runner->labels, rows * sizeof *to->labels);
    memcpy(to->logits + to->rows * to->classes, runner->outputs,
           rows * to->classes * sizeof *to->logits);
    to->rows += rows;
    return KD2M_OK;
}

static kd2m_status run_net(kd2m_said *out, const char *folder, const kd2m_data_settings *settings,
                           kd2m_split split) {
    kd2m_context *context = out->context;
    kd2m_trial trial;
    kd2m_evaluation evaluation;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_trial_open(&trial, context, folder, settings));
    KD2M_TRY(kd2m_trial_start(&trial, NULL, 0));
    size_t rows = trial.dataset->row_count[split];
    if (rows == 0) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "'%s' has no %s part; \"%s\": 0.2 among its settings cuts one off",
                           settings->data, split == KD2M_TEST ? "test" : "validation",
                           split == KD2M_TEST ? "test" : "validation");
        goto cleanup;
    }
    out->classes = trial.file->graph->classes;
    KD2M_TRY(kd2m_alloc(context, (void **)&out->labels, rows, sizeof *out->labels));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->logits, rows * out->classes, sizeof *out->logits));
    KD2M_TRY(kd2m_runner_run(trial.runner, split, &evaluation, collect, out));
cleanup:
    kd2m_trial_clear(&trial);
    return status;
}

kd2m_status kd2m_outputs_of(kd2m_said *out, kd2m_context *context, const char *folder,
                            const json_t *training, const json_t *shift, kd2m_split split) {
    json_t *kept = NULL;
    kd2m_data_settings settings;
    kd2m_status status = KD2M_OK;
    *out = (kd2m_said){.context = context};
    KD2M_TRY(kd2m_outputs_data(context, training, shift, &kept, &settings));
    KD2M_TRY(run_net(out, folder, &settings, split));
cleanup:
    json_decref(kept);
    return status;
}

void kd2m_said_clear(kd2m_said *said) {
    kd2m_free(said->context, said->labels);
    kd2m_free(said->context, said->logits);
}

kd2m_outputs kd2m_said_outputs(const kd2m_said *said) {
    return (kd2m_outputs){said->rows, said->classes, said->labels, said->logits};
}
