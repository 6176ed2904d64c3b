/*
 * Convolution over a signal (C x L) or an image (C x H x W), as PyTorch has it (a correlation):
 *     y[o, t] = b[o] + sum_{c, k} W[o, c, k] x[c, stride t + k - pad]
 * Attributes: out; kernel, or kernel_h and kernel_w; stride (1); pad (0); bias (1); groups (1),
 * which cut input and output channels into as many parts that know only each other: c runs over the
 * input channels of o's part. As many groups as channels: a depthwise convolution.
 *
 * oneDNN's convolution, free to choose its layouts (conv_plan.c), direct but for 3 x 3 kernels over
 * images of many channels, which go by Winograd's minimal filtering (Lavin & Gray, CVPR 2016) where
 * oneDNN has it: half the products or fewer, and an error of about 1e-5 of the result's root mean
 * square. Small maps lie with the batch last, as rows for the direct kernels to vary along.
 * In training weights lie as forward wants them.
 * Backward works in whatever layouts it likes best; where those are others, the input, the output's
 * gradient and the weights are reordered once per use. Time O(batch out C kernel positions /
 * groups).
 *
 * In inference they lie plain, and are brought to forward's layout once, when they change, with a
 * batch norm that was merged into the convolution folded in:
 *     y = s (W x + b) + t:  weights s W, bias s b + t, in double.
 *
 * Of a kernel some of whose taps see nothing but padding oneDNN is given the others alone; the
 * parameter stays whole, the gradient of its unseen taps being 0.
 */
#include "batch_norm.h"
#include "context.h"
#include "conv_plan.h"

static kd2m_status infer(kd2m_operation *operation) {
    kd2m_status status;
    kd2m_conv *state = operation->state;
    const kd2m_operation *input = operation->inputs[0];
    size_t bias;
    KD2M_TRY(kd2m_operation_window(operation, false, &state->window));
    KD2M_TRY(kd2m_operation_attribute(operation, "out", KD2M_REQUIRED, 1, &operation->shape[0]));
    KD2M_TRY(kd2m_operation_attribute(operation, "bias", 1, 0, &bias));
    KD2M_TRY(kd2m_operation_attribute(operation, "groups", 1, 1, &state->groups));
    if (input->shape[0] % state->groups != 0 || operation->shape[0] % state->groups != 0)
        return kd2m_fail(
            operation->context, KD2M_ERROR_INPUT,
            "groups is %zu, must divide the %zu channels of '%s' and out, which is %zu",
            state->groups, input->shape[0], input->node->name, operation->shape[0]);
    size_t part = input->shape[0] / state->groups;
    size_t down = (size_t)state->window.kernel[0], across = (size_t)state->window.kernel[1];
    if (input->dims == 2)
        kd2m_operation_declare(operation, "weight", KD2M_ROLE_WEIGHT, 3,
                               (size_t[]){operation->shape[0], part, across});
    else
        kd2m_operation_declare(operation, "weight", KD2M_ROLE_WEIGHT, 4,
                               (size_t[]){operation->shape[0], part, down, across});
    if (bias)
        kd2m_operation_declare(operation, "bias", KD2M_ROLE_BIAS, 1, operation->shape);
cleanup:
    return status;
}

/* How the whole parameter lies: in training as forward wants it, or would want it without
 * trimming. */
static kd2m_status choose_weight_layout(const kd2m_operation *operation,
                                        const kd2m_conv_layouts *any, dnnl_memory_desc_t *out) {
    kd2m_status status = KD2M_OK;
    const kd2m_conv *state = operation->state;
    dnnl_convolution_desc_t description;
    *out = *kd2m_primitive_layout(state->forward, dnnl_query_weights_md);
    if (operation->kind == KD2M_NET_INFERENCE) {
        *out = kd2m_layout_dense(&any->whole_weight);
    } else if (state->taps.trimmed) {
        KD2M_TRY(kd2m_conv_describe_forward(operation, any, true, &description));
        KD2M_TRY(
            kd2m_engine_layout_of(operation->engine, out, &description, dnnl_query_weights_md));
    }
cleanup:
    return status;
}

