/* Trials in the study's data base: added, claimed, renewed, finished. See store.h. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "context.h"
#include "digest.h"
#include "json.h"
#include "memory.h"
#include "store_internal.h"

kd2m_status kd2m_store_hash(kd2m_context *context, const json_t *settings, const char *teacher,
                            char out[KD2M_HASH_SIZE]) {
    char *text = json_dumps(settings, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    if (!text)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for a trial");
    uint64_t digest = kd2m_digest(KD2M_DIGEST_START, text, strlen(text));
    digest = kd2m_digest(digest, teacher, strlen(teacher));
    snprintf(out, KD2M_HASH_SIZE, "%016" PRIx64, digest);
    free(text); /* jansson's own memory */
    return KD2M_OK;
}

kd2m_status kd2m_store_add(kd2m_store *store, const kd2m_place *place, const json_t *settings,
                           const char *teacher) {
    sqlite3_stmt *statement = NULL;
    char *text = NULL;
    char hash[KD2M_HASH_SIZE];
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_hash(store->context, settings, teacher, hash));
    KD2M_TRY(kd2m_json_text(store->context, &text, settings, 1));
    KD2M_TRY(
        kd2m_store_prepare(store, &statement,
                           "INSERT OR IGNORE INTO trial(hash, stage, data, student, method, rung, "
                           "candidate, repeat, settings, teacher) VALUES(?,?,?,?,?,?,?,?,?,?)"));
    sqlite3_bind_text(statement, 1, hash, -1, SQLITE_TRANSIENT);
    const size_t numbers[] = {(size_t)place->stage, place->data,      place->student, place->method,
                              place->rung,          place->candidate, place->repeat};
    for (int i = 0; i < 7; i++)
        sqlite3_bind_int64(statement, i + 2, (sqlite3_int64)numbers[i]);
    sqlite3_bind_text(statement, 9, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 10, teacher, -1, SQLITE_TRANSIENT);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "adding a trial"));
cleanup:
    kd2m_text_free(store->context, text);
    return status;
}

/* A trial can be worked on if nobody is at it, its teacher is trained, and no other trial in the
 * same folder is under way. Owners on this machine that are gone hold nothing: see free_dead. */
static const char next_trial[] =
    "SELECT id, stage, data, student, method, rung, candidate, repeat, hash, teacher, settings"
    " FROM trial AS t"
    " WHERE (state = 'waiting' OR (state = 'running' AND lease < ?1))"
    " AND (teacher = '' OR EXISTS(SELECT 1 FROM trial WHERE hash = t.teacher AND state = 'done'))"
    " AND NOT EXISTS(SELECT 1 FROM trial WHERE hash = t.hash AND id <> t.id"
    "                AND state = 'running' AND lease >= ?1)"
    " ORDER BY id LIMIT 1";

typedef struct claim_reader {
    kd2m_store *store;
    kd2m_claim *claim;
    bool found;
    double now;
} claim_reader;

static double clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void bind_now(void *user, sqlite3_stmt *statement) {
    sqlite3_bind_double(statement, 1, ((const claim_reader *)user)->now);
}

/* The place in columns 1 to 7. */
static kd2m_place place_of(sqlite3_stmt *row) {
    size_t numbers[7];
    for (int i = 0; i < 7; i++)
        numbers[i] = (size_t)sqlite3_column_int64(row, i + 1);
    return (kd2m_place){(kd2m_stage)numbers[0],
                        numbers[1],
                        numbers[2],
                        numbers[3],
                        numbers[4],
                        numbers[5],
                        numbers[6]};
}

