/* Data sets: opening by spec, labels, the split, the digest, reading back, normalisation. */
#include "fixture.h"
#include "opening.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "kd2m/transform.h"

enum { ROWS = 60, COLUMNS = 3 };

static kd2m_context *context;
static int32_t labels[ROWS]; /* of sizes 41, 12, 6 and 1 */

static void fill_labels(void) {
    for (size_t i = 0; i < ROWS; i++)
        labels[i] = i == 30 ? 3 : i % 10 == 9 ? 2 : i % 4 == 1 ? 1 : 0;
}

static void refuse(const char *spec, kd2m_status expected, const char *message) {
    kd2m_dataset *dataset = NULL;
    EXPECT_STATUS(context, expected, testing_open(&dataset, context, spec, 0.0, 1));
    EXPECT_MESSAGE(context, message);
    assert_null(dataset);
}

static void refuses_specs_that_name_no_data(void **state) {
    kd2m_dataset *dataset = NULL;
    (void)state;
    refuse("beering", KD2M_ERROR_USAGE, "unknown data set 'beering', did you mean 'bearing'?");
    refuse("quux", KD2M_ERROR_USAGE, "known: bearing, cifar10, ");
    refuse("", KD2M_ERROR_USAGE, "");
    refuse("bearing(idx)", KD2M_ERROR_USAGE, "takes nothing in brackets");
    refuse("npy", KD2M_ERROR_USAGE, "npy: needs train=");
    refuse("npy:train=x.npy", KD2M_ERROR_USAGE, "train='x.npy' must name two files");
    refuse("npy:train=;y.npy", KD2M_ERROR_USAGE, "must name two files");
    refuse("npy:test=x.npy;", KD2M_ERROR_USAGE, "must name two files");
    refuse("npy:tran=x.npy;y.npy", KD2M_ERROR_USAGE, "train");
    refuse("npy:train=/nonexistent/x.npy;y.npy", KD2M_ERROR_IO, "/nonexistent/x.npy");
    refuse("idx", KD2M_ERROR_USAGE, "idx:DIR");
    refuse("idx:/nonexistent", KD2M_ERROR_IO, "/nonexistent/train-images-idx3-ubyte");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, testing_open(&dataset, context, "bearing", 0.91, 1));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  testing_open(&dataset, context, "bearing", (double)NAN, 1));
}

static void refuses_labels_out_of_range(void **state) {
    char spec[1200];
    int32_t bad[ROWS];
    (void)state;
    memcpy(bad, labels, sizeof bad);
    bad[41] = -1;
    snprintf(spec, sizeof spec, "npy:train=%s", fixture_files(context, "bad", ROWS, COLUMNS, bad));
    refuse(spec, KD2M_ERROR_INPUT, "label -1 in row 41 (from 0) of the training data");
    bad[41] = 70000;
    snprintf(spec, sizeof spec, "npy:train=%s", fixture_files(context, "bad", ROWS, COLUMNS, bad));
    refuse(spec, KD2M_ERROR_INPUT, "label 70000 in row 41");
    snprintf(spec, sizeof spec, "npy:classes=3,test=%s",
             fixture_files(context, "good", ROWS, COLUMNS, labels));
    refuse(spec, KD2M_ERROR_INPUT,
           "label 3 in row 30 (from 0) of the test data; labels must be 0..2");
}

/* Writes an array and returns its path. Static buffer, overwritten by the call after the next. */
static const char *write_array(const char *name, kd2m_array array) {
    static char paths[2][256];
    static const char *folder;
    static int turn;
    if (!folder)
        folder = testing_folder();
    turn = 1 - turn;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s.npy", folder, name);
    EXPECT_OK(context, kd2m_array_write(context, &array, paths[turn]));
    return paths[turn];
}

