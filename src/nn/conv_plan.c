/*
 * How oneDNN is to run a convolution; see conv_plan.h and op_conv.c. Measured on batches of 128
 * with AVX-512, in GFLOP/s of products that are not with padding.
 *
 * Winograd's minimal filtering: 3 x 3 kernels over images of many channels.
 *
 * Seen taps: on small maps some taps of the kernel see nothing but padding, wherever it stands: on
 * 1 x 1, a 3 x 3 kernel's eight outer ones. oneDNN is given the kernel without them.
 *
 * Batch last (net_layout.h): oneDNN's direct kernels hold a row of the output in registers, which
 * on small maps is far shorter than these. 3 x 3 taps over 2 x 2 maps of 256 channels run at 65 to
 * 160, 512 to 512 channels over 1 x 1 at 70 to 125; with the batch as the row at 250 to 360.
 */
#include "conv_plan.h"

#include "context.h"

#define WINOGRAD_CHANNELS 64 /* in training; half of it in inference, where weights wait ready */
#define WINOGRAD_POSITIONS 4

/* Batch last pays from as many rows and channels on, up to as many positions. */
#define BATCH_LAST_ROWS 8
#define BATCH_LAST_CHANNELS 32
#define BATCH_LAST_POSITIONS 9 /* of images */
#define BATCH_LAST_LENGTH 16   /* of signals */

/* Whether some position of the output reads the input's `length` positions through this tap. */
static bool tap_sees(dnnl_dim_t tap, dnnl_dim_t stride, dnnl_dim_t pad, dnnl_dim_t length,
                     dnnl_dim_t positions) {
    for (dnnl_dim_t t = 0; t < positions; t++)
        if (stride * t + tap >= pad && stride * t + tap - pad < length)
            return true;
    return false;
}

static kd2m_conv_taps find_taps(const kd2m_operation *operation) {
    const kd2m_conv *state = operation->state;
    const kd2m_operation *input = operation->inputs[0];
    kd2m_conv_taps taps = {.kernel = {1, 1, 1}};
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
    kd2m_status status;
    const kd2m_conv *state = operation->state;
    const size_t *shape = operation->weights[KD2M_CONV_WEIGHT].parameter.shape;
    const size_t sizes[] = {state->groups,   shape[0] / state->groups, shape[1],
                            (size_t)taps[0], (size_t)taps[1],          1};
    bool one = state->groups == 1;
    size_t dims = one && !state->batch_last ? 4 : 5;
    KD2M_TRY(kd2m_layout_plain(operation->context, out, dims, one ? sizes + 1 : sizes));
    *out = kd2m_layout_any(out);
cleanup:
    return status;
}

static kd2m_status describe(const kd2m_operation *operation, kd2m_conv_layouts *out) {
    kd2m_status status;
    const kd2m_conv *state = operation->state;
    const kd2m_operation *addend = operation->merged.addend;
    KD2M_TRY(kd2m_operation_plain_layout(operation->inputs[0], &out->input));
    KD2M_TRY(kd2m_operation_plain_layout(operation, &out->output));
    KD2M_TRY(describe_weight(operation, state->taps.kernel, &out->weight));
    KD2M_TRY(describe_weight(operation, state->window.kernel, &out->whole_weight));
    KD2M_TRY(kd2m_layout_plain(operation->context, &out->bias_memory, 1, operation->shape));
    dnnl_memory_desc_t (*any)(const dnnl_memory_desc_t *) =
        state->batch_last ? kd2m_layout_any_batch_last : kd2m_layout_any;
    out->input = any(&out->input);
    out->output = any(&out->output);
    if (addend)
        out->output =
            state->batch_last ? kd2m_buffer_layout(addend->output) : addend->output->layout;
    bool bias = operation->weight_count > KD2M_CONV_BIAS || operation->merged.norm;
    out->bias = bias ? &out->bias_memory : NULL;
cleanup:
    return status;
}

/* Whether the kernel is one tap that passes positions over. */
static bool thins_out(const kd2m_window *window) {
    return window->kernel[0] == 1 && window->kernel[1] == 1 && window->stride[1] > 1;
}

/* Whether having the batch last would save time. */
static bool wants_batch_last(const kd2m_operation *operation) {
    const kd2m_conv *state = operation->state;
    const kd2m_operation *addend = operation->merged.addend;
    size_t in = operation->inputs[0]->shape[0], out = operation->shape[0], positions = 1;
    size_t row = operation->shape[operation->dims - 1];
    size_t most = operation->dims == 2 ? BATCH_LAST_LENGTH : BATCH_LAST_POSITIONS;
    for (size_t i = 1; i < operation->dims; i++)
        positions *= operation->shape[i];
    if (addend) /* the sum must lie as the addend does */
        return addend->output->batch_last && state->groups == 1;
    /* oneDNN would take fifty times as long for the gradient that goes to passed positions */
    if (operation->kind == KD2M_NET_TRAINING && thins_out(&state->window) && positions > 1)
        return false;
    return state->groups == 1 && positions <= most && row <= operation->batch &&
           operation->batch >= BATCH_LAST_ROWS && in >= BATCH_LAST_CHANNELS &&
           out >= BATCH_LAST_CHANNELS;
}

