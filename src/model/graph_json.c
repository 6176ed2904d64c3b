/*
 * The graph as JSON, format 1:
 *
 *   {"format": 1, "architecture": "mlp:784-64-10", "input": [1, 28, 28], "classes": 10,
 *    "nodes": [{"name": "input", "op": "input", "inputs": [], "attributes": {}},
 *              {"name": "fc1", "op": "linear", "inputs": [0], "attributes": {"out": 64}}, ...],
 *    "features": "relu1", "logits": "classifier"}
 *
 * Inputs are positions in "nodes", each before the node itself. Reading checks every field; what an
 * operator makes of its attributes is the net's business.
 * Time O(nodes^2) for the names' uniqueness, memory O(nodes). Thread rule: that of the context.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "context.h"
#include "graph.h"
#include "json.h"

#define FORMAT 1

static json_t *number(double value) {
    bool whole = value == floor(value) && fabs(value) < 9007199254740992.0;
    return whole ? json_integer((json_int_t)value) : json_real(value);
}

static kd2m_status append(kd2m_context *context, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for JSON");
    return KD2M_OK;
}

static kd2m_status sizes_to_json(kd2m_context *context, const size_t *sizes, size_t count,
                                 json_t *object, const char *key) {
    kd2m_status status = KD2M_OK;
    json_t *array = json_array();
    KD2M_TRY(kd2m_json_set(context, object, key, array));
    for (size_t i = 0; i < count; i++)
        KD2M_TRY(append(context, array, json_integer((json_int_t)sizes[i])));
cleanup:
    return status;
}

static kd2m_status node_to_json(kd2m_context *context, const kd2m_node *node, json_t *nodes) {
    kd2m_status status = KD2M_OK;
    json_t *object = json_object();
    json_t *attributes = json_object();
    KD2M_TRY(append(context, nodes, object));
    KD2M_TRY(kd2m_json_set(context, object, "name", json_string(node->name)));
    KD2M_TRY(kd2m_json_set(context, object, "op", json_string(node->op)));
    KD2M_TRY(sizes_to_json(context, node->inputs, node->input_count, object, "inputs"));
    KD2M_TRY(kd2m_json_set(context, object, "attributes", json_incref(attributes)));
    for (size_t i = 0; i < node->attribute_count; i++)
        KD2M_TRY(kd2m_json_set(context, attributes, node->attributes[i].key,
                               number(node->attributes[i].value)));
cleanup:
    json_decref(attributes);
    return status;
}

kd2m_status kd2m_graph_to_json(const kd2m_graph *graph, json_t **out) {
    *out = NULL;
    kd2m_context *context = graph->context;
    kd2m_status status = KD2M_OK;
    json_t *json = json_object();
    json_t *nodes = json_array();
    KD2M_TRY(kd2m_json_set(context, json, "format", json_integer(FORMAT)));
    KD2M_TRY(kd2m_json_set(context, json, "architecture", json_string(graph->architecture)));
    KD2M_TRY(sizes_to_json(context, graph->shape, graph->dims, json, "input"));
    KD2M_TRY(kd2m_json_set(context, json, "classes", json_integer((json_int_t)graph->classes)));
    KD2M_TRY(kd2m_json_set(context, json, "nodes", json_incref(nodes)));
    for (size_t i = 0; i < graph->node_count; i++)
        KD2M_TRY(node_to_json(context, &graph->nodes[i], nodes));
    KD2M_TRY(
        kd2m_json_set(context, json, "features", json_string(graph->nodes[graph->features].name)));
    KD2M_TRY(kd2m_json_set(context, json, "logits", json_string(graph->nodes[graph->logits].name)));
    *out = json_incref(json);
cleanup:
    json_decref(nodes);
    json_decref(json);
    return status;
}

/* The field `key` of `object`, which must be of this type. */
static kd2m_status get(kd2m_context *context, const json_t *object, const char *key, json_type type,
                       const char *type_name, json_t **out) {
    *out = json_object_get(object, key);
    if (!*out || json_typeof(*out) != type)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "the graph's '%s' is %s %s", key,
                         *out ? "not" : "missing; it must be", type_name);
    return KD2M_OK;
}

static kd2m_status get_size(kd2m_context *context, const json_t *value, const char *what,
                            size_t *out) {
    *out = 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s must be a whole number, not negative",
                         what);
    *out = (size_t)json_integer_value(value);
    return KD2M_OK;
}

