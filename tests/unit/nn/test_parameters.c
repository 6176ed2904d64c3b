/* Parameters: what they are called, how they start, and that every way in and out keeps the bits.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"
#include "tensors.h"

/* Bit by bit, in plain order. */
static void expect_same_parameters(kd2m_context *context, kd2m_net *one, kd2m_net *two) {
    size_t count, other;
    const kd2m_parameter *p = kd2m_net_parameters(one, &count);
    const kd2m_parameter *q = kd2m_net_parameters(two, &other);
    assert_int_equal(count, other);
    for (size_t i = 0; i < count; i++) {
        size_t elements = 1;
        for (size_t k = 0; k < p[i].dims; k++)
            elements *= p[i].shape[k];
        float *a = calloc(elements, sizeof *a), *b = calloc(elements, sizeof *b);
        assert_true(a && b);
        EXPECT_OK(context, kd2m_net_to_plain(one, i, p[i].values, a));
        EXPECT_OK(context, kd2m_net_to_plain(two, i, q[i].values, b));
        assert_memory_equal(a, b, elements * sizeof *a);
        free(a);
        free(b);
    }
}

static void parameters_are_described(void **state) {
    (void)state;
    fork_nodes nodes;
    size_t count;
    kd2m_net *net;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_fork(context, &nodes);
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 2, KD2M_NET_TRAINING, false));
    const kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    assert_int_equal(count, 8);
    assert_string_equal(parameters[0].name, "conv1.weight");
    assert_int_equal(parameters[0].dims, 3);
    assert_memory_equal(parameters[0].shape, ((const size_t[]){24, 3, 3}), 3 * sizeof(size_t));
    assert_true(parameters[0].trained && parameters[0].decay && parameters[0].gradient);
    assert_string_equal(parameters[2].name, "batch_norm2.bias");
    assert_true(parameters[2].trained && !parameters[2].decay && parameters[2].gradient);
    assert_string_equal(parameters[4].name, "batch_norm2.running_var");
    assert_true(!parameters[4].trained && !parameters[4].decay && !parameters[4].gradient);
    assert_string_equal(parameters[5].name, "linear6.weight");
    assert_int_equal(parameters[5].dims, 2);
    assert_int_equal(parameters[5].shape[0], 6);
    assert_int_equal(parameters[5].shape[1], 24 * 5);
    assert_int_equal(kd2m_net_parameter_total(net), 24 * 9 + 48 + 6 * 120 + 6 + 5 * 24);
    assert_int_equal(kd2m_net_batch(net), 2);
    kd2m_net_free(net);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void initial_weights_follow_he(void **state) {
    (void)state;
    size_t count;
    kd2m_net *net, *other;
    static float same[200 * 300]; /* a net for inference has its own layout */
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_graph(context, 200, 0, 0);
    pair_node(graph, "linear", 0, "out", 300.0, NULL);
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 2, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_create(&other, context, graph, 7, KD2M_NET_INFERENCE, false));
    EXPECT_OK(context, kd2m_net_initialise(net, 5));
    EXPECT_OK(context, kd2m_net_initialise(other, 5));
    const kd2m_parameter *p = kd2m_net_parameters(net, &count);
    const kd2m_parameter *q = kd2m_net_parameters(other, &count);
    double mean = 0, square = 0, n = (double)p[0].count;
    for (size_t i = 0; i < p[0].count; i++) {
        mean += p[0].values[i] / n;
        square += (double)p[0].values[i] * p[0].values[i] / n;
    }
    /* 60,000 draws of variance 2/200: five standard errors */
    EXPECT_CLOSE(0, mean, 5 * sqrt(0.01 / n), 0);
    EXPECT_CLOSE(0.01, square, 5 * 0.01 * sqrt(2 / n), 0);
    assert_int_equal(p[0].count, 200 * 300);
    EXPECT_OK(context, kd2m_net_to_plain(other, 0, q[0].values, same));
    assert_memory_equal(p[0].values, same, sizeof same);
    for (size_t i = 0; i < p[1].count; i++)
        assert_true(p[1].values[i] == 0);
    EXPECT_OK(context, kd2m_net_initialise(other, 6));
    EXPECT_OK(context, kd2m_net_to_plain(other, 0, q[0].values, same));
    assert_memory_not_equal(p[0].values, same, sizeof same);
    kd2m_net_free(net);
    kd2m_net_free(other);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

