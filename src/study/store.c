/* The study's data base: see store.h. */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "context.h"
#include "digest.h"
#include "json.h"
#include "memory.h"

#define FORMAT 1
#define BUSY_MILLISECONDS 60000 /* others' transactions take far less */

struct kd2m_store {
    kd2m_context *context;
    sqlite3 *base;
    double lease;
    char host[64];
    char owner[96]; /* HOST:PID */
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS study(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS trial("
    " id INTEGER PRIMARY KEY, hash TEXT NOT NULL, stage INTEGER NOT NULL, data INTEGER NOT NULL,"
    " student INTEGER NOT NULL, method INTEGER NOT NULL, rung INTEGER NOT NULL,"
    " candidate INTEGER NOT NULL, repeat INTEGER NOT NULL, settings TEXT NOT NULL,"
    " teacher TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', owner TEXT, lease REAL,"
    " sittings INTEGER NOT NULL DEFAULT 0, message TEXT, score REAL, result TEXT, epochs TEXT,"
    " costs TEXT, UNIQUE(stage, data, student, method, rung, candidate, repeat));"
    "CREATE INDEX IF NOT EXISTS trial_by_state ON trial(state, id);"
    "CREATE INDEX IF NOT EXISTS trial_by_hash ON trial(hash);"
    "CREATE TABLE IF NOT EXISTS outputs(trial INTEGER NOT NULL, part TEXT NOT NULL,"
    " classes INTEGER NOT NULL, labels BLOB NOT NULL, logits BLOB NOT NULL,"
    " PRIMARY KEY(trial, part)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS reading(time TEXT NOT NULL, what TEXT NOT NULL);";

/* ---- statements ---- */

static kd2m_status fail(kd2m_store *store, const char *doing) {
    int code = sqlite3_errcode(store->base);
    kd2m_status status = code == SQLITE_NOMEM    ? KD2M_ERROR_MEMORY
                         : code == SQLITE_NOTADB ? KD2M_ERROR_INPUT
                                                 : KD2M_ERROR_IO;
    const char *path = sqlite3_db_filename(store->base, "main");
    return kd2m_fail(store->context, status, "%s: %s: %s", path && *path ? path : "study.db", doing,
                     sqlite3_errmsg(store->base));
}

static kd2m_status run(kd2m_store *store, const char *sql, const char *doing) {
    return sqlite3_exec(store->base, sql, NULL, NULL, NULL) == SQLITE_OK ? KD2M_OK
                                                                         : fail(store, doing);
}

static kd2m_status prepare(kd2m_store *store, sqlite3_stmt **out, const char *sql) {
    return sqlite3_prepare_v2(store->base, sql, -1, out, NULL) == SQLITE_OK
               ? KD2M_OK
               : fail(store, "preparing a statement");
}

/* Runs a prepared statement that yields no rows, and gives it back. */
static kd2m_status carry_out(kd2m_store *store, sqlite3_stmt *statement, const char *doing) {
    kd2m_status status = sqlite3_step(statement) == SQLITE_DONE ? KD2M_OK : fail(store, doing);
    sqlite3_finalize(statement);
    return status;
}

kd2m_status kd2m_store_query(kd2m_store *store, const char *sql,
                             void (*bind)(void *, sqlite3_stmt *), kd2m_store_visit visit,
                             void *user) {
    sqlite3_stmt *statement = NULL;
    int code;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(prepare(store, &statement, sql));
    if (bind)
        bind(user, statement);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        KD2M_TRY(visit(user, statement));
    if (code != SQLITE_DONE)
        status = fail(store, "reading");
cleanup:
    sqlite3_finalize(statement);
    return status;
}

static kd2m_status take_number(void *user, sqlite3_stmt *row) {
    *(double *)user = sqlite3_column_double(row, 0);
    return KD2M_OK;
}

/* ---- opening ---- */

static kd2m_status check_format(kd2m_store *store) {
    double format = 0;
    char text[64];
    kd2m_status status = kd2m_store_query(store, "PRAGMA user_version", NULL, take_number, &format);
    if (status != KD2M_OK || (int)format == FORMAT)
        return status;
    if ((int)format != 0)
        return kd2m_fail(store->context, KD2M_ERROR_INPUT,
                         "%s: a study of format %d; this version knows %d",
                         sqlite3_db_filename(store->base, "main"), (int)format, FORMAT);
    snprintf(text, sizeof text, "PRAGMA user_version = %d", FORMAT);
    return run(store, text, "setting the format");
}

static kd2m_status set_up(kd2m_store *store) {
    kd2m_status status = KD2M_OK;
    sqlite3_busy_timeout(store->base, BUSY_MILLISECONDS);
    KD2M_TRY(run(store, "PRAGMA journal_mode = WAL", "opening"));
    KD2M_TRY(run(store, "PRAGMA synchronous = NORMAL", "opening"));
    KD2M_TRY(kd2m_store_begin(store));
    status = run(store, schema, "making tables");
    if (status == KD2M_OK)
        status = check_format(store);
    kd2m_status ended = kd2m_store_end(store, status == KD2M_OK);
    status = status == KD2M_OK ? ended : status;
cleanup:
    return status;
}

kd2m_status kd2m_store_open(kd2m_store **out, kd2m_context *context, const char *path,
                            double lease) {
    *out = NULL;
    kd2m_store *store = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&store, 1, sizeof *store));
    store->context = context;
    store->lease = lease;
    if (gethostname(store->host, sizeof store->host - 1) != 0)
        strcpy(store->host, "here");
    snprintf(store->owner, sizeof store->owner, "%s:%ld", store->host, (long)getpid());
    if (sqlite3_open(path, &store->base) != SQLITE_OK) {
        status = store->base ? fail(store, "opening")
                             : kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for a study");
        goto cleanup;
    }
    KD2M_TRY(set_up(store));
    *out = store;
    store = NULL;
cleanup:
    kd2m_store_close(store);
    return status;
}

void kd2m_store_close(kd2m_store *store) {
    if (!store)
        return;
    sqlite3_close(store->base);
    kd2m_free(store->context, store);
}

kd2m_status kd2m_store_begin(kd2m_store *store) {
    return run(store, "BEGIN IMMEDIATE", "beginning a transaction");
}

kd2m_status kd2m_store_end(kd2m_store *store, bool keep) {
    return run(store, keep ? "COMMIT" : "ROLLBACK", "ending a transaction");
}

/* ---- the plan ---- */

typedef struct text_reader {
    kd2m_context *context;
    char *text;
} text_reader;

static kd2m_status take_text(void *user, sqlite3_stmt *row) {
    text_reader *reader = user;
    return kd2m_text_copy(reader->context, &reader->text,
                          (const char *)sqlite3_column_text(row, 0));
}

kd2m_status kd2m_store_plan(kd2m_store *store, char **out) {
    text_reader reader = {store->context, NULL};
    kd2m_status status = kd2m_store_query(store, "SELECT value FROM study WHERE key = 'plan'", NULL,
                                          take_text, &reader);
    *out = reader.text;
    if (status == KD2M_OK && !*out)
        status = kd2m_fail(store->context, KD2M_ERROR_USAGE,
                           "%s: there is no study here yet: say which plan to follow",
                           sqlite3_db_filename(store->base, "main"));
    return status;
}

kd2m_status kd2m_store_keep_plan(kd2m_store *store, const char *text) {
    sqlite3_stmt *statement = NULL;
    char *kept = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(prepare(store, &statement, "INSERT OR IGNORE INTO study VALUES('plan', ?)"));
    sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    KD2M_TRY(carry_out(store, statement, "keeping the plan"));
    KD2M_TRY(kd2m_store_plan(store, &kept));
    if (strcmp(kept, text) != 0)
        status = kd2m_fail(store->context, KD2M_ERROR_USAGE,
                           "%s: this study follows another plan: leave the plan out to go on with "
                           "it, or choose another --out",
                           sqlite3_db_filename(store->base, "main"));
cleanup:
    kd2m_free(store->context, kept);
    return status;
}

/* ---- trials ---- */

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
    KD2M_TRY(prepare(store, &statement,
                     "INSERT OR IGNORE INTO trial(hash, stage, data, student, method, rung, "
                     "candidate, repeat, settings, teacher) VALUES(?,?,?,?,?,?,?,?,?,?)"));
    sqlite3_bind_text(statement, 1, hash, -1, SQLITE_TRANSIENT);
    const size_t numbers[] = {(size_t)place->stage, place->data,      place->student, place->method,
                              place->rung,          place->candidate, place->repeat};
    for (int i = 0; i < 7; i++)
        sqlite3_bind_int64(statement, i + 2, (sqlite3_int64)numbers[i]);
    sqlite3_bind_text(statement, 9, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 10, teacher, -1, SQLITE_TRANSIENT);
    KD2M_TRY(carry_out(store, statement, "adding a trial"));
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
    KD2M_TRY(prepare(store, &statement,
                     "UPDATE trial SET state = 'waiting', owner = NULL, lease = NULL"
                     " WHERE id = ? AND state = 'running'"));
    sqlite3_bind_int64(statement, 1, trial);
    KD2M_TRY(carry_out(store, statement, "giving a trial back"));
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
    KD2M_TRY(prepare(store, &statement,
                     "UPDATE trial SET state = 'running', owner = ?, lease = ?,"
                     " sittings = sittings + 1 WHERE id = ?"));
    sqlite3_bind_text(statement, 1, store->owner, -1, SQLITE_STATIC);
    sqlite3_bind_double(statement, 2, reader->now + store->lease);
    sqlite3_bind_int64(statement, 3, reader->claim->trial);
    KD2M_TRY(carry_out(store, statement, "taking a trial"));
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
    KD2M_TRY(
        prepare(store, &statement,
                "UPDATE trial SET lease = ? WHERE id = ? AND owner = ? AND state = 'running'"));
    sqlite3_bind_double(statement, 1, clock_now() + store->lease);
    sqlite3_bind_int64(statement, 2, trial);
    sqlite3_bind_text(statement, 3, store->owner, -1, SQLITE_STATIC);
    KD2M_TRY(carry_out(store, statement, "renewing a lease"));
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
    KD2M_TRY(prepare(store, &statement,
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
    KD2M_TRY(carry_out(store, statement, "keeping an outcome"));
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

/* ---- what nets say on data that no training has seen ---- */

typedef struct outputs_key {
    int64_t trial;
    const char *part;
    bool found;
} outputs_key;

static void bind_key(void *user, sqlite3_stmt *statement) {
    const outputs_key *key = user;
    sqlite3_bind_int64(statement, 1, key->trial);
    sqlite3_bind_text(statement, 2, key->part, -1, SQLITE_STATIC);
}

static kd2m_status note_found(void *user, sqlite3_stmt *row) {
    (void)row;
    ((outputs_key *)user)->found = true;
    return KD2M_OK;
}

kd2m_status kd2m_store_has_outputs(kd2m_store *store, int64_t trial, const char *part, bool *out) {
    outputs_key key = {trial, part, false};
    kd2m_status status = kd2m_store_query(
        store, "SELECT 1 FROM outputs WHERE trial = ? AND part = ?", bind_key, note_found, &key);
    *out = key.found;
    return status;
}

kd2m_status kd2m_store_add_outputs(kd2m_store *store, int64_t trial, const char *part,
                                   const kd2m_outputs *outputs) {
    sqlite3_stmt *statement = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(prepare(store, &statement, "INSERT OR REPLACE INTO outputs VALUES(?,?,?,?,?)"));
    sqlite3_bind_int64(statement, 1, trial);
    sqlite3_bind_text(statement, 2, part, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)outputs->classes);
    sqlite3_bind_blob64(statement, 4, outputs->labels, outputs->rows * sizeof *outputs->labels,
                        SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 5, outputs->logits,
                        outputs->rows * outputs->classes * sizeof *outputs->logits, SQLITE_STATIC);
    KD2M_TRY(carry_out(store, statement, "keeping what a net says"));
cleanup:
    return status;
}

kd2m_status kd2m_store_note_reading(kd2m_store *store, const char *what) {
    sqlite3_stmt *statement = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(prepare(store, &statement, "INSERT INTO reading VALUES(datetime('now'), ?)"));
    sqlite3_bind_text(statement, 1, what, -1, SQLITE_STATIC);
    KD2M_TRY(carry_out(store, statement, "noting that test data are read"));
cleanup:
    return status;
}

kd2m_status kd2m_store_retry(kd2m_store *store) {
    return run(store, "UPDATE trial SET state = 'waiting', message = NULL WHERE state = 'failed'",
               "taking failed trials up again");
}
