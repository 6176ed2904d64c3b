/*
 * Noise in images, values in 0..1 (Hendrycks and Dietterich, 'Benchmarking neural network
 * robustness to common corruptions and perturbations', arXiv:1903.12261; constants of CIFAR-10-C):
 *
 *   gaussian-noise   y = x + c N(0, 1)
 *   shot-noise       y = Poisson(c x) / c: light counted in c steps from black to white
 *   impulse-noise    y = 0 or 1, either with probability c / 2, else x
 *
 * each value by itself. Poisson numbers by inversion, searched from the mode outwards: O(sqrt(c x))
 * for a value.
 */
#include <math.h>
#include <stdbool.h>

#include "corruption.h"

#define TWO_PI 6.283185307179586476925
#define LARGE 10 /* counts: from here on Stirling's series has twice a float's digits */

static void add_noise(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t size = kd2m_shape_size(use->shape);
    kd2m_rng_fill_normal(use->rng, out, size);
    for (size_t i = 0; i < size; i++)
        out[i] = values[i] + (float)use->amount * out[i];
}

/* log n! of n >= LARGE */
static double log_factorial(double n) {
    return n * log(n) - n + log(TWO_PI * n) / 2 + 1 / (12 * n) - 1 / (360 * n * n * n);
}

/* The number whose share of the law of Poisson(mean) is reached at u, the numbers taken in the
 * order mode, mode + 1, mode - 1, .. */
static double poisson(double mean, double u) {
    double mode = mean < LARGE ? 0 : floor(mean);
    double above = mode, below = mode;
    double up = mode > 0 ? exp(mode * log(mean) - mean - log_factorial(mode)) : exp(-mean);
    double down = up;
    u -= up;
    while (u >= 0 && (up > 0 || down > 0)) {
        up *= mean / ++above;
        u -= up;
        if (u < 0)
            return above;
        down *= below-- / mean; /* 0 from below 0 on */
        u -= down;
        if (u < 0)
            return below;
    }
    return mode;
}

static void count_light(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t size = kd2m_shape_size(use->shape);
    for (size_t i = 0; i < size; i++) {
        double mean = use->amount * (double)values[i], u = kd2m_rng_uniform(use->rng);
        out[i] = mean > 0 ? (float)(poisson(mean, u) / use->amount) : 0;
    }
}

static void strike(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t size = kd2m_shape_size(use->shape);
    for (size_t i = 0; i < size; i++) {
        double u = kd2m_rng_uniform(use->rng);
        bool white = kd2m_rng_next(use->rng) >> 31;
        out[i] = u >= use->amount ? values[i] : white ? 1 : 0;
    }
}

const kd2m_corruption kd2m_corruption_gaussian_noise = {
    .name = "gaussian-noise",
    .summary = "images: Gaussian noise of this deviation",
    .dims = 3,
    .amounts = {0.04, 0.06, 0.08, 0.09, 0.10},
    .apply = add_noise,
};

const kd2m_corruption kd2m_corruption_shot_noise = {
    .name = "shot-noise",
    .summary = "images: light counted, so many steps to white",
    .dims = 3,
    .amounts = {500, 250, 100, 75, 50},
    .apply = count_light,
};

const kd2m_corruption kd2m_corruption_impulse_noise = {
    .name = "impulse-noise",
    .summary = "images: this share of the values black or white",
    .dims = 3,
    .amounts = {0.01, 0.02, 0.03, 0.05, 0.07},
    .apply = strike,
};
