/* The discrete Fourier transform of one length, by kissfft: X_k = sum_n x_n exp(-2 pi i k n / N).
 */
#ifndef KD2M_DATA_FFT_H
#define KD2M_DATA_FFT_H

#include <kiss_fft.h>
#include <stdbool.h>

#include "kd2m/core.h"

typedef kiss_fft_cpx kd2m_complex; /* .r, .i */

/* A plan, to be freed by kd2m_free; `inverse` has exp(+...), without 1/N. Errors: KD2M_ERROR_INPUT
 * (length), KD2M_ERROR_MEMORY. */
kd2m_status kd2m_fft_plan(kiss_fft_cfg *out, kd2m_context *context, size_t length, bool inverse);

/* Writes |X_k|^2 for k = 0..length/2 of a real signal. `scratch` holds 2 x length numbers. */
void kd2m_fft_powers(kiss_fft_cfg plan, const float *values, size_t length, kd2m_complex *scratch,
                     float *out);

#endif
