/* What a teacher says, kept in files: the very same runs as without, whatever the order of samples,
 * the seed and the split; and no file that isn't what it should be is ever read. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache_file.h"
#include "context.h"
#include "fixture.h"
#include "memory.h"
#include "rng.h"
#include "teacher_kind.h"

#define DATA "bearing:train=12,test=6,length=128"
#define LOSS                                                                                       \
    "ce + 0.5*kd:T=4 + mse + cond(w2):bank=20 + 0.2*w2@bn3/flatten + 0.2*sw2@bn3 + "               \
    "0.1*gauss-w2@bn3/positions:rows=32~bn2"

static kd2m_context *context;
static char net[256];

static kd2m_train_settings settings_of(const char *folder) {
    kd2m_train_settings settings;
    kd2m_settings_default(kd2m_train_setting_list(), &settings);
    settings.data = DATA;
    settings.model = "cnn1d:width=0.25";
    settings.teacher = net;
    settings.loss = LOSS;
    settings.epochs = 2;
    settings.batch_size = 16;
    settings.lr = 0.01;
    settings.teacher_cache = folder;
    return settings;
}

static char *new_folder(char out[256]) {
    snprintf(out, 256, "%s", testing_folder());
    return out;
}

/* ---- folders ---- */

/* Calls visit(path) for each file of a folder; returns how many there are. */
static size_t for_each_file(const char *folder, void (*visit)(const char *path)) {
    char path[600];
    size_t count = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.')
            continue;
        assert_null(strstr(entry->d_name, ".tmp-"));
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        count++;
        if (visit)
            visit(path);
    }
    if (entries)
        closedir(entries);
    return count;
}

static size_t files_in(const char *folder) {
    return for_each_file(folder, NULL);
}

static void remove_file(const char *path) {
    assert_int_equal(0, unlink(path));
}

/* *out = path of the file whose name begins with `name`. */
static void find_file(char out[600], const char *folder, const char *name) {
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    *out = '\0';
    for (struct dirent *entry; (entry = readdir(entries));)
        if (strncmp(entry->d_name, name, strlen(name)) == 0)
            snprintf(out, 600, "%s/%s", folder, entry->d_name);
    closedir(entries);
    assert_true(*out != '\0');
}

/* ---- runs ---- */

static void expect_same_run(const char *a, const char *b) {
    char *logs[2];
    const char *folders[] = {a, b};
    size_t size;
    fixture_expect_same_model(a, b);
    for (size_t i = 0; i < 2; i++) {
        logs[i] = fixture_read(folders[i], "log.jsonl", &size);
        for (char *at = logs[i]; (at = strstr(at, "\"seconds\":"));) {
            char *end = at + strcspn(at, "}");
            memmove(at, end, strlen(end) + 1);
        }
    }
    assert_string_equal(logs[0], logs[1]);
    free(logs[0]);
    free(logs[1]);
}

/* The run with a cache is that without; the folder then holds `files` files. */
static void compare(kd2m_train_settings settings, size_t files) {
    char with[256], without[256];
    kd2m_run_result result;
    const char *folder = settings.teacher_cache;
    EXPECT_OK(context, kd2m_run(&result, context, new_folder(with), &settings, KD2M_RUN_NEW));
    settings.teacher_cache = NULL;
    EXPECT_OK(context, kd2m_run(&result, context, new_folder(without), &settings, KD2M_RUN_NEW));
    expect_same_run(without, with);
    assert_int_equal(files, files_in(folder));
}

/* logits, features, bn3 whole and pooled, bn2: for all seeds, splits and students that see the same
 * samples. What changes the samples, or how the net is run, has files of its own. */
static void runs_are_the_same(void **state) {
    (void)state;
    char folder[256];
    kd2m_train_settings settings = settings_of(new_folder(folder));
    compare(settings, 5);
    settings.epochs = 1;
    settings.seed = settings.split_seed =
        7; /* another split, another normalisation of the student */
    compare(settings, 5);
    settings.sampler = "balanced";
    settings.validation = 0.3;
    settings.label_noise = 0.2;
    compare(settings, 5);
    settings.loss = "ce + kd + w2";
    settings.model = "mlp:128-9-7";
    settings.split = "group:load";
    settings.data = "bearing:train=12,test=6,length=128,load=0-3";
    compare(settings, 7);
    settings = settings_of(folder);
    settings.loss = "ce + kd";
    settings.batch_size = 13;
    compare(settings, 8);
    settings.limit = 50; /* the training split's samples alone: others by split_seed */
    compare(settings, 9);
    settings.seed = settings.split_seed = 3;
    compare(settings, 10);
    settings.limit = 0;
    settings.classes = "0,2-6";
    settings.model = "mlp:128-9-6";
    settings.loss = "ce + w2";
    kd2m_run_result result;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
}

