/* The safetensors format: what is written by hand is read, what is written is what the format says,
 * what is broken is refused. */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"
#include "source.h"
#include "tensors.h"

/* A file put together by hand: length, header, data. */
typedef struct bytes {
    unsigned char values[4096];
    size_t size;
} bytes;

static void put(bytes *file, const void *values, size_t size) {
    assert_true(file->size + size <= sizeof file->values);
    memcpy(file->values + file->size, values, size);
    file->size += size;
}

static void put_length(bytes *file, uint64_t length) {
    for (int i = 0; i < 8; i++) {
        unsigned char byte = (unsigned char)(length >> (8 * i));
        put(file, &byte, 1);
    }
}

/* `header`, in which ' stands for ", and `data` bytes behind it. */
static bytes make(const char *header, size_t data) {
    bytes file = {.size = 0};
    put_length(&file, strlen(header));
    put(&file, header, strlen(header));
    for (size_t i = 8; i < file.size; i++)
        if (file.values[i] == '\'')
            file.values[i] = '"';
    for (size_t i = 0; i < data; i++) {
        unsigned char byte = (unsigned char)i;
        put(&file, &byte, 1);
    }
    return file;
}

static kd2m_status parse(kd2m_tensors **out, kd2m_context *context, const bytes *file) {
    kd2m_source *source = NULL;
    *out = NULL;
    kd2m_status status = kd2m_source_memory(&source, context, file->values, file->size, "hand");
    if (status == KD2M_OK)
        status = kd2m_tensors_parse(out, context, source);
    kd2m_source_close(source);
    return status;
}

static void reads_a_file_made_by_hand(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    kd2m_tensor *tensor;
    const float one[] = {1.5f, -0.25f};
    const int32_t two[] = {7, -8};
    bytes file = make("{'two':{'dtype':'I32','shape':[2],'data_offsets':[8,16]},"
                      "'__metadata__':{'who':'\\u00e9'},"
                      "'empty':{'dtype':'F64','shape':[0,7],'data_offsets':[8,8]},"
                      "'one':{'dtype':'F32','shape':[1,2],'data_offsets':[0,8],'note':1},"
                      "'bytes':{'dtype':'U8','shape':[3],'data_offsets':[16,19]},"
                      "'none':{'dtype':'U8','shape':[0],'data_offsets':[19,19]}}   ",
                      0);
    put(&file, one, sizeof one);
    put(&file, two, sizeof two);
    put(&file, "abc", 3);
    EXPECT_OK(context, parse(&tensors, context, &file));
    assert_int_equal(tensors->count, 5);
    assert_string_equal(tensors->items[0].name, "two");
    EXPECT_OK(context,
              kd2m_tensors_expect(tensors, &tensor, "one", KD2M_TENSOR_F32, 2, (size_t[]){1, 2}));
    assert_memory_equal(tensor->values, one, sizeof one);
    EXPECT_OK(context,
              kd2m_tensors_expect(tensors, &tensor, "two", KD2M_TENSOR_I32, 1, (size_t[]){2}));
    assert_memory_equal(tensor->values, two, sizeof two);
    EXPECT_OK(context,
              kd2m_tensors_expect(tensors, &tensor, "bytes", KD2M_TENSOR_U8, 1, (size_t[]){3}));
    assert_memory_equal(tensor->values, "abc", 3);
    EXPECT_OK(context,
              kd2m_tensors_expect(tensors, &tensor, "empty", KD2M_TENSOR_F64, 2, (size_t[]){0, 7}));
    assert_string_equal(kd2m_tensors_text(tensors, "who"), "\xc3\xa9");
    kd2m_tensors_free(tensors);
    kd2m_context_free(context);
}

static void refuses_every_cut(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    const bytes whole = make("{'__metadata__':{'k':'v'},"
                             "'a':{'dtype':'F32','shape':[2,2],'data_offsets':[0,16]},"
                             "'b':{'dtype':'U8','shape':[],'data_offsets':[16,17]}}",
                             17);
    EXPECT_OK(context, parse(&tensors, context, &whole));
    kd2m_tensors_free(tensors);
    for (size_t size = 0; size < whole.size; size++) {
        bytes cut = whole;
        cut.size = size;
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, parse(&tensors, context, &cut));
        assert_null(tensors);
        EXPECT_MESSAGE(context, "hand");
    }
    kd2m_context_free(context);
}

/* One tensor 'a' of these fields; two of four bytes each at these places. */
#define ONE(type, shape, begin, end)                                                               \
    "{'a':{'dtype':'" type "','shape':" shape ",'data_offsets':[" begin "," end "]}}"
