/*
 * What the operators y = f(x) share: oneDNN's element-wise primitives, for any shape in any layout.
 * The operator's state is a kd2m_eltwise; its infer names the function, the rest stands here.
 */
#ifndef KD2M_NN_ELTWISE_H
#define KD2M_NN_ELTWISE_H

#include "operator.h"

typedef struct kd2m_eltwise {
    dnnl_alg_kind_t function;
    float alpha, beta; /* the function's, as oneDNN has them */
    kd2m_primitive *forward, *backward;
} kd2m_eltwise;

/* For the operator's infer: the output is shaped as the input. */
kd2m_status kd2m_eltwise_infer(kd2m_operation *operation, dnnl_alg_kind_t function, float alpha,
                               float beta);

/* The operator's other steps. Backward takes f' at the input. */
kd2m_status kd2m_eltwise_create(kd2m_operation *operation);
kd2m_status kd2m_eltwise_forward(kd2m_operation *operation);
kd2m_status kd2m_eltwise_backward(kd2m_operation *operation);
bool kd2m_eltwise_merge(const kd2m_operation *operation, kd2m_merged *into);

#endif
