/*
 * From the bytes of an array file to an array: order of bytes, width, range.
 *
 * Every width is narrowed in place, front to back, so that reading takes no second copy: an element
 * is written at or before the place it was read from. Time and memory are linear in the file.
 * Thread rule: that of the context.
 */
#include "elements.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "simd.h"

static const struct {
    kd2m_element element;
    size_t width;
} encodings[] = {
    [KD2M_ENCODING_F4] = {KD2M_FLOAT32, 4}, [KD2M_ENCODING_F8] = {KD2M_FLOAT32, 8},
    [KD2M_ENCODING_U1] = {KD2M_UINT8, 1},   [KD2M_ENCODING_I4] = {KD2M_INT32, 4},
    [KD2M_ENCODING_I8] = {KD2M_INT32, 8},
};

bool kd2m_host_big_endian(void) {
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 0;
}

static kd2m_status count_elements(kd2m_array *array, kd2m_context *context, kd2m_source *source,
                                  size_t width, size_t *bytes) {
    size_t count = 1;
    bool fits = true;
    for (size_t i = 0; i < array->dims; i++) {
        if (array->shape[i] == 0)
            return kd2m_fail(context, KD2M_ERROR_INPUT, "%s: holds no values, dimension %zu is 0",
                             kd2m_source_name(source), i);
        fits = fits && kd2m_size_multiply(count, array->shape[i], &count);
    }
    if (!fits || !kd2m_size_multiply(count, width, bytes))
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: the shape in its header is larger than any memory",
                         kd2m_source_name(source));
    array->count = count;
    return KD2M_OK;
}

static void swap_bytes(unsigned char *bytes, size_t count, size_t width) {
    for (size_t i = 0; i < count; i++) {
        unsigned char *element = bytes + i * width;
        for (size_t k = 0; k < width / 2; k++) {
            unsigned char kept = element[k];
            element[k] = element[width - 1 - k];
            element[width - 1 - k] = kept;
        }
    }
}

static void narrow_doubles(unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        double wide;
        memcpy(&wide, bytes + 8 * i, sizeof wide);
        float narrow = (float)wide;
        memcpy(bytes + 4 * i, &narrow, sizeof narrow);
    }
}

/* How many do not fit 32 bits; *first is the position of the first of them. */
static size_t narrow_integers(unsigned char *bytes, size_t count, size_t *first) {
    size_t outside = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t wide;
        memcpy(&wide, bytes + 8 * i, sizeof wide);
        int32_t narrow = (int32_t)wide;
        if (narrow != wide && outside++ == 0)
            *first = i;
        memcpy(bytes + 4 * i, &narrow, sizeof narrow);
    }
    return outside;
}

KD2M_CLONES
static size_t count_non_finite(const float *values, size_t count) {
    size_t found = 0;
#pragma omp simd reduction(+ : found)
    for (size_t i = 0; i < count; i++)
        found += !(values[i] - values[i] == 0.0F);
    return found;
}

size_t kd2m_elements_count_non_finite(const float *values, size_t count, size_t *first) {
    size_t found = count_non_finite(values, count);
    *first = 0;
    while (found > 0 && values[*first] - values[*first] == 0.0F)
        ++*first;
    return found;
}

/* The same for infinite ones alone. */
static size_t count_infinite(const float *values, size_t count, size_t *first) {
    size_t found = 0;
    *first = 0;
    for (size_t i = 0; i < count; i++)
        if (isinf(values[i]) && found++ == 0)
            *first = i;
    return found;
}

/* Names `found` offending values and where the first of them is. */
static kd2m_status refuse_values(const kd2m_array *array, kd2m_context *context,
                                 kd2m_source *source, size_t found, size_t first,
                                 const char *fault) {
    size_t row_size = array->count / array->shape[0];
    return kd2m_fail(context, KD2M_ERROR_INPUT,
                     "%s: %zu of %zu values %s, the first in row %zu, element %zu (from 0)",
                     kd2m_source_name(source), found, array->count, fault, first / row_size,
                     first % row_size);
}

kd2m_status kd2m_elements_read(kd2m_array *array, kd2m_context *context, kd2m_source *source,
                               kd2m_encoding encoding, bool gaps) {
    kd2m_status status = KD2M_OK;
    size_t width = encodings[encoding.kind].width;
    size_t bytes = 0;
    size_t first = 0;
    size_t found = 0;
    const char *fault = gaps ? "are infinite" : "are NaN or infinite";

    if (encoding.kind == KD2M_ENCODING_F8)
        fault = gaps ? "are infinite or beyond 32-bit floats"
                     : "are NaN, infinite or beyond 32-bit floats";
    array->element = encodings[encoding.kind].element;
    KD2M_TRY(count_elements(array, context, source, width, &bytes));
    KD2M_TRY(kd2m_source_read_block(source, &array->values, bytes, "the values"));
    KD2M_TRY(kd2m_source_expect_end(source, "the values"));
    if (width > 1 && encoding.big_endian != kd2m_host_big_endian())
        swap_bytes(array->values, array->count, width);
    if (encoding.kind == KD2M_ENCODING_F8)
        narrow_doubles(array->values, array->count);
    if (encoding.kind == KD2M_ENCODING_I8) {
        found = narrow_integers(array->values, array->count, &first);
        fault = "do not fit 32-bit integers";
    }
    if (array->element == KD2M_FLOAT32)
        found = gaps ? count_infinite(array->values, array->count, &first)
                     : kd2m_elements_count_non_finite(array->values, array->count, &first);
    if (found > 0)
        status = refuse_values(array, context, source, found, first, fault);

cleanup:
    return status;
}
