/* What holds for a whole net, whatever its operators. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

#define TOLERANCE 1e-5

/* flatten -> linear -> relu -> linear, with a second consumer of the first linear's output. */
typedef struct fork_nodes {
    size_t stem, left, right;
} fork_nodes;

static kd2m_graph *build_fork(kd2m_context *context, fork_nodes *nodes) {
    kd2m_graph *graph = pair_graph(context, 3, 11, 0);
    size_t flat = pair_node(graph, "flatten", 0, NULL);
    nodes->stem = pair_node(graph, "linear", flat, "out", 24.0, NULL);
    size_t relu = pair_node(graph, "relu", nodes->stem, NULL);
    nodes->left = pair_node(graph, "linear", relu, "out", 6.0, NULL);
    nodes->right = pair_node(graph, "linear", nodes->stem, "out", 5.0, "bias", 0.0, NULL);
    return graph;
}

static void gradients_of_two_consumers_add_up(void **state) {
    (void)state;
    fork_nodes nodes;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    pair_forward(&pair);
    pair_clear(&pair);
    pair_gradient(&pair, nodes.left, 2);
    pair_gradient(&pair, nodes.right, 3);
    pair_backward(&pair);
    pair_expect_gradients(&pair, TOLERANCE);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void gradient_at_an_inner_node_counts(void **state) {
    (void)state;
    fork_nodes nodes;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    pair_forward(&pair);
    /* everywhere, twice at one place */
    pair_clear(&pair);
    for (size_t i = 0; i < graph->node_count; i++)
        pair_gradient(&pair, i, 20 + i);
    pair_gradient(&pair, nodes.stem, 40);
    pair_backward(&pair);
    pair_expect_gradients(&pair, TOLERANCE);
    /* at the inner node alone: what lies behind it has gradient 0, whatever it was before */
    pair_clear(&pair);
    pair_gradient(&pair, nodes.stem, 41);
    pair_backward(&pair);
    pair_expect_gradients(&pair, TOLERANCE);
    /* nowhere */
    pair_clear(&pair);
    pair_backward(&pair);
    pair_expect_gradients(&pair, TOLERANCE);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

/* The gradients after forward (with `forward` set) and backward from all outputs. */
static float *run(net_pair *pair, bool forward, uint64_t seed, size_t *count) {
    if (forward)
        pair_forward(pair);
    pair_clear(pair);
    pair_gradient(pair, pair->reference->graph->logits, seed);
    pair_backward(pair);
    return pair_gradients(pair, count);
}

static void backward_can_be_repeated(void **state) {
    (void)state;
    fork_nodes nodes;
    size_t count;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    float *first = run(&pair, true, 5, &count);
    float *other = run(&pair, false, 6, &count);
    float *again = run(&pair, false, 5, &count);
    assert_memory_not_equal(first, other, count * sizeof *first);
    assert_memory_equal(first, again, count * sizeof *first);
    free(first);
    free(other);
    free(again);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void runs_repeat_to_the_bit(void **state) {
    (void)state;
    fork_nodes nodes;
    size_t count;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_fork(context, &nodes);
    net_pair one = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    net_pair two = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    float *first = run(&one, true, 5, &count), *second = run(&two, true, 5, &count);
    assert_memory_equal(first, second, count * sizeof *first);
    free(first);
    free(second);
    pair_free(&one);
    pair_free(&two);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void strides_and_rows_of_reading(void **state) {
    (void)state;
    fork_nodes nodes;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_INFERENCE, 1);
    pair_forward(&pair);
    for (size_t i = 0; i < graph->node_count; i++) {
        size_t width = kd2m_net_width(pair.net, i), stride = width + 3;
        float *dense = calloc(5 * width, sizeof *dense), *wide = calloc(5 * stride, sizeof *wide);
        assert_true(dense && wide);
        EXPECT_OK(context, kd2m_net_read(pair.net, i, dense, width));
        EXPECT_OK(context, kd2m_net_read(pair.net, i, wide, stride));
        for (size_t row = 0; row < 5; row++) {
            assert_memory_equal(dense + row * width, wide + row * stride, width * sizeof *dense);
            for (size_t k = width; k < stride; k++)
                assert_true(wide[row * stride + k] == 0);
        }
        free(dense);
        free(wide);
    }
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void inference_has_no_gradients(void **state) {
    (void)state;
    fork_nodes nodes;
    float gradient[5 * 5] = {0};
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_INFERENCE, 1);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_net_gradient_add(pair.net, nodes.right, gradient, 1));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_net_backward(pair.net));
    assert_null(kd2m_net_input_gradient(pair.net));
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void input_gradient_only_when_asked(void **state) {
    (void)state;
    fork_nodes nodes;
    size_t count;
    kd2m_net *net;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 5, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_copy(net, pair.net));
    float *expected = run(&pair, true, 5, &count);
    float gradient[5 * 5];
    pair_normals(gradient, 25, 5);
    EXPECT_OK(context, kd2m_net_forward(net, pair.input));
    kd2m_net_gradient_clear(net);
    EXPECT_OK(context, kd2m_net_gradient_add(net, graph->logits, gradient, 0.5f));
    EXPECT_OK(context, kd2m_net_backward(net));
    assert_null(kd2m_net_input_gradient(net));
    const kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    assert_memory_equal(expected, parameters[0].gradient, parameters[0].count * sizeof *expected);
    free(expected);
    kd2m_net_free(net);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void parameters_are_described(void **state) {
    (void)state;
    fork_nodes nodes;
    size_t count;
    kd2m_net *net;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = build_fork(context, &nodes);
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 2, KD2M_NET_TRAINING, false));
    const kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    assert_int_equal(count, 5);
    assert_string_equal(parameters[0].name, "linear2.weight");
    assert_int_equal(parameters[0].dims, 2);
    assert_int_equal(parameters[0].shape[0], 24);
    assert_int_equal(parameters[0].shape[1], 33);
    assert_true(parameters[0].trained && parameters[0].decay);
    assert_string_equal(parameters[1].name, "linear2.bias");
    assert_true(parameters[1].trained && !parameters[1].decay);
    assert_int_equal(kd2m_net_parameter_total(net), 24 * 33 + 24 + 6 * 24 + 6 + 5 * 24);
    assert_int_equal(kd2m_net_batch(net), 2);
    kd2m_net_free(net);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void initial_weights_follow_he(void **state) {
    (void)state;
    size_t count;
    kd2m_net *net, *other;
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
    assert_memory_equal(p[0].values, q[0].values, p[0].count * sizeof(float));
    for (size_t i = 0; i < p[1].count; i++)
        assert_true(p[1].values[i] == 0);
    EXPECT_OK(context, kd2m_net_initialise(other, 6));
    assert_memory_not_equal(p[0].values, q[0].values, p[0].count * sizeof(float));
    kd2m_net_free(net);
    kd2m_net_free(other);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void cross_entropy_agrees_with_float64(void **state) {
    (void)state;
    static const int labels[] = {0, 9, 3, 3, 7};
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_graph(context, 12, 0, 0);
    pair_node(graph, "linear", 0, "out", 10.0, NULL);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 3);
    for (size_t rows = 1; rows <= 5; rows += 2) {
        double loss;
        float gradient[5 * 10];
        pair_forward(&pair);
        reference_clear(pair.reference);
        double expected = reference_cross_entropy(pair.reference, labels, rows, true);
        EXPECT_OK(context, kd2m_net_cross_entropy(pair.net, labels, rows, &loss, gradient));
        EXPECT_CLOSE(expected, loss, 0, 1e-6);
        for (size_t i = 0; i < 5 * 10; i++)
            EXPECT_CLOSE(pair.reference->nodes[graph->logits].gradient[i], gradient[i], 1e-7, 0);
        EXPECT_OK(context, kd2m_net_cross_entropy(pair.net, labels, rows, &loss, NULL));
        EXPECT_CLOSE(expected, loss, 0, 1e-6);
    }
    double loss;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_net_cross_entropy(pair.net, (const int[]){0, 10}, 2, &loss, NULL));
    EXPECT_MESSAGE(context, "label 10 of row 1");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_net_cross_entropy(pair.net, (const int[]){-1}, 1, &loss, NULL));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_net_cross_entropy(pair.net, labels, 6, &loss, NULL));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_net_cross_entropy(pair.net, labels, 0, &loss, NULL));
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void huge_logits_keep_a_finite_loss(void **state) {
    (void)state;
    size_t count;
    double loss;
    float gradient[3];
    kd2m_net *net;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_graph(context, 1, 0, 0);
    pair_node(graph, "linear", 0, "out", 3.0, NULL);
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 1, KD2M_NET_INFERENCE, false));
    memcpy(kd2m_net_parameters(net, &count)->values, (const float[]){1e4f, -1e4f, 0}, 12);
    EXPECT_OK(context, kd2m_net_forward(net, (const float[]){1}));
    EXPECT_OK(context, kd2m_net_cross_entropy(net, (const int[]){1}, 1, &loss, gradient));
    EXPECT_CLOSE(2e4, loss, 0, 1e-6);
    EXPECT_CLOSE(1, gradient[0], 1e-6, 0);
    EXPECT_CLOSE(-1, gradient[1], 1e-6, 0);
    kd2m_net_free(net);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

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
        {{4}, "linear", "out", 0, "attribute 'out' is 0, must be a whole number from 1 on"},
        {{4}, "linear", "out", 2.5, "attribute 'out' is 2.5"},
        {{4}, "linear", "out", 1e18, "attribute 'out' is 1e+18"},
        {{4}, "linear", "outt", 3, "unknown attribute 'outt'; did you mean 'out'?"},
        {{4, 5}, "linear", "out", 3, "put flatten between"},
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

