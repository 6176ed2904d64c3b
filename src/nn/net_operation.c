/* What operators ask of the net: attributes, parameters, places, gradients; see operator.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "operator.h"
#include "parallel.h"
#include "simd.h"

/* Far beyond any net; what oneDNN computes from these in 32 bits stays right. */
#define LARGEST_COUNT 16777216.0

kd2m_status kd2m_operation_attribute(kd2m_operation *operation, const char *key, size_t fallback,
                                     size_t least, size_t *out) {
    double value = kd2m_node_get(operation->node, key, NAN);
    *out = fallback;
    if (isnan(value)) {
        if (fallback != KD2M_REQUIRED)
            return KD2M_OK;
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT, "needs the attribute '%s'", key);
    }
    if (value < (double)least || value > LARGEST_COUNT || value != floor(value))
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                         "attribute '%s' is %g, must be a whole number from %zu to %.0f", key,
                         value, least, LARGEST_COUNT);
    *out = (size_t)value;
    return KD2M_OK;
}

void kd2m_operation_shape_as(kd2m_operation *operation, const kd2m_operation *like) {
    operation->dims = like->dims;
    memcpy(operation->shape, like->shape, like->dims * sizeof *like->shape);
}

bool kd2m_operation_agrees(const kd2m_operation *a, const kd2m_operation *b, size_t axis) {
    bool same = a->dims == b->dims;
    for (size_t i = axis; same && i < a->dims; i++)
        same = a->shape[i] == b->shape[i];
    return same;
}

void kd2m_operation_declare(kd2m_operation *operation, const char *suffix, kd2m_parameter_role role,
                            size_t dims, const size_t *shape) {
    kd2m_weights *weights = &operation->weights[operation->weight_count++];
    kd2m_parameter *parameter = &weights->parameter;
    snprintf(weights->name, sizeof weights->name, "%s.%s", operation->node->name, suffix);
    weights->role = role;
    parameter->name = weights->name;
    parameter->dims = dims;
    memcpy(parameter->shape, shape, dims * sizeof *shape);
    parameter->trained = role != KD2M_ROLE_MEAN && role != KD2M_ROLE_VARIANCE;
    parameter->decay = role == KD2M_ROLE_WEIGHT;
}

/* Down and across; a signal's is across alone. */
static kd2m_status read_kernel(kd2m_operation *operation, size_t kernel[2]) {
    kd2m_status status;
    const kd2m_node *node = operation->node;
    bool image = operation->inputs[0]->dims == 3;
    bool both = image && !isnan(kd2m_node_get(node, "kernel_h", NAN)) &&
                !isnan(kd2m_node_get(node, "kernel_w", NAN));
    size_t square;
    KD2M_TRY(kd2m_operation_attribute(operation, "kernel", both ? 1 : KD2M_REQUIRED, 1, &square));
    kernel[0] = 1;
    kernel[1] = square;
    if (image) {
        KD2M_TRY(kd2m_operation_attribute(operation, "kernel_h", square, 1, &kernel[0]));
        KD2M_TRY(kd2m_operation_attribute(operation, "kernel_w", square, 1, &kernel[1]));
    }
cleanup:
    return status;
}

kd2m_status kd2m_operation_window(kd2m_operation *operation, bool apart, kd2m_window *out) {
    kd2m_status status;
    const kd2m_operation *input = operation->inputs[0];
    size_t kernel[2], stride, pad;
    if (input->dims == 1)
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                         "slides over C x L or C x H x W, but '%s' gives vectors",
                         input->node->name);
    operation->dims = input->dims;
    operation->shape[0] = input->shape[0];
    for (size_t i = 0; i < 3; i++)
        out->kernel[i] = out->stride[i] = 1;
    KD2M_TRY(read_kernel(operation, kernel));
    KD2M_TRY(kd2m_operation_attribute(operation, "pad", 0, 0, &pad));
    for (size_t i = 3 - input->dims; i < 2; i++) {
        size_t axis = i + input->dims - 2;
        size_t length = input->shape[axis];
        KD2M_TRY(kd2m_operation_attribute(operation, "stride", apart ? kernel[i] : 1, 1, &stride));
        if (kernel[i] > length + 2 * pad)
            return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                             "a kernel of %zu does not fit %zu positions padded by %zu", kernel[i],
                             length, pad);
        operation->shape[axis] = (length + 2 * pad - kernel[i]) / stride + 1;
        out->kernel[i] = (dnnl_dim_t)kernel[i];
        out->stride[i] = (dnnl_dim_t)stride;
        out->pad[i] = (dnnl_dim_t)pad;
    }
cleanup:
    return status;
}

kd2m_status kd2m_operation_plain_layout(const kd2m_operation *operation, dnnl_memory_desc_t *out) {
    size_t shape[4] = {operation->batch};
    memcpy(shape + 1, operation->shape, operation->dims * sizeof *shape);
    return kd2m_layout_plain(operation->context, out, operation->dims + 1, shape);
}

/* Gradient, spill and the way to plain memory, once the output stands. */
static kd2m_status place_rest(kd2m_operation *operation, const dnnl_memory_desc_t *plain) {
    kd2m_status status = KD2M_OK;
    kd2m_engine *engine = operation->engine;
    const dnnl_memory_desc_t *layout = &operation->output->layout;
    if (operation->needs_gradient)
        KD2M_TRY(kd2m_engine_buffer(engine, &operation->gradient, layout));
    if (operation->kind == KD2M_NET_TRAINING)
        KD2M_TRY(kd2m_engine_window(engine, &operation->spill, layout, NULL));
    if (dnnl_memory_desc_equal(layout, plain))
        goto cleanup;
    KD2M_TRY(kd2m_engine_window(engine, &operation->plain, plain, NULL));
    KD2M_TRY(
        kd2m_engine_reorder(engine, &operation->to_plain, operation->output, operation->plain));
    if (operation->needs_gradient)
        KD2M_TRY(kd2m_engine_reorder(engine, &operation->from_plain, operation->plain,
                                     operation->spill));
cleanup:
    return status;
}

