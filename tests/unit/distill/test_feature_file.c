/* Files of features: every shape and type, moments as rows, folders, and all that is refused. */
#include "stored.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "memory.h"

static kd2m_context *context;

static void fill(kd2m_tensor *tensor) {
    bool labels = strcmp(tensor->name, "labels") == 0;
    size_t width = tensor->dims > 1 && tensor->shape[0] > 0 ? tensor->count / tensor->shape[0] : 1;
    for (size_t i = 0; i < tensor->count; i++) {
        float value = testing_hashed(i, testing_stream(tensor->name));
        int64_t whole = labels ? (int64_t)i % 3 : (int64_t)(i / width * 1000 + i % width);
        if (tensor->type == KD2M_TENSOR_F32)
            ((float *)tensor->values)[i] = strstr(tensor->name, "variance") ? value * value : value;
        else if (tensor->type == KD2M_TENSOR_F64)
            ((double *)tensor->values)[i] =
                strstr(tensor->name, "variance") ? (double)value * value : (double)value;
        else if (tensor->type == KD2M_TENSOR_I64)
            ((int64_t *)tensor->values)[i] = whole;
        else if (tensor->type == KD2M_TENSOR_I32)
            ((int32_t *)tensor->values)[i] = (int32_t)whole;
        else
            ((uint8_t *)tensor->values)[i] =
                (uint8_t)(labels ? whole : (int64_t)(i / width + 3 * (i % width)));
    }
}

/* Tensors of 'NAME:TYPE:SIZExSIZE NAME:...', filled with hashed floats and whole numbers; in a
 * context. */
static kd2m_tensors *make_in(kd2m_context *in, const char *text) {
    kd2m_tensors *tensors = NULL;
    char name[64], type_name[8], sizes[64];
    int used;
    if (kd2m_tensors_create(&tensors, in) != KD2M_OK)
        return NULL;
    for (; sscanf(text, " %63[^:]:%7[^:]:%63[^ ]%n", name, type_name, sizes, &used) == 3;
         text += used) {
        kd2m_tensor_type type = KD2M_TENSOR_F32;
        size_t shape[KD2M_TENSOR_DIMS], dims = 0;
        kd2m_tensor *tensor;
        assert_true(kd2m_tensor_type_find(type_name, &type));
        for (char *next = sizes; *next && *next != '-'; next += *next == 'x')
            shape[dims++] = strtoul(next, &next, 10);
        if (kd2m_tensors_add(tensors, &tensor, name, type, dims, shape) != KD2M_OK) {
            kd2m_tensors_free(tensors);
            return NULL;
        }
        fill(tensor);
    }
    return tensors;
}

static kd2m_tensors *make(const char *text) {
    kd2m_tensors *tensors = make_in(context, text);
    assert_non_null(tensors);
    return tensors;
}

static kd2m_feature_file *take(kd2m_tensors *tensors) {
    kd2m_feature_file *file;
    EXPECT_OK(context, kd2m_feature_file_take(&file, context, tensors, "file"));
    return file;
}

static void refuse(kd2m_tensors *tensors, const char *message) {
    kd2m_feature_file *file;
    kd2m_status status = kd2m_feature_file_take(&file, context, tensors, "the file");
    if (status == KD2M_OK)
        print_error("accepted, where '%s' was expected\n", message);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, status);
    assert_null(file);
    EXPECT_MESSAGE(context, "the file: ");
    EXPECT_MESSAGE(context, message);
}

