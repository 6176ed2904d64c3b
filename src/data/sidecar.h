/* A table beside recordings: what each file is. */
#ifndef KD2M_DATA_SIDECAR_H
#define KD2M_DATA_SIDECAR_H

#include "tables.h"

typedef struct kd2m_sidecar {
    char *path;      /* owned, as all below */
    kd2m_frame rows; /* codes of the label and the columns, then of the file */
    size_t *row_of;  /* by the file's code: row + 1; 0 has none */
    size_t codes;    /* of files */
    bool *taken;     /* by row: a recording is described by it */
} kd2m_sidecar;

/*
 * Reads a table with the columns `file`, `label` and others. Adds to `tables` the texts `label`,
 * the `columns` ('A;B'; NULL: all others), and 'recording', and gets the codings ready. Errors:
 * KD2M_ERROR_USAGE (columns), KD2M_ERROR_INPUT (a row without a file, two for one), as
 * kd2m_csv_next.
 */
kd2m_status kd2m_sidecar_read(kd2m_sidecar *out, kd2m_tables *tables, const char *path,
                              const char *label, const char *columns);

/*
 * Writes the codes of label and columns of the recording at `path`: its row is the one whose file
 * is the end of that path, the longest if there are several. Errors: KD2M_ERROR_INPUT: there is
 * none, or another recording has it.
 */
kd2m_status kd2m_sidecar_find(kd2m_sidecar *sidecar, kd2m_tables *tables, const char *path,
                              int32_t *codes);

void kd2m_sidecar_clear(kd2m_sidecar *sidecar, kd2m_context *context);

/* The last `parts` parts of a path: 'b/c' of 'a/b/c'; all of it, if it has fewer. */
const char *kd2m_path_end(const char *path, size_t parts);

#endif