kd2m_status kd2m_operation_place_output(kd2m_operation *operation,
                                        const dnnl_memory_desc_t *layout) {
    kd2m_status status;
    dnnl_memory_desc_t plain;
    KD2M_TRY(kd2m_operation_plain_layout(operation, &plain));
    dnnl_memory_desc_t own = kd2m_layout_batch_first(layout ? layout : &plain);
    KD2M_TRY(kd2m_engine_buffer(operation->engine, &operation->output, &own));
    KD2M_TRY(place_rest(operation, &plain));
cleanup:
    return status;
}

kd2m_status kd2m_operation_share_output(kd2m_operation *operation, const float *values) {
    kd2m_status status;
    dnnl_memory_desc_t plain;
    KD2M_TRY(kd2m_operation_plain_layout(operation, &plain));
    KD2M_TRY(kd2m_engine_window(operation->engine, &operation->output, &plain, values));
    KD2M_TRY(place_rest(operation, &plain));
cleanup:
    return status;
}

kd2m_status kd2m_operation_begin_merged(kd2m_operation *operation) {
    kd2m_status status = KD2M_OK;
    const kd2m_merged *merged = &operation->merged;
    dnnl_post_ops_t steps = NULL;
    static const char what[] = "describing what is merged";
    KD2M_TRY(kd2m_engine_status(operation->context, dnnl_post_ops_create(&steps), what));
    if (merged->addend)
        KD2M_TRY(
            kd2m_engine_status(operation->context, dnnl_post_ops_append_sum(steps, 1.0f), what));
    if (merged->function != dnnl_alg_kind_undef)
        KD2M_TRY(kd2m_engine_status(operation->context,
                                    dnnl_post_ops_append_eltwise(steps, 1.0f, merged->function,
                                                                 merged->alpha, merged->beta),
                                    what));
    KD2M_TRY(kd2m_engine_then(operation->engine, steps));
cleanup:
    if (steps)
        dnnl_post_ops_destroy(steps);
    return status;
}

kd2m_status kd2m_operation_end_merged(kd2m_operation *operation) {
    return kd2m_engine_then(operation->engine, NULL);
}

void kd2m_operation_take_output(kd2m_operation *operation, const kd2m_operation *other) {
    operation->output = other->output;
    operation->plain = other->plain;
    operation->to_plain = other->to_plain;
}

kd2m_status kd2m_operation_place_parameter(kd2m_operation *operation, size_t index,
                                           const dnnl_memory_desc_t *layout) {
    kd2m_status status;
    dnnl_memory_desc_t plain;
    kd2m_weights *weights = &operation->weights[index];
    kd2m_parameter *parameter = &weights->parameter;
    if (layout) {
        plain = kd2m_layout_dense(layout); /* in oneDNN's dimensions, which may be more */
    } else {
        KD2M_TRY(kd2m_layout_plain(operation->context, &plain, parameter->dims, parameter->shape));
        layout = &plain;
    }
    KD2M_TRY(kd2m_engine_buffer(operation->engine, &weights->values, layout));
    parameter->values = weights->values->values;
    parameter->count = weights->values->count;
    if (parameter->trained && operation->kind == KD2M_NET_TRAINING) {
        KD2M_TRY(kd2m_engine_buffer(operation->engine, &weights->gradient, layout));
        parameter->gradient = weights->gradient->values;
    }
    if (dnnl_memory_desc_equal(layout, &plain))
        goto cleanup;
    KD2M_TRY(kd2m_engine_window(operation->engine, &weights->own, layout, NULL));
    KD2M_TRY(kd2m_engine_window(operation->engine, &weights->plain, &plain, NULL));
    KD2M_TRY(
        kd2m_engine_reorder(operation->engine, &weights->to_plain, weights->own, weights->plain));
    KD2M_TRY(
        kd2m_engine_reorder(operation->engine, &weights->from_plain, weights->plain, weights->own));
cleanup:
    return status;
}

kd2m_buffer *kd2m_gradient_begin(kd2m_operation *operation, size_t index) {
    kd2m_operation *input = operation->inputs[index];
    bool first = input->needs_gradient && !input->has_gradient;
    return first ? input->gradient : input->spill;
}

void kd2m_gradient_end(kd2m_operation *operation, size_t index) {
    kd2m_operation *input = operation->inputs[index];
    if (input->has_gradient)
        kd2m_floats_add(operation->context, input->gradient->values, input->spill->values,
                        input->gradient->count, 1.0f, true);
    input->has_gradient = input->needs_gradient;
}

typedef struct addition {
    float *to;
    const float *from;
    float factor;
    bool accumulate;
} addition;

KD2M_CLONES static void add_part(void *user, size_t begin, size_t end, int worker) {
    const addition *task = user;
    float *restrict to = task->to;
    const float *restrict from = task->from;
    float factor = task->factor;
    (void)worker;
    if (task->accumulate) {
#pragma omp simd
        for (size_t i = begin; i < end; i++)
            to[i] += factor * from[i];
    } else {
#pragma omp simd
        for (size_t i = begin; i < end; i++)
            to[i] = factor * from[i];
    }
}

void kd2m_floats_add(kd2m_context *context, float *to, const float *from, size_t count,
                     float factor, bool accumulate) {
    addition task = {to, from, factor, accumulate};
    kd2m_parallel_for(context, count, 16384, add_part, &task);
}
