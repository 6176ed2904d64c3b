/*
 * Layouts: how the values of a tensor lie, as oneDNN describes it.
 *
 * The net's own description of an image is N x C x H x W, whatever the layout. Over small maps
 * oneDNN's kernels, which vary along a row of the map, have little to vary along. To those the
 * batch is described as the last of three spatial dimensions, and the image as one only:
 *     1 x C x H x W x N, channels in blocks of 16:  C/16, H, W, N, 16
 * A convolution's kernel is 1 long there. "Batch last" means this layout in either description.
 */
#ifndef KD2M_NN_NET_LAYOUT_H
#define KD2M_NN_NET_LAYOUT_H

#include <dnnl.h>
#include <stdbool.h>
#include <stddef.h>

#include "kd2m/core.h"

/* Plain, which is dense row-major, of a shape; whatever an operator likes best, and dense
 * row-major, of another layout's shape. Three dimensions (signals and their kernels) become four,
 * with a height of 1: oneDNN's fast batch normalisation takes only images, and its convolutions and
 * pooling are as fast that way. `dims` is 1..5. */
kd2m_status kd2m_layout_plain(kd2m_context *context, dnnl_memory_desc_t *out, size_t dims,
                              const size_t *shape);
dnnl_memory_desc_t kd2m_layout_any(const dnnl_memory_desc_t *like);
dnnl_memory_desc_t kd2m_layout_dense(const dnnl_memory_desc_t *like);

/* Whatever an operator likes best, 1 x C x H x W x N, of the shape of an N x C x H x W. */
dnnl_memory_desc_t kd2m_layout_any_batch_last(const dnnl_memory_desc_t *like);

/* A 1 x C x H x W x N described as N x C x H x W; others as they are. */
dnnl_memory_desc_t kd2m_layout_batch_first(const dnnl_memory_desc_t *layout);

/* The converse, *out = 1 x C x H x W x N; false where `layout` is no image with the batch last. */
bool kd2m_layout_batch_last(dnnl_memory_desc_t *out, const dnnl_memory_desc_t *layout);

#endif
