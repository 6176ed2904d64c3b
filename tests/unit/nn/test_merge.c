/* Inference nets whose operations run in each other's passes, beside nets where each has its own.
 */
#include <math.h>
#include <stdlib.h>

#include "pair.h"

#define TOLERANCE 2e-5 /* of the largest value; Winograd's filtering takes half of it */
#define BATCH 9        /* enough for small maps to lie with the batch last */

static void join(kd2m_context *context, kd2m_graph *graph, size_t node, size_t input) {
    EXPECT_OK(context, kd2m_graph_connect(graph, node, input));
}

/* conv -> batch_norm of 3 x 3 taps and as many channels. */
static size_t conv_norm(kd2m_graph *graph, size_t input, double channels, double relu) {
    size_t node = pair_node(graph, "conv", input, "out", channels, "kernel", 3.0, "pad", 1.0,
                            "bias", 0.0, NULL);
    return pair_node(graph, "batch_norm", node, "relu", relu, NULL);
}

/* Two residual blocks; returns the first one's end. */
static size_t add_blocks(kd2m_context *context, kd2m_graph *graph, double channels) {
    size_t at = conv_norm(graph, 0, channels, 1), middle = 0;
    for (int i = 0; i < 2; i++) {
        size_t before = at;
        at = conv_norm(graph, conv_norm(graph, before, channels, 1), channels, 0);
        at = pair_node(graph, "add", at, "relu", 1.0, NULL);
        join(context, graph, at, before);
        middle = i == 0 ? at : middle;
    }
    graph->features = pair_node(graph, "global_pool", at, NULL);
    pair_node(graph, "linear", graph->features, "out", 5.0, NULL);
    return middle;
}

static void expect_same(const char *what, const float *a, const float *b, size_t count) {
    double largest = 0, error = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)a[i]));
        error = fmax(error, fabs((double)a[i] - (double)b[i]));
    }
    if (!(error <= TOLERANCE * largest) || largest == 0)
        fail_msg("%s: off by %.3g, the largest being %.3g", what, error, largest);
}

/* All nodes that can be read agree, the others are refused; returns how many can be. */
static size_t compare(net_pair *pair, kd2m_net *merged) {
    const kd2m_graph *graph = pair->reference->graph;
    size_t readable = 0;
    EXPECT_OK(pair->context, kd2m_net_copy(merged, pair->net));
    EXPECT_OK(pair->context, kd2m_net_forward(pair->net, pair->input));
    EXPECT_OK(pair->context, kd2m_net_forward(merged, pair->input));
    for (size_t i = 0; i < graph->node_count; i++) {
        size_t width = kd2m_net_width(merged, i);
        float *a = calloc(2 * BATCH * width, sizeof *a), *b = a + BATCH * width;
        assert_non_null(a);
        if (kd2m_net_can_read(merged, i)) {
            readable++;
            EXPECT_OK(pair->context, kd2m_net_read(pair->net, i, a, width));
            EXPECT_OK(pair->context, kd2m_net_read(merged, i, b, width));
            expect_same(graph->nodes[i].name, a, b, BATCH * width);
        } else {
            EXPECT_STATUS(pair->context, KD2M_ERROR_USAGE, kd2m_net_read(merged, i, b, width));
        }
        free(a);
    }
    return readable;
}

/* With `count` nodes to be read, under two sets of parameters, one after the other. */
static void check(kd2m_context *context, const kd2m_graph *graph, const size_t *read,
                  size_t count) {
    kd2m_net *merged;
    net_pair pair = pair_create(context, graph, BATCH, KD2M_NET_INFERENCE, 1);
    net_pair other = pair_create(context, graph, BATCH, KD2M_NET_INFERENCE, 50);
    EXPECT_OK(context, kd2m_net_create_merged(&merged, context, graph, BATCH, read, count));
    size_t readable = compare(&pair, merged);
    assert_true(readable >= count && readable <= count + 2);
    compare(&other, merged);
    compare(&pair, merged);
    kd2m_net_free(merged);
    pair_free(&other);
    pair_free(&pair);
}

static void residual_nets_agree(void **state) {
    (void)state;
    /* 64: by Winograd's filtering where oneDNN has it; 32: with the batch last */
    const double channels[] = {5, 16, 64, 32, 32};
    const size_t sides[] = {8, 8, 8, 2, 1};
    kd2m_context *context = testing_context(0);
    for (size_t i = 0; i < 5; i++) {
        kd2m_graph *graph = pair_graph(context, 3, sides[i], sides[i]);
        size_t middle = add_blocks(context, graph, channels[i]);
        check(context, graph, NULL, 0);
        check(context, graph, &middle, 1); /* the second block must not take its place */
        size_t inner[] = {1, middle - 1, middle + 1};
        check(context, graph, inner, 3);
        kd2m_graph_free(graph);
    }
    kd2m_context_free(context);
}

