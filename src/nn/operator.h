/*
 * What an operator is. Each stands in a file of its own, op_NAME.c, that ends in the descriptor
 * kd2m_operator_NAME, and in one line of operators.def. docs/adding-an-operator.md walks through
 * one.
 *
 * A net calls an operator in this order: `infer` for all nodes, `create` for all nodes, then
 * `settle`, `forward` and `backward` as often as it likes. Everything made through the engine
 * belongs to the net, so that an operator has nothing to free.
 *
 * Layouts: an operator chooses the layout of its output; its gradient has the same one. It takes
 * its inputs in whatever layout they come and converts where it wants another (kd2m_buffer_view).
 * To oneDNN, vectors are batch x C, always plain, and all else is batch x C x H x W, a signal
 * having H = 1.
 */
#ifndef KD2M_NN_OPERATOR_H
#define KD2M_NN_OPERATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "graph.h"
#include "net.h"
#include "net_engine.h"

#define KD2M_OPERATION_PARAMETERS 4
#define KD2M_REQUIRED SIZE_MAX

typedef struct kd2m_operator kd2m_operator;

/* How a parameter is used and what it starts from. */
typedef enum kd2m_parameter_role {
    KD2M_ROLE_WEIGHT,  /* trained, decays; He initialisation, fan-in = product(shape[1..]) */
    KD2M_ROLE_BIAS,    /* trained; starts at 0 */
    KD2M_ROLE_SCALE,   /* trained; starts at 1 */
    KD2M_ROLE_MEAN,    /* running statistic; starts at 0 */
    KD2M_ROLE_VARIANCE /* running statistic; starts at 1 */
} kd2m_parameter_role;

/* A parameter in the net: its public face, and where it lies. */
typedef struct kd2m_weights {
    kd2m_parameter parameter;
    char name[sizeof((kd2m_node *)NULL)->name + 16];
    kd2m_parameter_role role;
    kd2m_buffer *values;
    kd2m_buffer *gradient; /* NULL where parameter.gradient is */
    /* windows over a caller's memory, and the way between them; NULL where own is plain */
    kd2m_buffer *own, *plain;
    kd2m_primitive *to_plain, *from_plain;
} kd2m_weights;

/* A window sliding over the positions of an image, as oneDNN takes it: down, across, and over the
 * batch where that comes last. A signal is an image with a height of 1. */
typedef struct kd2m_window {
    dnnl_dims_t kernel, stride, pad;
} kd2m_window;

/* What follows an operation in an inference net and is done in the same pass: see net_merge.c. In
 * this order, each part being optional. */
typedef struct kd2m_merged {
    struct kd2m_operation *norm;   /* batch norm, folded into weights and bias; or NULL */
    struct kd2m_operation *addend; /* added, the sum taking its place in memory; or NULL */
    dnnl_alg_kind_t function;      /* of each value, as oneDNN has it; or dnnl_alg_kind_undef */
    float alpha, beta;             /* the function's */
} kd2m_merged;

typedef enum kd2m_merges {
    KD2M_MERGES_NOTHING,
    KD2M_MERGES_FUNCTIONS, /* kd2m_merged.function alone */
    KD2M_MERGES_ALL
} kd2m_merges;

/* A node at work. */
typedef struct kd2m_operation {
    kd2m_engine *engine;
    kd2m_context *context;
    const kd2m_operator *op; /* NULL for the input */
    const kd2m_node *node;
    struct kd2m_operation *inputs[KD2M_NODE_INPUTS];
    size_t batch;
    kd2m_net_kind kind;
    bool needs_gradient; /* parameters or earlier nodes want it */
    bool has_gradient;   /* `gradient` holds something in this backward */

    kd2m_merged merged;          /* into this operation */
    struct kd2m_operation *head; /* that this one is merged into, and never runs; or NULL */

    void *state; /* op->state_size zeroed bytes, freed by the net */

    /* set by infer */
    size_t dims;     /* of one row of the output, 1..3 */
    size_t shape[3]; /* C | C, L | C, H, W */
    kd2m_weights weights[KD2M_OPERATION_PARAMETERS];
    size_t weight_count;

    /* set by create */
    kd2m_buffer *output;
    kd2m_buffer *gradient; /* NULL unless needs_gradient */
    kd2m_buffer *spill;    /* window over the net's staging memory, in the output's layout */

    /* the way to a caller's plain memory; NULL where the output is plain */
    kd2m_buffer *plain;
    kd2m_primitive *to_plain;
    kd2m_primitive *from_plain; /* plain to spill; NULL unless needs_gradient */
} kd2m_operation;

