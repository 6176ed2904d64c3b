/*
 * A net over oneDNN: planning, running forward and backward; see net.h.
 *
 * Each node has an output and, where the loss can reach a parameter or a wanted input through it,
 * a gradient of the same layout. A gradient collects what the node's consumers and the caller put
 * there: the first writes, the others write to the staging memory, which is then added.
 * Memory: the outputs once (twice with gradients), the parameters likewise, what operators ask
 * for, one staging tensor and one scratchpad, the largest of those needed.
 * Thread rule: a net serves one thread at a time, and is run by the context's number of threads.
 */
#include <string.h>

#include "context.h"
#include "memory.h"
#include "net_internal.h"
#include "spec.h"

#define KD2M_OPERATOR(name) extern const kd2m_operator kd2m_operator_##name;
#include "operators.def"
#undef KD2M_OPERATOR

static const kd2m_operator *const operators[] = {
#define KD2M_OPERATOR(name) &kd2m_operator_##name,
#include "operators.def"
#undef KD2M_OPERATOR
};

#define OPERATOR_COUNT (sizeof operators / sizeof *operators)

static kd2m_status find_operator(kd2m_context *context, const kd2m_operator **out,
                                 const char *name) {
    const char *names[OPERATOR_COUNT];
    for (size_t i = 0; i < OPERATOR_COUNT; i++) {
        names[i] = operators[i]->name;
        if (strcmp(name, names[i]) == 0) {
            *out = operators[i];
            return KD2M_OK;
        }
    }
    const char *near = kd2m_nearest_name(name, names, OPERATOR_COUNT);
    return kd2m_fail(context, KD2M_ERROR_INPUT, "unknown operator '%s'%s%s%s", name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static kd2m_status check_attributes(const kd2m_operation *operation) {
    const kd2m_node *node = operation->node;
    const char *const *known = operation->op->attributes;
    size_t count = 0;
    while (known[count])
        count++;
    for (size_t i = 0; i < node->attribute_count; i++) {
        const char *key = node->attributes[i].key;
        size_t at = 0;
        while (at < count && strcmp(key, known[at]) != 0)
            at++;
        if (at < count)
            continue;
        const char *near = kd2m_nearest_name(key, known, count);
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT, "unknown attribute '%s'%s%s%s", key,
                         near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return KD2M_OK;
}

static kd2m_status connect(kd2m_net *net, size_t index) {
    kd2m_operation *operation = &net->operations[index];
    const kd2m_operator *op = operation->op;
    const kd2m_node *node = operation->node;
    if (node->input_count < op->inputs_least || node->input_count > op->inputs_most)
        return kd2m_fail(net->context, KD2M_ERROR_INPUT, "has %zu inputs, takes %zu to %zu",
                         node->input_count, op->inputs_least, op->inputs_most);
    for (size_t k = 0; k < node->input_count; k++) {
        if (node->inputs[k] >= index)
            return kd2m_fail(net->context, KD2M_ERROR_INPUT,
                             "input %zu is node %zu, which does not come before it", k,
                             node->inputs[k]);
        operation->inputs[k] = &net->operations[node->inputs[k]];
    }
    return KD2M_OK;
}

/* Whether a tensor of batch (or 1) x shape has elements, and not too many: the limit leaves room
 * for padding, which may multiply the size by 256. */
static bool fits(size_t batch, size_t dims, const size_t *shape) {
    size_t count = batch;
    for (size_t i = 0; i < dims; i++)
        if (!kd2m_size_multiply(count, shape[i], &count))
            return false;
    return count > 0 && count <= PTRDIFF_MAX / 256 / sizeof(float);
}

static kd2m_status check_sizes(const kd2m_operation *operation) {
    if (!fits(operation->batch, operation->dims, operation->shape))
        return kd2m_fail(operation->context, KD2M_ERROR_INPUT, "its output is empty or too large");
    for (size_t i = 0; i < operation->weight_count; i++) {
        const kd2m_parameter *parameter = &operation->weights[i].parameter;
        if (!fits(1, parameter->dims, parameter->shape))
            return kd2m_fail(operation->context, KD2M_ERROR_INPUT, "%s is too large",
                             parameter->name);
    }
    return KD2M_OK;
}

/* Shapes, parameters, and who needs a gradient. */
static kd2m_status infer(kd2m_net *net, size_t index) {
    kd2m_status status;
    kd2m_operation *operation = &net->operations[index];
    KD2M_TRY(find_operator(net->context, &operation->op, operation->node->op));
    KD2M_TRY(check_attributes(operation));
    KD2M_TRY(connect(net, index));
    KD2M_TRY(kd2m_alloc(net->context, &operation->state, 1, operation->op->state_size));
    KD2M_TRY(operation->op->infer(operation));
    KD2M_TRY(check_sizes(operation));
    if (net->kind == KD2M_NET_INFERENCE)
        goto cleanup;
    operation->needs_gradient = operation->weight_count > 0;
    for (size_t k = 0; k < operation->node->input_count; k++)
        operation->needs_gradient |= operation->inputs[k]->needs_gradient;
cleanup:
    return status;
}

static kd2m_status infer_all(kd2m_net *net, bool input_gradient) {
    const kd2m_graph *graph = net->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        kd2m_operation *operation = &net->operations[i];
        operation->engine = &net->engine;
        operation->context = net->context;
        operation->node = &graph->nodes[i];
        operation->batch = net->batch;
        operation->kind = net->kind;
        if (i == 0) {
            operation->dims = graph->dims;
            memcpy(operation->shape, graph->shape, sizeof operation->shape);
            operation->needs_gradient = input_gradient && net->kind == KD2M_NET_TRAINING;
            if (!fits(net->batch, graph->dims, graph->shape))
                return kd2m_fail(net->context, KD2M_ERROR_INPUT, "the input is empty or too large");
            continue;
        }
        kd2m_status status = infer(net, i);
        if (status != KD2M_OK)
            return kd2m_fail_within(net->context, status, "node '%s' (%s)", operation->node->name,
                                    operation->node->op);
        net->parameter_count += operation->weight_count;
    }
    return KD2M_OK;
}

/* What is left of an operation that is merged into another: its parameters. */
static kd2m_status follow(kd2m_operation *operation) {
    kd2m_status status = KD2M_OK;
    kd2m_operation_take_output(operation, operation->head);
    for (size_t i = 0; i < operation->weight_count; i++)
        KD2M_TRY(kd2m_operation_place_parameter(operation, i, NULL));
cleanup:
    return status;
}

static kd2m_status create_all(kd2m_net *net) {
    kd2m_status status;
    KD2M_TRY(kd2m_operation_place_output(&net->operations[0], NULL));
    for (size_t i = 1; i < net->graph->node_count; i++) {
        kd2m_operation *operation = &net->operations[i];
        status = operation->head ? follow(operation) : operation->op->create(operation);
        if (status != KD2M_OK)
            return kd2m_fail_within(net->context, status, "node '%s' (%s)", operation->node->name,
                                    operation->node->op);
    }
cleanup:
    return status;
}

static kd2m_status list_parameters(kd2m_net *net) {
    kd2m_status status;
    KD2M_TRY(kd2m_alloc(net->context, (void **)&net->parameters, net->parameter_count,
                        sizeof *net->parameters));
    KD2M_TRY(kd2m_alloc(net->context, (void **)&net->weights, net->parameter_count,
                        sizeof *net->weights));
    size_t next = 0;
    for (size_t i = 1; i < net->graph->node_count; i++) {
        kd2m_operation *operation = &net->operations[i];
        for (size_t k = 0; k < operation->weight_count; k++, next++) {
            net->weights[next] = &operation->weights[k];
            net->parameters[next] = operation->weights[k].parameter;
        }
    }
cleanup:
    return status;
}

/* One tensor's worth of memory, as large as the largest output or parameter with its padding. */
static kd2m_status make_staging(kd2m_net *net) {
    kd2m_status status;
    size_t most = 0;
    for (size_t i = 0; i < net->graph->node_count; i++)
        if (net->operations[i].output->count > most)
            most = net->operations[i].output->count;
    for (size_t i = 0; i < net->parameter_count; i++)
        if (net->parameters[i].count > most)
            most = net->parameters[i].count;
    KD2M_TRY(kd2m_alloc(net->context, (void **)&net->staging, most, sizeof *net->staging));
    for (size_t i = 0; i < net->graph->node_count; i++)
        if (net->operations[i].spill)
            kd2m_buffer_point(net->operations[i].spill, net->staging);
cleanup:
    return status;
}

/* The net up to where it needs memory for its values: shapes and parameters are known. */
static kd2m_status plan(kd2m_net **out, kd2m_context *context, const kd2m_graph *graph,
                        size_t batch, kd2m_net_kind kind, bool input_gradient) {
    kd2m_status status;
    kd2m_net *net = NULL;
    *out = NULL;
    if (batch == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "a net needs batches of at least one row");
    if (graph->logits >= graph->node_count || graph->features >= graph->node_count)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "the graph's features or logits are no node");
    KD2M_TRY(kd2m_alloc(context, (void **)&net, 1, sizeof *net));
    net->context = context;
    net->graph = graph;
    net->batch = batch;
    net->kind = kind;
    KD2M_TRY(kd2m_engine_init(&net->engine, context));
    KD2M_TRY(
        kd2m_alloc(context, (void **)&net->operations, graph->node_count, sizeof *net->operations));
    KD2M_TRY(infer_all(net, input_gradient));
    *out = net;
    net = NULL;
cleanup:
    kd2m_net_free(net);
    return status;
}

/* Memory and primitives of a planned net. */
static kd2m_status complete(kd2m_net *net) {
    kd2m_status status;
    KD2M_TRY(create_all(net));
    KD2M_TRY(list_parameters(net));
    KD2M_TRY(make_staging(net));
    KD2M_TRY(kd2m_net_plan_cross_entropy(net));
    KD2M_TRY(kd2m_engine_seal(&net->engine));
cleanup:
    return status;
}

kd2m_status kd2m_net_create(kd2m_net **out, kd2m_context *context, const kd2m_graph *graph,
                            size_t batch, kd2m_net_kind kind, bool input_gradient) {
    kd2m_status status;
    kd2m_net *net = NULL;
    *out = NULL;
    KD2M_TRY(plan(&net, context, graph, batch, kind, input_gradient));
    KD2M_TRY(complete(net));
    *out = net;
    net = NULL;
cleanup:
    kd2m_net_free(net);
    return status;
}

kd2m_status kd2m_net_create_merged(kd2m_net **out, kd2m_context *context, const kd2m_graph *graph,
                                   size_t batch, const size_t *read, size_t count) {
    kd2m_status status;
    kd2m_net *net = NULL;
    *out = NULL;
    KD2M_TRY(plan(&net, context, graph, batch, KD2M_NET_INFERENCE, false));
    KD2M_TRY(kd2m_alloc(context, (void **)&net->kept, graph->node_count, sizeof *net->kept));
    net->kept[graph->features] = net->kept[graph->logits] = true;
    for (size_t i = 0; i < count; i++)
        net->kept[read[i]] = true;
    KD2M_TRY(kd2m_net_merge(net));
    KD2M_TRY(complete(net));
    *out = net;
    net = NULL;
cleanup:
    kd2m_net_free(net);
    return status;
}

bool kd2m_net_can_read(const kd2m_net *net, size_t node) {
    return !net->kept || net->kept[node];
}

kd2m_status kd2m_net_check(kd2m_context *context, const kd2m_graph *graph,
                           const kd2m_tensors *tensors) {
    kd2m_status status;
    kd2m_net *net = NULL;
    kd2m_tensor *tensor;
    size_t values = 0;
    KD2M_TRY(plan(&net, context, graph, 1, KD2M_NET_INFERENCE, false));
    for (size_t i = 0; i < graph->node_count; i++) {
        const kd2m_operation *operation = &net->operations[i];
        size_t width = kd2m_net_width(net, i);
        if (width > KD2M_NET_VALUES - values) {
            status = kd2m_fail(context, KD2M_ERROR_INPUT,
                               "its layers up to '%s' hold more than %d values a sample",
                               operation->node->name, KD2M_NET_VALUES);
            goto cleanup;
        }
        values += width;
        for (size_t k = 0; k < operation->weight_count; k++) {
            const kd2m_parameter *parameter = &operation->weights[k].parameter;
            KD2M_TRY(kd2m_tensors_expect(tensors, &tensor, parameter->name, KD2M_TENSOR_F32,
                                         parameter->dims, parameter->shape));
        }
    }
cleanup:
    kd2m_net_free(net);
    return status;
}

void kd2m_net_free(kd2m_net *net) {
    if (!net)
        return;
    for (size_t i = 0; net->operations && i < net->graph->node_count; i++)
        kd2m_free(net->context, net->operations[i].state);
    kd2m_engine_clear(&net->engine);
    kd2m_free(net->context, net->operations);
    kd2m_free(net->context, net->parameters);
    kd2m_free(net->context, net->weights);
    kd2m_free(net->context, net->staging);
    kd2m_free(net->context, net->kept);
    kd2m_free(net->context, net);
}

size_t kd2m_net_batch(const kd2m_net *net) {
    return net->batch;
}

size_t kd2m_net_width(const kd2m_net *net, size_t node) {
    const kd2m_operation *operation = &net->operations[node];
    size_t width = 1;
    for (size_t i = 0; i < operation->dims; i++)
        width *= operation->shape[i];
    return width;
}

size_t kd2m_net_channels(const kd2m_net *net, size_t node) {
    return net->operations[node].shape[0];
}

size_t kd2m_net_shape(const kd2m_net *net, size_t node, size_t shape[3]) {
    const kd2m_operation *operation = &net->operations[node];
    memcpy(shape, operation->shape, operation->dims * sizeof *shape);
    return operation->dims;
}

static kd2m_status settle(kd2m_net *net) {
    kd2m_status status = KD2M_OK;
    if (net->kind != KD2M_NET_INFERENCE || net->settled)
        return KD2M_OK;
    for (size_t i = 1; i < net->graph->node_count; i++) {
        kd2m_operation *operation = &net->operations[i];
        if (operation->op->settle && !operation->head)
            KD2M_TRY(operation->op->settle(operation));
    }
    net->settled = true;
cleanup:
    return status;
}

kd2m_status kd2m_net_forward(kd2m_net *net, const float *input) {
    kd2m_status status = settle(net);
    if (status != KD2M_OK)
        return status;
    const kd2m_buffer *first = net->operations[0].output;
    size_t outer = kd2m_profile_begin(net->profile, net->first_row, KD2M_PHASE_FORWARD);
    memcpy(first->values, input, first->count * sizeof *input);
    kd2m_profile_end(net->profile, outer);
    for (size_t i = 1; i < net->graph->node_count; i++) {
        kd2m_operation *operation = &net->operations[i];
        if (operation->head)
            continue;
        outer = kd2m_profile_begin(net->profile, net->first_row + i, KD2M_PHASE_FORWARD);
        status = operation->op->forward(operation);
        kd2m_profile_end(net->profile, outer);
        if (status != KD2M_OK)
            return kd2m_fail_within(net->context, status, "node '%s' (%s)", operation->node->name,
                                    operation->node->op);
    }
    return KD2M_OK;
}

kd2m_status kd2m_net_read(kd2m_net *net, size_t node, float *out, size_t stride) {
    kd2m_status status;
    kd2m_operation *operation = &net->operations[node];
    size_t width = kd2m_net_width(net, node);
    const float *plain = operation->output->values;
    if (!kd2m_net_can_read(net, node))
        return kd2m_fail(net->context, KD2M_ERROR_USAGE,
                         "'%s' is not among the nodes that this net was made to be read at",
                         operation->node->name);
    if (operation->to_plain) {
        float *target = stride == width ? out : net->staging;
        kd2m_buffer_point(operation->plain, target);
        KD2M_TRY(kd2m_engine_run(&net->engine, operation->to_plain));
        if (stride == width)
            goto cleanup;
        plain = target;
    }
    for (size_t i = 0; i < net->batch; i++)
        memcpy(out + i * stride, plain + i * width, width * sizeof *out);
    status = KD2M_OK;
cleanup:
    return status;
}

void kd2m_net_gradient_clear(kd2m_net *net) {
    for (size_t i = 0; i < net->graph->node_count; i++)
        net->operations[i].has_gradient = false;
}

kd2m_status kd2m_net_gradient_add(kd2m_net *net, size_t node, const float *gradient, float factor) {
    kd2m_status status = KD2M_OK;
    kd2m_operation *operation = &net->operations[node];
    if (net->kind != KD2M_NET_TRAINING)
        return kd2m_fail(net->context, KD2M_ERROR_USAGE, "a net for inference has no gradients");
    if (!operation->needs_gradient)
        return KD2M_OK;
    if (operation->from_plain) {
        kd2m_buffer_point(operation->plain, gradient);
        KD2M_TRY(kd2m_engine_run(&net->engine, operation->from_plain));
        gradient = operation->spill->values;
    }
    kd2m_floats_add(net->context, operation->gradient->values, gradient, operation->gradient->count,
                    factor, operation->has_gradient);
    operation->has_gradient = true;
cleanup:
    return status;
}

static void zero_gradients(kd2m_operation *operation) {
    for (size_t k = 0; k < operation->weight_count; k++) {
        const kd2m_parameter *parameter = &operation->weights[k].parameter;
        if (parameter->gradient)
            memset(parameter->gradient, 0, parameter->count * sizeof *parameter->gradient);
    }
}

kd2m_status kd2m_net_backward(kd2m_net *net) {
    if (net->kind != KD2M_NET_TRAINING)
        return kd2m_fail(net->context, KD2M_ERROR_USAGE, "a net for inference has no gradients");
    for (size_t i = net->graph->node_count - 1; i > 0; i--) {
        kd2m_operation *operation = &net->operations[i];
        if (!operation->has_gradient) {
            zero_gradients(operation);
            continue;
        }
        size_t outer = kd2m_profile_begin(net->profile, net->first_row + i, KD2M_PHASE_BACKWARD);
        kd2m_status status = operation->op->backward(operation);
        kd2m_profile_end(net->profile, outer);
        if (status != KD2M_OK)
            return kd2m_fail_within(net->context, status, "node '%s' (%s)", operation->node->name,
                                    operation->node->op);
    }
    const kd2m_operation *input = &net->operations[0];
    if (input->needs_gradient && !input->has_gradient)
        memset(input->gradient->values, 0, input->gradient->count * sizeof(float));
    return KD2M_OK;
}

const float *kd2m_net_input_gradient(const kd2m_net *net) {
    const kd2m_buffer *gradient = net->operations[0].gradient;
    return gradient ? gradient->values : NULL;
}
