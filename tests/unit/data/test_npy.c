/* .npy: files by NumPy, round trips, and every way in which a header can lie. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kd2m/array.h"
#include "npy.h"
#include "writer.h"

static kd2m_context *context;

static char *golden(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/golden/npy/%s", KD2M_TEST_SOURCE, name);
    return path;
}

static double element(const kd2m_array *array, size_t i) {
    if (array->element == KD2M_FLOAT32)
        return (double)((const float *)array->values)[i];
    if (array->element == KD2M_UINT8)
        return ((const uint8_t *)array->values)[i];
    return ((const int32_t *)array->values)[i];
}

static void reads_what_numpy_wrote(void **state) {
    static const struct {
        const char *file;
        kd2m_element element;
        size_t dims;
        size_t shape[4];
        int offset;
    } cases[] = {
        {"f4-little.npy", KD2M_FLOAT32, 2, {2, 3}, -4},
        {"f4-big.npy", KD2M_FLOAT32, 2, {2, 3}, -4},
        {"f8-little.npy", KD2M_FLOAT32, 2, {2, 3}, -4},
        {"f8-big.npy", KD2M_FLOAT32, 2, {2, 3}, -4},
        {"u1-single.npy", KD2M_UINT8, 2, {2, 3}, 0},
        {"i4-little.npy", KD2M_INT32, 2, {2, 3}, -4},
        {"i4-big.npy", KD2M_INT32, 2, {2, 3}, -4},
        {"i8-little.npy", KD2M_INT32, 2, {2, 3}, -4},
        {"i8-big.npy", KD2M_INT32, 2, {2, 3}, -4},
        {"version-2.npy", KD2M_FLOAT32, 2, {2, 3}, -4},
        {"version-3.npy", KD2M_FLOAT32, 2, {2, 3}, -4},
        {"dims-1.npy", KD2M_FLOAT32, 1, {6}, -4},
        {"dims-3.npy", KD2M_FLOAT32, 3, {1, 2, 3}, -4},
        {"dims-4.npy", KD2M_FLOAT32, 4, {1, 2, 1, 3}, -4},
        {"zipped.npy.gz", KD2M_FLOAT32, 2, {2, 3}, -4},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_array array;
        EXPECT_OK(context, kd2m_array_read(&array, context, golden(cases[c].file)));
        assert_int_equal(cases[c].element, array.element);
        assert_int_equal(cases[c].dims, array.dims);
        assert_memory_equal(cases[c].shape, array.shape, array.dims * sizeof *array.shape);
        assert_int_equal(6, array.count);
        for (size_t i = 0; i < array.count; i++)
            EXPECT_CLOSE(3.0 * (double)i + cases[c].offset, element(&array, i), 0.0, 0.0);
        kd2m_array_clear(context, &array);
        assert_null(array.values);
    }
}

static void refuses_what_it_does_not_read(void **state) {
    static const struct {
        const char *file, *message;
    } cases[] = {
        {"fortran", "np.ascontiguousarray"},
        {"object", "elements of type '|O'"},
        {"text", "elements of type '<U6'"},
        {"records", "holds records"},
        {"half", "elements of type '<f2'"},
        {"bool", "elements of type '|b1'"},
        {"scalar", "single value"},
        {"empty", "holds no values, dimension 0"},
        {"dims-5", "more than 4 dimensions"},
        {"nan", "2 of 12 values are NaN or infinite, the first in row 2, element 1"},
        {"overflow", "1 of 2 values are NaN, infinite or beyond 32-bit floats, the first in row 1"},
        {"wide", "1 of 4 values do not fit 32-bit integers, the first in row 1, element 1"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char name[64];
        kd2m_array array;
        snprintf(name, sizeof name, "refused-%s.npy", cases[c].file);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_array_read(&array, context, golden(name)));
        EXPECT_MESSAGE(context, cases[c].message);
        EXPECT_MESSAGE(context, name);
        assert_null(array.values);
        assert_int_equal(0, array.dims);
    }
}

static void a_missing_file_is_an_io_error(void **state) {
    kd2m_array array;
    (void)state;
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_array_read(&array, context, golden("none.npy")));
    EXPECT_MESSAGE(context, "none.npy");
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_array_read(&array, context, golden("")));
}

static kd2m_status parse(kd2m_context *by, kd2m_array *array, const void *bytes, size_t size) {
    kd2m_source *source = NULL;
    kd2m_status status = kd2m_source_memory(&source, by, bytes, size, "memory");
    *array = (kd2m_array){0};
    if (status == KD2M_OK)
        status = kd2m_array_parse(array, by, source);
    kd2m_source_close(source);
    return status;
}

/* A file with this dictionary and `payload` zero bytes; returns its size. */
static size_t compose(unsigned char *out, const char *dictionary, size_t payload) {
    size_t length = strlen(dictionary);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)length;
    out[9] = (unsigned char)(length >> 8);
    memcpy(out + 10, dictionary, length);
    memset(out + 10 + length, 0, payload);
    return 10 + length + payload;
}

