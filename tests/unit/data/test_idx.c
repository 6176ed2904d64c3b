/* IDX: every type, every truncation, hostile headers, gzip. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "idx.h"

static kd2m_context *context;

static kd2m_status parse(kd2m_context *by, kd2m_array *array, const void *bytes, size_t size) {
    kd2m_source *source = NULL;
    kd2m_status status = kd2m_source_memory(&source, by, bytes, size, "memory");
    *array = (kd2m_array){0};
    if (status == KD2M_OK)
        status = kd2m_idx_parse(array, by, source);
    kd2m_source_close(source);
    return status;
}

static void reads_every_type(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        kd2m_element element;
    } cases[] = {
        {"\0\0\x08\x02\0\0\0\x01\0\0\0\x02\x01\xc8", 14, KD2M_UINT8},
        {"\0\0\x0c\x02\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\xc8", 20, KD2M_INT32},
        {"\0\0\x0d\x02\0\0\0\x01\0\0\0\x02\x3f\x80\0\0\x43\x48\0\0", 20, KD2M_FLOAT32},
        {"\0\0\x0e\x02\0\0\0\x01\0\0\0\x02\x3f\xf0\0\0\0\0\0\0\x40\x69\0\0\0\0\0\0", 28,
         KD2M_FLOAT32},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_array array;
        double values[2];
        EXPECT_OK(context, parse(context, &array, cases[c].bytes, cases[c].size));
        assert_int_equal(cases[c].element, array.element);
        assert_int_equal(2, array.dims);
        assert_int_equal(1, array.shape[0]);
        assert_int_equal(2, array.shape[1]);
        for (size_t i = 0; i < 2; i++)
            values[i] = array.element == KD2M_UINT8   ? ((uint8_t *)array.values)[i]
                        : array.element == KD2M_INT32 ? ((int32_t *)array.values)[i]
                                                      : (double)((float *)array.values)[i];
        EXPECT_CLOSE(1.0, values[0], 0.0, 0.0);
        EXPECT_CLOSE(200.0, values[1], 0.0, 0.0);
        kd2m_array_clear(context, &array);
    }
}

static void refuses_hostile_headers(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {
        {"", 0, "ends after 0 bytes"},
        {"\x93NUMPY", 6, "is not an IDX file: it begins with 93 4e"},
        {"\x08\x03\0\0\0\0\0\x01\0", 9, "is not an IDX file"},
        {"\0\x01\x08\x01\0\0\0\x01\0", 9, "is not an IDX file"},
        {"\0\0\x07\x01\0\0\0\x01\0", 9, "type 0x07"},
        {"\0\0\x0b\x01\0\0\0\x01\0\0", 10, "type 0x0b"},
        {"\0\0\x08\0\0", 5, "has 0 dimensions"},
        {"\0\0\x08\x05\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0", 25,
         "has 5 dimensions"},
        {"\0\0\x08\xff\0\0\0\x01\0", 9, "has 255 dimensions"},
        {"\0\0\x08\x01\0\0\0\0", 8, "dimension 0 is 0"},
        {"\0\0\x08\x01\0\0\0\x02\0", 9, "ends after"},
        {"\0\0\x08\x01\0\0\0\x01\0\0", 10, "has bytes after the values"},
        {"\0\0\x08\x01\xff\xff\xff\xff\0", 9, "ends after"},
        {"\0\0\x0e\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0", 21,
         "larger than any memory"},
        {"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff\0", 13, "ends after"},
        {"\0\0\x0d\x01\0\0\0\x02\x3f\x80\0\0\x7f\xc0\0\0", 16,
         "1 of 2 values are NaN or infinite, the first in row 1, element 0"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_array array;
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      parse(context, &array, cases[c].bytes, cases[c].size));
        EXPECT_MESSAGE(context, cases[c].message);
        assert_null(array.values);
        assert_int_equal(0, array.dims);
    }
}

static void refuses_every_truncation(void **state) {
    static const char bytes[] = "\0\0\x08\x03\0\0\0\x01\0\0\0\x02\0\0\0\x02\x01\x02\x03\x04";
    unsigned char packed[128];
    kd2m_array array;
    z_stream stream = {0};
    (void)state;
    for (size_t cut = 0; cut < sizeof bytes - 1; cut++)
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, parse(context, &array, bytes, cut));
    EXPECT_OK(context, parse(context, &array, bytes, sizeof bytes - 1));
    kd2m_array_clear(context, &array);

    assert_int_equal(Z_OK, deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY));
    stream.next_in = (Bytef *)(uintptr_t)bytes;
    stream.avail_in = sizeof bytes - 1;
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    assert_int_equal(Z_STREAM_END, deflate(&stream, Z_FINISH));
    size_t size = stream.total_out;
    deflateEnd(&stream);
    for (size_t cut = 0; cut < size; cut++)
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, parse(context, &array, packed, cut));
    EXPECT_OK(context, parse(context, &array, packed, size));
    assert_int_equal(3, array.dims);
    assert_int_equal(4, ((uint8_t *)array.values)[3]);
    kd2m_array_clear(context, &array);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(refuses_hostile_headers),
        cmocka_unit_test(refuses_every_truncation),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
