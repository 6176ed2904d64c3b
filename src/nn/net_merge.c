/*
 * Merging in inference nets: batch norm, a sum and a function of each value run in the pass of the
 * convolution or linear map before them, whose output they would otherwise read and write again:
 *     conv -> batch_norm -> add -> relu
 * becomes one pass. Batch norm by running statistics is a linear map of each channel and goes into
 * the weights (Jacob et al., 'Quantization and training of neural networks', CVPR 2018, 3.2). A sum
 * takes the place of its other addend in memory, so nobody may ask for that one afterwards.
 *
 * An operation is merged only where nobody reads what stands between: one consumer, and not among
 * the nodes that the net's maker wants to read. Time and memory O(nodes).
 */
#include "context.h"
#include "memory.h"
#include "net_internal.h"

/* Who reads a node's output. */
typedef struct readers {
    size_t count;
    size_t last, before; /* nodes: the last reader, and the one before it */
    bool shared;         /* a reader's output may lie in the same memory */
} readers;

static void count_readers(const kd2m_net *net, readers *of) {
    for (size_t i = 1; i < net->graph->node_count; i++) {
        const kd2m_node *node = net->operations[i].node;
        for (size_t k = 0; k < node->input_count; k++) {
            readers *input = &of[node->inputs[k]];
            input->count++;
            input->before = input->last;
            input->last = i;
            input->shared |= net->operations[i].op->shares;
        }
    }
}

/* Whether the sum in a later node, its reader, can be computed in node `head` and take the place of
 * node `addend`: that one is there by then, and all others have read it. The input is left out,
 * since it lies plain. */
static bool can_take_place(const kd2m_net *net, const readers *of, size_t addend, size_t head) {
    const readers *who = &of[addend];
    bool last = who->count == 1 || who->before < head;
    return addend > 0 && addend < head && last && !net->kept[addend] && !who->shared;
}

/* Whether node `at`, which alone reads node `last`, can be done in the pass of node `head`; then it
 * is. */
static bool take(kd2m_net *net, const readers *of, size_t head, size_t last, size_t at) {
    kd2m_operation *first = &net->operations[head], *operation = &net->operations[at];
    const kd2m_node *node = operation->node;
    kd2m_merged merged = first->merged;
    bool all = first->op->merges == KD2M_MERGES_ALL;
    if (!operation->op->merge || merged.function != dnnl_alg_kind_undef ||
        !operation->op->merge(operation, &merged))
        return false;
    if (node->input_count == 2) {
        size_t addend = node->inputs[node->inputs[0] == last];
        if (!can_take_place(net, of, addend, head))
            return false;
        merged.addend = &net->operations[addend];
    }
    if (!all && (merged.norm || merged.addend))
        return false;
    first->merged = merged;
    operation->head = first;
    return true;
}

kd2m_status kd2m_net_merge(kd2m_net *net) {
    kd2m_status status;
    readers *of = NULL;
    size_t count = net->graph->node_count;
    KD2M_TRY(kd2m_alloc(net->context, (void **)&of, count, sizeof *of));
    count_readers(net, of);
    for (size_t i = 1; i < count; i++) {
        const kd2m_operation *head = &net->operations[i];
        size_t last = i;
        if (head->head || head->op->merges == KD2M_MERGES_NOTHING)
            continue;
        while (!net->kept[last] && of[last].count == 1 && take(net, of, i, last, of[last].last))
            last = of[last].last;
    }
cleanup:
    kd2m_free(net->context, of);
    return status;
}
