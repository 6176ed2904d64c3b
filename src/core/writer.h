/*
 * Atomic file writing: bytes go to a temporary file beside the target; commit flushes it to disk
 * and renames it into place. Until then, and after any failure, the target is what it was. Where
 * the target is a device or a pipe (/dev/null, /dev/stdout), bytes go straight to it.
 * kd2m_write_file (kd2m/core.h) is all of it at once.
 */
#ifndef KD2M_CORE_WRITER_H
#define KD2M_CORE_WRITER_H

#include <stddef.h>

#include "kd2m/core.h"

typedef struct kd2m_writer kd2m_writer;

/* Opens 'PATH.tmp-..' for writing, a file of this writer alone. Errors: KD2M_ERROR_IO. */
kd2m_status kd2m_writer_open(kd2m_writer **out, kd2m_context *context, const char *path);

/* Appends bytes. Errors: KD2M_ERROR_IO (disk full …); the writer stays to be closed. */
kd2m_status kd2m_writer_write(kd2m_writer *writer, const void *bytes, size_t size);

/* fsync, rename, fsync of the folder. */
kd2m_status kd2m_writer_commit(kd2m_writer *writer);

/* Frees the writer; without a commit before it the temporary file is removed. NULL is fine. */
void kd2m_writer_close(kd2m_writer *writer);

/* Makes the folder and those above it where missing. Errors: KD2M_ERROR_IO. */
kd2m_status kd2m_make_folder(kd2m_context *context, const char *path);

/* *out = owned 'FOLDER/NAME'. */
kd2m_status kd2m_join_path(kd2m_context *context, char **out, const char *folder, const char *name);

#endif
