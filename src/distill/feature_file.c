/*
 * Features that were computed elsewhere: see feature_file.h. Reading checks types, shapes, values,
 * keys and labels, once and all. Time O(values + rows log rows), memory that of the file (twice
 * that of a layer of doubles while it is rounded to floats). Single-threaded.
 */
#include "feature_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "dataset.h"
#include "digest.h"
#include "elements.h"
#include "memory.h"

static const char keys_name[] = "keys";
static const char labels_name[] = "labels";

/* Two computations of one sample may differ by rounding: share of the row's largest value. */
#define SAME_SHARE 1e-3

static uint64_t digest_tensors(const kd2m_tensors *tensors) {
    const char *data = kd2m_tensors_text(tensors, KD2M_FEATURE_DATA_KEY);
    uint64_t digest = KD2M_DIGEST_START;
    for (size_t i = 0; i < tensors->count; i++) {
        const kd2m_tensor *tensor = &tensors->items[i];
        const char *type = kd2m_tensor_type_name(tensor->type);
        digest = kd2m_digest(digest, tensor->name, strlen(tensor->name) + 1);
        digest = kd2m_digest(digest, type, strlen(type) + 1);
        for (size_t k = 0; k < tensor->dims; k++) {
            const uint64_t length = tensor->shape[k];
            digest = kd2m_digest(digest, &length, sizeof length);
        }
        digest = kd2m_digest(digest, tensor->values,
                             tensor->count * kd2m_tensor_type_size(tensor->type));
    }
    return data ? kd2m_digest(digest, data, strlen(data)) : digest;
}

static kd2m_status read_metadata(kd2m_feature_file *file) {
    const char *format = kd2m_tensors_text(file->tensors, KD2M_FEATURE_FORMAT_KEY);
    const char *data = kd2m_tensors_text(file->tensors, KD2M_FEATURE_DATA_KEY);
    if (format && strcmp(format, KD2M_FEATURE_FORMAT) != 0)
        return kd2m_fail(
            file->context, KD2M_ERROR_INPUT,
            "features of format '%.20s', this version reads format " KD2M_FEATURE_FORMAT, format);
    if (!data)
        return KD2M_OK;
    if (strlen(data) != 16 || strspn(data, "0123456789abcdef") != 16)
        return kd2m_fail(file->context, KD2M_ERROR_INPUT,
                         "'" KD2M_FEATURE_DATA_KEY "' in its metadata must be a data set's digest, "
                         "16 digits as 'kd2m data' prints them, not '%.40s'",
                         data);
    file->has_data = true;
    file->data = strtoull(data, NULL, 16);
    return KD2M_OK;
}

/* A layer's doubles become floats. */
static kd2m_status round_values(kd2m_context *context, kd2m_tensor *tensor) {
    float *values = NULL;
    const double *from = tensor->values;
    kd2m_status status = kd2m_alloc(context, (void **)&values, tensor->count, sizeof *values);
    for (size_t i = 0; status == KD2M_OK && i < tensor->count; i++)
        values[i] = (float)from[i];
    if (status != KD2M_OK)
        return status;
    kd2m_free(context, tensor->values);
    tensor->values = values;
    tensor->type = KD2M_TENSOR_F32;
    return KD2M_OK;
}

static kd2m_status check_shape(const kd2m_feature_file *file, const kd2m_tensor *tensor) {
    bool logits = strcmp(tensor->name, "logits") == 0;
    if (tensor->dims < 2 || tensor->dims > (logits ? 2 : 4) || tensor->count == 0)
        return kd2m_fail(file->context, KD2M_ERROR_INPUT,
                         logits ? "'%s' must be [N,K], N samples of K classes"
                                : "'%s' must be [N,c], [N,c,L] or [N,c,H,W], N samples",
                         tensor->name);
    if (tensor->type != KD2M_TENSOR_F32 && tensor->type != KD2M_TENSOR_F64)
        return kd2m_fail(file->context, KD2M_ERROR_INPUT,
                         "'%s' is of type %s, features must be F32 or F64", tensor->name,
                         kd2m_tensor_type_name(tensor->type));
    return KD2M_OK;
}

static kd2m_status check_rows(const kd2m_feature_file *file, const kd2m_tensor *tensor) {
    size_t rows = tensor->dims > 0 ? tensor->shape[0] : 0;
    if (rows == file->rows)
        return KD2M_OK;
    return kd2m_fail(file->context, KD2M_ERROR_INPUT,
                     "'%s' has %zu rows, but '%s' %zu: a row is a sample, the same one everywhere",
                     tensor->name, rows, file->layers[0].name, file->rows);
}

