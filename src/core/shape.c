/* Shapes: see shape.h. */
#include "shape.h"

#include <stdio.h>

size_t kd2m_shape_size(const kd2m_shape *shape) {
    size_t size = 1;
    for (size_t i = 0; i < shape->dims; i++)
        size *= shape->sizes[i];
    return size;
}

void kd2m_shape_text(char out[KD2M_SHAPE_TEXT], size_t dims, const size_t *sizes) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < dims; i++) /* at most four of 20 digits each */
        used += (size_t)snprintf(out + used, KD2M_SHAPE_TEXT - used, i == 0 ? "%zu" : " x %zu",
                                 sizes[i]);
}