static void shapes_and_types(void **state) {
    (void)state;
    kd2m_feature_file *file =
        take(make("labels:I64:4 features:F32:4x5 logits:F64:4x3 map:F32:4x2x6 image:F64:4x2x3x2 "
                  "keys:I64:4"));
    assert_int_equal(file->rows, 4);
    assert_int_equal(file->classes, 3);
    assert_int_equal(file->layer_count, 4);
    const kd2m_feature_layer *map = kd2m_feature_file_find(file, "map");
    const kd2m_feature_layer *image = kd2m_feature_file_find(file, "image");
    const kd2m_feature_layer *logits = kd2m_feature_file_find(file, "logits");
    assert_int_equal(map->channels, 2);
    assert_int_equal(map->positions, 6);
    assert_int_equal(image->channels, 2);
    assert_int_equal(image->positions, 6);
    assert_int_equal(logits->positions, 1);
    for (size_t i = 0; i < 4 * 3; i++)
        EXPECT_CLOSE(testing_hashed(i, testing_stream("logits")), logits->values[i], 0, 0);
    for (size_t i = 0; i < 4; i++) {
        size_t row = 99;
        assert_int_equal(file->labels[i], i % 3);
        assert_true(kd2m_key_index_find(&file->keys, 1000 * i, &row));
        assert_int_equal(row, i);
        assert_false(kd2m_key_index_find(&file->keys, 1000 * i + 1, &row));
    }
    assert_true(file->has_keys && !file->moments && !file->has_data && !file->weights);
    assert_null(kd2m_feature_file_find(file, "keys"));
    assert_null(kd2m_feature_file_find(file, "labels"));
    kd2m_feature_file_free(file);

    /* keys as bytes, the lowest first; labels of the other types; nothing else is needed */
    kd2m_tensors *tensors = make("keys:U8:2x8 other:F32:2x1 labels:U8:2");
    memcpy(kd2m_tensors_find(tensors, "keys")->values, "\1\2\3\4\5\6\7\x88\0\0\0\0\0\0\0\1", 16);
    file = take(tensors);
    size_t row = 99;
    assert_true(kd2m_key_index_find(&file->keys, UINT64_C(0x8807060504030201), &row) && row == 0);
    assert_true(kd2m_key_index_find(&file->keys, UINT64_C(1) << 56, &row) && row == 1);
    assert_int_equal(file->classes, 0);
    kd2m_feature_file_free(file);
    file = take(make("labels:I32:2 features:F32:2x1"));
    assert_false(file->has_keys);
    kd2m_feature_file_free(file);
}

static void what_is_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "holds no features"},
        {"keys:I64:3", "holds no features"},
        {"labels:I64:3 keys:I64:3", "holds no features"},
        {"features:F32:3", "[N,c]"},
        {"features:F32:-", "[N,c]"},
        {"features:F32:0x4", "[N,c]"},
        {"features:F32:3x0", "[N,c]"},
        {"features:F32:3x4x0", "[N,c]"},
        {"features:F32:1x2x3x4x5", "[N,c]"},
        {"logits:F32:3x4x1", "[N,K]"},
        {"features:I32:3x4", "type I32"},
        {"features:U8:3x4", "type U8"},
        {"features:F32:3x4 logits:F32:4x4", "'logits' has 4 rows, but 'features' 3"},
        {"features:F32:3x4 labels:I32:2", "'labels' has 2 rows"},
        {"features:F32:3x4 labels:I32:3x1", "[N] whole numbers"},
        {"features:F32:3x4 labels:F32:3", "[N] whole numbers"},
        {"features:F32:3x4 labels:I32:-", "[N] whole numbers"},
        {"features:F32:3x4 keys:I64:4", "'keys' has 4 rows"},
        {"features:F32:3x4 keys:U8:2x8", "'keys' has 2 rows"},
        {"features:F32:3x4 keys:U8:3x7", "[N,8] U8"},
        {"features:F32:3x4 keys:U8:24", "[N,8] U8"},
        {"features:F32:3x4 keys:I32:3", "[N,8] U8"},
        {"features:F32:3x4 keys:I64:3x1", "[N,8] U8"},
        {"features:F32:3x4 keys:F64:3", "[N,8] U8"},
        {"features.mean:F32:4 features.variance:F32:5", "must both be"},
        {"features.mean:F32:4 features.variance:F32:1x4", "must both be"},
        {"features.mean:F32:2x4x1 features.variance:F32:2x4x1", "must both be"},
        {"features.mean:F32:0 features.variance:F32:0", "must both be"},
        {"features.mean:F32:- features.variance:F32:-", "must both be"},
        {"features.mean:F32:4 features.covariance:F32:4x4", "their diagonal"},
        {"a.mean:F32:4 a.variance:F32:4 b.mean:F32:4", "no 'b.variance'"},
        {"a.mean:F32:4 a.variance:F32:4 b.variance:F32:4", "beside them 'b.variance'"},
        {"a.mean:F32:4 a.variance:F32:4 features:F32:3x4", "beside them 'features'"},
        {"a.mean:F32:4 a.variance:F32:4 keys:I64:2", "beside them 'keys'"},
        {"a.mean:F32:3x4 a.variance:F32:3x4", "not their weights"},
        {"a.mean:F32:3x4 a.variance:F32:3x4 a.weight:I32:2", "'a.weight' must hold 3"},
        {"a.mean:F32:3x4 a.variance:F32:3x4 a.weight:I32:3x1", "'a.weight' must hold 3"},
        {"a.mean:F32:3x4 a.variance:F32:3x4 a.weight:F32:3", "negative"},
        {"a.mean:F32:3x4 a.variance:F32:3x4 a.weight:I32:3 b.mean:F32:2x4 b.variance:F32:2x4",
         "rows"},
        {"a.mean:F32:2x4 a.variance:F32:2x4 a.weight:I32:2 b.mean:F32:2x4 b.variance:F32:2x4 "
         "b.weight:U8:2",
         "differ"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(make(cases[i][0]), cases[i][1]);
}

