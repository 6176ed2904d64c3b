/*
 * What goes wrong with sensors, in signals of C channels; sd is that of the channel in this sample,
 * s a sign drawn for each channel:
 *
 *   gain        y = x (1 + c)^s: the sensitivity is off
 *   offset      y = x + s c sd: the zero is off
 *   noise       y = x + c sd N(0, 1)
 *   time-warp   y(t) = x(u(t)), u(t) = t + c T / (2 pi) (sin(2 pi t / T + p) - sin p), T = L - 1: a
 *               clock that runs up to c too fast or too slow, and right on the mean, the same for
 *               all channels; p uniform; linear between values
 *   dropped     each time is lost with probability c, in all channels, but the first; the value
 *               before it is held
 *
 * Time O(values), sums in double.
 */
#include <math.h>

#include "corruption.h"

#define TWO_PI 6.283185307179586476925

static double deviation(const float *values, size_t count) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += ((double)values[i] - mean) * ((double)values[i] - mean);
    return sqrt(squares / (double)count);
}

static double draw_sign(kd2m_rng *rng) {
    return kd2m_rng_next(rng) >> 31 ? 1 : -1;
}

static void scale(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t length = use->shape->sizes[1];
    for (size_t c = 0; c < use->shape->sizes[0]; c++) {
        double factor = pow(1 + use->amount, draw_sign(use->rng));
        for (size_t i = c * length; i < (c + 1) * length; i++)
            out[i] = (float)(factor * (double)values[i]);
    }
}

static void displace(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t length = use->shape->sizes[1];
    for (size_t c = 0; c < use->shape->sizes[0]; c++) {
        double offset = draw_sign(use->rng) * use->amount * deviation(values + c * length, length);
        for (size_t i = c * length; i < (c + 1) * length; i++)
            out[i] = (float)((double)values[i] + offset);
    }
}

static void add_noise(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t length = use->shape->sizes[1];
    kd2m_rng_fill_normal(use->rng, out, kd2m_shape_size(use->shape));
    for (size_t c = 0; c < use->shape->sizes[0]; c++) {
        double sd = use->amount * deviation(values + c * length, length);
        for (size_t i = c * length; i < (c + 1) * length; i++)
            out[i] = (float)((double)values[i] + sd * (double)out[i]);
    }
}

static void warp(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t length = use->shape->sizes[1];
    double last = (double)(length - 1), phase = TWO_PI * kd2m_rng_uniform(use->rng);
    for (size_t i = 0; i < length; i++) {
        double swing = sin(TWO_PI * (double)i / fmax(last, 1) + phase) - sin(phase);
        double at = fmin(fmax((double)i + use->amount * last / TWO_PI * swing, 0), last);
        size_t low = (size_t)at, high = low + 1 < length ? low + 1 : low;
        double share = at - (double)low;
        for (size_t c = 0; c < use->shape->sizes[0]; c++)
            out[c * length + i] = (float)((1 - share) * (double)values[c * length + low] +
                                          share * (double)values[c * length + high]);
    }
}

static void drop(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t length = use->shape->sizes[1], held = 0;
    for (size_t i = 0; i < length; i++) {
        if (i == 0 || kd2m_rng_uniform(use->rng) >= use->amount)
            held = i;
        for (size_t c = 0; c < use->shape->sizes[0]; c++)
            out[c * length + i] = values[c * length + held];
    }
}

const kd2m_corruption kd2m_corruption_gain = {
    .name = "gain",
    .summary = "signals: each channel times or over 1 + this",
    .dims = 2,
    .amounts = {0.1, 0.2, 0.4, 0.7, 1},
    .apply = scale,
};

const kd2m_corruption kd2m_corruption_offset = {
    .name = "offset",
    .summary = "signals: each channel higher or lower by this, over its deviation",
    .dims = 2,
    .amounts = {0.1, 0.25, 0.5, 1, 2},
    .apply = displace,
};

const kd2m_corruption kd2m_corruption_noise = {
    .name = "noise",
    .summary = "signals: Gaussian noise of this deviation, over the channel's own",
    .dims = 2,
    .amounts = {0.1, 0.2, 0.4, 0.8, 1.6},
    .apply = add_noise,
};

const kd2m_corruption kd2m_corruption_time_warp = {
    .name = "time-warp",
    .summary = "signals: a clock too fast and too slow by up to this",
    .dims = 2,
    .amounts = {0.05, 0.1, 0.2, 0.3, 0.4},
    .apply = warp,
};

const kd2m_corruption kd2m_corruption_dropped = {
    .name = "dropped",
    .summary = "signals: this share of the times lost, the value before held",
    .dims = 2,
    .amounts = {0.01, 0.05, 0.1, 0.2, 0.4},
    .apply = drop,
};
