/*
 * log-spectrum: each channel's one-sided power spectrum in decibels.
 *
 *   P_k = c_k |sum_n w_n x_n exp(-2 pi i k n / N)|^2 / (sum_n w_n)^2,  k = 0..N/2
 *   out_k = 10 log10(P_k + eps)
 *
 * with c_k = 2 but 1 at k = 0 and k = N/2, and w Hann's window, 1/2 - 1/2 cos(2 pi n / N), or ones.
 * A sinusoid of amplitude a at bin k has P_k = a^2 / 2; eps is a power, and 10 log10(eps) the
 * floor. N values become N/2 + 1. Time: one Fourier transform.
 */
#include <math.h>

#include "context.h"
#include "fft.h"
#include "memory.h"
#include "transform.h"

#define TWO_PI 6.283185307179586476925

#define LOG_SPECTRUM_SETTINGS(X)                                                                   \
    X(CHOICE, window, "hann", 0, 0, "hann|none", "what the signal is weighted by")                 \
    X(REAL, eps, "1e-12", 1e-30, 1e30, "POWER", "added before the logarithm")

typedef struct log_spectrum_settings {
    LOG_SPECTRUM_SETTINGS(KD2M_SETTINGS_FIELD)
} log_spectrum_settings;

#define ROW(...) KD2M_SETTINGS_ROW(log_spectrum_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {LOG_SPECTRUM_SETTINGS(ROW)};

typedef struct log_spectrum {
    kiss_fft_cfg plan;
    float *window, *weighted; /* length */
    kd2m_complex *scratch;
} log_spectrum;

static kd2m_status fit(kd2m_context *context, kd2m_transform_use *use) {
    kd2m_status status = kd2m_fit_signal(context, use);
    if (status == KD2M_OK && use->in.sizes[1] < 2)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "takes signals of 2 values or more");
    use->out.sizes[1] = use->in.sizes[1] / 2 + 1;
    return status;
}

/* The window, scaled to the sum 1. */
static void set_window(const log_spectrum_settings *settings, size_t length, float *window) {
    bool hann = settings->window[0] == 'h';
    double step = TWO_PI / (double)length;
    for (size_t i = 0; i < length; i++) /* Hann's has the mean 1/2 */
        window[i] = (float)((hann ? 1 - cos(step * (double)i) : 1) / (double)length);
}

static kd2m_status create(kd2m_context *context, kd2m_transform_use *use) {
    size_t length = use->in.sizes[1];
    kd2m_status status = kd2m_alloc(context, &use->state, 1, sizeof(log_spectrum));
    log_spectrum *made = use->state;
    KD2M_TRY(status);
    KD2M_TRY(kd2m_fft_plan(&made->plan, context, length, false));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->window, length, sizeof *made->window));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->weighted, length, sizeof *made->weighted));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->scratch, 2 * length, sizeof *made->scratch));
    set_window(use->parameters, length, made->window);
cleanup:
    return status;
}

static void destroy(kd2m_context *context, kd2m_transform_use *use) {
    log_spectrum *state = use->state;
    kd2m_free(context, state->scratch);
    kd2m_free(context, state->weighted);
    kd2m_free(context, state->window);
    kd2m_free(context, state->plan);
    kd2m_free(context, state);
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    const log_spectrum_settings *settings = use->parameters;
    log_spectrum *state = use->state;
    size_t length = use->in.sizes[1];
    for (size_t c = 0; c < use->in.sizes[0]; c++, values += length, out += length / 2 + 1) {
        for (size_t i = 0; i < length; i++)
            state->weighted[i] = values[i] * state->window[i];
        kd2m_fft_powers(state->plan, state->weighted, length, state->scratch, out);
        for (size_t k = 0; k <= length / 2; k++) {
            double sides = k == 0 || 2 * k == length ? 1 : 2;
            out[k] = (float)(10 * log10(sides * (double)out[k] + settings->eps));
        }
    }
}

const kd2m_transform kd2m_transform_log_spectrum = {
    .step = {.name = "log-spectrum",
             .summary = "each channel's one-sided power spectrum in decibels, L -> L/2 + 1",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(log_spectrum_settings)},
    .fit = fit,
    .create = create,
    .destroy = destroy,
    .apply = apply,
};
