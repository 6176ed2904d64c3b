/*
 * Maximum over a sliding window of each channel. Attributes: kernel, or kernel_h and kernel_w;
 * stride (the kernel's size); pad (0), which never wins. Backward goes to where the maximum was.
 */
#include "context.h"
#include "operator.h"

typedef struct max_pool {
    kd2m_window window;
    kd2m_primitive *forward, *backward;
} max_pool;

static kd2m_status infer(kd2m_operation *operation) {
    kd2m_status status;
    max_pool *state = operation->state;
    const kd2m_window *w = &state->window;
    KD2M_TRY(kd2m_operation_window(operation, true, &state->window));
    for (size_t i = 0; i < 2; i++)
        if (2 * w->pad[i] > w->kernel[i])
            return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                             "pad is %d, must be at most half the kernel's %d", (int)w->pad[i],
                             (int)w->kernel[i]);
cleanup:
    return status;
}

static kd2m_status create_forward(kd2m_operation *operation) {
    kd2m_status status;
    max_pool *state = operation->state;
    const kd2m_window *w = &state->window;
    const kd2m_buffer *input = operation->inputs[0]->output;
    dnnl_pooling_desc_t description;
    dnnl_memory_desc_t output;
    KD2M_TRY(kd2m_operation_plain_layout(operation, &output));
    output = kd2m_layout_any(&output);
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_pooling_forward_desc_init(
            &description,
            operation->needs_gradient ? dnnl_forward_training : dnnl_forward_inference,
            dnnl_pooling_max, &input->layout, &output, w->stride, w->kernel, w->pad, w->pad),
        "describing max pooling"));
    KD2M_TRY(kd2m_engine_primitive(operation->engine, &state->forward, &description, NULL));
    KD2M_TRY(kd2m_operation_place_output(operation,
                                         kd2m_primitive_layout(state->forward, dnnl_query_dst_md)));
    kd2m_primitive_bind(state->forward, DNNL_ARG_SRC, input);
    kd2m_primitive_bind(state->forward, DNNL_ARG_DST, operation->output);
cleanup:
    return status;
}

static kd2m_status create_backward(kd2m_operation *operation) {
    kd2m_status status;
    max_pool *state = operation->state;
    const kd2m_window *w = &state->window;
    kd2m_buffer *where;
    dnnl_pooling_desc_t description;
    KD2M_TRY(kd2m_engine_buffer(operation->engine, &where,
                                kd2m_primitive_layout(state->forward, dnnl_query_workspace_md)));
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_pooling_backward_desc_init(
            &description, dnnl_pooling_max, &operation->inputs[0]->output->layout,
            &operation->output->layout, w->stride, w->kernel, w->pad, w->pad),
        "describing max pooling's backward pass"));
    KD2M_TRY(
        kd2m_engine_primitive(operation->engine, &state->backward, &description, state->forward));
    kd2m_primitive_bind(state->forward, DNNL_ARG_WORKSPACE, where);
    kd2m_primitive_bind(state->backward, DNNL_ARG_WORKSPACE, where);
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_DST, operation->gradient);
cleanup:
    return status;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status;
    KD2M_TRY(create_forward(operation));
    if (operation->needs_gradient)
        KD2M_TRY(create_backward(operation));
cleanup:
    return status;
}

static kd2m_status forward(kd2m_operation *operation) {
    const max_pool *state = operation->state;
    return kd2m_engine_run(operation->engine, state->forward);
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status;
    max_pool *state = operation->state;
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_SRC, kd2m_gradient_begin(operation, 0));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->backward));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}

static const char *const attributes[] = {"kernel", "kernel_h", "kernel_w", "stride", "pad", NULL};

const kd2m_operator kd2m_operator_max_pool = {
    .name = "max_pool",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = attributes,
    .state_size = sizeof(max_pool),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
};
