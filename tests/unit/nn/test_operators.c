/* Every operator, in several shapes, against float64 loops; and those loops against differences. */
#include <math.h>
#include <stdlib.h>

#include "pair.h"
#include "rng.h"

/* float32 sums of up to a few hundred terms */
#define TOLERANCE 1e-5

typedef kd2m_graph *(*builder)(kd2m_context *context, size_t variant);

typedef struct operator_case {
    const char *name;
    builder build;
    size_t variants;
} operator_case;

static kd2m_graph *build_linear(kd2m_context *context, size_t variant) {
    static const double sizes[][3] = {{1, 1, 1}, {17, 33, 1}, {100, 7, 0}, {64, 130, 1}};
    kd2m_graph *graph = pair_graph(context, (size_t)sizes[variant][0], 0, 0);
    pair_node(graph, "linear", 0, "out", sizes[variant][1], "bias", sizes[variant][2], NULL);
    return graph;
}

/* Eight times the input: beyond 6 now and then. */
static size_t magnified(kd2m_graph *graph) {
    size_t node = pair_node(graph, "add", 0, NULL);
    for (size_t k = 1; k < 8; k++)
        EXPECT_OK(graph->context, kd2m_graph_connect(graph, node, 0));
    return node;
}

/* ReLU, leaky by default and by more, ReLU6; each on four shapes. */
static kd2m_graph *build_relus(kd2m_context *context, size_t variant) {
    static const size_t shapes[][3] = {{1}, {19}, {3, 7}, {17, 5, 3}};
    const size_t *shape = shapes[variant % 4];
    kd2m_graph *graph = pair_graph(context, shape[0], shape[1], shape[2]);
    switch (variant / 4) {
    case 0:
        pair_node(graph, "relu", 0, NULL);
        break;
    case 1:
        pair_node(graph, "leaky_relu", 0, NULL);
        break;
    case 2:
        pair_node(graph, "leaky_relu", 0, "slope", 0.3, NULL);
        break;
    default:
        pair_node(graph, "relu6", magnified(graph), NULL);
    }
    return graph;
}

static kd2m_graph *build_flatten(kd2m_context *context, size_t variant) {
    static const size_t shapes[][3] = {{5}, {3, 7}, {2, 5, 3}};
    const size_t *shape = shapes[variant];
    kd2m_graph *graph = pair_graph(context, shape[0], shape[1], shape[2]);
    pair_node(graph, "flatten", 0, NULL);
    return graph;
}

static kd2m_graph *build_mlp(kd2m_context *context, size_t variant) {
    kd2m_graph *graph = pair_graph(context, 3, 5, variant ? 7 : 0);
    size_t node = pair_node(graph, "flatten", 0, NULL);
    node = pair_node(graph, "linear", node, "out", 40.0, NULL);
    node = pair_node(graph, "relu", node, NULL);
    node = pair_node(graph, "linear", node, "out", 21.0, NULL);
    node = pair_node(graph, "relu", node, NULL);
    pair_node(graph, "linear", node, "out", 10.0, NULL);
    return graph;
}

/* channels, height, width | out, kernel_h, kernel_w, stride, pad, bias. A height of 0: a signal. */
typedef struct slide_case {
    size_t c, h, w;
    double out, kernel_h, kernel_w, stride, pad, bias;
} slide_case;

static kd2m_graph *slide_graph(kd2m_context *context, const slide_case *of) {
    return of->h ? pair_graph(context, of->c, of->h, of->w) : pair_graph(context, of->c, of->w, 0);
}

static kd2m_graph *conv_graph(kd2m_context *context, const slide_case *of) {
    kd2m_graph *graph = slide_graph(context, of);
    if (of->h)
        pair_node(graph, "conv", 0, "out", of->out, "kernel_h", of->kernel_h, "kernel_w",
                  of->kernel_w, "stride", of->stride, "pad", of->pad, "bias", of->bias, NULL);
    else
        pair_node(graph, "conv", 0, "out", of->out, "kernel", of->kernel_w, "stride", of->stride,
                  "pad", of->pad, "bias", of->bias, NULL);
    return graph;
}

