/*
 * shift: signals moved in time by -max..max values, each distance equally likely, all channels
 * alike. fill=wrap brings what leaves at one end back at the other; fill=zero puts 0 there.
 */
#include <string.h>

#include "augment.h"
#include "context.h"

#define SHIFT_SETTINGS(X)                                                                          \
    X(INTEGER, max, "0", 0, 1000000000, "N", "largest distance; 0: half the signal")               \
    X(CHOICE, fill, "wrap", 0, 0, "wrap|zero", "what comes in at the end that is left")

typedef struct shift_settings {
    SHIFT_SETTINGS(KD2M_SETTINGS_FIELD)
} shift_settings;

#define ROW(...) KD2M_SETTINGS_ROW(shift_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {SHIFT_SETTINGS(ROW)};

static kd2m_status check(kd2m_context *context, const kd2m_augment_use *use) {
    const shift_settings *settings = use->parameters;
    kd2m_status status = kd2m_check_signal(context, use->shape);
    if (status == KD2M_OK && (size_t)settings->max >= use->shape->sizes[1])
        return kd2m_fail(context, KD2M_ERROR_USAGE, "max=%lld does not fit signals of %zu values",
                         (long long)settings->max, use->shape->sizes[1]);
    return status;
}

static void apply(const kd2m_augment_use *use, kd2m_rng *rng, const float *values, float *out) {
    const shift_settings *settings = use->parameters;
    size_t length = use->shape->sizes[1];
    size_t max = settings->max > 0 ? (size_t)settings->max : length / 2;
    size_t drawn = (size_t)kd2m_rng_below(rng, 2 * max + 1);
    bool late = drawn > max;                                       /* moved to later places */
    size_t later = late ? drawn - max : (length - drawn) % length; /* around the ring */
    size_t distance = late ? later : drawn;
    for (size_t c = 0; c < use->shape->sizes[0]; c++, values += length, out += length) {
        memcpy(out + later, values, (length - later) * sizeof *out);
        memcpy(out, values + length - later, later * sizeof *out);
        if (settings->fill[0] == 'z')
            memset(late ? out : out + length - distance, 0, distance * sizeof *out);
    }
}

const kd2m_augmentation kd2m_augmentation_shift = {
    .step = {.name = "shift",
             .summary = "signals moved in time, around the ring or with 0 behind them",
             .bare = "max",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(shift_settings)},
    .check = check,
    .apply = apply,
};