static int polls_left;

static int stop_after_some_polls(void *user) {
    (void)user;
    return polls_left-- <= 0;
}

/* Begun with, resumed without, and the other way round. */
static void runs_go_on_without(void **state) {
    (void)state;
    char whole[256], torn[256], folder[256];
    kd2m_run_result result;
    kd2m_context_settings stopping;
    kd2m_context *interrupted;
    int interruptions = 0;
    kd2m_train_settings settings = settings_of(NULL);
    settings.loss = "ce + kd + cond(w2):bank=20";
    settings.model = "mlp:128-9-7";
    kd2m_context_settings_default(&stopping);
    stopping.threads = kd2m_context_threads(context);
    stopping.interrupted = stop_after_some_polls;
    EXPECT_OK(NULL, kd2m_context_create(&interrupted, &stopping));
    new_folder(torn);
    new_folder(folder);
    EXPECT_OK(context, kd2m_run(&result, context, new_folder(whole), &settings, KD2M_RUN_NEW));
    for (int polls = 2; polls < 16; polls++) {
        for_each_file(folder, remove_file);
        polls_left = polls; /* the first ones stop while files are made */
        settings.teacher_cache = polls % 2 ? folder : NULL;
        kd2m_status status = kd2m_run(&result, interrupted, torn, &settings, KD2M_RUN_FORCE);
        interruptions += status == KD2M_ERROR_INTERRUPTED;
        settings.teacher_cache = polls % 2 ? NULL : folder;
        EXPECT_OK(context, kd2m_run(&result, context, torn, &settings, KD2M_RUN_RESUME));
        expect_same_run(whole, torn);
    }
    assert_true(interruptions > 4);
    kd2m_context_free(interrupted);
}

/* ---- rows ---- */

/* Rows of the fixture's teacher's layers for its batch: features, then logits. */
static void read_rows(fixture *opened, float *out) {
    static float scratch[FIXTURE_BATCH * 200];
    const char *const names[] = {"features", "logits"};
    EXPECT_OK(context, kd2m_teacher_forward(opened->teacher, &opened->batch, 0, 0));
    for (size_t i = 0; i < 2; i++) {
        kd2m_teacher_layer layer;
        EXPECT_OK(context, kd2m_teacher_find_layer(opened->teacher, names[i], &layer));
        EXPECT_OK(context,
                  kd2m_teacher_read(opened->teacher, &layer, KD2M_REDUCTION_POOL, scratch, out));
        out += FIXTURE_BATCH * layer.channels;
    }
}

static void keep(fixture *opened, const char *folder, double limit) {
    kd2m_teacher_reading readings[2] = {{.name = "features"}, {.name = "logits"}};
    for (size_t i = 0; i < 2; i++)
        EXPECT_OK(context,
                  kd2m_teacher_find_layer(opened->teacher, readings[i].name, &readings[i].layer));
    EXPECT_OK(context, kd2m_teacher_keep(opened->teacher, folder, limit, readings, 2));
}

static void fetch(fixture *opened, const uint32_t ids[FIXTURE_BATCH]) {
    size_t size = kd2m_dataset_sample_size(opened->dataset);
    for (size_t i = 0; i < FIXTURE_BATCH; i++)
        kd2m_dataset_fetch(opened->dataset, KD2M_TRAIN, ids[i], &opened->normalisation,
                           opened->values + i * size, &opened->labels[i]);
    opened->batch.ids = ids;
}

static void open_fixture(fixture *opened, char path[300]) {
    snprintf(path, 300, "%s/model.safetensors", testing_folder());
    fixture_write_teacher(path);
    fixture_open(opened, context, path);
    kd2m_teacher_expect_plain(opened->teacher);
}

