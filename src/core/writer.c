/* Atomic file writing: see writer.h. */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context.h"
#include "memory.h"

struct kd2m_writer {
    kd2m_context *context;
    char *path;
    char *folder;    /* that holds it */
    char *temporary; /* NULL for a device or pipe, which is written itself */
    int file;        /* -1 once closed */
    int committed;
};

static kd2m_status fail(kd2m_writer *writer) {
    return kd2m_fail(writer->context, KD2M_ERROR_IO, "%s: can't be written: %s", writer->path,
                     strerror(errno));
}

/* All memory that the writer ever needs: a commit that has renamed can't fail any more. */
static kd2m_status create(kd2m_writer **out, kd2m_context *context, const char *path) {
    kd2m_writer *writer = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&writer, 1, sizeof *writer));
    writer->context = context;
    writer->file = -1;
    KD2M_TRY(kd2m_text_copy(context, &writer->path, path));
    KD2M_TRY(kd2m_text_copy(context, &writer->folder, strchr(path, '/') ? path : "."));
    char *slash = strrchr(writer->folder, '/');
    if (slash)
        slash[slash == writer->folder] = '\0';
    *out = writer;
    writer = NULL;
cleanup:
    kd2m_writer_close(writer);
    return status;
}

static kd2m_status open_temporary(kd2m_writer *writer) {
    size_t size = strlen(writer->path) + 64;
    kd2m_status status = kd2m_alloc(writer->context, (void **)&writer->temporary, size, 1);
    if (status != KD2M_OK)
        return status;
    snprintf(writer->temporary, size, "%s.tmp-%ld-%" PRIxPTR, writer->path, (long)getpid(),
             (uintptr_t)writer); /* no other writer's that lives, in this process or another */
    writer->file = open(writer->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return writer->file < 0 ? fail(writer) : KD2M_OK;
}

kd2m_status kd2m_writer_open(kd2m_writer **out, kd2m_context *context, const char *path) {
    *out = NULL;
    kd2m_writer *writer = NULL;
    struct stat found;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(create(&writer, context, path));
    if (stat(path, &found) != 0 || S_ISREG(found.st_mode)) {
        KD2M_TRY(open_temporary(writer));
    } else {
        writer->file = open(path, O_WRONLY | O_CLOEXEC); /* a folder can't be opened so */
        if (writer->file < 0)
            KD2M_TRY(fail(writer));
    }
    *out = writer;
    writer = NULL;
cleanup:
    kd2m_writer_close(writer);
    return status;
}

kd2m_status kd2m_writer_write(kd2m_writer *writer, const void *bytes, size_t size) {
    const char *from = bytes;
    while (size > 0) {
        ssize_t written = write(writer->file, from, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            return fail(writer);
        }
        from += written;
        size -= (size_t)written;
    }
    return KD2M_OK;
}

/* Makes the rename itself survive a power cut. Some file systems can't flush a folder: not fatal.
 */
static void flush_folder(const kd2m_writer *writer) {
    int descriptor = open(writer->folder, O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
}

kd2m_status kd2m_writer_commit(kd2m_writer *writer) {
    if (fsync(writer->file) != 0 && errno != EINVAL) /* EINVAL: a device or pipe */
        return fail(writer);
    int closed = close(writer->file);
    writer->file = -1;
    if (closed != 0)
        return fail(writer);
    if (!writer->temporary)
        return KD2M_OK;
    if (rename(writer->temporary, writer->path) != 0)
        return fail(writer);
    writer->committed = 1;
    flush_folder(writer);
    return KD2M_OK;
}

void kd2m_writer_close(kd2m_writer *writer) {
    if (!writer)
        return;
    if (writer->file >= 0)
        close(writer->file);
    if (writer->temporary && !writer->committed)
        unlink(writer->temporary);
    kd2m_free(writer->context, writer->temporary);
    kd2m_free(writer->context, writer->folder);
    kd2m_free(writer->context, writer->path);
    kd2m_free(writer->context, writer);
}

kd2m_status kd2m_write_file(kd2m_context *context, const char *path, const void *bytes,
                            size_t size) {
    kd2m_writer *writer = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_writer_open(&writer, context, path));
    KD2M_TRY(kd2m_writer_write(writer, bytes, size));
    KD2M_TRY(kd2m_writer_commit(writer));
cleanup:
    kd2m_writer_close(writer);
    return status;
}

static kd2m_status make_one(kd2m_context *context, const char *path) {
    struct stat found;
    if (mkdir(path, 0777) == 0 ||
        (errno == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode)))
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_IO, "%s: the folder can't be made: %s", path,
                     strerror(errno));
}

kd2m_status kd2m_make_folder(kd2m_context *context, const char *path) {
    char *prefix = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_text_copy(context, &prefix, path));
    for (char *slash = strchr(prefix + (*prefix == '/'), '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (prefix[0] != '\0')
            KD2M_TRY(make_one(context, prefix));
        *slash = '/';
    }
    KD2M_TRY(make_one(context, path));
cleanup:
    kd2m_free(context, prefix);
    return status;
}

kd2m_status kd2m_join_path(kd2m_context *context, char **out, const char *folder,
                           const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    kd2m_status status = kd2m_alloc(context, (void **)out, size, 1);
    if (status == KD2M_OK)
        snprintf(*out, size, "%s/%s", folder, name);
    return status;
}
