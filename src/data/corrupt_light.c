/*
 * Light on images, values in 0..1 (Hendrycks and Dietterich, arXiv:1903.12261; constants of
 * CIFAR-10-C):
 *
 *   brightness   V' = min(V + c, 1), y = x V' / V, where V is the largest channel of the pixel:
 *                the value of hue, saturation and value; a black pixel becomes grey
 *   contrast     y = c (x - m) + m, m the channel's mean
 *   fog          y = (x + c f) m / (m + c), m the largest value of the image; f a cloud in 0..1
 *
 * The cloud is fractal: diamond-square steps on a ring of n x n points, n the power of two that
 * holds the image. Each new point is the mean of its four neighbours and a uniform number in -a..a,
 * where a begins at 1 and is divided by d^2 when the distance of points is halved; the larger d,
 * the smoother. One cloud for all channels. Memory 4 n^2 bytes, time O(n^2).
 */
#include <math.h>
#include <stdbool.h>

#include "corruption.h"

static void brighten(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t channels = use->shape->sizes[0];
    size_t pixels = use->shape->sizes[1] * use->shape->sizes[2];
    for (size_t p = 0; p < pixels; p++) {
        double value = 0;
        for (size_t c = 0; c < channels; c++)
            value = fmax(value, (double)values[c * pixels + p]);
        double more = fmin(value + use->amount, 1);
        for (size_t c = 0; c < channels; c++)
            out[c * pixels + p] =
                (float)(value > 0 ? (double)values[c * pixels + p] * more / value : more);
    }
}

static void flatten(const kd2m_corruption_use *use, const float *values, float *out) {
    size_t pixels = use->shape->sizes[1] * use->shape->sizes[2];
    for (size_t c = 0; c < use->shape->sizes[0]; c++, values += pixels, out += pixels) {
        double mean = 0;
        for (size_t p = 0; p < pixels; p++)
            mean += (double)values[p];
        mean /= (double)pixels;
        for (size_t p = 0; p < pixels; p++)
            out[p] = (float)(use->amount * ((double)values[p] - mean) + mean);
    }
}

/* Points a side of the cloud. */
static size_t cloud_side(const kd2m_shape *shape) {
    size_t larger = shape->sizes[1] > shape->sizes[2] ? shape->sizes[1] : shape->sizes[2];
    size_t side = 1;
    while (side < larger)
        side *= 2;
    return side;
}

static size_t cloud_size(const kd2m_shape *shape) {
    size_t side = cloud_side(shape);
    return side * side;
}

typedef struct cloud {
    float *points; /* side x side, a ring either way */
    size_t side;
    double amplitude;
    kd2m_rng *rng;
} cloud;

/* Sets the points (top + i s, left + k s) to the mean of the four neighbours and noise: those `h`
 * above, below, left and right, or with `diagonal` those at the corners. */
static void fill_points(cloud *made, size_t top, size_t left, size_t s, bool diagonal) {
    size_t n = made->side, h = s / 2;
    for (size_t y = top; y < n; y += s)
        for (size_t x = left; x < n; x += s) {
            const size_t up = (y + n - h) % n, down = (y + h) % n;
            const size_t before = (x + n - h) % n, behind = (x + h) % n;
            const float *p = made->points;
            float sum =
                diagonal ? p[up * n + before] + p[up * n + behind] + p[down * n + before] +
                               p[down * n + behind]
                         : p[up * n + x] + p[down * n + x] + p[y * n + before] + p[y * n + behind];
            made->points[y * n + x] =
                sum / 4 + (float)(made->amplitude * (2 * kd2m_rng_uniform(made->rng) - 1));
        }
}

/* Fills the points, then brings them to 0..1. */
static void make_cloud(cloud *made, double decay) {
    size_t count = made->side * made->side;
    made->points[0] = 0;
    for (size_t s = made->side; s >= 2; s /= 2) {
        fill_points(made, s / 2, s / 2, s, true);
        fill_points(made, 0, s / 2, s, false);
        fill_points(made, s / 2, 0, s, false);
        made->amplitude /= decay * decay;
    }
    float low = made->points[0], high = low;
    for (size_t i = 1; i < count; i++) {
        low = fminf(low, made->points[i]);
        high = fmaxf(high, made->points[i]);
    }
    for (size_t i = 0; i < count; i++)
        made->points[i] = high > low ? (made->points[i] - low) / (high - low) : 0;
}

static void veil(const kd2m_corruption_use *use, const float *values, float *out) {
    const size_t *sizes = use->shape->sizes;
    size_t size = kd2m_shape_size(use->shape);
    cloud made = {use->scratch, cloud_side(use->shape), 1, use->rng};
    float most = 0;
    make_cloud(&made, use->extent);
    for (size_t i = 0; i < size; i++)
        most = fmaxf(most, values[i]);
    for (size_t i = 0; i < size; i++) {
        size_t y = i / sizes[2] % sizes[1], x = i % sizes[2];
        double light = (double)values[i] + use->amount * (double)made.points[y * made.side + x];
        out[i] = (float)(light * (double)most / ((double)most + use->amount));
    }
}

const kd2m_corruption kd2m_corruption_brightness = {
    .name = "brightness",
    .summary = "images: brighter by this",
    .dims = 3,
    .amounts = {0.05, 0.1, 0.15, 0.2, 0.3},
    .apply = brighten,
};

const kd2m_corruption kd2m_corruption_contrast = {
    .name = "contrast",
    .summary = "images: this share of the contrast",
    .dims = 3,
    .amounts = {0.75, 0.5, 0.4, 0.3, 0.15},
    .apply = flatten,
};

const kd2m_corruption kd2m_corruption_fog = {
    .name = "fog",
    .summary = "images: a fractal cloud of this density and smoothness",
    .dims = 3,
    .amounts = {0.2, 0.5, 0.75, 1, 1.5},
    .extents = {3, 3, 2.5, 2, 1.75},
    .scratch = cloud_size,
    .apply = veil,
};
