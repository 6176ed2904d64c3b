/* Memory: a failing allocation leaves nothing behind, and a step allocates nothing. */
#include <errno.h>
#include <stdlib.h>

#include "pair.h"

#ifdef COUNT_ALIGNED
/* oneDNN's buffers come from posix_memalign, whatever allocator a context has: this one counts.
 * (What it takes from malloc in a step is a list of arguments per primitive, some 100 bytes.) */
static size_t aligned_count;
__attribute__((visibility("default"))) int posix_memalign(void **out, size_t alignment,
                                                          size_t size) {
    aligned_count++;
    *out = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    return *out ? 0 : ENOMEM;
}
#else
static const size_t aligned_count = 0; /* sanitizers bring a posix_memalign of their own */
#endif

static kd2m_graph *build_fork(kd2m_context *context) {
    fork_nodes nodes;
    return pair_fork(context, &nodes);
}

/* Convolutional layers alone: the gemm behind a linear map packs into memory of its own. Node 1 is
 * a convolution. */
static kd2m_graph *build_convolutional(kd2m_context *context) {
    kd2m_graph *graph = pair_graph(context, 16, 40, 0);
    size_t node = pair_node(graph, "conv", 0, "out", 24.0, "kernel", 3.0, "stride", 2.0, NULL);
    node = pair_node(graph, "batch_norm", node, "relu", 1.0, NULL);
    node = pair_node(graph, "relu6", node, NULL);
    size_t most = pair_node(graph, "max_pool", node, "kernel", 2.0, NULL);
    size_t mean = pair_node(graph, "avg_pool", node, "kernel", 2.0, NULL);
    size_t sum = pair_node(graph, "add", most, "relu", 1.0, NULL);
    EXPECT_OK(context, kd2m_graph_connect(graph, sum, mean));
    node = pair_node(graph, "concat", sum, NULL);
    EXPECT_OK(context, kd2m_graph_connect(graph, node, mean));
    node = pair_node(graph, "conv", node, "out", 40.0, "kernel", 3.0, NULL);
    pair_node(graph, "global_pool", node, NULL);
    return graph;
}

static void expect_nothing_left(kd2m_graph *(*build)(kd2m_context *)) {
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_net *net;
        kd2m_context *context = testing_context(1);
        kd2m_graph *graph = build(context);
        kd2m_context *failing = testing_failing_context(fail_at);
        status = kd2m_net_create(&net, failing, graph, 3, KD2M_NET_TRAINING, true);
        if (status != KD2M_OK) {
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
            assert_null(net);
        }
        kd2m_net_free(net);
        assert_int_equal(testing_live(), 0);
        kd2m_graph_free(graph);
        kd2m_context_free(failing);
        kd2m_context_free(context);
    }
}

static void failing_allocations_leave_nothing(void **state) {
    (void)state;
    expect_nothing_left(build_fork);
    expect_nothing_left(build_convolutional);
}

static void steps_allocate_nothing(void **state) {
    (void)state;
    float gradient[5 * 5], out[5 * 5];
    double loss;
    kd2m_context *context = testing_failing_context(SIZE_MAX);
    kd2m_graph *graph = build_fork(context);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    size_t before = testing_allocations();
    for (int step = 0; step < 3; step++) {
        EXPECT_OK(context, kd2m_net_forward(pair.net, pair.input));
        EXPECT_OK(context, kd2m_net_cross_entropy(pair.net, (const int[]){0, 1, 2, 3, 4}, 5, &loss,
                                                  gradient));
        kd2m_net_gradient_clear(pair.net);
        EXPECT_OK(context, kd2m_net_gradient_add(pair.net, graph->logits, gradient, 1));
        EXPECT_OK(context, kd2m_net_backward(pair.net));
        EXPECT_OK(context, kd2m_net_read(pair.net, graph->logits, out, 5));
    }
    assert_int_equal(testing_allocations(), before);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void convolutional_steps_allocate_nothing_in_onednn(void **state) {
    (void)state;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_convolutional(context);
    size_t conv = 1;
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    size_t inner = kd2m_net_width(pair.net, conv);
    float *gradient = calloc(5 * 40, sizeof *gradient), *wide = calloc(6 * inner, sizeof *wide);
    assert_true(gradient && wide);
#ifdef COUNT_ALIGNED
    assert_true(aligned_count > 0);
#endif
    size_t before = aligned_count;
    for (int step = 0; step < 3; step++) {
        EXPECT_OK(context, kd2m_net_forward(pair.net, pair.input));
        EXPECT_OK(context, kd2m_net_read(pair.net, conv, wide, inner + 1));
        kd2m_net_gradient_clear(pair.net);
        EXPECT_OK(context, kd2m_net_gradient_add(pair.net, graph->logits, gradient, 1));
        EXPECT_OK(context, kd2m_net_gradient_add(pair.net, conv, wide, 1));
        EXPECT_OK(context, kd2m_net_backward(pair.net));
    }
    assert_int_equal(aligned_count, before);
    free(gradient);
    free(wide);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_allocations_leave_nothing),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(convolutional_steps_allocate_nothing_in_onednn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
