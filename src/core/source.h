/*
 * Byte source: what every reader reads from. A file or memory, plain or gzip (seen by its first two
 * bytes and unpacked on the way; a gzip stream cut short is an error, never a short read).
 */
#ifndef KD2M_CORE_SOURCE_H
#define KD2M_CORE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"

typedef struct kd2m_source kd2m_source;

/* Opens a file. Errors: KD2M_ERROR_IO with the path and the system's reason; a folder is refused.
 */
kd2m_status kd2m_source_open(kd2m_source **out, kd2m_context *context, const char *path);

/* Reads from memory (borrowed until close). `name` (copied) stands for the path in messages. */
kd2m_status kd2m_source_memory(kd2m_source **out, kd2m_context *context, const void *bytes,
                               size_t size, const char *name);

/* Reads up to `size` bytes; *got is smaller only at the end. */
kd2m_status kd2m_source_read(kd2m_source *source, void *out, size_t size, size_t *got);

/* Reads exactly `size` bytes. Errors: KD2M_ERROR_INPUT 'NAME: ends after N bytes, WHAT needs M'. */
kd2m_status kd2m_source_read_exact(kd2m_source *source, void *out, size_t size, const char *what);

/* KD2M_OK only if nothing is left. Errors: KD2M_ERROR_INPUT 'NAME: has bytes after WHAT'. */
kd2m_status kd2m_source_expect_end(kd2m_source *source, const char *what);

/*
 * Reads `bytes` bytes into new memory that grows as data arrives, so that a header that lies about
 * its size costs no more memory than the file is long. *out is owned by the caller (kd2m_free).
 */
kd2m_status kd2m_source_read_block(kd2m_source *source, void **out, size_t bytes, const char *what);

/* Reads to the end, at most `limit` bytes, into new memory with a NUL behind it (not counted). */
kd2m_status kd2m_source_read_all(kd2m_source *source, void **out, size_t *size, size_t limit);

/* What messages call it. */
const char *kd2m_source_name(const kd2m_source *source);

/* Bytes that came out of it so far (after unpacking). */
uint64_t kd2m_source_position(const kd2m_source *source);

void kd2m_source_close(kd2m_source *source);

/* Whether something readable stands at `path`; whether a folder does. */
bool kd2m_file_exists(const char *path);
bool kd2m_folder_exists(const char *path);

#endif
