/* Some classes alone, and a limit on training rows: which rows stay with all that belongs to them,
 * shares, splits that a limit doesn't touch, what is refused, failing memory. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "dataset.h"

enum { ROWS = 60, TESTS = 20, WIDTH = 3, CLASSES = 5 };

static kd2m_context *context;
static char spec[1200];
static int32_t labels[ROWS];

/* Writes training and test rows of 5 classes, with a column 'row' and times. */
static void write_data(void) {
    static char folder[256];
    char path[300];
    int32_t rows[ROWS];
    snprintf(folder, sizeof folder, "%s", testing_folder());
    for (size_t i = 0; i < ROWS; i++) {
        labels[i] = (int32_t)(i * i % 7 % CLASSES);
        rows[i] = (int32_t)i;
    }
    const kd2m_array array = {KD2M_INT32, 1, {ROWS}, ROWS, rows};
    snprintf(path, sizeof path, "%s/rows.npy", folder);
    EXPECT_OK(context, kd2m_array_write(context, &array, path));
    const char *train = fixture_files(context, "train", ROWS, WIDTH, labels);
    const char *test = fixture_files(context, "test", TESTS, WIDTH, labels);
    snprintf(spec, sizeof spec, "npy:train=%s;row=%s;time=%s;until=%s,test=%s", train, path, path,
             path, test);
}

static kd2m_status open_with(kd2m_dataset **out, kd2m_context *in, const char *classes,
                             int64_t limit, int64_t seed) {
    kd2m_data_settings settings;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = spec;
    settings.validation = 0.25;
    settings.classes = classes;
    settings.limit = limit;
    settings.split_seed = seed;
    return kd2m_dataset_open(out, in, &settings);
}

/* Every row of a split is the row that its values name, with its label's number in `classes`, its
 * code and its times. Returns how many rows there are. */
static size_t check_rows(const kd2m_dataset *dataset, kd2m_split split, const int32_t *classes,
                         size_t count) {
    const kd2m_part *part = kd2m_dataset_part(dataset, split);
    for (size_t i = 0; i < dataset->row_count[split]; i++) {
        float values[WIDTH];
        int32_t label;
        EXPECT_OK(context, kd2m_dataset_read(dataset, split, i, 1, values, &label));
        size_t row = (size_t)values[0] / 16, place = dataset->rows[split][i];
        for (size_t k = 0; k < WIDTH; k++)
            assert_true(values[k] == fixture_value(row, k));
        assert_in_range(label, 0, count - 1);
        assert_int_equal(labels[row], classes[label]);
        if (split == KD2M_TEST)
            continue;
        int32_t code = kd2m_dataset_code(dataset, split, 0, i);
        char text[24];
        snprintf(text, sizeof text, "%zu", row);
        assert_string_equal(text, dataset->raw.columns[0].texts[code]);
        assert_true(part->time[place] == (double)row && part->until[place] == (double)row);
    }
    return dataset->row_count[split];
}

static size_t count_labels(size_t rows, const int32_t *classes, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < count; k++)
            found += labels[i] == classes[k];
    return found;
}

static void chosen_classes_stay_with_all_that_is_theirs(void **state) {
    static const struct {
        const char *list;
        size_t count;
        int32_t classes[CLASSES];
    } cases[] = {{"1,4", 2, {1, 4}},          {"0-2", 3, {0, 1, 2}},    {"2", 1, {2}},
                 {"0-4", 5, {0, 1, 2, 3, 4}}, {"", 5, {0, 1, 2, 3, 4}}, {NULL, 5, {0, 1, 2, 3, 4}}};
    uint64_t digest = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kd2m_dataset *dataset = NULL;
        kd2m_dataset_info info;
        EXPECT_OK(context, open_with(&dataset, context, cases[i].list, 0, 1));
        kd2m_dataset_describe(dataset, &info);
        assert_int_equal(cases[i].count, info.classes);
        size_t kept = 0, tests = 0;
        for (kd2m_split split = KD2M_TRAIN; split <= KD2M_TEST; split++) {
            size_t rows = check_rows(dataset, split, cases[i].classes, cases[i].count);
            *(split == KD2M_TEST ? &tests : &kept) += rows;
        }
        assert_int_equal(count_labels(ROWS, cases[i].classes, cases[i].count), kept);
        assert_int_equal(count_labels(TESTS, cases[i].classes, cases[i].count), tests);
        assert_true(i == 0 || info.digest == digest); /* of what was read */
        digest = info.digest;
        kd2m_dataset_free(dataset);
    }
}

