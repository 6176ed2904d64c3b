/*
 * Convolution over a signal (C x L) or an image (C x H x W), as PyTorch has it (a correlation):
 *     y[o, t] = b[o] + sum_{c, k} W[o, c, k] x[c, stride t + k - pad]
 * Attributes: out; kernel, or kernel_h and kernel_w; stride (1); pad (0); bias (1); groups (1),
 * which cut input and output channels into as many parts that know only each other: c runs over the
 * input channels of o's part. As many groups as channels: a depthwise convolution.
 *
 * oneDNN's convolution, free to choose its layouts, direct but for 3 x 3 kernels over images of
 * many channels, which go by Winograd's minimal filtering (Lavin & Gray, CVPR 2016) where oneDNN
 * has it: half the products or fewer, and an error of about 1e-5 of the result's root mean square.
 * In training weights lie as forward wants them.
 * Backward works in whatever layouts it likes best; where those are others, the input, the output's
 * gradient and the weights are reordered once per use. Time O(batch out C kernel positions /
 * groups).
 *
 * In inference they lie plain, and are brought to forward's layout once, when they change, with a
 * batch norm that was merged into the convolution folded in:
 *     y = s (W x + b) + t:  weights s W, bias s b + t, in double.
 *
 * On small maps some taps of the kernel see nothing but padding, wherever it stands: on 1 x 1, a
 * 3 x 3 kernel's eight outer ones. oneDNN is given the kernel without them; the parameter stays
 * whole, the gradient of its unseen taps being 0.
 */
#include "batch_norm.h"
#include "context.h"

#define WINOGRAD_CHANNELS 64 /* in training; half of it in inference, where weights wait ready */
#define WINOGRAD_POSITIONS 4

enum { WEIGHT, BIAS };

/* The taps that see more than padding, down and across. */
typedef struct conv_taps {
    dnnl_dims_t first, kernel, pad_left, pad_right;
    bool trimmed;
} conv_taps;

typedef struct conv {
    kd2m_window window;
    size_t groups;
    conv_taps taps;
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
} conv;

