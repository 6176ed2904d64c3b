/*
 * channels: colour images to grey ones, and grey ones to three equal channels.
 *
 *   grey = 0.299 R + 0.587 G + 0.114 B    (luma of ITU-R BT.601)
 */
#include <string.h>

#include "context.h"
#include "transform.h"

#define CHANNELS_SETTINGS(X) X(CHOICE, to, "1", 0, 0, "1|3", "channels that come out")

typedef struct channels_settings {
    CHANNELS_SETTINGS(KD2M_SETTINGS_FIELD)
} channels_settings;

#define ROW(...) KD2M_SETTINGS_ROW(channels_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {CHANNELS_SETTINGS(ROW)};

static kd2m_status fit(kd2m_context *context, kd2m_transform_use *use) {
    const channels_settings *settings = use->parameters;
    kd2m_status status = kd2m_fit_image(context, use);
    if (status != KD2M_OK)
        return status;
    size_t channels = use->in.sizes[0];
    if (channels != 1 && channels != 3)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "takes images of 1 or 3 channels, not %zu",
                         channels);
    use->out.sizes[0] = (size_t)(settings->to[0] - '0');
    return KD2M_OK;
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    size_t count = use->in.sizes[1] * use->in.sizes[2];
    size_t from = use->in.sizes[0], to = use->out.sizes[0];
    if (from == 3 && to == 1)
        for (size_t i = 0; i < count; i++)
            out[i] =
                0.299F * values[i] + 0.587F * values[count + i] + 0.114F * values[2 * count + i];
    else
        for (size_t c = 0; c < to; c++)
            memcpy(out + c * count, values + (from == to ? c : 0) * count, count * sizeof *out);
}

const kd2m_transform kd2m_transform_channels = {
    .step = {.name = "channels",
             .summary = "colour images to grey (ITU-R BT.601), grey ones to three equal channels",
             .bare = "to",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(channels_settings)},
    .fit = fit,
    .apply = apply,
};
