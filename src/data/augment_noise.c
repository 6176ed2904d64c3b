/* noise: Gaussian noise on every value, its deviation `sd` times that of the channel (a table's
 * column) over the training data. */
#include "augment.h"

#define NOISE_SETTINGS(X) X(REAL, sd, "0.05", 0, 1000, "S", "deviation, over the channel's own")

typedef struct noise_settings {
    NOISE_SETTINGS(KD2M_SETTINGS_FIELD)
} noise_settings;

#define ROW(...) KD2M_SETTINGS_ROW(noise_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {NOISE_SETTINGS(ROW)};

static kd2m_status check(kd2m_context *context, const kd2m_augment_use *use) {
    (void)context;
    (void)use;
    return KD2M_OK;
}

static void apply(const kd2m_augment_use *use, kd2m_rng *rng, const float *values, float *out) {
    const noise_settings *settings = use->parameters;
    size_t channels = use->shape->sizes[0], size = kd2m_shape_size(use->shape);
    size_t positions = size / channels;
    kd2m_rng_fill_normal(rng, out, size);
    for (size_t c = 0; c < channels; c++) {
        float sd = (float)settings->sd / use->normalisation->scale[c];
        for (size_t i = c * positions; i < (c + 1) * positions; i++)
            out[i] = values[i] + sd * out[i];
    }
}

const kd2m_augmentation kd2m_augmentation_noise = {
    .step = {.name = "noise",
             .summary = "Gaussian noise on every value",
             .bare = "sd",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(noise_settings)},
    .check = check,
    .apply = apply,
};
