/* A layer's output as rows: see layer.h. */
#include "layer.h"

kd2m_status kd2m_read_layer(kd2m_net *net, size_t node, kd2m_reduction reduction, float *scratch,
                            float *out) {
    size_t channels = kd2m_net_channels(net, node);
    size_t width = kd2m_net_width(net, node);
    if (reduction == KD2M_REDUCTION_FLATTEN || channels == width)
        return kd2m_net_read(net, node, out, width);
    kd2m_status status = kd2m_net_read(net, node, scratch, width);
    size_t positions = width / channels;
    for (size_t i = 0; status == KD2M_OK && i < kd2m_net_batch(net) * channels; i++) {
        double sum = 0;
        for (size_t p = 0; p < positions; p++)
            sum += scratch[i * positions + p];
        out[i] = (float)(sum / (double)positions);
    }
    return status;
}
