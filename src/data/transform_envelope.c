/* envelope: how strong a signal's oscillation is at each moment (envelope.c has the formula). */
#include "envelope.h"

#define ROW(...) KD2M_SETTINGS_ROW(kd2m_envelope_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {KD2M_ENVELOPE_SETTINGS(ROW)};

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    size_t length = use->in.sizes[1];
    for (size_t c = 0; c < use->in.sizes[0]; c++)
        kd2m_envelope_apply(use->state, values + c * length, out + c * length);
}

const kd2m_transform kd2m_transform_envelope = {
    .step = {.name = "envelope",
             .summary = "the modulus of each channel's analytic signal, its mean left out before",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(kd2m_envelope_settings)},
    .fit = kd2m_envelope_fit,
    .create = kd2m_envelope_create,
    .destroy = kd2m_envelope_destroy,
    .apply = apply,
};
