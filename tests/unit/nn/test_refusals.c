/* Graphs that make no net are refused with a sentence that says where and why. */
#include "pair.h"

static void expect_refused(kd2m_context *context, const kd2m_graph *graph, const char *part) {
    kd2m_net *net;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_net_create(&net, context, graph, 2, KD2M_NET_TRAINING, false));
    assert_null(net);
    EXPECT_MESSAGE(context, part);
}

static void bad_graphs_are_refused(void **state) {
    (void)state;
    static const struct {
        size_t shape[3];
        const char *op;
        const char *key; /* NULL: no attribute */
        double value;
        const char *message;
    } bad[] = {
        {{4}, "linaer", "out", 3, "unknown operator 'linaer'; did you mean 'linear'?"},
        {{4}, "linear", NULL, 0, "node 'linear1' (linear): needs the attribute 'out'"},
        {{4},
         "linear",
         "out",
         0,
         "attribute 'out' is 0, must be a whole number from 1 to 16777216"},
        {{4}, "linear", "out", 2.5, "attribute 'out' is 2.5"},
        {{4}, "linear", "out", 1e18, "attribute 'out' is 1e+18"},
        {{4}, "linear", "outt", 3, "unknown attribute 'outt'; did you mean 'out'?"},
        {{4, 5}, "linear", "out", 3, "put flatten between"},
        {{4, 5}, "conv", "kernel", 3, "node 'conv1' (conv): needs the attribute 'out'"},
        {{4, 5}, "conv", "out", 3, "node 'conv1' (conv): needs the attribute 'kernel'"},
        {{4, 5}, "conv", "out", 3, "needs the attribute 'kernel'"},
        {{4}, "max_pool", "kernel", 1, "slides over C x L or C x H x W, but 'input' gives vectors"},
        {{4, 5}, "max_pool", "kernel", 6, "a kernel of 6 does not fit 5 positions padded by 0"},
        {{4, 7, 5}, "max_pool", "kernel", 6, "a kernel of 6 does not fit 5 positions"},
        {{4, 7, 5}, "max_pool", "kernel_h", 3, "needs the attribute 'kernel'"},
        {{4, 5}, "max_pool", "kernel", -1, "attribute 'kernel' is -1"},
        {{4}, "global_pool", NULL, 0, "pools over positions, but 'input' gives vectors"},
        {{4}, "leaky_relu", "slope", -0.1, "attribute 'slope' is -0.1, must lie between 0 and 1"},
        {{4}, "leaky_relu", "slope", 1.5, "attribute 'slope' is 1.5"},
        {{4}, "leaky_relu", "alpha", 0.5, "unknown attribute 'alpha'"},
        {{4}, "relu6", "slope", 0.5, "unknown attribute 'slope'"},
        {{4}, "avg_pool", "kernel", 1, "slides over C x L or C x H x W, but 'input' gives vectors"},
        {{4, 5}, "avg_pool", "kernel", 6, "a kernel of 6 does not fit 5 positions padded by 0"},
        {{4}, "concat", NULL, 0, "node 'concat1' (concat): has 1 inputs, takes 2 to 8"},
        {{4, 5}, "batchnorm", NULL, 0, "did you mean 'batch_norm'?"},
    };
    kd2m_context *context = testing_context(1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kd2m_graph *graph = pair_graph(context, bad[i].shape[0], bad[i].shape[1], bad[i].shape[2]);
        pair_node(graph, bad[i].op, 0, bad[i].key, bad[i].value, NULL);
        expect_refused(context, graph, bad[i].message);
        kd2m_graph_free(graph);
    }
    kd2m_context_free(context);
}

