/* ReLU6: y = min(max(x, 0), 6); dx = dy where 0 < x < 6, else 0. Any shape, any layout. */
#include "eltwise.h"

static kd2m_status infer(kd2m_operation *operation) {
    return kd2m_eltwise_infer(operation, dnnl_eltwise_clip_v2, 0, 6);
}

static const char *const attributes[] = {NULL};

const kd2m_operator kd2m_operator_relu6 = {
    .name = "relu6",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = attributes,
    .state_size = sizeof(kd2m_eltwise),
    .infer = infer,
    .create = kd2m_eltwise_create,
    .forward = kd2m_eltwise_forward,
    .backward = kd2m_eltwise_backward,
    .merge = kd2m_eltwise_merge,
};
