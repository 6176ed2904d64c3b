/*
 * The run folder: its files, who may write there, what --resume finds. All files but the log are
 * written to the side and renamed; the log is cut back to what the checkpoint knows of.
 */
#ifndef KD2M_DISTILL_RUN_FOLDER_H
#define KD2M_DISTILL_RUN_FOLDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "kd2m/distill.h"

typedef struct kd2m_run_folder {
    kd2m_context *context;
    char *path;
    char *config, *log, *model, *result, *profile; /* the files' paths */
    char *checkpoint_folder, *checkpoint;
    char *lock_file;
    bool made; /* the folder was not there before */
    int lock;  /* descriptor that holds the folder for this process */
} kd2m_run_folder;

/* Names the folder's files without taking hold of it: for those who only read. */
kd2m_status kd2m_run_folder_look(kd2m_run_folder **out, kd2m_context *context, const char *path);

/*
 * Takes hold of the folder, made where missing, as `mode` says. Errors: KD2M_ERROR_USAGE for a
 * folder that is not empty (NEW), not a run (FORCE, RESUME), or in use by another process.
 */
kd2m_status kd2m_run_folder_open(kd2m_run_folder **out, kd2m_context *context, const char *path,
                                 kd2m_run_mode mode);
/* Lets go of the folder; one in which no run has begun (no config.json) is taken away again. */
void kd2m_run_folder_close(kd2m_run_folder *folder);

/* Appends one line to the log, whole or not at all, and tells the log's length after it. */
kd2m_status kd2m_run_folder_log(kd2m_run_folder *folder, const json_t *line, uint64_t *length);

/* *out = the whole lines of the log at `path` as one JSON list, a new reference; what stands behind
 * the last newline is being written, or was when its run was killed. Errors: KD2M_ERROR_INPUT. */
kd2m_status kd2m_run_log_read(json_t **out, kd2m_context *context, const char *path);

/* Cuts the log back to `length` bytes. Errors: KD2M_ERROR_INPUT when it has fewer. */
kd2m_status kd2m_run_folder_cut_log(kd2m_run_folder *folder, uint64_t length);

/* Calls visit(user, path, name) on each entry of a folder but '.' and '..', in no order, until one
 * fails. Errors: KD2M_ERROR_IO where the folder can't be read. */
typedef kd2m_status (*kd2m_entry_visit)(void *user, const char *path, const char *name);
kd2m_status kd2m_folder_visit(kd2m_context *context, const char *path, kd2m_entry_visit visit,
                              void *user);

#endif
