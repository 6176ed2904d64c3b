/* What nets say, in the study's data base: see store.h. */
#include "context.h"
#include "store_internal.h"

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
    KD2M_TRY(
        kd2m_store_prepare(store, &statement, "INSERT OR REPLACE INTO outputs VALUES(?,?,?,?,?)"));
    sqlite3_bind_int64(statement, 1, trial);
    sqlite3_bind_text(statement, 2, part, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)outputs->classes);
    sqlite3_bind_blob64(statement, 4, outputs->labels, outputs->rows * sizeof *outputs->labels,
                        SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 5, outputs->logits,
                        outputs->rows * outputs->classes * sizeof *outputs->logits, SQLITE_STATIC);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "keeping what a net says"));
cleanup:
    return status;
}

kd2m_status kd2m_store_outputs_in(kd2m_store *store, sqlite3_stmt *row, int first,
                                  kd2m_outputs *out) {
    *out = (kd2m_outputs){
        .rows = (size_t)sqlite3_column_bytes(row, first + 1) / sizeof(int32_t),
        .classes = (size_t)sqlite3_column_int64(row, first),
        .labels = sqlite3_column_blob(row, first + 1),
        .logits = sqlite3_column_blob(row, first + 2),
    };
    size_t logits = (size_t)sqlite3_column_bytes(row, first + 2) / sizeof(float);
    return out->classes > 0 && logits == out->rows * out->classes
               ? KD2M_OK
               : kd2m_fail(store->context, KD2M_ERROR_INPUT,
                           "study.db: outputs of another size than their labels");
}

/* ---- which samples they are about ---- */

typedef struct samples_key {
    const kd2m_place *place;
    const char *part;
    bool found;
} samples_key;

static void bind_samples(void *user, sqlite3_stmt *statement) {
    const samples_key *key = user;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)key->place->data);
    sqlite3_bind_text(statement, 2, key->part, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)key->place->repeat);
}

static kd2m_status note_samples(void *user, sqlite3_stmt *row) {
    (void)row;
    ((samples_key *)user)->found = true;
    return KD2M_OK;
}

kd2m_status kd2m_store_has_samples(kd2m_store *store, const kd2m_place *place, const char *part,
                                   bool *out) {
    samples_key key = {place, part, false};
    kd2m_status status =
        kd2m_store_query(store, "SELECT 1 FROM samples WHERE data = ? AND part = ? AND repeat = ?",
                         bind_samples, note_samples, &key);
    *out = key.found;
    return status;
}

kd2m_status kd2m_store_add_samples(kd2m_store *store, const kd2m_place *place, const char *part,
                                   const kd2m_samples *samples) {
    sqlite3_stmt *statement = NULL;
    samples_key key = {place, part, false};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(
        kd2m_store_prepare(store, &statement, "INSERT OR IGNORE INTO samples VALUES(?,?,?,?,?,?)"));
    bind_samples(&key, statement);
    sqlite3_bind_blob64(statement, 4, samples->keys, samples->rows * sizeof *samples->keys,
                        SQLITE_STATIC);
    sqlite3_bind_text(statement, 5, samples->column, -1, SQLITE_STATIC);
    if (samples->groups)
        sqlite3_bind_blob64(statement, 6, samples->groups, samples->rows * sizeof *samples->groups,
                            SQLITE_STATIC);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "keeping which samples a part has"));
cleanup:
    return status;
}

/* ---- the reading ---- */

kd2m_status kd2m_store_note_reading(kd2m_store *store, const char *what) {
    sqlite3_stmt *statement = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(
        kd2m_store_prepare(store, &statement, "INSERT INTO reading VALUES(datetime('now'), ?)"));
    sqlite3_bind_text(statement, 1, what, -1, SQLITE_STATIC);
    KD2M_TRY(kd2m_store_carry_out(store, statement, "noting that test data are read"));
cleanup:
    return status;
}
