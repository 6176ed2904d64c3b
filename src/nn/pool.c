/* Pooling over a sliding window; see pool.h. */
#include "pool.h"

#include "context.h"

const char *const kd2m_pool_attributes[] = {"kernel", "kernel_h", "kernel_w",
                                            "stride", "pad",      NULL};

kd2m_status kd2m_pool_infer(kd2m_operation *operation, dnnl_alg_kind_t kind) {
    kd2m_status status;
    kd2m_pool *state = operation->state;
    const kd2m_window *w = &state->window;
    state->kind = kind;
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
    kd2m_pool *state = operation->state;
    const kd2m_window *w = &state->window;
    const kd2m_buffer *input = operation->inputs[0]->output;
    const dnnl_memory_desc_t layout = kd2m_buffer_layout(input);
    dnnl_pooling_desc_t description;
    dnnl_memory_desc_t output;
    KD2M_TRY(kd2m_operation_plain_layout(operation, &output));
    output = layout.ndims == 5 ? kd2m_layout_any_batch_last(&output) : kd2m_layout_any(&output);
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_pooling_forward_desc_init(
            &description,
            operation->needs_gradient ? dnnl_forward_training : dnnl_forward_inference, state->kind,
            &layout, &output, w->stride, w->kernel, w->pad, w->pad),
        "describing a pooling"));
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
    kd2m_pool *state = operation->state;
    const kd2m_window *w = &state->window;
    const dnnl_memory_desc_t input = kd2m_buffer_layout(operation->inputs[0]->output);
    const dnnl_memory_desc_t output = kd2m_buffer_layout(operation->output);
    dnnl_pooling_desc_t description;
    KD2M_TRY(kd2m_engine_status(operation->context,
                                dnnl_pooling_backward_desc_init(&description, state->kind, &input,
                                                                &output, w->stride, w->kernel,
                                                                w->pad, w->pad),
                                "describing a pooling's backward pass"));
    KD2M_TRY(
        kd2m_engine_primitive(operation->engine, &state->backward, &description, state->forward));
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_DST, operation->gradient);
cleanup:
    return status;
}

/* Where each maximum was; an average needs no such thing. */
static kd2m_status keep_places(kd2m_operation *operation) {
    kd2m_status status;
    kd2m_pool *state = operation->state;
    kd2m_buffer *places;
    KD2M_TRY(kd2m_engine_buffer(operation->engine, &places,
                                kd2m_primitive_layout(state->forward, dnnl_query_workspace_md)));
    kd2m_primitive_bind(state->forward, DNNL_ARG_WORKSPACE, places);
    kd2m_primitive_bind(state->backward, DNNL_ARG_WORKSPACE, places);
cleanup:
    return status;
}

kd2m_status kd2m_pool_create(kd2m_operation *operation) {
    kd2m_status status;
    const kd2m_pool *state = operation->state;
    KD2M_TRY(create_forward(operation));
    if (!operation->needs_gradient)
        goto cleanup;
    KD2M_TRY(create_backward(operation));
    if (state->kind == dnnl_pooling_max)
        KD2M_TRY(keep_places(operation));
cleanup:
    return status;
}

kd2m_status kd2m_pool_forward(kd2m_operation *operation) {
    const kd2m_pool *state = operation->state;
    return kd2m_engine_run(operation->engine, state->forward);
}

kd2m_status kd2m_pool_backward(kd2m_operation *operation) {
    kd2m_status status;
    kd2m_pool *state = operation->state;
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_SRC, kd2m_gradient_begin(operation, 0));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->backward));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}
