/* The zoo: what its specs build, that the nets run, and what is said where they don't fit. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "zoo.h"

static kd2m_graph *build(kd2m_context *context, const char *spec, size_t dims,
                         const size_t shape[3], size_t classes) {
    kd2m_graph *graph = NULL;
    EXPECT_OK(context, kd2m_zoo_build(&graph, context, spec, dims, shape, classes));
    return graph;
}

/* Compiles the graph for training, runs it there and back, and counts its parameters. */
static size_t run(kd2m_context *context, const kd2m_graph *graph) {
    kd2m_net *net = NULL;
    size_t batch = 3;
    const int32_t labels[3] = {0};
    double loss = NAN;
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, batch, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_initialise(net, 1));
    size_t width = kd2m_net_width(net, 0);
    float *input = malloc(batch * width * sizeof *input);
    float *gradient = malloc(batch * graph->classes * sizeof *gradient);
    assert_true(input && gradient);
    for (size_t i = 0; i < batch * width; i++)
        input[i] = (float)(i % 17) / 17;
    assert_int_equal(kd2m_net_width(net, graph->logits), graph->classes);
    EXPECT_OK(context, kd2m_net_forward(net, input));
    EXPECT_OK(context, kd2m_net_cross_entropy(net, labels, batch, &loss, gradient));
    assert_true(isfinite(loss));
    kd2m_net_gradient_clear(net);
    EXPECT_OK(context, kd2m_net_gradient_add(net, graph->logits, gradient, 1));
    EXPECT_OK(context, kd2m_net_backward(net));
    size_t parameters = kd2m_net_parameter_total(net);
    free(input);
    free(gradient);
    kd2m_net_free(net);
    return parameters;
}

