/* A study from its folder to its end: see include/kd2m/study.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "context.h"
#include "json.h"
#include "memory.h"
#include "stages.h"
#include "study_internal.h"
#include "writer.h"

#define WAIT_NANOSECONDS 200000000L /* between two looks whether others have finished */

static const kd2m_setting rows[] = {
#define ROW(...) KD2M_SETTINGS_ROW(kd2m_study_settings, __VA_ARGS__)
    KD2M_STUDY_SETTINGS(ROW)
#undef ROW
};
static const kd2m_setting_list list = {rows, sizeof rows / sizeof *rows};

const kd2m_setting_list *kd2m_study_setting_list(void) {
    return &list;
}

/* ---- opening ---- */

/* The folder, made where missing, and its absolute path: trials store paths of their teachers. */
static kd2m_status open_folder(kd2m_study *study, const char *folder) {
    char *trials = NULL, *absolute = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_join_path(study->context, &trials, folder, "trials"));
    KD2M_TRY(kd2m_make_folder(study->context, trials));
    absolute = realpath(folder, NULL);
    if (!absolute) {
        status = kd2m_fail(study->context, KD2M_ERROR_IO, "%s: can't be resolved", folder);
        goto cleanup;
    }
    KD2M_TRY(kd2m_text_copy(study->context, &study->folder, absolute));
cleanup:
    free(absolute); /* the system's memory */
    kd2m_free(study->context, trials);
    return status;
}

static kd2m_status keep_plan(kd2m_study *study) {
    char *text = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_json_text(study->context, &text, study->plan->root, 1));
    KD2M_TRY(kd2m_store_keep_plan(study->store, text));
cleanup:
    kd2m_text_free(study->context, text);
    return status;
}

static kd2m_status kept_plan(kd2m_study *study) {
    char *text = NULL;
    json_t *root = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_plan(study->store, &text));
    KD2M_TRY(kd2m_json_parse(study->context, &root, text, strlen(text), "the study's plan"));
    KD2M_TRY(kd2m_plan_take(&study->plan, study->context, root, "the study's plan"));
cleanup:
    kd2m_free(study->context, text);
    return status;
}

kd2m_status kd2m_study_open(kd2m_study **out, kd2m_context *context, const char *folder,
                            const char *plan, const kd2m_study_settings *settings) {
    *out = NULL;
    kd2m_study *study = NULL;
    char *path = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_settings_validate(context, &list, settings));
    KD2M_TRY(kd2m_alloc(context, (void **)&study, 1, sizeof *study));
    study->context = context;
    study->settings = *settings;
    if (plan) /* before anything is made for a plan that can't be */
        KD2M_TRY(kd2m_plan_read(&study->plan, context, plan));
    KD2M_TRY(open_folder(study, folder));
    KD2M_TRY(kd2m_join_path(context, &path, study->folder, "study.db"));
    KD2M_TRY(kd2m_store_open(&study->store, context, path, settings->lease));
    KD2M_TRY(plan ? keep_plan(study) : kept_plan(study));
    study->total = kd2m_stages_total(study->plan);
    if (settings->retry)
        KD2M_TRY(kd2m_store_retry(study->store));
    *out = study;
    study = NULL;
cleanup:
    kd2m_free(context, path);
    kd2m_study_free(study);
    return status;
}

void kd2m_study_free(kd2m_study *study) {
    if (!study)
        return;
    kd2m_store_close(study->store);
    kd2m_plan_free(study->plan);
    kd2m_free(study->context, study->folder);
    kd2m_free(study->context, study);
}

kd2m_status kd2m_study_trial_folder(kd2m_study *study, const char *hash, char **out) {
    char name[8 + KD2M_HASH_SIZE];
    snprintf(name, sizeof name, "trials/%s", hash);
    return kd2m_join_path(study->context, out, study->folder, name);
}

/* ---- the work ---- */

/* Trials by state. */
typedef struct counts {
    size_t of[4];
} counts;

static kd2m_status count_states(kd2m_study *study, counts *out) {
    kd2m_trial_row *trials = NULL;
    size_t count;
    *out = (counts){{0}};
    kd2m_status status = kd2m_store_trials(study->store, &trials, &count);
    for (size_t i = 0; status == KD2M_OK && i < count; i++)
        out->of[trials[i].state]++;
    kd2m_free(study->context, trials);
    return status;
}

kd2m_status kd2m_study_count(kd2m_study *study, size_t *done, size_t *total) {
    counts now;
    kd2m_status status = count_states(study, &now);
    *done = now.of[KD2M_TRIAL_DONE];
    *total = study->total;
    return status;
}

static kd2m_status take_message(void *user, sqlite3_stmt *row) {
    snprintf(user, 512, "%s: %s", (const char *)sqlite3_column_text(row, 0),
             (const char *)sqlite3_column_text(row, 1));
    return KD2M_OK;
}

/* What is to be said at the end. */
static kd2m_status conclude(kd2m_study *study, const counts *states) {
    char message[512] = "";
    size_t failed = states->of[KD2M_TRIAL_FAILED], blocked = states->of[KD2M_TRIAL_WAITING];
    if (failed + blocked == 0)
        return KD2M_OK;
    kd2m_status status = kd2m_store_query(
        study->store, "SELECT hash, message FROM trial WHERE state = 'failed' ORDER BY id DESC",
        NULL, take_message, message);
    if (status != KD2M_OK)
        return status;
    return kd2m_fail(study->context, KD2M_ERROR_INPUT,
                     "%zu trials failed and %zu wait for them (--retry tries again); the first: "
                     "trial %s",
                     failed, study->total - study->done - failed, message);
}

static kd2m_status wait_a_little(kd2m_study *study) {
    nanosleep(&(struct timespec){0, WAIT_NANOSECONDS}, NULL);
    return kd2m_check_interrupt(study->context);
}

/* Takes up one trial. Without one to take up: waits for others, or, when nothing has changed since
 * the last look, there is nothing left. */
static kd2m_status work(kd2m_study *study, counts *last, bool *more) {
    kd2m_claim claim = {.settings = NULL};
    counts now;
    bool found = false;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_stages_advance(study->store, study->plan));
    KD2M_TRY(kd2m_store_claim(study->store, &claim, &found));
    KD2M_TRY(count_states(study, &now));
    study->done = now.of[KD2M_TRIAL_DONE];
    if (found) {
        KD2M_TRY(kd2m_study_train(study, &claim));
    } else if (now.of[KD2M_TRIAL_RUNNING] > 0) {
        KD2M_TRY(wait_a_little(study));
    } else if (memcmp(&now, last, sizeof now) == 0) {
        *more = false;
        KD2M_TRY(conclude(study, &now));
    }
    *last = now;
cleanup:
    kd2m_claim_clear(&claim);
    return status;
}

kd2m_status kd2m_study_run(kd2m_study *study) {
    counts last = {{0}};
    kd2m_status status = KD2M_OK;
    for (bool more = true; more && status == KD2M_OK;)
        status = work(study, &last, &more);
    return status;
}
