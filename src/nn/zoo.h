/*
 * The zoo: architectures by name, one file each, listed in zoo.def.
 *     mlp:784-512-256-10     widths from input to classes; hidden ones take ReLU
 *     cnn1d:width=1          1-D convolutional net for signals
 *     resnet20:width=1       residual net for images: 8, 20, 32, 56 (CIFAR form), 18, 34
 * `width=` multiplies all hidden widths.
 */
#ifndef KD2M_NN_ZOO_H
#define KD2M_NN_ZOO_H

#include "graph.h"

/* Builds a graph for samples of `shape`. Errors: KD2M_ERROR_USAGE (spec; input or classes that the
 * architecture does not fit, the message saying what the data has). */
kd2m_status kd2m_zoo_build(kd2m_graph **out, kd2m_context *context, const char *spec, size_t dims,
                           const size_t shape[3], size_t classes);

/* One linear map without bias, for widths that differ. */
kd2m_status kd2m_zoo_projector(kd2m_graph **out, kd2m_context *context, size_t from, size_t to);

#endif
