/* Fourier transforms: see fft.h. Time O(length x sum of its prime factors). Runs on any thread. */
#include "fft.h"

#include <limits.h>

#include "context.h"
#include "memory.h"

kd2m_status kd2m_fft_plan(kiss_fft_cfg *out, kd2m_context *context, size_t length, bool inverse) {
    *out = NULL;
    void *memory = NULL;
    size_t size = 0;
    if (length < 1 || length > INT_MAX / 2)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "no spectrum of %zu values", length);
    kiss_fft_alloc((int)length, inverse, NULL, &size);
    kd2m_status status = kd2m_alloc(context, &memory, size, 1);
    if (status == KD2M_OK)
        *out = kiss_fft_alloc((int)length, inverse, memory, &size);
    return status;
}

void kd2m_fft_powers(kiss_fft_cfg plan, const float *values, size_t length, kd2m_complex *scratch,
                     float *out) {
    kd2m_complex *spectrum = scratch + length;
    for (size_t i = 0; i < length; i++)
        scratch[i] = (kd2m_complex){values[i], 0};
    kiss_fft(plan, scratch, spectrum);
    for (size_t k = 0; k <= length / 2; k++)
        out[k] = spectrum[k].r * spectrum[k].r + spectrum[k].i * spectrum[k].i;
}
