/* The study's data base, its statements and its plan: see store.h. Trials are in store_trials.c,
 * what nets say in store_outputs.c. */
#include "store_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "json.h"
#include "memory.h"

#define FORMAT 1
#define BUSY_MILLISECONDS 60000 /* others' transactions take far less */

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
    "CREATE TABLE IF NOT EXISTS samples(data INTEGER NOT NULL, part TEXT NOT NULL,"
    " repeat INTEGER NOT NULL, keys BLOB NOT NULL, grouped_by TEXT, codes BLOB,"
    " PRIMARY KEY(data, part, repeat)) WITHOUT ROWID;" /* not in a study of an earlier version */
    "CREATE TABLE IF NOT EXISTS reading(time TEXT NOT NULL, what TEXT NOT NULL);";

/* ---- statements ---- */

kd2m_status kd2m_store_fail(kd2m_store *store, const char *doing) {
    int code = sqlite3_errcode(store->base);
    kd2m_status status = code == SQLITE_NOMEM    ? KD2M_ERROR_MEMORY
                         : code == SQLITE_NOTADB ? KD2M_ERROR_INPUT
                                                 : KD2M_ERROR_IO;
    const char *path = sqlite3_db_filename(store->base, "main");
    return kd2m_fail(store->context, status, "%s: %s: %s", path && *path ? path : "study.db", doing,
                     sqlite3_errmsg(store->base));
}

kd2m_status kd2m_store_run(kd2m_store *store, const char *sql, const char *doing) {
    return sqlite3_exec(store->base, sql, NULL, NULL, NULL) == SQLITE_OK
               ? KD2M_OK
               : kd2m_store_fail(store, doing);
}

kd2m_status kd2m_store_prepare(kd2m_store *store, sqlite3_stmt **out, const char *sql) {
    return sqlite3_prepare_v2(store->base, sql, -1, out, NULL) == SQLITE_OK
               ? KD2M_OK
               : kd2m_store_fail(store, "preparing a statement");
}

kd2m_status kd2m_store_carry_out(kd2m_store *store, sqlite3_stmt *statement, const char *doing) {
    kd2m_status status =
        sqlite3_step(statement) == SQLITE_DONE ? KD2M_OK : kd2m_store_fail(store, doing);
    sqlite3_finalize(statement);
    return status;
}

kd2m_status kd2m_store_query(kd2m_store *store, const char *sql,
                             void (*bind)(void *, sqlite3_stmt *), kd2m_store_visit visit,
                             void *user) {
    sqlite3_stmt *statement = NULL;
    int code;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_prepare(store, &statement, sql));
    if (bind)
        bind(user, statement);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        KD2M_TRY(visit(user, statement));
    if (code != SQLITE_DONE)
        status = kd2m_store_fail(store, "reading");
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
    return kd2m_store_run(store, text, "setting the format");
}

static kd2m_status set_up(kd2m_store *store) {
    kd2m_status status = KD2M_OK;
    sqlite3_busy_timeout(store->base, BUSY_MILLISECONDS);
    KD2M_TRY(kd2m_store_run(store, "PRAGMA journal_mode = WAL", "opening"));
    KD2M_TRY(kd2m_store_run(store, "PRAGMA synchronous = NORMAL", "opening"));
    KD2M_TRY(kd2m_store_begin(store));
    status = kd2m_store_run(store, schema, "making tables");
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
        status = store->base ? kd2m_store_fail(store, "opening")
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
    return kd2m_store_run(store, "BEGIN IMMEDIATE", "beginning a transaction");
}

kd2m_status kd2m_store_end(kd2m_store *store, bool keep) {
    return kd2m_store_run(store, keep ? "COMMIT" : "ROLLBACK", "ending a transaction");
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
    KD2M_TRY(
        kd2m_store_prepare(store, &statement, "INSERT OR IGNORE INTO study VALUES('plan', ?)"));
    sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "keeping the plan"));
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
