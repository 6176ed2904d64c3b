/* The run folder: see run_folder.h. */
#include "run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context.h"
#include "json.h"
#include "memory.h"
#include "source.h"
#include "writer.h"

#define LOG_LIMIT ((size_t)64 << 20)

kd2m_status kd2m_folder_visit(kd2m_context *context, const char *path, kd2m_entry_visit visit,
                              void *user) {
    kd2m_status status = KD2M_OK;
    DIR *entries = opendir(path);
    if (!entries)
        return kd2m_fail(context, KD2M_ERROR_IO, "%s: can't be read: %s", path, strerror(errno));
    for (struct dirent *entry; status == KD2M_OK && (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = visit(user, path, entry->d_name);
    closedir(entries);
    return status;
}

/* The same for one of the run's folders; one that is not there has no entries. */
static kd2m_status for_each_entry(kd2m_run_folder *folder, const char *path,
                                  kd2m_entry_visit visit) {
    return kd2m_file_exists(path) ? kd2m_folder_visit(folder->context, path, visit, folder)
                                  : KD2M_OK;
}

static kd2m_status refuse_entry(void *user, const char *path, const char *name) {
    const kd2m_run_folder *folder = user;
    return kd2m_fail(folder->context, KD2M_ERROR_USAGE,
                     "%s is not empty (it has %s): choose another --out, go on with --resume, or "
                     "replace the run with --force",
                     path, name);
}

/* A run that was killed in its first moments left at most its checkpoint folder. */
static kd2m_status refuse_foreign(void *user, const char *path, const char *name) {
    const kd2m_run_folder *folder = user;
    if (strcmp(name, "checkpoint") == 0 || strstr(name, ".tmp-"))
        return KD2M_OK;
    return kd2m_fail(folder->context, KD2M_ERROR_USAGE,
                     "%s is not a run: it has %s but no config.json; choose another --out", path,
                     name);
}

/* What a killed run may have left half-written. */
static kd2m_status remove_temporary(void *user, const char *path, const char *name) {
    const kd2m_run_folder *folder = user;
    kd2m_status status = KD2M_OK;
    char *file = NULL;
    if (!strstr(name, ".tmp-"))
        return KD2M_OK;
    KD2M_TRY(kd2m_join_path(folder->context, &file, path, name));
    unlink(file);
cleanup:
    kd2m_free(folder->context, file);
    return status;
}

static kd2m_status remove_run(kd2m_run_folder *folder) {
    const char *const files[] = {folder->result,     folder->profile, folder->model,
                                 folder->checkpoint, folder->log,     folder->config};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (unlink(files[i]) != 0 && errno != ENOENT)
            return kd2m_fail(folder->context, KD2M_ERROR_IO, "%s: can't be removed: %s", files[i],
                             strerror(errno));
    return KD2M_OK;
}

/* An advisory lock on the folder itself: it vanishes with the process, however that ends. It
 * belongs to the opened file, not to the process: two threads exclude each other, too. */
static kd2m_status lock_folder(kd2m_run_folder *folder) {
    folder->lock = open(folder->lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (folder->lock < 0)
        return kd2m_fail(folder->context, KD2M_ERROR_IO, "%s: can't be written: %s",
                         folder->lock_file, strerror(errno));
    if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0) {
        close(folder->lock);
        folder->lock = -1; /* nothing in the folder is this run's to clear away */
        return kd2m_fail(folder->context, KD2M_ERROR_USAGE,
                         "%s: another process or thread is working in this run", folder->path);
    }
    return KD2M_OK;
}

static kd2m_status name_files(kd2m_run_folder *folder) {
    kd2m_context *context = folder->context;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_join_path(context, &folder->config, folder->path, "config.json"));
    KD2M_TRY(kd2m_join_path(context, &folder->log, folder->path, "log.jsonl"));
    KD2M_TRY(kd2m_join_path(context, &folder->model, folder->path, "model.safetensors"));
    KD2M_TRY(kd2m_join_path(context, &folder->result, folder->path, "result.json"));
    KD2M_TRY(kd2m_join_path(context, &folder->profile, folder->path, "profile.json"));
    KD2M_TRY(kd2m_join_path(context, &folder->checkpoint_folder, folder->path, "checkpoint"));
    KD2M_TRY(kd2m_join_path(context, &folder->checkpoint, folder->checkpoint_folder,
                            "state.safetensors"));
    KD2M_TRY(kd2m_join_path(context, &folder->lock_file, folder->checkpoint_folder, "lock"));
cleanup:
    return status;
}

kd2m_status kd2m_run_folder_look(kd2m_run_folder **out, kd2m_context *context, const char *path) {
    *out = NULL;
    kd2m_run_folder *folder = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&folder, 1, sizeof *folder));
    folder->context = context;
    folder->lock = -1;
    KD2M_TRY(kd2m_text_copy(context, &folder->path, path));
    KD2M_TRY(name_files(folder));
    *out = folder;
    folder = NULL;
cleanup:
    kd2m_run_folder_close(folder);
    return status;
}

