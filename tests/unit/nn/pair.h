/* A net beside its float64 reference, with the same parameters, input and gradients. */
#ifndef KD2M_TESTS_PAIR_H
#define KD2M_TESTS_PAIR_H

#include "net.h"
#include "reference.h"
#include "testing.h"

/* A graph whose nodes have room for everything the tests do. `shape` is 0-terminated below 3. */
kd2m_graph *pair_graph(kd2m_context *context, size_t c, size_t h, size_t w);

/* Appends a node with attributes: key (a text), value (a double), ..., NULL. The last node added
 * is the logits. */
size_t pair_node(kd2m_graph *graph, const char *op, size_t input, ...);

/* conv -> batch norm (stem) -> { ReLU -> pool -> flatten -> linear (left);
 *                                mean over positions -> linear (right) } for signals of 3 x 11. */
typedef struct fork_nodes {
    size_t stem, left, right;
} fork_nodes;
kd2m_graph *pair_fork(kd2m_context *context, fork_nodes *nodes);

/* Standard normal numbers by seed. */
void pair_normals(float *values, size_t count, uint64_t seed);

typedef struct net_pair {
    kd2m_context *context;
    kd2m_net *net;
    reference_net *reference;
    float *input;
} net_pair;

/* Random parameters (scales and variances around 1) and input, by seed. */
net_pair pair_create(kd2m_context *context, const kd2m_graph *graph, size_t batch,
                     kd2m_net_kind kind, uint64_t seed);
void pair_free(net_pair *pair);

void pair_forward(net_pair *pair);
void pair_clear(net_pair *pair);
/* Adds a random gradient at `node`. */
void pair_gradient(net_pair *pair, size_t node, uint64_t seed);
void pair_backward(net_pair *pair);

/* Fails unless all nodes' values, or all parameters, or all gradients of parameters and input are
 * within `tolerance` times the largest of their tensor. */
void pair_expect_values(net_pair *pair, double tolerance);
void pair_expect_parameters(net_pair *pair, double tolerance);
void pair_expect_gradients(net_pair *pair, double tolerance);

/* All gradients of the net, plain, one after another: parameters, then input. Owned by the caller
 * (free); *count is their number. */
float *pair_gradients(net_pair *pair, size_t *count);

#endif
