/*
 * The training loop and all it holds. trainer.c builds it and runs it, checkpoint.c stores it and
 * brings it back to the bit, run.c puts it into a folder.
 */
#ifndef KD2M_DISTILL_TRAINER_H
#define KD2M_DISTILL_TRAINER_H

#include <jansson.h>

#include "loader.h"
#include "objective.h"
#include "optimizer.h"
#include "run_folder.h"

/* Where a run stands: plain numbers, all of them in the checkpoint. */
typedef struct kd2m_run_state {
    size_t epoch;                    /* epochs done */
    size_t step;                     /* steps done of the epoch under way */
    double loss_sum;                 /* over the epoch's steps so far */
    size_t best_epoch;               /* from 1; 0 = none yet */
    double best_accuracy, best_loss; /* of that epoch, on validation */
    double samples;                  /* trained on so far */
    double training_seconds;         /* of the steps alone */
    double seconds;                  /* of all sittings */
    uint64_t log_length;
} kd2m_run_state;

/* The loop's own rows in a profile. */
typedef struct kd2m_trainer_rows {
    size_t loader, optimizer, validation, checkpoint;
} kd2m_trainer_rows;

typedef struct kd2m_trainer {
    kd2m_context *context;
    const kd2m_train_settings *settings; /* borrowed */
    kd2m_dataset *dataset;
    kd2m_normalisation normalisation;
    kd2m_graph *graph;
    kd2m_net *student;
    kd2m_runner *runner;   /* the student in inference kind */
    kd2m_teacher *teacher; /* NULL without one */
    kd2m_objective *objective;
    kd2m_optimizer *optimizer;
    kd2m_loader *loader;
    kd2m_schedule schedule;
    kd2m_tensors *best; /* the student's tensors of the best epoch; NULL before there is one */
    kd2m_run_state state;
    double sitting_began;  /* clock */
    double seconds_before; /* state.seconds when this sitting began */
    kd2m_profile *profile; /* borrowed; NULL without one */
    kd2m_trainer_rows rows;
} kd2m_trainer;

/* Opens data, teacher and nets. `settings` must be valid; borrowed until kd2m_trainer_free. */
kd2m_status kd2m_trainer_create(kd2m_trainer **out, kd2m_context *context,
                                const kd2m_train_settings *settings);
void kd2m_trainer_free(kd2m_trainer *trainer);

/* Adds the rows of all that training does to `profile` (borrowed), which kd2m_trainer_run then
 * keeps. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_trainer_profile(kd2m_trainer *trainer, kd2m_profile *profile);

/* What training takes, measured. */
typedef struct kd2m_trainer_pace {
    size_t steps;              /* of an epoch */
    double step_seconds;       /* median */
    double validation_seconds; /* of one validation */
} kd2m_trainer_pace;

/* Takes a few steps of the first epoch to see how long they are, and validates once. The trainer is
 * of no use for training afterwards. */
kd2m_status kd2m_trainer_measure(kd2m_trainer *trainer, kd2m_trainer_pace *out);

/* Trains from where the state stands to the end, logging and storing checkpoints in `folder`.
 * KD2M_ERROR_INTERRUPTED comes after a checkpoint. */
kd2m_status kd2m_trainer_run(kd2m_trainer *trainer, kd2m_run_folder *folder);

/* Puts the tensors to keep (best or last epoch) into trainer->runner and hands them out; owned by
 * the caller. */
kd2m_status kd2m_trainer_outcome(kd2m_trainer *trainer, kd2m_tensors **out);

/* Writes the line of the epoch that `state` has just completed to the log. */
kd2m_status kd2m_epoch_log(kd2m_trainer *trainer, kd2m_run_folder *folder,
                           const kd2m_evaluation *validation, double lr);

/* Writes the log's last line, of a run that broke down: where, and the context's message. The run
 * that is resumed cuts it off. */
kd2m_status kd2m_epoch_log_failure(kd2m_trainer *trainer, kd2m_run_folder *folder);

/* Sets a term's counts as keys of `line`. */
kd2m_status kd2m_counts_to_json(kd2m_context *context, json_t *line,
                                const kd2m_term_counts *counts);

/* Stores the trainer in folder->checkpoint, atomically. */
kd2m_status kd2m_checkpoint_write(kd2m_trainer *trainer, kd2m_run_folder *folder);

/* Brings the trainer back from folder->checkpoint. */
kd2m_status kd2m_checkpoint_read(kd2m_trainer *trainer, kd2m_run_folder *folder);

#endif