static kd2m_status infer(kd2m_operation *operation) {
    kd2m_status status;
    conv *state = operation->state;
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

/* Shapes without layouts: what oneDNN is asked about. NULL stands for no bias. */
typedef struct conv_layouts {
    dnnl_memory_desc_t input, weight, whole_weight, bias_memory, output;
    const dnnl_memory_desc_t *bias;
} conv_layouts;

/* Whether some position of the output reads the input's `length` positions through this tap. */
static bool tap_sees(dnnl_dim_t tap, dnnl_dim_t stride, dnnl_dim_t pad, dnnl_dim_t length,
                     dnnl_dim_t positions) {
    for (dnnl_dim_t t = 0; t < positions; t++)
        if (stride * t + tap >= pad && stride * t + tap - pad < length)
            return true;
    return false;
}

static conv_taps find_taps(const kd2m_operation *operation) {
    const conv *state = operation->state;
    const kd2m_operation *input = operation->inputs[0];
    conv_taps taps = {.trimmed = false};
    for (size_t i = 0; i < 2; i++) {
        bool signal = input->dims == 2;
        dnnl_dim_t length = signal && i == 0 ? 1 : (dnnl_dim_t)input->shape[i + input->dims - 2];
        dnnl_dim_t positions =
            signal && i == 0 ? 1 : (dnnl_dim_t)operation->shape[i + input->dims - 2];
        dnnl_dim_t kernel = state->window.kernel[i], stride = state->window.stride[i];
        dnnl_dim_t pad = state->window.pad[i], first = 0, last = kernel - 1;
        /* with so much padding that whole positions see nothing, the kernel is left as it is */
        if (pad < kernel) {
            while (first < last && !tap_sees(first, stride, pad, length, positions))
                first++;
            while (last > first && !tap_sees(last, stride, pad, length, positions))
                last--;
        }
        taps.first[i] = first;
        taps.kernel[i] = last - first + 1;
        taps.pad_left[i] = pad - first;
        dnnl_dim_t right = (positions - 1) * stride + taps.kernel[i] - length - taps.pad_left[i];
        taps.pad_right[i] = right > 0 ? right : 0;
        taps.trimmed |= taps.kernel[i] < kernel;
    }
    return taps;
}

/* A weight with so many taps down and across. oneDNN counts groups in a dimension of their own. */
static kd2m_status describe_weight(const kd2m_operation *operation, const dnnl_dim_t *taps,
                                   dnnl_memory_desc_t *out) {
    const conv *state = operation->state;
    const size_t *shape = operation->weights[WEIGHT].parameter.shape;
    const size_t grouped[] = {state->groups, shape[0] / state->groups, shape[1], (size_t)taps[0],
                              (size_t)taps[1]};
    bool one = state->groups == 1;
    return kd2m_layout_plain(operation->context, out, one ? 4 : 5, one ? grouped + 1 : grouped);
}

static kd2m_status describe(const kd2m_operation *operation, conv_layouts *out) {
    kd2m_status status;
    const conv *state = operation->state;
    KD2M_TRY(kd2m_operation_plain_layout(operation->inputs[0], &out->input));
    KD2M_TRY(kd2m_operation_plain_layout(operation, &out->output));
    KD2M_TRY(describe_weight(operation, state->taps.kernel, &out->weight));
    KD2M_TRY(describe_weight(operation, state->window.kernel, &out->whole_weight));
    KD2M_TRY(kd2m_layout_plain(operation->context, &out->bias_memory, 1, operation->shape));
    out->input = kd2m_layout_any(&out->input);
    out->output = kd2m_layout_any(&out->output);
    out->weight = kd2m_layout_any(&out->weight);
    out->whole_weight = kd2m_layout_any(&out->whole_weight);
    if (operation->merged.addend)
        out->output = operation->merged.addend->output->layout;
    bool bias = operation->weight_count > BIAS || operation->merged.norm;
    out->bias = bias ? &out->bias_memory : NULL;
cleanup:
    return status;
}

/* Lets a described pass run by Winograd's minimal filtering where that saves time (see above) and
 * oneDNN has it, which it does with AVX-512 alone. */
static void choose_algorithm(const kd2m_operation *operation, dnnl_convolution_desc_t *description,
                             const kd2m_primitive *hint) {
    const conv *state = operation->state;
    const size_t *in = operation->inputs[0]->shape, *out = operation->shape;
    bool square = operation->dims == 3 && state->groups == 1 && !state->taps.trimmed;
    for (size_t i = 0; i < 2 && square; i++)
        square = state->window.kernel[i] == 3 && state->window.stride[i] == 1 &&
                 state->window.pad[i] == 1 && in[i + 1] >= WINOGRAD_POSITIONS;
    bool training = operation->kind == KD2M_NET_TRAINING;
    size_t least = training ? WINOGRAD_CHANNELS : WINOGRAD_CHANNELS / 2;
    if (!square || in[0] < least || out[0] < least)
        return;
    const dnnl_convolution_desc_t direct = *description;
    description->alg_kind = dnnl_convolution_winograd;
    if (!training)
        description->prop_kind = dnnl_forward_inference; /* takes weights as it transforms them */
    if (!kd2m_engine_offers(operation->engine, description, hint))
        *description = direct;
}

static kd2m_status describe_forward(const kd2m_operation *operation, const conv_layouts *any,
                                    const dnnl_memory_desc_t *weight, const dnnl_dim_t *pad_left,
                                    const dnnl_dim_t *pad_right, dnnl_convolution_desc_t *out) {
    const conv *state = operation->state;
    /* for inference oneDNN 2.6 prefers channels last, which it is no faster in, and which
     * Winograd's filtering does not take */
    return kd2m_engine_status(
        operation->context,
        dnnl_convolution_forward_desc_init(out, dnnl_forward_training, dnnl_convolution_direct,
                                           &any->input, weight, any->bias, &any->output,
                                           state->window.stride, pad_left, pad_right),
        "describing a convolution");
}

/* How the whole parameter lies: in training as forward wants it, or would want it without
 * trimming. */
static kd2m_status choose_weight_layout(const kd2m_operation *operation, const conv_layouts *any,
                                        dnnl_memory_desc_t *out) {
    kd2m_status status = KD2M_OK;
    const conv *state = operation->state;
    dnnl_convolution_desc_t description;
    *out = *kd2m_primitive_layout(state->forward, dnnl_query_weights_md);
    if (operation->kind == KD2M_NET_INFERENCE) {
        *out = kd2m_layout_dense(&any->whole_weight);
    } else if (state->taps.trimmed) {
        KD2M_TRY(describe_forward(operation, any, &any->whole_weight, state->window.pad,
                                  state->window.pad, &description));
        KD2M_TRY(
            kd2m_engine_layout_of(operation->engine, out, &description, dnnl_query_weights_md));
    }
cleanup:
    return status;
}

/* Sets the parameter aside, and the folded one. Of a trimmed kernel oneDNN sees a window. */
static kd2m_status place_weight(kd2m_operation *operation, const conv_layouts *any) {
    kd2m_status status;
    conv *state = operation->state;
    const conv_taps *taps = &state->taps;
    const kd2m_weights *weights = &operation->weights[WEIGHT];
    dnnl_memory_desc_t layout;
    KD2M_TRY(choose_weight_layout(operation, any, &layout));
    KD2M_TRY(kd2m_operation_place_parameter(operation, WEIGHT, &layout));
    if (operation->merged.norm)
        KD2M_TRY(kd2m_engine_buffer(operation->engine, &state->folded, &layout));
    kd2m_buffer *whole = state->folded ? state->folded : weights->values;
    state->weight = whole;
    state->weight_gradient = weights->gradient;
    if (!taps->trimmed)
        goto cleanup;
    int spatial = any->weight.ndims - 2;
    dnnl_dims_t first = {0};
    first[spatial] = taps->first[0];
    first[spatial + 1] = taps->first[1];
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
    conv *state = operation->state;
    dnnl_memory_desc_t plain;
    if (operation->weight_count > BIAS)
        KD2M_TRY(kd2m_operation_place_parameter(operation, BIAS, NULL));
    kd2m_buffer *bias = operation->weights[BIAS].values;
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
    const conv *state = operation->state;
    if (!operation->merged.addend)
        return kd2m_operation_place_output(
            operation, kd2m_primitive_layout(state->forward, dnnl_query_dst_md));
    kd2m_operation_take_output(operation, operation->merged.addend);
    return KD2M_OK;
}

static kd2m_status create_forward(kd2m_operation *operation, const conv_layouts *any) {
    kd2m_status status;
    conv *state = operation->state;
    dnnl_convolution_desc_t description;
    KD2M_TRY(describe_forward(operation, any, &any->weight, state->taps.pad_left,
                              state->taps.pad_right, &description));
    KD2M_TRY(kd2m_operation_begin_merged(operation));
    choose_algorithm(operation, &description, NULL);
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

static kd2m_status create_backward_weights(kd2m_operation *operation, const conv_layouts *any) {
    kd2m_status status;
    conv *state = operation->state;
    kd2m_engine *engine = operation->engine;
    const conv_taps *taps = &state->taps;
    dnnl_convolution_desc_t description;
    KD2M_TRY(kd2m_engine_status(operation->context,
                                dnnl_convolution_backward_weights_desc_init(
                                    &description, dnnl_convolution_direct, &any->input,
                                    &any->weight, any->bias, &any->output, state->window.stride,
                                    taps->pad_left, taps->pad_right),
                                "describing a convolution's backward pass"));
    choose_algorithm(operation, &description, state->forward);
    KD2M_TRY(kd2m_engine_primitive(engine, &state->backward_weights, &description, state->forward));
    kd2m_primitive *backward = state->backward_weights;
    KD2M_TRY(kd2m_engine_view_again(engine, &state->weights_input, operation->inputs[0]->output,
                                    kd2m_primitive_layout(backward, dnnl_query_src_md),
                                    &state->input));
    KD2M_TRY(kd2m_engine_view_of(engine, &state->weights_gradient, operation->gradient,
                                 kd2m_primitive_layout(backward, dnnl_query_diff_dst_md)));
    KD2M_TRY(kd2m_engine_view_for(engine, &state->weights_target, state->weight_gradient,
                                  kd2m_primitive_layout(backward, dnnl_query_diff_weights_md)));
    kd2m_primitive_bind(backward, DNNL_ARG_SRC, state->weights_input.buffer);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_DST, state->weights_gradient.buffer);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_WEIGHTS, state->weights_target.buffer);
    if (any->bias)
        kd2m_primitive_bind(backward, DNNL_ARG_DIFF_BIAS, operation->weights[BIAS].gradient);
cleanup:
    return status;
}

