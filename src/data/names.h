/* Lists of names and paths that users write with ';' between. */
#ifndef KD2M_DATA_NAMES_H
#define KD2M_DATA_NAMES_H

#include <stddef.h>

#include "kd2m/core.h"

typedef struct kd2m_names {
    char **items; /* owned, as the array */
    size_t count, capacity;
} kd2m_names;

/* Appends a copy. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_names_add(kd2m_names *names, kd2m_context *context, const char *name);

/* Appends 'A;B;..'; NULL is an empty list. Errors: KD2M_ERROR_USAGE (a name is empty; `what` it
 * would be), KD2M_ERROR_MEMORY. */
kd2m_status kd2m_names_split(kd2m_names *names, kd2m_context *context, const char *text,
                             const char *what);

/*
 * Appends the files of 'PATH;PATH;..'. A path that does not exist is a pattern as the shell's (* ?
 * [..]) and means what fits it, sorted by bytes; a folder means the files *.csv, *.npy, *.csv.gz
 * and *.npy.gz in it. Errors: KD2M_ERROR_USAGE (an empty path), KD2M_ERROR_IO (no file fits, a
 * folder can't be read), KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_names_files(kd2m_names *names, kd2m_context *context, const char *text);

/* Takes the paths that lead to the same file as `path` off the list. */
void kd2m_names_remove_file(kd2m_names *names, kd2m_context *context, const char *path);

/* Frees all and zeroes the struct. */
void kd2m_names_clear(kd2m_names *names, kd2m_context *context);

#endif
