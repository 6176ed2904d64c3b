/*
 * Residual nets of the zoo against PyTorch in float64, from parameters and inputs that follow a
 * formula (tools/golden_resnet.py has the other side): outputs, running statistics, gradients, and
 * 50 steps of training. And the gradient of a whole resnet18 against differences of its own loss.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "optimizer.h"
#include "testing.h"
#include "zoo.h"

#define CLASSES 10
#define SAMPLES 8 /* values of a tensor that its digest holds */

static kd2m_context *context;
static kd2m_tensors *golden;

static float *floats(size_t count) {
    float *values = calloc(count, sizeof *values);
    assert_non_null(values);
    return values;
}

static size_t elements(const kd2m_parameter *parameter) {
    size_t count = 1;
    for (size_t i = 0; i < parameter->dims; i++)
        count *= parameter->shape[i];
    return count;
}

static bool ends(const char *text, const char *with) {
    size_t length = strlen(text), end = strlen(with);
    return length >= end && strcmp(text + length - end, with) == 0;
}

/* One value of a parameter. */
static float filled(const kd2m_parameter *parameter, size_t count, size_t index, uint32_t stream) {
    float value = testing_hashed(index, stream);
    if (parameter->dims > 1)
        return value * (float)sqrt(6.0 * (double)parameter->shape[0] / (double)count);
    if (ends(parameter->name, ".weight"))
        return (1 + value / 4) * (ends(parameter->name, "_bn2.weight") ? 0.25F : 1.0F);
    return ends(parameter->name, ".running_var") ? 1 + value / 2 : value / 4;
}

static void fill(kd2m_net *net) {
    size_t count;
    kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    for (size_t i = 0; i < count; i++) {
        kd2m_parameter *p = &parameters[i];
        size_t size = elements(p);
        float *plain = floats(size);
        for (size_t k = 0; k < size; k++)
            plain[k] = filled(p, size, k, testing_stream(p->name));
        EXPECT_OK(context, kd2m_net_from_plain(net, i, plain, p->values));
        free(plain);
    }
}

/* Cross-entropy of the input against the labels 0, 1, ...; with its gradient where asked for. */
static double loss_of(kd2m_net *net, const kd2m_graph *graph, const float *input, bool backward) {
    int32_t labels[16];
    float gradient[16 * CLASSES];
    double loss;
    size_t batch = kd2m_net_batch(net);
    for (size_t i = 0; i < batch; i++)
        labels[i] = (int32_t)(i % CLASSES);
    EXPECT_OK(context, kd2m_net_forward(net, input));
    EXPECT_OK(context, kd2m_net_cross_entropy(net, labels, batch, &loss, gradient));
    if (!backward)
        return loss;
    kd2m_net_gradient_clear(net);
    EXPECT_OK(context, kd2m_net_gradient_add(net, graph->logits, gradient, 1));
    EXPECT_OK(context, kd2m_net_backward(net));
    return loss;
}

/* Norm, two products and some values of a tensor, each within `tolerance` of its size. */
static void expect_digest(const kd2m_tensor *expected, const float *values, size_t count,
                          double tolerance) {
    const double *wanted = expected->values;
    double square = 0, products[2] = {0};
    for (size_t i = 0; i < count; i++) {
        square += (double)values[i] * (double)values[i];
        for (uint32_t k = 0; k < 2; k++)
            products[k] += (double)values[i] * (double)testing_hashed(i, k + 1);
    }
    assert_int_equal(expected->count, 3 + SAMPLES);
    double norm = wanted[0], absolute = tolerance * norm;
    EXPECT_CLOSE(norm, sqrt(square), absolute, 0);
    for (size_t k = 0; k < 2; k++)
        EXPECT_CLOSE(wanted[1 + k], products[k], absolute, 0);
    for (size_t i = 0; i < SAMPLES; i++)
        EXPECT_CLOSE(wanted[3 + i], (double)values[i * count / SAMPLES], absolute, 0);
}