static void refuses_arrays_that_do_not_fit(void **state) {
    static float values[24];
    static int32_t integers[24];
    const kd2m_array x = {KD2M_FLOAT32, 2, {6, 4}, 24, values};
    const kd2m_array flat = {KD2M_FLOAT32, 1, {24}, 24, values};
    const kd2m_array wide = {KD2M_FLOAT32, 2, {4, 6}, 24, values};
    const kd2m_array counts = {KD2M_INT32, 2, {6, 4}, 24, integers};
    const kd2m_array y = {KD2M_INT32, 1, {6}, 6, integers};
    const kd2m_array y4 = {KD2M_INT32, 1, {4}, 4, integers};
    const kd2m_array column = {KD2M_INT32, 2, {6, 1}, 6, integers};
    const kd2m_array real = {KD2M_FLOAT32, 1, {6}, 6, values};
    const struct {
        kd2m_array x, y;
        const char *message;
    } cases[] = {{x, y4, "y.npy holds 4 labels"},
                 {x, column, "labels must have one dimension, not 2"},
                 {x, real, "labels must be integers"},
                 {flat, y, "must have a row for each sample"},
                 {counts, y, "values must be floats or bytes"}};
    char spec[1200];
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const char *x_path = write_array("x", cases[c].x);
        snprintf(spec, sizeof spec, "npy:train=%s;%s", x_path, write_array("y", cases[c].y));
        refuse(spec, KD2M_ERROR_INPUT, cases[c].message);
    }
    const char *x_path = write_array("x", x);
    int used = snprintf(spec, sizeof spec, "npy:train=%s;%s", x_path, write_array("y", y));
    x_path = write_array("wide", wide);
    snprintf(spec + used, sizeof spec - (size_t)used, ",test=%s;%s", x_path, write_array("y4", y4));
    refuse(spec, KD2M_ERROR_INPUT, "wide.npy: a sample is 6, but 4 in the training data");
}

static void shapes_follow_the_arrays(void **state) {
    static uint8_t bytes[24] = {0, 1, 2, 3, 4, 255};
    static int32_t classes[2] = {0, 1};
    static const struct {
        const char *as;
        kd2m_array x;
        size_t dims, shape[3], channels;
    } cases[] = {{"table", {KD2M_UINT8, 2, {2, 12}, 24, bytes}, 1, {12}, 12},
                 {"signal", {KD2M_UINT8, 2, {2, 12}, 24, bytes}, 2, {1, 12}, 1},
                 {"table", {KD2M_UINT8, 3, {2, 3, 4}, 24, bytes}, 2, {3, 4}, 3},
                 {"signal", {KD2M_UINT8, 4, {2, 2, 2, 3}, 24, bytes}, 3, {2, 2, 3}, 2}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char spec[1200];
        float values[12];
        kd2m_dataset *dataset = NULL;
        kd2m_dataset_info info;
        const char *x_path = write_array("x", cases[c].x);
        snprintf(spec, sizeof spec, "npy:as=%s,test=%s;%s", cases[c].as, x_path,
                 write_array("y", (kd2m_array){KD2M_INT32, 1, {2}, 2, classes}));
        EXPECT_OK(context, testing_open(&dataset, context, spec, 0.5, 1));
        kd2m_dataset_describe(dataset, &info);
        assert_string_equal(spec, info.spec);
        assert_int_equal(cases[c].dims, info.dims);
        assert_memory_equal(cases[c].shape, info.shape, sizeof info.shape);
        assert_int_equal(12, info.sample_size);
        assert_int_equal(cases[c].channels, info.channels);
        assert_int_equal(2, info.classes);
        assert_int_equal(0, info.rows[KD2M_TRAIN]);
        assert_int_equal(0, info.rows[KD2M_VALIDATION]);
        assert_int_equal(2, info.rows[KD2M_TEST]);
        EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TEST, 0, 1, values, NULL));
        for (size_t i = 0; i < 12; i++)
            EXPECT_CLOSE((double)bytes[i], (double)values[i], 0.0, 0.0);
        kd2m_normalisation normalisation;
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_dataset_measure(dataset, &normalisation));
        assert_null(normalisation.mean);
        kd2m_dataset_free(dataset);
    }
}

/* Reads which original rows a split holds, from the values. */
static void original_rows(const kd2m_dataset *dataset, kd2m_split split, int *seen) {
    for (size_t i = 0; i < dataset->row_count[split]; i++) {
        float values[COLUMNS];
        int32_t label;
        EXPECT_OK(context, kd2m_dataset_read(dataset, split, i, 1, values, &label));
        size_t row = (size_t)values[0] / 16;
        assert_true(row < ROWS);
        assert_true(values[1] == fixture_value(row, 1));
        assert_int_equal(labels[row], label);
        seen[row]++;
    }
}