static void values_that_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *name;
        size_t place;
        double value;
        const char *message;
    } cases[] = {
        {"features:F32:3x4", "features", 6, NAN, "1 values that are NaN"},
        {"features:F32:3x4", "features", 6, INFINITY, "in row 1 (from 0), at 2"},
        {"features:F64:3x4", "features", 11, 1e39, "beyond float32, the first in row 2"},
        {"features:F32:3x4 labels:I32:3", "labels", 2, -1, "'labels' holds -1 in row 2"},
        {"features:F32:3x4 labels:I64:3", "labels", 0, 1e12, "'labels' holds 1000000000000"},
        {"features:F32:3x4 labels:I32:3", "labels", 1, KD2M_CLASSES_LIMIT, "labels are 0..65535"},
        {"features:F32:3x4 keys:I64:3", "keys", 2, 0, "rows 0 and 2 (from 0) have one key"},
        {"a.mean:F32:4 a.variance:F32:4", "a.variance", 3, -1e-3, "must not be negative"},
        {"a.mean:F32:4 a.variance:F32:4", "a.variance", 3, NAN, "'a.variance' holds nan"},
        {"a.mean:F64:4 a.variance:F64:4", "a.mean", 1, -INFINITY, "'a.mean' holds -inf"},
        {"a.mean:F64:4 a.variance:F64:4", "a.mean", 1, 1e300, "beyond float32"},
        {"a.mean:F64:1x4 a.variance:F64:1x4 a.weight:F64:1", "a.weight", 0, 0, "sum to 0"},
        {"a.mean:F64:1x4 a.variance:F64:1x4 a.weight:F64:1", "a.weight", 0, NAN, "'a.weight'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kd2m_tensors *tensors = make(cases[i].text);
        kd2m_tensor *tensor = kd2m_tensors_find(tensors, cases[i].name);
        if (tensor->type == KD2M_TENSOR_F32)
            ((float *)tensor->values)[cases[i].place] = (float)cases[i].value;
        else if (tensor->type == KD2M_TENSOR_F64)
            ((double *)tensor->values)[cases[i].place] = cases[i].value;
        else if (tensor->type == KD2M_TENSOR_I64)
            ((int64_t *)tensor->values)[cases[i].place] = (int64_t)cases[i].value;
        else
            ((int32_t *)tensor->values)[cases[i].place] = (int32_t)cases[i].value;
        refuse(tensors, cases[i].message);
    }
}