/* Sets the parameter aside, and the folded one. Of a trimmed kernel oneDNN sees a window. */
static kd2m_status place_weight(kd2m_operation *operation, const kd2m_conv_layouts *any) {
    kd2m_status status;
    kd2m_conv *state = operation->state;
    const kd2m_conv_taps *taps = &state->taps;
    const kd2m_weights *weights = &operation->weights[KD2M_CONV_WEIGHT];
    dnnl_memory_desc_t layout;
    KD2M_TRY(choose_weight_layout(operation, any, &layout));
    KD2M_TRY(kd2m_operation_place_parameter(operation, KD2M_CONV_WEIGHT, &layout));
    if (operation->merged.norm)
        KD2M_TRY(kd2m_engine_buffer(operation->engine, &state->folded, &layout));
    kd2m_buffer *whole = state->folded ? state->folded : weights->values;
    state->weight = whole;
    state->weight_gradient = weights->gradient;
    if (!taps->trimmed)
        goto cleanup;
    int down = state->groups == 1 ? 2 : 3;
    dnnl_dims_t first = {0};
    first[down] = taps->first[0];
    first[down + 1] = taps->first[1];
    KD2M_TRY(kd2m_engine_part(operation->engine, &state->weight, whole, any->weight.dims, first));
    if (weights->gradient)
        KD2M_TRY(kd2m_engine_part(operation->engine, &state->weight_gradient, weights->gradient,
                                  any->weight.dims, first));
cleanup:
    return status;
}

/* The parameter, or what batch norm made of it. */
static kd2m_status place_bias(kd2m_operation *operation) {
    kd2m_status status = KD2M_OK;
    kd2m_conv *state = operation->state;
    dnnl_memory_desc_t plain;
    if (operation->weight_count > KD2M_CONV_BIAS)
        KD2M_TRY(kd2m_operation_place_parameter(operation, KD2M_CONV_BIAS, NULL));
    kd2m_buffer *bias = operation->weights[KD2M_CONV_BIAS].values;
    if (operation->merged.norm) {
        KD2M_TRY(kd2m_layout_plain(operation->context, &plain, 1, operation->shape));
        KD2M_TRY(kd2m_engine_buffer(operation->engine, &state->folded_bias, &plain));
        bias = state->folded_bias;
    }
    if (bias)
        kd2m_primitive_bind(state->forward, DNNL_ARG_BIAS, bias);
cleanup:
    return status;
}

/* With a sum merged in, the addend's memory. */
static kd2m_status place_output(kd2m_operation *operation) {
    const kd2m_conv *state = operation->state;
    if (!operation->merged.addend)
        return kd2m_operation_place_output(
            operation, kd2m_primitive_layout(state->forward, dnnl_query_dst_md));
    kd2m_operation_take_output(operation, operation->merged.addend);
    return KD2M_OK;
}

static kd2m_status create_forward(kd2m_operation *operation, const kd2m_conv_layouts *any) {
    kd2m_status status;
    kd2m_conv *state = operation->state;
    dnnl_convolution_desc_t description;
    KD2M_TRY(kd2m_operation_begin_merged(operation));
    KD2M_TRY(kd2m_conv_describe_forward(operation, any, false, &description));
    KD2M_TRY(kd2m_engine_primitive(operation->engine, &state->forward, &description, NULL));
    KD2M_TRY(kd2m_operation_end_merged(operation));
    const kd2m_primitive *forward = state->forward;
    KD2M_TRY(place_output(operation));
    KD2M_TRY(place_weight(operation, any));
    KD2M_TRY(kd2m_engine_view_of(operation->engine, &state->weights, state->weight,
                                 kd2m_primitive_layout(forward, dnnl_query_weights_md)));
    KD2M_TRY(kd2m_engine_view_of(operation->engine, &state->input, operation->inputs[0]->output,
                                 kd2m_primitive_layout(forward, dnnl_query_src_md)));
    kd2m_primitive_bind(state->forward, DNNL_ARG_SRC, state->input.buffer);
    kd2m_primitive_bind(state->forward, DNNL_ARG_WEIGHTS, state->weights.buffer);
    kd2m_primitive_bind(state->forward, DNNL_ARG_DST, operation->output);
    KD2M_TRY(place_bias(operation));
cleanup:
    return status;
}