static void the_split_is_stratified_disjoint_and_whole(void **state) {
    const double shares[] = {0.0, 0.01, 0.1, 0.25, 0.5, 0.9};
    size_t sizes[4] = {0};
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        sizes[labels[i]]++;
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, labels, shares[s], 5);
        int train[ROWS] = {0};
        int validation[ROWS] = {0};
        size_t held[4] = {0};
        original_rows(dataset, KD2M_TRAIN, train);
        original_rows(dataset, KD2M_VALIDATION, validation);
        for (size_t i = 0; i < ROWS; i++) {
            assert_int_equal(1, train[i] + validation[i]);
            held[labels[i]] += (size_t)validation[i];
        }
        for (size_t c = 0; c < 4; c++) {
            assert_true(fabs((double)held[c] - shares[s] * (double)sizes[c]) < 1.0);
            assert_true(held[c] < sizes[c]);
        }
        kd2m_dataset_free(dataset);
    }
}

static void the_split_depends_on_its_seed_alone(void **state) {
    uint32_t first[ROWS];
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        kd2m_dataset *a = fixture_dataset(context, ROWS, COLUMNS, labels, 0.3, seed);
        kd2m_dataset *b = fixture_dataset(context, ROWS, COLUMNS, labels, 0.3, seed);
        size_t count = a->row_count[KD2M_VALIDATION];
        assert_memory_equal(a->rows[KD2M_VALIDATION], b->rows[KD2M_VALIDATION],
                            count * sizeof(uint32_t));
        if (seed == 1)
            memcpy(first, a->rows[KD2M_VALIDATION], count * sizeof *first);
        else
            assert_memory_not_equal(first, a->rows[KD2M_VALIDATION], count * sizeof *first);
        assert_true(a->digest == b->digest);
        kd2m_dataset_free(a);
        kd2m_dataset_free(b);
    }
}

static uint64_t digest_of(size_t rows, size_t columns, const int32_t *with) {
    kd2m_dataset *dataset = fixture_dataset(context, rows, columns, with, 0.2, 1);
    uint64_t digest = dataset->digest;
    kd2m_dataset_free(dataset);
    return digest;
}

static void the_digest_tells_data_apart(void **state) {
    int32_t other[ROWS];
    uint64_t digest = digest_of(ROWS, COLUMNS, labels);
    (void)state;
    memcpy(other, labels, sizeof other);
    other[ROWS - 1] ^= 1;
    assert_true(digest_of(ROWS, COLUMNS, labels) == digest);
    assert_true(digest_of(ROWS, COLUMNS, other) != digest);
    assert_true(digest_of(ROWS - 1, COLUMNS, labels) != digest);
    assert_true(digest_of(ROWS, COLUMNS + 1, labels) != digest);
}

static char logged[512];

static void keep_log(void *user, kd2m_log_level level, const char *text) {
    (void)user;
    if (level == KD2M_LOG_WARNING)
        snprintf(logged, sizeof logged, "%s", text);
}

static void warns_of_classes_without_training(void **state) {
    kd2m_context_settings settings;
    kd2m_context *talking = NULL;
    kd2m_dataset *dataset = NULL;
    char spec[1200];
    int32_t more[ROWS];
    (void)state;
    memcpy(more, labels, sizeof more);
    more[50] = 6;
    more[51] = 5;
    more[52] = 6;
    kd2m_context_settings_default(&settings);
    settings.log = keep_log;
    assert_int_equal(KD2M_OK, kd2m_context_create(&talking, &settings));
    const char *train = fixture_files(context, "train", ROWS, COLUMNS, labels);
    const char *test = fixture_files(context, "test", ROWS, COLUMNS, more);
    snprintf(spec, sizeof spec, "npy:train=%s,test=%s", train, test);
    EXPECT_OK(talking, testing_open(&dataset, talking, spec, 0.0, 1));
    assert_int_equal(7, dataset->raw.classes);
    assert_non_null(strstr(logged, "2 class(es) of the test data have no training row"));
    assert_non_null(strstr(logged, "class 6"));
    kd2m_dataset_free(dataset);
    logged[0] = '\0';
    snprintf(spec, sizeof spec, "npy:train=%s,test=%s", test, train);
    EXPECT_OK(talking, testing_open(&dataset, talking, spec, 0.0, 1));
    assert_string_equal("", logged);
    kd2m_dataset_free(dataset);
    kd2m_context_free(talking);
}

