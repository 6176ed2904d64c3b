/*
 * Flatten: one row of C x positions becomes a vector, channel by channel. A plain input is shared,
 * not copied; others are reordered.
 */
#include "context.h"
#include "operator.h"

typedef struct flatten {
    kd2m_primitive *forward; /* NULL where the output shares the input's memory */
    kd2m_primitive *backward;
} flatten;

static kd2m_status infer(kd2m_operation *operation) {
    const kd2m_operation *input = operation->inputs[0];
    operation->dims = 1;
    operation->shape[0] = 1;
    for (size_t i = 0; i < input->dims; i++)
        operation->shape[0] *= input->shape[i];
    return KD2M_OK;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status;
    flatten *state = operation->state;
    kd2m_operation *input = operation->inputs[0];
    kd2m_engine *engine = operation->engine;
    dnnl_memory_desc_t plain;
    kd2m_buffer *unflattened;
    KD2M_TRY(kd2m_operation_plain_layout(input, &plain));
    if (dnnl_memory_desc_equal(&input->output->layout, &plain)) {
        KD2M_TRY(kd2m_operation_share_output(operation, input->output->values));
    } else {
        KD2M_TRY(kd2m_operation_place_output(operation, NULL));
        KD2M_TRY(kd2m_engine_window(engine, &unflattened, &plain, operation->output->values));
        KD2M_TRY(kd2m_engine_reorder(engine, &state->forward, input->output, unflattened));
    }
    if (!operation->needs_gradient)
        goto cleanup;
    KD2M_TRY(kd2m_engine_window(engine, &unflattened, &plain, operation->gradient->values));
    KD2M_TRY(kd2m_engine_reorder(engine, &state->backward, unflattened, input->gradient));
cleanup:
    return status;
}

static kd2m_status forward(kd2m_operation *operation) {
    const flatten *state = operation->state;
    return kd2m_engine_run(operation->engine, state->forward);
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status;
    flatten *state = operation->state;
    kd2m_primitive_bind(state->backward, DNNL_ARG_TO, kd2m_gradient_begin(operation, 0));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->backward));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}

static const char *const attributes[] = {NULL};

const kd2m_operator kd2m_operator_flatten = {
    .name = "flatten",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = attributes,
    .state_size = sizeof(flatten),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
    .shares = true,
};