static kd2m_status set_attributes(kd2m_graph *graph, size_t node, json_t *attributes) {
    kd2m_status status = KD2M_OK;
    const char *key;
    json_t *value;
    json_object_foreach(attributes, key, value) {
        double number_value = json_is_number(value) ? json_number_value(value) : NAN;
        KD2M_TRY(kd2m_graph_set(graph, node, key, number_value));
    }
cleanup:
    return status;
}

static kd2m_status add_node(kd2m_graph *graph, size_t index, const json_t *json) {
    kd2m_context *context = graph->context;
    kd2m_status status = KD2M_OK;
    json_t *name, *op, *inputs, *attributes;
    KD2M_TRY(get(context, json, "name", JSON_STRING, "a text", &name));
    KD2M_TRY(get(context, json, "op", JSON_STRING, "a text", &op));
    KD2M_TRY(get(context, json, "inputs", JSON_ARRAY, "a list", &inputs));
    KD2M_TRY(get(context, json, "attributes", JSON_OBJECT, "an object", &attributes));
    bool is_input = strcmp(json_string_value(op), "input") == 0;
    if (index == 0 && (!is_input || strcmp(json_string_value(name), "input") != 0 ||
                       json_array_size(inputs) != 0)) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "the first node must be the input");
        goto cleanup;
    }
    if (index > 0 && (is_input || json_array_size(inputs) == 0)) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           is_input ? "there is a second input node" : "a node has no input");
        goto cleanup;
    }
    size_t input = 0, added = 0;
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        KD2M_TRY(get_size(context, json_array_get(inputs, i), "a node's input", &input));
        if (i == 0)
            KD2M_TRY(kd2m_graph_add(graph, &added, json_string_value(op), json_string_value(name),
                                    input));
        else
            KD2M_TRY(kd2m_graph_connect(graph, added, input));
    }
    KD2M_TRY(set_attributes(graph, added, attributes));
cleanup:
    return status;
}

static kd2m_status find_node(const kd2m_graph *graph, const json_t *json, const char *key,
                             size_t *out) {
    kd2m_status status = KD2M_OK;
    json_t *name;
    KD2M_TRY(get(graph->context, json, key, JSON_STRING, "a text", &name));
    for (*out = 0; *out < graph->node_count; ++*out)
        if (strcmp(graph->nodes[*out].name, json_string_value(name)) == 0)
            goto cleanup;
    status = kd2m_fail(graph->context, KD2M_ERROR_INPUT, "the graph's '%s' names no node", key);
cleanup:
    return status;
}

static kd2m_status read_graph(kd2m_graph **out, kd2m_context *context, const json_t *json) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_graph *graph = NULL;
    json_t *format, *architecture, *input, *classes, *nodes;
    size_t shape[3] = {0}, class_count = 0;
    KD2M_TRY(get(context, json, "format", JSON_INTEGER, "a whole number", &format));
    if (json_integer_value(format) != FORMAT) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "the graph has format %lld, this version reads format %d",
                           (long long)json_integer_value(format), FORMAT);
        goto cleanup;
    }
    KD2M_TRY(get(context, json, "architecture", JSON_STRING, "a text", &architecture));
    KD2M_TRY(get(context, json, "input", JSON_ARRAY, "a list", &input));
    KD2M_TRY(get(context, json, "classes", JSON_INTEGER, "a whole number", &classes));
    KD2M_TRY(get(context, json, "nodes", JSON_ARRAY, "a list", &nodes));
    for (size_t i = 0; i < json_array_size(input) && i < 3; i++)
        KD2M_TRY(get_size(context, json_array_get(input, i), "the input's shape", &shape[i]));
    KD2M_TRY(get_size(context, classes, "the number of classes", &class_count));
    KD2M_TRY(kd2m_graph_create(&graph, context, json_string_value(architecture),
                               json_array_size(input), shape, class_count));
    for (size_t i = 0; i < json_array_size(nodes); i++)
        KD2M_TRY(add_node(graph, i, json_array_get(nodes, i)));
    KD2M_TRY(find_node(graph, json, "features", &graph->features));
    KD2M_TRY(find_node(graph, json, "logits", &graph->logits));
    *out = graph;
    graph = NULL;
cleanup:
    kd2m_graph_free(graph);
    return status;
}

kd2m_status kd2m_graph_from_json(kd2m_graph **out, kd2m_context *context, const json_t *json,
                                 const char *name) {
    kd2m_status status = read_graph(out, context, json);
    return status == KD2M_OK ? status : kd2m_fail_within(context, status, "%s", name);
}