static kd2m_status create_backward_data(kd2m_operation *operation, const conv_layouts *any) {
    kd2m_status status;
    conv *state = operation->state;
    kd2m_engine *engine = operation->engine;
    const conv_taps *taps = &state->taps;
    dnnl_convolution_desc_t description;
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_convolution_backward_data_desc_init(&description, dnnl_convolution_direct, &any->input,
                                                 &any->weight, &any->output, state->window.stride,
                                                 taps->pad_left, taps->pad_right),
        "describing a convolution's backward pass"));
    choose_algorithm(operation, &description, state->forward);
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
    conv *state = operation->state;
    conv_layouts any;
    state->taps = find_taps(operation);
    KD2M_TRY(describe(operation, &any));
    KD2M_TRY(create_forward(operation, &any));
    if (operation->needs_gradient)
        KD2M_TRY(create_backward_weights(operation, &any));
    if (operation->inputs[0]->needs_gradient)
        KD2M_TRY(create_backward_data(operation, &any));
cleanup:
    return status;
}

static void fold(const kd2m_operation *operation) {
    const conv *state = operation->state;
    const float *weight = operation->weights[WEIGHT].parameter.values;
    const float *bias = operation->weights[BIAS].parameter.values; /* NULL without */
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
    const conv *state = operation->state;
    if (state->folded)
        fold(operation);
    return kd2m_engine_run(operation->engine, state->weights.reorder);
}

static kd2m_status forward(kd2m_operation *operation) {
    kd2m_status status;
    const conv *state = operation->state;
    KD2M_TRY(kd2m_engine_run(operation->engine, state->input.reorder));
    if (operation->kind == KD2M_NET_TRAINING)
        KD2M_TRY(kd2m_engine_run(operation->engine, state->weights.reorder));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->forward));
cleanup:
    return status;
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status;
    conv *state = operation->state;
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
    .state_size = sizeof(conv),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
    .merges = KD2M_MERGES_ALL,
    .settle = settle,
};
