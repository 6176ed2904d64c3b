/* Transforms on what a reader delivered. */
#ifndef KD2M_DATA_TRANSFORMED_H
#define KD2M_DATA_TRANSFORMED_H

#include "dataset.h"

/*
 * Sends both parts of `raw` through a chain of transforms: shape and values change, floats come
 * out. An empty chain (NULL, "") leaves raw as it is. *plain = the chain in its plain form, owned.
 * Errors: as for kd2m_chain_open and kd2m_chain_apply; KD2M_ERROR_INTERRUPTED.
 */
kd2m_status kd2m_raw_data_transform(kd2m_context *context, kd2m_raw_data *raw, const char *chain,
                                    char **plain);

/* *out = owned 'first+second', of which either may be NULL or empty. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_transforms_join(kd2m_context *context, char **out, const char *first,
                                 const char *second);

#endif
