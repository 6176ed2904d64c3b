/*
 * What oneDNN is asked for a convolution: which taps, over which order of the batch, by which
 * algorithm. op_conv.c says what a convolution is, and runs it.
 */
#ifndef KD2M_NN_CONV_PLAN_H
#define KD2M_NN_CONV_PLAN_H

#include "operator.h"

enum { KD2M_CONV_WEIGHT, KD2M_CONV_BIAS };

/* The taps that see more than padding, down and across (and one over the batch). */
typedef struct kd2m_conv_taps {
    dnnl_dims_t first, kernel, pad_left, pad_right;
    bool trimmed;
} kd2m_conv_taps;

typedef struct kd2m_conv {
    kd2m_window window;
    size_t groups;
    kd2m_conv_taps taps;
    bool batch_last;                       /* described so to oneDNN: net_layout.h */
    kd2m_buffer *folded, *folded_bias;     /* what forward takes for the parameters; NULL without
                                            * batch norm */
    kd2m_buffer *weight, *weight_gradient; /* the parameter's (or folded's), or windows over its
                                            * seen taps */
    kd2m_buffer_view weights;              /* read by forward */
    kd2m_primitive *forward, *backward_weights, *backward_data;
    kd2m_buffer_view input;            /* read by forward */
    kd2m_buffer_view weights_input;    /* backward_weights: reads this, */
    kd2m_buffer_view weights_gradient; /* this, the output's gradient, */
    kd2m_buffer_view weights_target;   /* and writes this */
    kd2m_buffer_view data_weights;     /* backward_data: reads this, */
    kd2m_buffer_view data_gradient;    /* this, the output's gradient, */
    kd2m_buffer_view data_target;      /* and writes this, the input's gradient */
} kd2m_conv;

/* Shapes without layouts: what oneDNN is asked about. NULL stands for no bias. */
typedef struct kd2m_conv_layouts {
    dnnl_memory_desc_t input, weight, whole_weight, bias_memory, output;
    const dnnl_memory_desc_t *bias;
} kd2m_conv_layouts;

/* Finds taps and order, and describes tensors. `out` must stay where it is. */
kd2m_status kd2m_conv_plan(const kd2m_operation *operation, kd2m_conv_layouts *out);

/* The passes; forward with the seen taps alone, or with all. */
kd2m_status kd2m_conv_describe_forward(const kd2m_operation *operation,
                                       const kd2m_conv_layouts *any, bool all_taps,
                                       dnnl_convolution_desc_t *out);
kd2m_status kd2m_conv_describe_backward_data(const kd2m_operation *operation,
                                             const kd2m_conv_layouts *any,
                                             dnnl_convolution_desc_t *out);

/* *front = rows of zeros that the input must have before its own in this pass. */
kd2m_status kd2m_conv_describe_backward_weights(const kd2m_operation *operation,
                                                const kd2m_conv_layouts *any,
                                                dnnl_convolution_desc_t *out, dnnl_dim_t *front);

#endif
