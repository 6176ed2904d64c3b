/*
 * One trial: a run in the trial's folder, taken up from its checkpoint where there is one, in a
 * context of its own, whose interrupt callback also gives the signs of life that keep others from
 * taking the trial over.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "allocation_counter.h"
#include "context.h"
#include "json.h"
#include "memory.h"
#include "outputs.h"
#include "progress.h"
#include "run_folder.h"
#include "samples.h"
#include "score.h"
#include "study_internal.h"
#include "writer.h"

#define SIGNS_PER_LEASE 4.0

/* What the trial's context calls back. */
typedef struct host {
    kd2m_study *study;
    const kd2m_claim *claim;
    double renewed; /* clock */
    bool lost;      /* to another process */
    kd2m_allocation_counter memory;
} host;

static void tell_log(void *user, kd2m_log_level level, const char *text) {
    const host *h = user;
    /* what a single run is told of, hundreds would repeat */
    kd2m_log_level told = level == KD2M_LOG_INFO ? KD2M_LOG_DEBUG : level;
    kd2m_log(h->study->context, told, "trial %s: %s", h->claim->hash, text);
}

static void tell_progress(void *user, const kd2m_progress *progress) {
    const host *h = user;
    const kd2m_study *study = h->study;
    const kd2m_context_settings *to = &study->context->settings;
    char text[96];
    kd2m_progress told = *progress;
    if (!to->progress)
        return;
    const char *what = h->claim->place.stage == KD2M_STAGE_TEACHER
                           ? "teacher"
                           : study->plan->methods[h->claim->place.method].part.name;
    snprintf(text, sizeof text, "[%zu/%zu] %.30s, %.30s", study->done + 1, study->total, what,
             progress->text);
    told.text = text;
    to->progress(to->user, &told);
}

static int ask_to_stop(void *user) {
    host *h = user;
    kd2m_study *study = h->study;
    const kd2m_context_settings *to = &study->context->settings;
    double now = kd2m_seconds();
    if (now - h->renewed > study->settings.lease / SIGNS_PER_LEASE) {
        bool ours;
        if (kd2m_store_renew(study->store, h->claim->trial, &ours) == KD2M_OK && !ours)
            h->lost = true;
        h->renewed = now;
    }
    return h->lost || (to->interrupted && to->interrupted(to->user));
}

static kd2m_status create_context(host *h, kd2m_context **out) {
    kd2m_context_settings settings = h->study->context->settings;
    settings.user = h;
    settings.log = tell_log;
    settings.progress = tell_progress;
    settings.interrupted = ask_to_stop;
    settings.allocator = kd2m_allocation_counter_begin(&h->memory, &settings.allocator);
    kd2m_status status = kd2m_context_create(out, &settings);
    return status == KD2M_OK
               ? status
               : kd2m_fail(h->study->context, status, "no context for a trial: out of memory");
}

/* ---- what is kept of a run ---- */

/* *out = the log's lines as one JSON list; owned. */
static kd2m_status read_epochs(kd2m_context *context, const char *folder, char **out) {
    char *path = NULL;
    json_t *lines = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_join_path(context, &path, folder, "log.jsonl"));
    KD2M_TRY(kd2m_run_log_read(&lines, context, path));
    KD2M_TRY(kd2m_json_text(context, out, lines, 1));
cleanup:
    json_decref(lines);
    kd2m_free(context, path);
    return status;
}

static kd2m_status write_result(kd2m_context *context, const kd2m_run_result *result,
                                size_t peak_bytes, char **out) {
    json_t *object = json_object();
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_json_set(context, object, "validation_accuracy",
                           kd2m_json_real(result->validation_accuracy)));
    KD2M_TRY(
        kd2m_json_set(context, object, "parameters", json_integer((json_int_t)result->parameters)));
    KD2M_TRY(kd2m_json_set(context, object, "seconds", kd2m_json_real(result->seconds)));
    KD2M_TRY(kd2m_json_set(context, object, "samples_per_second",
                           kd2m_json_real(result->samples_per_second)));
    KD2M_TRY(kd2m_json_set(context, object, "epochs", json_integer(result->epochs)));
    KD2M_TRY(kd2m_json_set(context, object, "best_epoch", json_integer(result->best_epoch)));
    KD2M_TRY(kd2m_json_set(context, object, "unconverged", json_integer(result->unconverged)));
    KD2M_TRY(kd2m_json_set(context, object, "peak_bytes", json_integer((json_int_t)peak_bytes)));
    KD2M_TRY(kd2m_json_text(context, out, object, 1));
cleanup:
    json_decref(object);
    return status;
}

/* What the net says on validation is kept; *score = the plan's score of it. Without a validation
 * part there is none. */
