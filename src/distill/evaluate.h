/* Running a net over a whole split: accuracy, loss, and a layer's outputs as arrays. */
#ifndef KD2M_DISTILL_EVALUATE_H
#define KD2M_DISTILL_EVALUATE_H

#include "dataset.h"
#include "kd2m/distill.h"
#include "model_file.h"
#include "net.h"
#include "scores.h"

/* What is said of no rows, or where nothing is known: NaN. */
extern const kd2m_evaluation kd2m_evaluation_unknown;

/* *out = what was counted, and the mean of losses that sum to `loss`. */
void kd2m_evaluation_conclude(kd2m_evaluation *out, kd2m_class_scores *counts, size_t classes,
                              double loss);

/* A runner: an inference net and the batch it reads into. */
typedef struct kd2m_runner {
    kd2m_context *context;
    const kd2m_dataset *dataset;             /* borrowed */
    const kd2m_normalisation *normalisation; /* borrowed */
    const kd2m_graph *graph;                 /* borrowed */
    kd2m_net *net;                           /* owned */
    float *values;                           /* batch x sample */
    int32_t *labels;
    float *outputs;            /* batch x classes */
    kd2m_class_scores *counts; /* by class, of a whole run */
} kd2m_runner;

/* Makes the inference net for batches of `batch` rows; its parameters are the caller's to set.
 * Beside features and logits the nodes `read`, `count` of them, can be read. */
kd2m_status kd2m_runner_create(kd2m_runner **out, const kd2m_dataset *dataset,
                               const kd2m_normalisation *normalisation, const kd2m_graph *graph,
                               size_t batch, const size_t *read, size_t count);
void kd2m_runner_free(kd2m_runner *runner);

/* Called with each batch's number of true rows after its forward; the net is runner->net. */
typedef kd2m_status (*kd2m_runner_visit)(void *user, kd2m_runner *runner, size_t rows);

/* Runs the split in order; `visit` may be NULL. `out` may be NULL; else it is filled (accuracy and
 * loss are NaN for a split without rows). */
kd2m_status kd2m_runner_run(kd2m_runner *runner, kd2m_split split, kd2m_evaluation *out,
                            kd2m_runner_visit visit, void *user);

/* A model, data that went through its chain, and a runner of the one on the other. */
typedef struct kd2m_trial {
    kd2m_model_file *file; /* all three owned */
    kd2m_dataset *dataset;
    kd2m_runner *runner;
} kd2m_trial;

/* Opens both; the runner is to be made by kd2m_trial_start. *out is to be cleared after failures,
 * too. */
kd2m_status kd2m_trial_open(kd2m_trial *out, kd2m_context *context, const char *model,
                            const kd2m_data_settings *data);

/* Makes the runner, which can be read as kd2m_runner_create says. */
kd2m_status kd2m_trial_start(kd2m_trial *trial, const size_t *read, size_t count);
void kd2m_trial_clear(kd2m_trial *trial);

/* KD2M_ERROR_INPUT unless the graph takes this data set's samples and has as many classes. */
kd2m_status kd2m_check_fit(kd2m_context *context, const kd2m_graph *graph,
                           const kd2m_dataset *dataset, const char *model);

#endif
