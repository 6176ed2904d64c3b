/* The inside of a net, shared by net*.c. */
#ifndef KD2M_NN_NET_INTERNAL_H
#define KD2M_NN_NET_INTERNAL_H

#include "operator.h"

struct kd2m_net {
    kd2m_context *context;
    const kd2m_graph *graph; /* borrowed */
    size_t batch;
    kd2m_net_kind kind;
    kd2m_engine engine;
    kd2m_operation *operations; /* one per node of the graph */
    kd2m_parameter *parameters; /* the public faces of `weights` */
    kd2m_weights **weights;     /* all parameters, in graph order */
    size_t parameter_count;
    bool *kept;     /* by node: may be read; NULL: all may */
    bool settled;   /* inference: nothing has changed a parameter since the last forward */
    float *staging; /* for one tensor at a time, on its way from layout to layout */

    kd2m_primitive *softmax; /* of the logits; NULL where they have more than one dimension */
    kd2m_buffer *probabilities;

    kd2m_profile *profile; /* borrowed; NULL without one */
    size_t first_row;      /* there, of node 0 */
};

/* net_merge.c: decides what runs in whose pass, for a net with `kept`. */
kd2m_status kd2m_net_merge(kd2m_net *net);

/* net_cross_entropy.c */
kd2m_status kd2m_net_plan_cross_entropy(kd2m_net *net);

#endif
