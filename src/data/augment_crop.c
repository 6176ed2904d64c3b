/*
 * crop: images padded by `pad` pixels on every side and cut back to their size at a random place:
 * moved by -pad..pad rows and columns, each way equally likely. What comes from the padding is 0,
 * as measured.
 */
#include <string.h>

#include "augment.h"

#define CROP_SETTINGS(X) X(INTEGER, pad, "4", 1, 16384, "N", "pixels of padding on every side")

typedef struct crop_settings {
    CROP_SETTINGS(KD2M_SETTINGS_FIELD)
} crop_settings;

#define ROW(...) KD2M_SETTINGS_ROW(crop_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {CROP_SETTINGS(ROW)};

static kd2m_status check(kd2m_context *context, const kd2m_augment_use *use) {
    return kd2m_check_image(context, use->shape);
}

/* Where to begin reading and writing `size` places moved by `by`, and how many there are. */
static void overlap(size_t size, int64_t by, size_t *from, size_t *to, size_t *count) {
    size_t distance = (size_t)(by < 0 ? -by : by);
    *count = distance < size ? size - distance : 0;
    *from = by > 0 ? distance : 0;
    *to = by < 0 ? distance : 0;
}

static void apply(const kd2m_augment_use *use, kd2m_rng *rng, const float *values, float *out) {
    const crop_settings *settings = use->parameters;
    size_t height = use->shape->sizes[1], width = use->shape->sizes[2];
    size_t row_from, row_to, height_left, from, to, width_left;
    uint64_t places = 2 * (uint64_t)settings->pad + 1;
    overlap(height, (int64_t)kd2m_rng_below(rng, places) - settings->pad, &row_from, &row_to,
            &height_left);
    overlap(width, (int64_t)kd2m_rng_below(rng, places) - settings->pad, &from, &to, &width_left);
    memset(out, 0, kd2m_shape_size(use->shape) * sizeof *out);
    for (size_t c = 0; c < use->shape->sizes[0]; c++)
        for (size_t i = 0; i < height_left; i++)
            memcpy(out + (c * height + row_to + i) * width + to,
                   values + (c * height + row_from + i) * width + from, width_left * sizeof *out);
}

const kd2m_augmentation kd2m_augmentation_crop = {
    .step = {.name = "crop",
             .summary = "images moved by up to `pad` rows and columns, 0 behind them",
             .bare = "pad",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(crop_settings)},
    .check = check,
    .apply = apply,
};
