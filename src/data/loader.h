/*
 * The loader: shuffled batches, prepared by a thread of its own while the net works. Which samples
 * a batch holds depends on (seed, epoch, step) alone, so a run can start at any step.
 */
#ifndef KD2M_DATA_LOADER_H
#define KD2M_DATA_LOADER_H

#include "dataset.h"
#include "kd2m/sample.h"

typedef enum kd2m_sampler {
    KD2M_SAMPLER_SHUFFLE,  /* every sample once an epoch, the last incomplete batch dropped */
    KD2M_SAMPLER_BALANCED, /* every batch holds each class equally often (+-1), by class queues
                             reshuffled as they run out */
    KD2M_SAMPLER_CLUSTERED /* every sample once an epoch, a batch of few classes */
} kd2m_sampler;

/* Borrowed from the loader until the next call of kd2m_loader_next. */
typedef struct kd2m_batch {
    size_t rows;
    const float *values;               /* rows x sample_size, normalised */
    const int32_t *labels;             /* rows */
    const uint32_t *ids;               /* rows: row numbers in the training split */
    const kd2m_sample_column *columns; /* column_count: those that the training part has */
    size_t column_count;
} kd2m_batch;

typedef struct kd2m_loader kd2m_loader;

typedef struct kd2m_loader_settings {
    const kd2m_normalisation *normalisation; /* borrowed; NULL: values as measured */
    size_t batch_size;
    kd2m_sampler sampler;
    uint64_t seed;
    const char *augment;      /* chain of augmentations; NULL or "": none. Needs a normalisation */
    size_t classes_per_batch; /* of clustered, >= 1 */
} kd2m_loader_settings;

/*
 * `dataset` is borrowed. Errors: KD2M_ERROR_USAGE when the batch is larger than the training split,
 * and as for kd2m_augmenter_create.
 */
kd2m_status kd2m_loader_create(kd2m_loader **out, const kd2m_dataset *dataset,
                               const kd2m_loader_settings *settings);

/* Batches in an epoch, >= 1. */
size_t kd2m_loader_steps(const kd2m_loader *loader);

/* Begins (again) at a step of an epoch, both from 0; running prefetch is dropped. */
kd2m_status kd2m_loader_seek(kd2m_loader *loader, size_t epoch, size_t step);

/* The next batch; runs on into the next epoch by itself. */
kd2m_status kd2m_loader_next(kd2m_loader *loader, kd2m_batch *batch);

/* Seconds that kd2m_loader_next has waited for the prefetch so far. */
double kd2m_loader_waited(const kd2m_loader *loader);

void kd2m_loader_free(kd2m_loader *loader);

#endif
