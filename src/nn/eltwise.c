/* Operators of one value each; see eltwise.h. */
#include "eltwise.h"

#include "context.h"

kd2m_status kd2m_eltwise_infer(kd2m_operation *operation, dnnl_alg_kind_t function, float alpha,
                               float beta) {
    kd2m_eltwise *state = operation->state;
    state->function = function;
    state->alpha = alpha;
    state->beta = beta;
    kd2m_operation_shape_as(operation, operation->inputs[0]);
    return KD2M_OK;
}

kd2m_status kd2m_eltwise_create(kd2m_operation *operation) {
    kd2m_status status;
    kd2m_eltwise *state = operation->state;
    kd2m_operation *input = operation->inputs[0];
    const dnnl_memory_desc_t *layout = &input->output->layout;
    dnnl_eltwise_desc_t description;
    KD2M_TRY(kd2m_operation_place_output(operation, layout));
    KD2M_TRY(kd2m_engine_status(operation->context,
                                dnnl_eltwise_forward_desc_init(&description, dnnl_forward_training,
                                                               state->function, layout,
                                                               state->alpha, state->beta),
                                "describing a function of each value"));
    KD2M_TRY(kd2m_engine_primitive(operation->engine, &state->forward, &description, NULL));
    kd2m_primitive_bind(state->forward, DNNL_ARG_SRC, input->output);
    kd2m_primitive_bind(state->forward, DNNL_ARG_DST, operation->output);
    if (!operation->needs_gradient)
        goto cleanup;

    KD2M_TRY(
        kd2m_engine_status(operation->context,
                           dnnl_eltwise_backward_desc_init(&description, state->function, layout,
                                                           layout, state->alpha, state->beta),
                           "describing the slopes of a function of each value"));
    KD2M_TRY(
        kd2m_engine_primitive(operation->engine, &state->backward, &description, state->forward));
    kd2m_primitive_bind(state->backward, DNNL_ARG_SRC, input->output);
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_DST, operation->gradient);
cleanup:
    return status;
}

kd2m_status kd2m_eltwise_forward(kd2m_operation *operation) {
    const kd2m_eltwise *state = operation->state;
    return kd2m_engine_run(operation->engine, state->forward);
}

kd2m_status kd2m_eltwise_backward(kd2m_operation *operation) {
    kd2m_status status;
    kd2m_eltwise *state = operation->state;
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_SRC, kd2m_gradient_begin(operation, 0));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->backward));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}

bool kd2m_eltwise_merge(const kd2m_operation *operation, kd2m_merged *into) {
    const kd2m_eltwise *state = operation->state;
    into->function = state->function;
    into->alpha = state->alpha;
    into->beta = state->beta;
    return true;
}
