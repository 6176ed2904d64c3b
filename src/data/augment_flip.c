/* flip: images mirrored left to right, one in two or with another probability. */
#include <string.h>

#include "augment.h"

#define FLIP_SETTINGS(X) X(REAL, p, "0.5", 0, 1, "P", "probability")

typedef struct flip_settings {
    FLIP_SETTINGS(KD2M_SETTINGS_FIELD)
} flip_settings;

#define ROW(...) KD2M_SETTINGS_ROW(flip_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {FLIP_SETTINGS(ROW)};

static kd2m_status check(kd2m_context *context, const kd2m_augment_use *use) {
    return kd2m_check_image(context, use->shape);
}

static void apply(const kd2m_augment_use *use, kd2m_rng *rng, const float *values, float *out) {
    const flip_settings *settings = use->parameters;
    size_t size = kd2m_shape_size(use->shape), width = use->shape->sizes[2];
    if (kd2m_rng_uniform(rng) >= settings->p) {
        memcpy(out, values, size * sizeof *out);
        return;
    }
    for (size_t begin = 0; begin < size; begin += width)
        for (size_t i = 0; i < width; i++)
            out[begin + i] = values[begin + width - 1 - i];
}

const kd2m_augmentation kd2m_augmentation_flip = {
    .step = {.name = "flip",
             .summary = "images mirrored left to right",
             .bare = "p",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(flip_settings)},
    .check = check,
    .apply = apply,
};
