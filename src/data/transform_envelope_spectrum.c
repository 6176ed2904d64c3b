/*
 * envelope-spectrum: at which rates a signal's oscillation swells, where faults of bearings show.
 *
 *   A_k = 2/N |sum_n (e_n - mean e) exp(-2 pi i k n / N)|,  k = 0..N/2;  half of it at k = N/2
 *
 * with e the envelope of each channel (envelope.c: formula and source): an envelope 1 + m cos(2 pi
 * k n / N) has A_k = m. N values become N/2 + 1. Time: three Fourier transforms.
 */
#include "envelope.h"

#include <math.h>

#define ROW(...) KD2M_SETTINGS_ROW(kd2m_envelope_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {KD2M_ENVELOPE_SETTINGS(ROW)};

static kd2m_status fit(kd2m_context *context, kd2m_transform_use *use) {
    kd2m_status status = kd2m_envelope_fit(context, use);
    use->out.sizes[1] = use->in.sizes[1] / 2 + 1;
    return status;
}

static void apply_to_channel(kd2m_envelope *envelope, const float *values, float *out) {
    size_t length = envelope->length;
    float *wave = envelope->values;
    double sum = 0;
    kd2m_envelope_apply(envelope, values, wave);
    for (size_t i = 0; i < length; i++)
        sum += (double)wave[i];
    for (size_t i = 0; i < length; i++)
        wave[i] -= (float)(sum / (double)length);
    kd2m_fft_powers(envelope->forward, wave, length, envelope->scratch, out);
    for (size_t k = 0; k <= length / 2; k++)
        out[k] = (2 * k == length ? 1.0F : 2.0F) / (float)length * sqrtf(out[k]);
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    for (size_t c = 0; c < use->in.sizes[0]; c++)
        apply_to_channel(use->state, values + c * use->in.sizes[1], out + c * use->out.sizes[1]);
}

const kd2m_transform kd2m_transform_envelope_spectrum = {
    .step = {.name = "envelope-spectrum",
             .summary = "the amplitude spectrum of each channel's envelope, L -> L/2 + 1 (Randall "
                        "and Antoni 2011)",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(kd2m_envelope_settings)},
    .fit = fit,
    .create = kd2m_envelope_create,
    .destroy = kd2m_envelope_destroy,
    .apply = apply,
};
