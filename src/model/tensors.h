/*
 * Named tensors and the safetensors format (8-byte header length, JSON header, raw data).
 * Writing is deterministic: the same tensors, added in the same order, give the same bytes.
 */
#ifndef KD2M_MODEL_TENSORS_H
#define KD2M_MODEL_TENSORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"
#include "source.h"

#define KD2M_TENSOR_DIMS 5
#define KD2M_TENSOR_NAME 255 /* longest name in bytes */

typedef enum kd2m_tensor_type {
    KD2M_TENSOR_F32,
    KD2M_TENSOR_F64,
    KD2M_TENSOR_I32,
    KD2M_TENSOR_I64,
    KD2M_TENSOR_U8
} kd2m_tensor_type;

typedef struct kd2m_tensor {
    char *name;
    kd2m_tensor_type type;
    size_t dims; /* 0 (a scalar) .. KD2M_TENSOR_DIMS */
    size_t shape[KD2M_TENSOR_DIMS];
    size_t count;
    void *values; /* count elements, row-major; owned */
} kd2m_tensor;

typedef struct kd2m_tensors {
    kd2m_context *context;
    kd2m_tensor *items;
    size_t count;
    size_t capacity;
    json_t *index;    /* name -> position in items */
    json_t *metadata; /* object of texts: safetensors' __metadata__ */
} kd2m_tensors;

kd2m_status kd2m_tensors_create(kd2m_tensors **out, kd2m_context *context);
void kd2m_tensors_free(kd2m_tensors *tensors);

/*
 * Adds a zeroed tensor; *out is valid until the next one is added. Errors: KD2M_ERROR_INPUT (a name
 * twice, longer than KD2M_TENSOR_NAME or not UTF-8; too many dimensions), KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_tensors_add(kd2m_tensors *tensors, kd2m_tensor **out, const char *name,
                             kd2m_tensor_type type, size_t dims, const size_t *shape);

/* The same without values: they stay NULL, to be filled in by the caller. */
kd2m_status kd2m_tensors_declare(kd2m_tensors *tensors, kd2m_tensor **out, const char *name,
                                 kd2m_tensor_type type, size_t dims, const size_t *shape);

/* What a type is called in the file ('F32'), and bytes of one element. */
const char *kd2m_tensor_type_name(kd2m_tensor_type type);
size_t kd2m_tensor_type_size(kd2m_tensor_type type);

/* The type of that name; false if there is none. */
bool kd2m_tensor_type_find(const char *name, kd2m_tensor_type *type);

/* The tensor of that name, or NULL. */
kd2m_tensor *kd2m_tensors_find(const kd2m_tensors *tensors, const char *name);

/* The tensor, which must have this type and shape. Errors: KD2M_ERROR_INPUT says what is there. */
kd2m_status kd2m_tensors_expect(const kd2m_tensors *tensors, kd2m_tensor **out, const char *name,
                                kd2m_tensor_type type, size_t dims, const size_t *shape);

kd2m_status kd2m_tensors_set_text(kd2m_tensors *tensors, const char *key, const char *text);
const char *kd2m_tensors_text(const kd2m_tensors *tensors, const char *key); /* NULL if not there */

/* Reads and writes .safetensors. Every length, offset and shape is checked before it is used.
 * Errors: KD2M_ERROR_IO, KD2M_ERROR_INPUT, KD2M_ERROR_MEMORY. */
kd2m_status kd2m_tensors_read(kd2m_tensors **out, kd2m_context *context, const char *path);
kd2m_status kd2m_tensors_write(const kd2m_tensors *tensors, const char *path);

/* *out = the bytes of such a file before its data, *size of them; owned by the caller. The data
 * follow without holes: wider types first, tensors of one width as they were added. Values aren't
 * looked at: they may be declared alone. */
kd2m_status kd2m_tensors_header(const kd2m_tensors *tensors, char **out, size_t *size);

/* Reads from a source that is open; messages begin with the source's name. */
kd2m_status kd2m_tensors_parse(kd2m_tensors **out, kd2m_context *context, kd2m_source *source);

#endif
