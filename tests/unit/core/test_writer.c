/* Atomic writing: replaced whole or not at all, nothing left behind; folders and paths. */
#include "testing.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"
#include "source.h"
#include "writer.h"

static kd2m_context *context;
static const char *folder;

static const char *path_of(const char *name) {
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int setup(void **state) {
    (void)state;
    folder = testing_folder();
    return 0;
}

static void expect_content(const char *path, const char *expected) {
    kd2m_source *source = NULL;
    void *text = NULL;
    size_t size = 0;
    EXPECT_OK(context, kd2m_source_open(&source, context, path));
    EXPECT_OK(context, kd2m_source_read_all(source, &text, &size, 1 << 20));
    assert_string_equal(expected, text);
    assert_int_equal(strlen(expected), size);
    kd2m_free(context, text);
    kd2m_source_close(source);
}

static int entries(const char *path) {
    DIR *open_folder = opendir(path);
    int count = 0;
    assert_non_null(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(open_folder);
    return count;
}

static void a_commit_replaces_at_once(void **state) {
    const char *path = path_of("file");
    kd2m_writer *writer = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_write_file(context, path, "old", 3));
    expect_content(path, "old");
    EXPECT_OK(context, kd2m_writer_open(&writer, context, path));
    expect_content(path, "old");
    EXPECT_OK(context, kd2m_writer_write(writer, "new ", 4));
    EXPECT_OK(context, kd2m_writer_write(writer, NULL, 0));
    EXPECT_OK(context, kd2m_writer_write(writer, "text", 4));
    expect_content(path, "old");
    EXPECT_OK(context, kd2m_writer_commit(writer));
    expect_content(path, "new text");
    kd2m_writer_close(writer);
    expect_content(path, "new text");
    assert_int_equal(1, entries(folder));
}

static void without_a_commit_nothing_changes(void **state) {
    const char *path = path_of("file");
    kd2m_writer *writer = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_write_file(context, path, "old", 3));
    EXPECT_OK(context, kd2m_writer_open(&writer, context, path));
    EXPECT_OK(context, kd2m_writer_write(writer, "new", 3));
    kd2m_writer_close(writer);
    expect_content(path, "old");
    assert_int_equal(1, entries(folder));

    EXPECT_OK(context, kd2m_writer_open(&writer, context, path_of("never")));
    kd2m_writer_close(writer);
    kd2m_writer_close(NULL);
    assert_int_equal(1, entries(folder));
    assert_false(kd2m_file_exists(path_of("never")));
}

static void a_path_without_a_folder_is_here(void **state) {
    char before[4096];
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(0, chdir(folder));
    EXPECT_OK(context, kd2m_write_file(context, "here", "x", 1));
    assert_int_equal(0, chdir(before));
    expect_content(path_of("here"), "x");
}

static void unwritable_places_are_named(void **state) {
    static const char *const names[] = {"no/such/file", "file/below", "", "a-folder"};
    (void)state;
    EXPECT_OK(context, kd2m_write_file(context, path_of("file"), "x", 1));
    EXPECT_OK(context, kd2m_make_folder(context, path_of("a-folder")));
    for (size_t c = 0; c < sizeof names / sizeof *names; c++) {
        kd2m_writer *writer = (kd2m_writer *)&writer;
        const char *path = path_of(names[c]);
        EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_writer_open(&writer, context, path));
        EXPECT_MESSAGE(context, path);
        EXPECT_MESSAGE(context, "can't be written");
        assert_null(writer);
    }
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_write_file(context, "", "x", 1));
    assert_int_equal(2, entries(folder));
    assert_int_equal(0, entries(path_of("a-folder")));
}

/* A folder that appears in the target's place meanwhile: the rename fails, nothing is left. */
static void a_failed_rename_leaves_nothing(void **state) {
    kd2m_writer *writer = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_writer_open(&writer, context, path_of("target")));
    EXPECT_OK(context, kd2m_writer_write(writer, "x", 1));
    EXPECT_OK(context, kd2m_make_folder(context, path_of("target/inner")));
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_writer_commit(writer));
    EXPECT_MESSAGE(context, "target: can't be written");
    kd2m_writer_close(writer);
    assert_int_equal(1, entries(folder));
}

/* Devices and pipes are written to, never replaced by a file. */
static void a_pipe_stays_a_pipe(void **state) {
    const char *path = path_of("pipe");
    kd2m_writer *writer = NULL;
    struct stat found;
    char got[8] = "";
    (void)state;
    assert_int_equal(0, mkfifo(path, 0600));
    FILE *reader = fopen(path, "r+"); /* so that nobody waits */
    assert_non_null(reader);
    EXPECT_OK(context, kd2m_writer_open(&writer, context, path));
    EXPECT_OK(context, kd2m_writer_write(writer, "bytes\n", 6));
    EXPECT_OK(context, kd2m_writer_commit(writer));
    kd2m_writer_close(writer);
    assert_non_null(fgets(got, sizeof got, reader));
    assert_string_equal("bytes\n", got);
    fclose(reader);
    assert_int_equal(0, stat(path, &found));
    assert_true(S_ISFIFO(found.st_mode));
    assert_int_equal(1, entries(folder));
}

