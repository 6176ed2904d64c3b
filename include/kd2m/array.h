/* Arrays in NumPy's .npy files, the plain currency between programs. */
#ifndef KD2M_ARRAY_H
#define KD2M_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"

KD2M_BEGIN_DECLS

#define KD2M_ARRAY_MAX_DIMS 4

typedef enum kd2m_element { KD2M_FLOAT32, KD2M_UINT8, KD2M_INT32 } kd2m_element;

/* A dense row-major array. `values` is owned by it. */
typedef struct kd2m_array {
    kd2m_element element;
    size_t dims;                       /* 1..KD2M_ARRAY_MAX_DIMS */
    size_t shape[KD2M_ARRAY_MAX_DIMS]; /* each >= 1 */
    size_t count;                      /* product of shape */
    void *values;                      /* count elements */
} kd2m_array;

/*
 * Reads a .npy file, format 1 to 3, little- or big-endian, C order, f4 f8 u1 i4 i8 (f8 is rounded
 * to f4; i8 becomes i4 and must fit), gzip or not. On failure *out is zeroed. Errors:
 * KD2M_ERROR_IO, KD2M_ERROR_INPUT (header, order, type, length, and NaN or infinity: their count
 * and first position), KD2M_ERROR_MEMORY.
 */
KD2M_API kd2m_status kd2m_array_read(kd2m_array *out, kd2m_context *context, const char *path);

/* Writes format 1.0, atomically; an existing file is replaced. Errors: KD2M_ERROR_IO. */
KD2M_API kd2m_status kd2m_array_write(kd2m_context *context, const kd2m_array *array,
                                      const char *path);

/* Frees the values and zeroes the struct. */
KD2M_API void kd2m_array_clear(kd2m_context *context, kd2m_array *array);

KD2M_END_DECLS

#endif
