/*
 * detrend: takes each channel's mean (order 0) or its line of least squares (order 1) off.
 *
 *   y_i = x_i - a - b t_i,  t_i = i - (L - 1) / 2,  a = mean x,  b = sum t_i x_i / sum t_i^2
 *
 * t is centred, so that a and b come from sums that do not interfere; sums in double. Time O(L).
 */
#include "transform.h"

#define DETREND_SETTINGS(X)                                                                        \
    X(INTEGER, order, "1", 0, 1, "0|1", "what is taken off: 0 the mean, 1 the line")

typedef struct detrend_settings {
    DETREND_SETTINGS(KD2M_SETTINGS_FIELD)
} detrend_settings;

#define ROW(...) KD2M_SETTINGS_ROW(detrend_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {DETREND_SETTINGS(ROW)};

static void detrend(const float *x, size_t length, int64_t order, float *y) {
    double middle = (double)(length - 1) / 2, sum = 0, moment = 0, squares = 0;
    for (size_t i = 0; i < length; i++) {
        double t = (double)i - middle;
        sum += (double)x[i];
        moment += t * (double)x[i];
        squares += t * t;
    }
    double mean = sum / (double)length;
    double slope = order == 1 && length > 1 ? moment / squares : 0;
    for (size_t i = 0; i < length; i++)
        y[i] = (float)((double)x[i] - mean - slope * ((double)i - middle));
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    const detrend_settings *settings = use->parameters;
    size_t length = use->in.sizes[1];
    for (size_t c = 0; c < use->in.sizes[0]; c++)
        detrend(values + c * length, length, settings->order, out + c * length);
}

const kd2m_transform kd2m_transform_detrend = {
    .step = {.name = "detrend",
             .summary = "takes each channel's mean or line off",
             .bare = "order",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(detrend_settings)},
    .fit = kd2m_fit_signal,
    .apply = apply,
};
