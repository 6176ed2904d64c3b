/* Wrong labels and rare classes in training rows: counts, which rows, what stays as it was, seeds,
 * what is refused, failing memory. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dataset.h"

enum { CLASSES = 5, EACH = 400, ROWS = CLASSES * EACH, TESTS = 50, WIDTH = 2 };

static kd2m_context *context;
static char spec[1200];
static int32_t labels[ROWS];

static void write_data(void) {
    for (size_t i = 0; i < ROWS; i++)
        labels[i] = (int32_t)(i * 3 % CLASSES);
    const char *train = fixture_files(context, "train", ROWS, WIDTH, labels);
    snprintf(spec, sizeof spec, "npy:train=%s,test=%s", train,
             fixture_files(context, "test", TESTS, WIDTH, labels));
}

static kd2m_data_settings settings_with(double imbalance, double label_noise, int64_t seed) {
    kd2m_data_settings settings;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = spec;
    settings.validation = 0.25;
    settings.imbalance = imbalance;
    settings.label_noise = label_noise;
    settings.seed = settings.split_seed = seed;
    return settings;
}

static kd2m_dataset *open_with(double imbalance, double label_noise, int64_t seed) {
    kd2m_data_settings settings = settings_with(imbalance, label_noise, seed);
    kd2m_dataset *dataset = NULL;
    EXPECT_OK(context, kd2m_dataset_open(&dataset, context, &settings));
    return dataset;
}

/* The row of the file that a row of a split is. */
static size_t row_of(const kd2m_dataset *dataset, kd2m_split split, size_t i) {
    float values[WIDTH];
    EXPECT_OK(context, kd2m_dataset_read(dataset, split, i, 1, values, NULL));
    return (size_t)values[0] / 16;
}

static void count_classes(const kd2m_dataset *dataset, size_t counts[CLASSES]) {
    memset(counts, 0, CLASSES * sizeof *counts);
    for (size_t i = 0; i < dataset->row_count[KD2M_TRAIN]; i++)
        counts[kd2m_dataset_label(dataset, KD2M_TRAIN, i)]++;
}

/* Validation and test are those of `whole`, with right labels; keys and digest are, too. */
static void check_rest(const kd2m_dataset *whole, const kd2m_dataset *dataset) {
    for (kd2m_split split = KD2M_VALIDATION; split <= KD2M_TEST; split++) {
        size_t rows = whole->row_count[split];
        assert_int_equal(rows, dataset->row_count[split]);
        assert_memory_equal(whole->rows[split], dataset->rows[split], rows * sizeof(uint32_t));
        for (size_t i = 0; i < rows; i++)
            assert_int_equal(labels[row_of(dataset, split, i)],
                             kd2m_dataset_label(dataset, split, i));
    }
    assert_memory_equal(whole->raw.train.keys, dataset->raw.train.keys, ROWS * sizeof(uint64_t));
    assert_true(whole->digest == dataset->digest);
    assert_int_equal(0, dataset->dropped);
}

static void imbalance_falls_from_class_to_class(void **state) {
    static const struct {
        double ratio;
        size_t counts[CLASSES]; /* of 300: 300 ratio^(c / 4), rounded */
    } cases[] = {{1, {300, 300, 300, 300, 300}},
                 {0.5, {300, 252, 212, 178, 150}},
                 {0.1, {300, 169, 95, 53, 30}},
                 {0.01, {300, 95, 30, 9, 3}},
                 {1e-6, {300, 9, 1, 1, 1}}};
    kd2m_dataset *whole = open_with(1, 0, 3);
    unsigned char before[ROWS];
    (void)state;
    memset(before, 1, sizeof before);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        kd2m_dataset *dataset = open_with(cases[k].ratio, 0, 3), *other;
        unsigned char now[ROWS] = {0};
        size_t counts[CLASSES];
        count_classes(dataset, counts);
        assert_memory_equal(cases[k].counts, counts, sizeof counts);
        check_rest(whole, dataset);
        for (size_t i = 0; i < dataset->row_count[KD2M_TRAIN]; i++) {
            size_t row = row_of(dataset, KD2M_TRAIN, i);
            assert_int_equal(labels[row], kd2m_dataset_label(dataset, KD2M_TRAIN, i));
            assert_true(before[row]); /* among those of a larger ratio */
            now[row] = 1;
        }
        memcpy(before, now, sizeof before);
        other = open_with(cases[k].ratio, 0, 4);
        assert_memory_not_equal(dataset->rows[KD2M_TRAIN], other->rows[KD2M_TRAIN],
                                dataset->row_count[KD2M_TRAIN] * sizeof(uint32_t));
        kd2m_dataset_free(other);
        kd2m_dataset_free(dataset);
    }
    kd2m_dataset_free(whole);
}

