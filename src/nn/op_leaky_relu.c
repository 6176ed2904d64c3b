/*
 * Leaky ReLU: y = x where x > 0, else slope x; dx = dy where x > 0, else slope dy. Attribute:
 * slope (0.01), from 0 to 1. Any shape, any layout.
 */
#include "context.h"
#include "eltwise.h"

static kd2m_status infer(kd2m_operation *operation) {
    double slope = kd2m_node_get(operation->node, "slope", 0.01);
    if (!(slope >= 0 && slope <= 1))
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                         "attribute 'slope' is %g, must lie between 0 and 1", slope);
    return kd2m_eltwise_infer(operation, dnnl_eltwise_relu, (float)slope, 0);
}

static const char *const attributes[] = {"slope", NULL};

const kd2m_operator kd2m_operator_leaky_relu = {
    .name = "leaky_relu",
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
