/*
 * Which training rows a batch holds: a function of (seed, epoch, step) alone. The state only caches
 * permutations, so any step may be asked for at any time.
 */
#ifndef KD2M_DATA_SAMPLER_H
#define KD2M_DATA_SAMPLER_H

#include "loader.h"

typedef struct kd2m_class_queue {
    size_t start; /* of its rows among all rows sorted by class */
    size_t count; /* >= 1 */
    size_t epoch; /* whose permutation stands in `order` now */
    size_t round; /* and which one of that epoch; SIZE_MAX = none yet */
    size_t taken; /* clustered: of its rows, by the batches so far */
    size_t step;  /* clustered: the last batch that took some; SIZE_MAX = none yet */
} kd2m_class_queue;

typedef struct kd2m_row_sampler {
    kd2m_context *context;
    uint64_t seed;
    size_t batch_size;
    size_t rows;              /* in the training split */
    size_t queue_count;       /* 1 for shuffle, the classes present for balanced */
    kd2m_class_queue *queues; /* owned, as the two below */
    uint32_t *sorted;         /* rows, by class, ascending */
    uint32_t *order;          /* the queues' permutations */
    uint32_t *clusters;       /* clustered: all rows as an epoch's batches have them; else NULL */
    size_t cluster_classes;   /* clustered: that a batch begins with */
    size_t clustered;         /* the epoch of `clusters`; SIZE_MAX = none yet */
} kd2m_row_sampler;

/* Errors: KD2M_ERROR_USAGE (batch of 0 or larger than the split, clusters of no class),
 * KD2M_ERROR_MEMORY. */
kd2m_status kd2m_row_sampler_init(kd2m_row_sampler *sampler, const kd2m_dataset *dataset,
                                  const kd2m_loader_settings *settings);

/* Writes the batch_size rows of a step < rows / batch_size of an epoch. Allocates nothing. */
void kd2m_row_sampler_draw(kd2m_row_sampler *sampler, size_t epoch, size_t step, uint32_t *ids);

void kd2m_row_sampler_clear(kd2m_row_sampler *sampler);

#endif
