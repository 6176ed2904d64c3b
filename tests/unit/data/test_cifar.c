/* CIFAR: small files of both formats, in batches, gzipped; what is no such file; failing memory. */
#include "opening.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "dataset.h"

#define PIXELS 3072

static kd2m_context *context;

/* Pixel `at` of record `row` of a file. */
static uint8_t pixel(size_t row, size_t at) {
    return (uint8_t)(row * 37 + at * 11 + at / 256);
}

/* Writes records first..first+count-1: label bytes (coarse = row % 20, then fine = row % 10), the
 * image; then `extra` bytes. */
static void write_records(const char *folder, const char *name, size_t first, size_t count,
                          size_t label_bytes, size_t extra) {
    char path[4200];
    const uint8_t nothing[8] = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bool zipped = strstr(name, ".gz") != NULL;
    gzFile file = gzopen(path, zipped ? "wb" : "wT");
    assert_non_null(file);
    for (size_t row = first; row < first + count; row++) {
        uint8_t labels[2] = {(uint8_t)(label_bytes == 1 ? row % 10 : row % 20),
                             (uint8_t)(row % 10)};
        uint8_t image[PIXELS];
        for (size_t i = 0; i < PIXELS; i++)
            image[i] = pixel(row, i);
        assert_int_equal(gzwrite(file, labels, (unsigned)label_bytes), label_bytes);
        assert_int_equal(gzwrite(file, image, PIXELS), PIXELS);
    }
    assert_int_equal(gzwrite(file, nothing, (unsigned)extra), extra);
    assert_int_equal(gzclose(file), Z_OK);
}

static void expect_rows(const kd2m_dataset *dataset, kd2m_split split, size_t first, size_t count,
                        size_t modulus) {
    kd2m_dataset_info info;
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(info.rows[split], count);
    float *values = malloc(PIXELS * sizeof *values);
    assert_non_null(values);
    for (size_t row = 0; row < count; row++) {
        int32_t label;
        EXPECT_OK(context, kd2m_dataset_read(dataset, split, row, 1, values, &label));
        assert_int_equal(label, (first + row) % modulus);
        for (size_t i = 0; i < PIXELS; i++)
            EXPECT_CLOSE(pixel(first + row, i) / 255.0, (double)values[i], 1e-7, 0);
    }
    free(values);
}

static void joins_the_batches_that_are_there(void **state) {
    char folder[4096], spec[4200];
    kd2m_dataset *dataset = NULL;
    kd2m_dataset_info info;
    (void)state;
    snprintf(folder, sizeof folder, "%s", testing_folder());
    write_records(folder, "data_batch_1.bin", 0, 3, 1, 0);
    write_records(folder, "data_batch_3.bin.gz", 3, 2, 1, 0);
    write_records(folder, "test_batch.bin", 7, 4, 1, 0);
    snprintf(spec, sizeof spec, "cifar10:%s", folder);
    EXPECT_OK(context, testing_open(&dataset, context, spec, 0, 1));
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(info.classes, 10);
    assert_int_equal(info.dims, 3);
    assert_int_equal(info.shape[0], 3);
    assert_int_equal(info.shape[1], 32);
    assert_int_equal(info.shape[2], 32);
    expect_rows(dataset, KD2M_TRAIN, 0, 5, 10);
    expect_rows(dataset, KD2M_TEST, 7, 4, 10);
    kd2m_dataset_free(dataset);
}

static void takes_fine_or_coarse_labels(void **state) {
    char folder[4096], spec[4200];
    kd2m_dataset_info info;
    (void)state;
    snprintf(folder, sizeof folder, "%s", testing_folder());
    write_records(folder, "train.bin", 8, 9, 2, 0);
    write_records(folder, "test.bin", 1, 2, 2, 0);
    static const struct {
        const char *labels;
        size_t classes, modulus;
    } cases[] = {{"", 100, 10}, {",labels=fine", 100, 10}, {",labels=coarse", 20, 20}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kd2m_dataset *dataset = NULL;
        snprintf(spec, sizeof spec, "cifar100:%s%s", folder, cases[i].labels);
        EXPECT_OK(context, testing_open(&dataset, context, spec, 0, 1));
        kd2m_dataset_describe(dataset, &info);
        assert_int_equal(info.classes, cases[i].classes);
        expect_rows(dataset, KD2M_TRAIN, 8, 9, cases[i].modulus);
        expect_rows(dataset, KD2M_TEST, 1, 2, cases[i].modulus);
        kd2m_dataset_free(dataset);
    }
}

static void refuses_what_is_no_such_file(void **state) {
    char folder[4096], spec[4200];
    kd2m_dataset *dataset = NULL;
    (void)state;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, testing_open(&dataset, context, "cifar10", 0, 1));
    EXPECT_MESSAGE(context, "cifar10:DIR");
    snprintf(folder, sizeof folder, "%s", testing_folder());
    snprintf(spec, sizeof spec, "cifar10:%s", folder);
    EXPECT_STATUS(context, KD2M_ERROR_IO, testing_open(&dataset, context, spec, 0, 1));
    EXPECT_MESSAGE(context, "data_batch_1.bin");
    write_records(folder, "data_batch_1.bin", 0, 2, 1, 1);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, testing_open(&dataset, context, spec, 0, 1));
    EXPECT_MESSAGE(context, "has 6147 bytes");
    write_records(folder, "data_batch_1.bin", 0, 0, 1, 0);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, testing_open(&dataset, context, spec, 0, 1));
    EXPECT_MESSAGE(context, "has 0 bytes");
    write_records(folder, "data_batch_1.bin", 0, 2, 1, 0);
    EXPECT_STATUS(context, KD2M_ERROR_IO, testing_open(&dataset, context, spec, 0, 1));
    EXPECT_MESSAGE(context, "test_batch.bin");
    assert_null(dataset);
}

static void survives_failing_memory(void **state) {
    char folder[4096], spec[4200];
    (void)state;
    snprintf(folder, sizeof folder, "%s", testing_folder());
    write_records(folder, "data_batch_1.bin", 0, 2, 1, 0);
    write_records(folder, "data_batch_2.bin.gz", 2, 1, 1, 0);
    write_records(folder, "test_batch.bin.gz", 3, 1, 1, 0);
    snprintf(spec, sizeof spec, "cifar10:%s", folder);
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t k = 0; status != KD2M_OK; k++) {
        kd2m_context *failing = testing_failing_context(k);
        kd2m_dataset *dataset = NULL;
        status = testing_open(&dataset, failing, spec, 0, 1);
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_dataset_free(dataset);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_the_batches_that_are_there),
        cmocka_unit_test(takes_fine_or_coarse_labels),
        cmocka_unit_test(refuses_what_is_no_such_file),
        cmocka_unit_test(survives_failing_memory),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
