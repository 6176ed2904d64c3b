/* Any text as a chain of transforms and of augmentations, for a signal and for an image: refused,
 * or run on one sample. A chain's plain form is a chain with that plain form. */
#include <stdlib.h>
#include <string.h>

#include "augment.h"
#include "fuzz.h"
#include "kd2m/transform.h"

#define LARGEST (1 << 20) /* bytes of one allocation: what is larger takes too long */

static void *allocate(void *user, size_t size, size_t alignment) {
    (void)user;
    return size <= LARGEST
               ? aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
               : NULL;
}

static void release(void *user, void *memory) {
    (void)user;
    free(memory);
}

static void try_transforms(kd2m_context *context, const char *text, const kd2m_shape *shape) {
    kd2m_chain *chain = NULL, *again = NULL;
    kd2m_chain_info info, repeated;
    static float values[64];
    if (kd2m_chain_open(&chain, context, text, shape->dims, shape->sizes) != KD2M_OK)
        return;
    kd2m_chain_describe(chain, &info);
    float *out = calloc(info.sample_size, sizeof *out);
    if (!out)
        abort();
    for (size_t i = 0; i < 64; i++)
        values[i] = (float)(i * 37 % 11) - 5;
    kd2m_chain_apply(chain, values, 1, out);
    free(out);
    if (kd2m_chain_open(&again, context, info.text, shape->dims, shape->sizes) != KD2M_OK)
        abort();
    kd2m_chain_describe(again, &repeated);
    if (strcmp(info.text, repeated.text) != 0 || info.sample_size != repeated.sample_size)
        abort();
    kd2m_chain_free(again);
    kd2m_chain_free(chain);
}

static void try_augmentations(kd2m_context *context, const char *text, const kd2m_shape *shape) {
    float mean[2] = {0}, scale[2] = {1, 2}, values[64] = {0};
    const kd2m_normalisation normalisation = {2, mean, scale};
    kd2m_augmenter *augmenter = NULL;
    if (kd2m_augmenter_create(&augmenter, context, text, shape, &normalisation, 1) == KD2M_OK &&
        augmenter)
        kd2m_augmenter_apply(augmenter, 1, 2, values);
    kd2m_augmenter_free(augmenter);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const kd2m_shape shapes[] = {{2, {2, 32}}, {3, {1, 8, 8}}};
    kd2m_context_settings settings;
    kd2m_context *context = NULL;
    char *text = malloc(size + 1);
    kd2m_context_settings_default(&settings);
    settings.threads = 1;
    settings.allocator.allocate = allocate;
    settings.allocator.release = release;
    if (!text || kd2m_context_create(&context, &settings) != KD2M_OK)
        abort();
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    for (size_t i = 0; i < 2; i++) {
        try_transforms(context, text, &shapes[i]);
        try_augmentations(context, text, &shapes[i]);
    }
    kd2m_context_free(context);
    free(text);
    return 0;
}