/* Whatever rows a batch holds, in whatever order, repeated or not, each meets its own. */
static void rows_are_the_samples_own(void **state) {
    (void)state;
    enum { TURNS = 40, WIDTH = 12 + 7 };
    static float expected[TURNS][FIXTURE_BATCH * WIDTH], found[FIXTURE_BATCH * WIDTH];
    static uint32_t ids[TURNS][FIXTURE_BATCH];
    char path[300], folder[256];
    fixture opened;
    kd2m_rng rng;
    open_fixture(&opened, path);
    kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, 0);
    for (size_t turn = 0; turn < TURNS; turn++) {
        for (size_t i = 0; i < FIXTURE_BATCH; i++)
            ids[turn][i] = (uint32_t)kd2m_rng_below(&rng, opened.dataset->row_count[KD2M_TRAIN]);
        fetch(&opened, ids[turn]);
        read_rows(&opened, expected[turn]);
    }
    keep(&opened, new_folder(folder), 1e9);
    assert_non_null(opened.teacher->cache);
    memset(opened.values, 0, FIXTURE_BATCH * 128 * sizeof *opened.values); /* no net looks */
    for (size_t turn = 0; turn < TURNS; turn++) {
        opened.batch.ids = ids[turn];
        read_rows(&opened, found);
        assert_memory_equal(expected[turn], found, sizeof found);
    }
    fixture_close(&opened);
}

/* ---- what is not kept ---- */

static char last_log[600];

static void note_log(void *user, kd2m_log_level level, const char *text) {
    (void)user;
    if (level == KD2M_LOG_INFO && (strstr(text, "kept") || strstr(text, "looked up")))
        snprintf(last_log, sizeof last_log, "%s", text);
}

static void nothing_is_kept(void **state) {
    (void)state;
    char folder[256], path[300], file[300];
    fixture opened;
    kd2m_run_result result;
    kd2m_train_settings settings = settings_of(new_folder(folder));
    settings.loss = "ce + kd";
    settings.epochs = 1;
    settings.augment = "gain";
    context->settings.log = note_log;
    EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    assert_non_null(strstr(last_log, "--augment changes samples anew"));
    settings.augment = NULL;
    snprintf(file, sizeof file, "%s/features.safetensors", testing_folder());
    kd2m_features_settings features;
    size_t rows;
    kd2m_settings_default(kd2m_features_setting_list(), &features);
    features.data = DATA;
    EXPECT_OK(context, kd2m_features_write(&rows, context, net, &features, file));
    settings.teacher = file;
    EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    assert_non_null(strstr(last_log, "are in a file as it is"));
    open_fixture(&opened, path);
    double bytes = 84 * (12 + 7) * sizeof(float);
    keep(&opened, folder, bytes - 1);
    assert_null(opened.teacher->cache);
    assert_non_null(strstr(last_log, "'features' 0 of them, --teacher-cache-limit is 0"));
    assert_int_equal(0, files_in(folder));
    keep(&opened, folder, bytes);
    assert_non_null(strstr(last_log, "84 samples are looked up"));
    assert_int_equal(2, files_in(folder));
    context->settings.log = NULL;
    fixture_close(&opened);
}

/* ---- files that aren't what they should be ---- */

static void write_bytes(const char *path, const char *bytes, size_t size) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(size, fwrite(bytes, 1, size, stream));
    assert_int_equal(0, fclose(stream));
}

static void expect_refused(const char *path, const kd2m_cache_key *key, const char *message) {
    kd2m_mapping mapping;
    const float *values;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_cache_map(&mapping, &values, context, path, key));
    EXPECT_MESSAGE(context, path);
    EXPECT_MESSAGE(context, message);
    EXPECT_MESSAGE(context, "delete this file");
    assert_null(mapping.bytes);
    assert_null(values);
}

