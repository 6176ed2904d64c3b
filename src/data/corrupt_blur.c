/*
 * Detail lost in images (Hendrycks and Dietterich, arXiv:1903.12261; constants of CIFAR-10-C):
 *
 *   defocus-blur   each channel folded with a disc of radius r, (x, y) with x^2 + y^2 <= r^2, which
 *                  is itself smoothed by 3 x 3 points of a Gaussian of deviation s; mirrored at the
 *                  edges, about the last pixel
 *   motion-blur    y(p) = sum_i w_i x(p + round(i (cos a, sin a))), i = 0..2r, w_i ~ exp(-i^2 /
 *                  2s^2), sum w_i = 1; the edge's pixels go on; the angle a uniform in -45..45
 *                  degrees (ImageMagick's motion blur)
 *   pixelate       made smaller by c, each pixel the mean of those whose centres it covers, and as
 *                  large as before again by repeating pixels (Pillow's box filter)
 *
 * Time O(pixels x kernel).
 */
#include <math.h>

#include "corruption.h"

#define PI 3.141592653589793238463
#define REACH 3 /* of a disc and its smoothing, in pixels */
#define TAPS 64 /* of a kernel: (2 REACH + 1)^2, or along a motion */

/* A kernel point by point, and what stands beyond an image's edges. */
typedef struct kernel {
    struct {
        ptrdiff_t down, right;
        double weight; /* their sum is 1 */
    } taps[TAPS];
    size_t count;
    size_t (*edge)(ptrdiff_t i, size_t size); /* the row or column that stands for i */
} kernel;

/* Mirrored about the first and the last one. */
static size_t mirror(ptrdiff_t i, size_t size) {
    ptrdiff_t period = 2 * ((ptrdiff_t)size - 1);
    if (period == 0)
        return 0;
    i = (i % period + period) % period;
    return (size_t)(i < (ptrdiff_t)size ? i : period - i);
}

static size_t extend(ptrdiff_t i, size_t size) {
    return i < 0 ? 0 : (size_t)i < size ? (size_t)i : size - 1;
}

static void add_tap(kernel *k, ptrdiff_t down, ptrdiff_t right, double weight) {
    if (weight <= 0)
        return;
    k->taps[k->count].down = down;
    k->taps[k->count].right = right;
    k->taps[k->count++].weight = weight;
}

/* Brings the sum of the weights to 1. */
static void scale_taps(kernel *k) {
    double sum = 0;
    for (size_t i = 0; i < k->count; i++)
        sum += k->taps[i].weight;
    for (size_t i = 0; i < k->count; i++)
        k->taps[i].weight /= sum;
}

static float fold_point(const kernel *k, const float *image, const size_t *sizes, ptrdiff_t y,
                        ptrdiff_t x) {
    double sum = 0;
    for (size_t i = 0; i < k->count; i++) {
        ptrdiff_t v = y + k->taps[i].down, u = x + k->taps[i].right;
        size_t row = v >= 0 && (size_t)v < sizes[1] ? (size_t)v : k->edge(v, sizes[1]);
        size_t column = u >= 0 && (size_t)u < sizes[2] ? (size_t)u : k->edge(u, sizes[2]);
        sum += k->taps[i].weight * (double)image[row * sizes[2] + column];
    }
    return (float)sum;
}

static void fold(const kernel *k, const kd2m_shape *shape, const float *values, float *out) {
    const size_t *sizes = shape->sizes;
    for (size_t c = 0; c < sizes[0]; c++, values += sizes[1] * sizes[2])
        for (size_t y = 0; y < sizes[1]; y++)
            for (size_t x = 0; x < sizes[2]; x++)
                *out++ = fold_point(k, values, sizes, (ptrdiff_t)y, (ptrdiff_t)x);
}

/* The smoothed disc at a point: `side` is the smoothing's weight beside its middle. */
static double disc_at(int y, int x, double radius, double side) {
    double sum = 0;
    for (int v = -1; v <= 1; v++)
        for (int u = -1; u <= 1; u++)
            if ((y + v) * (y + v) + (x + u) * (x + u) <= radius * radius)
                sum += (v ? side : 1) * (u ? side : 1);
    return sum;
}