/* The input as the weights' gradient wants it, `front` rows of zeros standing before its own. */
static kd2m_status place_weights_input(kd2m_operation *operation, dnnl_dim_t front) {
    kd2m_status status;
    kd2m_conv *state = operation->state;
    kd2m_engine *engine = operation->engine;
    kd2m_buffer *input = operation->inputs[0]->output, *own;
    const dnnl_memory_desc_t *layout =
        kd2m_primitive_layout(state->backward_weights, dnnl_query_src_md);
    if (front == 0)
        return kd2m_engine_view_again(engine, &state->weights_input, input, layout, &state->input);
    const dnnl_memory_desc_t longer = kd2m_layout_batch_first(layout);
    kd2m_buffer_view *view = &state->weights_input;
    KD2M_TRY(kd2m_engine_buffer(engine, &view->buffer, &longer));
    KD2M_TRY(kd2m_engine_part(engine, &own, view->buffer, input->layout.dims,
                              (dnnl_dims_t){0, 0, front}));
    KD2M_TRY(kd2m_engine_reorder(engine, &view->reorder, state->input.buffer, own));
cleanup:
    return status;
}

static kd2m_status create_backward_weights(kd2m_operation *operation,
                                           const kd2m_conv_layouts *any) {
    kd2m_status status;
    kd2m_conv *state = operation->state;
    kd2m_engine *engine = operation->engine;
    dnnl_convolution_desc_t description;
    dnnl_dim_t front;
    KD2M_TRY(kd2m_conv_describe_backward_weights(operation, any, &description, &front));
    KD2M_TRY(kd2m_engine_primitive(engine, &state->backward_weights, &description, state->forward));
    kd2m_primitive *backward = state->backward_weights;
    KD2M_TRY(place_weights_input(operation, front));
    KD2M_TRY(kd2m_engine_view_of(engine, &state->weights_gradient, operation->gradient,
                                 kd2m_primitive_layout(backward, dnnl_query_diff_dst_md)));
    KD2M_TRY(kd2m_engine_view_for(engine, &state->weights_target, state->weight_gradient,
                                  kd2m_primitive_layout(backward, dnnl_query_diff_weights_md)));
    kd2m_primitive_bind(backward, DNNL_ARG_SRC, state->weights_input.buffer);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_DST, state->weights_gradient.buffer);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_WEIGHTS, state->weights_target.buffer);
    if (any->bias)
        kd2m_primitive_bind(backward, DNNL_ARG_DIFF_BIAS,
                            operation->weights[KD2M_CONV_BIAS].gradient);
cleanup:
    return status;
}

static kd2m_status create_backward_data(kd2m_operation *operation, const kd2m_conv_layouts *any) {
    kd2m_status status;
    kd2m_conv *state = operation->state;
    kd2m_engine *engine = operation->engine;
    dnnl_convolution_desc_t description;
    KD2M_TRY(kd2m_conv_describe_backward_data(operation, any, &description));
    KD2M_TRY(kd2m_engine_primitive(engine, &state->backward_data, &description, state->forward));
    kd2m_primitive *backward = state->backward_data;
    KD2M_TRY(kd2m_engine_view_of(engine, &state->data_weights, state->weight,
                                 kd2m_primitive_layout(backward, dnnl_query_weights_md)));
    KD2M_TRY(kd2m_engine_view_again(engine, &state->data_gradient, operation->gradient,
                                    kd2m_primitive_layout(backward, dnnl_query_diff_dst_md),
                                    &state->weights_gradient));
    KD2M_TRY(kd2m_engine_view_for(engine, &state->data_target, operation->inputs[0]->gradient,
                                  kd2m_primitive_layout(backward, dnnl_query_diff_src_md)));
    kd2m_primitive_bind(backward, DNNL_ARG_WEIGHTS, state->data_weights.buffer);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_DST, state->data_gradient.buffer);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_SRC, state->data_target.buffer);