#define TWO(begin_a, end_a, begin_b, end_b)                                                        \
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[" begin_a "," end_a "]},"                      \
    "'b':{'dtype':'U8','shape':[4],'data_offsets':[" begin_b "," end_b "]}}"

static void refuses_hostile_headers(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    const struct {
        const char *header;
        size_t data;
        const char *message;
    } cases[] = {
        {"", 0, ""},
        {"   ", 0, ""},
        {"[]", 0, "not a JSON object"},
        {"null", 0, ""},
        {"{", 0, ""},
        {"{}x", 0, ""},
        {"{}{}", 0, ""},
        {"{'a':}", 0, ""},
        {"{'\xff\xfe':{}}", 0, ""},
        {"{'a':'\xc3'}", 0, ""},
        {"{'a\\u0000b':{'dtype':'U8','shape':[],'data_offsets':[0,1]}}", 1, ""},
        {"{'a':3}", 0, "must have 'dtype'"},
        {"{'a':{}}", 0, "must have 'dtype'"},
        {"{'a':{'dtype':4,'shape':[],'data_offsets':[0,1]}}", 1, "must have 'dtype'"},
        {"{'a':{'dtype':'U8','shape':1,'data_offsets':[0,1]}}", 1, "must have 'dtype'"},
        {"{'a':{'dtype':'U8','shape':[],'data_offsets':[0]}}", 1, "must have 'dtype'"},
        {"{'a':{'dtype':'U8','shape':[],'data_offsets':[0,1,2]}}", 1, "must have 'dtype'"},
        {"{'a':{'dtype':'U8','shape':[],'data_offsets':{'0':0,'1':1}}}", 1, "must have 'dtype'"},
        {ONE("BF16", "[2]", "0", "4"), 4, "type 'BF16'"},
        {ONE("f32", "[1]", "0", "4"), 4, "type 'f32'"},
        {ONE("", "[1]", "0", "4"), 4, "type ''"},
        {ONE("F32", "[-1]", "0", "4"), 4, "not negative"},
        {ONE("F32", "[1.0]", "0", "4"), 4, "whole numbers"},
        {ONE("F32", "['1']", "0", "4"), 4, "whole numbers"},
        {ONE("F32", "[null]", "0", "4"), 4, "whole numbers"},
        {ONE("F32", "[1,1,1,1,1,1]", "0", "4"), 4, "6 dimensions"},
        {ONE("F32", "[1099511627776,1099511627776]", "0", "4"), 4, "more than can be addressed"},
        {ONE("F32", "[4294967296,4294967296]", "0", "0"), 0, "more than can be addressed"},
        {ONE("F32", "[4611686018427387904]", "0", "0"), 0, "don't hold its shape"},
        {ONE("F64", "[2305843009213693952]", "0", "0"), 0, "don't hold its shape"},
        {ONE("F32", "[9223372036854775808]", "0", "4"), 4, ""},
        {ONE("F32", "[1e30]", "0", "4"), 4, "whole numbers"},
        {ONE("F32", "[2]", "0", "4"), 4, "don't hold its shape"},
        {ONE("F32", "[1]", "0", "8"), 8, "don't hold its shape"},
        {ONE("F32", "[1]", "4", "0"), 4, "don't hold its shape"},
        {ONE("F32", "[1]", "-4", "0"), 4, "not negative"},
        {ONE("F32", "[1]", "0", "-4"), 4, "not negative"},
        {ONE("F32", "[1]", "4", "8"), 8, "overlap or leave holes"},
        {ONE("F32", "[1]", "9223372036854775803", "9223372036854775807"), 4,
         "overlap or leave holes"},
        {ONE("U8", "[9223372036854775807]", "0", "9223372036854775807"), 4, "ends"},
        {ONE("U8", "[1073741824]", "0", "1073741824"), 4, "ends"},
        {ONE("F32", "[1]", "0", "4"), 5, "after"},
        {"{}", 1, "after"},
        {TWO("0", "4", "2", "6"), 6, "overlap or leave holes"},
        {TWO("0", "4", "0", "4"), 4, "overlap or leave holes"},
        {TWO("0", "4", "5", "9"), 9, "overlap or leave holes"},
        {TWO("4", "8", "0", "4"), 7, "ends"},
        {"{'a':{'dtype':'U8','shape':[],'data_offsets':[0,1]},"
         "'a':{'dtype':'U8','shape':[],'data_offsets':[1,2]}}",
         2, ""},
        {"{'':{'dtype':'U8','shape':[],'data_offsets':[0,1]}}", 1, "1 to 255 bytes"},
        {"{'a\\nb':{'dtype':'U8','shape':[],'data_offsets':[0,1]}}", 1, "control"},
        {"{'__metadata__':[]}", 0, "object of texts"},
        {"{'__metadata__':{'k':1}}", 0, "texts alone"},
        {"{'__metadata__':{'k':{}}}", 0, "texts alone"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes file = make(cases[i].header, cases[i].data);
        kd2m_status status = parse(&tensors, context, &file);
        if (status == KD2M_OK)
            print_error("accepted: %s\n", cases[i].header);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, status);
        assert_null(tensors);
        EXPECT_MESSAGE(context, "hand");
        EXPECT_MESSAGE(context, cases[i].message);
    }
    kd2m_context_free(context);
}

