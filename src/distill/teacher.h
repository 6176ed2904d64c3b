/*
 * The teacher: a trained net that is only ever run, never updated, in inference kind, on inputs
 * normalised its own way.
 */
#ifndef KD2M_DISTILL_TEACHER_H
#define KD2M_DISTILL_TEACHER_H

#include "evaluate.h"
#include "model_file.h"

typedef struct kd2m_teacher {
    kd2m_context *context;
    kd2m_model_file *file; /* owned */
    kd2m_net *net;         /* owned: for training batches */
    uint64_t digest;       /* of the parameters */
    size_t channels, positions, batch;
    float *factor, *offset; /* channels: student's input -> teacher's; NULL where they are equal */
    float *input;           /* batch x sample */
} kd2m_teacher;

/* Loads the teacher at `path` for batches of `dataset` that were normalised with `normalisation`.
 * Errors: as for reading a model; KD2M_ERROR_INPUT where it doesn't fit the data. */
kd2m_status kd2m_teacher_open(kd2m_teacher **out, kd2m_context *context, const char *path,
                              const kd2m_dataset *dataset, const kd2m_normalisation *normalisation,
                              size_t batch);
void kd2m_teacher_free(kd2m_teacher *teacher);

/* Runs a training batch, as the loader gives it. Outputs are read from teacher->net. */
kd2m_status kd2m_teacher_forward(kd2m_teacher *teacher, const float *values);

/* Accuracy and loss on a split, by a runner of its own. */
kd2m_status kd2m_teacher_evaluate(kd2m_teacher *teacher, const kd2m_dataset *dataset,
                                  kd2m_split split, kd2m_evaluation *out);

#endif
