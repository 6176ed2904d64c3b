#include "pair.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

kd2m_graph *pair_graph(kd2m_context *context, size_t c, size_t h, size_t w) {
    kd2m_graph *graph = NULL;
    size_t dims = 1u + (h > 0) + (w > 0);
    EXPECT_OK(context,
              kd2m_graph_create(&graph, context, "test", dims, (const size_t[]){c, h, w}, 10));
    return graph;
}

size_t pair_node(kd2m_graph *graph, const char *op, size_t input, ...) {
    char name[32];
    size_t index;
    va_list attributes;
    snprintf(name, sizeof name, "%s%zu", op, graph->node_count);
    EXPECT_OK(graph->context, kd2m_graph_add(graph, &index, op, name, input));
    va_start(attributes, input);
    for (const char *key = va_arg(attributes, const char *); key;
         key = va_arg(attributes, const char *))
        EXPECT_OK(graph->context, kd2m_graph_set(graph, index, key, va_arg(attributes, double)));
    va_end(attributes);
    graph->features = input;
    graph->logits = index;
    return index;
}

kd2m_graph *pair_fork(kd2m_context *context, fork_nodes *nodes) {
    kd2m_graph *graph = pair_graph(context, 3, 11, 0);
    size_t node =
        pair_node(graph, "conv", 0, "out", 24.0, "kernel", 3.0, "pad", 1.0, "bias", 0.0, NULL);
    nodes->stem = pair_node(graph, "batch_norm", node, NULL);
    node = pair_node(graph, "relu", nodes->stem, NULL);
    node = pair_node(graph, "max_pool", node, "kernel", 2.0, NULL);
    node = pair_node(graph, "flatten", node, NULL);
    nodes->left = pair_node(graph, "linear", node, "out", 6.0, NULL);
    node = pair_node(graph, "global_pool", nodes->stem, NULL);
    nodes->right = pair_node(graph, "linear", node, "out", 5.0, "bias", 0.0, NULL);
    return graph;
}

void pair_normals(float *values, size_t count, uint64_t seed) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)kd2m_rng_normal(&rng);
}

static float *floats(size_t count) {
    float *values = calloc(count ? count : 1, sizeof *values);
    if (!values)
        fail_msg("out of memory");
    return values;
}

static bool ends(const char *text, const char *with) {
    return strcmp(text + strlen(text) - strlen(with), with) == 0;
}

static void fill_parameters(net_pair *pair, uint64_t seed) {
    size_t count;
    kd2m_parameter *parameters = kd2m_net_parameters(pair->net, &count);
    assert_int_equal(count, pair->reference->parameter_count);
    for (size_t i = 0; i < count; i++) {
        reference_parameter *expected = &pair->reference->parameters[i];
        const kd2m_parameter *p = &parameters[i];
        assert_string_equal(p->name, expected->name);
        size_t elements = 1;
        for (size_t k = 0; k < p->dims; k++)
            elements *= p->shape[k];
        assert_int_equal(elements, expected->count);
        float *plain = floats(elements);
        pair_normals(plain, elements, seed + 1 + i);
        bool weight = p->dims > 1;
        for (size_t k = 0; k < elements; k++) {
            if (weight)
                plain[k] *= sqrtf(2.0f * (float)p->shape[0] / (float)elements);
            else if (ends(p->name, "running_var"))
                plain[k] = 0.5f + fabsf(plain[k]);
            else if (ends(p->name, "weight"))
                plain[k] = 1.0f + 0.3f * plain[k];
            expected->values[k] = plain[k];
        }
        EXPECT_OK(pair->context, kd2m_net_from_plain(pair->net, i, plain, p->values));
        free(plain);
    }
}

net_pair pair_create(kd2m_context *context, const kd2m_graph *graph, size_t batch,
                     kd2m_net_kind kind, uint64_t seed) {
    net_pair pair = {.context = context};
    bool training = kind == KD2M_NET_TRAINING;
    EXPECT_OK(context, kd2m_net_create(&pair.net, context, graph, batch, kind, training));
    pair.reference = reference_create(graph, batch, training);
    fill_parameters(&pair, seed);
    pair.input = floats(pair.reference->nodes[0].count);
    pair_normals(pair.input, pair.reference->nodes[0].count, seed);
    return pair;
}

void pair_free(net_pair *pair) {
    kd2m_net_free(pair->net);
    reference_free(pair->reference);
    free(pair->input);
}