static void tolerates_how_a_dictionary_is_written(void **state) {
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }    \n",
        "{'shape': (3, 2), 'descr': '<f4', 'fortran_order': False}",
        "{\"shape\":(3,2),\"fortran_order\":False,\"descr\":\"<f4\"}\n",
        "\t { 'descr' :\n'<f4' , 'fortran_order' : False , 'shape' : ( 3 , 2 , ) , } \r\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 2L), }",
    };
    (void)state;
    for (size_t c = 0; c < sizeof headers / sizeof *headers; c++) {
        unsigned char bytes[512];
        kd2m_array array;
        EXPECT_OK(context, parse(context, &array, bytes, compose(bytes, headers[c], 24)));
        assert_int_equal(2, array.dims);
        assert_int_equal(3, array.shape[0]);
        assert_int_equal(2, array.shape[1]);
        kd2m_array_clear(context, &array);
    }
}

static void refuses_hostile_headers(void **state) {
#define HEAD "{'descr': '<f4', 'fortran_order': False, 'shape': "
    static const struct {
        const char *header;
        size_t payload;
        const char *message;
    } cases[] = {
        {HEAD "(3, 2), }", 23, "ends after"},
        {HEAD "(3, 2), }", 25, "has bytes after the values"},
        {HEAD "(4611686018427387904,), }", 4, "larger than any memory"},
        {HEAD "(4611686018427387903,), }", 4, "ends after"},
        {HEAD "(4294967296, 4294967296), }", 4, "larger than any memory"},
        {HEAD "(2097152, 2097152, 2097152, 2097152), }", 4, "larger than any memory"},
        {HEAD "(18446744073709551616,), }", 4, "larger than any memory"},
        {HEAD "(99999999999999999999999999999999,), }", 4, "larger than any memory"},
        {HEAD "(18446744073709551615, 0), }", 0, "dimension 1 is 0"},
        {HEAD "(-1,), }", 4, "expected a dimension, found '-1"},
        {HEAD "(+1,), }", 4, "expected a dimension"},
        {HEAD "(1.5,), }", 4, "expected ',' or ')'"},
        {HEAD "(0x4,), }", 4, "expected ',' or ')'"},
        {HEAD "(1 2), }", 4, "expected ',' or ')'"},
        {HEAD "(,), }", 4, "expected a dimension"},
        {HEAD "(3", 12, "expected ',' or ')'"},
        {HEAD "(3,", 12, "expected a dimension, found ''"},
        {HEAD "(3), }", 12, "a tuple"},
        {HEAD "3, }", 12, "the shape's '('"},
        {HEAD "(), }", 4, "single value"},
        {HEAD "(1, 1, 1, 1, 1), }", 4, "more than 4 dimensions"},
        {HEAD "(3,), 'shape': (4,), }", 12, "the key 'shape' twice"},
        {HEAD "(3,), 'more': 1, }", 12, "the key 'more', which the format does not know"},
        {HEAD "(3,), } + 1", 12, "nothing after '}'"},
        {HEAD "(3,) 'x'", 12, "',' or '}'"},
        {HEAD "(3,), ", 12, "a quoted text"},
        {"{'descr': '<f4', 'shape': (3,), }", 12, "lacks the key 'fortran_order'"},
        {"{}", 0, "lacks the key 'descr'"},
        {"", 0, "expected '{'"},
        {"{'descr", 0, "a quoted text that ends"},
        {"{'descr': '<f4}", 0, "a quoted text that ends"},
        {"{'descr' '<f4'}", 0, "':'"},
        {"{'descr': 4}", 0, "a quoted text"},
        {"{'descr': ''}", 0, "elements of type ''"},
        {"{'descr': '<f44444444444444444444444444444444444444444444'}", 0, "elements of type"},
        {"{'descr': '|f4'}", 0, "elements of type '|f4'"},
        {"{'descr': '=f4'}", 0, "elements of type '=f4'"},
        {"{'descr': [('x', '<f4')]}", 0, "holds records"},
        {"{'fortran_order': true}", 0, "True or False"},
        {"{'fortran_order': 0}", 0, "True or False"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        unsigned char bytes[512];
        kd2m_array array;
        size_t size = compose(bytes, cases[c].header, cases[c].payload);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, parse(context, &array, bytes, size));
        EXPECT_MESSAGE(context, cases[c].message);
        assert_null(array.values);
    }
}

