/* Columns beside the labels: coding, files, batches, the digest, failing memory. */
#include "fixture.h"
#include "opening.h"

#include <stdio.h>
#include <string.h>

#include "loader.h"
#include "memory.h"

enum { ROWS = 40, TESTS = 10, WIDTH = 3 };

static kd2m_context *context;
static char folder[256];
static int32_t labels[ROWS], machines[ROWS], loads[ROWS];

static void fill(void) {
    for (size_t i = 0; i < ROWS; i++) {
        labels[i] = (int32_t)(i % 3);
        machines[i] = 1000 - (int32_t)(i / 8) * 7; /* 1000, 993, 986, 979, 972 */
        loads[i] = (int32_t)(i * i % 5) - 2;
    }
}

/* Writes whole numbers, and returns the path. Static buffer, the last of four. */
static const char *write_numbers(const char *name, const int32_t *numbers, size_t count) {
    static char paths[4][300];
    static size_t turn;
    int32_t copy[ROWS];
    char *path = paths[turn++ % 4];
    memcpy(copy, numbers, count * sizeof *copy);
    const kd2m_array array = {KD2M_INT32, 1, {count}, count, copy};
    snprintf(path, sizeof *paths, "%s/%s.npy", folder, name);
    EXPECT_OK(context, kd2m_array_write(context, &array, path));
    return path;
}

static void refuse(const char *spec, kd2m_status expected, const char *message) {
    kd2m_dataset *dataset = NULL;
    EXPECT_STATUS(context, expected, testing_open(&dataset, context, spec, 0.0, 1));
    EXPECT_MESSAGE(context, message);
    assert_null(dataset);
}

/* The code of each row stands for its number, in every split. */
static void expect_codes(const kd2m_dataset *dataset, kd2m_split split, size_t column,
                         const int32_t *numbers) {
    kd2m_column_info info;
    kd2m_dataset_info all;
    EXPECT_OK(context, kd2m_dataset_column(dataset, column, &info));
    kd2m_dataset_describe(dataset, &all);
    for (size_t i = 0; i < all.rows[split]; i++) {
        char text[16];
        float values[WIDTH];
        int32_t code;
        EXPECT_OK(context, kd2m_dataset_read(dataset, split, i, 1, values, NULL));
        EXPECT_OK(context, kd2m_dataset_read_codes(dataset, split, column, i, 1, &code));
        snprintf(text, sizeof text, "%d", numbers[(size_t)values[0] / 16]);
        assert_in_range(code, 0, info.codes - 1);
        assert_string_equal(text, info.texts[code]);
    }
}

static void parts_share_one_coding(void **state) {
    char spec[3000];
    kd2m_dataset *dataset = NULL;
    kd2m_dataset_info info;
    kd2m_column_info column;
    int32_t code;
    (void)state;
    /* the test part meets machine 7 first, then one of those known */
    const int32_t others[TESTS] = {7, 993, 7, 7, 7, 7, 7, 7, 7, 1000};
    int used =
        snprintf(spec, sizeof spec, "npy:train=%s;load=%s;machine=%s",
                 fixture_files(context, "train", ROWS, WIDTH, labels),
                 write_numbers("load", loads, ROWS), write_numbers("machine", machines, ROWS));
    snprintf(spec + used, sizeof spec - (size_t)used, ",test=%s;machine=%s",
             fixture_files(context, "test", TESTS, WIDTH, labels),
             write_numbers("others", others, TESTS));
    EXPECT_OK(context, testing_open(&dataset, context, spec, 0.25, 1));
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(2, info.columns);
    EXPECT_OK(context, kd2m_dataset_column(dataset, 0, &column));
    assert_string_equal("load", column.name);
    assert_int_equal(3, column.codes); /* squares modulo 5: 0, 1, 4 */
    assert_string_equal("-2", column.texts[0]);
    assert_string_equal("-1", column.texts[1]);
    assert_string_equal("2", column.texts[2]);
    EXPECT_OK(context, kd2m_dataset_column(dataset, 1, &column));
    assert_string_equal("machine", column.name);
    assert_int_equal(6, column.codes);
    assert_string_equal("7", column.texts[5]);
    expect_codes(dataset, KD2M_TRAIN, 0, loads);
    expect_codes(dataset, KD2M_TRAIN, 1, machines);
    expect_codes(dataset, KD2M_VALIDATION, 1, machines);
    expect_codes(dataset, KD2M_TEST, 1, others);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_dataset_column(dataset, 2, &column));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_dataset_read_codes(dataset, KD2M_TEST, 0, 0, 1, &code));
    EXPECT_MESSAGE(context, "have no column 'load'");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_dataset_read_codes(dataset, KD2M_TEST, 1, TESTS, 1, &code));
    size_t found = 9;
    EXPECT_OK(context, kd2m_dataset_find_column(dataset, "machine", &found));
    assert_int_equal(1, found);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_dataset_find_column(dataset, "speed", &found));
    EXPECT_MESSAGE(context, "no column 'speed'; there are 'load', 'machine'");
    kd2m_dataset_free(dataset);
}