static kd2m_graph *build_conv(kd2m_context *context, size_t variant) {
    static const slide_case convs[] = {
        {1, 0, 64, 16, 0, 9, 1, 4, 1},  {1, 0, 63, 10, 0, 16, 4, 0, 1},
        {16, 0, 21, 32, 0, 3, 1, 1, 0}, {5, 0, 17, 7, 0, 5, 2, 2, 1},
        {33, 0, 9, 20, 0, 1, 1, 0, 1},  {32, 0, 40, 32, 0, 3, 2, 1, 0},
        {1, 9, 11, 16, 3, 3, 1, 1, 1},  {3, 8, 8, 16, 3, 3, 1, 1, 0},
        {16, 7, 7, 32, 3, 3, 2, 1, 1},  {10, 6, 5, 19, 1, 1, 2, 0, 1},
        {20, 5, 9, 12, 3, 5, 1, 2, 1},  {32, 4, 4, 64, 3, 3, 1, 1, 0},
        {4, 3, 3, 5, 3, 3, 1, 0, 1},    {64, 4, 5, 64, 3, 3, 1, 1, 0},
        {64, 13, 6, 80, 3, 3, 1, 1, 1},
    };
    return conv_graph(context, &convs[variant]);
}

/* From 1 to most, by seed and number. */
static size_t drawn(size_t seed, size_t number, size_t most) {
    uint32_t words[4];
    kd2m_random_block(seed, KD2M_STREAM_TEST, 0, number, words);
    return 1 + words[0] % most;
}

static kd2m_graph *build_random_conv(kd2m_context *context, size_t variant) {
    size_t height = drawn(variant, 1, 2) == 1 ? 0 : drawn(variant, 2, 9);
    size_t width = drawn(variant, 3, 20), pad = drawn(variant, 4, 4) - 1;
    size_t down = height ? drawn(variant, 5, height + 2 * pad) : 0;
    size_t across = drawn(variant, 6, width + 2 * pad);
    slide_case of = {drawn(variant, 7, 40),         height,       width,
                     (double)drawn(variant, 8, 40), (double)down, (double)across,
                     (double)drawn(variant, 9, 4),  (double)pad,  (double)(variant % 2)};
    return conv_graph(context, &of);
}

/* Behind a convolution, whose output may lie in blocks of channels. It has no bias, whose gradient
 * would be 0 in front of a batch norm: rounding alone could not be told from an error. */
static size_t widened(kd2m_graph *graph, bool conv, double channels) {
    return conv ? pair_node(graph, "conv", 0, "out", channels, "kernel", 1.0, "bias", 0.0, NULL)
                : 0;
}

/* channels, height, width | out, groups, kernel, stride, pad, bias */
static kd2m_graph *build_grouped_conv(kd2m_context *context, size_t variant) {
    static const struct {
        size_t c, h, w;
        double out, groups, kernel, stride, pad, bias;
    } convs[] = {
        {4, 0, 21, 6, 2, 3, 1, 1, 1},
        {32, 0, 17, 32, 32, 5, 2, 2, 0},
        {7, 0, 20, 7, 7, 3, 1, 0, 1},
        {6, 0, 13, 24, 6, 3, 1, 1, 0},
        {6, 7, 5, 9, 3, 3, 1, 1, 1},
        {32, 6, 6, 32, 32, 3, 1, 1, 1},
        {19, 7, 7, 19, 19, 3, 2, 1, 0},
        {64, 5, 5, 32, 2, 3, 2, 1, 0},
        {48, 4, 4, 48, 4, 1, 1, 0, 1},
        {16, 8, 8, 32, 16, 3, 1, 1, 0},
        {32, 9, 3, 64, 2, 3, 1, 1, 1},
        {5, 4, 4, 5, 5, 1, 1, 0, 1},
        /* maps so small that taps see only padding */
        {6, 1, 1, 4, 2, 3, 1, 1, 1},
        {32, 2, 1, 32, 32, 5, 1, 2, 0},
        {32, 1, 1, 64, 2, 3, 2, 1, 0},
        {8, 0, 1, 8, 8, 3, 1, 1, 1},
    };
    size_t count = sizeof convs / sizeof *convs, i = variant % count;
    kd2m_graph *graph = convs[i].h ? pair_graph(context, convs[i].c, convs[i].h, convs[i].w)
                                   : pair_graph(context, convs[i].c, convs[i].w, 0);
    size_t from = widened(graph, variant >= count, (double)convs[i].c);
    size_t node = pair_node(graph, "conv", from, "out", convs[i].out, "groups", convs[i].groups,
                            "kernel", convs[i].kernel, "stride", convs[i].stride, "pad",
                            convs[i].pad, "bias", convs[i].bias, NULL);
    if (variant >= count)
        pair_node(graph, "conv", node, "out", 3.0, "kernel", 1.0, NULL);
    return graph;
}

