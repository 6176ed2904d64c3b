/*
 * Keys of samples: what tells a sample from others wherever it stands, so that what was computed of
 * it elsewhere finds its way back. Memory: eight bytes a row.
 */
#ifndef KD2M_DATA_KEYS_H
#define KD2M_DATA_KEYS_H

#include "dataset.h"

/* Gives both parts their keys, from the values as they were read: to be called before any
 * transform. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_raw_data_make_keys(kd2m_context *context, kd2m_raw_data *raw);

#endif
