/*
 * A net's rows in a profile, one a node, and the work that they do. Counted are the products and
 * sums of the weights' definitions, forward 2 a weight, position and row; backward as many for the
 * weights' gradient and again for the input's, where it is needed. Taps on padding count, biases
 * and everything elementwise do not.
 */
#include "context.h"
#include "net_internal.h"

double kd2m_net_flops(const kd2m_net *net, size_t node) {
    const kd2m_operation *operation = &net->operations[node];
    double positions = (double)(kd2m_net_width(net, node) / kd2m_net_channels(net, node));
    double flops = 0;
    for (size_t i = 0; i < operation->weight_count; i++) {
        const kd2m_weights *weights = &operation->weights[i];
        double products = (double)net->batch * positions;
        for (size_t k = 0; k < weights->parameter.dims; k++)
            products *= (double)weights->parameter.shape[k];
        if (weights->role == KD2M_ROLE_WEIGHT)
            flops += 2 * products;
    }
    return flops;
}

kd2m_status kd2m_net_profile(kd2m_net *net, kd2m_profile *profile) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < net->graph->node_count; i++) {
        const kd2m_operation *operation = &net->operations[i];
        const kd2m_node *node = operation->node;
        double flops = kd2m_net_flops(net, i);
        bool input_gradient = i > 0 && operation->inputs[0]->needs_gradient;
        const kd2m_profile_label label = {
            .part = "layer",
            .name = node->name,
            .kind = node->op,
            .flops = {[KD2M_PHASE_FORWARD] = flops,
                      [KD2M_PHASE_BACKWARD] = flops * (input_gradient ? 2 : 1)},
        };
        size_t row;
        KD2M_TRY(kd2m_profile_add(profile, &label, &row));
        if (i == 0)
            net->first_row = row;
    }
    net->profile = profile;
cleanup:
    return status;
}
