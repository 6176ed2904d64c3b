/*
 * A run as it is listed: what its folder tells, as one flat JSON object with the keys of
 * kd2m/runs.h. A key that is missing is not known, one that is null has no value.
 */
#ifndef KD2M_DISTILL_RUN_RECORD_H
#define KD2M_DISTILL_RUN_RECORD_H

#include <jansson.h>

#include "kd2m/runs.h"

/* All keys, as columns of a table; those from *made_by on tell what a run was made by. Static. */
const kd2m_table_column *kd2m_run_keys(size_t *count, size_t *made_by);

/* *out = the key that the first `length` bytes of `name` name, with '-' for '_' or not. Errors:
 * KD2M_ERROR_USAGE, with the nearest and all others. */
kd2m_status kd2m_run_key_find(const kd2m_table_column **out, kd2m_context *context,
                              const char *name, size_t length);

/* *out = the record of the run in `folder`, a new reference; NULL where there is no run. What can't
 * be understood makes the record a damaged one. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_run_record_read(json_t **out, kd2m_context *context, const char *folder);

/* *out = the record of a folder that can't be read, for the reason in the context. */
kd2m_status kd2m_run_record_damaged(json_t **out, kd2m_context *context, const char *folder);

/* The value of a key: "" for no text, NaN for no number. */
const char *kd2m_run_text(const json_t *record, const char *key);
double kd2m_run_number(const json_t *record, const char *key);

#endif