/* Gradients of what is trained, new values of what isn't. */
static void expect_step(kd2m_net *net, const char *spec, double tolerance) {
    char prefix[64];
    size_t count;
    const kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    for (size_t i = 0; i < count; i++) {
        const kd2m_parameter *p = &parameters[i];
        float *plain = floats(elements(p));
        EXPECT_OK(context, kd2m_net_to_plain(net, i, p->trained ? p->gradient : p->values, plain));
        snprintf(prefix, sizeof prefix, "%s/%s/", spec, p->trained ? "gradient" : "after");
        expect_digest(golden_find(golden, prefix, p->name), plain, elements(p), tolerance);
        free(plain);
    }
}

/* The input that the golden file names for a net. */
static float *draw_input(const char *spec, size_t count) {
    char name[64];
    float *input = floats(count);
    snprintf(name, sizeof name, "%s/", spec);
    snprintf(name, sizeof name, "input%.0f", *(double *)golden_find(golden, name, "input")->values);
    for (size_t i = 0; i < count; i++)
        input[i] = testing_hashed(i, testing_stream(name));
    return input;
}

static void check(const char *spec, const size_t shape[3], size_t batch) {
    char prefix[64];
    kd2m_graph *graph;
    kd2m_net *training, *evaluation;
    float *input = draw_input(spec, batch * shape[0] * shape[1] * shape[2]);
    snprintf(prefix, sizeof prefix, "%s/", spec);
    EXPECT_OK(context, kd2m_zoo_build(&graph, context, spec, 3, shape, CLASSES));
    EXPECT_OK(context,
              kd2m_net_create(&evaluation, context, graph, batch, KD2M_NET_INFERENCE, false));
    fill(evaluation);
    EXPECT_OK(context, kd2m_net_forward(evaluation, input));
    golden_expect_logits(evaluation, graph, golden_find(golden, prefix, "evaluation"), 1e-5);

    EXPECT_OK(context, kd2m_net_create(&training, context, graph, batch, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_copy(training, evaluation));
    double loss = loss_of(training, graph, input, true);
    golden_expect_logits(training, graph, golden_find(golden, prefix, "training"), 1e-5);
    EXPECT_CLOSE(*(double *)golden_find(golden, prefix, "loss")->values, loss, 0, 1e-6);
    expect_step(training, spec, 1e-5);
    kd2m_net_free(training);
    kd2m_net_free(evaluation);
    kd2m_graph_free(graph);
    free(input);
}

static void resnet20_agrees_with_pytorch(void **state) {
    (void)state;
    check("resnet20", (size_t[3]){3, 32, 32}, 4);
}

static void resnet18_agrees_with_pytorch(void **state) {
    (void)state;
    check("resnet18", (size_t[3]){3, 64, 64}, 4);
}

static void a_narrow_resnet18_on_grey_images_agrees_with_pytorch(void **state) {
    (void)state;
    check("resnet18:stem=cifar,width=0.3", (size_t[3]){1, 28, 21}, 4);
}

/* What the loss changes by along a parameter's own gradient, a unit of length: measured between two
 * points near enough for few kinks to lie between them, and far enough for float32. */
static double slope_along_gradient(kd2m_net *net, const kd2m_graph *graph, const float *input,
                                   kd2m_parameter *parameter, double norm) {
    const double change = 1e-3; /* that the gradient foretells */
    double losses[2];
    size_t bytes = parameter->count * sizeof(float);
    float *kept = floats(parameter->count), *gradient = parameter->gradient;
    memcpy(kept, parameter->values, bytes);
    for (int side = 0; side < 2; side++) {
        double step = (side ? change : -change) / 2 / (norm * norm);
        for (size_t i = 0; i < parameter->count; i++)
            parameter->values[i] = (float)((double)kept[i] + step * (double)gradient[i]);
        losses[side] = loss_of(net, graph, input, false);
    }
    memcpy(parameter->values, kept, bytes);
    free(kept);
    return norm * (losses[1] - losses[0]) / change;
}

static void a_resnet18_has_the_gradient_of_its_loss(void **state) {
    (void)state;
    size_t count;
    kd2m_graph *graph;
    kd2m_net *net;
    float *input = draw_input("resnet18", 4 * 3 * 64 * 64);
    EXPECT_OK(context,
              kd2m_zoo_build(&graph, context, "resnet18", 3, (size_t[3]){3, 64, 64}, CLASSES));
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 4, KD2M_NET_TRAINING, false));
    fill(net);
    loss_of(net, graph, input, true);
    kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    /* every third, to save time; a convolution and its batch norm have five, so all kinds come up
     */
    for (size_t i = 0; i < count; i += 3) {
        kd2m_parameter *p = &parameters[i];
        double square = 0;
        if (!p->trained)
            continue;
        for (size_t k = 0; k < p->count; k++)
            square += (double)p->gradient[k] * (double)p->gradient[k];
        assert_true(square > 0);
        double norm = sqrt(square);
        EXPECT_CLOSE(norm, slope_along_gradient(net, graph, input, p, norm), 0, 0.02);
    }
    kd2m_net_free(net);
    kd2m_graph_free(graph);
    free(input);
}

