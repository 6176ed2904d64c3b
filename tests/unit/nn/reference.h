/*
 * A second net, to judge the first by: the same graph in plain float64 loops, forward and backward,
 * sharing no code with the library. Vectors and signals are images with H = 1 (and W = 1).
 */
#ifndef KD2M_TESTS_REFERENCE_H
#define KD2M_TESTS_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "graph.h"

typedef struct reference_parameter {
    char name[96];
    size_t count;
    double *values;
    double *gradient;
} reference_parameter;

typedef struct reference_value {
    size_t c, h, w;   /* of one row */
    size_t count;     /* batch x c x h x w */
    double *values;   /* plain */
    double *gradient; /* plain */
} reference_value;

typedef struct reference_net {
    const kd2m_graph *graph;
    size_t batch;
    bool training;
    reference_value *nodes;
    reference_parameter *parameters;
    size_t parameter_count;
} reference_net;

/* Parameters start at 0. Fails the test on what it doesn't know. */
reference_net *reference_create(const kd2m_graph *graph, size_t batch, bool training);
void reference_free(reference_net *net);

/* The parameter NODE.SUFFIX of that node, or NULL. */
reference_parameter *reference_find(const reference_net *net, size_t node, const char *suffix);

void reference_forward(reference_net *net, const double *input);

/* Forgets gradients; the caller then adds to nodes[..].gradient. */
void reference_clear(reference_net *net);
void reference_backward(reference_net *net);

/* Mean softmax cross-entropy of the logits; adds its gradient to theirs unless it's unwanted. */
double reference_cross_entropy(reference_net *net, const int *labels, size_t rows, bool gradient);

#endif
