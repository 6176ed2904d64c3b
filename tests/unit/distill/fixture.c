#include "fixture.h"
#include "opening.h"

#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "model_file.h"
#include "zoo.h"

void fixture_write_teacher(const char *path) {
    kd2m_context *context = testing_context(1);
    kd2m_dataset *dataset;
    kd2m_normalisation normalisation;
    kd2m_graph *graph;
    kd2m_net *net;
    kd2m_tensors *tensors;
    const size_t shape[3] = {1, 128, 0};
    EXPECT_OK(context, testing_open(&dataset, context, FIXTURE_DATA, 0, 0));
    EXPECT_OK(context, kd2m_dataset_measure(dataset, &normalisation));
    normalisation.mean[0] += 0.25F; /* normalised its own way, so that the input's map is used */
    normalisation.scale[0] *= 0.5F;
    EXPECT_OK(context, kd2m_zoo_build(&graph, context, "mlp:128-12-7", 2, shape, 7));
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

void fixture_open(fixture *out, kd2m_context *context, const char *teacher) {
    const size_t shape[3] = {1, 128, 0};
    kd2m_dataset_info info;
    *out = (fixture){.context = context};
    EXPECT_OK(context, testing_open(&out->dataset, context, FIXTURE_DATA, 0, 0));
    kd2m_dataset_describe(out->dataset, &info);
    EXPECT_OK(context, kd2m_dataset_measure(out->dataset, &out->normalisation));
    EXPECT_OK(context, kd2m_teacher_open(&out->teacher, context, teacher, out->dataset,
                                         &out->normalisation, FIXTURE_BATCH));
    EXPECT_OK(context, kd2m_zoo_build(&out->graph, context, "mlp:128-8-7", 2, shape, 7));
    EXPECT_OK(context, kd2m_net_create(&out->student, context, out->graph, FIXTURE_BATCH,
                                       KD2M_NET_TRAINING, false));
    kd2m_net_initialise(out->student, 3);
    out->values = malloc(FIXTURE_BATCH * info.sample_size * sizeof *out->values);
    assert_non_null(out->values);
    size_t step = info.rows[KD2M_TRAIN] / FIXTURE_BATCH;
    for (size_t i = 0; i < FIXTURE_BATCH; i++) {
        out->ids[i] = (uint32_t)(i * step);
        kd2m_dataset_fetch(out->dataset, KD2M_TRAIN, i * step, &out->normalisation,
                           out->values + i * info.sample_size, &out->labels[i]);
    }
    out->batch = (kd2m_batch){FIXTURE_BATCH, out->values, out->labels, out->ids, .columns = NULL};
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
