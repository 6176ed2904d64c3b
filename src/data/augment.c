/*
 * Augmentation chains: see augment.h. A sample's seed is drawn from (seed, epoch, row), and each
 * step has a stream of its own from it: to add or change a step leaves the others' numbers as they
 * were. Memory: two samples. Time: the steps'.
 */
#include "augment.h"

#include <string.h>

#include "context.h"
#include "memory.h"

#define KD2M_AUGMENTATION(name) extern const kd2m_augmentation kd2m_augmentation_##name;
#include "augmentations.def"
#undef KD2M_AUGMENTATION

#define KD2M_AUGMENTATION(name) &kd2m_augmentation_##name.step,
static const kd2m_step_kind *const kinds[] = {
#include "augmentations.def"
};
#undef KD2M_AUGMENTATION

static const kd2m_step_catalogue catalogue = {"augmentation", kinds, sizeof kinds / sizeof *kinds};

struct kd2m_augmenter {
    kd2m_context *context;
    kd2m_steps steps;
    kd2m_shape shape;
    kd2m_augment_use *uses; /* one a step */
    uint64_t seed;
    float *rows[2];
};

static const kd2m_augmentation *augmentation_of(const kd2m_augmenter *augmenter, size_t step) {
    return (const kd2m_augmentation *)(const void *)augmenter->steps.items[step].kind;
}

static kd2m_status make_uses(kd2m_augmenter *augmenter, const kd2m_normalisation *normalisation) {
    kd2m_context *context = augmenter->context;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&augmenter->uses, augmenter->steps.count,
                        sizeof *augmenter->uses));
    for (size_t i = 0; i < augmenter->steps.count; i++) {
        const kd2m_augmentation *augmentation = augmentation_of(augmenter, i);
        augmenter->uses[i] = (kd2m_augment_use){augmenter->steps.items[i].parameters,
                                                &augmenter->shape, normalisation};
        status = augmentation->check(context, &augmenter->uses[i]);
        if (status != KD2M_OK) {
            kd2m_fail_within(context, status, "augmentation %s", augmentation->step.name);
            goto cleanup;
        }
    }
cleanup:
    return status;
}

kd2m_status kd2m_augmenter_create(kd2m_augmenter **out, kd2m_context *context, const char *chain,
                                  const kd2m_shape *shape, const kd2m_normalisation *normalisation,
                                  uint64_t seed) {
    *out = NULL;
    kd2m_augmenter *augmenter = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&augmenter, 1, sizeof *augmenter));
    augmenter->context = context;
    augmenter->shape = *shape;
    augmenter->seed = seed;
    KD2M_TRY(kd2m_steps_parse(&augmenter->steps, context, chain, &catalogue));
    if (augmenter->steps.count == 0)
        goto cleanup;
    KD2M_TRY(make_uses(augmenter, normalisation));
    for (size_t i = 0; i < 2; i++)
        KD2M_TRY(kd2m_alloc(context, (void **)&augmenter->rows[i], kd2m_shape_size(shape),
                            sizeof(float)));
    *out = augmenter;
    augmenter = NULL;
cleanup:
    kd2m_augmenter_free(augmenter);
    return status;
}

void kd2m_augmenter_apply(kd2m_augmenter *augmenter, size_t epoch, size_t row, float *values) {
    size_t count = augmenter->steps.count;
    const float *from = values;
    uint32_t word[4];
    kd2m_random_block(augmenter->seed, KD2M_STREAM_AUGMENT, epoch, row, word);
    for (size_t i = 0; i < count; i++) {
        kd2m_rng rng;
        kd2m_rng_init(&rng, (uint64_t)word[0] << 32 | word[1], KD2M_STREAM_AUGMENT, i);
        augmentation_of(augmenter, i)
            ->apply(&augmenter->uses[i], &rng, from, augmenter->rows[i % 2]);
        from = augmenter->rows[i % 2];
    }
    memcpy(values, from, kd2m_shape_size(&augmenter->shape) * sizeof *values);
}

void kd2m_augmenter_free(kd2m_augmenter *augmenter) {
    if (!augmenter)
        return;
    kd2m_free(augmenter->context, augmenter->rows[0]);
    kd2m_free(augmenter->context, augmenter->rows[1]);
    kd2m_free(augmenter->context, augmenter->uses);
    kd2m_steps_clear(augmenter->context, &augmenter->steps);
    kd2m_free(augmenter->context, augmenter);
}

kd2m_status kd2m_augmentations_list(kd2m_table *table) {
    return kd2m_steps_list(table, &catalogue);
}