static void metadata(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", "123", "00000000000000zz", "0123456789ABCDEF", "-123456789abcdef", "0123456789abcdef0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kd2m_tensors *tensors = make("features:F32:3x4");
        EXPECT_OK(context, kd2m_tensors_set_text(tensors, "data", wrong[i]));
        refuse(tensors, "data set's digest");
    }
    kd2m_tensors *tensors = make("features:F32:3x4");
    EXPECT_OK(context, kd2m_tensors_set_text(tensors, "kd2m.features", "2"));
    refuse(tensors, "format '2'");
    tensors = make("features:F32:3x4");
    EXPECT_OK(context, kd2m_tensors_set_text(tensors, "data", "fedcba9876543210"));
    EXPECT_OK(context, kd2m_tensors_set_text(tensors, "kd2m.features", "1"));
    kd2m_feature_file *file = take(tensors);
    assert_true(file->has_data && file->data == UINT64_C(0xfedcba9876543210));
    kd2m_feature_file_free(file);
}

/* Rows with one key: the same but for rounding, and the first serves. */
static void repeated_samples(void **state) {
    (void)state;
    for (int gap = 0; gap < 3; gap++) {
        static const float gaps[] = {0, 1e-5F, 1e-2F};
        kd2m_tensors *tensors = make("features:F32:5x4 map:F32:5x2x3 keys:I64:5 labels:I32:5");
        float *features = kd2m_tensors_find(tensors, "features")->values;
        float *map = kd2m_tensors_find(tensors, "map")->values;
        int64_t *keys = kd2m_tensors_find(tensors, "keys")->values;
        keys[4] = keys[1];
        memcpy(features + 16, features + 4, 4 * sizeof *features);
        memcpy(map + 24, map + 6, 6 * sizeof *map);
        map[25] += gaps[gap];
        if (gap == 2) {
            refuse(tensors, "rows 1 and 4 (from 0) have one key, but their 'map' differ");
            continue;
        }
        kd2m_feature_file *file = take(tensors);
        size_t row;
        assert_true(kd2m_key_index_find(&file->keys, (uint64_t)keys[1], &row) && row == 1);
        kd2m_feature_file_free(file);
    }
}

/* Against a plain search, with keys from a small range, and at the ends of it. */
static void the_index_finds_the_first_row(void **state) {
    (void)state;
    enum { COUNT = 300 };
    uint64_t keys[COUNT];
    for (size_t count = 0; count <= COUNT; count += 37) {
        kd2m_key_index index;
        for (size_t i = 0; i < count; i++)
            keys[i] = (uint64_t)(testing_hashed(i, 1) * 100 + 100) *
                      (i % 2 ? UINT64_C(0x0100000000000000) : 1);
        EXPECT_OK(context, kd2m_key_index_create(&index, context, keys, count));
        for (size_t k = 0; k <= 2 * 256; k++) {
            uint64_t key = (k / 2) * (k % 2 ? UINT64_C(0x0100000000000000) : 1);
            size_t expected = 0, row;
            while (expected < count && keys[expected] != key)
                expected++;
            bool found = kd2m_key_index_find(&index, key, &row);
            assert_int_equal(found, expected < count);
            if (found)
                assert_int_equal(row, expected);
        }
        kd2m_key_index_clear(context, &index);
    }
}

