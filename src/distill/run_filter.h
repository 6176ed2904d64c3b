/* A condition on runs: 'lr<=0.1', 'loss~w2', 'state=done'. */
#ifndef KD2M_DISTILL_RUN_FILTER_H
#define KD2M_DISTILL_RUN_FILTER_H

#include <stdbool.h>

#include "run_record.h"

typedef struct kd2m_run_relation kd2m_run_relation;

typedef struct kd2m_run_filter {
    const kd2m_table_column *key;
    const kd2m_run_relation *relation;
    const char *text; /* borrowed */
    double number;    /* where the key is one; NaN for none */
} kd2m_run_filter;

/* Reads a condition, which must outlive the filter. Errors: KD2M_ERROR_USAGE. */
kd2m_status kd2m_run_filter_parse(kd2m_run_filter *out, kd2m_context *context, const char *text);

bool kd2m_run_filter_holds(const kd2m_run_filter *filter, const json_t *record);

#endif
