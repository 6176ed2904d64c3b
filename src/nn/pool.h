/*
 * What the operators that pool over a sliding window share. The operator's state is a kd2m_pool;
 * its infer names the kind of pooling, the rest stands here. Attributes: kernel, or kernel_h and
 * kernel_w; stride (the kernel's size); pad (0), at most half the kernel.
 */
#ifndef KD2M_NN_POOL_H
#define KD2M_NN_POOL_H

#include "operator.h"

typedef struct kd2m_pool {
    dnnl_alg_kind_t kind;
    kd2m_window window;
    kd2m_primitive *forward, *backward;
} kd2m_pool;

extern const char *const kd2m_pool_attributes[];

/* For the operator's infer. */
kd2m_status kd2m_pool_infer(kd2m_operation *operation, dnnl_alg_kind_t kind);

/* The operator's other steps. */
kd2m_status kd2m_pool_create(kd2m_operation *operation);
kd2m_status kd2m_pool_forward(kd2m_operation *operation);
kd2m_status kd2m_pool_backward(kd2m_operation *operation);

#endif
