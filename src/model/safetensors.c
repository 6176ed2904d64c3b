/*
 * The safetensors format (https://github.com/huggingface/safetensors, its README is the reference):
 * 8 bytes header length, little-endian; the header, a JSON object from tensor name to
 * {"dtype", "shape", "data_offsets": [begin, end]} and "__metadata__"; the values, little-endian,
 * without holes.
 *
 * Reading believes nothing: the header is bounded, every shape must fit its offsets, the tensors
 * must cover the data exactly, and memory grows only as bytes arrive. Writing keeps the order of
 * the tensors in the header, and puts wider elements first in the data, so that each tensor is
 * aligned in a mapped file.
 *
 * Both directions copy bytes as they are, so a big-endian machine is refused.
 * Time O(bytes + tensors log tensors), memory O(file). Thread rule: that of the context.
 */
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "memory.h"
#include "tensors.h"
#include "writer.h"

/* The longest header the format allows. */
#define HEADER_LIMIT 100000000

/* Files begin with the length, and their data at a multiple of this. */
#define LENGTH_BYTES 8
#define DATA_ALIGNMENT 64

static const char metadata_key[] = "__metadata__";

/* Where a tensor's bytes lie. */
typedef struct span {
    size_t tensor;
    size_t begin, end;
} span;

static kd2m_status check_byte_order(kd2m_context *context) {
    const uint16_t one = 1;
    if (*(const unsigned char *)&one == 1)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_UNSUPPORTED,
                     "safetensors files can't be used on a big-endian machine");
}

/* ---- reading ---- */

static kd2m_status read_size(kd2m_context *context, const json_t *value, const char *tensor,
                             const char *what, size_t *out) {
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "tensor '%.80s': '%s' must hold whole numbers, not negative", tensor,
                         what);
    *out = (size_t)json_integer_value(value);
    return KD2M_OK;
}

static kd2m_status read_entry(kd2m_tensors *tensors, span *where, const char *name,
                              const json_t *entry) {
    kd2m_context *context = tensors->context;
    kd2m_status status = KD2M_OK;
    kd2m_tensor_type type;
    size_t shape[KD2M_TENSOR_DIMS], bytes;
    const json_t *dtype = json_object_get(entry, "dtype");
    const json_t *sizes = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t dims = json_array_size(sizes);
    if (!json_is_string(dtype) || !json_is_array(sizes) || json_array_size(offsets) != 2) {
        status =
            kd2m_fail(context, KD2M_ERROR_INPUT,
                      "tensor '%.80s' must have 'dtype', 'shape' and two 'data_offsets'", name);
        goto cleanup;
    }
    if (!kd2m_tensor_type_find(json_string_value(dtype), &type)) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "tensor '%.80s' has type '%.20s', only F32, F64, I32, I64 and U8 can be "
                           "read",
                           name, json_string_value(dtype));
        goto cleanup;
    }
    for (size_t i = 0; i < dims && i < KD2M_TENSOR_DIMS; i++)
        KD2M_TRY(read_size(context, json_array_get(sizes, i), name, "shape", &shape[i]));
    KD2M_TRY(read_size(context, json_array_get(offsets, 0), name, "data_offsets", &where->begin));
    KD2M_TRY(read_size(context, json_array_get(offsets, 1), name, "data_offsets", &where->end));
    kd2m_tensor *tensor = NULL;
    where->tensor = tensors->count;
    KD2M_TRY(kd2m_tensors_declare(tensors, &tensor, name, type, dims, shape));
    if (!kd2m_size_multiply(tensor->count, kd2m_tensor_type_size(type), &bytes) ||
        where->end < where->begin || where->end - where->begin != bytes)
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "tensor '%.80s': 'data_offsets' %zu to %zu don't hold its shape", name,
                           where->begin, where->end);
cleanup:
    return status;
}

