/*
 * Arrays in files. Reading takes the file's format apart in npy.c; writing gives format 1.0, in
 * this machine's byte order, the header padded to 64 bytes as NumPy does, so that the values can be
 * mapped. Thread rule: that of the context.
 */
#include "kd2m/array.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "elements.h"
#include "memory.h"
#include "npy.h"

static kd2m_status read_with(kd2m_status (*parse)(kd2m_array *, kd2m_context *, kd2m_source *),
                             kd2m_array *out, kd2m_context *context, const char *path) {
    *out = (kd2m_array){0};
    kd2m_status status = KD2M_OK;
    kd2m_source *source = NULL;

    KD2M_TRY(kd2m_source_open(&source, context, path));
    KD2M_TRY(parse(out, context, source));

cleanup:
    kd2m_source_close(source);
    return status;
}

kd2m_status kd2m_array_read(kd2m_array *out, kd2m_context *context, const char *path) {
    return read_with(kd2m_array_parse, out, context, path);
}

kd2m_status kd2m_array_read_gaps(kd2m_array *out, kd2m_context *context, const char *path) {
    return read_with(kd2m_array_parse_gaps, out, context, path);
}

static const struct {
    const char *code;
    size_t width;
} elements[] = {[KD2M_FLOAT32] = {"f4", 4}, [KD2M_UINT8] = {"u1", 1}, [KD2M_INT32] = {"i4", 4}};

kd2m_status kd2m_array_write_header(kd2m_writer *writer, kd2m_element element, size_t dims,
                                    const size_t *shape) {
    enum { PREAMBLE = 10, ROUND = 64 };
    char header[4 * ROUND] = "\x93NUMPY\x01";
    size_t used = PREAMBLE;
    char order = element == KD2M_UINT8 ? '|' : kd2m_host_big_endian() ? '>' : '<';
    used += (size_t)snprintf(header + used, sizeof header - used,
                             "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order,
                             elements[element].code);
    for (size_t i = 0; i < dims; i++) /* at most 20 digits each: the header holds four */
        used += (size_t)snprintf(header + used, sizeof header - used, "%zu, ", shape[i]);
    used += (size_t)snprintf(header + used, sizeof header - used, "), }");
    size_t end = (used + 1 + ROUND - 1) / ROUND * ROUND;
    memset(header + used, ' ', end - used - 1);
    header[end - 1] = '\n';
    header[8] = (char)((end - PREAMBLE) & 0xff);
    header[9] = (char)((end - PREAMBLE) >> 8);
    return kd2m_writer_write(writer, header, end);
}

kd2m_status kd2m_array_write(kd2m_context *context, const kd2m_array *array, const char *path) {
    kd2m_status status = KD2M_OK;
    kd2m_writer *writer = NULL;
    size_t count = 1;

    bool sound = array->dims >= 1 && array->dims <= KD2M_ARRAY_MAX_DIMS;
    for (size_t i = 0; sound && i < array->dims; i++)
        sound = kd2m_size_multiply(count, array->shape[i], &count);
    if (!sound || count != array->count || count == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%s: not written, the array's shape does not fit its count", path);

    KD2M_TRY(kd2m_writer_open(&writer, context, path));
    KD2M_TRY(kd2m_array_write_header(writer, array->element, array->dims, array->shape));
    KD2M_TRY(
        kd2m_writer_write(writer, array->values, array->count * elements[array->element].width));
    KD2M_TRY(kd2m_writer_commit(writer));

cleanup:
    kd2m_writer_close(writer);
    return status;
}

void kd2m_array_clear(kd2m_context *context, kd2m_array *array) {
    kd2m_free(context, array->values);
    *array = (kd2m_array){0};
}