static kd2m_status take_claim(void *user, sqlite3_stmt *row) {
    claim_reader *reader = user;
    kd2m_claim *claim = reader->claim;
    claim->trial = sqlite3_column_int64(row, 0);
    claim->place = place_of(row);
    snprintf(claim->hash, sizeof claim->hash, "%s", (const char *)sqlite3_column_text(row, 8));
    snprintf(claim->teacher, sizeof claim->teacher, "%s",
             (const char *)sqlite3_column_text(row, 9));
    const char *text = (const char *)sqlite3_column_text(row, 10);
    reader->found = true;
    return kd2m_json_parse(reader->store->context, &claim->settings, text, strlen(text),
                           "a trial's settings");
}

static kd2m_status free_trial(kd2m_store *store, int64_t trial) {
    sqlite3_stmt *statement = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_prepare(store, &statement,
                                "UPDATE trial SET state = 'waiting', owner = NULL, lease = NULL"
                                " WHERE id = ? AND state = 'running'"));
    sqlite3_bind_int64(statement, 1, trial);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "giving a trial back"));
cleanup:
    return status;
}

/* What a process of this machine held that is gone needs no lease to end. */
static kd2m_status free_if_dead(void *user, sqlite3_stmt *row) {
    kd2m_store *store = user;
    const char *owner = (const char *)sqlite3_column_text(row, 1);
    size_t length = strlen(store->host);
    if (!owner || strncmp(owner, store->host, length) != 0 || owner[length] != ':')
        return KD2M_OK;
    long process = strtol(owner + length + 1, NULL, 10);
    if (process <= 0 || kill((pid_t)process, 0) == 0 || errno != ESRCH)
        return KD2M_OK;
    return free_trial(store, sqlite3_column_int64(row, 0));
}

static kd2m_status take(kd2m_store *store, const claim_reader *reader) {
    sqlite3_stmt *statement = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_prepare(store, &statement,
                                "UPDATE trial SET state = 'running', owner = ?, lease = ?,"
                                " sittings = sittings + 1 WHERE id = ?"));
    sqlite3_bind_text(statement, 1, store->owner, -1, SQLITE_STATIC);
    sqlite3_bind_double(statement, 2, reader->now + store->lease);
    sqlite3_bind_int64(statement, 3, reader->claim->trial);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "taking a trial"));
cleanup:
    return status;
}

kd2m_status kd2m_store_claim(kd2m_store *store, kd2m_claim *out, bool *found) {
    claim_reader reader = {store, out, false, clock_now()};
    kd2m_status status = KD2M_OK;
    *out = (kd2m_claim){.settings = NULL};
    *found = false;
    KD2M_TRY(kd2m_store_begin(store));
    status = kd2m_store_query(store, "SELECT id, owner FROM trial WHERE state = 'running'", NULL,
                              free_if_dead, store);
    if (status == KD2M_OK)
        status = kd2m_store_query(store, next_trial, bind_now, take_claim, &reader);
    if (status == KD2M_OK && reader.found)
        status = take(store, &reader);
    kd2m_status ended = kd2m_store_end(store, status == KD2M_OK);
    status = status == KD2M_OK ? ended : status;
    *found = status == KD2M_OK && reader.found;
cleanup:
    if (!*found)
        kd2m_claim_clear(out);
    return status;
}

void kd2m_claim_clear(kd2m_claim *claim) {
    json_decref(claim->settings);
    claim->settings = NULL;
}

typedef struct row_reader {
    kd2m_store *store;
    kd2m_trial_row *rows;
    size_t count, capacity;
} row_reader;

static kd2m_status take_row(void *user, sqlite3_stmt *row) {
    static const char *const names[] = {"waiting", "running", "done", "failed"};
    row_reader *reader = user;
    kd2m_status status =
        kd2m_grow(reader->store->context, (void **)&reader->rows, &reader->capacity, reader->count,
                  reader->count + 1, sizeof *reader->rows);
    if (status != KD2M_OK)
        return status;
    kd2m_trial_row *out = &reader->rows[reader->count++];
    *out = (kd2m_trial_row){
        .trial = sqlite3_column_int64(row, 0), .place = place_of(row), .score = NAN};
    const char *state = (const char *)sqlite3_column_text(row, 8);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(state, names[i]) == 0)
            out->state = (kd2m_trial_state)i;
    if (sqlite3_column_type(row, 9) != SQLITE_NULL)
        out->score = sqlite3_column_double(row, 9);
    snprintf(out->hash, sizeof out->hash, "%s", (const char *)sqlite3_column_text(row, 10));
    out->has_net = sqlite3_column_type(row, 11) != SQLITE_NULL;
    return KD2M_OK;
}

