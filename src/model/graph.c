/*
 * The neutral graph: building it node by node, attributes, layers by name.
 * A node's inputs always stand before it, so the array itself is an order of execution and cycles
 * can't be written down.
 * Time O(nodes) to add or find a node, memory O(nodes). Thread rule: that of its context.
 */
#include "graph.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "spec.h"

/* Names under which every graph shows its two special nodes. */
static const char features_name[] = "features";
static const char logits_name[] = "logits";

static kd2m_status check_shape(kd2m_context *context, size_t dims, const size_t shape[3],
                               size_t classes) {
    if (dims < 1 || dims > 3)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "a sample has 1 to 3 dimensions, not %zu",
                         dims);
    size_t size = 1;
    for (size_t i = 0; i < dims; i++)
        if (shape[i] == 0 || !kd2m_size_multiply(size, shape[i], &size) || size > INT32_MAX)
            return kd2m_fail(context, KD2M_ERROR_INPUT,
                             "a sample must hold 1 to %d values, dimension %zu is %zu", INT32_MAX,
                             i, shape[i]);
    if (classes < 1 || classes > INT32_MAX)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "the number of classes must be 1 to %d, not %zu", INT32_MAX, classes);
    return KD2M_OK;
}

/* Whether `text` fits a field of `size` bytes and can stand in a message or a tensor's name. */
static bool is_plain(const char *text, size_t size) {
    size_t length = strlen(text);
    if (length == 0 || length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static kd2m_status append_node(kd2m_graph *graph, kd2m_node **out, const char *op,
                               const char *name) {
    *out = NULL;
    kd2m_context *context = graph->context;
    kd2m_node fresh = {.input_count = 0};
    if (graph->node_count == KD2M_GRAPH_NODES)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "a graph has at most %d nodes",
                         KD2M_GRAPH_NODES);
    if (!is_plain(name, sizeof fresh.name))
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "the name of node %zu must have 1 to %zu characters, none of them a "
                         "control character",
                         graph->node_count, sizeof fresh.name - 1);
    if (!is_plain(op, sizeof fresh.op))
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "node '%s': an operator's name has 1 to %zu characters", name,
                         sizeof fresh.op - 1);
    if (strcmp(name, features_name) == 0 || strcmp(name, logits_name) == 0)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "node '%s': this name is reserved", name);
    for (size_t i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i].name, name) == 0)
            return kd2m_fail(context, KD2M_ERROR_INPUT, "two nodes are named '%s'", name);
    kd2m_status status = kd2m_grow(context, (void **)&graph->nodes, &graph->node_capacity,
                                   graph->node_count, graph->node_count + 1, sizeof *graph->nodes);
    if (status != KD2M_OK)
        return status;
    memcpy(fresh.name, name, strlen(name));
    memcpy(fresh.op, op, strlen(op));
    *out = &graph->nodes[graph->node_count++];
    **out = fresh;
    return KD2M_OK;
}

kd2m_status kd2m_graph_create(kd2m_graph **out, kd2m_context *context, const char *architecture,
                              size_t dims, const size_t shape[3], size_t classes) {
    *out = NULL;
    kd2m_graph *graph = NULL;
    kd2m_node *input = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check_shape(context, dims, shape, classes));
    KD2M_TRY(kd2m_alloc(context, (void **)&graph, 1, sizeof *graph));
    graph->context = context;
    graph->dims = dims;
    memcpy(graph->shape, shape, dims * sizeof *shape);
    graph->classes = classes;
    KD2M_TRY(kd2m_text_copy(context, &graph->architecture, architecture));
    KD2M_TRY(append_node(graph, &input, "input", "input"));
    *out = graph;
    graph = NULL;
cleanup:
    kd2m_graph_free(graph);
    return status;
}

void kd2m_graph_free(kd2m_graph *graph) {
    if (!graph)
        return;
    kd2m_context *context = graph->context;
    kd2m_free(context, graph->architecture);
    kd2m_free(context, graph->nodes);
    kd2m_free(context, graph);
}

