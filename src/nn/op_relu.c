/* ReLU: y = max(x, 0); dx = dy where x > 0, else 0. Any shape, any layout. */
#include "context.h"
#include "operator.h"

typedef struct relu {
    kd2m_primitive *forward, *backward;
} relu;

static kd2m_status infer(kd2m_operation *operation) {
    const kd2m_operation *input = operation->inputs[0];
    operation->dims = input->dims;
    for (size_t i = 0; i < input->dims; i++)
        operation->shape[i] = input->shape[i];
    return KD2M_OK;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status;
    relu *state = operation->state;
    kd2m_operation *input = operation->inputs[0];
    const dnnl_memory_desc_t *layout = &input->output->layout;
    dnnl_eltwise_desc_t description;
    KD2M_TRY(kd2m_operation_place_output(operation, layout));
    KD2M_TRY(kd2m_engine_status(operation->context,
                                dnnl_eltwise_forward_desc_init(&description, dnnl_forward_training,
                                                               dnnl_eltwise_relu, layout, 0, 0),
                                "describing ReLU"));
    KD2M_TRY(kd2m_engine_primitive(operation->engine, &state->forward, &description, NULL));
    kd2m_primitive_bind(state->forward, DNNL_ARG_SRC, input->output);
    kd2m_primitive_bind(state->forward, DNNL_ARG_DST, operation->output);
    if (!operation->needs_gradient)
        goto cleanup;

    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_eltwise_backward_desc_init(&description, dnnl_eltwise_relu, layout, layout, 0, 0),
        "describing ReLU backward"));
    KD2M_TRY(
        kd2m_engine_primitive(operation->engine, &state->backward, &description, state->forward));
    kd2m_primitive_bind(state->backward, DNNL_ARG_SRC, input->output);
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_DST, operation->gradient);
cleanup:
    return status;
}

static kd2m_status forward(kd2m_operation *operation) {
    const relu *state = operation->state;
    return kd2m_engine_run(operation->engine, state->forward);
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status;
    relu *state = operation->state;
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_SRC, kd2m_gradient_begin(operation, 0));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->backward));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}

static const char *const attributes[] = {NULL};

const kd2m_operator kd2m_operator_relu = {
    .name = "relu",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = attributes,
    .state_size = sizeof(relu),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
};
