/* The shape of one sample: D | C, L | C, H, W. */
#ifndef KD2M_CORE_SHAPE_H
#define KD2M_CORE_SHAPE_H

#include <stddef.h>

typedef struct kd2m_shape {
    size_t dims;     /* 1..3 */
    size_t sizes[3]; /* each >= 1 */
} kd2m_shape;

/* Values in a sample: the product of the sizes. */
size_t kd2m_shape_size(const kd2m_shape *shape);

/* '1 x 28 x 28', for messages. */
#define KD2M_SHAPE_TEXT 96
void kd2m_shape_text(char out[KD2M_SHAPE_TEXT], size_t dims, const size_t *sizes);

#endif
