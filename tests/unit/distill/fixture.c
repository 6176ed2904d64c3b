#include "fixture.h"
#include "opening.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "model_file.h"
#include "zoo.h"

static kd2m_graph *build_mlp(kd2m_context *context, const char *spec) {
    const size_t shape[3] = {1, 128, 0};
    kd2m_graph *graph;
    EXPECT_OK(context, kd2m_zoo_build(&graph, context, spec, 2, shape, 7));
    return graph;
}

/* Adds a convolution whose windows lie side by side. */
static size_t add_conv(kd2m_graph *graph, const char *name, size_t input, double channels,
                       double kernel) {
    size_t node;
    EXPECT_OK(graph->context, kd2m_graph_add(graph, &node, "conv", name, input));
    EXPECT_OK(graph->context, kd2m_graph_set(graph, node, "out", channels));
    EXPECT_OK(graph->context, kd2m_graph_set(graph, node, "kernel", kernel));
    EXPECT_OK(graph->context, kd2m_graph_set(graph, node, "stride", kernel));
    return node;
}

kd2m_graph *fixture_conv_graph(kd2m_context *context, double channels) {
    const size_t shape[3] = {1, 128, 0};
    kd2m_graph *graph;
    EXPECT_OK(context, kd2m_graph_create(&graph, context, "convolutions", 2, shape, 7));
    size_t node = add_conv(graph, "conv1", 0, 5, 8);
    node = add_conv(graph, "conv2", node, channels, 2);
    EXPECT_OK(context, kd2m_graph_add(graph, &node, "global_pool", "pool", node));
    graph->features = node;
    EXPECT_OK(context, kd2m_graph_add(graph, &node, "linear", "classifier", node));
    EXPECT_OK(context, kd2m_graph_set(graph, node, "out", 7));
    graph->logits = node;
    return graph;
}

static void write_teacher(const char *path, kd2m_context *context, kd2m_graph *graph) {
    kd2m_dataset *dataset;
    kd2m_normalisation normalisation;
    kd2m_net *net;
    kd2m_tensors *tensors;
    EXPECT_OK(context, testing_open(&dataset, context, FIXTURE_DATA, 0, 0));
    EXPECT_OK(context, kd2m_dataset_measure(dataset, &normalisation));
    normalisation.mean[0] += 0.25F; /* normalised its own way, so that the input's map is used */
    normalisation.scale[0] *= 0.5F;
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 1, KD2M_NET_INFERENCE, false));
    kd2m_net_initialise(net, 5);
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context, kd2m_net_store(net, tensors));
    EXPECT_OK(context, kd2m_model_file_write(path, graph, tensors, &normalisation));
    kd2m_tensors_free(tensors);
    kd2m_net_free(net);
    kd2m_graph_free(graph);
    kd2m_normalisation_clear(context, &normalisation);
    kd2m_dataset_free(dataset);
    kd2m_context_free(context);
}

void fixture_write_teacher(const char *path) {
    kd2m_context *context = testing_context(1);
    write_teacher(path, context, build_mlp(context, "mlp:128-12-7"));
}

void fixture_write_conv_teacher(const char *path) {
    kd2m_context *context = testing_context(1);
    write_teacher(path, context, fixture_conv_graph(context, 6));
}

void fixture_open(fixture *out, kd2m_context *context, const char *teacher) {
    fixture_open_student(out, context, teacher, build_mlp(context, "mlp:128-8-7"));
}

void fixture_open_student(fixture *out, kd2m_context *context, const char *teacher,
                          kd2m_graph *student) {
    kd2m_dataset_info info;
    *out = (fixture){.context = context, .graph = student};
    EXPECT_OK(context, testing_open(&out->dataset, context, FIXTURE_DATA, 0, 0));
    kd2m_dataset_describe(out->dataset, &info);
    EXPECT_OK(context, kd2m_dataset_measure(out->dataset, &out->normalisation));
    EXPECT_OK(context, kd2m_teacher_open(&out->teacher, context, teacher, out->dataset,
                                         &out->normalisation, FIXTURE_BATCH));
    EXPECT_OK(context, kd2m_net_create(&out->student, context, out->graph, FIXTURE_BATCH,
                                       KD2M_NET_TRAINING, false));
    kd2m_net_initialise(out->student, 3);
    out->values = malloc(FIXTURE_BATCH * info.sample_size * sizeof *out->values);
    assert_non_null(out->values);
    fixture_fetch(out, 0);
}

/* The batch of the fixture that was opened last. */
static const kd2m_batch *stepped_on;

void fixture_fetch(fixture *opened, size_t first) {
    kd2m_dataset_info info;
    kd2m_dataset_describe(opened->dataset, &info);
    size_t step = info.rows[KD2M_TRAIN] / FIXTURE_BATCH;
    for (size_t i = 0; i < FIXTURE_BATCH; i++) {
        size_t row = (first + i * step) % info.rows[KD2M_TRAIN];
        opened->ids[i] = (uint32_t)row;
        kd2m_dataset_fetch(opened->dataset, KD2M_TRAIN, row, &opened->normalisation,
                           opened->values + i * info.sample_size, &opened->labels[i]);
    }
    opened->batch =
        (kd2m_batch){FIXTURE_BATCH, opened->values, opened->labels, opened->ids, .columns = NULL};
    stepped_on = &opened->batch;
}

