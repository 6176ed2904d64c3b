/*
 * Named tensors in memory. A JSON object serves as the index from name to position, so that files
 * of very many tensors cost no quadratic time.
 * Time O(1) to add or find on average, memory O(values). Thread rule: that of the context.
 */
#include "tensors.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "memory.h"

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [KD2M_TENSOR_F32] = {"F32", 4}, [KD2M_TENSOR_F64] = {"F64", 8}, [KD2M_TENSOR_I32] = {"I32", 4},
    [KD2M_TENSOR_I64] = {"I64", 8}, [KD2M_TENSOR_U8] = {"U8", 1},
};

const char *kd2m_tensor_type_name(kd2m_tensor_type type) {
    return types[type].name;
}

size_t kd2m_tensor_type_size(kd2m_tensor_type type) {
    return types[type].size;
}

bool kd2m_tensor_type_find(const char *name, kd2m_tensor_type *type) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0) {
            *type = (kd2m_tensor_type)i;
            return true;
        }
    return false;
}

kd2m_status kd2m_tensors_create(kd2m_tensors **out, kd2m_context *context) {
    *out = NULL;
    kd2m_tensors *tensors = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&tensors, 1, sizeof *tensors));
    tensors->context = context;
    tensors->index = json_object();
    tensors->metadata = json_object();
    if (!tensors->index || !tensors->metadata) {
        status = kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for JSON");
        goto cleanup;
    }
    *out = tensors;
    tensors = NULL;
cleanup:
    kd2m_tensors_free(tensors);
    return status;
}

void kd2m_tensors_free(kd2m_tensors *tensors) {
    if (!tensors)
        return;
    for (size_t i = 0; i < tensors->count; i++) {
        kd2m_free(tensors->context, tensors->items[i].name);
        kd2m_free(tensors->context, tensors->items[i].values);
    }
    json_decref(tensors->index);
    json_decref(tensors->metadata);
    kd2m_free(tensors->context, tensors->items);
    kd2m_free(tensors->context, tensors);
}

static kd2m_status check_name(const kd2m_tensors *tensors, const char *name) {
    size_t length = strlen(name);
    bool plain = length >= 1 && length <= KD2M_TENSOR_NAME;
    for (size_t i = 0; i < length && plain; i++)
        plain = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    if (!plain)
        return kd2m_fail(tensors->context, KD2M_ERROR_INPUT,
                         "the name of tensor %zu must have 1 to %d bytes, none of them a control "
                         "character",
                         tensors->count, KD2M_TENSOR_NAME);
    if (strcmp(name, "__metadata__") == 0)
        return kd2m_fail(tensors->context, KD2M_ERROR_INPUT,
                         "'%s' is not a tensor's name: the file format keeps it", name);
    if (kd2m_tensors_find(tensors, name))
        return kd2m_fail(tensors->context, KD2M_ERROR_INPUT, "tensor '%s' is there twice", name);
    return KD2M_OK;
}

kd2m_status kd2m_tensors_declare(kd2m_tensors *tensors, kd2m_tensor **out, const char *name,
                                 kd2m_tensor_type type, size_t dims, const size_t *shape) {
    *out = NULL;
    kd2m_context *context = tensors->context;
    kd2m_tensor tensor = {.type = type, .dims = dims, .count = 1};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check_name(tensors, name));
    if (dims > KD2M_TENSOR_DIMS) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "tensor '%s' has %zu dimensions, at most %d can be handled", name, dims,
                           KD2M_TENSOR_DIMS);
        goto cleanup;
    }
    for (size_t i = 0; i < dims; i++) {
        tensor.shape[i] = shape[i];
        if (!kd2m_size_multiply(tensor.count, shape[i], &tensor.count)) {
            status = kd2m_fail(context, KD2M_ERROR_INPUT,
                               "the shape of tensor '%s' is more than can be addressed", name);
            goto cleanup;
        }
    }
    KD2M_TRY(kd2m_grow(context, (void **)&tensors->items, &tensors->capacity, tensors->count,
                       tensors->count + 1, sizeof *tensors->items));
    KD2M_TRY(kd2m_text_copy(context, &tensor.name, name));
    if (json_object_set_new(tensors->index, name, json_integer((json_int_t)tensors->count)) != 0) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "the name of tensor %zu is not UTF-8",
                           tensors->count);
        goto cleanup;
    }
    *out = &tensors->items[tensors->count++];
    **out = tensor;
    tensor.name = NULL;
cleanup:
    kd2m_free(context, tensor.name);
    return status;
}

kd2m_status kd2m_tensors_add(kd2m_tensors *tensors, kd2m_tensor **out, const char *name,
                             kd2m_tensor_type type, size_t dims, const size_t *shape) {
    kd2m_status status = kd2m_tensors_declare(tensors, out, name, type, dims, shape);
    if (status != KD2M_OK)
        return status;
    status =
        kd2m_alloc(tensors->context, &(*out)->values, (*out)->count, kd2m_tensor_type_size(type));
    if (status != KD2M_OK) {
        json_object_del(tensors->index, name);
        kd2m_free(tensors->context, (*out)->name);
        tensors->count--;
        *out = NULL;
    }
    return status;
}

kd2m_tensor *kd2m_tensors_find(const kd2m_tensors *tensors, const char *name) {
    const json_t *position = json_object_get(tensors->index, name);
    return position ? &tensors->items[json_integer_value(position)] : NULL;
}

/* '2 x 3 F32' for messages; a shape is at most five numbers of twenty digits. */
static const char *describe(char text[160], kd2m_tensor_type type, size_t dims,
                            const size_t *shape) {
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < dims; i++)
        length += (size_t)snprintf(text + length, 160 - length, i ? " x %zu" : "%zu", shape[i]);
    snprintf(text + length, 160 - length, "%s%s", dims ? " " : "", types[type].name);
    return text;
}

kd2m_status kd2m_tensors_expect(const kd2m_tensors *tensors, kd2m_tensor **out, const char *name,
                                kd2m_tensor_type type, size_t dims, const size_t *shape) {
    *out = NULL;
    char wanted[160], found[160];
    kd2m_tensor *tensor = kd2m_tensors_find(tensors, name);
    if (!tensor)
        return kd2m_fail(tensors->context, KD2M_ERROR_INPUT,
                         "there is no tensor '%s' (%s) among the %zu tensors", name,
                         describe(wanted, type, dims, shape), tensors->count);
    bool same = tensor->type == type && tensor->dims == dims;
    for (size_t i = 0; i < dims && same; i++)
        same = tensor->shape[i] == shape[i];
    if (!same)
        return kd2m_fail(tensors->context, KD2M_ERROR_INPUT, "tensor '%s' is %s, it must be %s",
                         name, describe(found, tensor->type, tensor->dims, tensor->shape),
                         describe(wanted, type, dims, shape));
    *out = tensor;
    return KD2M_OK;
}

kd2m_status kd2m_tensors_set_text(kd2m_tensors *tensors, const char *key, const char *text) {
    return kd2m_json_set(tensors->context, tensors->metadata, key, json_string(text));
}

const char *kd2m_tensors_text(const kd2m_tensors *tensors, const char *key) {
    return json_string_value(json_object_get(tensors->metadata, key));
}
