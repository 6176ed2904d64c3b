/* Layers as rows of features. */
#ifndef KD2M_DISTILL_LAYER_H
#define KD2M_DISTILL_LAYER_H

#include "loss.h"
#include "net.h"
#include "positions.h"

/* Numbers in a row of a layer of channels x positions after the reduction. */
size_t kd2m_reduced_width(size_t channels, size_t positions, kd2m_reduction reduction);

/* out (rows x channels) = means over the positions of `map` (rows x channels x positions). */
void kd2m_pool_positions(const float *map, size_t rows, size_t channels, size_t positions,
                         float *out);

/*
 * out (rows x width after the reduction) = a node's output of the last forward; with `drawn`, the
 * rows are those positions, else samples. `scratch` has room for the whole map, batch x
 * kd2m_net_width; it may not be `out`.
 */
kd2m_status kd2m_read_layer(kd2m_net *net, size_t node, kd2m_reduction reduction,
                            const kd2m_positions *drawn, float *scratch, float *out);

/* The adjoint: adds the gradient of those rows at the node. `scratch` as above. */
kd2m_status kd2m_add_layer_gradient(kd2m_net *net, size_t node, kd2m_reduction reduction,
                                    const kd2m_positions *drawn, float *scratch,
                                    const float *gradient);

#endif
