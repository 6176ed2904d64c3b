/*
 * Global average pooling: the mean over all positions, C x positions to a vector of C. oneDNN pools
 * into the layout that fits its input; vectors are plain, so a small reorder follows.
 */
#include "context.h"
#include "operator.h"

typedef struct global_pool {
    kd2m_primitive *forward, *backward;
    kd2m_buffer_view output;   /* written by forward */
    kd2m_buffer_view gradient; /* read by backward */
} global_pool;

static kd2m_status infer(kd2m_operation *operation) {
    const kd2m_operation *input = operation->inputs[0];
    if (input->dims == 1)
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                         "pools over positions, but '%s' gives vectors", input->node->name);
    operation->dims = 1;
    operation->shape[0] = input->shape[0];
    return KD2M_OK;
}

/* What oneDNN is told about the pooling: one window over everything. */
typedef struct pooling {
    dnnl_dims_t kernel, stride, pad;
    dnnl_memory_desc_t input;
    dnnl_memory_desc_t plain, any; /* of batch x C x 1 x 1 */
} pooling;

static kd2m_status describe(const kd2m_operation *operation, pooling *out) {
    kd2m_status status;
    const dnnl_memory_desc_t input = kd2m_buffer_layout(operation->inputs[0]->output);
    size_t shape[4] = {operation->batch, operation->shape[0], 1, 1};
    *out =
        (pooling){.input = input, .kernel = {input.dims[2], input.dims[3], 1}, .stride = {1, 1, 1}};
    KD2M_TRY(kd2m_layout_plain(operation->context, &out->plain, 4, shape));
    out->any =
        input.ndims == 5 ? kd2m_layout_any_batch_last(&out->plain) : kd2m_layout_any(&out->plain);
cleanup:
    return status;
}

static kd2m_status create_forward(kd2m_operation *operation, const pooling *all) {
    kd2m_status status;
    global_pool *state = operation->state;
    kd2m_engine *engine = operation->engine;
    const kd2m_buffer *input = operation->inputs[0]->output;
    kd2m_buffer *window;
    dnnl_pooling_desc_t description;
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_pooling_forward_desc_init(&description,
                                       operation->needs_gradient ? dnnl_forward_training
                                                                 : dnnl_forward_inference,
                                       dnnl_pooling_avg_exclude_padding, &all->input, &all->any,
                                       all->stride, all->kernel, all->pad, all->pad),
        "describing average pooling"));
    KD2M_TRY(kd2m_engine_primitive(engine, &state->forward, &description, NULL));
    KD2M_TRY(kd2m_operation_place_output(operation, NULL));
    KD2M_TRY(kd2m_engine_window(engine, &window, &all->plain, operation->output->values));
    KD2M_TRY(kd2m_engine_view_for(engine, &state->output, window,
                                  kd2m_primitive_layout(state->forward, dnnl_query_dst_md)));
    kd2m_primitive_bind(state->forward, DNNL_ARG_SRC, input);
    kd2m_primitive_bind(state->forward, DNNL_ARG_DST, state->output.buffer);
cleanup:
    return status;
}

static kd2m_status create_backward(kd2m_operation *operation, const pooling *all) {
    kd2m_status status;
    global_pool *state = operation->state;
    kd2m_engine *engine = operation->engine;
    kd2m_buffer *window;
    dnnl_pooling_desc_t description;
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_pooling_backward_desc_init(&description, dnnl_pooling_avg_exclude_padding, &all->input,
                                        &all->any, all->stride, all->kernel, all->pad, all->pad),
        "describing average pooling's backward pass"));
    KD2M_TRY(kd2m_engine_primitive(engine, &state->backward, &description, state->forward));
    KD2M_TRY(kd2m_engine_window(engine, &window, &all->plain, operation->gradient->values));
    KD2M_TRY(kd2m_engine_view_of(engine, &state->gradient, window,
                                 kd2m_primitive_layout(state->backward, dnnl_query_diff_dst_md)));
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_DST, state->gradient.buffer);
cleanup:
    return status;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status;
    pooling all;
    KD2M_TRY(describe(operation, &all));
    KD2M_TRY(create_forward(operation, &all));
    if (operation->needs_gradient)
        KD2M_TRY(create_backward(operation, &all));
cleanup:
    return status;
}

static kd2m_status forward(kd2m_operation *operation) {
    kd2m_status status;
    const global_pool *state = operation->state;
    KD2M_TRY(kd2m_engine_run(operation->engine, state->forward));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->output.reorder));
cleanup:
    return status;
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status;
    global_pool *state = operation->state;
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_SRC, kd2m_gradient_begin(operation, 0));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->gradient.reorder));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->backward));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}

static const char *const attributes[] = {NULL};

const kd2m_operator kd2m_operator_global_pool = {
    .name = "global_pool",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = attributes,
    .state_size = sizeof(global_pool),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
};
