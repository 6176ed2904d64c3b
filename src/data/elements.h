/* The elements of an array file, as they lie in the file, brought into memory. */
#ifndef KD2M_DATA_ELEMENTS_H
#define KD2M_DATA_ELEMENTS_H

#include <stdbool.h>

#include "kd2m/array.h"
#include "source.h"

typedef enum kd2m_encoding_kind {
    KD2M_ENCODING_F4,
    KD2M_ENCODING_F8,
    KD2M_ENCODING_U1,
    KD2M_ENCODING_I4,
    KD2M_ENCODING_I8
} kd2m_encoding_kind;

typedef struct kd2m_encoding {
    kd2m_encoding_kind kind;
    bool big_endian;
} kd2m_encoding;

/* Whether this machine stores the highest byte first. */
bool kd2m_host_big_endian(void);

/*
 * Reads the elements of `array`, whose dims and shape are set, and expects the source to end behind
 * them; fills element, count and values (owned by the caller, also after a failure). f8 is rounded
 * to f4, i8 must fit i4; with `gaps` NaN is let through. Memory grows as data arrives, whatever the
 * shape claims. Errors: KD2M_ERROR_INPUT (a dimension of 0, overflow, length, NaN, infinity or
 * range, with count and first position), KD2M_ERROR_IO, KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_elements_read(kd2m_array *array, kd2m_context *context, kd2m_source *source,
                               kd2m_encoding encoding, bool gaps);

/* Counts the values that are NaN or infinite; *first is the position of the first of them. */
size_t kd2m_elements_count_non_finite(const float *values, size_t count, size_t *first);

#endif
