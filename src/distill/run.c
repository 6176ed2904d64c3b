/* A run from its folder to its result: see include/kd2m/distill.h. */
#include <math.h>
#include <string.h>

#include "config.h"
#include "context.h"
#include "json.h"
#include "model_file.h"
#include "source.h"
#include "writer.h"

/* What the terms' solvers did not manage over the whole run, term by term. */
static kd2m_status terms_json(kd2m_trainer *trainer, json_t *list) {
    const kd2m_objective *objective = trainer->objective;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < objective->loss->count; i++) {
        const kd2m_bound_term *bound = &objective->terms[i];
        json_t *line = bound->metric ? json_object() : NULL;
        if (!bound->metric)
            continue;
        if (!line || json_array_append_new(list, line) != 0)
            return kd2m_fail(trainer->context, KD2M_ERROR_MEMORY, "out of memory for the result");
        KD2M_TRY(kd2m_json_set(trainer->context, line, "term", json_string(bound->term->text)));
        KD2M_TRY(kd2m_counts_to_json(trainer->context, line, &bound->run));
    }
cleanup:
    return status;
}

/* Says of each term how often its solver did not converge; returns how often that was in all. */
static int64_t tell_unconverged(kd2m_trainer *trainer) {
    const kd2m_objective *objective = trainer->objective;
    size_t steps = trainer->state.epoch * kd2m_loader_steps(trainer->loader);
    double all = 0;
    for (size_t i = 0; i < objective->loss->count; i++) {
        const kd2m_bound_term *bound = &objective->terms[i];
        all += bound->run.unconverged;
        if (bound->run.unconverged > 0)
            kd2m_log(trainer->context, KD2M_LOG_WARNING,
                     "term '%s': in %.0f of %zu steps the solver did not converge; log.jsonl has "
                     "each epoch's largest gap, --strict makes it an error",
                     bound->term->text, bound->run.unconverged, steps);
    }
    return (int64_t)all;
}

static kd2m_status write_result(kd2m_trainer *trainer, const kd2m_run_folder *folder,
                                const kd2m_run_result *result) {
    kd2m_context *context = trainer->context;
    json_t *object = json_object();
    json_t *terms = json_array();
    kd2m_status status = KD2M_OK;
    KD2M_TRY(
        kd2m_json_set(context, object, "test_accuracy", kd2m_json_real(result->test_accuracy)));
    KD2M_TRY(kd2m_json_set(context, object, "test_loss", kd2m_json_real(result->test_loss)));
    KD2M_TRY(kd2m_json_set(context, object, "validation_accuracy",
                           kd2m_json_real(result->validation_accuracy)));
    if (trainer->teacher)
        KD2M_TRY(kd2m_json_set(context, object, "teacher_accuracy",
                               kd2m_json_real(result->teacher_accuracy)));
    KD2M_TRY(
        kd2m_json_set(context, object, "parameters", json_integer((json_int_t)result->parameters)));
    KD2M_TRY(kd2m_json_set(context, object, "seconds", kd2m_json_real(result->seconds)));
    KD2M_TRY(kd2m_json_set(context, object, "images_per_second",
                           kd2m_json_real(result->samples_per_second)));
    KD2M_TRY(kd2m_json_set(context, object, "epochs", json_integer(result->epochs)));
    KD2M_TRY(kd2m_json_set(context, object, "best_epoch", json_integer(result->best_epoch)));
    KD2M_TRY(kd2m_json_set(context, object, "unconverged", json_integer(result->unconverged)));
    KD2M_TRY(terms_json(trainer, terms));
    KD2M_TRY(kd2m_json_set(context, object, "terms", json_incref(terms)));
    KD2M_TRY(kd2m_json_write(context, object, folder->result));
cleanup:
    json_decref(terms);
    json_decref(object);
    return status;
}

