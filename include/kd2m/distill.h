/*
 * Training and distillation, evaluation, run folders.
 *
 * A run trains one net on a data set, alone or under a teacher, and leaves a folder:
 *     config.json        all settings, versions, seed, digests of data and teacher
 *     log.jsonl          one line an epoch: every loss term, its gradient's share, its solver's
 *                        certificate, accuracy; a last one tells what a run broke down of
 *     model.safetensors  the net alone, with the normalisation of its input
 *     checkpoint/        what --resume goes on from, to the bit
 *     result.json        the outcome
 *     profile.json       where the time went, if it was asked for
 */
#ifndef KD2M_DISTILL_H
#define KD2M_DISTILL_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"
#include "kd2m/data.h"
#include "kd2m/settings.h"
#include "kd2m/stats.h"
#include "kd2m/table.h"

KD2M_BEGIN_DECLS

/* clang-format off */
#define KD2M_TRAIN_SETTINGS(X)                                                                     \
    KD2M_DATA_SETTINGS(X)                                                                          \
    X(TEXT,    model,        NULL,      0, 0,        "SPEC",   "net to train, e.g. mlp:784-64-10, cnn1d:width=0.25 or resnet20") \
    X(TEXT,    teacher,      NULL,      0, 0,        "PATH",   "teacher: a run folder, a model file, or features in a file or folder") \
    X(TEXT,    loss,         NULL,      0, 0,        "EXPR",   "terms to minimise, e.g. 'ce + 0.5*w2@features'")       \
    X(TEXT,    metric,       NULL,      0, 0,        "SPEC",   "short for --loss 'ce + WEIGHT*SPEC'")                  \
    X(REAL,    weight,       "1",       0, 1e12,     "W",      "weight of --metric")                                   \
    X(CHOICE,  scale,        "teacher", 0, 0,        "teacher|none", "divide a metric by the teacher's feature variance, or not") \
    X(FLAG,    strict,       "0",       0, 1,        NULL,     "end the run where the solver of a loss term does not converge") \
    X(INTEGER, epochs,       "8",       1, 1000000,  "N",      "passes over the training data")                        \
    X(INTEGER, batch_size,   "128",     1, 1048576,  "N",      "samples in a step")                                    \
    X(CHOICE,  sampler,      "shuffle", 0, 0,        "shuffle|balanced|clustered", "how batches are drawn")            \
    X(INTEGER, classes_per_batch, "2",  1, 65536,    "N",      "classes that a batch of --sampler clustered is drawn from") \
    X(TEXT,    augment,      NULL,      0, 0,        "CHAIN",  "random changes of training samples, e.g. crop:pad=4+flip") \
    X(CHOICE,  optimizer,    "sgd",     0, 0,        "sgd|adamw", "update rule")                                       \
    X(REAL,    lr,           "0.05",    0, 1000,     "RATE",   "highest learning rate")                                \
    X(REAL,    final_lr,     "0",       0, 1000,     "RATE",   "learning rate that the cosine schedule ends at")       \
    X(CHOICE,  schedule,     "cosine",  0, 0,        "cosine|step|constant", "learning rate over time")                \
    X(REAL,    warmup,       "0",       0, 1000000,  "EPOCHS", "linear warm-up of the learning rate")                  \
    X(REAL,    step_every,   "30",      0.001, 1e6,  "EPOCHS", "schedule step: epochs between two drops")              \
    X(REAL,    step_factor,  "0.1",     0, 1,        "F",      "schedule step: factor of a drop")                      \
    X(REAL,    momentum,     "0.9",     0, 0.999999, "M",      "momentum of sgd")                                      \
    X(FLAG,    nesterov,     "0",       0, 1,        NULL,     "Nesterov's momentum")                                  \
    X(REAL,    weight_decay, "0.0001",  0, 1,        "W",      "weight decay, not on batch norm and biases")           \
    X(REAL,    clip,         "0",       0, 1e12,     "NORM",   "largest gradient norm, 0 for none")                    \
    X(CHOICE,  select,       "best",    0, 0,        "best|last", "which epoch's net is kept: best by validation, or the last") \
    X(FLAG,    blind,        "0",       0, 1,        NULL,     "leave test data unread: the result is told by validation alone") \
    X(TEXT,    teacher_cache, NULL,     0, 0,        "DIR",    "keep what the teacher says of each sample in files there, for this run and others") \
    X(INTEGER, teacher_cache_limit, "1024", 1, 1e9,  "MIB",    "most that a run keeps there; where it would be more, the teacher runs in every step") \
    X(TEXT,    initial,      NULL,      0, 0,        "FILE",   "start from the weights of this model file")
/* clang-format on */

