/* Small maps that lie with the batch last, beside float64 loops: every way into that layout,
 * through it and out of it; and who gets it. */
#include <dnnl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net_internal.h"
#include "optimizer.h"
#include "pair.h"
#include "tensors.h"

#define TOLERANCE 1e-5 /* of the largest value */
#define ROWS 9         /* from 8 on the batch comes last */

/* channels, height, width | out, kernel, stride, pad, bias. A height of 0: a signal. `last`: where
 * oneDNN has it, the convolution behind one of 1 x 1 lies with the batch last. */
typedef struct map_case {
    size_t c, h, w;
    double out, kernel, stride, pad, bias;
    bool last;
} map_case;

static const map_case maps[] = {
    {32, 1, 1, 48, 3, 1, 1, 1, true},   /* one tap of nine */
    {32, 2, 2, 32, 3, 1, 1, 0, true},   /* rows of zeros in front */
    {48, 2, 2, 64, 3, 2, 1, 0, true},   /* four taps of nine */
    {33, 4, 4, 40, 3, 2, 1, 1, true},   /* channels that end within a block */
    {64, 3, 3, 32, 3, 1, 1, 1, true},   /* nine positions */
    {32, 3, 1, 32, 5, 1, 2, 0, true},   /* a column, */
    {32, 1, 3, 32, 3, 1, 1, 1, true},   /* a row */
    {32, 3, 3, 32, 3, 1, 0, 0, true},   /* no padding */
    {32, 2, 2, 32, 1, 1, 0, 1, true},   /* no neighbours */
    {40, 2, 2, 32, 1, 2, 0, 0, true},   /* one position of four */
    {32, 0, 4, 32, 3, 1, 1, 1, true},   /* signals */
    {32, 0, 9, 64, 5, 2, 2, 0, true},   /* of odd lengths */
    {64, 0, 1, 32, 3, 1, 1, 0, true},   /* of one position */
    {32, 4, 4, 32, 3, 1, 1, 0, false},  /* too many positions */
    {32, 4, 4, 32, 1, 2, 0, 0, false},  /* thinned out in training */
    {32, 5, 4, 32, 3, 1, 1, 0, false},  /* too many positions, */
    {32, 0, 17, 32, 3, 1, 1, 0, false}, /* of signals */
    {32, 0, 10, 32, 3, 1, 1, 0, false}, /* too few rows for their length */
    {32, 2, 2, 31, 3, 1, 1, 0, false},  /* too few channels out, */
    {31, 2, 2, 32, 3, 1, 1, 1, false},  /* and in */
};

#define MAPS (sizeof maps / sizeof *maps)

static size_t add_conv(kd2m_graph *graph, size_t input, const map_case *of) {
    return pair_node(graph, "conv", input, "out", of->out, "kernel", of->kernel, "stride",
                     of->stride, "pad", of->pad, "bias", of->bias, NULL);
}

/* Two inputs and back to vectors: conv1 (plain or in blocks) -> conv2, the case. */
static kd2m_graph *map_graph(kd2m_context *context, const map_case *of, size_t *node) {
    kd2m_graph *graph =
        of->h ? pair_graph(context, 3, of->h, of->w) : pair_graph(context, 3, of->w, 0);
    size_t first = pair_node(graph, "conv", 0, "out", (double)of->c, "kernel", 1.0, NULL);
    *node = add_conv(graph, first, of);
    size_t mean = pair_node(graph, "global_pool", *node, NULL);
    pair_node(graph, "linear", mean, "out", 3.0, NULL);
    return graph;
}

static bool lies_batch_last(const kd2m_net *net, size_t node) {
    return net->operations[node].output->batch_last != NULL;
}

static bool offered(void) {
    return dnnl_get_effective_cpu_isa() >= dnnl_cpu_isa_avx512_core;
}

static void expect_agreement(kd2m_context *context, const kd2m_graph *graph, size_t rows) {
    net_pair pair = pair_create(context, graph, rows, KD2M_NET_TRAINING, 7);
    for (size_t turn = 0; turn < 2; turn++) {
        pair_forward(&pair);
        pair_expect_values(&pair, TOLERANCE);
        pair_expect_parameters(&pair, TOLERANCE);
        pair_clear(&pair);
        for (size_t node = turn ? 0 : graph->logits; node < graph->node_count; node++)
            pair_gradient(&pair, node, 20 + node);
        pair_backward(&pair);
        pair_expect_gradients(&pair, TOLERANCE);
    }
    pair_free(&pair);
    pair = pair_create(context, graph, rows, KD2M_NET_INFERENCE, 9);
    pair_forward(&pair);
    pair_expect_values(&pair, TOLERANCE);
    pair_free(&pair);
}