kd2m_status kd2m_store_trials(kd2m_store *store, kd2m_trial_row **out, size_t *count) {
    row_reader reader = {store, NULL, 0, 0};
    kd2m_status status = kd2m_store_query(
        store,
        "SELECT id, stage, data, student, method, rung, candidate, repeat, state, score, hash,"
        " result FROM trial ORDER BY id",
        NULL, take_row, &reader);
    *out = reader.rows;
    *count = reader.count;
    if (status != KD2M_OK) {
        kd2m_free(store->context, reader.rows);
        *out = NULL;
    }
    return status;
}

kd2m_status kd2m_store_renew(kd2m_store *store, int64_t trial, bool *ours) {
    sqlite3_stmt *statement = NULL;
    kd2m_status status = KD2M_OK;
    *ours = false;
    KD2M_TRY(kd2m_store_prepare(
        store, &statement,
        "UPDATE trial SET lease = ? WHERE id = ? AND owner = ? AND state = 'running'"));
    sqlite3_bind_double(statement, 1, clock_now() + store->lease);
    sqlite3_bind_int64(statement, 2, trial);
    sqlite3_bind_text(statement, 3, store->owner, -1, SQLITE_STATIC);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "renewing a lease"));
    *ours = sqlite3_changes(store->base) > 0;
cleanup:
    return status;
}

kd2m_status kd2m_store_release(kd2m_store *store, int64_t trial) {
    return free_trial(store, trial);
}

kd2m_status kd2m_store_finish(kd2m_store *store, int64_t trial, const kd2m_outcome *outcome) {
    sqlite3_stmt *statement = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(
        kd2m_store_prepare(store, &statement,
                           "UPDATE trial SET state = ?1, owner = NULL, lease = NULL, message = ?2,"
                           " score = ?3, result = ?4, epochs = ?5, costs = ?6 WHERE id = ?7"));
    sqlite3_bind_text(statement, 1, outcome->failed ? "failed" : "done", -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, outcome->message, -1, SQLITE_STATIC);
    if (isfinite(outcome->score))
        sqlite3_bind_double(statement, 3, outcome->score);
    sqlite3_bind_text(statement, 4, outcome->result, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 5, outcome->epochs, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 6, outcome->costs, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 7, trial);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "keeping an outcome"));
cleanup:
    return status;
}

typedef struct settings_reader {
    kd2m_store *store;
    int64_t trial;
    json_t *settings;
} settings_reader;

static void bind_trial(void *user, sqlite3_stmt *statement) {
    sqlite3_bind_int64(statement, 1, ((const settings_reader *)user)->trial);
}

static kd2m_status take_settings(void *user, sqlite3_stmt *row) {
    settings_reader *reader = user;
    const char *text = (const char *)sqlite3_column_text(row, 0);
    return kd2m_json_parse(reader->store->context, &reader->settings, text, strlen(text),
                           "a trial's settings");
}

kd2m_status kd2m_store_settings(kd2m_store *store, int64_t trial, json_t **out) {
    settings_reader reader = {store, trial, NULL};
    kd2m_status status = kd2m_store_query(store, "SELECT settings FROM trial WHERE id = ?",
                                          bind_trial, take_settings, &reader);
    *out = reader.settings;
    return status;
}

kd2m_status kd2m_store_retry(kd2m_store *store) {
    return kd2m_store_run(
        store, "UPDATE trial SET state = 'waiting', message = NULL WHERE state = 'failed'",
        "taking failed trials up again");
}
