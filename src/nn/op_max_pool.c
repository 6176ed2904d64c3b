/*
 * Maximum over a sliding window of each channel, attributes as in pool.h; the padding never wins.
 * Backward goes to where the maximum was.
 */
#include "pool.h"

static kd2m_status infer(kd2m_operation *operation) {
    return kd2m_pool_infer(operation, dnnl_pooling_max);
}

const kd2m_operator kd2m_operator_max_pool = {
    .name = "max_pool",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = kd2m_pool_attributes,
    .state_size = sizeof(kd2m_pool),
    .infer = infer,
    .create = kd2m_pool_create,
    .forward = kd2m_pool_forward,
    .backward = kd2m_pool_backward,
};