/* Classes of 60, 12 and 30 rows: the profile is that of 60, and nobody gets rows it hasn't got. */
static void classes_that_are_rare_already_keep_what_they_have(void **state) {
    static int32_t uneven[102];
    kd2m_data_settings settings = settings_with(0.25, 0, 1);
    kd2m_dataset *dataset = NULL;
    size_t counts[CLASSES];
    char text[600];
    (void)state;
    for (size_t i = 0; i < 102; i++)
        uneven[i] = i < 60 ? 0 : i < 72 ? 1 : 2;
    snprintf(text, sizeof text, "npy:train=%s", fixture_files(context, "uneven", 102, 1, uneven));
    settings.data = text;
    settings.validation = 0;
    EXPECT_OK(context, kd2m_dataset_open(&dataset, context, &settings));
    count_classes(dataset, counts);
    assert_true(counts[0] == 60 && counts[1] == 12 && counts[2] == 15);
    kd2m_dataset_free(dataset);
    settings.limit = 29; /* a third of the 87 that are left */
    EXPECT_OK(context, kd2m_dataset_open(&dataset, context, &settings));
    count_classes(dataset, counts);
    assert_true(counts[0] == 20 && counts[1] == 4 && counts[2] == 5);
    kd2m_dataset_free(dataset);
    settings.classes = "0"; /* one class is as balanced as can be */
    settings.limit = 0;
    EXPECT_OK(context, kd2m_dataset_open(&dataset, context, &settings));
    assert_int_equal(60, dataset->row_count[KD2M_TRAIN]);
    kd2m_dataset_free(dataset);
}

static void a_share_of_labels_is_wrong(void **state) {
    static const double shares[] = {0, 0.0001, 0.1, 0.25, 0.8, 1};
    kd2m_dataset *whole = open_with(1, 0, 3);
    size_t rows = whole->row_count[KD2M_TRAIN];
    int32_t before[ROWS] = {0}; /* how much farther on its wrong label is, 0: it is right */
    (void)state;
    for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
        kd2m_dataset *dataset = open_with(1, shares[k], 3);
        size_t wrong = 0, farther[CLASSES] = {0};
        assert_memory_equal(whole->rows[KD2M_TRAIN], dataset->rows[KD2M_TRAIN],
                            rows * sizeof(uint32_t));
        check_rest(whole, dataset);
        for (size_t i = 0; i < rows; i++) {
            int32_t label = kd2m_dataset_label(dataset, KD2M_TRAIN, i);
            int32_t right = kd2m_dataset_label(whole, KD2M_TRAIN, i);
            int32_t by = (label - right + CLASSES) % CLASSES;
            assert_in_range(label, 0, CLASSES - 1);
            assert_true(before[i] == 0 || before[i] == by); /* wrong as at a smaller share */
            before[i] = by;
            farther[by]++;
            wrong += by != 0;
        }
        assert_int_equal((size_t)floor((double)rows * shares[k] + 0.5), wrong);
        assert_int_equal(wrong, dataset->relabelled);
        double expected = (double)wrong / (CLASSES - 1), chi_square = 0;
        for (size_t by = 1; by < CLASSES && wrong > 100; by++)
            chi_square += pow((double)farther[by] - expected, 2) / expected;
        assert_true(chi_square < 16.3); /* 3 degrees of freedom, one in a thousand */
        kd2m_dataset_free(dataset);
    }
    kd2m_dataset_free(whole);
}

static void the_seed_chooses_the_wrong_labels(void **state) {
    size_t differing = 0;
    kd2m_dataset *dataset = open_with(0.1, 0.5, 3), *again = open_with(0.1, 0.5, 3);
    kd2m_dataset *other = open_with(0.1, 0.5, 4);
    kd2m_dataset_info info;
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        differing += dataset->raw.train.labels[i] != other->raw.train.labels[i];
    assert_true(differing > 100);
    assert_memory_equal(dataset->raw.train.labels, again->raw.train.labels, ROWS * sizeof(int32_t));
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(324, info.relabelled); /* half of 300 + 169 + 95 + 53 + 30 */
    kd2m_dataset_free(dataset);
    kd2m_dataset_free(again);
    kd2m_dataset_free(other);
}

static void what_can_not_be_is_refused(void **state) {
    static const struct {
        double imbalance, label_noise;
        const char *message;
    } cases[] = {{0, 0, "imbalance"},      {1.1, 0, "imbalance"},      {-0.5, 0, "imbalance"},
                 {NAN, 0, "imbalance"},    {INFINITY, 0, "imbalance"}, {1, 1.1, "label_noise"},
                 {1, -0.1, "label_noise"}, {1, NAN, "label_noise"}};
    kd2m_data_settings settings;
    kd2m_dataset *dataset = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        settings = settings_with(cases[i].imbalance, cases[i].label_noise, 1);
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_dataset_open(&dataset, context, &settings));
        EXPECT_MESSAGE(context, cases[i].message);
        assert_null(dataset);
    }
    settings = settings_with(1, 0.1, 1);
    settings.classes = "2";
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_dataset_open(&dataset, context, &settings));
    EXPECT_MESSAGE(context, "has one class, no other to take");
}

static void every_failing_allocation_is_survived(void **state) {
    kd2m_data_settings settings = settings_with(0.5, 0.5, 1);
    kd2m_status status = KD2M_ERROR_MEMORY;
    (void)state;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_dataset *dataset = NULL;
        status = kd2m_dataset_open(&dataset, failing, &settings);
        assert_int_equal(status == KD2M_OK ? KD2M_OK : KD2M_ERROR_MEMORY, status);
        kd2m_dataset_free(dataset);
        assert_int_equal(0, testing_live());
        kd2m_context_free(failing);
        assert_true(fail_at < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imbalance_falls_from_class_to_class),
        cmocka_unit_test(classes_that_are_rare_already_keep_what_they_have),
        cmocka_unit_test(a_share_of_labels_is_wrong),
        cmocka_unit_test(the_seed_chooses_the_wrong_labels),
        cmocka_unit_test(what_can_not_be_is_refused),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    context = testing_context(1);
    write_data();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
