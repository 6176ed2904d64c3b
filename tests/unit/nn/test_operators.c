/* Every operator, in several shapes, against float64 loops; and those loops against differences. */
#include <math.h>
#include <stdlib.h>

#include "pair.h"

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

static kd2m_graph *build_relu(kd2m_context *context, size_t variant) {
    static const size_t shapes[][3] = {{1}, {19}, {3, 7}, {17, 5, 3}};
    const size_t *shape = shapes[variant];
    kd2m_graph *graph = pair_graph(context, shape[0], shape[1], shape[2]);
    pair_node(graph, "relu", 0, NULL);
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

static const operator_case cases[] = {
    {"linear", build_linear, 4},
    {"relu", build_relu, 4},
    {"flatten", build_flatten, 3},
    {"mlp", build_mlp, 2},
};

static const size_t batches[] = {1, 5};

static void each(void (*check)(kd2m_context *, const kd2m_graph *, size_t batch)) {
    kd2m_context *context = testing_context(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t variant = 0; variant < cases[i].variants; variant++)
            for (size_t k = 0; k < 2; k++) {
                print_message("%s %zu, batch %zu\n", cases[i].name, variant, batches[k]);
                kd2m_graph *graph = cases[i].build(context, variant);
                check(context, graph, batches[k]);
                kd2m_graph_free(graph);
            }
    kd2m_context_free(context);
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
    for (size_t i = 0; i < count; i += 1 + count / 17) {
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