struct kd2m_operator {
    const char *name;
    size_t inputs_least, inputs_most;
    const char *const *attributes; /* those that it knows, NULL behind the last */
    size_t state_size;

    /* Sets dims and shape from those of the inputs, and declares parameters. Refuses what does not
     * fit with KD2M_ERROR_INPUT; the net adds the node's name to the message. */
    kd2m_status (*infer)(kd2m_operation *operation);

    /* Makes primitives; places output and parameters (kd2m_operation_place_...). */
    kd2m_status (*create)(kd2m_operation *operation);

    kd2m_status (*forward)(kd2m_operation *operation);

    /* Only called when `gradient` holds something. Overwrites the parameters' gradients; for each
     * input whose gradient is needed: begin, write all of the target, end. `output` and `gradient`
     * stay as they are, since backward may be called again. */
    kd2m_status (*backward)(kd2m_operation *operation);

    /* The rest is optional. */

    kd2m_merges merges; /* what it can take into its pass: it heeds operation->merged */
    bool shares;        /* its output may lie in its input's memory */

    /* Adds what it does to `into`, which an earlier operation's pass will do; false where that is
     * not possible. An addend is set by the net. */
    bool (*merge)(const kd2m_operation *operation, kd2m_merged *into);

    /* In inference, before the first forward with new parameters: what can be made of them once. */
    kd2m_status (*settle)(kd2m_operation *operation);
};

/* For infer: an attribute that counts something, `least` or more. `fallback` = KD2M_REQUIRED:
 * there is none. Errors: KD2M_ERROR_INPUT. */
kd2m_status kd2m_operation_attribute(kd2m_operation *operation, const char *key, size_t fallback,
                                     size_t least, size_t *out);

/* For infer: the output gets the shape of `like`. */
void kd2m_operation_shape_as(kd2m_operation *operation, const kd2m_operation *like);

/* Whether two outputs have as many dimensions, and the same sizes from `axis` on (0: channels). */
bool kd2m_operation_agrees(const kd2m_operation *a, const kd2m_operation *b, size_t axis);

/* For infer: the next parameter, NODE.suffix. */
void kd2m_operation_declare(kd2m_operation *operation, const char *suffix, kd2m_parameter_role role,
                            size_t dims, const size_t *shape);

/* For infer, sliding windows: reads kernel (or kernel_h and kernel_w), stride and pad, and sets the
 * output's shape, as many channels as the input has. Without `stride` it is 1, or the kernel's size
 * with `apart`. Errors: KD2M_ERROR_INPUT (a vector; a kernel larger than the padded input). */
kd2m_status kd2m_operation_window(kd2m_operation *operation, bool apart, kd2m_window *out);

/* For create: sets output, gradient and spill aside in this layout, which may be a primitive's own
 * (NULL: plain). */
kd2m_status kd2m_operation_place_output(kd2m_operation *operation,
                                        const dnnl_memory_desc_t *layout);

/* The same, the output being `values`, which an earlier node owns; plain. */
kd2m_status kd2m_operation_share_output(kd2m_operation *operation, const float *values);

/* In inference: the output is that of `other`, which has the same shape, in the same memory. */
void kd2m_operation_take_output(kd2m_operation *operation, const kd2m_operation *other);

/* For create: primitives made between the two sum and apply the function of operation->merged. */
kd2m_status kd2m_operation_begin_merged(kd2m_operation *operation);
kd2m_status kd2m_operation_end_merged(kd2m_operation *operation);

/* For create: sets parameter `index` and its gradient aside in this layout (NULL: plain). */
kd2m_status kd2m_operation_place_parameter(kd2m_operation *operation, size_t index,
                                           const dnnl_memory_desc_t *layout);

/* For create: batch x shape, plain. */
kd2m_status kd2m_operation_plain_layout(const kd2m_operation *operation, dnnl_memory_desc_t *out);

/* For backward: where to write the gradient of input `index`, in the layout of its output, and
 * adding it to what other consumers wrote. Where inputs[index]->needs_gradient is false, the
 * target is there but nobody reads it. */
kd2m_buffer *kd2m_gradient_begin(kd2m_operation *operation, size_t index);
void kd2m_gradient_end(kd2m_operation *operation, size_t index);

/* to = factor * from, or to += factor * from; the same layout. */
void kd2m_floats_add(kd2m_context *context, float *to, const float *from, size_t count,
                     float factor, bool accumulate);

#endif
