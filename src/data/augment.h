/*
 * Augmentation: random changes of training samples, another one every epoch. A sample's change
 * depends on (seed, epoch, its row) alone, not on its batch, so a resumed run repeats it to the
 * bit. It is made on the values as measured, before they are normalised; a pixel or value that
 * comes from beyond the sample's edge is 0, as measured (black).
 *
 * One file each, augment_NAME.c, ends in a descriptor and is listed in augmentations.def.
 */
#ifndef KD2M_DATA_AUGMENT_H
#define KD2M_DATA_AUGMENT_H

#include "normalisation.h"
#include "rng.h"
#include "shape.h"
#include "step.h"

/* An augmentation at its place in a chain. */
typedef struct kd2m_augment_use {
    const void *parameters;
    const kd2m_shape *shape;
    const kd2m_normalisation *normalisation; /* of the training data: the spread of a channel */
} kd2m_augment_use;

typedef struct kd2m_augmentation {
    kd2m_step_kind step;
    /* KD2M_ERROR_INPUT for a shape that it can't take (the message without the name),
     * KD2M_ERROR_USAGE for keys that contradict each other or the shape. */
    kd2m_status (*check)(kd2m_context *context, const kd2m_augment_use *use);
    /* One sample; `rng` is its own. Touches neither context nor allocator. */
    void (*apply)(const kd2m_augment_use *use, kd2m_rng *rng, const float *values, float *out);
} kd2m_augmentation;

/* A chain of augmentations made ready for one data set. */
typedef struct kd2m_augmenter kd2m_augmenter;

/*
 * `normalisation` is borrowed. NULL or an empty chain gives *out = NULL: nothing to do.
 * Errors: KD2M_ERROR_USAGE, KD2M_ERROR_INPUT (shape), KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_augmenter_create(kd2m_augmenter **out, kd2m_context *context, const char *chain,
                                  const kd2m_shape *shape, const kd2m_normalisation *normalisation,
                                  uint64_t seed);

/* Changes one sample in place. One thread at a time, any thread. */
void kd2m_augmenter_apply(kd2m_augmenter *augmenter, size_t epoch, size_t row, float *values);

void kd2m_augmenter_free(kd2m_augmenter *augmenter);

/* Adds the augmentations and their keys to a table: see kd2m_steps_list. */
kd2m_status kd2m_augmentations_list(kd2m_table *table);

#endif
