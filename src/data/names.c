/* Lists of names and paths: see names.h. glob(3) matches patterns and reads folders; its memory is
 * the C library's own, and given back before a call returns. */
#include "names.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "context.h"
#include "memory.h"
#include "source.h"
#include "text.h"

kd2m_status kd2m_names_add(kd2m_names *names, kd2m_context *context, const char *name) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_grow(context, (void **)&names->items, &names->capacity, names->count,
                       names->count + 1, sizeof *names->items));
    KD2M_TRY(kd2m_text_copy(context, &names->items[names->count], name));
    names->count++;
cleanup:
    return status;
}

kd2m_status kd2m_names_split(kd2m_names *names, kd2m_context *context, const char *text,
                             const char *what) {
    char *copy = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_text_copy(context, &copy, text));
    for (char *name = copy, *next; name; name = next) {
        next = strchr(name, ';');
        if (next)
            *next++ = '\0';
        if (*name == '\0') {
            status =
                kd2m_fail(context, KD2M_ERROR_USAGE, "'%.200s' names %s that is empty", text, what);
            goto cleanup;
        }
        KD2M_TRY(kd2m_names_add(names, context, name));
    }
cleanup:
    kd2m_free(context, copy);
    return status;
}

static bool is_recording(const char *path) {
    static const char *const endings[] = {".csv", ".npy", ".csv.gz", ".npy.gz"};
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(path + length - ending, endings[i]) == 0)
            return !kd2m_folder_exists(path);
    }
    return false;
}

/* Appends what fits a pattern: files, and those in folders if they are to be opened, else only
 * those that may be recordings. */
static kd2m_status add_matches(kd2m_names *names, kd2m_context *context, const char *pattern,
                               bool open_folders);

/* Appends the recordings of a folder. */
static kd2m_status add_folder(kd2m_names *names, kd2m_context *context, const char *folder) {
    kd2m_text pattern = {context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    for (const char *c = folder; *c; c++)
        KD2M_TRY(kd2m_text_append(&pattern, "%s%c", strchr("*?[]\\", *c) ? "\\" : "", *c));
    KD2M_TRY(kd2m_text_append(&pattern, "/*"));
    KD2M_TRY(add_matches(names, context, pattern.text, false));
cleanup:
    kd2m_free(context, pattern.text);
    return status;
}

/* Whether a folder that can't be read ends the search: one that is not there fits nothing. */
static int is_grave(const char *path, int error) {
    (void)path;
    return error != ENOENT && error != ENOTDIR;
}

static kd2m_status add_matches(kd2m_names *names, kd2m_context *context, const char *pattern,
                               bool open_folders) {
    glob_t found = {0};
    kd2m_status status = KD2M_OK;
    int result = glob(pattern, 0, is_grave, &found);
    if (result != 0 && result != GLOB_NOMATCH) {
        status = kd2m_fail(context, result == GLOB_NOSPACE ? KD2M_ERROR_MEMORY : KD2M_ERROR_IO,
                           "%s: a folder can't be read", pattern);
        goto cleanup;
    }
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (open_folders && kd2m_folder_exists(path))
            KD2M_TRY(add_folder(names, context, path));
        else if (open_folders || is_recording(path))
            KD2M_TRY(kd2m_names_add(names, context, path));
    }
cleanup:
    globfree(&found);
    return status;
}

kd2m_status kd2m_names_files(kd2m_names *names, kd2m_context *context, const char *text) {
    kd2m_names paths = {0};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_names_split(&paths, context, text, "a file"));
    for (size_t i = 0; i < paths.count; i++) {
        const char *path = paths.items[i];
        struct stat found;
        size_t before = names->count;
        if (kd2m_folder_exists(path))
            KD2M_TRY(add_folder(names, context, path));
        else if (stat(path, &found) == 0 || !strpbrk(path, "*?["))
            KD2M_TRY(kd2m_names_add(names, context, path));
        else
            KD2M_TRY(add_matches(names, context, path, true));
        if (names->count == before) {
            status = kd2m_fail(context, KD2M_ERROR_IO, "%s: no file fits", path);
            goto cleanup;
        }
    }
cleanup:
    kd2m_names_clear(&paths, context);
    return status;
}

void kd2m_names_remove_file(kd2m_names *names, kd2m_context *context, const char *path) {
    struct stat wanted, found;
    size_t kept = 0;
    if (stat(path, &wanted) != 0)
        return;
    for (size_t i = 0; i < names->count; i++) {
        char *item = names->items[i];
        if (stat(item, &found) == 0 && found.st_dev == wanted.st_dev &&
            found.st_ino == wanted.st_ino)
            kd2m_free(context, item);
        else
            names->items[kept++] = item;
    }
    names->count = kept;
}

void kd2m_names_clear(kd2m_names *names, kd2m_context *context) {
    for (size_t i = 0; i < names->count; i++)
        kd2m_free(context, names->items[i]);
    kd2m_free(context, names->items);
    *names = (kd2m_names){0};
}