void fixture_close(fixture *opened) {
    free(opened->values);
    kd2m_net_free(opened->student);
    kd2m_graph_free(opened->graph);
    kd2m_teacher_free(opened->teacher);
    kd2m_normalisation_clear(opened->context, &opened->normalisation);
    kd2m_dataset_free(opened->dataset);
}

kd2m_objective *fixture_objective(fixture *opened, const char *loss_text, bool scale) {
    kd2m_loss *loss;
    kd2m_objective *objective;
    EXPECT_OK(opened->context, kd2m_loss_parse(&loss, opened->context, loss_text));
    EXPECT_OK(opened->context, kd2m_objective_create(&objective, loss, opened->student,
                                                     opened->graph, opened->teacher, 3));
    EXPECT_OK(opened->context, kd2m_objective_measure(objective, scale));
    return objective;
}

void fixture_check_slope(kd2m_objective *objective, kd2m_net *net, fixture_value value,
                         double tolerance) {
    size_t count, size = 0;
    kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    for (size_t i = 0; i < count; i++)
        size += parameters[i].count;
    float *direction = calloc(size, sizeof *direction);
    assert_non_null(direction);
    double norm = 0;
    value(objective);
    for (size_t i = 0, at = 0; i < count; i++)
        for (size_t k = 0; parameters[i].trained && k < parameters[i].count; k++) {
            direction[at++] = parameters[i].gradient[k];
            norm += (double)parameters[i].gradient[k] * parameters[i].gradient[k];
        }
    assert_true(norm > 1e-8);
    double h = 2e-3 / sqrt(norm), slope = 0;
    for (int turn = 0; turn < 4; turn++) { /* forth, back, back, forth */
        int sign = turn == 0 || turn == 3 ? 1 : -1;
        for (size_t i = 0, at = 0; i < count; i++)
            for (size_t k = 0; parameters[i].trained && k < parameters[i].count; k++)
                parameters[i].values[k] += (float)(sign * h) * direction[at++];
        if (turn % 2 == 0)
            slope += sign * value(objective) / (2 * h);
    }
    EXPECT_CLOSE(norm, slope, 0, tolerance);
    free(direction);
}

double fixture_value_of(kd2m_objective *objective) {
    kd2m_objective_seek(objective, 3);
    EXPECT_OK(objective->context, kd2m_objective_step(objective, stepped_on, false));
    return objective->value;
}

/* The same of one term, with the constants that `held` was prepared with; a step resolves its own
 * anew. */
static kd2m_metric *held;

static double held_value_of(kd2m_objective *objective) {
    const kd2m_bound_term *term = &objective->terms[0];
    kd2m_metric_result result;
    fixture_value_of(objective);
    EXPECT_OK(objective->context, kd2m_metric_evaluate(held, &term->x, &term->y, &result, NULL));
    return term->factor * result.value;
}

void fixture_check_gradients(fixture *opened, const char *loss, bool hold) {
    kd2m_objective *objective = fixture_objective(opened, loss, true);
    const kd2m_bound_term *term = &objective->terms[0];
    fixture_value value = hold ? held_value_of : fixture_value_of;
    if (hold) {
        fixture_value_of(objective);
        EXPECT_OK(opened->context, kd2m_metric_create(&held, opened->context, term->term->metric));
        EXPECT_OK(opened->context, kd2m_metric_prepare(held, &term->x, &term->y));
    }
    /* 1 %: a ReLU's kink or another optimal plan may lie within the step */
    fixture_check_slope(objective, opened->student, value, 1e-2);
    for (size_t k = 0; k < objective->match_count; k++)
        if (objective->matches[k].projector)
            fixture_check_slope(objective, objective->matches[k].projector, value, 1e-2);
    if (hold)
        kd2m_metric_free(held);
    kd2m_objective_free(objective);
}

void fixture_expect_refused(fixture *opened, const char *text, const char *message) {
    kd2m_loss *loss;
    kd2m_objective *objective;
    EXPECT_OK(opened->context, kd2m_loss_parse(&loss, opened->context, text));
    EXPECT_STATUS(opened->context, KD2M_ERROR_USAGE,
                  kd2m_objective_create(&objective, loss, opened->student, opened->graph,
                                        opened->teacher, 0));
    assert_null(objective);
    EXPECT_MESSAGE(opened->context, message);
}

char *fixture_read(const char *folder, const char *name, size_t *size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = calloc(1, 1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (1 << 20) - 1, file);
    fclose(file);
    return bytes;
}

void fixture_expect_same_model(const char *a, const char *b) {
    size_t size_a, size_b;
    char *first = fixture_read(a, "model.safetensors", &size_a);
    char *second = fixture_read(b, "model.safetensors", &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(first, second, size_a);
    free(first);
    free(second);
}