static void a_full_device_is_an_error(void **state) {
    kd2m_writer *writer = NULL;
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    EXPECT_OK(context, kd2m_writer_open(&writer, context, "/dev/full"));
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_writer_write(writer, "x", 1));
    EXPECT_MESSAGE(context, "/dev/full: can't be written: ");
    kd2m_writer_close(writer);
}

/* Runs in a child: 0 where a file over the limit was refused without a trace. */
static int write_too_much(const char *path) {
    static char bytes[20000];
    const struct rlimit limit = {10000, 10000};
    kd2m_writer *writer = NULL;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    memset(bytes, 'x', sizeof bytes);
    if (kd2m_write_file(context, path, bytes, sizeof bytes) != KD2M_ERROR_IO)
        return 2;
    if (!strstr(kd2m_context_message(context), "file: can't be written: "))
        return 3;
    if (kd2m_writer_open(&writer, context, path) != KD2M_OK)
        return 4;
    if (kd2m_writer_write(writer, bytes, 10000) != KD2M_OK) /* up to the limit */
        return 5;
    if (kd2m_writer_write(writer, bytes, 1) != KD2M_ERROR_IO)
        return 6;
    kd2m_writer_close(writer);
    return 0;
}

static void a_full_disk_leaves_the_old_file(void **state) {
    const char *path = path_of("file");
    int result = -1;
    (void)state;
    EXPECT_OK(context, kd2m_write_file(context, path, "old", 3));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(write_too_much(path));
    assert_int_equal(child, waitpid(child, &result, 0));
    assert_true(WIFEXITED(result));
    assert_int_equal(0, WEXITSTATUS(result));
    expect_content(path, "old");
    assert_int_equal(1, entries(folder));
}

static bool is_folder(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static void folders_are_made_with_those_above(void **state) {
    static const char *const names[] = {"a", "a/b/c", "a/b/c", "x//y/", "./z/../w"};
    static const char *const made[] = {"a", "a/b/c", "a/b", "x/y", "w"};
    char before[4096];
    (void)state;
    for (size_t c = 0; c < sizeof names / sizeof *names; c++) {
        EXPECT_OK(context, kd2m_make_folder(context, path_of(names[c])));
        assert_true(is_folder(path_of(made[c])));
    }
    EXPECT_OK(context, kd2m_make_folder(context, "/"));
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(0, chdir(folder));
    EXPECT_OK(context, kd2m_make_folder(context, "relative/inner"));
    EXPECT_OK(context, kd2m_make_folder(context, "."));
    assert_int_equal(0, chdir(before));
    assert_true(is_folder(path_of("relative/inner")));
}

static void folders_over_files_are_refused(void **state) {
    static const char *const names[] = {"file", "file/", "file/below", "file/below/deeper"};
    (void)state;
    EXPECT_OK(context, kd2m_write_file(context, path_of("file"), "x", 1));
    for (size_t c = 0; c < sizeof names / sizeof *names; c++) {
        EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_make_folder(context, path_of(names[c])));
        EXPECT_MESSAGE(context, path_of("file"));
        EXPECT_MESSAGE(context, "the folder can't be made");
    }
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_make_folder(context, ""));
    expect_content(path_of("file"), "x");
}

static void paths_are_joined(void **state) {
    char *path = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_join_path(context, &path, "runs/x", "model.safetensors"));
    assert_string_equal("runs/x/model.safetensors", path);
    kd2m_text_free(context, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_commit_replaces_at_once, setup),
        cmocka_unit_test_setup(without_a_commit_nothing_changes, setup),
        cmocka_unit_test_setup(a_path_without_a_folder_is_here, setup),
        cmocka_unit_test_setup(unwritable_places_are_named, setup),
        cmocka_unit_test_setup(a_failed_rename_leaves_nothing, setup),
        cmocka_unit_test_setup(a_pipe_stays_a_pipe, setup),
        cmocka_unit_test(a_full_device_is_an_error),
        cmocka_unit_test_setup(a_full_disk_leaves_the_old_file, setup),
        cmocka_unit_test_setup(folders_are_made_with_those_above, setup),
        cmocka_unit_test_setup(folders_over_files_are_refused, setup),
        cmocka_unit_test(paths_are_joined),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
