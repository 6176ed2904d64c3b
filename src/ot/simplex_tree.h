/*
 * The network simplex's bases: spanning trees over rows and columns, hung up at one column, in
 * which each node keeps its parent and the flow on the arc between the two. Masses are integers.
 */
#ifndef KD2M_OT_SIMPLEX_TREE_H
#define KD2M_OT_SIMPLEX_TREE_H

#include "transport.h"

#define KD2M_NO_NODE UINT32_MAX

typedef struct kd2m_tree_node {
    uint32_t parent;
    uint32_t child; /* the first of its children, or KD2M_NO_NODE */
    uint32_t next;  /* siblings, or KD2M_NO_NODE */
    uint32_t previous;
    uint32_t size; /* of the subtree, itself included */
    int64_t flow;  /* to or from the parent */
} kd2m_tree_node;

static inline void kd2m_tree_attach(kd2m_tree_node *nodes, uint32_t child, uint32_t parent,
                                    int64_t flow) {
    uint32_t next = nodes[parent].child;
    nodes[child].parent = parent;
    nodes[child].flow = flow;
    nodes[child].previous = KD2M_NO_NODE;
    nodes[child].next = next;
    nodes[parent].child = child;
    if (next != KD2M_NO_NODE)
        nodes[next].previous = child;
}

static inline void kd2m_tree_detach(kd2m_tree_node *nodes, uint32_t child) {
    uint32_t previous = nodes[child].previous;
    uint32_t next = nodes[child].next;
    if (previous != KD2M_NO_NODE)
        nodes[previous].next = next;
    else
        nodes[nodes[child].parent].child = next;
    if (next != KD2M_NO_NODE)
        nodes[next].previous = previous;
}

/* The node after u in a walk through the subtree of `top`, parents first; KD2M_NO_NODE at its end.
 */
static inline uint32_t kd2m_tree_walk(const kd2m_tree_node *nodes, uint32_t u, uint32_t top) {
    if (nodes[u].child != KD2M_NO_NODE)
        return nodes[u].child;
    while (u != top && nodes[u].next == KD2M_NO_NODE)
        u = nodes[u].parent;
    return u == top ? KD2M_NO_NODE : nodes[u].next;
}

/* A tree from which the network simplex may begin: the rows in turn send what they have left to the
 * nearest column that still takes something. Errors: weights that are none. */
kd2m_status kd2m_tree_start(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                            const double *column_weights, kd2m_tree *tree);
size_t kd2m_tree_start_bytes(size_t rows, size_t columns);

#endif
