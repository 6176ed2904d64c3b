/* Keys of samples: what they depend on and what not; the export to NumPy arrays. */
#include "fixture.h"
#include "opening.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 40, WIDTH = 5 };

static kd2m_context *context;
static int32_t labels[ROWS];

static kd2m_dataset *open_with(kd2m_context *by, const char *spec, const char *chain, double share,
                               int64_t seed) {
    kd2m_dataset *dataset = NULL;
    kd2m_data_settings settings;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = spec;
    settings.transform = chain;
    settings.validation = share;
    settings.seed = settings.split_seed = seed;
    EXPECT_OK(by, kd2m_dataset_open(&dataset, by, &settings));
    return dataset;
}

static uint64_t key_of(const kd2m_dataset *dataset, kd2m_split split, size_t row) {
    uint64_t key = 0;
    EXPECT_OK(context, kd2m_dataset_read_keys(dataset, split, row, 1, &key));
    return key;
}

/* FNV-1a over words with its fold, written out once more: shape, then values. */
static uint64_t mix(uint64_t digest, uint64_t word) {
    digest = (digest ^ word) * UINT64_C(0x100000001b3);
    return digest ^ digest >> 32;
}

static void the_definition(void **state) {
    (void)state;
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, WIDTH, labels, 0, 0);
    for (size_t i = 0; i < ROWS; i++) {
        uint32_t words[WIDTH];
        for (size_t k = 0; k < WIDTH; k++) {
            const float value = fixture_value(i, k);
            memcpy(&words[k], &value, sizeof value);
        }
        uint64_t key = mix(UINT64_C(0xcbf29ce484222325), WIDTH);
        key = mix(key, words[0] | (uint64_t)words[1] << 32);
        key = mix(key, words[2] | (uint64_t)words[3] << 32);
        key = mix(mix(key, words[4]), sizeof(float));
        assert_true(key == key_of(dataset, KD2M_TRAIN, i));
    }
    kd2m_dataset_free(dataset);
}

/* Where the split puts a row, it keeps its key; a chain of transforms changes none. */
static void keys_stay_with_their_samples(void **state) {
    (void)state;
    static const char spec[] = "bearing:train=20,test=10,length=64";
    kd2m_context *other = testing_context(1);
    kd2m_dataset *whole = open_with(context, spec, NULL, 0, 0);
    kd2m_dataset *cut = open_with(context, spec, NULL, 0.3, 9);
    kd2m_dataset *sent = open_with(other, spec, "log-spectrum", 0, 0);
    kd2m_dataset_info info, parts;
    size_t found = 0;
    kd2m_dataset_describe(whole, &info);
    kd2m_dataset_describe(cut, &parts);
    assert_true(parts.rows[KD2M_VALIDATION] > 0);
    for (kd2m_split split = KD2M_TRAIN; split <= KD2M_VALIDATION; split++)
        for (size_t i = 0; i < parts.rows[split]; i++) {
            float mine[64], its[64];
            size_t k = 0;
            while (k < info.rows[KD2M_TRAIN] &&
                   key_of(whole, KD2M_TRAIN, k) != key_of(cut, split, i))
                k++;
            EXPECT_OK(context, kd2m_dataset_read(cut, split, i, 1, mine, NULL));
            EXPECT_OK(context, kd2m_dataset_read(whole, KD2M_TRAIN, k, 1, its, NULL));
            assert_memory_equal(mine, its, sizeof mine);
            found++;
        }
    assert_int_equal(found, info.rows[KD2M_TRAIN]);
    for (kd2m_split split = KD2M_TRAIN; split <= KD2M_TEST; split++)
        for (size_t i = 0; i < info.rows[split]; i++)
            assert_true(key_of(whole, split, i) == key_of(sent, split, i));
    kd2m_dataset_free(sent);
    kd2m_dataset_free(cut);
    kd2m_dataset_free(whole);
    kd2m_context_free(other);
}

/* Rows that move up where classes are left out take their keys along. */
static void keys_of_some_classes(void **state) {
    (void)state;
    static const char spec[] = "bearing:train=9,test=4,length=64";
    kd2m_data_settings settings;
    kd2m_dataset *whole = open_with(context, spec, NULL, 0, 0), *part = NULL;
    kd2m_dataset_info info, all;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = spec;
    settings.classes = "2,4-5";
    settings.limit = 20;
    EXPECT_OK(context, kd2m_dataset_open(&part, context, &settings));
    kd2m_dataset_describe(part, &info);
    kd2m_dataset_describe(whole, &all);
    for (kd2m_split split = KD2M_TRAIN; split <= KD2M_TEST; split++)
        for (size_t i = 0; i < info.rows[split]; i++) {
            float mine[64], its[64];
            kd2m_split from = split == KD2M_TEST ? KD2M_TEST : KD2M_TRAIN;
            size_t k = 0;
            while (k < all.rows[from] && key_of(whole, from, k) != key_of(part, split, i))
                k++;
            EXPECT_OK(context, kd2m_dataset_read(part, split, i, 1, mine, NULL));
            EXPECT_OK(context, kd2m_dataset_read(whole, from, k, 1, its, NULL));
            assert_memory_equal(mine, its, sizeof mine);
        }
    kd2m_dataset_free(part);
    kd2m_dataset_free(whole);
}