static void bad_windows_are_refused(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_graph(context, 4, 5, 0);
    pair_node(graph, "conv", 0, "out", 3.0, "kernel", 8.0, "pad", 1.0, NULL);
    expect_refused(context, graph, "node 'conv1' (conv): a kernel of 8 does not fit 5 positions");
    kd2m_graph_free(graph);
    graph = pair_graph(context, 4, 5, 0);
    pair_node(graph, "conv", 0, "out", 3.0, "kernel", 3.0, "stride", 0.0, NULL);
    expect_refused(context, graph, "attribute 'stride' is 0");
    kd2m_graph_free(graph);
    static const double groups[][2] = {{3, 6}, {2, 5}, {8, 8}};
    for (size_t i = 0; i < 3; i++) {
        graph = pair_graph(context, 4, 5, 0);
        pair_node(graph, "conv", 0, "out", groups[i][1], "kernel", 3.0, "groups", groups[i][0],
                  NULL);
        expect_refused(context, graph, "must divide the 4 channels of 'input' and out, which is");
        kd2m_graph_free(graph);
    }
    graph = pair_graph(context, 4, 5, 0);
    pair_node(graph, "conv", 0, "out", 4.0, "kernel", 3.0, "groups", 0.0, NULL);
    expect_refused(context, graph, "attribute 'groups' is 0");
    kd2m_graph_free(graph);
    graph = pair_graph(context, 1 << 20, 5, 5);
    pair_node(graph, "conv", 0, "out", 16e6, "kernel", 16e6, "pad", 8e6, NULL);
    expect_refused(context, graph, "node 'conv1' (conv): conv1.weight is too large");
    kd2m_graph_free(graph);
    static const char *const pools[] = {"max_pool", "avg_pool"};
    for (size_t i = 0; i < 2; i++) {
        graph = pair_graph(context, 4, 5, 0);
        pair_node(graph, pools[i], 0, "kernel", 3.0, "pad", 2.0, NULL);
        expect_refused(context, graph, "pad is 2, must be at most half the kernel's 3");
        kd2m_graph_free(graph);
    }
    kd2m_context_free(context);
}

static void wrong_inputs_are_refused(void **state) {
    (void)state;
    size_t node;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_graph(context, 4, 0, 0);
    node = pair_node(graph, "relu", 0, NULL);
    node = pair_node(graph, "relu", node, NULL);
    EXPECT_OK(context, kd2m_graph_connect(graph, node, 0));
    expect_refused(context, graph, "node 'relu2' (relu): has 2 inputs, takes 1 to 1");
    graph->nodes[node].input_count = 1;
    graph->nodes[node].inputs[0] = node;
    expect_refused(context, graph, "which does not come before it");
    graph->nodes[node].inputs[0] = 1;
    graph->logits = 9;
    expect_refused(context, graph, "features or logits are no node");
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void inputs_that_do_not_join_are_refused(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_graph(context, 4, 6, 6);
    size_t half =
        pair_node(graph, "max_pool", 0, "kernel_h", 1.0, "kernel_w", 2.0, "stride", 1.0, NULL);
    size_t mean = pair_node(graph, "global_pool", 0, NULL);
    size_t node = pair_node(graph, "concat", 0, NULL);
    EXPECT_OK(context, kd2m_graph_connect(graph, node, half));
    expect_refused(context, graph, "the positions of 'input' and 'max_pool1' differ");
    graph->nodes[node].inputs[1] = mean;
    expect_refused(context, graph, "the positions of 'input' and 'global_pool2' differ");
    kd2m_graph_free(graph);
    graph = pair_graph(context, 4, 6, 6);
    size_t wide = pair_node(graph, "conv", 0, "out", 5.0, "kernel", 1.0, NULL);
    node = pair_node(graph, "add", wide, NULL);
    EXPECT_OK(context, kd2m_graph_connect(graph, node, 0));
    expect_refused(context, graph, "adds inputs of one shape, but those of 'conv1' and 'input'");
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void batch_norm_of_single_values_is_refused_in_training(void **state) {
    (void)state;
    kd2m_net *net;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_graph(context, 4, 0, 0);
    pair_node(graph, "batch_norm", 0, NULL);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_net_create(&net, context, graph, 1, KD2M_NET_TRAINING, false));
    EXPECT_MESSAGE(context, "needs more than one value per channel");
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 1, KD2M_NET_INFERENCE, false));
    kd2m_net_free(net);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void an_empty_batch_is_refused(void **state) {
    (void)state;
    kd2m_net *net;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_graph(context, 4, 0, 0);
    pair_node(graph, "relu", 0, NULL);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_net_create(&net, context, graph, 0, KD2M_NET_TRAINING, false));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_net_create(&net, context, graph, SIZE_MAX / 8, KD2M_NET_TRAINING, false));
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_graphs_are_refused),
        cmocka_unit_test(bad_windows_are_refused),
        cmocka_unit_test(wrong_inputs_are_refused),
        cmocka_unit_test(inputs_that_do_not_join_are_refused),
        cmocka_unit_test(batch_norm_of_single_values_is_refused_in_training),
        cmocka_unit_test(an_empty_batch_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
