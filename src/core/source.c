/*
 * Byte source: see source.h. Two stages: raw bytes from a file or memory, then zlib's inflate where
 * the first two bytes say gzip. Constant memory (two 64 KiB buffers).
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "context.h"
#include "memory.h"

#define BUFFER_SIZE ((size_t)65536)

struct kd2m_source {
    kd2m_context *context;
    char *name;
    int file;                    /* -1 for memory */
    const unsigned char *memory; /* what is left of it */
    size_t memory_left;
    unsigned char *buffer; /* raw bytes read ahead: `ahead` of them from `at` */
    size_t at, ahead;
    int packed; /* gzip */
    int ended;  /* gzip: between two members, or behind the last */
    z_stream inflater;
    uint64_t position;
};

/* Fills the empty read-ahead buffer; it stays empty at the end. */
static kd2m_status fill(kd2m_source *source) {
    source->at = source->ahead = 0;
    if (source->file < 0) {
        size_t count = source->memory_left < BUFFER_SIZE ? source->memory_left : BUFFER_SIZE;
        if (count == 0)
            return KD2M_OK; /* the memory may be NULL */
        memcpy(source->buffer, source->memory, count);
        source->memory += count;
        source->memory_left -= count;
        source->ahead = count;
        return KD2M_OK;
    }
    ssize_t got;
    do
        got = read(source->file, source->buffer, BUFFER_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return kd2m_fail(source->context, KD2M_ERROR_IO, "%s: can't be read: %s", source->name,
                         strerror(errno));
    source->ahead = (size_t)got;
    return KD2M_OK;
}

static kd2m_status fail_packed(kd2m_source *source, const char *reason) {
    return kd2m_fail(source->context, KD2M_ERROR_INPUT,
                     "%s: the gzip stream is %s after %llu bytes of content", source->name, reason,
                     (unsigned long long)source->position);
}

/* zlib's memory comes from the context, too. */
static void *inflater_allocate(void *user, unsigned count, unsigned size) {
    void *memory = NULL;
    kd2m_alloc(user, &memory, count, size);
    return memory;
}

static void inflater_release(void *user, void *memory) {
    kd2m_free(user, memory);
}

static kd2m_status start(kd2m_source *source) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(source->context, (void **)&source->buffer, BUFFER_SIZE, 1));
    KD2M_TRY(fill(source));
    if (source->ahead < 2 || source->buffer[0] != 0x1f || source->buffer[1] != 0x8b)
        return KD2M_OK;
    source->inflater.zalloc = inflater_allocate;
    source->inflater.zfree = inflater_release;
    source->inflater.opaque = source->context;
    if (inflateInit2(&source->inflater, 15 + 16) != Z_OK) {
        status = kd2m_fail(source->context, KD2M_ERROR_MEMORY, "%s: out of memory to unpack gzip",
                           source->name);
        goto cleanup;
    }
    source->packed = 1;
cleanup:
    return status;
}

/* An unopened source of that name. */
static kd2m_status create(kd2m_source **out, kd2m_context *context, const char *name) {
    *out = NULL;
    kd2m_source *source = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&source, 1, sizeof *source));
    source->context = context;
    source->file = -1;
    KD2M_TRY(kd2m_text_copy(context, &source->name, name));
    *out = source;
    source = NULL;
cleanup:
    kd2m_source_close(source);
    return status;
}

kd2m_status kd2m_source_open(kd2m_source **out, kd2m_context *context, const char *path) {
    *out = NULL;
    kd2m_source *source = NULL;
    struct stat found;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(create(&source, context, path));
    source->file = open(path, O_RDONLY | O_CLOEXEC);
    if (source->file < 0 || fstat(source->file, &found) != 0) {
        status =
            kd2m_fail(context, KD2M_ERROR_IO, "%s: can't be opened: %s", path, strerror(errno));
        goto cleanup;
    }
    if (S_ISDIR(found.st_mode)) {
        status = kd2m_fail(context, KD2M_ERROR_IO, "%s: is a folder, a file is needed", path);
        goto cleanup;
    }
    KD2M_TRY(start(source));
    *out = source;
    source = NULL;
cleanup:
    kd2m_source_close(source);
    return status;
}

kd2m_status kd2m_source_memory(kd2m_source **out, kd2m_context *context, const void *bytes,
                               size_t size, const char *name) {
    *out = NULL;
    kd2m_source *source = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(create(&source, context, name));
    source->memory = bytes;
    source->memory_left = size;
    KD2M_TRY(start(source));
    *out = source;
    source = NULL;
cleanup:
    kd2m_source_close(source);
    return status;
}

static kd2m_status read_plain(kd2m_source *source, unsigned char *out, size_t size, size_t *got) {
    while (*got < size) {
        if (source->ahead == 0) {
            kd2m_status status = fill(source);
            if (status != KD2M_OK || source->ahead == 0)
                return status;
        }
        size_t count = size - *got < source->ahead ? size - *got : source->ahead;
        memcpy(out + *got, source->buffer + source->at, count);
        source->at += count;
        source->ahead -= count;
        *got += count;
    }
    return KD2M_OK;
}

