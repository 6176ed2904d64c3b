/*
 * crop: images padded by `pad` pixels on every side and cut back to their size at a random place:
 * moved by -pad..pad rows and columns, each way equally likely. What comes from the padding is 0,
 * as measured.
 */
#include "augment.h"
#include "window.h"

#define CROP_SETTINGS(X) X(INTEGER, pad, "4", 1, 16384, "N", "pixels of padding on every side")

typedef struct crop_settings {
    CROP_SETTINGS(KD2M_SETTINGS_FIELD)
} crop_settings;

#define ROW(...) KD2M_SETTINGS_ROW(crop_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {CROP_SETTINGS(ROW)};

static kd2m_status check(kd2m_context *context, const kd2m_augment_use *use) {
    return kd2m_check_image(context, use->shape);
}

static void apply(const kd2m_augment_use *use, kd2m_rng *rng, const float *values, float *out) {
    const crop_settings *settings = use->parameters;
    const kd2m_sides sides = {use->shape->sizes[1], use->shape->sizes[2]};
    size_t size = sides.height * sides.width;
    uint64_t places = 2 * (uint64_t)settings->pad + 1;
    int64_t top = (int64_t)kd2m_rng_below(rng, places) - settings->pad;
    int64_t left = (int64_t)kd2m_rng_below(rng, places) - settings->pad;
    for (size_t c = 0; c < use->shape->sizes[0]; c++)
        kd2m_window_copy(values + c * size, sides, top, left, out + c * size, sides);
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