kd2m_status kd2m_run_folder_open(kd2m_run_folder **out, kd2m_context *context, const char *path,
                                 kd2m_run_mode mode) {
    *out = NULL;
    kd2m_run_folder *folder = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_run_folder_look(&folder, context, path));
    if (mode == KD2M_RUN_NEW)
        KD2M_TRY(for_each_entry(folder, path, refuse_entry));
    else if (!kd2m_file_exists(folder->config))
        KD2M_TRY(for_each_entry(folder, path, refuse_foreign));
    folder->made = !kd2m_file_exists(path);
    KD2M_TRY(kd2m_make_folder(context, folder->checkpoint_folder));
    KD2M_TRY(lock_folder(folder));
    if (mode == KD2M_RUN_FORCE)
        KD2M_TRY(remove_run(folder));
    KD2M_TRY(for_each_entry(folder, path, remove_temporary));
    KD2M_TRY(for_each_entry(folder, folder->checkpoint_folder, remove_temporary));
    *out = folder;
    folder = NULL;
cleanup:
    kd2m_run_folder_close(folder);
    return status;
}

void kd2m_run_folder_close(kd2m_run_folder *folder) {
    if (!folder)
        return;
    if (folder->lock >= 0) {
        if (!kd2m_file_exists(folder->config)) {
            unlink(folder->lock_file);
            rmdir(folder->checkpoint_folder);
            if (folder->made)
                rmdir(folder->path);
        }
        close(folder->lock);
    }
    kd2m_free(folder->context, folder->lock_file);
    kd2m_free(folder->context, folder->config);
    kd2m_free(folder->context, folder->log);
    kd2m_free(folder->context, folder->model);
    kd2m_free(folder->context, folder->result);
    kd2m_free(folder->context, folder->profile);
    kd2m_free(folder->context, folder->checkpoint_folder);
    kd2m_free(folder->context, folder->checkpoint);
    kd2m_free(folder->context, folder->path);
    kd2m_free(folder->context, folder);
}

/* Writes all of `text` and a newline; false with errno on failure. */
static bool write_line(int file, const char *text) {
    size_t size = strlen(text), done = 0;
    while (done < size) {
        ssize_t written = write(file, text + done, size - done);
        if (written < 0 && errno != EINTR)
            return false;
        done += written > 0 ? (size_t)written : 0;
    }
    ssize_t written;
    do
        written = write(file, "\n", 1);
    while (written < 0 && errno == EINTR);
    return written == 1;
}

/* Appends the line, whole or not at all; *length = the file's new length. False with errno. */
static bool append(int file, const char *text, uint64_t *length) {
    struct stat found;
    if (fstat(file, &found) != 0)
        return false;
    if (write_line(file, text) && fsync(file) == 0) {
        *length = (uint64_t)found.st_size + strlen(text) + 1;
        return true;
    }
    int failure = errno;
    if (ftruncate(file, found.st_size) == 0) /* else the run's resumption cuts the torn line off */
        errno = failure;
    return false;
}

kd2m_status kd2m_run_folder_log(kd2m_run_folder *folder, const json_t *line, uint64_t *length) {
    kd2m_context *context = folder->context;
    char *text = NULL;
    int file = -1;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_json_text(context, &text, line, 1));
    file = open(folder->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0 || !append(file, text, length))
        status = kd2m_fail(context, KD2M_ERROR_IO, "%s: can't be written: %s", folder->log,
                           strerror(errno));
cleanup:
    if (file >= 0)
        close(file);
    kd2m_text_free(context, text);
    return status;
}

kd2m_status kd2m_run_log_read(json_t **out, kd2m_context *context, const char *path) {
    *out = NULL;
    char *text = NULL, *end;
    size_t size, count = 0;
    kd2m_source *source = NULL;
    json_t *lines = json_array(), *line;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_source_open(&source, context, path));
    KD2M_TRY(kd2m_source_read_all(source, (void **)&text, &size, LOG_LIMIT));
    for (char *at = text; (end = memchr(at, '\n', size - (size_t)(at - text))); at = end + 1) {
        count++;
        status = kd2m_json_parse(context, &line, at, (size_t)(end - at), path);
        if (status == KD2M_ERROR_INPUT)
            kd2m_fail(context, status, "%s: line %zu is not JSON", path, count);
        if (status != KD2M_OK)
            goto cleanup;
        if (json_array_append_new(lines, line) != 0) {
            status = kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for %s", path);
            goto cleanup;
        }
    }
    *out = json_incref(lines);
cleanup:
    json_decref(lines);
    kd2m_free(context, text);
    kd2m_source_close(source);
    return status;
}

kd2m_status kd2m_run_folder_cut_log(kd2m_run_folder *folder, uint64_t length) {
    struct stat found = {0};
    int failed = stat(folder->log, &found) != 0 && errno != ENOENT;
    if (!failed && (uint64_t)found.st_size < length)
        return kd2m_fail(folder->context, KD2M_ERROR_INPUT,
                         "%s: is missing or cut short: %s was written behind %llu bytes of it",
                         folder->log, folder->checkpoint, (unsigned long long)length);
    if (!failed && (uint64_t)found.st_size > length)
        failed = truncate(folder->log, (off_t)length) != 0;
    return failed ? kd2m_fail(folder->context, KD2M_ERROR_IO, "%s: can't be cut back: %s",
                              folder->log, strerror(errno))
                  : KD2M_OK;
}
