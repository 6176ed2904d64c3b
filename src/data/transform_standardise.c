/*
 * standardise: brings each channel of each sample to mean 0 and standard deviation 1.
 *
 *   y_i = (x_i - mean) / sd,  sd over 1/n;  a constant channel becomes 0
 *
 * Never a default: it takes the amplitude away, which is what tells a fault from none in vibration.
 * Sums in double, over two passes. Time O(values).
 */
#include <float.h>
#include <math.h>

#include "transform.h"

static kd2m_status fit(kd2m_context *context, kd2m_transform_use *use) {
    return use->in.dims == 3 ? kd2m_fit_image(context, use) : kd2m_fit_signal(context, use);
}

static void standardise(const float *x, size_t count, float *y) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    double sd = sqrt(squares / (double)count);
    double rounding = fmax(1e-12 * fabs(mean), (double)FLT_MIN);
    double scale = sd > rounding ? 1 / sd : 0;
    for (size_t i = 0; i < count; i++)
        y[i] = (float)(((double)x[i] - mean) * scale);
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    size_t count = kd2m_shape_size(&use->in) / use->in.sizes[0];
    for (size_t c = 0; c < use->in.sizes[0]; c++)
        standardise(values + c * count, count, out + c * count);
}

const kd2m_transform kd2m_transform_standardise = {
    .step = {.name = "standardise",
             .summary = "brings each channel of each sample to mean 0 and deviation 1; the "
                        "amplitude, often the fault's own signal, is lost"},
    .fit = fit,
    .apply = apply,
};
