/* A layer's output as rows: see layer.h. */
#include "layer.h"

size_t kd2m_reduced_width(size_t channels, size_t positions, kd2m_reduction reduction) {
    return reduction == KD2M_REDUCTION_FLATTEN ? channels * positions : channels;
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

/* The adjoint of kd2m_pool_positions. */
static void spread_over_positions(const float *rows, size_t count, size_t channels,
                                  size_t positions, float *map) {
    for (size_t i = 0; i < count * channels; i++)
        for (size_t p = 0; p < positions; p++)
            map[i * positions + p] = rows[i] / (float)positions;
}

kd2m_status kd2m_read_layer(kd2m_net *net, size_t node, kd2m_reduction reduction,
                            const kd2m_positions *drawn, float *scratch, float *out) {
    size_t channels = kd2m_net_channels(net, node);
    size_t width = kd2m_net_width(net, node);
    if (kd2m_reduced_width(channels, width / channels, reduction) == width)
        return kd2m_net_read(net, node, out, width);
    kd2m_status status = kd2m_net_read(net, node, scratch, width);
    if (status != KD2M_OK)
        return status;
    if (drawn)
        kd2m_positions_gather(drawn, channels, scratch, out);
    else
        kd2m_pool_positions(scratch, kd2m_net_batch(net), channels, width / channels, out);
    return KD2M_OK;
}

kd2m_status kd2m_add_layer_gradient(kd2m_net *net, size_t node, kd2m_reduction reduction,
                                    const kd2m_positions *drawn, float *scratch,
                                    const float *gradient) {
    size_t channels = kd2m_net_channels(net, node);
    size_t width = kd2m_net_width(net, node);
    if (kd2m_reduced_width(channels, width / channels, reduction) == width)
        return kd2m_net_gradient_add(net, node, gradient, 1);
    if (drawn)
        kd2m_positions_scatter(drawn, channels, gradient, scratch);
    else
        spread_over_positions(gradient, kd2m_net_batch(net), channels, width / channels, scratch);
    return kd2m_net_gradient_add(net, node, scratch, 1);
}