static void convolutions_agree_with_float64(void **state) {
    (void)state;
    kd2m_context *context = testing_context(0);
    for (size_t i = 0; i < MAPS; i++) {
        size_t node;
        kd2m_net *net;
        kd2m_graph *graph = map_graph(context, &maps[i], &node);
        print_message("map %zu\n", i);
        expect_agreement(context, graph, ROWS);
        expect_agreement(context, graph, 7);
        EXPECT_OK(context, kd2m_net_create(&net, context, graph, ROWS, KD2M_NET_TRAINING, true));
        assert_int_equal(lies_batch_last(net, node), maps[i].last && offered());
        kd2m_net_free(net);
        EXPECT_OK(context, kd2m_net_create(&net, context, graph, 7, KD2M_NET_TRAINING, true));
        assert_false(lies_batch_last(net, node));
        kd2m_net_free(net);
        kd2m_graph_free(graph);
    }
    kd2m_context_free(context);
}

/* Each operator behind a convolution over 2 x 2, and one behind it that lies in blocks. */
static void operators_agree_with_float64(void **state) {
    (void)state;
    kd2m_context *context = testing_context(0);
    const map_case over = {32, 3, 3, 40, 2, 1, 0, 0, true};
    const char *const ops[] = {"batch_norm", "relu",   "flatten", "max_pool",
                               "avg_pool",   "concat", "add",     "conv"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        kd2m_graph *graph = pair_graph(context, 3, 3, 3);
        size_t from = pair_node(graph, "conv", 0, "out", 32.0, "kernel", 1.0, "bias", 0.0, NULL);
        size_t narrow = pair_node(graph, "conv", 0, "out", 40.0, "kernel", 2.0, NULL);
        size_t node = add_conv(graph, from, &over), first;
        if (strcmp(ops[i], "conv") == 0)
            first = pair_node(graph, "conv", node, "out", 40.0, "kernel", 3.0, "pad", 1.0, "groups",
                              5.0, NULL);
        else if (strstr(ops[i], "pool"))
            first = pair_node(graph, ops[i], node, "kernel", 2.0, "stride", 1.0, "pad", 1.0, NULL);
        else
            first = pair_node(graph, ops[i], node, NULL);
        if (strcmp(ops[i], "concat") == 0 || strcmp(ops[i], "add") == 0) {
            /* and one that lies in blocks, for want of channels before it */
            EXPECT_OK(context, kd2m_graph_connect(graph, first, narrow));
            EXPECT_OK(context, kd2m_graph_connect(graph, first, node));
        }
        if (strcmp(ops[i], "flatten") != 0)
            pair_node(graph, "global_pool", first, NULL);
        print_message("%s\n", ops[i]);
        expect_agreement(context, graph, ROWS);
        kd2m_graph_free(graph);
    }
    kd2m_context_free(context);
}