static kd2m_graph *build_pool(kd2m_context *context, const char *op, size_t variant) {
    static const slide_case pools[] = {
        {3, 0, 17, 0, 0, 2, 2, 0, 0}, {16, 0, 21, 0, 0, 3, 2, 1, 0}, {5, 0, 8, 0, 0, 4, 1, 2, 0},
        {3, 8, 7, 0, 2, 2, 2, 0, 0},  {16, 9, 9, 0, 3, 3, 2, 1, 0},  {5, 6, 4, 0, 2, 2, 1, 1, 0},
    };
    size_t count = sizeof pools / sizeof *pools;
    const slide_case *of = &pools[variant % count];
    kd2m_graph *graph = slide_graph(context, of);
    size_t from = widened(graph, variant >= count, 17);
    pair_node(graph, op, from, "kernel", of->kernel_w, "stride", of->stride, "pad", of->pad, NULL);
    return graph;
}

static kd2m_graph *build_max_pool(kd2m_context *context, size_t variant) {
    return build_pool(context, "max_pool", variant);
}

static kd2m_graph *build_avg_pool(kd2m_context *context, size_t variant) {
    return build_pool(context, "avg_pool", variant);
}

/* Without `stride`, windows stand side by side; of images, kernels of two sizes. */
static kd2m_graph *build_pool_apart(kd2m_context *context, size_t variant) {
    const char *op = variant / 2 ? "avg_pool" : "max_pool";
    kd2m_graph *graph = pair_graph(context, 3, 13, variant % 2 ? 10 : 0);
    if (variant % 2)
        pair_node(graph, op, 0, "kernel", 3.0, "kernel_h", 4.0, "stride", 3.0, NULL);
    else
        pair_node(graph, op, 0, "kernel", 3.0, NULL);
    return graph;
}

static kd2m_graph *build_batch_norm(kd2m_context *context, size_t variant) {
    static const size_t shapes[][3] = {{3, 7},    {16, 5},    {10, 33},
                                       {3, 5, 4}, {32, 3, 3}, {19, 6, 6}};
    const size_t *shape = shapes[variant % 6];
    kd2m_graph *graph = pair_graph(context, shape[0], shape[1], shape[2]);
    pair_node(graph, "batch_norm", widened(graph, variant / 6 % 2, 18), "relu",
              variant < 12 ? 0.0 : 1.0, NULL);
    return graph;
}

/* Of one input twice, of two in other layouts, of three; with and without ReLU. */
static kd2m_graph *build_add(kd2m_context *context, size_t variant) {
    static const size_t shapes[][3] = {{7}, {3, 5}, {18, 4, 3}, {18, 5}};
    const size_t *shape = shapes[variant % 4];
    kd2m_graph *graph = pair_graph(context, shape[0], shape[1], shape[2]);
    size_t other = widened(graph, variant % 4 >= 2, 18);
    size_t node = pair_node(graph, "add", 0, "relu", variant < 4 ? 0.0 : 1.0, NULL);
    assert_int_equal(kd2m_graph_connect(graph, node, other), KD2M_OK);
    if (variant >= 4)
        assert_int_equal(kd2m_graph_connect(graph, node, 0), KD2M_OK);
    return graph;
}

/* Of vectors, signals and images: one input twice, channels that fill blocks and such that don't,
 * two inputs in other layouts, three. */
static kd2m_graph *build_concat(kd2m_context *context, size_t variant) {
    static const size_t shapes[][3] = {{7}, {3, 5}, {16, 4, 3}, {5, 4, 3}};
    static const double widths[] = {0, 18, 32, 16};
    const size_t *shape = shapes[variant % 4];
    kd2m_graph *graph = pair_graph(context, shape[0], shape[1], shape[2]);
    size_t first = widened(graph, widths[variant % 4] > 0, widths[variant % 4]);
    size_t second = variant < 8 ? 0 : widened(graph, widths[variant % 4] > 0, 21);
    size_t node = pair_node(graph, "concat", variant / 4 % 2 ? second : first, NULL);
    EXPECT_OK(context, kd2m_graph_connect(graph, node, variant / 4 % 2 ? first : second));
    if (variant >= 4)
        EXPECT_OK(context, kd2m_graph_connect(graph, node, first));
    if (shape[1])
        pair_node(graph, "conv", node, "out", 5.0, "kernel", 1.0, NULL);
    return graph;
}