cleanup:
    return status;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status;
    kd2m_conv_layouts any;
    KD2M_TRY(kd2m_conv_plan(operation, &any));
    KD2M_TRY(create_forward(operation, &any));
    if (operation->needs_gradient)
        KD2M_TRY(create_backward_weights(operation, &any));
    if (operation->inputs[0]->needs_gradient)
        KD2M_TRY(create_backward_data(operation, &any));
cleanup:
    return status;
}

static void fold(const kd2m_operation *operation) {
    const kd2m_conv *state = operation->state;
    const float *weight = operation->weights[KD2M_CONV_WEIGHT].parameter.values;
    const float *bias = operation->weights[KD2M_CONV_BIAS].parameter.values; /* NULL without */
    size_t channels = operation->shape[0], taps = state->folded->count / channels;
    for (size_t o = 0; o < channels; o++) {
        double factor, offset;
        kd2m_batch_norm_map(operation->merged.norm, o, &factor, &offset);
        for (size_t i = o * taps; i < (o + 1) * taps; i++)
            state->folded->values[i] = (float)(factor * (double)weight[i]);
        state->folded_bias->values[o] = (float)(factor * (bias ? (double)bias[o] : 0) + offset);
    }
}

static kd2m_status settle(kd2m_operation *operation) {
    const kd2m_conv *state = operation->state;
    if (state->folded)
        fold(operation);
    return kd2m_engine_run(operation->engine, state->weights.reorder);
}

static kd2m_status forward(kd2m_operation *operation) {
    kd2m_status status;
    const kd2m_conv *state = operation->state;
    KD2M_TRY(kd2m_engine_run(operation->engine, state->input.reorder));
    if (operation->kind == KD2M_NET_TRAINING)
        KD2M_TRY(kd2m_engine_run(operation->engine, state->weights.reorder));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->forward));
cleanup:
    return status;
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status;
    kd2m_conv *state = operation->state;
    kd2m_engine *engine = operation->engine;
    KD2M_TRY(kd2m_engine_run(engine, state->weights_input.reorder));
    KD2M_TRY(kd2m_engine_run(engine, state->weights_gradient.reorder));
    KD2M_TRY(kd2m_engine_run(engine, state->backward_weights));
    KD2M_TRY(kd2m_engine_run(engine, state->weights_target.reorder));
    if (!state->backward_data)
        goto cleanup;

    kd2m_buffer *target = kd2m_gradient_begin(operation, 0);
    if (state->data_target.reorder)
        kd2m_primitive_bind(state->data_target.reorder, DNNL_ARG_TO, target);
    else
        kd2m_primitive_bind(state->backward_data, DNNL_ARG_DIFF_SRC, target);
    KD2M_TRY(kd2m_engine_run(engine, state->data_weights.reorder));
    KD2M_TRY(kd2m_engine_run(engine, state->data_gradient.reorder));
    KD2M_TRY(kd2m_engine_run(engine, state->backward_data));
    KD2M_TRY(kd2m_engine_run(engine, state->data_target.reorder));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}

static const char *const attributes[] = {"out", "kernel", "kernel_h", "kernel_w", "stride",
                                         "pad", "bias",   "groups",   NULL};

const kd2m_operator kd2m_operator_conv = {
    .name = "conv",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = attributes,
    .state_size = sizeof(kd2m_conv),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
    .merges = KD2M_MERGES_ALL,
    .settle = settle,
};
