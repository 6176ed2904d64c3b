/*
 * A study's memory: an SQLite data base (WAL), study.db, that any number of processes work on. One
 * row a trial; who works on it is settled by a transaction, and a lease that its owner renews, so
 * that what a dead process held is taken up by another.
 */
#ifndef KD2M_STUDY_STORE_H
#define KD2M_STUDY_STORE_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "kd2m/core.h"

typedef struct kd2m_store kd2m_store;

/* What a trial is for. */
typedef enum kd2m_stage { KD2M_STAGE_TEACHER, KD2M_STAGE_SEARCH, KD2M_STAGE_REPORT } kd2m_stage;

/* Where a trial stands in the plan. Indices of the plan's lists; those that the stage does not have
 * are 0. */
typedef struct kd2m_place {
    kd2m_stage stage;
    size_t data, student, method;
    size_t rung;      /* search */
    size_t candidate; /* search: number; report: that of the winner */
    size_t repeat;    /* report: number of the seed */
} kd2m_place;

#define KD2M_HASH_SIZE 17 /* 16 hexadecimal digits and a NUL */

typedef struct kd2m_claim {
    int64_t trial;
    kd2m_place place;
    char hash[KD2M_HASH_SIZE];    /* names the trial's folder */
    char teacher[KD2M_HASH_SIZE]; /* hash of the trial that is its teacher, "" for none */
    json_t *settings;             /* owned */
} kd2m_claim;

/* Opens or makes the data base. `lease`: seconds without a sign of life after which others take a
 * trial over. Errors: KD2M_ERROR_IO, KD2M_ERROR_INPUT (not a study, another format). */
kd2m_status kd2m_store_open(kd2m_store **out, kd2m_context *context, const char *path,
                            double lease);
void kd2m_store_close(kd2m_store *store);

/* Sets the plan's text, or refuses one that differs from the plan that is there
 * (KD2M_ERROR_USAGE). */
kd2m_status kd2m_store_keep_plan(kd2m_store *store, const char *text);

/* *out = the plan's text, owned; KD2M_ERROR_USAGE if there is none. */
kd2m_status kd2m_store_plan(kd2m_store *store, char **out);

/* What lies between the two is seen by others as a whole; end(keep = false) undoes it. */
kd2m_status kd2m_store_begin(kd2m_store *store);
kd2m_status kd2m_store_end(kd2m_store *store, bool keep);

/* Adds a trial unless its place has one. */
kd2m_status kd2m_store_add(kd2m_store *store, const kd2m_place *place, const json_t *settings,
                           const char *teacher);

/* Takes the first trial that can be worked on: *found = false if there is none now. */
kd2m_status kd2m_store_claim(kd2m_store *store, kd2m_claim *out, bool *found);
void kd2m_claim_clear(kd2m_claim *claim);

/* How far a trial is. */
typedef enum kd2m_trial_state {
    KD2M_TRIAL_WAITING,
    KD2M_TRIAL_RUNNING,
    KD2M_TRIAL_DONE,
    KD2M_TRIAL_FAILED
} kd2m_trial_state;

typedef struct kd2m_trial_row {
    int64_t trial;
    kd2m_place place;
    kd2m_trial_state state;
    double score; /* NaN before it is done, or where it diverged */
    bool has_net; /* it came to its end */
    char hash[KD2M_HASH_SIZE];
} kd2m_trial_row;

/* *out = all trials by number, to be given to kd2m_free. */
kd2m_status kd2m_store_trials(kd2m_store *store, kd2m_trial_row **out, size_t *count);

/* *out = a trial's settings, a new reference. */
kd2m_status kd2m_store_settings(kd2m_store *store, int64_t trial, json_t **out);

/* A sign of life. *ours = false: somebody else took the trial over. */
kd2m_status kd2m_store_renew(kd2m_store *store, int64_t trial, bool *ours);

/* Gives a trial back unfinished. */
kd2m_status kd2m_store_release(kd2m_store *store, int64_t trial);

/* How a trial ended. */
typedef struct kd2m_outcome {
    bool failed;         /* by an error of files or machine: it is to be tried again */
    const char *message; /* why it failed or diverged; or NULL */
    double score;        /* on validation, higher is better; NaN where it diverged */
    const char *result;  /* as JSON */
    const char *epochs;  /* the log's lines as a JSON list */
    const char *costs;   /* of a step's parts, as JSON */
} kd2m_outcome;

kd2m_status kd2m_store_finish(kd2m_store *store, int64_t trial, const kd2m_outcome *outcome);

/* What a net says on a data set's rows. */
typedef struct kd2m_outputs {
    size_t rows, classes;
    const int32_t *labels; /* rows */
    const float *logits;   /* rows x classes */
} kd2m_outputs;

/* Whether the outputs of a trial's net on a part ("test" or a shift) are there; adds them. */
kd2m_status kd2m_store_has_outputs(kd2m_store *store, int64_t trial, const char *part, bool *out);
kd2m_status kd2m_store_add_outputs(kd2m_store *store, int64_t trial, const char *part,
                                   const kd2m_outputs *outputs);

/* *out = the outputs in columns `first` (classes), first + 1 (labels) and first + 2 (logits) of a
 * row, borrowed from it. Errors: KD2M_ERROR_INPUT where their sizes don't fit. */
kd2m_status kd2m_store_outputs_in(kd2m_store *store, sqlite3_stmt *row, int first,
                                  kd2m_outputs *out);

/* Which samples a part has, in the outputs' order, for one of the report's seeds, which may choose
 * them. */
typedef struct kd2m_samples {
    size_t rows;
    const uint64_t *keys;  /* rows: see kd2m_dataset_read_keys */
    const char *column;    /* that groups them; NULL: each stands by itself */
    const int32_t *groups; /* rows; NULL without a column */
} kd2m_samples;

/* Which samples a part of a data set has for the seed place->repeat. */
kd2m_status kd2m_store_has_samples(kd2m_store *store, const kd2m_place *place, const char *part,
                                   bool *out);
kd2m_status kd2m_store_add_samples(kd2m_store *store, const kd2m_place *place, const char *part,
                                   const kd2m_samples *samples);

/* Notes that test data are read, and when. */
kd2m_status kd2m_store_note_reading(kd2m_store *store, const char *what);

/* Failed trials shall be tried again. */
kd2m_status kd2m_store_retry(kd2m_store *store);

/* Calls `visit` for each row of a statement; `bind`, unless NULL, binds its parameters first. A
 * status other than KD2M_OK ends the walk. */
typedef kd2m_status (*kd2m_store_visit)(void *user, sqlite3_stmt *row);
kd2m_status kd2m_store_query(kd2m_store *store, const char *sql,
                             void (*bind)(void *, sqlite3_stmt *), kd2m_store_visit visit,
                             void *user);

/* The hash of settings and teacher. */
kd2m_status kd2m_store_hash(kd2m_context *context, const json_t *settings, const char *teacher,
                            char out[KD2M_HASH_SIZE]);

#endif