static kd2m_status read_metadata(kd2m_tensors *tensors, json_t *metadata) {
    kd2m_status status = KD2M_OK;
    const char *key;
    json_t *text;
    if (!json_is_object(metadata))
        return kd2m_fail(tensors->context, KD2M_ERROR_INPUT, "'%s' must be an object of texts",
                         metadata_key);
    json_object_foreach(metadata, key, text) {
        if (!json_is_string(text)) {
            status = kd2m_fail(tensors->context, KD2M_ERROR_INPUT,
                               "'%s' must hold texts alone, '%.80s' is none", metadata_key, key);
            goto cleanup;
        }
        KD2M_TRY(kd2m_tensors_set_text(tensors, key, json_string_value(text)));
    }
cleanup:
    return status;
}

static int compare_spans(const void *left, const void *right) {
    const span *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end; /* an empty one before what begins there */
}

/* Puts the spans in the order of the data, which they must cover without holes. */
static kd2m_status order_spans(const kd2m_tensors *tensors, span *spans) {
    size_t position = 0;
    qsort(spans, tensors->count, sizeof *spans, compare_spans);
    for (size_t i = 0; i < tensors->count; i++) {
        if (spans[i].begin != position)
            return kd2m_fail(tensors->context, KD2M_ERROR_INPUT,
                             "tensor '%.80s' begins at byte %zu of the data, which must be %zu: "
                             "tensors may not overlap or leave holes",
                             tensors->items[spans[i].tensor].name, spans[i].begin, position);
        position = spans[i].end;
    }
    return KD2M_OK;
}

/* Declares all tensors of the header; *out = where their bytes lie, in the order of the data. */
static kd2m_status read_entries(kd2m_tensors *tensors, span **out, json_t *header) {
    kd2m_status status = KD2M_OK;
    span *spans = NULL;
    *out = NULL;
    const char *name;
    json_t *entry;
    if (!json_is_object(header)) {
        status = kd2m_fail(tensors->context, KD2M_ERROR_INPUT, "the header is not a JSON object");
        goto cleanup;
    }
    KD2M_TRY(
        kd2m_alloc(tensors->context, (void **)&spans, json_object_size(header), sizeof *spans));
    json_object_foreach(header, name, entry) {
        if (strcmp(name, metadata_key) == 0)
            KD2M_TRY(read_metadata(tensors, entry));
        else
            KD2M_TRY(read_entry(tensors, &spans[tensors->count], name, entry));
    }
    KD2M_TRY(order_spans(tensors, spans));
    *out = spans;
    spans = NULL;
cleanup:
    kd2m_free(tensors->context, spans);
    return status;
}

static kd2m_status read_values(kd2m_tensors *tensors, kd2m_source *source, const span *spans) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < tensors->count; i++) {
        kd2m_tensor *tensor = &tensors->items[spans[i].tensor];
        KD2M_TRY(kd2m_source_read_block(source, &tensor->values, spans[i].end - spans[i].begin,
                                        tensor->name));
    }
    KD2M_TRY(kd2m_source_expect_end(source, "the last tensor"));
cleanup:
    return status;
}

static kd2m_status read_header(kd2m_context *context, json_t **out, kd2m_source *source) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    unsigned char length[LENGTH_BYTES];
    uint64_t size = 0;
    void *text = NULL;
    KD2M_TRY(kd2m_source_read_exact(source, length, sizeof length, "the header's length"));
    for (size_t i = 0; i < sizeof length; i++)
        size |= (uint64_t)length[i] << (8 * i);
    if (size > HEADER_LIMIT) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: not a safetensors file: its header would have %llu bytes, more "
                           "than the format's %d",
                           kd2m_source_name(source), (unsigned long long)size, HEADER_LIMIT);
        goto cleanup;
    }
    KD2M_TRY(kd2m_source_read_block(source, &text, (size_t)size, "the header"));
    KD2M_TRY(kd2m_json_parse(context, out, text, (size_t)size, kd2m_source_name(source)));
cleanup:
    kd2m_free(context, text);
    return status;
}