static void reads_past_the_end_are_refused(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, labels, 0.0, 1);
    float values[COLUMNS];
    (void)state;
    EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TRAIN, ROWS, 0, values, NULL));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_dataset_read(dataset, KD2M_TRAIN, ROWS, 1, values, NULL));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_dataset_read(dataset, KD2M_TRAIN, 1, SIZE_MAX, values, NULL));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_dataset_read(dataset, KD2M_VALIDATION, 0, 1, values, NULL));
    EXPECT_MESSAGE(context, "0 validation rows");
    kd2m_dataset_free(dataset);
}

/* Channels with an offset far from their spread, a constant one, one of bytes' own scale. */
static void normalisation_is_measured_per_channel(void **state) {
    enum { SAMPLES = 7, CHANNELS = 3, LENGTH = 33 };
    static float values[SAMPLES][CHANNELS][LENGTH];
    static int32_t classes[SAMPLES];
    double sum[CHANNELS] = {0.0};
    double squares[CHANNELS] = {0.0};
    char spec[600];
    kd2m_dataset *dataset = NULL;
    kd2m_normalisation normalisation;
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t k = 0; k < LENGTH; k++) {
            float wave = sinf((float)(i * LENGTH + k));
            values[i][0][k] = 1000.0F + 0.01F * wave;
            values[i][1][k] = 0.1F;
            values[i][2][k] = wave * wave * 1e-20F;
        }
    for (size_t c = 0; c < CHANNELS; c++) {
        for (size_t i = 0; i < SAMPLES; i++)
            for (size_t k = 0; k < LENGTH; k++)
                sum[c] += (double)values[i][c][k] / (SAMPLES * LENGTH);
        for (size_t i = 0; i < SAMPLES; i++)
            for (size_t k = 0; k < LENGTH; k++)
                squares[c] += pow((double)values[i][c][k] - sum[c], 2.0) / (SAMPLES * LENGTH);
    }
    const char *x_path = write_array(
        "x",
        (kd2m_array){
            KD2M_FLOAT32, 3, {SAMPLES, CHANNELS, LENGTH}, SAMPLES * CHANNELS * LENGTH, values});
    snprintf(spec, sizeof spec, "npy:train=%s;%s", x_path,
             write_array("y", (kd2m_array){KD2M_INT32, 1, {SAMPLES}, SAMPLES, classes}));
    EXPECT_OK(context, testing_open(&dataset, context, spec, 0.0, 1));
    EXPECT_OK(context, kd2m_dataset_measure(dataset, &normalisation));
    assert_int_equal(CHANNELS, normalisation.channels);
    EXPECT_CLOSE(sum[0], (double)normalisation.mean[0], 0.0, 1e-7);
    EXPECT_CLOSE(1.0 / sqrt(squares[0]), (double)normalisation.scale[0], 0.0, 1e-6);
    assert_true(normalisation.mean[1] == 0.1F && normalisation.scale[1] == 1.0F);
    EXPECT_CLOSE(sum[2], (double)normalisation.mean[2], 0.0, 1e-6);
    EXPECT_CLOSE(1.0 / sqrt(squares[2]), (double)normalisation.scale[2], 0.0, 1e-6);

    float fetched[CHANNELS * LENGTH];
    kd2m_dataset_fetch(dataset, KD2M_TRAIN, 3, &normalisation, fetched, NULL);
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t k = 0; k < LENGTH; k++)
            EXPECT_CLOSE(
                (double)((values[3][c][k] - normalisation.mean[c]) * normalisation.scale[c]),
                (double)fetched[c * LENGTH + k], 0.0, 1e-6);
    kd2m_normalisation_clear(context, &normalisation);
    kd2m_dataset_free(dataset);
}

static void the_table_lists_readers_and_keys(void **state) {
    kd2m_table *table = NULL;
    char *text = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_dataset_table(&table, context));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    const char *const parts[] = {"bearing", "idx", "npy", "snr", "dir", "classes", "1024"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_non_null(strstr(text, parts[i]));
    kd2m_text_free(context, text);
    kd2m_table_free(table);
}

