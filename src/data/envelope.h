/* The envelope of a signal: the modulus of its analytic signal. */
#ifndef KD2M_DATA_ENVELOPE_H
#define KD2M_DATA_ENVELOPE_H

#include "fft.h"
#include "transform.h"

/* The band that is demodulated, the keys of every transform that begins with an envelope. */
#define KD2M_ENVELOPE_SETTINGS(X)                                                                  \
    X(REAL, low, "0", 0, 0.5, "F", "lower end of the demodulated band, over the sampling rate")    \
    X(REAL, high, "0.5", 0, 0.5, "F", "upper end of the demodulated band, over the sampling rate")

typedef struct kd2m_envelope_settings {
    KD2M_ENVELOPE_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_envelope_settings;

typedef struct kd2m_envelope {
    size_t length;
    double low, high;
    kiss_fft_cfg forward, inverse; /* owned */
    kd2m_complex *scratch;         /* 2 x length; owned; free for use between two calls */
    float *values;                 /* length; owned; for the user of the envelope */
} kd2m_envelope;

/* fit, create and destroy of a transform whose state is an envelope and whose settings are the
 * above; `fit` leaves the shape as it is. */
kd2m_status kd2m_envelope_fit(kd2m_context *context, kd2m_transform_use *use);
kd2m_status kd2m_envelope_create(kd2m_context *context, kd2m_transform_use *use);
void kd2m_envelope_destroy(kd2m_context *context, kd2m_transform_use *use);

/* out (length) = the envelope of one channel. */
void kd2m_envelope_apply(kd2m_envelope *envelope, const float *values, float *out);

#endif