static void refuses_lying_lengths(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    const uint64_t lengths[] = {3,          99999999,          100000000,      100000001,
                                UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        bytes file = {.size = 0};
        put_length(&file, lengths[i]);
        put(&file, "{}", 2);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, parse(&tensors, context, &file));
        assert_null(tensors);
    }
    kd2m_context_free(context);
}

/* A header of nothing but brackets: jansson bounds the depth, the stack must hold. */
static void refuses_deep_nesting(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_source *source = NULL;
    kd2m_tensors *tensors = NULL;
    size_t depth = 1000000;
    unsigned char *file = malloc(8 + depth);
    assert_non_null(file);
    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)(depth >> (8 * i));
    memset(file + 8, '[', depth);
    EXPECT_OK(context, kd2m_source_memory(&source, context, file, 8 + depth, "deep"));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_tensors_parse(&tensors, context, source));
    kd2m_source_close(source);
    free(file);
    kd2m_context_free(context);
}

/* 40,000 tensors: a quadratic search would show. */
static void reads_very_many_tensors(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_source *source = NULL;
    kd2m_tensors *tensors = NULL;
    size_t count = 40000, capacity = count * 64 + 64, used = 8;
    char *file = malloc(capacity);
    assert_non_null(file);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(
            file + used, capacity - used,
            "%c\"t%zu\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? ',' : '{', i);
    file[used++] = '}';
    for (size_t i = 0; i < 8; i++)
        file[i] = (char)(unsigned char)((used - 8) >> (8 * i));
    EXPECT_OK(context, kd2m_source_memory(&source, context, file, used, "many"));
    EXPECT_OK(context, kd2m_tensors_parse(&tensors, context, source));
    assert_int_equal(tensors->count, count);
    kd2m_tensors_free(tensors);
    kd2m_source_close(source);
    free(file);
    kd2m_context_free(context);
}

/* Tensors of all types, with values in them. */
static kd2m_status fill(kd2m_tensors **out, kd2m_context *context) {
    static const struct {
        const char *name;
        kd2m_tensor_type type;
        size_t dims, shape[5];
    } wanted[] = {
        {"bytes", KD2M_TENSOR_U8, 1, {5}},
        {"weights", KD2M_TENSOR_F32, 3, {2, 3, 4}},
        {"none", KD2M_TENSOR_F32, 2, {0, 3}},
        {"doubles", KD2M_TENSOR_F64, 5, {1, 1, 2, 1, 1}},
        {"ints", KD2M_TENSOR_I32, 1, {3}},
        {"step", KD2M_TENSOR_I64, 0, {0}},
        {"\xc3\xa4\"\\/", KD2M_TENSOR_F32, 1, {1}},
    };
    *out = NULL;
    kd2m_tensors *tensors = NULL;
    kd2m_tensor *tensor = NULL;
    kd2m_status status = kd2m_tensors_create(&tensors, context);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && status == KD2M_OK; i++) {
        status = kd2m_tensors_add(tensors, &tensor, wanted[i].name, wanted[i].type, wanted[i].dims,
                                  wanted[i].shape);
        if (status != KD2M_OK)
            break;
        unsigned char *values = tensor->values;
        for (size_t k = 0; k < tensor->count * kd2m_tensor_type_size(tensor->type); k++)
            values[k] = (unsigned char)(17 * i + k);
    }
    if (status == KD2M_OK)
        status = kd2m_tensors_set_text(tensors, "zebra", "line\n\"quoted\" \xe2\x82\xac");
    if (status == KD2M_OK)
        status = kd2m_tensors_set_text(tensors, "ape", "");
    if (status != KD2M_OK) {
        kd2m_tensors_free(tensors);
        return status;
    }
    *out = tensors;
    return KD2M_OK;
}