#define BATCH 16
#define BATCHES 4
#define SIDE 16

/* Noise, brighter in one row and one column by class. */
static void draw_images(size_t number, float *values, int32_t labels[BATCH]) {
    char name[16];
    snprintf(name, sizeof name, "batch%zu", number);
    for (size_t i = 0; i < BATCH * SIDE * SIDE; i++)
        values[i] = testing_hashed(i, testing_stream(name));
    for (size_t i = 0; i < BATCH; i++) {
        labels[i] = (int32_t)(i * 7 % CLASSES);
        float *image = values + i * SIDE * SIDE;
        for (size_t k = 0; k < SIDE; k++) {
            image[(size_t)labels[i] * SIDE + k] += 1;
            image[k * SIDE + (size_t)labels[i] + 3] += 1;
        }
    }
}

static void training_steps_agree_with_pytorch(void **state) {
    (void)state;
    const kd2m_tensor *losses = golden_find(golden, "", "losses");
    const size_t shape[3] = {1, SIDE, SIDE};
    const kd2m_optimizer_settings settings = {
        .kind = KD2M_SGD, .momentum = 0.9, .weight_decay = 0.01};
    float *images = floats(BATCH * SIDE * SIDE), gradient[BATCH * CLASSES];
    int32_t labels[BATCH];
    double loss;
    kd2m_graph *graph;
    kd2m_net *net;
    kd2m_optimizer *optimizer;
    EXPECT_OK(context, kd2m_zoo_build(&graph, context, "resnet20", 3, shape, CLASSES));
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, BATCH, KD2M_NET_TRAINING, false));
    fill(net);
    EXPECT_OK(context, kd2m_optimizer_create(&optimizer, context, &settings, &net,
                                             (const char *[]){"student"}, 1));
    for (size_t step = 0; step < losses->count; step++) {
        draw_images(step % BATCHES, images, labels);
        EXPECT_OK(context, kd2m_net_forward(net, images));
        EXPECT_OK(context, kd2m_net_cross_entropy(net, labels, BATCH, &loss, gradient));
        EXPECT_CLOSE(((double *)losses->values)[step], loss, 1e-3, 0);
        kd2m_net_gradient_clear(net);
        EXPECT_OK(context, kd2m_net_gradient_add(net, graph->logits, gradient, 1));
        EXPECT_OK(context, kd2m_net_backward(net));
        EXPECT_OK(context, kd2m_optimizer_step(optimizer, 0.003));
    }
    kd2m_optimizer_free(optimizer);
    kd2m_net_free(net);
    kd2m_graph_free(graph);
    free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet20_agrees_with_pytorch),
        cmocka_unit_test(resnet18_agrees_with_pytorch),
        cmocka_unit_test(a_narrow_resnet18_on_grey_images_agrees_with_pytorch),
        cmocka_unit_test(a_resnet18_has_the_gradient_of_its_loss),
        cmocka_unit_test(training_steps_agree_with_pytorch),
    };
    context =
        testing_context(1); /* on a busy machine, threads wait for each other most of the time */
    golden = golden_read(context, "resnet.safetensors");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_tensors_free(golden);
    kd2m_context_free(context);
    return failed;
}
