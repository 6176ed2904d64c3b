/*
 * Linear map: y = x W' + b with W (out x in), as PyTorch has it. Attributes: out; bias (1).
 *     dW = dy' x,  db = sum_i dy_i (in double),  dx = dy W
 * Time O(batch in out). Training multiplies plain weights by the float gemm: blocks make its
 * forward pass faster, but backward and the optimiser slower. Inference is oneDNN's inner product,
 * whose weights lie in blocks that need no packing, with bias and function in the same pass.
 */
#include <string.h>

#include "context.h"
#include "gemm.h"
#include "operator.h"
#include "parallel.h"
#include "simd.h"

#define SUM_COLUMNS ((size_t)64) /* whose sums are kept at a time */

enum { WEIGHT, BIAS };

typedef struct linear {
    size_t in, out;
    kd2m_primitive *product; /* NULL in training */
} linear;

static kd2m_status infer(kd2m_operation *operation) {
    kd2m_status status;
    const kd2m_operation *input = operation->inputs[0];
    size_t bias;
    if (input->dims != 1)
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT,
                         "takes vectors, but '%s' gives %zu dimensions; put flatten between",
                         input->node->name, input->dims);
    operation->dims = 1;
    KD2M_TRY(kd2m_operation_attribute(operation, "out", KD2M_REQUIRED, 1, &operation->shape[0]));
    KD2M_TRY(kd2m_operation_attribute(operation, "bias", 1, 0, &bias));
    kd2m_operation_declare(operation, "weight", KD2M_ROLE_WEIGHT, 2,
                           (size_t[]){operation->shape[0], input->shape[0]});
    if (bias)
        kd2m_operation_declare(operation, "bias", KD2M_ROLE_BIAS, 1, operation->shape);
cleanup:
    return status;
}

static kd2m_status create_product(kd2m_operation *operation) {
    kd2m_status status;
    linear *state = operation->state;
    const kd2m_parameter *weight = &operation->weights[WEIGHT].parameter;
    const kd2m_weights *bias = operation->weight_count > BIAS ? &operation->weights[BIAS] : NULL;
    dnnl_memory_desc_t any;
    dnnl_inner_product_desc_t description;
    KD2M_TRY(kd2m_operation_place_output(operation, NULL));
    KD2M_TRY(kd2m_layout_plain(operation->context, &any, weight->dims, weight->shape));
    any = kd2m_layout_any(&any);
    if (bias)
        KD2M_TRY(kd2m_operation_place_parameter(operation, BIAS, NULL));
    KD2M_TRY(kd2m_engine_status(
        operation->context,
        dnnl_inner_product_forward_desc_init(
            &description, dnnl_forward_inference, &operation->inputs[0]->output->layout, &any,
            bias ? &bias->values->layout : NULL, &operation->output->layout),
        "describing a linear map"));
    KD2M_TRY(kd2m_operation_begin_merged(operation));
    KD2M_TRY(kd2m_engine_primitive(operation->engine, &state->product, &description, NULL));
    KD2M_TRY(kd2m_operation_end_merged(operation));
    KD2M_TRY(kd2m_operation_place_parameter(
        operation, WEIGHT, kd2m_primitive_layout(state->product, dnnl_query_weights_md)));
    kd2m_primitive_bind(state->product, DNNL_ARG_SRC, operation->inputs[0]->output);
    kd2m_primitive_bind(state->product, DNNL_ARG_WEIGHTS, operation->weights[WEIGHT].values);
    kd2m_primitive_bind(state->product, DNNL_ARG_DST, operation->output);
    if (bias)
        kd2m_primitive_bind(state->product, DNNL_ARG_BIAS, bias->values);
cleanup:
    return status;
}

static kd2m_status create(kd2m_operation *operation) {
    kd2m_status status;
    linear *state = operation->state;
    if (operation->kind == KD2M_NET_INFERENCE)
        return create_product(operation);
    state->in = operation->inputs[0]->shape[0];
    state->out = operation->shape[0];
    KD2M_TRY(kd2m_operation_place_output(operation, NULL));
    for (size_t i = 0; i < operation->weight_count; i++)
        KD2M_TRY(kd2m_operation_place_parameter(operation, i, NULL));
cleanup:
    return status;
}

static kd2m_status forward(kd2m_operation *operation) {
    const linear *state = operation->state;
    if (state->product)
        return kd2m_engine_run(operation->engine, state->product);
    const float *x = operation->inputs[0]->output->values;
    const float *weight = operation->weights[WEIGHT].parameter.values;
    float *y = operation->output->values;
    bool bias = operation->weight_count > BIAS;
    if (bias)
        for (size_t i = 0; i < operation->batch; i++)
            memcpy(y + i * state->out, operation->weights[BIAS].parameter.values,
                   state->out * sizeof *y);
    return kd2m_gemm(operation->context, false, true, operation->batch, state->out, state->in, 1.0f,
                     x, state->in, weight, state->in, bias ? 1.0f : 0.0f, y, state->out);
}

typedef struct column_sum {
    float *out;
    const float *rows;
    size_t count, width;
} column_sum;

KD2M_CLONES static void sum_columns(void *user, size_t begin, size_t end, int worker) {
    const column_sum *task = user;
    (void)worker;
    for (size_t first = begin; first < end; first += SUM_COLUMNS) {
        double sums[SUM_COLUMNS] = {0};
        size_t columns = end - first < SUM_COLUMNS ? end - first : SUM_COLUMNS;
        for (size_t i = 0; i < task->count; i++) {
            const float *row = task->rows + i * task->width + first;
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                sums[j] += (double)row[j];
        }
        for (size_t j = 0; j < columns; j++)
            task->out[first + j] = (float)sums[j];
    }
}

static kd2m_status backward(kd2m_operation *operation) {
    kd2m_status status;
    const linear *state = operation->state;
    const kd2m_operation *input = operation->inputs[0];
    const float *dy = operation->gradient->values;
    const kd2m_parameter *weight = &operation->weights[WEIGHT].parameter;
    KD2M_TRY(kd2m_gemm(operation->context, true, false, state->out, state->in, operation->batch,
                       1.0f, dy, state->out, input->output->values, state->in, 0.0f,
                       weight->gradient, state->in));
    if (operation->weight_count > BIAS)
        kd2m_parallel_for(operation->context, state->out, SUM_COLUMNS, sum_columns,
                          &(column_sum){operation->weights[BIAS].parameter.gradient, dy,
                                        operation->batch, state->out});
    if (!input->needs_gradient)
        goto cleanup;
    KD2M_TRY(kd2m_gemm(operation->context, false, false, operation->batch, state->in, state->out,
                       1.0f, dy, state->out, weight->values, state->in, 0.0f,
                       kd2m_gradient_begin(operation, 0)->values, state->in));
    kd2m_gradient_end(operation, 0);
cleanup:
    return status;
}

static const char *const attributes[] = {"out", "bias", NULL};

const kd2m_operator kd2m_operator_linear = {
    .name = "linear",
    .inputs_least = 1,
    .inputs_most = 1,
    .attributes = attributes,
    .state_size = sizeof(linear),
    .infer = infer,
    .create = create,
    .forward = forward,
    .backward = backward,
    .merges = KD2M_MERGES_FUNCTIONS,
};
