/*
 * Training is right: on MNIST the losses of 50 steps agree with PyTorch's, step by step, from the
 * same weights and batches (tools/golden_training.py has the other side of the formulas).
 */
#include "opening.h"
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_file.h"
#include "objective.h"
#include "optimizer.h"
#include "zoo.h"

#define STEPS 50
#define BATCH 128
#define TEACHER "mlp:784-512-256-128-128-128-10"
#define STUDENT "mlp:784-64-10"

static kd2m_context *context;
static kd2m_dataset *dataset;
static kd2m_normalisation normalisation;
static char teacher_path[256];

/* Weight matrices by formula, one stream each; biases 0. */
static void fill(kd2m_net *net, unsigned stream) {
    size_t count;
    kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    for (size_t i = 0; i < count; i++) {
        size_t size =
            parameters[i].shape[0] * (parameters[i].dims > 1 ? parameters[i].shape[1] : 1);
        float *plain = calloc(size, sizeof *plain);
        assert_non_null(plain);
        if (parameters[i].dims > 1) {
            float bound = (float)sqrt(6.0 / (double)parameters[i].shape[1]);
            for (size_t k = 0; k < size; k++)
                plain[k] = testing_hashed(k, stream) * bound;
            stream++;
        }
        EXPECT_OK(context, kd2m_net_from_plain(net, i, plain, parameters[i].values));
        free(plain);
    }
}

static kd2m_graph *build(const char *architecture) {
    const size_t shape[3] = {1, 28, 28};
    kd2m_graph *graph;
    EXPECT_OK(context, kd2m_zoo_build(&graph, context, architecture, 3, shape, 10));
    return graph;
}

static void write_teacher(void) {
    kd2m_graph *graph = build(TEACHER);
    kd2m_net *net;
    kd2m_tensors *tensors;
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 1, KD2M_NET_INFERENCE, false));
    fill(net, 11);
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context, kd2m_net_store(net, tensors));
    EXPECT_OK(context, kd2m_model_file_write(teacher_path, graph, tensors, &normalisation));
    kd2m_tensors_free(tensors);
    kd2m_net_free(net);
    kd2m_graph_free(graph);
}

/* The golden losses under '# NAME'. */
static void read_golden(const char *name, double losses[STEPS]) {
    char line[128], wanted[128];
    FILE *file = fopen(KD2M_TEST_SOURCE "/golden/training/mnist.txt", "r");
    assert_non_null(file);
    snprintf(wanted, sizeof wanted, "# %s\n", name);
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = strcmp(line, wanted) == 0;
    for (int i = 0; found && i < STEPS; i++) {
        found = fgets(line, sizeof line, file) != NULL;
        losses[i] = strtod(line, NULL);
    }
    fclose(file);
    assert_true(found);
}

static void check(const char *name, const char *architecture, const char *loss_text, double lr) {
    double golden[STEPS];
    kd2m_loss *loss;
    kd2m_objective *objective;
    kd2m_optimizer *optimizer;
    kd2m_teacher *teacher;
    kd2m_net *nets[2];
    const char *const names[2] = {"student", "projector0"};
    size_t count = 1;
    static float values[BATCH * 784];
    int32_t labels[BATCH];
    kd2m_graph *graph = build(architecture);
    read_golden(name, golden);
    EXPECT_OK(context, kd2m_net_create(&nets[0], context, graph, BATCH, KD2M_NET_TRAINING, false));
    fill(nets[0], 1);
    EXPECT_OK(context,
              kd2m_teacher_open(&teacher, context, teacher_path, dataset, &normalisation, BATCH));
    EXPECT_OK(context, kd2m_loss_parse(&loss, context, loss_text));
    EXPECT_OK(context, kd2m_objective_create(&objective, loss, nets[0], graph, teacher, 0));
    if (objective->match_count > 0) {
        nets[count++] = objective->matches[0].projector;
        fill(nets[1], 31);
    }
    const kd2m_optimizer_settings settings = {
        .kind = KD2M_SGD, .momentum = 0.9, .weight_decay = 1e-4};
    EXPECT_OK(context, kd2m_optimizer_create(&optimizer, context, &settings, nets, names, count));
    const kd2m_schedule schedule = {.kind = KD2M_SCHEDULE_COSINE, .lr = lr, .total_steps = STEPS};
    for (size_t step = 0; step < STEPS; step++) {
        for (size_t i = 0; i < BATCH; i++)
            kd2m_dataset_fetch(dataset, KD2M_TRAIN, (step * BATCH + i) * 7919 % 60000,
                               &normalisation, values + 784 * i, &labels[i]);
        const kd2m_batch batch = {.rows = BATCH, .values = values, .labels = labels};
        EXPECT_OK(context, kd2m_objective_step(objective, &batch, false));
        EXPECT_CLOSE(golden[step], objective->value, 1e-4, 0);
        EXPECT_OK(context, kd2m_optimizer_step(optimizer, kd2m_schedule_at(&schedule, step)));
    }
    kd2m_optimizer_free(optimizer);
    kd2m_objective_free(objective);
    kd2m_teacher_free(teacher);
    kd2m_net_free(nets[0]);
    kd2m_graph_free(graph);
}

static void test_teacher(void **state) {
    (void)state;
    check("teacher ce", TEACHER, "ce",
          0.01); /* at 0.05 rounding alone parts the paths: see the tool */
}

static void test_student(void **state) {
    (void)state;
    check("student ce", STUDENT, "ce", 0.05);
}

static void test_kd(void **state) {
    (void)state;
    check("student ce+kd", STUDENT, "ce + kd:T=4", 0.05);
}

static void test_w2(void **state) {
    (void)state;
    check("student ce+0.005*w2", STUDENT, "ce + 0.005*w2@features", 0.05);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_teacher),
        cmocka_unit_test(test_student),
        cmocka_unit_test(test_kd),
        cmocka_unit_test(test_w2),
    };
    const char *folder = testing_data("mnist");
    char spec[4096];
    if (!folder)
        return TESTING_SKIPPED;
    snprintf(spec, sizeof spec, "idx:\"%s\"", folder);
    snprintf(teacher_path, sizeof teacher_path, "%s/teacher.safetensors", testing_folder());
    context = testing_context(0);
    EXPECT_OK(context, testing_open(&dataset, context, spec, 0, 0));
    EXPECT_OK(context, kd2m_normalisation_create(&normalisation, context, 1));
    normalisation.mean[0] = 0.1307F;
    normalisation.scale[0] = (float)(1 / 0.3081);
    write_teacher();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_normalisation_clear(context, &normalisation);
    kd2m_dataset_free(dataset);
    kd2m_context_free(context);
    return failed;
}
