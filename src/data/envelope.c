/*
 * The envelope by the discrete Hilbert transform:
 *
 *   Z_k = 2 X_k for 0 < k < N/2 inside the band, X_k at k = N/2, 0 elsewhere;  envelope = |z|
 *
 * with z the inverse transform. The mean is left out with k = 0. Cutting a band out of the spectrum
 * before is what bearing diagnostics does with a resonance that the faults excite: R. B. Randall,
 * J. Antoni, 'Rolling element bearing diagnostics - a tutorial', Mechanical Systems and Signal
 * Processing 25 (2011) 485-520. Time: two Fourier transforms.
 */
#include "envelope.h"

#include <math.h>

#include "context.h"
#include "memory.h"

kd2m_status kd2m_envelope_fit(kd2m_context *context, kd2m_transform_use *use) {
    const kd2m_envelope_settings *settings = use->parameters;
    kd2m_status status = kd2m_fit_signal(context, use);
    if (status == KD2M_OK && !(settings->low < settings->high))
        return kd2m_fail(context, KD2M_ERROR_USAGE, "low=%g must be below high=%g", settings->low,
                         settings->high);
    return status;
}

kd2m_status kd2m_envelope_create(kd2m_context *context, kd2m_transform_use *use) {
    const kd2m_envelope_settings *settings = use->parameters;
    size_t length = use->in.sizes[1];
    kd2m_status status = kd2m_alloc(context, &use->state, 1, sizeof(kd2m_envelope));
    kd2m_envelope *made = use->state;
    if (status != KD2M_OK)
        return status;
    *made = (kd2m_envelope){.length = length, .low = settings->low, .high = settings->high};
    KD2M_TRY(kd2m_fft_plan(&made->forward, context, length, false));
    KD2M_TRY(kd2m_fft_plan(&made->inverse, context, length, true));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->scratch, 2 * length, sizeof *made->scratch));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->values, length, sizeof *made->values));
cleanup:
    return status;
}

void kd2m_envelope_destroy(kd2m_context *context, kd2m_transform_use *use) {
    kd2m_envelope *envelope = use->state;
    kd2m_free(context, envelope->values);
    kd2m_free(context, envelope->scratch);
    kd2m_free(context, envelope->inverse);
    kd2m_free(context, envelope->forward);
    kd2m_free(context, envelope);
}

void kd2m_envelope_apply(kd2m_envelope *envelope, const float *values, float *out) {
    size_t length = envelope->length;
    kd2m_complex *signal = envelope->scratch, *spectrum = signal + length;
    for (size_t i = 0; i < length; i++)
        signal[i] = (kd2m_complex){values[i], 0};
    kiss_fft(envelope->forward, signal, spectrum);
    for (size_t k = 0; k < length; k++) {
        double frequency = (double)k / (double)length;
        bool kept =
            k > 0 && 2 * k <= length && frequency >= envelope->low && frequency <= envelope->high;
        float factor = !kept ? 0.0F : 2 * k == length ? 1.0F : 2.0F;
        spectrum[k].r *= factor / (float)length;
        spectrum[k].i *= factor / (float)length;
    }
    kiss_fft(envelope->inverse, spectrum, signal);
    for (size_t i = 0; i < length; i++)
        out[i] = hypotf(signal[i].r, signal[i].i);
}
