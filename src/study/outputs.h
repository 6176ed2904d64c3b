/* What a trial's net says on a part of its data. */
#ifndef KD2M_STUDY_OUTPUTS_H
#define KD2M_STUDY_OUTPUTS_H

#include "kd2m/data.h"
#include "study_internal.h"

/* A run over a split, row by row. */
typedef struct kd2m_said {
    kd2m_context *context;
    size_t rows, classes;
    int32_t *labels;
    float *logits;
} kd2m_said;

/*
 * Runs the net in a trial's folder over a split of the data that `training`, the trial's settings,
 * describe, with those of `shift` over them unless NULL. *out is to be cleared after failures, too.
 * Errors: KD2M_ERROR_INPUT where there are no such rows, and as kd2m_evaluate.
 */
kd2m_status kd2m_outputs_of(kd2m_said *out, kd2m_context *context, const char *folder,
                            const json_t *training, const json_t *shift, kd2m_split split);
void kd2m_said_clear(kd2m_said *said);

/* *out = the settings of that split's data; their texts are borrowed from *kept, the caller's. */
kd2m_status kd2m_outputs_data(kd2m_context *context, const json_t *training, const json_t *shift,
                              json_t **kept, kd2m_data_settings *out);

/* The same as the store has it. */
kd2m_outputs kd2m_said_outputs(const kd2m_said *said);

#endif