/* A block of a residual net: the sum's two ways share their beginning. */
static kd2m_graph *build_residual(kd2m_context *context, size_t variant) {
    kd2m_graph *graph = pair_graph(context, 3, 7, 6);
    size_t from = widened(graph, true, 17);
    size_t node = pair_node(graph, "conv", from, "out", 17.0, "kernel", 3.0, "pad", 1.0, "stride",
                            variant ? 2.0 : 1.0, "bias", 0.0, NULL);
    node = pair_node(graph, "batch_norm", node, "relu", 1.0, NULL);
    if (variant)
        from = pair_node(graph, "conv", from, "out", 17.0, "kernel", 1.0, "stride", 2.0, NULL);
    node = pair_node(graph, "add", node, "relu", 1.0, NULL);
    assert_int_equal(kd2m_graph_connect(graph, node, from), KD2M_OK);
    pair_node(graph, "global_pool", node, NULL);
    return graph;
}

static kd2m_graph *build_global_pool(kd2m_context *context, size_t variant) {
    static const size_t shapes[][3] = {{3, 7},    {16, 512},  {5, 1},
                                       {3, 5, 4}, {32, 3, 3}, {19, 6, 7}};
    const size_t *shape = shapes[variant % 6];
    kd2m_graph *graph = pair_graph(context, shape[0], shape[1], shape[2]);
    pair_node(graph, "global_pool", widened(graph, variant >= 6, 18), NULL);
    return graph;
}

static kd2m_graph *build_relus_behind_conv(kd2m_context *context, size_t variant) {
    static const char *const ops[] = {"relu", "leaky_relu", "relu6"};
    kd2m_graph *graph = pair_graph(context, 2, 9, variant % 2 ? 3 : 0);
    pair_node(graph, ops[variant / 2], widened(graph, true, 21), NULL);
    return graph;
}

static kd2m_graph *build_flatten_behind_conv(kd2m_context *context, size_t variant) {
    kd2m_graph *graph = pair_graph(context, 2, 9, variant ? 3 : 0);
    pair_node(graph, "flatten", widened(graph, true, 21), NULL);
    return graph;
}

/* conv, batch norm, ReLU, pooling, conv, batch norm, ReLU, mean, linear: the whole net. */
static kd2m_graph *build_cnn(kd2m_context *context, size_t variant) {
    kd2m_graph *graph = variant ? pair_graph(context, 3, 13, 12) : pair_graph(context, 1, 61, 0);
    size_t node = pair_node(graph, "conv", 0, "out", 20.0, "kernel", variant ? 3.0 : 8.0, "stride",
                            variant ? 1.0 : 2.0, "pad", 1.0, "bias", 0.0, NULL);
    node = pair_node(graph, "batch_norm", node, NULL);
    node = pair_node(graph, "relu", node, NULL);
    node = pair_node(graph, "max_pool", node, "kernel", 2.0, NULL);
    node =
        pair_node(graph, "conv", node, "out", 33.0, "kernel", 3.0, "pad", 1.0, "bias", 0.0, NULL);
    node = pair_node(graph, "batch_norm", node, NULL);
    node = pair_node(graph, "relu", node, NULL);
    node = variant ? pair_node(graph, "flatten", node, NULL)
                   : pair_node(graph, "global_pool", node, NULL);
    pair_node(graph, "linear", node, "out", 10.0, NULL);
    return graph;
}

static const operator_case cases[] = {
    {"linear", build_linear, 4},
    {"relu family", build_relus, 16},
    {"relu family behind conv", build_relus_behind_conv, 6},
    {"flatten", build_flatten, 3},
    {"flatten behind conv", build_flatten_behind_conv, 2},
    {"conv", build_conv, 15},
    {"random conv", build_random_conv, 20},
    {"grouped conv", build_grouped_conv, 32},
    {"max_pool", build_max_pool, 12},
    {"avg_pool", build_avg_pool, 12},
    {"pools side by side", build_pool_apart, 4},
    {"batch_norm", build_batch_norm, 24},
    {"add", build_add, 8},
    {"concat", build_concat, 12},
    {"residual", build_residual, 2},
    {"global_pool", build_global_pool, 12},
    {"mlp", build_mlp, 2},
    {"cnn", build_cnn, 2},
};

static const size_t batches[] = {1, 5};