kd2m_status kd2m_tensors_parse(kd2m_tensors **out, kd2m_context *context, kd2m_source *source) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_tensors *tensors = NULL;
    json_t *header = NULL;
    span *spans = NULL;
    KD2M_TRY(check_byte_order(context));
    KD2M_TRY(read_header(context, &header, source));
    KD2M_TRY(kd2m_tensors_create(&tensors, context));
    status = read_entries(tensors, &spans, header);
    if (status != KD2M_OK) {
        status = kd2m_fail_within(context, status, "%s", kd2m_source_name(source));
        goto cleanup;
    }
    KD2M_TRY(read_values(tensors, source, spans));
    *out = tensors;
    tensors = NULL;
cleanup:
    kd2m_free(context, spans);
    json_decref(header);
    kd2m_tensors_free(tensors);
    return status;
}

kd2m_status kd2m_tensors_read(kd2m_tensors **out, kd2m_context *context, const char *path) {
    *out = NULL;
    kd2m_source *source = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_source_open(&source, context, path));
    KD2M_TRY(kd2m_tensors_parse(out, context, source));
cleanup:
    kd2m_source_close(source);
    return status;
}

/* ---- writing ---- */

static int compare_texts(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The metadata with its keys in order, under `header`. */
static kd2m_status add_metadata(const kd2m_tensors *tensors, json_t *header) {
    kd2m_status status = KD2M_OK;
    size_t count = json_object_size(tensors->metadata), filled = 0;
    const char **keys = NULL;
    const char *key;
    json_t *value;
    json_t *sorted = json_object();
    KD2M_TRY(kd2m_json_set(tensors->context, header, metadata_key, sorted));
    KD2M_TRY(kd2m_alloc(tensors->context, (void **)&keys, count, sizeof *keys));
    json_object_foreach(tensors->metadata, key, value) {
        keys[filled++] = key;
    }
    qsort((void *)keys, count, sizeof *keys, compare_texts);
    for (size_t i = 0; i < count; i++)
        KD2M_TRY(kd2m_json_set(tensors->context, sorted, keys[i],
                               json_incref(json_object_get(tensors->metadata, keys[i]))));
cleanup:
    kd2m_free(tensors->context, (void *)keys);
    return status;
}

static size_t tensor_bytes(const kd2m_tensor *tensor) {
    return tensor->count * kd2m_tensor_type_size(tensor->type);
}

/* *out = the spans of all tensors, in the order of the data: wider elements first. */
static kd2m_status lay_out(const kd2m_tensors *tensors, span **out) {
    span *spans = NULL;
    kd2m_status status =
        kd2m_alloc(tensors->context, (void **)&spans, tensors->count, sizeof *spans);
    *out = spans;
    if (status != KD2M_OK)
        return status;
    size_t position = 0, placed = 0;
    for (size_t width = 8; width >= 1; width /= 2)
        for (size_t i = 0; i < tensors->count; i++)
            if (kd2m_tensor_type_size(tensors->items[i].type) == width) {
                size_t end = position + tensor_bytes(&tensors->items[i]);
                spans[placed++] = (span){.tensor = i, .begin = position, .end = end};
                position = end;
            }
    return KD2M_OK;
}

static json_t *size_list(const size_t *sizes, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count && list; i++)
        if (json_array_append_new(list, json_integer((json_int_t)sizes[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static kd2m_status add_entry(const kd2m_tensors *tensors, json_t *header, const span *where) {
    kd2m_context *context = tensors->context;
    const kd2m_tensor *tensor = &tensors->items[where->tensor];
    const size_t offsets[2] = {where->begin, where->end};
    kd2m_status status = KD2M_OK;
    json_t *entry = json_object();
    KD2M_TRY(kd2m_json_set(context, header, tensor->name, entry));
    KD2M_TRY(
        kd2m_json_set(context, entry, "dtype", json_string(kd2m_tensor_type_name(tensor->type))));
    KD2M_TRY(kd2m_json_set(context, entry, "shape", size_list(tensor->shape, tensor->dims)));
    KD2M_TRY(kd2m_json_set(context, entry, "data_offsets", size_list(offsets, 2)));
cleanup:
    return status;
}

static kd2m_status header_text(const kd2m_tensors *tensors, const span *spans, char **out) {
    *out = NULL;
    kd2m_context *context = tensors->context;
    kd2m_status status = KD2M_OK;
    size_t *order = NULL; /* tensor -> its place in spans */
    json_t *header = json_object();
    if (!header) {
        status = kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for JSON");
        goto cleanup;
    }
    if (json_object_size(tensors->metadata) > 0)
        KD2M_TRY(add_metadata(tensors, header));
    KD2M_TRY(kd2m_alloc(context, (void **)&order, tensors->count, sizeof *order));
    for (size_t i = 0; i < tensors->count; i++)
        order[spans[i].tensor] = i;
    for (size_t i = 0; i < tensors->count; i++)
        KD2M_TRY(add_entry(tensors, header, &spans[order[i]]));
    KD2M_TRY(kd2m_json_text(context, out, header, 1));
cleanup:
    kd2m_free(context, order);
    json_decref(header);
    return status;
}

/* *out = all bytes before the data: length, header, filling. */
static kd2m_status header_bytes(kd2m_context *context, const char *text, char **out, size_t *size) {
    size_t length = strlen(text);
    size_t filling = (DATA_ALIGNMENT - (LENGTH_BYTES + length) % DATA_ALIGNMENT) % DATA_ALIGNMENT;
    char *bytes = NULL;
    kd2m_status status = kd2m_alloc(context, (void **)&bytes, LENGTH_BYTES + length + filling, 1);
    if (status != KD2M_OK)
        return status;
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        bytes[i] = (char)(unsigned char)((uint64_t)(length + filling) >> (8 * i));
    memcpy(bytes + LENGTH_BYTES, text, length);
    memset(bytes + LENGTH_BYTES + length, ' ', filling);
    *out = bytes;
    *size = LENGTH_BYTES + length + filling;
    return KD2M_OK;
}

/* *out = the header's bytes, *where = the spans of all tensors behind it; both owned. */
static kd2m_status begin_file(const kd2m_tensors *tensors, char **out, size_t *size, span **where) {
    kd2m_context *context = tensors->context;
    kd2m_status status = KD2M_OK;
    span *spans = NULL;
    char *text = NULL;
    *out = NULL;
    *where = NULL;
    KD2M_TRY(check_byte_order(context));
    KD2M_TRY(lay_out(tensors, &spans));
    KD2M_TRY(header_text(tensors, spans, &text));
    KD2M_TRY(header_bytes(context, text, out, size));
    *where = spans;
    spans = NULL;
cleanup:
    kd2m_text_free(context, text);
    kd2m_free(context, spans);
    return status;
}

kd2m_status kd2m_tensors_header(const kd2m_tensors *tensors, char **out, size_t *size) {
    span *spans;
    kd2m_status status = begin_file(tensors, out, size, &spans);
    kd2m_free(tensors->context, spans);
    return status;
}

kd2m_status kd2m_tensors_write(const kd2m_tensors *tensors, const char *path) {
    kd2m_context *context = tensors->context;
    kd2m_status status = KD2M_OK;
    kd2m_writer *writer = NULL;
    span *spans = NULL;
    char *header = NULL;
    size_t size;
    KD2M_TRY(begin_file(tensors, &header, &size, &spans));
    KD2M_TRY(kd2m_writer_open(&writer, context, path));
    KD2M_TRY(kd2m_writer_write(writer, header, size));
    for (size_t i = 0; i < tensors->count; i++) {
        const kd2m_tensor *tensor = &tensors->items[spans[i].tensor];
        KD2M_TRY(kd2m_writer_write(writer, tensor->values, tensor_bytes(tensor)));
    }
    KD2M_TRY(kd2m_writer_commit(writer));
cleanup:
    kd2m_writer_close(writer);
    kd2m_free(context, header);
    kd2m_free(context, spans);
    return status;
}
