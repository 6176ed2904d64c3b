/* Small nets against PyTorch: training step, evaluation. The files come from tools/golden_nn.py. */
#include <stdio.h>
#include <stdlib.h>

#include "golden.h"
#include "pair.h"

#define TOLERANCE 1e-5

static kd2m_graph *build_signal_net(kd2m_context *context) {
    kd2m_graph *graph = pair_graph(context, 2, 33, 0);
    size_t node = pair_node(graph, "conv", 0, "out", 12.0, "kernel", 5.0, "stride", 2.0, "pad", 2.0,
                            "bias", 0.0, NULL);
    node = pair_node(graph, "batch_norm", node, NULL);
    node = pair_node(graph, "relu", node, NULL);
    node = pair_node(graph, "max_pool", node, "kernel", 3.0, "stride", 2.0, "pad", 1.0, NULL);
    node = pair_node(graph, "conv", node, "out", 20.0, "kernel", 3.0, "pad", 1.0, NULL);
    node = pair_node(graph, "relu", node, NULL);
    node = pair_node(graph, "global_pool", node, NULL);
    pair_node(graph, "linear", node, "out", 4.0, NULL);
    return graph;
}

static kd2m_graph *build_image_net(kd2m_context *context) {
    kd2m_graph *graph = pair_graph(context, 3, 9, 8);
    size_t node = pair_node(graph, "conv", 0, "out", 10.0, "kernel_h", 3.0, "kernel_w", 5.0, "pad",
                            1.0, NULL);
    node = pair_node(graph, "relu", node, NULL);
    node = pair_node(graph, "max_pool", node, "kernel", 2.0, NULL);
    node =
        pair_node(graph, "conv", node, "out", 17.0, "kernel", 3.0, "pad", 1.0, "bias", 0.0, NULL);
    node = pair_node(graph, "batch_norm", node, NULL);
    node = pair_node(graph, "relu", node, NULL);
    node = pair_node(graph, "flatten", node, NULL);
    pair_node(graph, "linear", node, "out", 5.0, NULL);
    return graph;
}

static kd2m_graph *build_grouped_net(kd2m_context *context) {
    kd2m_graph *graph = pair_graph(context, 6, 11, 10);
    size_t node = pair_node(graph, "conv", 0, "out", 12.0, "kernel", 3.0, "pad", 1.0, "groups", 6.0,
                            "bias", 0.0, NULL);
    node = pair_node(graph, "batch_norm", node, NULL);
    node = pair_node(graph, "leaky_relu", node, "slope", 0.2, NULL);
    node = pair_node(graph, "avg_pool", node, "kernel", 3.0, "stride", 2.0, "pad", 1.0, NULL);
    node = pair_node(graph, "conv", node, "out", 20.0, "kernel", 3.0, "stride", 2.0, "groups", 4.0,
                     NULL);
    node = pair_node(graph, "relu6", node, NULL);
    node = pair_node(graph, "flatten", node, NULL);
    pair_node(graph, "linear", node, "out", 5.0, NULL);
    return graph;
}

/* Gradients of what is trained, new values of what isn't. */
static void expect_step(kd2m_context *context, kd2m_net *net, const kd2m_tensors *golden) {
    size_t count;
    const kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    for (size_t i = 0; i < count; i++) {
        const kd2m_parameter *p = &parameters[i];
        const kd2m_tensor *expected =
            golden_find(golden, p->trained ? "gradient." : "after.", p->name);
        float *plain = calloc(expected->count, sizeof *plain);
        assert_non_null(plain);
        EXPECT_OK(context, kd2m_net_to_plain(net, i, p->trained ? p->gradient : p->values, plain));
        golden_expect(expected, plain, TOLERANCE);
        free(plain);
    }
    golden_expect(golden_find(golden, "gradient.", "input"), kd2m_net_input_gradient(net),
                  TOLERANCE);
}

static void check(kd2m_graph *(*build)(kd2m_context *), const char *file) {
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build(context);
    kd2m_tensors *golden = golden_read(context, file);
    kd2m_net *training, *evaluation;
    const kd2m_tensor *input = golden_find(golden, "", "input"),
                      *labels = golden_find(golden, "", "labels");
    size_t batch = input->shape[0];
    EXPECT_OK(context, kd2m_net_create(&training, context, graph, batch, KD2M_NET_TRAINING, true));
    EXPECT_OK(context,
              kd2m_net_create(&evaluation, context, graph, batch, KD2M_NET_INFERENCE, false));
    EXPECT_OK(context, kd2m_net_load(training, golden));

    double loss;
    float gradient[64];
    EXPECT_OK(context, kd2m_net_forward(training, input->values));
    golden_expect_logits(training, graph, golden_find(golden, "training.", "logits"), TOLERANCE);
    EXPECT_OK(context, kd2m_net_cross_entropy(training, labels->values, batch, &loss, gradient));
    EXPECT_CLOSE(*(double *)golden_find(golden, "training.", "loss")->values, loss, 0, 1e-6);
    kd2m_net_gradient_clear(training);
    EXPECT_OK(context, kd2m_net_gradient_add(training, graph->logits, gradient, 1));
    EXPECT_OK(context, kd2m_net_backward(training));
    expect_step(context, training, golden);

    EXPECT_OK(context, kd2m_net_copy(evaluation, training));
    EXPECT_OK(context, kd2m_net_forward(evaluation, input->values));
    golden_expect_logits(evaluation, graph, golden_find(golden, "evaluation.", "logits"),
                         TOLERANCE);
    kd2m_net_free(training);
    kd2m_net_free(evaluation);
    kd2m_tensors_free(golden);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void a_signal_net_agrees_with_pytorch(void **state) {
    (void)state;
    check(build_signal_net, "signal.safetensors");
}

static void an_image_net_agrees_with_pytorch(void **state) {
    (void)state;
    check(build_image_net, "image.safetensors");
}

static void a_grouped_net_agrees_with_pytorch(void **state) {
    (void)state;
    check(build_grouped_net, "grouped.safetensors");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_net_agrees_with_pytorch),
        cmocka_unit_test(an_image_net_agrees_with_pytorch),
        cmocka_unit_test(a_grouped_net_agrees_with_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
