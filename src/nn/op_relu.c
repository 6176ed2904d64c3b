/* ReLU: y = max(x, 0); dx = dy where x > 0, else 0. Any shape, any layout. */
#include "eltwise.h"

static kd2m_status infer(kd2m_operation *operation) {
    return kd2m_eltwise_infer(operation, dnnl_eltwise_relu, 0, 0);
}

static const char *const attributes[] = {NULL};

const kd2m_operator kd2m_operator_relu = {
    .name = "relu",
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