/* Every value of a sample, its order and its shape count. */
static void other_samples_have_other_keys(void **state) {
    (void)state;
    kd2m_dataset *narrow = fixture_dataset(context, ROWS, WIDTH, labels, 0, 0);
    kd2m_dataset *wide = fixture_dataset(context, ROWS, WIDTH + 1, labels, 0, 0);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < ROWS; k++) {
            assert_true(i == k || key_of(narrow, KD2M_TRAIN, i) != key_of(narrow, KD2M_TRAIN, k));
            assert_true(key_of(narrow, KD2M_TRAIN, i) != key_of(wide, KD2M_TRAIN, k));
        }
    uint64_t key;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_dataset_read_keys(narrow, KD2M_TRAIN, ROWS, 1, &key));
    kd2m_dataset_free(wide);
    kd2m_dataset_free(narrow);
}

static kd2m_array read_export(const char *folder, const char *name) {
    char path[512];
    kd2m_array array;
    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    EXPECT_OK(context, kd2m_array_read(&array, context, path));
    return array;
}

static void expect_export(const kd2m_dataset *dataset, kd2m_split split, const char *name,
                          const char *folder) {
    char file[64];
    kd2m_dataset_info info;
    kd2m_dataset_describe(dataset, &info);
    snprintf(file, sizeof file, "%s_x", name);
    kd2m_array x = read_export(folder, file);
    snprintf(file, sizeof file, "%s_y", name);
    kd2m_array y = read_export(folder, file);
    snprintf(file, sizeof file, "%s_keys", name);
    kd2m_array keys = read_export(folder, file);
    assert_int_equal(x.dims, 1 + info.dims);
    assert_int_equal(x.shape[0], info.rows[split]);
    for (size_t i = 0; i < info.dims; i++)
        assert_int_equal(x.shape[1 + i], info.shape[i]);
    assert_int_equal(y.count, info.rows[split]);
    assert_int_equal(keys.count, 8 * info.rows[split]);
    assert_int_equal(keys.element, KD2M_UINT8);
    for (size_t i = 0; i < info.rows[split]; i++) {
        float values[512];
        int32_t label;
        uint64_t key = 0;
        EXPECT_OK(context, kd2m_dataset_read(dataset, split, i, 1, values, &label));
        assert_memory_equal(values, (const float *)x.values + i * info.sample_size,
                            info.sample_size * sizeof(float));
        assert_int_equal(label, ((const int32_t *)y.values)[i]);
        for (size_t k = 0; k < 8; k++)
            key |= (uint64_t)((const uint8_t *)keys.values)[8 * i + k] << (8 * k);
        assert_true(key == key_of(dataset, split, i));
    }
    kd2m_array_clear(context, &keys);
    kd2m_array_clear(context, &y);
    kd2m_array_clear(context, &x);
}

/* Blocks are 256 rows: more than one of them, and a part of one. */
static void the_export_holds_what_a_net_sees(void **state) {
    (void)state;
    const char *folder = testing_folder();
    char path[512];
    kd2m_dataset *dataset =
        open_with(context, "bearing:train=90,test=40,length=128", "resample:to=64", 0.25, 2);
    EXPECT_OK(context, kd2m_dataset_export(dataset, folder));
    expect_export(dataset, KD2M_TRAIN, "train", folder);
    expect_export(dataset, KD2M_VALIDATION, "validation", folder);
    expect_export(dataset, KD2M_TEST, "test", folder);
    kd2m_dataset_free(dataset);
    /* a smaller one in its place leaves nothing of it */
    dataset = open_with(context, "bearing:train=3,test=0,length=128", NULL, 0, 2);
    EXPECT_OK(context, kd2m_dataset_export(dataset, folder));
    expect_export(dataset, KD2M_TRAIN, "train", folder);
    snprintf(path, sizeof path, "%s/test_keys.npy", folder);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof path, "%s/train_y.npy/below", folder);
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_dataset_export(dataset, path));
    kd2m_dataset_free(dataset);
}

static int stop(void *user) {
    (void)user;
    return 1;
}

static void an_interrupted_export_has_no_keys(void **state) {
    (void)state;
    char path[512];
    const char *folder = testing_folder();
    kd2m_context_settings settings;
    kd2m_context *stopped = NULL;
    kd2m_context_settings_default(&settings);
    settings.interrupted = stop;
    EXPECT_OK(NULL, kd2m_context_create(&stopped, &settings));
    kd2m_dataset *dataset = open_with(stopped, "bearing:train=3,test=2,length=64", NULL, 0, 0);
    EXPECT_STATUS(stopped, KD2M_ERROR_INTERRUPTED, kd2m_dataset_export(dataset, folder));
    snprintf(path, sizeof path, "%s/train_keys.npy", folder);
    assert_int_equal(access(path, F_OK), -1);
    kd2m_dataset_free(dataset);
    kd2m_context_free(stopped);
}

static void failing_allocations(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    const char *folder = testing_folder();
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_dataset *dataset = NULL;
        status = testing_open(&dataset, failing, "bearing:train=2,test=1,length=64", 0, 0);
        if (status == KD2M_OK)
            status = kd2m_dataset_export(dataset, folder);
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_dataset_free(dataset);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_definition),
        cmocka_unit_test(keys_stay_with_their_samples),
        cmocka_unit_test(keys_of_some_classes),
        cmocka_unit_test(other_samples_have_other_keys),
        cmocka_unit_test(the_export_holds_what_a_net_sees),
        cmocka_unit_test(an_interrupted_export_has_no_keys),
        cmocka_unit_test(failing_allocations),
    };
    for (size_t i = 0; i < ROWS; i++)
        labels[i] = (int32_t)(i % 3);
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
