/* Sizes of images as users write them, and windows of images. */
#ifndef KD2M_DATA_WINDOW_H
#define KD2M_DATA_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"

#define KD2M_SIDE_MAX 16777216 /* pixels, or values of a signal */

/* Reads 'N' (both sides) or 'HxW' of 1..KD2M_SIDE_MAX. KD2M_ERROR_USAGE for any other text. */
kd2m_status kd2m_sides_parse(kd2m_context *context, const char *text, size_t *height,
                             size_t *width);

/* A map of height x width values. */
typedef struct kd2m_sides {
    size_t height, width;
} kd2m_sides;

/* out (to) = what of `values` (from) lies in the window that begins at row `top` and column `left`
 * of it, both of which may lie outside; 0 where there is nothing. */
void kd2m_window_copy(const float *values, kd2m_sides from, int64_t top, int64_t left, float *out,
                      kd2m_sides to);

#endif