static void expect_layers(const kd2m_graph *graph, const char *const *names, size_t count) {
    assert_int_equal(graph->node_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(graph->nodes[i].name, names[i]);
}

static void mlp_has_the_widths_of_its_spec(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = build(context, "mlp:784-512-256-10", 1, (size_t[3]){784}, 10);
    const char *const names[] = {"input", "fc1", "relu1", "fc2", "relu2", "classifier"};
    expect_layers(graph, names, sizeof names / sizeof *names);
    assert_string_equal(graph->architecture, "mlp:784-512-256-10");
    assert_string_equal(graph->nodes[graph->features].name, "relu2");
    assert_string_equal(graph->nodes[graph->logits].name, "classifier");
    assert_int_equal(run(context, graph), 784 * 512 + 512 + 512 * 256 + 256 + 256 * 10 + 10);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void mlp_flattens_images(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = build(context, "mlp:12-5-3,width=0.5", 3, (size_t[3]){3, 2, 2}, 3);
    const char *const names[] = {"input", "flatten", "fc1", "relu1", "classifier"};
    expect_layers(graph, names, sizeof names / sizeof *names);
    assert_int_equal(run(context, graph), 12 * 3 + 3 + 3 * 3 + 3); /* 5 / 2 rounds to 3 */
    kd2m_graph_free(graph);

    graph = build(context, "mlp:12-5-3,width=0.001", 2, (size_t[3]){3, 4}, 3);
    assert_int_equal(run(context, graph), 12 + 1 + 3 + 3);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void mlp_without_hidden_layers_has_the_input_for_features(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = build(context, "mlp:12-3", 1, (size_t[3]){12}, 3);
    assert_int_equal(graph->features, 0);
    assert_int_equal(run(context, graph), 12 * 3 + 3);
    kd2m_graph_free(graph);
    graph = build(context, "mlp:12-3", 2, (size_t[3]){3, 4}, 3);
    assert_string_equal(graph->nodes[graph->features].name, "flatten");
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void cnn1d_student_is_ten_times_smaller(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    kd2m_graph *teacher = build(context, "cnn1d", 2, (size_t[3]){1, 1024}, 7);
    kd2m_graph *student = build(context, "cnn1d:width=0.25", 2, (size_t[3]){1, 1024}, 7);
    assert_string_equal(teacher->nodes[teacher->features].name, "global_pool");
    assert_string_equal(student->architecture, "cnn1d:width=0.25");
    size_t large = run(context, teacher), small = run(context, student);
    const char *const names[] = {"input", "conv1", "bn1", "pool1",       "conv2",     "bn2",
                                 "pool2", "conv3", "bn3", "pool3",       "conv4",     "bn4",
                                 "pool4", "conv5", "bn5", "global_pool", "classifier"};
    expect_layers(teacher, names, sizeof names / sizeof *names);
    assert_int_equal(kd2m_node_get(&teacher->nodes[2], "relu", 0), 1);
    /* convolutions, two numbers a channel for batch norm, the classifier */
    size_t want = 64 * 32 + 3 * (32 * 64 + 64 * 128 + 128 * 256 + 256 * 256) +
                  2 * (32 + 64 + 128 + 256 + 256) + 256 * 7 + 7;
    assert_int_equal(large, want);
    assert_true(large >= 10 * small);
    kd2m_graph_free(teacher);
    kd2m_graph_free(student);
    kd2m_context_free(context);
}

static void resnets_have_the_parameters_of_their_papers(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    static const struct {
        const char *spec;
        size_t parameters; /* PyTorch's count */
    } nets[] = {
        {"resnet8", 78042},
        {"resnet20", 272474},
        {"resnet32", 466906},
        {"resnet56", 855770},
        {"resnet20:width=0.5", 68786},
        {"resnet18", 11181642},
        {"resnet18:stem=cifar", 11173962},
        {"resnet34", 21289802},
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        kd2m_graph *graph = build(context, nets[i].spec, 3, (size_t[3]){3, 32, 32}, 10);
        size_t stage;
        EXPECT_OK(context, kd2m_graph_find(graph, "stage3", &stage));
        assert_string_equal(graph->nodes[stage].op, "add");
        assert_string_equal(graph->nodes[graph->features].name, "global_pool");
        assert_int_equal(run(context, graph), nets[i].parameters);
        kd2m_graph_free(graph);
    }
    kd2m_context_free(context);
}

static void resnets_take_images_of_any_size_and_depth(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    static const size_t shapes[][3] = {{1, 28, 28}, {3, 5, 7}, {2, 1, 1}, {4, 2, 40}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        kd2m_graph *graph = build(context, "resnet8:width=0.5", 3, shapes[i], 3);
        run(context, graph);
        kd2m_graph_free(graph);
        graph = build(context, "resnet18:width=0.1", 3, shapes[i], 3);
        run(context, graph);
        kd2m_graph_free(graph);
    }
    kd2m_graph *graph;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_zoo_build(&graph, context, "resnet8", 2, (size_t[3]){1, 64}, 3));
    EXPECT_MESSAGE(context, "takes images");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_zoo_build(&graph, context, "resnet8:stem=big", 3, shapes[0], 3));
    EXPECT_MESSAGE(context, "stem=big is neither");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_zoo_build(&graph, context, "resnet21", 3, shapes[0], 3));
    EXPECT_MESSAGE(context, "resnet8, resnet18");
    kd2m_context_free(context);
}

static void cnn1d_takes_signals_of_any_length_from_64(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    const size_t lengths[] = {64, 65, 71, 100, 127, 200, 333, 512, 1000, 2048};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        kd2m_graph *graph = build(context, "cnn1d:width=0.1", 2, (size_t[3]){2, lengths[i]}, 4);
        run(context, graph);
        kd2m_graph_free(graph);
    }
    kd2m_graph *graph = build(context, "cnn1d:width=0.001", 2, (size_t[3]){1, 64}, 2);
    run(context, graph);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void projector_is_one_linear_map(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = NULL;
    EXPECT_OK(context, kd2m_zoo_projector(&graph, context, 6, 11));
    const char *const names[] = {"input", "projector"};
    expect_layers(graph, names, 2);
    assert_int_equal(run(context, graph), 66);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void says_what_does_not_fit(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    const struct {
        const char *spec;
        size_t dims, shape[3], classes;
        const char *message;
    } cases[] = {
        {"mlp:784-10", 3, {1, 28, 27}, 10, "has 1 x 28 x 27 = 756 values"},
        {"mlp:784-10", 1, {783}, 10, "first width is 784, but a sample of the data has 783 values"},
        {"mlp:784-64-10", 1, {784}, 7, "last width is 10, but the data has 7 classes"},
        {"mlp", 1, {4}, 2, "mlp:784-64-10"},
        {"mlp:4", 1, {4}, 4, "one width"},
        {"mlp:4-", 1, {4}, 2, "no list of widths"},
        {"mlp:-4-2", 1, {4}, 2, "no list of widths"},
        {"mlp:4--2", 1, {4}, 2, "no list of widths"},
        {"mlp:4-0-2", 1, {4}, 2, "no list of widths"},
        {"mlp:4-x-2", 1, {4}, 2, "no list of widths"},
        {"mlp:4- 3-2", 1, {4}, 2, "no list of widths"},
        {"mlp:4-99999999999999999999-2", 1, {4}, 2, "no list of widths"},
        {"mlp:4-3-2,width=0", 1, {4}, 2, "width"},
        {"mlp:4-3-2,width=nan", 1, {4}, 2, "width"},
        {"mlp:4-3-2,depth=3", 1, {4}, 2, "depth"},
        {"mlp(cnn1d)", 1, {4}, 2, "parentheses"},
        {"mpl:4-2", 1, {4}, 2, "did you mean 'mlp'"},
        {"", 1, {4}, 2, ""},
        {"cnn1d", 1, {1024}, 2, "signals (channels x length), but the data's samples have 1 dim"},
        {"cnn1d", 3, {1, 28, 28}, 2, "have 3 dimensions"},
        {"cnn1d", 2, {3, 63}, 2, "64 points or more, but the data's have 3 x 63"},
        {"cnn1d:0.25", 2, {1, 1024}, 2, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kd2m_graph *graph = NULL;
        kd2m_status status = kd2m_zoo_build(&graph, context, cases[i].spec, cases[i].dims,
                                            cases[i].shape, cases[i].classes);
        if (status == KD2M_OK)
            print_error("accepted: %s\n", cases[i].spec);
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, status);
        assert_null(graph);
        EXPECT_MESSAGE(context, cases[i].message);
    }
    kd2m_context_free(context);
}

/* More layers than a graph may have. */
static void refuses_very_deep_specs(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = NULL;
    char spec[9000] = "mlp:4";
    size_t length = strlen(spec);
    for (int i = 0; i < 2000; i++)
        length += (size_t)snprintf(spec + length, sizeof spec - length, "-4");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_zoo_build(&graph, context, spec, 1, (size_t[3]){4}, 4));
    EXPECT_MESSAGE(context, "at most 1024");
    kd2m_context_free(context);
}

static void survives_failing_memory(void **state) {
    (void)state;
    const struct {
        const char *spec;
        size_t dims, shape[3];
    } nets[] = {{"mlp:64-9-5-2,width=2", 2, {1, 64}},
                {"cnn1d:width=0.1", 2, {1, 64}},
                {"resnet8:width=0.1,stem=imagenet", 3, {3, 8, 8}}};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        kd2m_status status = KD2M_ERROR_MEMORY;
        for (size_t k = 0; status != KD2M_OK; k++) {
            kd2m_context *context = testing_failing_context(k);
            kd2m_graph *graph = NULL, *projector = NULL;
            status = kd2m_zoo_build(&graph, context, nets[i].spec, nets[i].dims, nets[i].shape, 2);
            if (status == KD2M_OK)
                status = kd2m_zoo_projector(&projector, context, 2, 3);
            if (status != KD2M_OK)
                EXPECT_STATUS(context, KD2M_ERROR_MEMORY, status);
            kd2m_graph_free(graph);
            kd2m_graph_free(projector);
            assert_int_equal(testing_live(), 0);
            kd2m_context_free(context);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mlp_has_the_widths_of_its_spec),
        cmocka_unit_test(mlp_flattens_images),
        cmocka_unit_test(mlp_without_hidden_layers_has_the_input_for_features),
        cmocka_unit_test(cnn1d_student_is_ten_times_smaller),
        cmocka_unit_test(cnn1d_takes_signals_of_any_length_from_64),
        cmocka_unit_test(resnets_have_the_parameters_of_their_papers),
        cmocka_unit_test(resnets_take_images_of_any_size_and_depth),
        cmocka_unit_test(projector_is_one_linear_map),
        cmocka_unit_test(says_what_does_not_fit),
        cmocka_unit_test(refuses_very_deep_specs),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