/* A small file, all of whose bytes are tried. */
static void every_byte_counts(void **state) {
    (void)state;
    enum { ROWS = 5, CHANNELS = 3 };
    static const float rows[ROWS][CHANNELS] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {-1}, {0.5F}};
    static const uint64_t keys[] = {11, 22, 33, 44, 55, 66}, others[] = {11, 22, 33, 44, 56, 66};
    static const uint32_t numbers[ROWS] = {5, 0, 3, 3, 1};
    const kd2m_cache_key key = {.layer = "a/b c",
                                .channels = CHANNELS,
                                .positions = 1,
                                .teacher = 1,
                                .samples = 2,
                                .rows = ROWS,
                                .keys = keys,
                                .numbers = numbers};
    kd2m_cache_writer writer;
    kd2m_mapping mapping;
    const float *values;
    char folder[256], *path = NULL, *bytes;
    size_t size;
    new_folder(folder);
    EXPECT_OK(context, kd2m_cache_path(context, &path, folder, &key));
    assert_non_null(strstr(path, "/a_b_c-"));
    EXPECT_OK(context, kd2m_cache_begin(&writer, context, path, &key));
    EXPECT_OK(context, kd2m_cache_add(&writer, &key, rows[0], 2));
    EXPECT_OK(context, kd2m_cache_add(&writer, &key, rows[2], 3));
    EXPECT_OK(context, kd2m_cache_finish(&writer, &key));
    kd2m_cache_close(&writer);
    EXPECT_OK(context, kd2m_cache_map(&mapping, &values, context, path, &key));
    assert_memory_equal(rows, values, sizeof rows);
    kd2m_mapping_close(&mapping);
    bytes = fixture_read(folder, strrchr(path, '/') + 1, &size);
    kd2m_tensors *tensors; /* and it is a file that others can read */
    EXPECT_OK(context, kd2m_tensors_read(&tensors, context, path));
    assert_memory_equal(rows, kd2m_tensors_find(tensors, "a/b c")->values, sizeof rows);
    kd2m_tensors_free(tensors);
    for (size_t i = 0; i < size; i++) {
        write_bytes(path, bytes, i);
        expect_refused(path, &key,
                       i < size - ROWS * (CHANNELS * 4 + 8) - 8 ? "is of another" : "is cut short");
        bytes[i] ^= 1;
        write_bytes(path, bytes, size);
        expect_refused(path, &key, "");
        bytes[i] ^= 1;
    }
    char *longer = calloc(size + 1, 1);
    assert_non_null(longer);
    memcpy(longer, bytes, size);
    write_bytes(path, longer, size + 1);
    expect_refused(path, &key, "more behind it");
    write_bytes(path, bytes, size);
    EXPECT_OK(context, kd2m_cache_map(&mapping, &values, context, path, &key));
    kd2m_mapping_close(&mapping);
    /* asked for as something else */
    kd2m_cache_key changed[8];
    for (size_t i = 0; i < 8; i++)
        changed[i] = key;
    changed[0].layer = "a/b d";
    changed[1].teacher = 3;
    changed[2].samples = 3;
    changed[3].rows = ROWS - 1;
    changed[4].channels = CHANNELS + 1;
    changed[5].positions = 2;
    changed[6].numbers = (const uint32_t[]){5, 0, 3, 1, 3};
    changed[7].keys = others;
    changed[7].numbers = (const uint32_t[]){5, 0, 3, 3, 4};
    for (size_t i = 0; i < 8; i++) {
        char *other = NULL;
        expect_refused(path, &changed[i], i < 6 ? "is of another" : "rows of other samples");
        EXPECT_OK(context, kd2m_cache_path(context, &other, folder, &changed[i]));
        assert_int_equal(i >= 3, strcmp(path, other) == 0); /* most have another name */
        kd2m_free(context, other);
    }
    free(longer);
    free(bytes);
    kd2m_free(context, path);
}

/* Files of a run that change places, or come from another teacher or other data. */
static void swapped_files_are_refused(void **state) {
    (void)state;
    char folder[256], first[600], second[600], aside[700], model[256], text[80];
    kd2m_run_result result;
    kd2m_train_settings settings = settings_of(NULL), teacher = settings_of(NULL);
    teacher.teacher = teacher.loss = NULL;
    teacher.model = "cnn1d:width=0.5";
    teacher.seed = teacher.split_seed = 9;
    teacher.epochs = 1;
    EXPECT_OK(context, kd2m_run(&result, context, new_folder(model), &teacher, KD2M_RUN_NEW));
    settings.loss = "ce + kd + w2@bn2 + w2@bn2/flatten";
    settings.epochs = 1;
    for (int i = 0; i < 3; i++) {
        settings.teacher_cache = new_folder(folder);
        EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
        find_file(first, folder, i == 0 ? "bn2-pool" : "logits");
        snprintf(aside, sizeof aside, "%s/aside", folder);
        if (i == 0) { /* the whole map in the place of its means */
            find_file(second, folder, "bn2-");
            if (strcmp(first, second) == 0)
                find_file(second, folder, "logits");
        } else { /* the same layer of another teacher, of other samples */
            assert_int_equal(0, rename(first, aside));
            kd2m_train_settings other = settings;
            other.teacher = i == 1 ? model : net;
            other.data = i == 1 ? DATA : "bearing:train=12,test=6,length=128,snr=0";
            EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &other, KD2M_RUN_NEW));
            find_file(second, folder, "logits");
        }
        assert_int_equal(0, rename(second, first));
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
        snprintf(text, sizeof text, "is of another teacher, layer or data");
        EXPECT_MESSAGE(context, text);
        EXPECT_MESSAGE(context, first);
        remove_file(first); /* what the message says helps */
        EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    }
}