typedef struct kd2m_train_settings {
    KD2M_TRAIN_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_train_settings;

/* The list behind the struct: for defaults, flags and help. Static. */
KD2M_API const kd2m_setting_list *kd2m_train_setting_list(void);

/* What to do with a folder that already holds something. */
typedef enum kd2m_run_mode {
    KD2M_RUN_NEW,    /* refuse it */
    KD2M_RUN_RESUME, /* go on from its checkpoint, with its settings; start if there is none */
    KD2M_RUN_FORCE   /* remove the run that is there, then start */
} kd2m_run_mode;

typedef struct kd2m_run_result {
    double test_accuracy;       /* NaN where the data set has no test part, and with `blind` */
    double test_loss;           /* cross-entropy */
    double validation_accuracy; /* of the epoch that was kept; NaN without validation */
    double teacher_accuracy;    /* on test; NaN without a teacher, or one that doesn't know */
    size_t parameters;          /* trained scalars of the net */
    double seconds;             /* of the whole run, earlier sittings included */
    double samples_per_second;  /* training steps alone */
    int64_t epochs;             /* done */
    int64_t best_epoch;         /* kept, from 1 */
    int64_t unconverged;        /* values of loss terms whose solver did not converge */
} kd2m_run_result;

/*
 * Trains into `folder`. Without settings->teacher it is plain training. With RESUME, `settings` may
 * be NULL: config.json's are used; if given, they must be the same.
 * Errors: KD2M_ERROR_USAGE, KD2M_ERROR_INPUT, KD2M_ERROR_IO, KD2M_ERROR_MEMORY;
 * KD2M_ERROR_INTERRUPTED after a checkpoint was written; KD2M_ERROR_NUMERIC if the loss is NaN or,
 * with settings->strict, a term's solver did not converge.
 */
KD2M_API kd2m_status kd2m_run(kd2m_run_result *out, kd2m_context *context, const char *folder,
                              const kd2m_train_settings *settings, kd2m_run_mode mode);

/*
 * The same, and *profile = a table of where training's time went (kd2m_table_free), which is also
 * written to profile.json: seconds and GFLOP/s of each layer, forward and backward, of each kind of
 * operator, of the terms of the loss (and the bytes that each asked for), teacher, optimiser,
 * waiting for data, validation, checkpoints and the rest. It counts this sitting alone. NULL
 * `profile`: none is taken. What is trained is the same to the bit.
 */
KD2M_API kd2m_status kd2m_run_profiled(kd2m_run_result *out, kd2m_table **profile,
                                       kd2m_context *context, const char *folder,
                                       const kd2m_train_settings *settings, kd2m_run_mode mode);

typedef struct kd2m_evaluation {
    kd2m_scores scores; /* rows, accuracy, balanced accuracy, macro F1 */
    double loss;        /* mean cross-entropy */
} kd2m_evaluation;

/*
 * Evaluates a model file or run folder on the test part of a data set (all of its training part
 * where there is no test part). The data go through data->transform, then through the model's own
 * chain and normalisation: what data->transform yields must look like the data it was trained on.
 * Errors: KD2M_ERROR_INPUT where shapes or classes don't fit, and as for opening both.
 */
KD2M_API kd2m_status kd2m_evaluate(kd2m_evaluation *out, kd2m_context *context, const char *model,
                                   const kd2m_data_settings *data);

/* clang-format off */
#define KD2M_FEATURES_SETTINGS(X)                                                                  \
    KD2M_DATA_SETTINGS(X)                                                                          \
    X(TEXT,    layers,       NULL,      0, 0,        "NAMES",  "layers beside features and logits, e.g. bn3,pool1")    \
    X(FLAG,    moments,      "0",       0, 1,        NULL,     "means and variances of the training samples, not rows of all") \
    X(FLAG,    per_class,    "0",       0, 1,        NULL,     "those of each class by itself")
/* clang-format on */

/* What of a model is written on which data. */
typedef struct kd2m_features_settings {
    KD2M_FEATURES_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_features_settings;

/* The list behind the struct: for defaults, flags and help. Static. */
KD2M_API const kd2m_setting_list *kd2m_features_setting_list(void);

/*
 * Runs a model file or run folder over all samples of a data set, training part and test part, and
 * writes what comes out to a .safetensors file (docs/teachers-from-files.md), which may be a
 * teacher: `features`, `logits` and settings->layers, with `keys`, `labels` and the data set's
 * digest; or, with settings->moments, NAME.mean and NAME.variance over the training part, of layers
 * with positions those of their means over them. *rows = samples that went in. The data go through
 * settings->transform, then through the model's own chain; nothing is kept for validation. The file
 * is written whole or not at all. Memory: that of the file.
 * Errors: as kd2m_evaluate; KD2M_ERROR_USAGE (settings, an unknown layer), KD2M_ERROR_IO,
 * KD2M_ERROR_INTERRUPTED.
 */
KD2M_API kd2m_status kd2m_features_write(size_t *rows, kd2m_context *context, const char *model,
                                         const kd2m_features_settings *settings, const char *path);

KD2M_END_DECLS

#endif