kd2m_status kd2m_graph_add(kd2m_graph *graph, size_t *index, const char *op, const char *name,
                           size_t input) {
    *index = 0;
    kd2m_node *node = NULL;
    kd2m_status status = append_node(graph, &node, op, name);
    if (status == KD2M_OK)
        status = kd2m_graph_connect(graph, graph->node_count - 1, input);
    if (status == KD2M_OK)
        *index = graph->node_count - 1;
    else if (node)
        graph->node_count--;
    return status;
}

kd2m_status kd2m_graph_connect(kd2m_graph *graph, size_t node, size_t input) {
    if (node == 0 || node >= graph->node_count)
        return kd2m_fail(graph->context, KD2M_ERROR_INPUT, "node %zu takes no input", node);
    kd2m_node *to = &graph->nodes[node];
    if (input >= node)
        return kd2m_fail(graph->context, KD2M_ERROR_INPUT,
                         "node '%s': input %zu does not stand before it (it is node %zu)", to->name,
                         input, node);
    if (to->input_count == KD2M_NODE_INPUTS)
        return kd2m_fail(graph->context, KD2M_ERROR_INPUT, "node '%s': more than %d inputs",
                         to->name, KD2M_NODE_INPUTS);
    to->inputs[to->input_count++] = input;
    return KD2M_OK;
}

kd2m_status kd2m_graph_set(kd2m_graph *graph, size_t node, const char *key, double value) {
    if (node >= graph->node_count)
        return kd2m_fail(graph->context, KD2M_ERROR_INPUT, "there is no node %zu", node);
    kd2m_node *of = &graph->nodes[node];
    if (!is_plain(key, sizeof of->attributes->key))
        return kd2m_fail(graph->context, KD2M_ERROR_INPUT,
                         "node '%s': an attribute's name has 1 to %zu characters", of->name,
                         sizeof of->attributes->key - 1);
    if (!isfinite(value))
        return kd2m_fail(graph->context, KD2M_ERROR_INPUT,
                         "node '%s': attribute '%s' is not a finite number", of->name, key);
    size_t i = 0;
    while (i < of->attribute_count && strcmp(of->attributes[i].key, key) != 0)
        i++;
    if (i == KD2M_NODE_ATTRIBUTES)
        return kd2m_fail(graph->context, KD2M_ERROR_INPUT, "node '%s': more than %d attributes",
                         of->name, KD2M_NODE_ATTRIBUTES);
    if (i == of->attribute_count) {
        memcpy(of->attributes[i].key, key, strlen(key) + 1);
        of->attribute_count++;
    }
    of->attributes[i].value = value;
    return KD2M_OK;
}

double kd2m_node_get(const kd2m_node *node, const char *key, double fallback) {
    for (size_t i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].key, key) == 0)
            return node->attributes[i].value;
    return fallback;
}

static kd2m_status fail_unknown(const kd2m_graph *graph, const char *name) {
    const char **names = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(graph->context, (void **)&names, graph->node_count + 2, sizeof *names));
    for (size_t i = 0; i < graph->node_count; i++)
        names[i] = graph->nodes[i].name;
    names[graph->node_count] = features_name;
    names[graph->node_count + 1] = logits_name;
    status = kd2m_fail_unknown(graph->context, graph->architecture, "layer", name, names,
                               graph->node_count + 2);
cleanup:
    kd2m_free(graph->context, (void *)names);
    return status;
}

kd2m_status kd2m_graph_find(const kd2m_graph *graph, const char *name, size_t *index) {
    *index = 0;
    if (strcmp(name, features_name) == 0) {
        *index = graph->features;
        return KD2M_OK;
    }
    if (strcmp(name, logits_name) == 0) {
        *index = graph->logits;
        return KD2M_OK;
    }
    for (size_t i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i].name, name) == 0) {
            *index = i;
            return KD2M_OK;
        }
    return fail_unknown(graph, name);
}