static double *widen(const float *values, size_t count) {
    double *wide = calloc(count, sizeof *wide);
    if (!wide)
        fail_msg("out of memory");
    for (size_t i = 0; i < count; i++)
        wide[i] = values[i];
    return wide;
}

void pair_forward(net_pair *pair) {
    double *input = widen(pair->input, pair->reference->nodes[0].count);
    reference_forward(pair->reference, input);
    free(input);
    EXPECT_OK(pair->context, kd2m_net_forward(pair->net, pair->input));
}

void pair_clear(net_pair *pair) {
    reference_clear(pair->reference);
    kd2m_net_gradient_clear(pair->net);
}

void pair_gradient(net_pair *pair, size_t node, uint64_t seed) {
    reference_value *value = &pair->reference->nodes[node];
    float *gradient = floats(value->count);
    pair_normals(gradient, value->count, seed);
    for (size_t i = 0; i < value->count; i++)
        value->gradient[i] += 0.5 * (double)gradient[i];
    EXPECT_OK(pair->context, kd2m_net_gradient_add(pair->net, node, gradient, 0.5f));
    free(gradient);
}

void pair_backward(net_pair *pair) {
    reference_backward(pair->reference);
    EXPECT_OK(pair->context, kd2m_net_backward(pair->net));
}

static void expect_near(const char *what, const float *values, const double *expected, size_t count,
                        double tolerance) {
    double largest = 0, error = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)values[i] - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
        error = isnan(error) || difference <= error ? error : difference;
    }
    if (error <= tolerance * largest)
        return;
    fail_msg("%s: off by %.3g, the largest being %.3g", what, error, largest);
}

void pair_expect_values(net_pair *pair, double tolerance) {
    const kd2m_graph *graph = pair->reference->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        const reference_value *expected = &pair->reference->nodes[i];
        size_t width = expected->count / pair->reference->batch;
        assert_int_equal(kd2m_net_width(pair->net, i), width);
        assert_int_equal(kd2m_net_channels(pair->net, i), expected->c);
        float *values = floats(expected->count);
        EXPECT_OK(pair->context, kd2m_net_read(pair->net, i, values, width));
        expect_near(graph->nodes[i].name, values, expected->values, expected->count, tolerance);
        free(values);
    }
}

void pair_expect_parameters(net_pair *pair, double tolerance) {
    size_t count;
    const kd2m_parameter *parameters = kd2m_net_parameters(pair->net, &count);
    for (size_t i = 0; i < count; i++) {
        const reference_parameter *expected = &pair->reference->parameters[i];
        float *plain = floats(expected->count);
        EXPECT_OK(pair->context, kd2m_net_to_plain(pair->net, i, parameters[i].values, plain));
        expect_near(expected->name, plain, expected->values, expected->count, tolerance);
        free(plain);
    }
}

float *pair_gradients(net_pair *pair, size_t *count) {
    size_t parameter_count;
    const kd2m_parameter *parameters = kd2m_net_parameters(pair->net, &parameter_count);
    size_t total = pair->reference->nodes[0].count;
    for (size_t i = 0; i < parameter_count; i++)
        total += parameters[i].trained ? pair->reference->parameters[i].count : 0;
    float *gradients = floats(total), *next = gradients;
    for (size_t i = 0; i < parameter_count; i++) {
        if (!parameters[i].trained)
            continue;
        EXPECT_OK(pair->context, kd2m_net_to_plain(pair->net, i, parameters[i].gradient, next));
        next += pair->reference->parameters[i].count;
    }
    memcpy(next, kd2m_net_input_gradient(pair->net),
           pair->reference->nodes[0].count * sizeof *next);
    *count = total;
    return gradients;
}

void pair_expect_gradients(net_pair *pair, double tolerance) {
    size_t total, parameter_count;
    const kd2m_parameter *parameters = kd2m_net_parameters(pair->net, &parameter_count);
    float *gradients = pair_gradients(pair, &total), *next = gradients;
    for (size_t i = 0; i < parameter_count; i++) {
        const reference_parameter *expected = &pair->reference->parameters[i];
        if (!parameters[i].trained) {
            assert_null(parameters[i].gradient);
            continue;
        }
        expect_near(expected->name, next, expected->gradient, expected->count, tolerance);
        next += expected->count;
    }
    const reference_value *input = &pair->reference->nodes[0];
    expect_near("the input's gradient", next, input->gradient, input->count, tolerance);
    free(gradients);
}
