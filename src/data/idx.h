/* The IDX format of the MNIST files, read from any byte source. */
#ifndef KD2M_DATA_IDX_H
#define KD2M_DATA_IDX_H

#include "kd2m/array.h"
#include "source.h"

/*
 * Reads the array that `source` holds, to its end. On failure *out is zeroed. Errors:
 * KD2M_ERROR_INPUT (magic, type, dimensions, length, NaN), KD2M_ERROR_IO, KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_idx_parse(kd2m_array *out, kd2m_context *context, kd2m_source *source);

#endif
