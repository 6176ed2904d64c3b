/* Real data sets, where they are at hand: counts as their makers publish them. */
#include "opening.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"

static kd2m_context *context;

static kd2m_dataset *open_set(const char *spec) {
    kd2m_dataset *dataset = NULL;
    EXPECT_OK(context, testing_open(&dataset, context, spec, 0.0, 1));
    return dataset;
}

/* `name` in the data folder, or skips the test. */
static const char *need(const char *name) {
    const char *path = testing_data(name);
    if (!path)
        skip();
    return path;
}

static void check_counts(const kd2m_dataset *dataset, kd2m_split split, const size_t counts[10]) {
    size_t rows = dataset->row_count[split];
    int32_t *labels = malloc(rows * sizeof *labels);
    size_t found[10] = {0};
    assert_non_null(labels);
    EXPECT_OK(context, kd2m_dataset_read(dataset, split, 0, rows, NULL, labels));
    for (size_t i = 0; i < rows; i++)
        found[labels[i]]++;
    assert_memory_equal(counts, found, sizeof found);
    free(labels);
}

static void check_digits(const char *folder, const size_t counts[2][10], size_t side) {
    char spec[4200];
    kd2m_dataset_info info;
    snprintf(spec, sizeof spec, "idx:%s", folder);
    kd2m_dataset *dataset = open_set(spec);
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(3, info.dims);
    assert_int_equal(1, info.shape[0]);
    assert_int_equal(side, info.shape[1]);
    assert_int_equal(side, info.shape[2]);
    assert_int_equal(10, info.classes);
    check_counts(dataset, KD2M_TRAIN, counts[0]);
    check_counts(dataset, KD2M_TEST, counts[1]);
    kd2m_dataset_free(dataset);
}

static void mnist_is_read(void **state) {
    static const size_t counts[2][10] = {
        {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
        {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}};
    char spec[4200];
    kd2m_normalisation normalisation;
    (void)state;
    check_digits(need("mnist"), counts, 28);
    snprintf(spec, sizeof spec, "idx:%s", need("mnist"));
    kd2m_dataset *dataset = open_set(spec);
    EXPECT_OK(context, kd2m_dataset_measure(dataset, &normalisation));
    EXPECT_CLOSE(0.1307, (double)normalisation.mean[0], 5e-5, 0.0); /* as everybody knows them */
    EXPECT_CLOSE(0.3081, 1.0 / (double)normalisation.scale[0], 5e-5, 0.0);
    kd2m_normalisation_clear(context, &normalisation);
    kd2m_dataset_free(dataset);
}

static void usps_is_read(void **state) {
    static const size_t counts[2][10] = {{1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644},
                                         {359, 264, 198, 166, 200, 160, 170, 147, 166, 177}};
    (void)state;
    check_digits(need("usps"), counts, 16);
}

static void cifar10_is_read(void **state) {
    static const size_t tested[10] = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000};
    char spec[4200];
    kd2m_dataset_info info;
    (void)state;
    snprintf(spec, sizeof spec, "cifar10:%s", need("cifar10"));
    kd2m_dataset *dataset = open_set(spec);
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(3, info.dims);
    assert_int_equal(3, info.shape[0]);
    assert_int_equal(32, info.shape[1]);
    assert_int_equal(32, info.shape[2]);
    assert_int_equal(10, info.classes);
    assert_int_equal(20000, info.rows[KD2M_TRAIN]);
    check_counts(dataset, KD2M_TEST, tested);
    kd2m_dataset_free(dataset);
}

static void cwru_is_read(void **state) {
    static const size_t counts[2][10] = {{41, 83, 83, 83, 83, 83, 83, 83, 83, 83},
                                         {0, 35, 36, 36, 36, 35, 36, 36, 36, 36}};
    char spec[20000];
    char folder[4096];
    kd2m_dataset_info info;
    (void)state;
    snprintf(folder, sizeof folder, "%s", need("cwru_bearing"));
    snprintf(spec, sizeof spec,
             "npy:train=%s/load0_train_x.npy;%s/load0_train_y.npy,test=%s/load3_test_x.npy;"
             "%s/load3_test_y.npy,as=signal",
             folder, folder, folder, folder);
    kd2m_dataset *dataset = open_set(spec);
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(2, info.dims);
    assert_int_equal(1, info.shape[0]);
    assert_int_equal(1024, info.shape[1]);
    assert_int_equal(10, info.classes);
    check_counts(dataset, KD2M_TRAIN, counts[0]);
    check_counts(dataset, KD2M_TEST, counts[1]);
    kd2m_dataset_free(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mnist_is_read),
        cmocka_unit_test(usps_is_read),
        cmocka_unit_test(cifar10_is_read),
        cmocka_unit_test(cwru_is_read),
    };
    if (!testing_data("mnist") && !testing_data("usps") && !testing_data("cifar10") &&
        !testing_data("cwru_bearing"))
        return TESTING_SKIPPED;
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
