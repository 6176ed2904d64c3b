/*
 * Mapped files: see mapping.h. The only place that maps: what is kept for many runs (a teacher's
 * outputs) may be larger than memory, is read in random order, and by several processes at once;
 * reading it whole would cost each of them the time and the memory of the file. Any thread.
 */
#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context.h"

static kd2m_status fail(kd2m_context *context, const char *path) {
    return kd2m_fail(context, KD2M_ERROR_IO, "%s: can't be read: %s", path, strerror(errno));
}

/* Maps what `file` holds. */
static kd2m_status map(kd2m_mapping *out, kd2m_context *context, const char *path, int file) {
    struct stat found;
    if (fstat(file, &found) != 0)
        return fail(context, path);
    if (!S_ISREG(found.st_mode))
        return kd2m_fail(context, KD2M_ERROR_IO, "%s: is not a file", path);
    if (found.st_size == 0)
        return KD2M_OK;
    void *bytes = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (bytes == MAP_FAILED)
        return fail(context, path);
    *out = (kd2m_mapping){bytes, (size_t)found.st_size};
    return KD2M_OK;
}

kd2m_status kd2m_mapping_open(kd2m_mapping *out, kd2m_context *context, const char *path) {
    *out = (kd2m_mapping){NULL, 0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail(context, path);
    kd2m_status status = map(out, context, path, file);
    close(file); /* the mapping stays */
    return status;
}

void kd2m_mapping_close(kd2m_mapping *mapping) {
    if (mapping->bytes)
        munmap((void *)(uintptr_t)mapping->bytes, mapping->size);
    *mapping = (kd2m_mapping){NULL, 0};
}
