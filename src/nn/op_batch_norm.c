/*
 * Batch normalisation (Ioffe & Szegedy, ICML 2015), per channel over batch and positions:
 *     y = weight (x - mean) / sqrt(variance + 1e-5) + bias
 * In training by the batch's mean and (biased) variance, which move the running ones by a tenth,
 * the running variance towards the unbiased one, as PyTorch does; in inference by the running ones.
 * Attribute: relu (0), 1 for max(y, 0) in the same pass; oneDNN keeps a bit a value for backward.
 */
#include "batch_norm.h"

#include <math.h>

#include "context.h"

#define EPSILON 1e-5f
#define MOMENTUM 0.1

enum { WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VARIANCE };

typedef struct batch_norm {
    kd2m_primitive *forward, *backward;
    kd2m_buffer *mean, *variance; /* of the batch; NULL in inference */
    bool relu;
} batch_norm;

/* Values per channel in a batch. */
static size_t sample(const kd2m_operation *operation) {
    size_t count = operation->batch;
    for (size_t i = 1; i < operation->dims; i++)
        count *= operation->shape[i];
    return count;
}

static kd2m_status infer(kd2m_operation *operation) {
    const kd2m_operation *input = operation->inputs[0];
    batch_norm *state = operation->state;
    size_t relu;
    kd2m_status status = kd2m_operation_attribute(operation, "relu", 0, 0, &relu);
    if (status != KD2M_OK)
        return status;
    state->relu = relu != 0;
    kd2m_operation_shape_as(operation, input);
    if (operation->kind == KD2M_NET_TRAINING && sample(operation) < 2)
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                         "training needs more than one value per channel; take larger batches");
    kd2m_operation_declare(operation, "weight", KD2M_ROLE_SCALE, 1, input->shape);
    kd2m_operation_declare(operation, "bias", KD2M_ROLE_BIAS, 1, input->shape);
    kd2m_operation_declare(operation, "running_mean", KD2M_ROLE_MEAN, 1, input->shape);
    kd2m_operation_declare(operation, "running_var", KD2M_ROLE_VARIANCE, 1, input->shape);
    return KD2M_OK;
}

static unsigned flags_of(const batch_norm *state) {
    unsigned flags = dnnl_use_scale | dnnl_use_shift;
    return state->relu ? flags | dnnl_fuse_norm_relu : flags;
}

/* The bits that backward needs of the ReLU. */
static kd2m_status keep_signs(kd2m_operation *operation) {
    kd2m_status status;
    batch_norm *state = operation->state;
    kd2m_buffer *signs;
    KD2M_TRY(kd2m_engine_buffer(operation->engine, &signs,
                                kd2m_primitive_layout(state->forward, dnnl_query_workspace_md)));
    kd2m_primitive_bind(state->forward, DNNL_ARG_WORKSPACE, signs);
    if (state->backward)
        kd2m_primitive_bind(state->backward, DNNL_ARG_WORKSPACE, signs);
cleanup:
    return status;
}

static kd2m_status create_forward(kd2m_operation *operation) {
    kd2m_status status;
    batch_norm *state = operation->state;
    kd2m_engine *engine = operation->engine;
    const kd2m_buffer *input = operation->inputs[0]->output;
    const dnnl_memory_desc_t layout = kd2m_buffer_layout(input);
    bool training = operation->kind == KD2M_NET_TRAINING;
    const kd2m_buffer *mean = operation->weights[RUNNING_MEAN].values;
    const kd2m_buffer *variance = operation->weights[RUNNING_VARIANCE].values;
    unsigned flags = flags_of(state);
    if (training) {
        KD2M_TRY(kd2m_engine_buffer(engine, &state->mean, &mean->layout));
        KD2M_TRY(kd2m_engine_buffer(engine, &state->variance, &variance->layout));
        mean = state->mean;
        variance = state->variance;
    } else {
        flags |= dnnl_use_global_stats;
    }
    dnnl_batch_normalization_desc_t description;
    KD2M_TRY(kd2m_engine_status(operation->context,
                                dnnl_batch_normalization_forward_desc_init(
                                    &description,
                                    training ? dnnl_forward_training : dnnl_forward_inference,
                                    &layout, EPSILON, flags),
                                "describing batch normalisation"));
    KD2M_TRY(kd2m_engine_primitive(engine, &state->forward, &description, NULL));
    kd2m_primitive_bind(state->forward, DNNL_ARG_SRC, input);
    kd2m_primitive_bind(state->forward, DNNL_ARG_MEAN, mean);
    kd2m_primitive_bind(state->forward, DNNL_ARG_VARIANCE, variance);
    kd2m_primitive_bind(state->forward, DNNL_ARG_SCALE, operation->weights[WEIGHT].values);
    kd2m_primitive_bind(state->forward, DNNL_ARG_SHIFT, operation->weights[BIAS].values);
    kd2m_primitive_bind(state->forward, DNNL_ARG_DST, operation->output);
cleanup:
    return status;
}