static void bytes_are_chosen_too(void **state) {
    static uint8_t values[] = {0, 1, 10, 11, 20, 21, 30, 31}, classes[] = {1, 0, 1, 2};
    const kd2m_array x = {KD2M_UINT8, 4, {4, 1, 1, 2}, 8, values};
    const kd2m_array y = {KD2M_UINT8, 1, {4}, 4, classes};
    char paths[2][300], images[700];
    kd2m_data_settings settings;
    kd2m_dataset *dataset = NULL;
    float read[4];
    int32_t label[2];
    (void)state;
    const char *folder = testing_folder();
    snprintf(paths[0], sizeof paths[0], "%s/x.npy", folder);
    snprintf(paths[1], sizeof paths[1], "%s/y.npy", folder);
    EXPECT_OK(context, kd2m_array_write(context, &x, paths[0]));
    EXPECT_OK(context, kd2m_array_write(context, &y, paths[1]));
    snprintf(images, sizeof images, "npy:train=%s;%s", paths[0], paths[1]);
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = images;
    settings.validation = 0;
    settings.classes = "0,2";
    EXPECT_OK(context, kd2m_dataset_open(&dataset, context, &settings));
    assert_int_equal(2, dataset->row_count[KD2M_TRAIN]);
    EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TRAIN, 0, 2, read, label));
    assert_true(label[0] == 0 && label[1] == 1);
    assert_true(read[1] > read[0] && read[2] > read[1] && read[3] > read[2]);
    EXPECT_CLOSE(3.0, read[2] / read[0], 0, 1e-6);
    kd2m_dataset_free(dataset);
}

static void a_limit_keeps_shares_and_leaves_the_rest(void **state) {
    static const int32_t all[] = {0, 1, 2, 3, 4};
    kd2m_dataset *whole = NULL;
    size_t counts[CLASSES] = {0}, rows;
    (void)state;
    EXPECT_OK(context, open_with(&whole, context, NULL, 0, 3));
    rows = whole->row_count[KD2M_TRAIN];
    for (size_t i = 0; i < rows; i++)
        counts[kd2m_dataset_label(whole, KD2M_TRAIN, i)]++;
    for (size_t limit = 1; limit <= rows + 1; limit++) {
        kd2m_dataset *dataset = NULL, *again = NULL, *other = NULL;
        size_t kept[CLASSES] = {0}, expected = limit < rows ? limit : rows;
        EXPECT_OK(context, open_with(&dataset, context, NULL, (int64_t)limit, 3));
        assert_int_equal(expected, check_rows(dataset, KD2M_TRAIN, all, CLASSES));
        for (size_t i = 0; i < expected; i++)
            kept[kd2m_dataset_label(dataset, KD2M_TRAIN, i)]++;
        for (size_t c = 0; c < CLASSES; c++)
            EXPECT_CLOSE((double)(counts[c] * expected) / (double)rows, (double)kept[c], 0.9999, 0);
        for (kd2m_split split = KD2M_VALIDATION; split <= KD2M_TEST; split++) {
            assert_int_equal(whole->row_count[split], dataset->row_count[split]);
            assert_memory_equal(whole->rows[split], dataset->rows[split],
                                whole->row_count[split] * sizeof(uint32_t));
        }
        assert_int_equal(0, dataset->dropped);
        assert_true(whole->digest == dataset->digest);
        EXPECT_OK(context, open_with(&again, context, NULL, (int64_t)limit, 3));
        assert_memory_equal(dataset->rows[KD2M_TRAIN], again->rows[KD2M_TRAIN],
                            expected * sizeof(uint32_t));
        EXPECT_OK(context, open_with(&other, context, NULL, (int64_t)limit, 4));
        if (expected > 5 && expected < rows)
            assert_memory_not_equal(dataset->rows[KD2M_TRAIN], other->rows[KD2M_TRAIN],
                                    expected * sizeof(uint32_t));
        kd2m_dataset_free(dataset);
        kd2m_dataset_free(again);
        kd2m_dataset_free(other);
    }
    kd2m_dataset_free(whole);
}

static void refuses_what_is_not_there(void **state) {
    static const struct {
        const char *list, *message;
    } cases[] = {{"5", "numbers go from 0 to 4"}, {"1-", "a number is expected"},
                 {"3-1", "from low to high"},     {"a", "a number is expected"},
                 {"1,1", "there twice"},          {"1;2", "',' or the end"}};
    kd2m_dataset *dataset = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, open_with(&dataset, context, cases[i].list, 0, 1));
        EXPECT_MESSAGE(context, cases[i].message);
        EXPECT_MESSAGE(context, "classes");
        assert_null(dataset);
    }
    labels[0] = 6; /* a class of its own, in training alone; 5 is nowhere */
    snprintf(spec, sizeof spec, "npy:train=%s", fixture_files(context, "odd", 3, WIDTH, labels));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, open_with(&dataset, context, "5", 0, 1));
    EXPECT_MESSAGE(context, "none of the 3 training rows is of these classes");
    write_data();
}

static void failing_memory_leaks_nothing(void **state) {
    kd2m_status status = KD2M_ERROR_MEMORY;
    (void)state;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_dataset *dataset = NULL;
        status = open_with(&dataset, failing, "1-3", 7, 1);
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_dataset_free(dataset);
        assert_int_equal(0, testing_live());
        kd2m_context_free(failing);
        assert_true(fail_at < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen_classes_stay_with_all_that_is_theirs),
        cmocka_unit_test(bytes_are_chosen_too),
        cmocka_unit_test(a_limit_keeps_shares_and_leaves_the_rest),
        cmocka_unit_test(refuses_what_is_not_there),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    context = testing_context(1);
    write_data();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
