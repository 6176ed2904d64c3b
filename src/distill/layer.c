/* A layer's output as rows: see layer.h. */
#include "layer.h"

size_t kd2m_reduced_width(size_t channels, size_t positions, kd2m_reduction reduction) {
    return reduction == KD2M_REDUCTION_POOL ? channels : channels * positions;
}

void kd2m_pool_positions(const float *map, size_t rows, size_t channels, size_t positions,
                         float *out) {
    for (size_t i = 0; i < rows * channels; i++) {
        double sum = 0;
        for (size_t p = 0; p < positions; p++)
            sum += map[i * positions + p];
        out[i] = (float)(sum / (double)positions);
    }
}

kd2m_status kd2m_read_layer(kd2m_net *net, size_t node, kd2m_reduction reduction, float *scratch,
                            float *out) {
    size_t channels = kd2m_net_channels(net, node);
    size_t width = kd2m_net_width(net, node);
    if (kd2m_reduced_width(channels, width / channels, reduction) == width)
        return kd2m_net_read(net, node, out, width);
    kd2m_status status = kd2m_net_read(net, node, scratch, width);
    if (status == KD2M_OK)
        kd2m_pool_positions(scratch, kd2m_net_batch(net), channels, width / channels, out);
    return status;
}