static void failing_allocations_leave_nothing(void **state) {
    (void)state;
    fork_nodes nodes;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_net *net;
        kd2m_context *context = testing_context(1);
        kd2m_graph *graph = build_fork(context, &nodes);
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

static void steps_allocate_nothing(void **state) {
    (void)state;
    fork_nodes nodes;
    float gradient[5 * 5], out[5 * 5];
    double loss;
    kd2m_context *context = testing_failing_context(SIZE_MAX);
    kd2m_graph *graph = build_fork(context, &nodes);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_two_consumers_add_up),
        cmocka_unit_test(gradient_at_an_inner_node_counts),
        cmocka_unit_test(backward_can_be_repeated),
        cmocka_unit_test(runs_repeat_to_the_bit),
        cmocka_unit_test(strides_and_rows_of_reading),
        cmocka_unit_test(inference_has_no_gradients),
        cmocka_unit_test(input_gradient_only_when_asked),
        cmocka_unit_test(parameters_are_described),
        cmocka_unit_test(initial_weights_follow_he),
        cmocka_unit_test(cross_entropy_agrees_with_float64),
        cmocka_unit_test(huge_logits_keep_a_finite_loss),
        cmocka_unit_test(bad_graphs_are_refused),
        cmocka_unit_test(an_empty_batch_is_refused),
        cmocka_unit_test(failing_allocations_leave_nothing),
        cmocka_unit_test(steps_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
