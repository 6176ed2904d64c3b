/* NumPy's .npy format: read from any byte source, and the header that is written. */
#ifndef KD2M_DATA_NPY_H
#define KD2M_DATA_NPY_H

#include "kd2m/array.h"
#include "source.h"
#include "writer.h"

/* Reads the array that `source` holds, to its end: kd2m_array_read without the file. */
kd2m_status kd2m_array_parse(kd2m_array *out, kd2m_context *context, kd2m_source *source);

/* The same, with NaN for values that are missing. */
kd2m_status kd2m_array_parse_gaps(kd2m_array *out, kd2m_context *context, kd2m_source *source);

/* kd2m_array_read, with NaN for values that are missing. */
kd2m_status kd2m_array_read_gaps(kd2m_array *out, kd2m_context *context, const char *path);
/* Writes the header, format 1.0, of an array of 1..KD2M_ARRAY_MAX_DIMS dimensions; its elements, in
 * this machine's byte order, are to follow. */
kd2m_status kd2m_array_write_header(kd2m_writer *writer, kd2m_element element, size_t dims,
                                    const size_t *shape);

#endif