/* A block of a residual net that halves its map. */
static void residual_blocks_agree_with_float64(void **state) {
    (void)state;
    kd2m_context *context = testing_context(0);
    kd2m_graph *graph = pair_graph(context, 3, 4, 4);
    size_t from = pair_node(graph, "conv", 0, "out", 32.0, "kernel", 3.0, "pad", 1.0, NULL);
    const map_case half = {32, 4, 4, 64, 3, 2, 1, 0, true}, same = {64, 2, 2, 64, 3, 1, 1, 0, true};
    const map_case down = {32, 4, 4, 64, 1, 2, 0, 0, true};
    size_t aside = pair_node(graph, "batch_norm", add_conv(graph, from, &down), NULL);
    size_t node = pair_node(graph, "batch_norm", add_conv(graph, from, &half), "relu", 1.0, NULL);
    node = pair_node(graph, "batch_norm", add_conv(graph, node, &same), NULL);
    node = pair_node(graph, "add", node, "relu", 1.0, NULL);
    EXPECT_OK(context, kd2m_graph_connect(graph, node, aside));
    pair_node(graph, "linear", pair_node(graph, "global_pool", node, NULL), "out", 5.0, NULL);
    expect_agreement(context, graph, ROWS);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

/* Owned by the caller: parameter 2, conv2's weight, from the net or from `tensor`. */
static float *weight_of(kd2m_context *context, kd2m_net *net, bool gradient, size_t *count) {
    size_t all;
    const kd2m_parameter *p = kd2m_net_parameters(net, &all) + 2;
    *count = p->shape[0] * p->shape[1] * p->shape[2] * p->shape[3];
    float *plain = calloc(*count, sizeof *plain);
    assert_non_null(plain);
    EXPECT_OK(context, kd2m_net_to_plain(net, 2, gradient ? p->gradient : p->values, plain));
    return plain;
}

/* Over 1 x 1 eight taps of nine see nothing: their gradient is 0, but they decay, and are stored.
 */
static void unseen_taps_decay(void **state) {
    (void)state;
    kd2m_context *context = testing_context(0);
    size_t node, count, momenta;
    kd2m_graph *graph = map_graph(context, &maps[0], &node);
    net_pair pair = pair_create(context, graph, ROWS, KD2M_NET_TRAINING, 3);
    kd2m_optimizer *optimizer;
    const kd2m_optimizer_settings sgd = {.kind = KD2M_SGD, .momentum = 0.5, .weight_decay = 0.1};
    EXPECT_OK(context, kd2m_optimizer_create(&optimizer, context, &sgd, &pair.net,
                                             (const char *const[]){"net"}, 1));
    float *before = weight_of(context, pair.net, false, &count);
    pair_forward(&pair);
    pair_clear(&pair);
    pair_gradient(&pair, graph->logits, 8);
    pair_backward(&pair);
    EXPECT_OK(context, kd2m_optimizer_step(optimizer, 0.5));
    float *gradient = weight_of(context, pair.net, true, &count);
    kd2m_tensors *tensors;
    kd2m_tensor *stored, *momentum;
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context, kd2m_net_store(pair.net, tensors));
    EXPECT_OK(context, kd2m_optimizer_store(optimizer, tensors));
    stored = kd2m_tensors_find(tensors, "conv2.weight");
    momentum = kd2m_tensors_find(tensors, "optimizer.net.conv2.weight.momentum");
    assert_true(stored && momentum);
    momenta = 0;
    for (size_t i = 0; i < count; i++) {
        const float *after = stored->values, *velocity = momentum->values;
        bool seen = i % 9 == 4;
        assert_true(seen == (gradient[i] != 0));
        EXPECT_CLOSE(velocity[i], gradient[i] + 0.1f * before[i], 1e-6, 1e-6);
        EXPECT_CLOSE(after[i], before[i] - 0.5f * velocity[i], 1e-6, 1e-6);
        momenta += velocity[i] != 0;
    }
    assert_int_equal(momenta, count);
    kd2m_tensors_free(tensors);
    free(before);
    free(gradient);
    kd2m_optimizer_free(optimizer);
    pair_free(&pair);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

/* Parameters of a net for few rows, for many, and for inference are each other's. */
static void nets_of_other_rows_agree(void **state) {
    (void)state;
    kd2m_context *context = testing_context(0);
    for (size_t i = 0; i < MAPS; i++) {
        size_t node;
        kd2m_net *few;
        kd2m_graph *graph = map_graph(context, &maps[i], &node);
        net_pair pair = pair_create(context, graph, ROWS, KD2M_NET_TRAINING, 5);
        EXPECT_OK(context, kd2m_net_create(&few, context, graph, 3, KD2M_NET_TRAINING, false));
        EXPECT_OK(context, kd2m_net_copy(few, pair.net));
        float one[ROWS * 3], other[3 * 3];
        EXPECT_OK(context, kd2m_net_forward(pair.net, pair.input));
        EXPECT_OK(context, kd2m_net_forward(few, pair.input));
        EXPECT_OK(context, kd2m_net_read(pair.net, graph->logits, one, 3));
        EXPECT_OK(context, kd2m_net_read(few, graph->logits, other, 3));
        for (size_t k = 0; k < 9; k++)
            EXPECT_CLOSE(one[k], other[k], 1e-5, 1e-5);
        kd2m_net_free(few);
        pair_free(&pair);
        kd2m_graph_free(graph);
    }
    kd2m_context_free(context);
}

static void a_failing_allocation_leaves_nothing(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        size_t node;
        kd2m_net *net;
        kd2m_context *context = testing_context(1);
        kd2m_graph *graph = map_graph(context, &maps[1], &node);
        kd2m_context *failing = testing_failing_context(fail_at);
        status = kd2m_net_create(&net, failing, graph, ROWS, KD2M_NET_TRAINING, true);
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
        cmocka_unit_test(convolutions_agree_with_float64),
        cmocka_unit_test(operators_agree_with_float64),
        cmocka_unit_test(residual_blocks_agree_with_float64),
        cmocka_unit_test(unseen_taps_decay),
        cmocka_unit_test(nets_of_other_rows_agree),
        cmocka_unit_test(a_failing_allocation_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