static void expect_same(const kd2m_tensors *a, const kd2m_tensors *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const kd2m_tensor *x = &a->items[i], *y = &b->items[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->dims, y->dims);
        assert_memory_equal(x->shape, y->shape, x->dims * sizeof *x->shape);
        assert_memory_equal(x->values, y->values, x->count * kd2m_tensor_type_size(x->type));
    }
    assert_true(json_equal(a->metadata, b->metadata));
}

static void read_file(kd2m_context *context, const char *path, void **values, size_t *size) {
    kd2m_source *source = NULL;
    EXPECT_OK(context, kd2m_source_open(&source, context, path));
    EXPECT_OK(context, kd2m_source_read_all(source, values, size, 1 << 20));
    kd2m_source_close(source);
}

/* What the format asks for, read without this library's reader. */
static void expect_format(const kd2m_tensors *tensors, const unsigned char *raw, size_t size) {
    uint64_t length = 0;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)raw[i] << (8 * i);
    assert_int_equal((8 + length) % 64, 0);
    json_t *header = json_loadb((const char *)raw + 8, (size_t)length, 0, NULL);
    assert_non_null(header);
    assert_string_equal(json_object_iter_key(json_object_iter(header)), "__metadata__");
    json_t *metadata = json_object_get(header, "__metadata__");
    assert_string_equal(json_object_iter_key(json_object_iter(metadata)), "ape");
    json_object_del(header, "__metadata__");
    size_t covered = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        const kd2m_tensor *tensor = kd2m_tensors_find(tensors, name);
        assert_non_null(tensor);
        json_t *offsets = json_object_get(entry, "data_offsets");
        size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
        size_t end = (size_t)json_integer_value(json_array_get(offsets, 1));
        size_t width = kd2m_tensor_type_size(tensor->type);
        assert_int_equal(end - begin, tensor->count * width);
        assert_int_equal(begin % width, 0);
        assert_memory_equal(raw + 8 + length + begin, tensor->values, end - begin);
        covered += end - begin;
    }
    assert_int_equal(8 + length + covered, size);
    json_decref(header);
}

static void writes_what_it_reads(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL, *back = NULL;
    void *a = NULL, *b = NULL;
    size_t size_a, size_b;
    char first[128], second[128];
    const char *folder = testing_folder();
    snprintf(first, sizeof first, "%s/first.safetensors", folder);
    snprintf(second, sizeof second, "%s/second.safetensors", folder);
    EXPECT_OK(context, fill(&tensors, context));
    EXPECT_OK(context, kd2m_tensors_write(tensors, first));
    EXPECT_OK(context, kd2m_tensors_read(&back, context, first));
    expect_same(tensors, back);
    EXPECT_OK(context, kd2m_tensors_write(back, second));
    read_file(context, first, &a, &size_a);
    read_file(context, second, &b, &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(a, b, size_a);
    expect_format(tensors, a, size_a);
    kd2m_free(context, a);
    kd2m_free(context, b);
    kd2m_tensors_free(tensors);
    kd2m_tensors_free(back);
    kd2m_context_free(context);
}

static void tells_where_files_fail(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    EXPECT_STATUS(context, KD2M_ERROR_IO,
                  kd2m_tensors_read(&tensors, context, "/nowhere/x.safetensors"));
    EXPECT_MESSAGE(context, "/nowhere/x.safetensors");
    assert_null(tensors);
    EXPECT_OK(context, fill(&tensors, context));
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_tensors_write(tensors, "/nowhere/x.safetensors"));
    EXPECT_MESSAGE(context, "/nowhere/x.safetensors");
    kd2m_tensors_free(tensors);
    kd2m_context_free(context);
}

static void survives_failing_memory(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/x.safetensors", testing_folder());
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t k = 0; status != KD2M_OK; k++) {
        kd2m_context *context = testing_failing_context(k);
        kd2m_tensors *tensors = NULL, *back = NULL;
        status = fill(&tensors, context);
        if (status == KD2M_OK)
            status = kd2m_tensors_write(tensors, path);
        if (status == KD2M_OK)
            status = kd2m_tensors_read(&back, context, path);
        if (status != KD2M_OK) {
            EXPECT_STATUS(context, KD2M_ERROR_MEMORY, status);
            assert_null(back);
        }
        kd2m_tensors_free(tensors);
        kd2m_tensors_free(back);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_file_made_by_hand), cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_hostile_headers),   cmocka_unit_test(refuses_lying_lengths),
        cmocka_unit_test(refuses_deep_nesting),      cmocka_unit_test(reads_very_many_tensors),
        cmocka_unit_test(writes_what_it_reads),      cmocka_unit_test(tells_where_files_fail),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