/* The rows' weighted means and variances are those of the file, of each class and of all. */
static void moments_become_rows(void **state) {
    (void)state;
    enum { CLASSES = 3, WIDTH = 4 };
    kd2m_tensors *tensors = make("features.mean:F64:3x4 features.variance:F64:3x4 "
                                 "features.weight:I32:3 map.mean:F32:3x2 map.variance:F32:3x2");
    double mean[CLASSES * WIDTH], variance[CLASSES * WIDTH];
    const int32_t counts[CLASSES] = {5, 0, 15};
    memcpy(mean, kd2m_tensors_find(tensors, "features.mean")->values, sizeof mean);
    memcpy(variance, kd2m_tensors_find(tensors, "features.variance")->values, sizeof variance);
    memcpy(kd2m_tensors_find(tensors, "features.weight")->values, counts, sizeof counts);
    kd2m_feature_file *file = take(tensors);
    assert_true(file->moments);
    assert_int_equal(file->rows, 2 * CLASSES);
    const kd2m_feature_layer *layer = kd2m_feature_file_find(file, "features");
    assert_int_equal(layer->channels, WIDTH);
    assert_int_equal(kd2m_feature_file_find(file, "map")->channels, 2);
    double total = 0;
    for (size_t i = 0; i < file->rows; i++) {
        assert_int_equal(file->labels[i], i / 2);
        EXPECT_CLOSE(counts[i / 2] / 40.0, file->weights[i], 1e-15, 0);
        total += file->weights[i];
    }
    EXPECT_CLOSE(1, total, 1e-15, 0);
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t k = 0; k < WIDTH; k++) {
            double a = layer->values[2 * c * WIDTH + k], b = layer->values[(2 * c + 1) * WIDTH + k];
            EXPECT_CLOSE(mean[c * WIDTH + k], (a + b) / 2, 1e-7, 0);
            EXPECT_CLOSE(variance[c * WIDTH + k], (a - b) * (a - b) / 4, 2e-7, 0);
        }
    kd2m_feature_file_free(file);

    /* without classes: no labels, equal weights; 'logits.mean' is a layer like others */
    file = take(make("features.mean:F32:4 features.variance:F32:4 a.b.mean:F32:2 "
                     "a.b.variance:F32:2"));
    assert_int_equal(file->rows, 2);
    assert_null(file->labels);
    EXPECT_CLOSE(0.5, file->weights[1], 0, 0);
    assert_non_null(kd2m_feature_file_find(file, "a.b"));
    kd2m_feature_file_free(file);
    /* a layer may be called 'mean' */
    file = take(make("block.mean:F32:3x4 features:F32:3x2"));
    assert_false(file->moments);
    assert_int_equal(file->layer_count, 2);
    kd2m_feature_file_free(file);
}

static void a_folder_is_a_file(void **state) {
    (void)state;
    char path[512];
    const char *folder = testing_folder();
    kd2m_tensors *tensors = make("bn1:F32:3x2x2x2 features:F32:3x4 keys:U8:3x8 labels:I32:3"),
                 *read;
    for (size_t i = tensors->count; i-- > 0;)
        stored_write_array(context, folder, &tensors->items[i]);
    snprintf(path, sizeof path, "%s/notes.txt", folder);
    FILE *notes = fopen(path, "w");
    assert_non_null(notes);
    fclose(notes);
    EXPECT_OK(context, kd2m_feature_folder_read(&read, context, folder));
    assert_int_equal(read->count, tensors->count);
    for (size_t i = 0; i < read->count; i++)
        assert_string_equal(read->items[i].name, tensors->items[i].name);
    kd2m_feature_file *of_folder = take(read), *of_file = take(tensors);
    assert_true(of_folder->digest == of_file->digest);
    assert_int_equal(of_folder->layer_count, 2);
    kd2m_feature_file_free(of_folder);
    kd2m_feature_file_free(of_file);

    EXPECT_OK(context, kd2m_feature_folder_read(&read, context, testing_folder()));
    assert_int_equal(read->count, 0);
    kd2m_tensors_free(read);
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_feature_folder_read(&read, context, "/nowhere"));
    assert_null(read);
    snprintf(path, sizeof path, "%s/broken.npy", folder);
    FILE *broken = fopen(path, "w");
    assert_non_null(broken);
    fputs("not an array", broken);
    fclose(broken);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_feature_folder_read(&read, context, folder));
    EXPECT_MESSAGE(context, "broken.npy");
    assert_null(read);
}

