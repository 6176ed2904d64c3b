/*
 * Concatenation of two or more inputs along the channels: y = [x_1; x_2; ...]. All else of their
 * shapes must agree; they may lie in any layouts.
 *
 * The output lies as the first input does where that cuts no block of channels apart, else plain.
 * Each input is reordered into its piece of the output, and its piece of the gradient back. Time
 * O(values), bound by memory.
 */
#include "context.h"
#include "operator.h"

typedef struct concat {
    kd2m_primitive *forward[KD2M_NODE_INPUTS];  /* input to piece of the output */
    kd2m_primitive *backward[KD2M_NODE_INPUTS]; /* piece of the gradient to the input's */
} concat;

static kd2m_status infer(kd2m_operation *operation) {
    const kd2m_operation *first = operation->inputs[0];
    kd2m_operation_shape_as(operation, first);
    for (size_t k = 1; k < operation->node->input_count; k++) {
        const kd2m_operation *other = operation->inputs[k];
        if (!kd2m_operation_agrees(first, other, 1))
            return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                             "joins inputs that differ in their channels alone, but the positions "
                             "of '%s' and '%s' differ",
                             first->node->name, other->node->name);
        operation->shape[0] += other->shape[0]; /* the net's limit on sizes rules out overflow */
    }
    return KD2M_OK;
}

/* `plain`, or channels in blocks where the input has them so. */
static dnnl_memory_desc_t layout_like(const dnnl_memory_desc_t *input,
                                      const dnnl_memory_desc_t *plain) {
    const dnnl_blocking_desc_t *blocks = &input->format_desc.blocking;
    dnnl_memory_desc_t layout;
    bool channels = input->ndims == 4 && blocks->inner_nblks == 1 && blocks->inner_idxs[0] == 1;
    bool wide = channels && blocks->inner_blks[0] == 16;
    if (!wide && !(channels && blocks->inner_blks[0] == 8))
        return *plain;
    /* can't fail: the shape was accepted before */
    dnnl_memory_desc_init_by_tag(&layout, plain->ndims, plain->dims, plain->data_type,
                                 wide ? dnnl_nChw16c : dnnl_nChw8c);
    return layout;
}

/* Whether the inputs' channels end where blocks do. */
static bool can_cut(const kd2m_operation *operation, const dnnl_memory_desc_t *layout) {
    dnnl_memory_desc_t piece;
    dnnl_dims_t first = {0};
    bool fits = true;
    for (size_t k = 0; fits && k < operation->node->input_count; k++) {
        const dnnl_dim_t *dims = operation->inputs[k]->output->layout.dims;
        fits = dnnl_memory_desc_init_submemory(&piece, layout, dims, first) == dnnl_success;
        first[1] += dims[1];
    }
    return fits;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status;
    concat *state = operation->state;
    kd2m_engine *engine = operation->engine;
    dnnl_memory_desc_t plain, layout;
    dnnl_dims_t first = {0};
    kd2m_buffer *piece;
    KD2M_TRY(kd2m_operation_plain_layout(operation, &plain));
    layout = layout_like(&operation->inputs[0]->output->layout, &plain);
    KD2M_TRY(
        kd2m_operation_place_output(operation, can_cut(operation, &layout) ? &layout : &plain));
    for (size_t k = 0; k < operation->node->input_count; k++) {
        const kd2m_operation *input = operation->inputs[k];
        const dnnl_dim_t *dims = input->output->layout.dims;
        KD2M_TRY(kd2m_engine_part(engine, &piece, operation->output, dims, first));
        KD2M_TRY(kd2m_engine_reorder(engine, &state->forward[k], input->output, piece));
        if (input->needs_gradient) {
            KD2M_TRY(kd2m_engine_part(engine, &piece, operation->gradient, dims, first));
            KD2M_TRY(kd2m_engine_reorder(engine, &state->backward[k], piece, input->gradient));
        }
        first[1] += dims[1];
    }
cleanup:
    return status;
}

static kd2m_status forward(kd2m_operation *operation) {
    kd2m_status status = KD2M_OK;
    const concat *state = operation->state;
    for (size_t k = 0; k < operation->node->input_count; k++)
        KD2M_TRY(kd2m_engine_run(operation->engine, state->forward[k]));
cleanup:
    return status;
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status = KD2M_OK;
    concat *state = operation->state;
    for (size_t k = 0; k < operation->node->input_count; k++) {
        if (!state->backward[k])
            continue;
        kd2m_primitive_bind(state->backward[k], DNNL_ARG_TO, kd2m_gradient_begin(operation, k));
        KD2M_TRY(kd2m_engine_run(operation->engine, state->backward[k]));
        kd2m_gradient_end(operation, k);
    }
cleanup:
    return status;
}

static const char *const attributes[] = {NULL};

const kd2m_operator kd2m_operator_concat = {
    .name = "concat",
    .inputs_least = 2,
    .inputs_most = KD2M_NODE_INPUTS,
    .attributes = attributes,
    .state_size = sizeof(concat),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
};