static kd2m_status create_backward(kd2m_operation *operation) {
    kd2m_status status;
    batch_norm *state = operation->state;
    const kd2m_buffer *input = operation->inputs[0]->output;
    const dnnl_memory_desc_t layout = kd2m_buffer_layout(input);
    dnnl_batch_normalization_desc_t description;
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_batch_normalization_backward_desc_init(&description, dnnl_backward, &layout, &layout,
                                                    EPSILON, flags_of(state)),
        "describing batch normalisation's backward pass"));
    KD2M_TRY(
        kd2m_engine_primitive(operation->engine, &state->backward, &description, state->forward));
    kd2m_primitive *backward = state->backward;
    kd2m_primitive_bind(backward, DNNL_ARG_SRC, input);
    kd2m_primitive_bind(backward, DNNL_ARG_MEAN, state->mean);
    kd2m_primitive_bind(backward, DNNL_ARG_VARIANCE, state->variance);
    kd2m_primitive_bind(backward, DNNL_ARG_SCALE, operation->weights[WEIGHT].values);
    /* not read, but oneDNN 2.6 counts it among what it must be given */
    kd2m_primitive_bind(backward, DNNL_ARG_SHIFT, operation->weights[BIAS].values);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_DST, operation->gradient);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_SCALE, operation->weights[WEIGHT].gradient);
    kd2m_primitive_bind(backward, DNNL_ARG_DIFF_SHIFT, operation->weights[BIAS].gradient);
cleanup:
    return status;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status;
    const batch_norm *state = operation->state;
    KD2M_TRY(kd2m_operation_place_output(operation, &operation->inputs[0]->output->layout));
    for (size_t i = 0; i < operation->weight_count; i++)
        KD2M_TRY(kd2m_operation_place_parameter(operation, i, NULL));
    KD2M_TRY(create_forward(operation));
    if (operation->needs_gradient)
        KD2M_TRY(create_backward(operation));
    if (state->relu && operation->kind == KD2M_NET_TRAINING)
        KD2M_TRY(keep_signs(operation));
cleanup:
    return status;
}

static void move(float *running, const float *now, size_t count, double factor) {
    for (size_t c = 0; c < count; c++)
        running[c] =
            (float)((1 - MOMENTUM) * (double)running[c] + MOMENTUM * factor * (double)now[c]);
}

static kd2m_status forward(kd2m_operation *operation) {
    const batch_norm *state = operation->state;
    kd2m_status status = kd2m_engine_run(operation->engine, state->forward);
    if (status != KD2M_OK || operation->kind == KD2M_NET_INFERENCE)
        return status;
    double n = (double)sample(operation);
    size_t channels = operation->shape[0];
    move(operation->weights[RUNNING_MEAN].parameter.values, state->mean->values, channels, 1);
    move(operation->weights[RUNNING_VARIANCE].parameter.values, state->variance->values, channels,
         n / (n - 1));
    return KD2M_OK;
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status;
    batch_norm *state = operation->state;
    kd2m_primitive_bind(state->backward, DNNL_ARG_DIFF_SRC, kd2m_gradient_begin(operation, 0));
    KD2M_TRY(kd2m_engine_run(operation->engine, state->backward));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}

static bool merge(const kd2m_operation *operation, kd2m_merged *into) {
    const batch_norm *state = operation->state;
    if (into->norm || into->addend)
        return false;
    into->norm = (kd2m_operation *)operation;
    if (state->relu)
        into->function = dnnl_eltwise_relu;
    return true;
}

void kd2m_batch_norm_map(const kd2m_operation *operation, size_t channel, double *factor,
                         double *offset) {
    const kd2m_weights *weights = operation->weights;
    double variance = (double)weights[RUNNING_VARIANCE].parameter.values[channel];
    double mean = (double)weights[RUNNING_MEAN].parameter.values[channel];
    *factor = (double)weights[WEIGHT].parameter.values[channel] / sqrt(variance + (double)EPSILON);
    *offset = (double)weights[BIAS].parameter.values[channel] - *factor * mean;
}

static const char *const attributes[] = {"relu", NULL};

const kd2m_operator kd2m_operator_batch_norm = {
    .name = "batch_norm",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = attributes,
    .state_size = sizeof(batch_norm),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
    .merge = merge,
};