/* Whatever changes in a file changes its digest. */
static void the_digest_tells_files_apart(void **state) {
    (void)state;
    static const char *const others[] = {
        "features:F32:3x4 keys:I64:3",   "features:F32:3x2x2 keys:I64:3",
        "features:F32:4x3 keys:I64:4",   "feature2:F32:3x4 keys:I64:3",
        "features:F32:3x4 labels:I64:3", "features:F32:3x4",
        "features:F64:3x4 keys:I64:3",
    };
    enum { COUNT = sizeof others / sizeof *others };
    uint64_t digests[COUNT + 2];
    for (size_t i = 0; i < COUNT + 2; i++) {
        kd2m_tensors *tensors = make(others[i < COUNT ? i : 0]);
        if (i == COUNT)
            ((float *)tensors->items[0].values)[7] += 1e-6F;
        if (i == COUNT + 1)
            EXPECT_OK(context, kd2m_tensors_set_text(tensors, "data", "0123456789abcdef"));
        kd2m_feature_file *file = take(tensors);
        digests[i] = file->digest;
        for (size_t k = 0; k < i; k++)
            assert_true(digests[k] != digests[i]);
        kd2m_feature_file_free(file);
    }
}

/* Cut at every byte and with every byte changed: refused, or sound. */
static void broken_bytes(void **state) {
    (void)state;
    char path[512];
    static unsigned char bytes[4096];
    snprintf(path, sizeof path, "%s/features.safetensors", testing_folder());
    kd2m_tensors *tensors = make("features:F32:2x2 keys:U8:2x8 labels:I32:2");
    EXPECT_OK(context, kd2m_tensors_write(tensors, path));
    kd2m_tensors_free(tensors);
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    size_t size = fread(bytes, 1, sizeof bytes, from);
    fclose(from);
    for (size_t i = 0; i < 2 * size; i++) {
        kd2m_source *source;
        kd2m_feature_file *file = NULL;
        size_t cut = i < size ? i : size;
        if (i >= size)
            bytes[i - size] ^= 0x41;
        EXPECT_OK(context, kd2m_source_memory(&source, context, bytes, cut, "bytes"));
        kd2m_status status = kd2m_tensors_parse(&tensors, context, source);
        if (status == KD2M_OK)
            status = kd2m_feature_file_take(&file, context, tensors, "bytes");
        if (cut < size)
            assert_int_equal(status, KD2M_ERROR_INPUT);
        assert_true(status == KD2M_OK || status == KD2M_ERROR_INPUT);
        assert_int_equal(status == KD2M_OK, file != NULL);
        kd2m_feature_file_free(file);
        kd2m_source_close(source);
        if (i >= size)
            bytes[i - size] ^= 0x41;
    }
}

static void failing_allocations(void **state) {
    (void)state;
    static const char *const texts[] = {
        "features:F64:3x4 logits:F32:3x2 keys:I64:3 labels:I64:3",
        "features.mean:F64:2x3 features.variance:F64:2x3 features.weight:U8:2",
    };
    const char *folder = testing_folder();
    kd2m_tensors *arrays = make("features:F32:3x4 keys:U8:3x8");
    for (size_t i = 0; i < arrays->count; i++)
        stored_write_array(context, folder, &arrays->items[i]);
    kd2m_tensors_free(arrays);
    for (size_t k = 0; k < 3; k++) {
        kd2m_status status = KD2M_ERROR_MEMORY;
        for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
            kd2m_context *failing = testing_failing_context(fail_at);
            kd2m_tensors *tensors = NULL;
            kd2m_feature_file *file = NULL;
            if (k < 2)
                tensors = make_in(failing, texts[k]);
            else
                kd2m_feature_folder_read(&tensors, failing, folder);
            status = tensors ? kd2m_feature_file_take(&file, failing, tensors, "file")
                             : KD2M_ERROR_MEMORY;
            assert_true(status == KD2M_OK || status == KD2M_ERROR_MEMORY);
            kd2m_feature_file_free(file);
            assert_int_equal(testing_live(), 0);
            kd2m_context_free(failing);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_and_types),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(values_that_are_refused),
        cmocka_unit_test(metadata),
        cmocka_unit_test(repeated_samples),
        cmocka_unit_test(the_index_finds_the_first_row),
        cmocka_unit_test(moments_become_rows),
        cmocka_unit_test(a_folder_is_a_file),
        cmocka_unit_test(the_digest_tells_files_apart),
        cmocka_unit_test(broken_bytes),
        cmocka_unit_test(failing_allocations),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