/* Single rows by one thread, batches by all. */
static void each(void (*check)(kd2m_context *, const kd2m_graph *, size_t batch)) {
    for (size_t k = 0; k < 2; k++) {
        kd2m_context *context = testing_context(batches[k] == 1 ? 1 : 0);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            for (size_t variant = 0; variant < cases[i].variants; variant++) {
                print_message("%s %zu, batch %zu\n", cases[i].name, variant, batches[k]);
                kd2m_graph *graph = cases[i].build(context, variant);
                check(context, graph, batches[k]);
                kd2m_graph_free(graph);
            }
        kd2m_context_free(context);
    }
}

static void check_training(kd2m_context *context, const kd2m_graph *graph, size_t batch) {
    net_pair pair = pair_create(context, graph, batch, KD2M_NET_TRAINING, 7);
    pair_forward(&pair);
    pair_expect_values(&pair, TOLERANCE);
    pair_expect_parameters(&pair, TOLERANCE); /* running statistics */
    pair_clear(&pair);
    pair_gradient(&pair, graph->logits, 8);
    pair_backward(&pair);
    pair_expect_gradients(&pair, TOLERANCE);
    pair_clear(&pair);
    for (size_t node = 0; node < graph->node_count; node++)
        pair_gradient(&pair, node, 20 + node);
    pair_backward(&pair);
    pair_expect_gradients(&pair, TOLERANCE);
    pair_free(&pair);
}

static void training_agrees_with_float64(void **state) {
    (void)state;
    each(check_training);
}

static void check_inference(kd2m_context *context, const kd2m_graph *graph, size_t batch) {
    net_pair pair = pair_create(context, graph, batch, KD2M_NET_INFERENCE, 9);
    pair_forward(&pair);
    pair_expect_values(&pair, TOLERANCE);
    pair_expect_parameters(&pair, 0);
    pair_free(&pair);
}

static void inference_agrees_with_float64(void **state) {
    (void)state;
    each(check_inference);
}

/* sum of direction * output: the scalar whose gradient backward gives. */
static double projected(reference_net *net, const double *input, const double *direction) {
    const reference_value *out = &net->nodes[net->graph->logits];
    double sum = 0;
    reference_forward(net, input);
    for (size_t i = 0; i < out->count; i++)
        sum += direction[i] * out->values[i];
    return sum;
}

static double *normals(size_t count, uint64_t seed) {
    float *narrow = malloc(count * sizeof *narrow);
    double *values = malloc(count * sizeof *values);
    assert_true(narrow && values);
    pair_normals(narrow, count, seed);
    for (size_t i = 0; i < count; i++)
        values[i] = narrow[i];
    free(narrow);
    return values;
}

/* Central differences at some elements of `values`, one of the arrays that `projected` reads. */
static void expect_slope(reference_net *net, const double *input, const double *direction,
                         double *values, const double *gradient, size_t count) {
    double step = 1e-6;
    for (size_t i = 0; i < count; i += 1 + count / 7) {
        double kept = values[i];
        values[i] = kept + step;
        double above = projected(net, input, direction);
        values[i] = kept - step;
        double below = projected(net, input, direction);
        values[i] = kept;
        EXPECT_CLOSE((above - below) / (2 * step), gradient[i], 1e-6, 1e-6);
    }
}

static void check_reference(kd2m_context *context, const kd2m_graph *graph, size_t batch) {
    net_pair pair = pair_create(context, graph, batch, KD2M_NET_TRAINING, 11);
    reference_net *net = pair.reference;
    reference_value *out = &net->nodes[graph->logits];
    double *input = normals(net->nodes[0].count, 12), *direction = normals(out->count, 13);
    projected(net, input, direction);
    reference_clear(net);
    for (size_t i = 0; i < out->count; i++)
        out->gradient[i] = direction[i];
    reference_backward(net);
    expect_slope(net, input, direction, input, net->nodes[0].gradient, net->nodes[0].count);
    for (size_t i = 0; i < net->parameter_count; i++)
        expect_slope(net, input, direction, net->parameters[i].values, net->parameters[i].gradient,
                     net->parameters[i].count);
    free(input);
    free(direction);
    pair_free(&pair);
}

static void reference_agrees_with_differences(void **state) {
    (void)state;
    each(check_reference);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_agrees_with_float64),
        cmocka_unit_test(inference_agrees_with_float64),
        cmocka_unit_test(reference_agrees_with_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