/* ---- at once, and without memory ---- */

typedef struct job {
    kd2m_train_settings settings;
    char folder[256];
    kd2m_status status;
} job;

static void work(void *user) {
    job *j = user;
    kd2m_context_settings settings;
    kd2m_context *own;
    kd2m_run_result result;
    kd2m_context_settings_default(&settings);
    settings.threads = 1;
    j->status = kd2m_context_create(&own, &settings);
    if (j->status == KD2M_OK)
        j->status = kd2m_run(&result, own, j->folder, &j->settings, KD2M_RUN_NEW);
    kd2m_context_free(own);
}

static void two_make_the_same_files(void **state) {
    (void)state;
    char folder[256];
    job jobs[2];
    new_folder(folder);
    for (size_t i = 0; i < 2; i++) {
        jobs[i].settings = settings_of(folder);
        jobs[i].settings.epochs = 1;
        new_folder(jobs[i].folder);
    }
    testing_side_by_side(work, &jobs[0], &jobs[1]);
    assert_int_equal(KD2M_OK, jobs[0].status);
    assert_int_equal(KD2M_OK, jobs[1].status);
    assert_int_equal(5, files_in(folder));
    expect_same_run(jobs[0].folder, jobs[1].folder);
}

static void failing_allocations(void **state) {
    (void)state;
    char folder[256], path[256];
    kd2m_train_settings settings = settings_of(new_folder(folder));
    kd2m_status status = KD2M_ERROR_MEMORY;
    new_folder(path);
    settings.model = "mlp:128-9-7";
    settings.loss = "ce + kd + w2";
    settings.epochs = 1;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at += 1 + fail_at / 25) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_run_result result;
        for_each_file(folder, remove_file);
        status = kd2m_run(&result, failing, path, &settings, KD2M_RUN_FORCE);
        assert_true(status == KD2M_OK || status == KD2M_ERROR_MEMORY);
        assert_int_equal(0, testing_live());
        kd2m_context_free(failing);
    }
    assert_int_equal(2, files_in(folder));
}

static void refusals_of_the_system(void **state) {
    (void)state;
    char folder[256], file[300];
    kd2m_run_result result;
    kd2m_mapping mapping;
    snprintf(file, sizeof file, "%s/file", new_folder(folder));
    kd2m_train_settings settings = settings_of(file);
    write_bytes(file, "", 0);
    EXPECT_STATUS(context, KD2M_ERROR_IO,
                  kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    EXPECT_MESSAGE(context, "the folder can't be made");
    EXPECT_OK(context, kd2m_mapping_open(&mapping, context, file)); /* empty: nothing is mapped */
    assert_true(mapping.bytes == NULL && mapping.size == 0);
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_mapping_open(&mapping, context, folder));
    EXPECT_MESSAGE(context, "is not a file");
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_mapping_open(&mapping, context, "/nowhere/file"));
    EXPECT_MESSAGE(context, "/nowhere/file: can't be read");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_the_same),        cmocka_unit_test(runs_go_on_without),
        cmocka_unit_test(rows_are_the_samples_own), cmocka_unit_test(nothing_is_kept),
        cmocka_unit_test(every_byte_counts),        cmocka_unit_test(swapped_files_are_refused),
        cmocka_unit_test(two_make_the_same_files),  cmocka_unit_test(failing_allocations),
        cmocka_unit_test(refusals_of_the_system),
    };
    context = testing_context(1);
    kd2m_run_result result;
    kd2m_train_settings settings = settings_of(NULL);
    settings.teacher = settings.loss = NULL;
    settings.model = "cnn1d:width=0.5";
    EXPECT_OK(context, kd2m_run(&result, context, new_folder(net), &settings, KD2M_RUN_NEW));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