static kd2m_status check_finite(const kd2m_feature_file *file, const kd2m_tensor *tensor) {
    size_t first, width = tensor->count / file->rows;
    size_t found = kd2m_elements_count_non_finite(tensor->values, tensor->count, &first);
    if (found == 0)
        return KD2M_OK;
    return kd2m_fail(file->context, KD2M_ERROR_INPUT,
                     "'%s' holds %zu values that are NaN, infinite or beyond float32, the first "
                     "in row %zu (from 0), at %zu",
                     tensor->name, found, first / width, first % width);
}

static kd2m_status add_layer(kd2m_feature_file *file, kd2m_tensor *tensor) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check_shape(file, tensor));
    file->layers[file->layer_count] = (kd2m_feature_layer){.name = tensor->name};
    if (file->layer_count == 0)
        file->rows = tensor->shape[0];
    KD2M_TRY(check_rows(file, tensor));
    if (tensor->type == KD2M_TENSOR_F64)
        KD2M_TRY(round_values(file->context, tensor));
    KD2M_TRY(check_finite(file, tensor));
    kd2m_feature_layer *layer = &file->layers[file->layer_count++];
    layer->channels = tensor->shape[1];
    layer->positions = tensor->count / file->rows / layer->channels;
    layer->values = tensor->values;
    if (strcmp(layer->name, "logits") == 0)
        file->classes = layer->channels;
cleanup:
    return status;
}

static kd2m_status add_layers(kd2m_feature_file *file) {
    kd2m_tensors *tensors = file->tensors;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(
        kd2m_alloc(file->context, (void **)&file->layers, tensors->count, sizeof *file->layers));
    for (size_t i = 0; i < tensors->count; i++)
        if (strcmp(tensors->items[i].name, keys_name) != 0 &&
            strcmp(tensors->items[i].name, labels_name) != 0)
            KD2M_TRY(add_layer(file, &tensors->items[i]));
    if (file->layer_count == 0)
        status = kd2m_fail(file->context, KD2M_ERROR_INPUT,
                           "holds no features: it must have 'features', 'logits' or another "
                           "layer's [N,..], or moments NAME.mean and NAME.variance");
cleanup:
    return status;
}

static kd2m_status take_labels(kd2m_feature_file *file) {
    const kd2m_tensor *tensor = kd2m_tensors_find(file->tensors, labels_name);
    kd2m_status status = KD2M_OK;
    if (!tensor)
        return KD2M_OK;
    if (tensor->dims != 1 || tensor->type == KD2M_TENSOR_F32 || tensor->type == KD2M_TENSOR_F64)
        return kd2m_fail(file->context, KD2M_ERROR_INPUT, "'%s' must be [N] whole numbers",
                         labels_name);
    KD2M_TRY(check_rows(file, tensor));
    KD2M_TRY(kd2m_alloc(file->context, (void **)&file->labels, file->rows, sizeof *file->labels));
    for (size_t i = 0; i < file->rows; i++) {
        int64_t label = tensor->type == KD2M_TENSOR_I64   ? ((const int64_t *)tensor->values)[i]
                        : tensor->type == KD2M_TENSOR_I32 ? ((const int32_t *)tensor->values)[i]
                                                          : ((const uint8_t *)tensor->values)[i];
        if (label < 0 || label >= KD2M_CLASSES_LIMIT) {
            status = kd2m_fail(file->context, KD2M_ERROR_INPUT,
                               "'%s' holds %" PRId64 " in row %zu (from 0); labels are 0..%d",
                               labels_name, label, i, KD2M_CLASSES_LIMIT - 1);
            goto cleanup;
        }
        file->labels[i] = (int32_t)label;
    }
cleanup:
    return status;
}

/* Whether two rows of a layer are the same but for rounding. */
static bool same_rows(const kd2m_feature_layer *layer, size_t a, size_t b) {
    size_t width = layer->channels * layer->positions;
    const float *first = layer->values + a * width, *second = layer->values + b * width;
    float largest = 0, gap = 0;
    for (size_t i = 0; i < width; i++) {
        largest = fmaxf(largest, fmaxf(fabsf(first[i]), fabsf(second[i])));
        gap = fmaxf(gap, fabsf(first[i] - second[i]));
    }
    return gap <= (float)SAME_SHARE * largest;
}

