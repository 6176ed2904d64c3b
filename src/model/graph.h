/*
 * The neutral graph: what a net is, whoever runs it. Nodes stand in order of execution; node 0 is
 * the input. A node names its operator and carries its attributes as numbers; parameter tensors
 * are found by 'NODE.weight', 'NODE.bias' and so on.
 */
#ifndef KD2M_MODEL_GRAPH_H
#define KD2M_MODEL_GRAPH_H

#include <jansson.h>
#include <stddef.h>

#include "kd2m/core.h"

#define KD2M_NODE_INPUTS 8
#define KD2M_NODE_ATTRIBUTES 12
#define KD2M_GRAPH_NODES 4096

typedef struct kd2m_attribute {
    char key[16];
    double value;
} kd2m_attribute;

typedef struct kd2m_node {
    char name[64];                   /* unique in the graph, 'conv1' */
    char op[24];                     /* an operator's name, 'conv'; 'input' for node 0 */
    size_t inputs[KD2M_NODE_INPUTS]; /* earlier nodes */
    size_t input_count;
    kd2m_attribute attributes[KD2M_NODE_ATTRIBUTES];
    size_t attribute_count;
} kd2m_node;

typedef struct kd2m_graph {
    kd2m_context *context;
    char *architecture; /* the spec it was built from, 'mlp:784-64-10' */
    size_t dims;        /* of one input sample, 1..3 */
    size_t shape[3];    /* D | C, L | C, H, W */
    size_t classes;
    kd2m_node *nodes;
    size_t node_count;
    size_t node_capacity;
    size_t features; /* the node whose output is the classifier's input */
    size_t logits;   /* the last node of the classifier */
} kd2m_graph;

/* An empty graph with its input node; `architecture` is copied. */
kd2m_status kd2m_graph_create(kd2m_graph **out, kd2m_context *context, const char *architecture,
                              size_t dims, const size_t shape[3], size_t classes);
void kd2m_graph_free(kd2m_graph *graph);

/* Appends a node with one input; *index is its number. More by kd2m_node_connect / _set. */
kd2m_status kd2m_graph_add(kd2m_graph *graph, size_t *index, const char *op, const char *name,
                           size_t input);
kd2m_status kd2m_graph_connect(kd2m_graph *graph, size_t node, size_t input);
kd2m_status kd2m_graph_set(kd2m_graph *graph, size_t node, const char *key, double value);

/* The attribute, or `fallback` where it is not set. */
double kd2m_node_get(const kd2m_node *node, const char *key, double fallback);

/* Finds a layer by name; 'features' and 'logits' always exist. Errors: KD2M_ERROR_USAGE with the
 * nearest name. */
kd2m_status kd2m_graph_find(const kd2m_graph *graph, const char *name, size_t *index);

/* To and from JSON, every field checked on the way in (KD2M_ERROR_INPUT, `name` in the message). */
kd2m_status kd2m_graph_to_json(const kd2m_graph *graph, json_t **out);
kd2m_status kd2m_graph_from_json(kd2m_graph **out, kd2m_context *context, const json_t *json,
                                 const char *name);

#endif