/* Different layouts, the same weights: convolutions for training and inference lie differently. */
static void initial_weights_do_not_depend_on_the_layout(void **state) {
    (void)state;
    fork_nodes nodes;
    kd2m_net *training, *inference;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_fork(context, &nodes);
    EXPECT_OK(context, kd2m_net_create(&training, context, graph, 5, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_create(&inference, context, graph, 1, KD2M_NET_INFERENCE, false));
    EXPECT_OK(context, kd2m_net_initialise(training, 5));
    EXPECT_OK(context, kd2m_net_initialise(inference, 5));
    expect_same_parameters(context, training, inference);
    kd2m_net_free(training);
    kd2m_net_free(inference);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void store_load_and_copy_keep_the_bits(void **state) {
    (void)state;
    fork_nodes nodes;
    kd2m_net *loaded, *copied;
    kd2m_tensors *tensors;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    EXPECT_OK(context, kd2m_net_create(&loaded, context, graph, 1, KD2M_NET_INFERENCE, false));
    EXPECT_OK(context, kd2m_net_create(&copied, context, graph, 3, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context, kd2m_net_store(pair.net, tensors));
    for (size_t i = 0; i < tensors->count; i++) {
        const reference_parameter *expected = &pair.reference->parameters[i];
        assert_string_equal(tensors->items[i].name, expected->name);
        const float *values = tensors->items[i].values;
        for (size_t k = 0; k < expected->count; k++)
            assert_true((double)values[k] == expected->values[k]);
    }
    EXPECT_OK(context, kd2m_net_load(loaded, tensors));
    expect_same_parameters(context, pair.net, loaded);
    EXPECT_OK(context, kd2m_net_copy(copied, loaded));
    expect_same_parameters(context, pair.net, copied);
    kd2m_tensors_free(tensors);
    kd2m_net_free(loaded);
    kd2m_net_free(copied);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void a_wrong_tensor_leaves_the_net_as_it_was(void **state) {
    (void)state;
    fork_nodes nodes;
    kd2m_net *net, *kept, *other;
    kd2m_tensors *tensors;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_fork(context, &nodes);
    kd2m_graph *wider = pair_graph(context, 3, 11, 0);
    pair_node(wider, "conv", 0, "out", 24.0, "kernel", 3.0, "bias", 0.0, NULL);
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 2, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_create(&kept, context, graph, 2, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_create(&other, context, wider, 2, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_initialise(net, 1));
    EXPECT_OK(context, kd2m_net_initialise(kept, 1));
    EXPECT_OK(context, kd2m_net_initialise(other, 2));
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context,
              kd2m_net_store(other, tensors)); /* the first tensor fits, the rest is not there */
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_net_load(net, tensors));
    EXPECT_MESSAGE(context, "batch_norm2.weight");
    expect_same_parameters(context, kept, net);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_net_copy(net, other));
    expect_same_parameters(context, kept, net);
    kd2m_tensors_free(tensors);
    kd2m_net_free(net);
    kd2m_net_free(kept);
    kd2m_net_free(other);
    kd2m_graph_free(graph);
    kd2m_graph_free(wider);
    kd2m_context_free(context);
}

static size_t not_zero(const float *values, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += values[i] != 0;
    return found;
}

/* An optimiser runs over values and gradients in their own layout: padding must stay 0. */
static void padding_stays_zero(void **state) {
    (void)state;
    fork_nodes nodes;
    size_t count;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    pair_forward(&pair);
    pair_clear(&pair);
    pair_gradient(&pair, nodes.left, 2);
    pair_backward(&pair);
    const kd2m_parameter *parameters = kd2m_net_parameters(pair.net, &count);
    for (size_t i = 0; i < count; i++) {
        const kd2m_parameter *p = &parameters[i];
        size_t elements = pair.reference->parameters[i].count;
        float *plain = calloc(elements, sizeof *plain);
        assert_non_null(plain);
        assert_true(p->count >= elements);
        EXPECT_OK(context, kd2m_net_to_plain(pair.net, i, p->values, plain));
        assert_int_equal(not_zero(p->values, p->count), not_zero(plain, elements));
        if (p->gradient) {
            EXPECT_OK(context, kd2m_net_to_plain(pair.net, i, p->gradient, plain));
            assert_int_equal(not_zero(p->gradient, p->count), not_zero(plain, elements));
        }
        free(plain);
    }
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_described),
        cmocka_unit_test(initial_weights_follow_he),
        cmocka_unit_test(initial_weights_do_not_depend_on_the_layout),
        cmocka_unit_test(store_load_and_copy_keep_the_bits),
        cmocka_unit_test(a_wrong_tensor_leaves_the_net_as_it_was),
        cmocka_unit_test(padding_stays_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
