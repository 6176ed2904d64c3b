/* Files of a teacher's layers: see cache_file.h. Memory: a header. Thread rule: the context's. */
#include "cache_file.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "tensors.h"

#define FORMAT "1"
#define NAME_SHOWN 60 /* characters of a layer's name in the file's */

enum { WORD = 8 }; /* bytes of a key and of the checksum */

size_t kd2m_cache_width(const kd2m_cache_key *key) {
    return key->pooled ? key->channels : key->channels * key->positions;
}

double kd2m_cache_bytes(const kd2m_cache_key *key) {
    return (double)key->rows * (double)kd2m_cache_width(key) * sizeof(float);
}

/* Digest of the teacher, with the layer's name: of two names that look the same in a path each has
 * its own. */
static uint64_t digest_source(const kd2m_cache_key *key) {
    return kd2m_digest(key->teacher, key->layer, strlen(key->layer));
}

kd2m_status kd2m_cache_path(kd2m_context *context, char **out, const char *folder,
                            const kd2m_cache_key *key) {
    char name[NAME_SHOWN + 64];
    char shown[NAME_SHOWN + 1];
    snprintf(shown, sizeof shown, "%s", key->layer);
    for (char *at = shown; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
            *at = '_';
    snprintf(name, sizeof name, "%s%s-%016" PRIx64 "-%016" PRIx64 ".safetensors", shown,
             key->pooled ? "-pool" : "", digest_source(key), key->samples);
    return kd2m_join_path(context, out, folder, name);
}

static kd2m_status set_digest(kd2m_tensors *tensors, const char *name, uint64_t digest) {
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, digest);
    return kd2m_tensors_set_text(tensors, name, text);
}

/* *out = the bytes that a file begins with. */
static kd2m_status make_header(kd2m_context *context, char **out, size_t *size,
                               const kd2m_cache_key *key) {
    const size_t layer[] = {key->rows, key->channels, key->positions};
    const size_t keys[] = {key->rows, WORD}, checksum[] = {WORD};
    kd2m_tensors *tensors = NULL;
    kd2m_tensor *added;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_tensors_create(&tensors, context));
    KD2M_TRY(kd2m_tensors_declare(tensors, &added, key->layer, KD2M_TENSOR_F32,
                                  key->pooled || key->positions == 1 ? 2 : 3, layer));
    KD2M_TRY(kd2m_tensors_declare(tensors, &added, "keys", KD2M_TENSOR_U8, 2, keys));
    KD2M_TRY(kd2m_tensors_declare(tensors, &added, "checksum", KD2M_TENSOR_U8, 1, checksum));
    KD2M_TRY(kd2m_tensors_set_text(tensors, "kd2m.cache", FORMAT));
    KD2M_TRY(set_digest(tensors, "teacher", key->teacher));
    KD2M_TRY(set_digest(tensors, "samples", key->samples));
    KD2M_TRY(kd2m_tensors_header(tensors, out, size));
cleanup:
    kd2m_tensors_free(tensors);
    return status;
}

/* The lowest byte first. */
static void put_word(unsigned char bytes[WORD], uint64_t word) {
    for (size_t i = 0; i < WORD; i++)
        bytes[i] = (unsigned char)(word >> (8 * i));
}

static uint64_t key_of(const kd2m_cache_key *key, size_t row) {
    return key->keys[key->numbers ? key->numbers[row] : row];
}

static kd2m_status put(kd2m_cache_writer *out, const void *bytes, size_t size) {
    out->digest = kd2m_digest(out->digest, bytes, size);
    return kd2m_writer_write(out->writer, bytes, size);
}

kd2m_status kd2m_cache_begin(kd2m_cache_writer *out, kd2m_context *context, const char *path,
                             const kd2m_cache_key *key) {
    char *header = NULL;
    size_t size;
    kd2m_status status = KD2M_OK;
    *out = (kd2m_cache_writer){NULL, KD2M_DIGEST_START};
    KD2M_TRY(make_header(context, &header, &size, key));
    KD2M_TRY(kd2m_writer_open(&out->writer, context, path));
    KD2M_TRY(put(out, header, size));
cleanup:
    kd2m_free(context, header);
    return status;
}

kd2m_status kd2m_cache_add(kd2m_cache_writer *out, const kd2m_cache_key *key, const float *values,
                           size_t rows) {
    size_t width = kd2m_cache_width(key);
    for (size_t i = 0; i < rows; i++) /* the digest's cuts are the rows' */
        out->digest = kd2m_digest(out->digest, values + i * width, width * sizeof *values);
    return kd2m_writer_write(out->writer, values, rows * width * sizeof *values);
}

kd2m_status kd2m_cache_finish(kd2m_cache_writer *out, const kd2m_cache_key *key) {
    unsigned char word[WORD];
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < key->rows; i++) {
        put_word(word, key_of(key, i));
        KD2M_TRY(put(out, word, WORD));
    }
    put_word(word, out->digest);
    KD2M_TRY(kd2m_writer_write(out->writer, word, WORD));
    KD2M_TRY(kd2m_writer_commit(out->writer));
cleanup:
    return status;
}

void kd2m_cache_close(kd2m_cache_writer *writer) {
    kd2m_writer_close(writer->writer);
    writer->writer = NULL;
}

/* Why the mapped file is not what `key` says; NULL where it is. */
static const char *find_fault(const kd2m_mapping *file, const char *header, size_t header_size,
                              const kd2m_cache_key *key) {
    size_t row = kd2m_cache_width(key) * sizeof(float);
    size_t rest = key->rows * (row + WORD) + WORD;
    const unsigned char *at = file->bytes;
    unsigned char word[WORD];
    if (file->size < header_size || memcmp(at, header, header_size) != 0)
        return "is of another teacher, layer or data, or of another version";
    if (file->size - header_size != rest)
        return "is cut short or has more behind it";
    uint64_t digest = kd2m_digest(KD2M_DIGEST_START, at, header_size);
    at += header_size;
    for (size_t i = 0; i < key->rows; i++, at += row)
        digest = kd2m_digest(digest, at, row);
    for (size_t i = 0; i < key->rows; i++, at += WORD) {
        put_word(word, key_of(key, i));
        if (memcmp(at, word, WORD) != 0)
            return "has rows of other samples than it should";
        digest = kd2m_digest(digest, at, WORD);
    }
    put_word(word, digest);
    return memcmp(at, word, WORD) == 0 ? NULL : "is damaged: its checksum does not hold";
}

kd2m_status kd2m_cache_map(kd2m_mapping *out, const float **values, kd2m_context *context,
                           const char *path, const kd2m_cache_key *key) {
    char *header = NULL;
    size_t size;
    kd2m_status status = KD2M_OK;
    *out = (kd2m_mapping){NULL, 0};
    *values = NULL;
    KD2M_TRY(make_header(context, &header, &size, key));
    KD2M_TRY(kd2m_mapping_open(out, context, path));
    const char *fault = find_fault(out, header, size, key);
    if (fault) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: %s; delete this file, and the teacher's outputs are computed anew",
                           path, fault);
        goto cleanup;
    }
    *values = (const float *)(const void *)(out->bytes + size); /* aligned: see safetensors.c */
cleanup:
    if (status != KD2M_OK)
        kd2m_mapping_close(out);
    kd2m_free(context, header);
    return status;
}
