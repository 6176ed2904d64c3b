/* Layers as rows of features. */
#ifndef KD2M_DISTILL_LAYER_H
#define KD2M_DISTILL_LAYER_H

#include "loss.h"
#include "net.h"

/*
 * out (batch x width after the reduction) = a node's output of the last forward. `scratch` has room
 * for the whole map, batch x kd2m_net_width; it may not be `out`.
 */
kd2m_status kd2m_read_layer(kd2m_net *net, size_t node, kd2m_reduction reduction, float *scratch,
                            float *out);

#endif