static kd2m_status judge(kd2m_study *study, const kd2m_claim *claim, const char *folder,
                         const kd2m_run_result *result, double *score) {
    static const kd2m_plan_part validation = {"validation", NULL};
    kd2m_said said = {.context = study->context};
    kd2m_outputs outputs;
    double threshold;
    kd2m_status status = KD2M_OK;
    *score = NAN;
    if (isnan(result->validation_accuracy))
        return KD2M_OK;
    KD2M_TRY(
        kd2m_outputs_of(&said, study->context, folder, claim->settings, NULL, KD2M_VALIDATION));
    outputs = kd2m_said_outputs(&said);
    KD2M_TRY(kd2m_store_add_outputs(study->store, claim->trial, validation.name, &outputs));
    KD2M_TRY(kd2m_study_keep_samples(study, &claim->place, claim->settings, &validation,
                                     KD2M_VALIDATION));
    KD2M_TRY(kd2m_score_threshold(study->plan, study->plan->score, &outputs, &threshold));
    KD2M_TRY(kd2m_score_outputs(study->plan, study->plan->score, threshold, &outputs, score));
cleanup:
    kd2m_said_clear(&said);
    return status;
}

/* The outcome of a run that came to an end, one way or another. */
static kd2m_status keep(const host *h, kd2m_context *context, kd2m_status ended, const char *folder,
                        const kd2m_run_result *result, const kd2m_table *profile) {
    kd2m_study *study = h->study;
    const kd2m_claim *claim = h->claim;
    char message[512] = "";
    char *text = NULL, *epochs = NULL, *costs = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_outcome outcome = {.score = NAN};
    if (ended != KD2M_OK) {
        snprintf(message, sizeof message, "%s", kd2m_context_message(context));
        outcome.message = message;
        outcome.failed = ended != KD2M_ERROR_NUMERIC;
    } else {
        KD2M_TRY(
            write_result(study->context, result, kd2m_allocation_counter_peak(&h->memory), &text));
        KD2M_TRY(read_epochs(study->context, folder, &epochs));
        KD2M_TRY(kd2m_table_to_json(profile, &costs));
        KD2M_TRY(judge(study, claim, folder, result, &outcome.score));
        outcome.result = text;
        outcome.epochs = epochs;
        outcome.costs = costs;
    }
    KD2M_TRY(kd2m_store_finish(study->store, claim->trial, &outcome));
    if (outcome.failed)
        kd2m_log(study->context, KD2M_LOG_WARNING, "trial %s failed: %s", claim->hash, message);
cleanup:
    kd2m_text_free(context, costs);
    kd2m_text_free(study->context, epochs);
    kd2m_text_free(study->context, text);
    return status;
}

/* ---- the run ---- */

/* The settings, with the path of a teacher that the study trained, and with the folder where all
 * trials keep what their teachers say, unless the plan names another one. */
static kd2m_status complete_settings(kd2m_study *study, const kd2m_claim *claim) {
    char *path = NULL, *cache = NULL;
    kd2m_status status = KD2M_OK;
    if (claim->teacher[0] != '\0') {
        KD2M_TRY(kd2m_study_trial_folder(study, claim->teacher, &path));
        KD2M_TRY(kd2m_json_set(study->context, claim->settings, "teacher", json_string(path)));
    }
    if (json_object_get(claim->settings, "teacher_cache"))
        goto cleanup;
    KD2M_TRY(kd2m_join_path(study->context, &cache, study->folder, "cache"));
    KD2M_TRY(kd2m_json_set(study->context, claim->settings, "teacher_cache", json_string(cache)));
cleanup:
    kd2m_free(study->context, cache);
    kd2m_free(study->context, path);
    return status;
}

static kd2m_status train(host *h, const char *folder) {
    kd2m_study *study = h->study;
    kd2m_context *context = NULL;
    kd2m_train_settings settings;
    kd2m_run_result result;
    kd2m_table *profile = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(create_context(h, &context));
    KD2M_TRY(kd2m_plan_settings(study->context, h->claim->settings, &settings));
    kd2m_status ended =
        kd2m_run_profiled(&result, &profile, context, folder, &settings, KD2M_RUN_RESUME);
    if (h->lost)
        goto cleanup;
    if (ended == KD2M_ERROR_INTERRUPTED) {
        status = ended;
        goto cleanup;
    }
    KD2M_TRY(keep(h, context, ended, folder, &result, profile));
cleanup:
    kd2m_table_free(profile);
    kd2m_context_free(context);
    return status;
}

kd2m_status kd2m_study_train(kd2m_study *study, const kd2m_claim *claim) {
    host h = {.study = study, .claim = claim, .renewed = kd2m_seconds()};
    char *folder = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(complete_settings(study, claim));
    KD2M_TRY(kd2m_study_trial_folder(study, claim->hash, &folder));
    KD2M_TRY(train(&h, folder));
cleanup:
    kd2m_free(study->context, folder);
    if (status != KD2M_ERROR_INTERRUPTED)
        return status;
    kd2m_status released = kd2m_store_release(study->store, claim->trial);
    return released != KD2M_OK
               ? released
               : kd2m_fail(study->context, status,
                           "interrupted with %zu of %zu trials done: the same command goes on",
                           study->done, study->total);
}