/* Lets a described pass run by Winograd's minimal filtering where that saves time and oneDNN has
 * it, which it does with AVX-512 alone. */
static void choose_algorithm(const kd2m_operation *operation, dnnl_convolution_desc_t *description,
                             const kd2m_primitive *hint) {
    const kd2m_conv *state = operation->state;
    const size_t *in = operation->inputs[0]->shape, *out = operation->shape;
    bool square =
        operation->dims == 3 && state->groups == 1 && !state->taps.trimmed && !state->batch_last;
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

kd2m_status kd2m_conv_describe_forward(const kd2m_operation *operation,
                                       const kd2m_conv_layouts *any, bool all_taps,
                                       dnnl_convolution_desc_t *out) {
    kd2m_status status;
    const kd2m_conv *state = operation->state;
    const kd2m_window *window = &state->window;
    const kd2m_conv_taps *taps = &state->taps;
    /* for inference oneDNN 2.6 prefers channels last, which it is no faster in, and which
     * Winograd's filtering does not take */
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_convolution_forward_desc_init(
            out, dnnl_forward_training, dnnl_convolution_direct, &any->input,
            all_taps ? &any->whole_weight : &any->weight, any->bias, &any->output, window->stride,
            all_taps ? window->pad : taps->pad_left, all_taps ? window->pad : taps->pad_right),
        "describing a convolution"));
    choose_algorithm(operation, out, NULL);
cleanup:
    return status;
}

kd2m_status kd2m_conv_describe_backward_data(const kd2m_operation *operation,
                                             const kd2m_conv_layouts *any,
                                             dnnl_convolution_desc_t *out) {
    kd2m_status status;
    const kd2m_conv *state = operation->state;
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_convolution_backward_data_desc_init(out, dnnl_convolution_direct, &any->input,
                                                 &any->weight, &any->output, state->window.stride,
                                                 state->taps.pad_left, state->taps.pad_right),
        "describing a convolution's backward pass"));
    choose_algorithm(operation, out, state->forward);
cleanup:
    return status;
}

kd2m_status kd2m_conv_describe_backward_weights(const kd2m_operation *operation,
                                                const kd2m_conv_layouts *any,
                                                dnnl_convolution_desc_t *out, dnnl_dim_t *front) {
    kd2m_status status;
    const kd2m_conv *state = operation->state;
    dnnl_memory_desc_t input = any->input;
    kd2m_conv_taps taps = state->taps;
    *front = 0;
    /* oneDNN's kernel wants three dimensions' first to be longer, with its padding, than the taps
     * are, or unpadded; without the kernel it would take three times as long */
    if (state->batch_last && taps.kernel[0] >= input.dims[2] + taps.pad_left[0]) {
        *front = taps.pad_left[0];
        taps.pad_left[0] = 0;
        input.dims[2] += *front;
        input = kd2m_layout_any(&input);
    }
    KD2M_TRY(
        kd2m_engine_status(operation->context,
                           dnnl_convolution_backward_weights_desc_init(
                               out, dnnl_convolution_direct, &input, &any->weight, any->bias,
                               &any->output, state->window.stride, taps.pad_left, taps.pad_right),
                           "describing a convolution's backward pass"));
    choose_algorithm(operation, out, state->forward);
cleanup:
    return status;
}

/* Whether oneDNN's fast kernels, which are for AVX-512, take these. */
static kd2m_status can_run(bool *out, const kd2m_operation *operation,
                           const kd2m_conv_layouts *any) {
    kd2m_status status;
    dnnl_convolution_desc_t description;
    dnnl_memory_desc_t layout, last;
    *out = false;
    KD2M_TRY(kd2m_conv_describe_forward(operation, any, false, &description));
    if (!kd2m_engine_offers(operation->engine, &description, NULL))
        goto cleanup;
    const dnnl_query_t tensors[] = {dnnl_query_src_md, dnnl_query_dst_md};
    *out = true;
    for (size_t i = 0; i < 2; i++) {
        KD2M_TRY(kd2m_engine_layout_of(operation->engine, &layout, &description, tensors[i]));
        layout = kd2m_layout_batch_first(&layout);
        *out = *out && kd2m_layout_batch_last(&last, &layout);
    }
cleanup:
    return status;
}

kd2m_status kd2m_conv_plan(const kd2m_operation *operation, kd2m_conv_layouts *out) {
    kd2m_status status;
    kd2m_conv *state = operation->state;
    state->taps = find_taps(operation);
    state->batch_last = wants_batch_last(operation);
    KD2M_TRY(describe(operation, out));
    if (!state->batch_last)
        goto cleanup;
    KD2M_TRY(can_run(&state->batch_last, operation, out));
    if (!state->batch_last)
        KD2M_TRY(describe(operation, out));
cleanup:
    return status;
}