static void defocus(const kd2m_corruption_use *use, const float *values, float *out) {
    kernel disc = {.edge = mirror};
    double side = exp(-1 / (2 * use->extent * use->extent));
    for (int y = -REACH; y <= REACH; y++)
        for (int x = -REACH; x <= REACH; x++)
            add_tap(&disc, y, x, disc_at(y, x, use->amount, side));
    scale_taps(&disc);
    fold(&disc, use->shape, values, out);
}

static void move(const kd2m_corruption_use *use, const float *values, float *out) {
    kernel path = {.edge = extend};
    double angle = (kd2m_rng_uniform(use->rng) - 0.5) * PI / 2;
    for (int i = 0; i <= 2 * (int)use->extent; i++)
        add_tap(&path, (ptrdiff_t)ceil(i * sin(angle) - 0.5), (ptrdiff_t)ceil(i * cos(angle) - 0.5),
                exp(-i * i / (2 * use->amount * use->amount)));
    scale_taps(&path);
    fold(&path, use->shape, values, out);
}

/* What pixel i of `count` covers of a side of `size` >= count pixels: from *first to before *end.
 */
static void cover(size_t i, size_t count, size_t size, size_t *first, size_t *end) {
    double scale = (double)size / (double)count, centre = ((double)i + 0.5) * scale;
    *first = (size_t)(centre - scale / 2 + 0.5);
    *end = (size_t)(centre + scale / 2 + 0.5);
    *end = *end < size ? *end : size;
}

static void shrink(const float *image, const size_t *sizes, const size_t small[2], float *out) {
    for (size_t y = 0; y < small[0]; y++)
        for (size_t x = 0; x < small[1]; x++) {
            size_t top, bottom, left, right;
            double sum = 0;
            cover(y, small[0], sizes[1], &top, &bottom);
            cover(x, small[1], sizes[2], &left, &right);
            for (size_t v = top; v < bottom; v++)
                for (size_t u = left; u < right; u++)
                    sum += (double)image[v * sizes[2] + u];
            *out++ = (float)(sum / (double)((bottom - top) * (right - left)));
        }
}

static size_t scaled(size_t size, double share) {
    double small = floor((double)size * share);
    return small >= 1 ? (size_t)small : 1;
}

static void pixelate(const kd2m_corruption_use *use, const float *values, float *out) {
    const size_t *sizes = use->shape->sizes;
    const size_t small[2] = {scaled(sizes[1], use->amount), scaled(sizes[2], use->amount)};
    for (size_t c = 0; c < sizes[0]; c++, values += sizes[1] * sizes[2]) {
        shrink(values, sizes, small, use->scratch);
        for (size_t y = 0; y < sizes[1]; y++)
            for (size_t x = 0; x < sizes[2]; x++)
                *out++ = use->scratch[(2 * y + 1) * small[0] / (2 * sizes[1]) * small[1] +
                                      (2 * x + 1) * small[1] / (2 * sizes[2])];
    }
}

static size_t one_channel(const kd2m_shape *shape) {
    return shape->sizes[1] * shape->sizes[2];
}

const kd2m_corruption kd2m_corruption_defocus_blur = {
    .name = "defocus-blur",
    .summary = "images: a disc of this radius, smoothed by this deviation",
    .dims = 3,
    .amounts = {0.3, 0.4, 0.5, 1, 1.5},
    .extents = {0.4, 0.5, 0.6, 0.2, 0.1},
    .apply = defocus,
};

const kd2m_corruption kd2m_corruption_motion_blur = {
    .name = "motion-blur",
    .summary = "images: smeared by this deviation, within this radius",
    .dims = 3,
    .amounts = {1, 1.5, 2, 2, 2.5},
    .extents = {6, 6, 6, 8, 9},
    .apply = move,
};

const kd2m_corruption kd2m_corruption_pixelate = {
    .name = "pixelate",
    .summary = "images: this share of the pixels a side",
    .dims = 3,
    .amounts = {0.95, 0.9, 0.85, 0.75, 0.65},
    .scratch = one_channel,
    .apply = pixelate,
};
