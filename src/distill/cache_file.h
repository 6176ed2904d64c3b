/*
 * One layer of a teacher over the training samples, in a file: a .safetensors file of
 *
 *     NAME      [N,c] or [N,c,L] F32: the layer, a row a sample
 *     keys      [N,8] U8: whose rows they are (keys.h)
 *     checksum  [8] U8: digest of all bytes before it
 *
 * All of its header follows from what it holds and of whom: a file is right where its first bytes
 * are those that would be written, its length is that, each key is that of the sample that the row
 * is to be of, and the checksum holds. Nothing of a file is interpreted. Time of checking O(bytes).
 */
#ifndef KD2M_DISTILL_CACHE_FILE_H
#define KD2M_DISTILL_CACHE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "mapping.h"
#include "writer.h"

/* What a file holds, and of whom. */
typedef struct kd2m_cache_key {
    const char *layer; /* borrowed, as the keys */
    size_t channels, positions;
    bool pooled;             /* the means over the positions alone */
    uint64_t teacher;        /* digest of the net and of how it is run */
    uint64_t samples;        /* digest of what it sees */
    size_t rows;             /* samples */
    const uint64_t *keys;    /* of the samples: that of row i is keys[numbers[i]], */
    const uint32_t *numbers; /* or keys[i] where this is NULL */
} kd2m_cache_key;

/* Numbers in a row. */
size_t kd2m_cache_width(const kd2m_cache_key *key);

/* Bytes of the rows of all samples. */
double kd2m_cache_bytes(const kd2m_cache_key *key);

/* *out = owned path in `folder`: the layer's name, the teacher's digest, the samples'. */
kd2m_status kd2m_cache_path(kd2m_context *context, char **out, const char *folder,
                            const kd2m_cache_key *key);

/* A file that is being written. */
typedef struct kd2m_cache_writer {
    kd2m_writer *writer; /* owned */
    uint64_t digest;     /* of what was written */
} kd2m_cache_writer;

/* Begins a file; *out is to be closed after failures, too. Errors: KD2M_ERROR_IO. */
kd2m_status kd2m_cache_begin(kd2m_cache_writer *out, kd2m_context *context, const char *path,
                             const kd2m_cache_key *key);

/* The next `rows` rows. */
kd2m_status kd2m_cache_add(kd2m_cache_writer *out, const kd2m_cache_key *key, const float *values,
                           size_t rows);

/* Keys, checksum, and the file is there: after all of its rows were added. */
kd2m_status kd2m_cache_finish(kd2m_cache_writer *out, const kd2m_cache_key *key);

/* Without kd2m_cache_finish before it nothing is left. */
void kd2m_cache_close(kd2m_cache_writer *writer);

/* Maps a file and checks all of it; *values = its rows, in the mapping. Errors: KD2M_ERROR_IO;
 * KD2M_ERROR_INPUT where it isn't what `key` says, the message saying what to delete. */
kd2m_status kd2m_cache_map(kd2m_mapping *out, const float **values, kd2m_context *context,
                           const char *path, const kd2m_cache_key *key);

#endif