/* Test figures, model file and result file of a run that is trained to its end. */
static kd2m_status finish(kd2m_run_result *out, kd2m_trainer *trainer,
                          const kd2m_run_folder *folder) {
    const kd2m_run_state *state = &trainer->state;
    kd2m_evaluation test = kd2m_evaluation_unknown, teacher = kd2m_evaluation_unknown;
    bool blind = trainer->settings->blind != 0;
    kd2m_tensors *tensors = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_trainer_outcome(trainer, &tensors));
    if (!blind)
        KD2M_TRY(kd2m_runner_run(trainer->runner, KD2M_TEST, &test, NULL, NULL));
    if (!blind && trainer->teacher)
        KD2M_TRY(kd2m_teacher_evaluate(trainer->teacher, KD2M_TEST, &teacher));
    *out = (kd2m_run_result){
        .test_accuracy = test.scores.accuracy,
        .test_loss = test.loss,
        .validation_accuracy = state->best_accuracy,
        .teacher_accuracy = teacher.scores.accuracy,
        .parameters = kd2m_net_parameter_total(trainer->student),
        .seconds = state->seconds,
        .samples_per_second =
            state->training_seconds > 0 ? state->samples / state->training_seconds : NAN,
        .epochs = (int64_t)state->epoch,
        .best_epoch = (int64_t)state->best_epoch,
    };
    out->unconverged = tell_unconverged(trainer);
    KD2M_TRY(kd2m_model_file_set_transform(tensors, trainer->dataset->transform));
    KD2M_TRY(
        kd2m_model_file_write(folder->model, trainer->graph, tensors, &trainer->normalisation));
    KD2M_TRY(write_result(trainer, folder, out));
cleanup:
    kd2m_tensors_free(tensors);
    return status;
}

static kd2m_status write_profile(kd2m_context *context, const kd2m_run_folder *folder,
                                 const kd2m_table *profile) {
    char *text = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_to_json(profile, &text));
    KD2M_TRY(kd2m_write_file(context, folder->profile, text, strlen(text)));
cleanup:
    kd2m_text_free(context, text);
    return status;
}

/* Trains, and with *profile leaves the table of where the time went there and in the folder. */
static kd2m_status train(kd2m_trainer *trainer, kd2m_run_folder *folder, kd2m_table **profile) {
    kd2m_profile *timers = NULL;
    kd2m_table *table = NULL;
    kd2m_status status = KD2M_OK;
    if (!profile)
        return kd2m_trainer_run(trainer, folder);
    KD2M_TRY(kd2m_profile_create(&timers, trainer->context));
    KD2M_TRY(kd2m_trainer_profile(trainer, timers));
    KD2M_TRY(kd2m_trainer_run(trainer, folder));
    KD2M_TRY(kd2m_profile_table(timers, &table));
    KD2M_TRY(write_profile(trainer->context, folder, table));
    *profile = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    kd2m_profile_free(timers);
    return status;
}

kd2m_status kd2m_run(kd2m_run_result *out, kd2m_context *context, const char *folder,
                     const kd2m_train_settings *settings, kd2m_run_mode mode) {
    return kd2m_run_profiled(out, NULL, context, folder, settings, mode);
}

kd2m_status kd2m_run_profiled(kd2m_run_result *out, kd2m_table **profile, kd2m_context *context,
                              const char *folder_path, const kd2m_train_settings *given,
                              kd2m_run_mode mode) {
    *out = (kd2m_run_result){NAN, NAN, NAN, NAN, 0, 0, 0, 0, 0, 0};
    if (profile)
        *profile = NULL;
    kd2m_run_folder *folder = NULL;
    kd2m_trainer *trainer = NULL;
    kd2m_train_settings settings;
    json_t *config = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_run_folder_open(&folder, context, folder_path, mode));
    KD2M_TRY(kd2m_config_settings(&settings, &config, context, folder, given));
    KD2M_TRY(kd2m_trainer_create(&trainer, context, &settings));
    KD2M_TRY(kd2m_config_settle(config, trainer, folder));
    if (kd2m_file_exists(folder->checkpoint))
        KD2M_TRY(kd2m_checkpoint_read(trainer, folder));
    else
        KD2M_TRY(kd2m_run_folder_cut_log(folder, 0));
    KD2M_TRY(train(trainer, folder, profile));
    KD2M_TRY(finish(out, trainer, folder));
cleanup:
    if (status != KD2M_OK && profile) {
        kd2m_table_free(*profile);
        *profile = NULL;
    }
    kd2m_trainer_free(trainer);
    json_decref(config);
    kd2m_run_folder_close(folder);
    return status;
}