/* Opens, measures and describes with allocation k failing, for every k. */
static void sweep(const char *spec) {
    for (size_t k = 0;; k++) {
        kd2m_context *failing = testing_failing_context(k);
        kd2m_dataset *dataset = NULL;
        kd2m_normalisation normalisation = {0};
        kd2m_table *table = NULL;
        kd2m_status status = testing_open(&dataset, failing, spec, 0.3, 1);
        if (status == KD2M_OK)
            status = kd2m_dataset_measure(dataset, &normalisation);
        if (status == KD2M_OK)
            status = kd2m_dataset_table(&table, failing);
        kd2m_table_free(table);
        kd2m_normalisation_clear(failing, &normalisation);
        kd2m_dataset_free(dataset);
        assert_int_equal(0, testing_live());
        if (status != KD2M_OK)
            assert_int_equal(KD2M_ERROR_MEMORY, status);
        kd2m_context_free(failing);
        if (status == KD2M_OK)
            break;
        assert_true(k < 1000);
    }
}

static void write_bytes(const char *folder, const char *name, const char *bytes, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(size, fwrite(bytes, 1, size, file));
    fclose(file);
}

/* Two images of 1 x 2 pixels for training, one for testing. */
static const char *idx_folder(void) {
    const char *folder = testing_folder();
    write_bytes(folder, "train-images-idx3-ubyte",
                "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02\x00\xff\x33\x66", 20);
    write_bytes(folder, "train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x02\x01\x00", 10);
    write_bytes(folder, "t10k-images-idx3-ubyte",
                "\0\0\x08\x03\0\0\0\x01\0\0\0\x01\0\0\0\x02\x01\x02", 18);
    write_bytes(folder, "t10k-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x01\x02", 9);
    return folder;
}

static kd2m_status open_transformed(kd2m_dataset **out, kd2m_context *by, const char *spec,
                                    const char *chain) {
    kd2m_data_settings settings;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = spec;
    settings.transform = chain;
    return kd2m_dataset_open(out, by, &settings);
}

/* Both parts go through the chain, as the chain alone would have it; labels and rows stay. */
static void transforms_are_applied_on_opening(void **state) {
    static const char spec[] =
        "bearing:train=300,test=3,length=64"; /* more than one block of rows */
    kd2m_dataset *plain = NULL, *made = NULL, *again = NULL;
    kd2m_chain *chain = NULL;
    kd2m_dataset_info before, after;
    float values[64], wanted[33], found[33];
    (void)state;
    EXPECT_OK(context, open_transformed(&plain, context, spec, NULL));
    EXPECT_OK(context, open_transformed(&made, context, spec, " detrend + envelope-spectrum "));
    EXPECT_OK(context, open_transformed(&again, context, spec, "detrend+envelope-spectrum"));
    kd2m_dataset_describe(plain, &before);
    kd2m_dataset_describe(made, &after);
    assert_string_equal("", before.transform);
    assert_string_equal("detrend+envelope-spectrum", after.transform);
    assert_int_equal(2, after.dims);
    assert_int_equal(33, after.shape[1]);
    assert_true(before.digest == after.digest);
    assert_true(again->digest == after.digest);
    EXPECT_OK(context, kd2m_chain_open(&chain, context, after.transform, 2, before.shape));
    for (kd2m_split split = KD2M_TRAIN; split <= KD2M_TEST; split++) {
        assert_int_equal(before.rows[split], after.rows[split]);
        for (size_t i = 0; i < after.rows[split]; i += 7) {
            int32_t labels_of[2];
            EXPECT_OK(context, kd2m_dataset_read(plain, split, i, 1, values, &labels_of[0]));
            EXPECT_OK(context, kd2m_dataset_read(made, split, i, 1, found, &labels_of[1]));
            EXPECT_OK(context, kd2m_chain_apply(chain, values, 1, wanted));
            assert_memory_equal(wanted, found, sizeof wanted);
            assert_int_equal(labels_of[0], labels_of[1]);
        }
    }
    kd2m_chain_free(chain);
    kd2m_dataset_free(again);
    kd2m_dataset_free(made);
    kd2m_dataset_free(plain);
}

static void transforms_see_bytes_as_shares_of_one(void **state) {
    char spec[600];
    kd2m_dataset *dataset = NULL;
    float values[4];
    (void)state;
    snprintf(spec, sizeof spec, "idx:%s", idx_folder());
    EXPECT_OK(context, open_transformed(&dataset, context, spec, "resize:to=2"));
    EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TEST, 0, 1, values, NULL));
    for (size_t i = 0; i < 4; i++)
        EXPECT_CLOSE((double)(i % 2 + 1) / 255, (double)values[i], 1e-7, 0);
    kd2m_dataset_free(dataset);
}

