/*
 * A net: a graph made ready to run on batches of one size. Activations and gradients keep the
 * layouts that the operators like best; at the borders everything is plain: rows x (C x positions).
 */
#ifndef KD2M_NN_NET_H
#define KD2M_NN_NET_H

#include <stdbool.h>

#include "graph.h"
#include "kd2m/core.h"
#include "profile.h"
#include "tensors.h"

typedef struct kd2m_net kd2m_net;

typedef struct kd2m_parameter {
    const char *name; /* 'conv1.weight'; lives as long as the net */
    size_t dims;
    size_t shape[5]; /* as PyTorch has it: linear out x in, conv out x in x k.. */
    float *values;   /* `count` elements in the net's layout (padding, if any, stays 0); in an
                      * inference net to be read only, changed by load, copy and from_plain */
    float *gradient; /* the same; NULL in an inference net and for running statistics */
    size_t count;
    bool trained; /* false: running statistics, not touched by the optimiser */
    bool decay;   /* weight decay applies (not on batch norm and bias) */
} kd2m_parameter;

/* Most values that all layers together may hold for one sample of a model that was read. */
#define KD2M_NET_VALUES 268435456

typedef enum kd2m_net_kind {
    KD2M_NET_INFERENCE, /* forward only; batch norm uses running statistics */
    KD2M_NET_TRAINING   /* forward with batch statistics, which update the running ones; backward */
} kd2m_net_kind;

/*
 * Compiles `graph` (borrowed until kd2m_net_free) for batches of `batch` rows. All memory is set
 * aside here: forward, backward and update allocate nothing. With `input_gradient`, backward also
 * yields the gradient of the input.
 * Errors: KD2M_ERROR_USAGE (no rows), KD2M_ERROR_INPUT (shapes that don't fit, unknown operator or
 * attribute), KD2M_ERROR_MEMORY, KD2M_ERROR_UNSUPPORTED.
 */
kd2m_status kd2m_net_create(kd2m_net **out, kd2m_context *context, const kd2m_graph *graph,
                            size_t batch, kd2m_net_kind kind, bool input_gradient);
void kd2m_net_free(kd2m_net *net);

/*
 * The same for inference alone, faster: of the nodes only `read` (`count` of them), the features
 * and the logits can be read, so what lies between may run in one pass (net_merge.c says what
 * does). Values differ from the other net's by rounding.
 */
kd2m_status kd2m_net_create_merged(kd2m_net **out, kd2m_context *context, const kd2m_graph *graph,
                                   size_t batch, const size_t *read, size_t count);

/* Whether kd2m_net_read has this node's values. */
bool kd2m_net_can_read(const kd2m_net *net, size_t node);

/*
 * Whether `tensors` hold every parameter of `graph` in its exact shape, found out before any memory
 * is set aside: to be asked of a file before its net is created, so that a graph that lies about
 * its sizes can't take more memory than the file has. Errors: KD2M_ERROR_INPUT, KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_net_check(kd2m_context *context, const kd2m_graph *graph,
                           const kd2m_tensors *tensors);

size_t kd2m_net_batch(const kd2m_net *net);

/* Elements of one row of a node's output (C x positions), and its channels. */
size_t kd2m_net_width(const kd2m_net *net, size_t node);
size_t kd2m_net_channels(const kd2m_net *net, size_t node);

/* Dimensions of one row of a node's output, 1..3, and their sizes: C | C, L | C, H, W. */
size_t kd2m_net_shape(const kd2m_net *net, size_t node, size_t shape[3]);

/* All parameters, in graph order. */
kd2m_parameter *kd2m_net_parameters(kd2m_net *net, size_t *count);

/* Trained scalars, as people count them (running statistics and padding left out). */
size_t kd2m_net_parameter_total(const kd2m_net *net);

/* He initialisation (fan-in, normal) for weights, 0 for biases, 1/0 for batch norm; by seed and the
 * parameter's number, whatever the layout. */
kd2m_status kd2m_net_initialise(kd2m_net *net, uint64_t seed);

/* Values from and to plain named tensors. Loading demands every tensor with its exact shape. */
kd2m_status kd2m_net_load(kd2m_net *net, const kd2m_tensors *tensors);
kd2m_status kd2m_net_store(kd2m_net *net, kd2m_tensors *tensors);

/* The same for a buffer that is laid out as parameter `index` is (optimiser state): plain has
 * product(shape) elements, own has parameter.count. */
kd2m_status kd2m_net_to_plain(kd2m_net *net, size_t index, const float *own, float *plain);
kd2m_status kd2m_net_from_plain(kd2m_net *net, size_t index, const float *plain, float *own);

/* Copies all parameters between two nets of the same graph. */
kd2m_status kd2m_net_copy(kd2m_net *to, kd2m_net *from);

/* Floating-point operations of a node's forward pass over the batch; net_profile.c says which. */
double kd2m_net_flops(const kd2m_net *net, size_t node);

/* Adds a row of part 'layer' for each node to `profile`, which forward and backward then keep
 * (borrowed until kd2m_net_free; it borrows the nodes' names). Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_net_profile(kd2m_net *net, kd2m_profile *profile);

/* Runs the batch; `input` is batch x sample, plain. */
kd2m_status kd2m_net_forward(kd2m_net *net, const float *input);

/* Copies a node's output of the last forward: out is batch x width, plain, `stride` >= width.
 * Errors: KD2M_ERROR_USAGE where kd2m_net_can_read is false. */
kd2m_status kd2m_net_read(kd2m_net *net, size_t node, float *out, size_t stride);

/*
 * Backward in three steps: forget old gradients; add gradients at any nodes (batch x width, plain,
 * contiguous, each multiplied by `factor`); run. Parameter gradients are overwritten, not
 * accumulated. The three may be repeated after one forward, with other gradients.
 */
void kd2m_net_gradient_clear(kd2m_net *net);
kd2m_status kd2m_net_gradient_add(kd2m_net *net, size_t node, const float *gradient, float factor);
kd2m_status kd2m_net_backward(kd2m_net *net);

/* The input's gradient after backward, batch x sample, plain; only with `input_gradient`. */
const float *kd2m_net_input_gradient(const kd2m_net *net);

/*
 * Mean softmax cross-entropy of the logits of the last forward against labels (batch), over the
 * first `rows` rows; d(loss)/d(logits), batch x classes, goes to `gradient` unless NULL.
 */
kd2m_status kd2m_net_cross_entropy(kd2m_net *net, const int32_t *labels, size_t rows, double *loss,
                                   float *gradient);

#endif