/* Biases, all functions, groups, maps of one position, linear maps. */
static void functions_agree(void **state) {
    (void)state;
    const char *const functions[] = {"relu", "relu6", "leaky_relu"};
    kd2m_context *context = testing_context(0);
    for (size_t i = 0; i < 3; i++) {
        kd2m_graph *graph = pair_graph(context, 6, 5, 5);
        size_t node = pair_node(graph, "conv", 0, "out", 12.0, "kernel", 3.0, "groups", 6.0, NULL);
        node = pair_node(graph, "batch_norm", node, NULL);
        node = pair_node(graph, functions[i], node, NULL);
        node = pair_node(graph, "conv", node, "out", 8.0, "kernel", 3.0, NULL);
        node = pair_node(graph, functions[i], node, NULL);
        node = pair_node(graph, "conv", node, "out", 9.0, "kernel", 3.0, "pad", 1.0, NULL);
        node = pair_node(graph, "batch_norm", node, NULL);
        node = pair_node(graph, functions[i], node, NULL);
        node = pair_node(graph, functions[i], node, NULL);
        size_t twice = pair_node(graph, "conv", node, "out", 9.0, "kernel", 1.0, NULL);
        size_t aside = pair_node(graph, "conv", twice, "out", 9.0, "kernel", 1.0, NULL);
        node = pair_node(graph, functions[i], twice, NULL); /* does not alone read it */
        node = pair_node(graph, "add", node, NULL);
        join(context, graph, node, aside);
        node = pair_node(graph, "flatten", node, NULL);
        node = pair_node(graph, "linear", node, "out", 40.0, NULL);
        node = pair_node(graph, functions[i], node, NULL);
        node = pair_node(graph, "linear", node, "out", 7.0, "bias", 0.0, NULL);
        node = pair_node(graph, "batch_norm", node, NULL);
        graph->features = node;
        check(context, graph, NULL, 0);
        kd2m_graph_free(graph);
    }
    kd2m_context_free(context);
}

/* Two layers, so that the last does not read what is added to it. */
static size_t residual(kd2m_graph *graph, size_t input) {
    return conv_norm(graph, conv_norm(graph, input, 4, 1), 4, 0);
}

static size_t sum_of(kd2m_context *context, kd2m_graph *graph, size_t a, size_t b) {
    size_t node = pair_node(graph, "add", a, "relu", 1.0, NULL);
    join(context, graph, node, b);
    return node;
}

/* What somebody still needs is not written over. */
static void addends_are_kept_where_needed(void **state) {
    (void)state;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_graph(context, 4, 4, 4);
    /* the input; a plain sum that flatten shares */
    size_t first = sum_of(context, graph, residual(graph, 0), 0);
    size_t plain = sum_of(context, graph, 0, 0);
    size_t flat = pair_node(graph, "flatten", plain, NULL);
    size_t shared = sum_of(context, graph, residual(graph, first), plain);
    /* read by the layer before the sum itself, in between, and afterwards */
    size_t own = sum_of(context, graph, conv_norm(graph, shared, 4, 0), shared);
    size_t inner = residual(graph, own), between = conv_norm(graph, own, 4, 0);
    size_t sum = sum_of(context, graph, inner, own);
    size_t next = sum_of(context, graph, residual(graph, sum), between);
    size_t late = sum_of(context, graph, residual(graph, next), sum);
    size_t later = sum_of(context, graph, residual(graph, late), sum);
    /* itself; made too late; three at a time */
    size_t twice = conv_norm(graph, later, 4, 0);
    twice = sum_of(context, graph, twice, twice);
    size_t early = residual(graph, twice), other = residual(graph, twice);
    size_t three = sum_of(context, graph, early, other);
    three = sum_of(context, graph, residual(graph, three), three);
    join(context, graph, three, twice);
    size_t left = pair_node(graph, "linear", flat, "out", 5.0, NULL);
    size_t mean = pair_node(graph, "global_pool", three, NULL);
    size_t end = sum_of(context, graph, pair_node(graph, "linear", mean, "out", 5.0, NULL), left);
    graph->features = mean;
    assert_int_equal(end, graph->logits);
    check(context, graph, NULL, 0);
    check(context, graph, &sum, 1);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void a_failing_allocation_leaves_nothing(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_net *net;
        kd2m_context *context = testing_context(1);
        kd2m_graph *graph = pair_graph(context, 3, 8, 8);
        add_blocks(context, graph, 5);
        kd2m_context *failing = testing_failing_context(fail_at);
        status = kd2m_net_create_merged(&net, failing, graph, BATCH, NULL, 0);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residual_nets_agree),
        cmocka_unit_test(functions_agree),
        cmocka_unit_test(addends_are_kept_where_needed),
        cmocka_unit_test(a_failing_allocation_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