static void refuses_transforms_that_do_not_fit(void **state) {
    kd2m_dataset *dataset = NULL;
    (void)state;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  open_transformed(&dataset, context, "bearing:train=1,test=1", "resize:to=4"));
    EXPECT_MESSAGE(context, "transform resize: takes images");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  open_transformed(&dataset, context, "bearing:train=1,test=1", "dtrend"));
    assert_null(dataset);
    for (size_t k = 0;; k++) {
        kd2m_context *failing = testing_failing_context(k);
        kd2m_status status = open_transformed(&dataset, failing, "bearing:train=2,test=1,length=64",
                                              "resample:to=32+log-spectrum");
        kd2m_dataset_free(dataset);
        assert_int_equal(0, testing_live());
        assert_int_equal(status == KD2M_OK ? KD2M_OK : KD2M_ERROR_MEMORY, status);
        kd2m_context_free(failing);
        if (status == KD2M_OK)
            break;
        assert_true(k < 1000);
    }
}

static void idx_images_become_shares_of_one(void **state) {
    char spec[600];
    kd2m_dataset *dataset = NULL;
    kd2m_dataset_info info;
    float values[4];
    int32_t read[2];
    const char *folder = idx_folder();
    (void)state;
    snprintf(spec, sizeof spec, "idx:%s", folder);
    EXPECT_OK(context, testing_open(&dataset, context, spec, 0.0, 1));
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(3, info.dims);
    assert_int_equal(1, info.shape[0]);
    assert_int_equal(1, info.shape[1]);
    assert_int_equal(2, info.shape[2]);
    assert_int_equal(3, info.classes);
    EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TRAIN, 0, 2, values, read));
    const double expected[] = {0.0, 1.0, 0.2, 0.4};
    for (size_t i = 0; i < 4; i++)
        EXPECT_CLOSE(expected[i], (double)values[i], 0.0, 1e-6);
    assert_int_equal(1, read[0]);
    assert_int_equal(0, read[1]);
    kd2m_dataset_free(dataset);

    write_bytes(folder, "t10k-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x02\x02\x01", 10);
    refuse(spec, KD2M_ERROR_INPUT, "t10k-labels-idx1-ubyte holds 2 labels for 1 samples");
    write_bytes(folder, "t10k-images-idx3-ubyte",
                "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x01\x01\x02", 18);
    refuse(spec, KD2M_ERROR_INPUT, "a sample is 1 x 1 x 1, but 1 x 1 x 2 in the training data");
    write_bytes(folder, "t10k-images-idx3-ubyte", "\0\0\x08\x02\0\0\0\x02\0\0\0\x01\x01\x02", 14);
    refuse(spec, KD2M_ERROR_INPUT, "has 2 dimensions; images have 3");
}

static void every_failing_allocation_is_survived(void **state) {
    char spec[600];
    (void)state;
    snprintf(spec, sizeof spec, "npy:as=signal,train=%s",
             fixture_files(context, "train", ROWS, COLUMNS, labels));
    sweep(spec);
    snprintf(spec, sizeof spec, "idx:%s", idx_folder());
    sweep(spec);
    sweep("bearing:train=2,test=1,length=64");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_specs_that_name_no_data),
        cmocka_unit_test(refuses_labels_out_of_range),
        cmocka_unit_test(refuses_arrays_that_do_not_fit),
        cmocka_unit_test(shapes_follow_the_arrays),
        cmocka_unit_test(the_split_is_stratified_disjoint_and_whole),
        cmocka_unit_test(the_split_depends_on_its_seed_alone),
        cmocka_unit_test(the_digest_tells_data_apart),
        cmocka_unit_test(warns_of_classes_without_training),
        cmocka_unit_test(reads_past_the_end_are_refused),
        cmocka_unit_test(normalisation_is_measured_per_channel),
        cmocka_unit_test(the_table_lists_readers_and_keys),
        cmocka_unit_test(transforms_are_applied_on_opening),
        cmocka_unit_test(transforms_see_bytes_as_shares_of_one),
        cmocka_unit_test(refuses_transforms_that_do_not_fit),
        cmocka_unit_test(idx_images_become_shares_of_one),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    fill_labels();
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