static kd2m_status read_packed(kd2m_source *source, unsigned char *out, size_t size, size_t *got) {
    z_stream *inflater = &source->inflater;
    while (*got < size) {
        if (source->ahead == 0) {
            kd2m_status status = fill(source);
            if (status != KD2M_OK)
                return status;
            if (source->ahead == 0)
                return source->ended ? KD2M_OK : fail_packed(source, "cut short");
        }
        if (source->ended && inflateReset(inflater) != Z_OK)
            return fail_packed(source, "broken");
        source->ended = 0;
        size_t room = size - *got < INT_MAX ? size - *got : INT_MAX;
        inflater->next_in = source->buffer + source->at;
        inflater->avail_in = (unsigned)source->ahead;
        inflater->next_out = out + *got;
        inflater->avail_out = (unsigned)room;
        int result = inflate(inflater, Z_NO_FLUSH);
        source->at += source->ahead - inflater->avail_in;
        source->ahead = inflater->avail_in;
        *got += room - inflater->avail_out;
        source->position += room - inflater->avail_out;
        if (result == Z_MEM_ERROR)
            return kd2m_fail(source->context, KD2M_ERROR_MEMORY, "%s: out of memory to unpack gzip",
                             source->name);
        if (result == Z_STREAM_END)
            source->ended = 1;
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return fail_packed(source, "broken");
    }
    return KD2M_OK;
}

kd2m_status kd2m_source_read(kd2m_source *source, void *out, size_t size, size_t *got) {
    *got = 0;
    if (source->packed)
        return read_packed(source, out, size, got);
    kd2m_status status = read_plain(source, out, size, got);
    source->position += *got;
    return status;
}

static kd2m_status fail_short(kd2m_source *source, const char *what, size_t wanted) {
    return kd2m_fail(source->context, KD2M_ERROR_INPUT,
                     "%s: ends after %llu bytes, too early: %s takes %zu bytes", source->name,
                     (unsigned long long)source->position, what, wanted);
}

kd2m_status kd2m_source_read_exact(kd2m_source *source, void *out, size_t size, const char *what) {
    size_t got;
    kd2m_status status = kd2m_source_read(source, out, size, &got);
    if (status == KD2M_OK && got < size)
        status = fail_short(source, what, size);
    return status;
}

kd2m_status kd2m_source_expect_end(kd2m_source *source, const char *what) {
    unsigned char byte;
    size_t got;
    kd2m_status status = kd2m_source_read(source, &byte, 1, &got);
    if (status == KD2M_OK && got > 0)
        status = kd2m_fail(source->context, KD2M_ERROR_INPUT, "%s: has bytes after %s",
                           source->name, what);
    return status;
}

/* Reads up to `limit` bytes into memory that grows with them; a NUL follows. */
static kd2m_status read_growing(kd2m_source *source, unsigned char **out, size_t *size,
                                size_t limit) {
    kd2m_context *context = source->context;
    unsigned char *memory = NULL;
    size_t capacity = 0, used = 0, got;
    kd2m_status status = KD2M_OK;
    do {
        size_t chunk = used < BUFFER_SIZE ? BUFFER_SIZE : used;
        chunk = limit - used < chunk ? limit - used : chunk;
        KD2M_TRY(kd2m_grow(context, (void **)&memory, &capacity, used, used + chunk + 1, 1));
        KD2M_TRY(kd2m_source_read(source, memory + used, chunk, &got));
        used += got;
        if (got < chunk)
            break;
    } while (used < limit);
    memory[used] = 0;
    *out = memory;
    *size = used;
    memory = NULL;
cleanup:
    kd2m_free(context, memory);
    return status;
}

kd2m_status kd2m_source_read_block(kd2m_source *source, void **out, size_t bytes,
                                   const char *what) {
    *out = NULL;
    unsigned char *memory = NULL;
    size_t size;
    kd2m_status status = read_growing(source, &memory, &size, bytes);
    if (status != KD2M_OK)
        return status;
    if (size < bytes) {
        kd2m_free(source->context, memory);
        return fail_short(source, what, bytes);
    }
    *out = memory;
    return KD2M_OK;
}

kd2m_status kd2m_source_read_all(kd2m_source *source, void **out, size_t *size, size_t limit) {
    *out = NULL;
    *size = 0;
    unsigned char *memory = NULL;
    size_t used;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(read_growing(source, &memory, &used, limit));
    KD2M_TRY(kd2m_source_expect_end(source, "the largest size that is read"));
    *size = used;
    *out = memory;
    memory = NULL;
cleanup:
    kd2m_free(source->context, memory);
    return status;
}

const char *kd2m_source_name(const kd2m_source *source) {
    return source->name;
}

uint64_t kd2m_source_position(const kd2m_source *source) {
    return source->position;
}

void kd2m_source_close(kd2m_source *source) {
    if (!source)
        return;
    if (source->packed)
        inflateEnd(&source->inflater);
    if (source->file >= 0)
        close(source->file);
    kd2m_free(source->context, source->buffer);
    kd2m_free(source->context, source->name);
    kd2m_free(source->context, source);
}

bool kd2m_file_exists(const char *path) {
    return access(path, R_OK) == 0;
}

bool kd2m_folder_exists(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}
