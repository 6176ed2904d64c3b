/*
 * Sum of two or more inputs of one shape: y = x_1 + x_2 + ... Attribute: relu (0), 1 for
 * y = max(sum, 0) in the same pass; then dx = dy where y > 0, else 0.
 * The output lies as the first input does; inputs in other layouts are reordered. Time O(inputs x
 * values), bound by memory.
 */
#include "context.h"
#include "operator.h"
#include "parallel.h"
#include "simd.h"

#define CHUNK 16384 /* values that a thread takes at a time */

typedef struct add {
    bool relu;
    kd2m_buffer_view inputs[KD2M_NODE_INPUTS];    /* read by forward */
    kd2m_buffer_view gradients[KD2M_NODE_INPUTS]; /* written by backward */
} add;

static kd2m_status infer(kd2m_operation *operation) {
    add *state = operation->state;
    const kd2m_operation *first = operation->inputs[0];
    size_t relu;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_operation_attribute(operation, "relu", 0, 0, &relu));
    state->relu = relu != 0;
    kd2m_operation_shape_as(operation, first);
    for (size_t k = 1; k < operation->node->input_count; k++) {
        const kd2m_operation *other = operation->inputs[k];
        if (!kd2m_operation_agrees(first, other, 0))
            return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                             "adds inputs of one shape, but those of '%s' and '%s' differ",
                             first->node->name, other->node->name);
    }
cleanup:
    return status;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status = KD2M_OK;
    add *state = operation->state;
    const dnnl_memory_desc_t *layout = &operation->inputs[0]->output->layout;
    KD2M_TRY(kd2m_operation_place_output(operation, layout));
    for (size_t k = 0; k < operation->node->input_count; k++) {
        kd2m_operation *input = operation->inputs[k];
        KD2M_TRY(kd2m_engine_view_of(operation->engine, &state->inputs[k], input->output, layout));
        if (input->needs_gradient)
            KD2M_TRY(kd2m_engine_view_for(operation->engine, &state->gradients[k], input->gradient,
                                          layout));
    }
cleanup:
    return status;
}

typedef struct addition {
    float *to;
    const float *a, *b;
    bool relu;
} addition;

KD2M_CLONES static void sum_part(void *user, size_t begin, size_t end, int worker) {
    const addition *task = user;
    float *to = task->to; /* may be a */
    const float *a = task->a, *b = task->b;
    (void)worker;
    if (task->relu) {
#pragma omp simd
        for (size_t i = begin; i < end; i++) {
            float sum = a[i] + b[i];
            to[i] = sum > 0 ? sum : 0;
        }
    } else {
#pragma omp simd
        for (size_t i = begin; i < end; i++)
            to[i] = a[i] + b[i];
    }
}

static kd2m_status forward(kd2m_operation *operation) {
    kd2m_status status = KD2M_OK;
    const add *state = operation->state;
    const kd2m_buffer *output = operation->output;
    size_t count = operation->node->input_count;
    for (size_t k = 0; k < count; k++)
        KD2M_TRY(kd2m_engine_run(operation->engine, state->inputs[k].reorder));
    for (size_t k = 1; k < count; k++) {
        addition task = {
            .to = output->values,
            .a = k == 1 ? state->inputs[0].buffer->values : output->values,
            .b = state->inputs[k].buffer->values,
            .relu = state->relu && k + 1 == count,
        };
        kd2m_parallel_for(operation->context, output->count, CHUNK, sum_part, &task);
    }
cleanup:
    return status;
}

typedef struct passing {
    float *to;
    const float *gradient;
    const float *output; /* NULL without ReLU */
} passing;

KD2M_CLONES static void pass_part(void *user, size_t begin, size_t end, int worker) {
    const passing *task = user;
    float *restrict to = task->to;
    const float *restrict gradient = task->gradient, *restrict output = task->output;
    (void)worker;
    if (output) {
#pragma omp simd
        for (size_t i = begin; i < end; i++)
            to[i] = output[i] > 0 ? gradient[i] : 0;
    } else {
#pragma omp simd
        for (size_t i = begin; i < end; i++)
            to[i] = gradient[i];
    }
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status = KD2M_OK;
    add *state = operation->state;
    for (size_t k = 0; k < operation->node->input_count; k++) {
        if (!operation->inputs[k]->needs_gradient)
            continue;
        kd2m_buffer_view *view = &state->gradients[k];
        kd2m_buffer *target = kd2m_gradient_begin(operation, k);
        if (view->reorder)
            kd2m_primitive_bind(view->reorder, DNNL_ARG_TO, target);
        passing task = {
            .to = view->reorder ? view->buffer->values : target->values,
            .gradient = operation->gradient->values,
            .output = state->relu ? operation->output->values : NULL,
        };
        kd2m_parallel_for(operation->context, operation->gradient->count, CHUNK, pass_part, &task);
        KD2M_TRY(kd2m_engine_run(operation->engine, view->reorder));
        kd2m_gradient_end(operation, k);
    }
cleanup:
    return status;
}

static bool merge(const kd2m_operation *operation, kd2m_merged *into) {
    const add *state = operation->state;
    if (into->addend || operation->node->input_count != 2)
        return false;
    if (state->relu)
        into->function = dnnl_eltwise_relu;
    return true;
}

static const char *const attributes[] = {"relu", NULL};

const kd2m_operator kd2m_operator_add = {
    .name = "add",
    .inputs_least = 2,
    .inputs_most = KD2M_NODE_INPUTS,
    .attributes = attributes,
    .state_size = sizeof(add),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
    .merge = merge,
};