static void batches_carry_the_codes(void **state) {
    char spec[2000];
    kd2m_dataset *dataset = NULL;
    kd2m_loader *loader = NULL;
    const kd2m_loader_settings settings = {NULL, 7, KD2M_SAMPLER_BALANCED, 3, NULL, 0};
    (void)state;
    snprintf(spec, sizeof spec, "npy:train=%s;load=%s;machine=%s",
             fixture_files(context, "train", ROWS, WIDTH, labels),
             write_numbers("load", loads, ROWS), write_numbers("machine", machines, ROWS));
    EXPECT_OK(context, testing_open(&dataset, context, spec, 0.25, 1));
    EXPECT_OK(context, kd2m_loader_create(&loader, dataset, &settings));
    for (size_t step = 0; step < 12; step++) {
        kd2m_batch batch;
        EXPECT_OK(context, kd2m_loader_next(loader, &batch));
        assert_int_equal(2, batch.column_count);
        assert_string_equal("load", batch.columns[0].name);
        assert_string_equal("machine", batch.columns[1].name);
        for (size_t i = 0; i < batch.rows; i++) {
            size_t row = (size_t)batch.values[i * WIDTH] / 16;
            const int32_t *const codes[] = {batch.columns[0].values, batch.columns[1].values};
            char text[16];
            snprintf(text, sizeof text, "%d", loads[row]);
            assert_string_equal(text, dataset->raw.columns[0].texts[codes[0][i]]);
            assert_int_equal((1000 - machines[row]) / 7, codes[1][i]);
        }
    }
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

static uint64_t digest_of(const char *column, const int32_t *numbers) {
    char spec[2000];
    kd2m_dataset *dataset = NULL;
    kd2m_dataset_info info;
    snprintf(spec, sizeof spec, "npy:train=%s;%s=%s",
             fixture_files(context, "train", ROWS, WIDTH, labels), column,
             write_numbers("digested", numbers, ROWS));
    EXPECT_OK(context, testing_open(&dataset, context, spec, 0.25, 1));
    kd2m_dataset_describe(dataset, &info);
    kd2m_dataset_free(dataset);
    return info.digest;
}

static void the_digest_covers_columns(void **state) {
    int32_t other[ROWS];
    (void)state;
    memcpy(other, machines, sizeof other);
    uint64_t digest = digest_of("machine", machines);
    assert_true(digest == digest_of("machine", machines));
    assert_true(digest != digest_of("machin", machines));
    assert_true(digest != digest_of("time", machines));
    other[ROWS - 1] = machines[0]; /* another code */
    assert_true(digest != digest_of("machine", other));
    for (size_t i = 0; i < ROWS; i++)
        other[i] = machines[i] + 1; /* the same codes, other texts */
    assert_true(digest != digest_of("machine", other));
}

static void refuses_what_is_no_column(void **state) {
    char files[700];
    char spec[2000];
    const kd2m_array real = {KD2M_FLOAT32, 1, {2}, 2, (float[]){1, 2}};
    (void)state;
    snprintf(files, sizeof files, "%s", fixture_files(context, "train", ROWS, WIDTH, labels));
    snprintf(spec, sizeof spec, "%s/real.npy", folder);
    EXPECT_OK(context, kd2m_array_write(context, &real, spec));
    write_numbers("short", loads, ROWS - 1);
    write_numbers("good", loads, ROWS);
    write_numbers("labels", labels, ROWS);
    const struct {
        const char *column; /* with FOLDER for %s */
        kd2m_status status;
        const char *message;
    } cases[] = {
        {"good.npy", KD2M_ERROR_USAGE, "must be a column's name and file, NAME=FILE.npy"},
        {"=good.npy", KD2M_ERROR_USAGE, "must be a column's name and file"},
        {"load=", KD2M_ERROR_USAGE, "must be a column's name and file"},
        {"load=%s/none.npy", KD2M_ERROR_IO, "none.npy"},
        {"load=%s/short.npy", KD2M_ERROR_INPUT, "short.npy holds 39 codes for 40 samples"},
        {"load=%s/real.npy", KD2M_ERROR_INPUT, "codes must be integers"},
        {"label=%s/good.npy", KD2M_ERROR_INPUT, "a column can't be called 'label'"},
        {"time=%s/short.npy", KD2M_ERROR_INPUT, "holds 39 times for 40 samples"},
        {"until=%s/good.npy", KD2M_ERROR_INPUT, "say when samples end, but not when they begin"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int used = snprintf(spec, sizeof spec, "npy:train=%s;", files);
        snprintf(spec + used, sizeof spec - (size_t)used, cases[c].column, folder);
        refuse(spec, cases[c].status, cases[c].message);
    }
    snprintf(spec, sizeof spec, "npy:train=%s;a=%s/good.npy;a=%s/good.npy", files, folder, folder);
    refuse(spec, KD2M_ERROR_INPUT, "there are two columns 'a'");
    snprintf(spec, sizeof spec, "npy:train=%s;time=%s/labels.npy;until=%s/good.npy", files, folder,
             folder);
    refuse(spec, KD2M_ERROR_INPUT, "row 0 (from 0) of the training data ends at -2, before");
}

static void there_is_a_limit(void **state) {
    static kd2m_raw_data raw;
    const char *const texts[] = {"", "a", ""};
    char name[16];
    (void)state;
    raw.train.rows = 3;
    for (size_t i = 0; i < KD2M_COLUMNS_LIMIT; i++) {
        snprintf(name, sizeof name, "c%zu", i);
        EXPECT_OK(context, kd2m_raw_data_add_texts(context, &raw, &raw.train, name, texts));
        assert_int_equal(2, raw.columns[i].count);
        assert_memory_equal(((int32_t[]){0, 1, 0}), raw.train.codes[i], 3 * sizeof(int32_t));
    }
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_raw_data_add_texts(context, &raw, &raw.train, "more", texts));
    EXPECT_MESSAGE(context, "more than 32 columns");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_raw_data_add_texts(context, &raw, &raw.train, "", texts));
    kd2m_raw_data_clear(context, &raw);
}

