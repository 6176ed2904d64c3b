/* What holds for a whole net, whatever its operators. */
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

#define TOLERANCE 1e-5

static void gradients_of_two_consumers_add_up(void **state) {
    (void)state;
    fork_nodes nodes;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_fork(context, &nodes);
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
    kd2m_graph *graph = pair_fork(context, &nodes);
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
    kd2m_graph *graph = pair_fork(context, &nodes);
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
    kd2m_graph *graph = pair_fork(context, &nodes);
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
    kd2m_graph *graph = pair_fork(context, &nodes);
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
    kd2m_graph *graph = pair_fork(context, &nodes);
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
    kd2m_graph *graph = pair_fork(context, &nodes);
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
    float plain[24 * 3 * 3];
    EXPECT_OK(context, kd2m_net_to_plain(net, 0, parameters[0].gradient, plain));
    assert_memory_equal(expected, plain, sizeof plain);
    free(expected);
    kd2m_net_free(net);
    pair_free(&pair);
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

static void the_hosts_threads_stay_as_they_were(void **state) {
    (void)state;
    size_t count;
    fork_nodes nodes;
    int before = omp_get_max_threads();
    omp_set_num_threads(3);
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    free(run(&pair, true, 5, &count));
    assert_int_equal(omp_get_max_threads(), 3);
    omp_set_num_threads(before);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

typedef struct worker {
    float *gradients;
    size_t count;
} worker;

static void *work(void *user) {
    worker *out = user;
    fork_nodes nodes;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    for (int i = 0; i < 20; i++) {
        free(out->gradients);
        out->gradients = run(&pair, i == 0, 5, &out->count);
    }
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
    return NULL;
}

static void two_contexts_work_side_by_side(void **state) {
    (void)state;
    worker alone = {0}, one = {0}, two = {0};
    pthread_t first, second;
    work(&alone);
    assert_int_equal(pthread_create(&first, NULL, work, &one), 0);
    assert_int_equal(pthread_create(&second, NULL, work, &two), 0);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    assert_memory_equal(alone.gradients, one.gradients, alone.count * sizeof(float));
    assert_memory_equal(alone.gradients, two.gradients, alone.count * sizeof(float));
    free(alone.gradients);
    free(one.gradients);
    free(two.gradients);
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
        cmocka_unit_test(cross_entropy_agrees_with_float64),
        cmocka_unit_test(huge_logits_keep_a_finite_loss),
        cmocka_unit_test(the_hosts_threads_stay_as_they_were),
        cmocka_unit_test(two_contexts_work_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