static void refuses_a_broken_preamble(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {
        {"", 0, "ends after 0 bytes"},
        {"\x93NUMPX\x01\x00\x02\x00{}", 12, "is not a .npy file"},
        {"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00", 12, "is not a .npy file"},
        {"\x93NUMPY\x00\x00\x02\x00{}", 12, "format 0.0"},
        {"\x93NUMPY\x04\x00\x02\x00{}", 12, "format 4.0"},
        {"\x93NUMPY\x01\x01\x02\x00{}", 12, "format 1.1"},
        {"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14, "claims a header of 4294967295 bytes"},
        {"\x93NUMPY\x01\x00\xff\xff{}", 12, "ends after 12 bytes"},
        {"\x93NUMPY\x01\x00\x00\x00{}", 12, "expected '{', found ''"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_array array;
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      parse(context, &array, cases[c].bytes, cases[c].size));
        EXPECT_MESSAGE(context, cases[c].message);
    }
}

static void refuses_every_truncation(void **state) {
    unsigned char bytes[512];
    size_t size = compose(bytes, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1), }", 16);
    kd2m_array array;
    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, parse(context, &array, bytes, cut));
        assert_null(array.values);
    }
    EXPECT_OK(context, parse(context, &array, bytes, size));
    kd2m_array_clear(context, &array);
}

static size_t largest;

static void *watched_allocate(void *user, size_t size, size_t alignment) {
    (void)user;
    largest = size > largest ? size : largest;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void watched_release(void *user, void *memory) {
    (void)user;
    free(memory);
}

static void a_lying_shape_costs_no_memory(void **state) {
    kd2m_context_settings settings;
    kd2m_context *watched = NULL;
    unsigned char bytes[512];
    kd2m_array array;
    (void)state;
    kd2m_context_settings_default(&settings);
    settings.allocator = (kd2m_allocator){watched_allocate, watched_release, NULL};
    assert_int_equal(KD2M_OK, kd2m_context_create(&watched, &settings));
    largest = 0;
    size_t size = compose(bytes, HEAD "(1099511627776,), }", 100);
    EXPECT_STATUS(watched, KD2M_ERROR_INPUT, parse(watched, &array, bytes, size));
    EXPECT_MESSAGE(watched, "ends after");
    assert_true(largest < 8 << 20);
    kd2m_context_free(watched);
}

static void writes_what_it_reads(void **state) {
    float floats[12];
    uint8_t bytes[5] = {0, 1, 2, 254, 255};
    int32_t integers[2] = {INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 12; i++)
        floats[i] = sinf((float)i) * 1e-30F;
    kd2m_array arrays[] = {{KD2M_FLOAT32, 3, {2, 3, 2}, 12, floats},
                           {KD2M_UINT8, 1, {5}, 5, bytes},
                           {KD2M_INT32, 4, {1, 2, 1, 1}, 2, integers}};
    size_t widths[] = {4, 1, 4};
    char path[4096];
    (void)state;
    snprintf(path, sizeof path, "%s/a.npy", testing_folder());
    for (size_t c = 0; c < 3; c++) {
        kd2m_array back;
        EXPECT_OK(context, kd2m_array_write(context, &arrays[c], path));
        EXPECT_OK(context, kd2m_array_read(&back, context, path));
        assert_int_equal(arrays[c].element, back.element);
        assert_int_equal(arrays[c].dims, back.dims);
        assert_memory_equal(arrays[c].shape, back.shape, sizeof back.shape);
        assert_memory_equal(arrays[c].values, back.values, back.count * widths[c]);
        kd2m_array_clear(context, &back);
    }
    arrays[0].count = 11;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_array_write(context, &arrays[0], path));
    arrays[1].dims = 0;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_array_write(context, &arrays[1], path));
    EXPECT_STATUS(context, KD2M_ERROR_IO,
                  kd2m_array_write(context, &arrays[2], "/nonexistent/a.npy"));
}

/* The header is laid out as NumPy's: values begin at a multiple of 64, the longest shape fits. */
static void writes_an_aligned_header(void **state) {
    char path[4096];
    uint8_t one = 7;
    kd2m_array array = {KD2M_UINT8, 4, {1, 1, 1, 1}, 1, &one};
    unsigned char bytes[256];
    (void)state;
    snprintf(path, sizeof path, "%s/a.npy", testing_folder());
    EXPECT_OK(context, kd2m_array_write(context, &array, path));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_int_equal(129, size);
    assert_int_equal(118, bytes[8]);
    assert_int_equal('\n', bytes[127]);
    assert_int_equal(7, bytes[128]);
}

static void every_failing_allocation_is_survived(void **state) {
    (void)state;
    for (size_t k = 0;; k++) {
        kd2m_context *failing = testing_failing_context(k);
        kd2m_array array;
        kd2m_status status = kd2m_array_read(&array, failing, golden("zipped.npy.gz"));
        kd2m_array_clear(failing, &array);
        assert_int_equal(0, testing_live());
        if (status != KD2M_OK)
            assert_int_equal(KD2M_ERROR_MEMORY, status);
        kd2m_context_free(failing);
        if (status == KD2M_OK)
            break;
        assert_true(k < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_numpy_wrote),
        cmocka_unit_test(refuses_what_it_does_not_read),
        cmocka_unit_test(a_missing_file_is_an_io_error),
        cmocka_unit_test(tolerates_how_a_dictionary_is_written),
        cmocka_unit_test(refuses_hostile_headers),
        cmocka_unit_test(refuses_a_broken_preamble),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(a_lying_shape_costs_no_memory),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(writes_an_aligned_header),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