/* Many codes: every text gets one of its own, whatever collides in the table. */
static void many_codes_stay_apart(void **state) {
    enum { MANY = 20000 };
    static kd2m_raw_data raw;
    static int32_t numbers[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        numbers[i] = (int32_t)(i * 7919 % 10007) * 3;
    raw.train.rows = MANY;
    EXPECT_OK(context, kd2m_raw_data_add_numbers(context, &raw, &raw.train, "n", numbers));
    assert_int_equal(10007, raw.columns[0].count);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(i % 10007, raw.train.codes[0][i]);
    kd2m_raw_data_clear(context, &raw);
}

static void failing_memory_leaks_nothing(void **state) {
    char spec[2000];
    size_t fail_at = 0;
    (void)state;
    snprintf(spec, sizeof spec, "npy:train=%s;load=%s;time=%s",
             fixture_files(context, "train", ROWS, WIDTH, labels),
             write_numbers("load", loads, ROWS), write_numbers("machine", machines, ROWS));
    for (kd2m_status status = KD2M_ERROR_MEMORY; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_dataset *dataset = NULL;
        size_t before = testing_live();
        status = testing_open(&dataset, failing, spec, 0.25, 1);
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_dataset_free(dataset);
        assert_int_equal(before, testing_live());
        kd2m_context_free(failing);
    }
    assert_in_range(fail_at, 10, 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_share_one_coding),
        cmocka_unit_test(batches_carry_the_codes),
        cmocka_unit_test(the_digest_covers_columns),
        cmocka_unit_test(refuses_what_is_no_column),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(many_codes_stay_apart),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    context = testing_context(1);
    fill();
    snprintf(folder, sizeof folder, "%s", testing_folder());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
