/* gain: each sample, all its channels alike, times a number drawn evenly from low..high. */
#include "augment.h"
#include "context.h"

#define GAIN_SETTINGS(X)                                                                           \
    X(REAL, low, "0.8", 0, 1000, "G", "smallest factor")                                           \
    X(REAL, high, "1.2", 0, 1000, "G", "largest factor")

typedef struct gain_settings {
    GAIN_SETTINGS(KD2M_SETTINGS_FIELD)
} gain_settings;

#define ROW(...) KD2M_SETTINGS_ROW(gain_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {GAIN_SETTINGS(ROW)};

static kd2m_status check(kd2m_context *context, const kd2m_augment_use *use) {
    const gain_settings *settings = use->parameters;
    return settings->low <= settings->high
               ? KD2M_OK
               : kd2m_fail(context, KD2M_ERROR_USAGE, "low=%g is above high=%g", settings->low,
                           settings->high);
}

static void apply(const kd2m_augment_use *use, kd2m_rng *rng, const float *values, float *out) {
    const gain_settings *settings = use->parameters;
    double range = settings->high - settings->low;
    float factor = (float)(settings->low + range * kd2m_rng_uniform(rng));
    size_t size = kd2m_shape_size(use->shape);
    for (size_t i = 0; i < size; i++)
        out[i] = factor * values[i];
}

const kd2m_augmentation kd2m_augmentation_gain = {
    .step = {.name = "gain",
             .summary = "each sample times a random number",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(gain_settings)},
    .check = check,
    .apply = apply,
};
