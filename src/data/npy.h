/* NumPy's .npy format, read from any byte source. */
#ifndef KD2M_DATA_NPY_H
#define KD2M_DATA_NPY_H

#include "kd2m/array.h"
#include "source.h"

/* Reads the array that `source` holds, to its end: kd2m_array_read without the file. */
kd2m_status kd2m_array_parse(kd2m_array *out, kd2m_context *context, kd2m_source *source);

/* The same, with NaN for values that are missing. */
kd2m_status kd2m_array_parse_gaps(kd2m_array *out, kd2m_context *context, kd2m_source *source);

/* kd2m_array_read, with NaN for values that are missing. */
kd2m_status kd2m_array_read_gaps(kd2m_array *out, kd2m_context *context, const char *path);

#endif