/* A sample may stand in several rows, but they must say the same. */
static kd2m_status check_repeated(const kd2m_feature_file *file) {
    const kd2m_key_place *places = file->keys.places;
    for (size_t i = 1, first = 0; i < file->rows; i++) {
        if (places[i].key != places[first].key) {
            first = i;
            continue;
        }
        for (size_t k = 0; k < file->layer_count; k++)
            if (!same_rows(&file->layers[k], places[first].row, places[i].row))
                return kd2m_fail(file->context, KD2M_ERROR_INPUT,
                                 "rows %zu and %zu (from 0) have one key, but their '%s' differ: "
                                 "one sample has one row of features. Was the model in training "
                                 "mode, or were samples changed at random?",
                                 places[first].row, places[i].row, file->layers[k].name);
    }
    return KD2M_OK;
}

/* The key of a row, from its 8 bytes, the lowest first. */
static uint64_t key_at(const kd2m_tensor *tensor, size_t row) {
    const unsigned char *bytes = (const unsigned char *)tensor->values + 8 * row;
    uint64_t key = 0;
    for (size_t i = 0; i < 8; i++)
        key |= (uint64_t)bytes[i] << (8 * i);
    return key;
}

/* I64 lies in the file as 8 bytes, too: safetensors is read on little-endian machines alone. */
static kd2m_status take_keys(kd2m_feature_file *file) {
    const kd2m_tensor *tensor = kd2m_tensors_find(file->tensors, keys_name);
    uint64_t *keys = NULL;
    kd2m_status status = KD2M_OK;
    if (!tensor)
        return KD2M_OK;
    bool whole = tensor->type == KD2M_TENSOR_I64 && tensor->dims == 1;
    bool bytes = tensor->type == KD2M_TENSOR_U8 && tensor->dims == 2 && tensor->shape[1] == 8;
    if (!whole && !bytes)
        return kd2m_fail(file->context, KD2M_ERROR_INPUT,
                         "'%s' must be [N,8] U8, as 'kd2m data --out' writes them, or [N] I64",
                         keys_name);
    KD2M_TRY(check_rows(file, tensor));
    KD2M_TRY(kd2m_alloc(file->context, (void **)&keys, file->rows, sizeof *keys));
    for (size_t i = 0; i < file->rows; i++)
        keys[i] = key_at(tensor, i);
    KD2M_TRY(kd2m_key_index_create(&file->keys, file->context, keys, file->rows));
    file->has_keys = true;
    KD2M_TRY(check_repeated(file));
cleanup:
    kd2m_free(file->context, keys);
    return status;
}

/* Puts rows in the place of moments. */
static kd2m_status expand(kd2m_feature_file *file) {
    kd2m_tensors *rows = NULL;
    kd2m_status status = KD2M_OK;
    if (!kd2m_feature_moments(file->tensors))
        return KD2M_OK;
    KD2M_TRY(kd2m_feature_moments_to_rows(&rows, &file->weights, file->tensors));
    kd2m_tensors_free(file->tensors);
    file->tensors = rows;
    file->moments = true;
cleanup:
    return status;
}

static kd2m_status check_all(kd2m_feature_file *file) {
    kd2m_status status = KD2M_OK;
    file->digest = digest_tensors(file->tensors);
    KD2M_TRY(read_metadata(file));
    KD2M_TRY(expand(file));
    KD2M_TRY(add_layers(file));
    KD2M_TRY(take_labels(file));
    KD2M_TRY(take_keys(file));
cleanup:
    return status == KD2M_OK ? status : kd2m_fail_within(file->context, status, "%s", file->name);
}

kd2m_status kd2m_feature_file_take(kd2m_feature_file **out, kd2m_context *context,
                                   kd2m_tensors *tensors, const char *name) {
    *out = NULL;
    kd2m_feature_file *file = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&file, 1, sizeof *file));
    file->context = context;
    file->tensors = tensors;
    tensors = NULL;
    KD2M_TRY(kd2m_text_copy(context, &file->name, name));
    KD2M_TRY(check_all(file));
    *out = file;
    file = NULL;
cleanup:
    kd2m_tensors_free(tensors);
    kd2m_feature_file_free(file);
    return status;
}

void kd2m_feature_file_free(kd2m_feature_file *file) {
    if (!file)
        return;
    kd2m_key_index_clear(file->context, &file->keys);
    kd2m_free(file->context, file->weights);
    kd2m_free(file->context, file->labels);
    kd2m_free(file->context, file->layers);
    kd2m_tensors_free(file->tensors);
    kd2m_free(file->context, file->name);
    kd2m_free(file->context, file);
}

const kd2m_feature_layer *kd2m_feature_file_find(const kd2m_feature_file *file, const char *name) {
    for (size_t i = 0; i < file->layer_count; i++)
        if (strcmp(file->layers[i].name, name) == 0)
            return &file->layers[i];
    return NULL;
}
