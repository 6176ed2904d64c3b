/* Models through the public header: written here, opened again, run beside the net they hold. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd2m/model.h"
#include "model_file.h"
#include "net.h"
#include "rng.h"
#include "zoo.h"

#define CHANNELS 2
#define LENGTH 80
#define SAMPLE (CHANNELS * LENGTH)
#define CLASSES 5
#define MOST_ROWS 600

static const char cnn[] = "cnn1d:width=0.1";
static const char mlp[] = "mlp:160-7-5";

/* A net with weights by seed, its graph and normalisation, written to `path`. */
typedef struct original {
    kd2m_graph *graph;
    kd2m_net *net; /* for one row */
    float mean[CHANNELS], scale[CHANNELS];
} original;

static original make(kd2m_context *context, const char *path, const char *spec) {
    original made = {.mean = {1.5f, -20}, .scale = {2, 0.1f}};
    kd2m_tensors *tensors = NULL;
    kd2m_normalisation normalisation = {CHANNELS, made.mean, made.scale};
    EXPECT_OK(context, kd2m_zoo_build(&made.graph, context, spec, 2, (size_t[3]){CHANNELS, LENGTH},
                                      CLASSES));
    EXPECT_OK(context,
              kd2m_net_create(&made.net, context, made.graph, 1, KD2M_NET_INFERENCE, false));
    EXPECT_OK(context, kd2m_net_initialise(made.net, 9));
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context, kd2m_net_store(made.net, tensors));
    EXPECT_OK(context, kd2m_model_file_write(path, made.graph, tensors, &normalisation));
    kd2m_tensors_free(tensors);
    return made;
}

static void free_original(original *made) {
    kd2m_net_free(made->net);
    kd2m_graph_free(made->graph);
}

static float *random_rows(size_t rows) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, 4, KD2M_STREAM_TEST, 0);
    float *values = malloc(rows * SAMPLE * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < rows * SAMPLE; i++)
        values[i] = (float)(1.5 + kd2m_rng_normal(&rng));
    return values;
}

/* One row through the net itself, normalised as the formula says. */
static void run_original(kd2m_context *context, const original *made, const float *values,
                         float *logits, float *features) {
    float input[SAMPLE];
    for (size_t i = 0; i < SAMPLE; i++)
        input[i] = (values[i] - made->mean[i / LENGTH]) * made->scale[i / LENGTH];
    EXPECT_OK(context, kd2m_net_forward(made->net, input));
    EXPECT_OK(context, kd2m_net_read(made->net, made->graph->logits, logits, CLASSES));
    EXPECT_OK(context, kd2m_net_read(made->net, made->graph->features, features,
                                     kd2m_net_width(made->net, made->graph->features)));
}

static void predicts_as_the_net_does(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    kd2m_model *model = NULL;
    kd2m_model_info info;
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", testing_folder());
    original made = make(context, path, cnn);
    EXPECT_OK(context, kd2m_model_open(&model, context, path));
    kd2m_model_describe(model, &info);
    float *values = random_rows(MOST_ROWS);
    float *logits = malloc(MOST_ROWS * CLASSES * sizeof *logits);
    float *features = malloc(MOST_ROWS * info.features * sizeof *features);
    float *want = malloc((CLASSES + info.features) * sizeof *want);
    assert_true(logits && features && want);
    const size_t rows[] = {1, 2, 3, 64, 100, 256, 257, MOST_ROWS, 1};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        memset(logits, 0xff, MOST_ROWS * CLASSES * sizeof *logits);
        memset(features, 0xff, MOST_ROWS * info.features * sizeof *features);
        EXPECT_OK(context, kd2m_model_predict(model, values, rows[r], logits, features));
        for (size_t i = 0; i < rows[r]; i++) {
            run_original(context, &made, values + i * SAMPLE, want, want + CLASSES);
            for (size_t k = 0; k < CLASSES; k++)
                EXPECT_CLOSE((double)want[k], (double)logits[i * CLASSES + k], 1e-5, 1e-5);
            for (size_t k = 0; k < info.features; k++)
                EXPECT_CLOSE((double)want[CLASSES + k], (double)features[i * info.features + k],
                             1e-5, 1e-5);
        }
        if (rows[r] < MOST_ROWS) /* nothing behind the last row */
            assert_true(isnan(logits[rows[r] * CLASSES]) &&
                        isnan(features[rows[r] * info.features]));
    }
    EXPECT_OK(context, kd2m_model_predict(model, values, 0, logits, features));
    EXPECT_OK(context, kd2m_model_predict(model, values, 3, NULL, NULL));
    free(values);
    free(logits);
    free(features);
    free(want);
    free_original(&made);
    kd2m_model_free(model);
    kd2m_context_free(context);
}

static void describes_itself(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_model *model = NULL;
    kd2m_model_info info;
    kd2m_table *table = NULL;
    char *text = NULL;
    char path[128];
    const char *folder = testing_folder();
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    original made = make(context, path, cnn);
    EXPECT_OK(context, kd2m_model_open(&model, context, folder));
    kd2m_model_describe(model, &info);
    assert_string_equal(info.architecture, cnn);
    assert_int_equal(info.dims, 2);
    assert_int_equal(info.shape[0], CHANNELS);
    assert_int_equal(info.shape[1], LENGTH);
    assert_int_equal(info.sample_size, SAMPLE);
    assert_int_equal(info.classes, CLASSES);
    assert_int_equal(info.features, 26); /* 256 x 0.1 */
    assert_int_equal(info.parameters, kd2m_net_parameter_total(made.net));
    EXPECT_OK(context, kd2m_model_table(&table, model));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    const char *const parts[] = {"conv1",
                                 "batch_norm",
                                 "2 x 80",
                                 "3 x 10",
                                 "384",
                                 "global_pool",
                                 "135",
                                 "features: global_pool",
                                 "logits: classifier"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("no '%s' in\n%s", parts[i], text);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    free_original(&made);
    kd2m_model_free(model);
    kd2m_context_free(context);
}

/* Reads the model at `path`, changes it, writes it back, and expects it to be refused. */
static void expect_refused(kd2m_context *context, const char *path,
                           void (*change)(kd2m_model_file *file), const char *message) {
    kd2m_model *model = NULL;
    kd2m_model_file *file = NULL;
    EXPECT_OK(context, kd2m_model_file_read(&file, context, path));
    change(file);
    EXPECT_OK(context,
              kd2m_model_file_write(path, file->graph, file->tensors, &file->normalisation));
    kd2m_model_file_free(file);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_model_open(&model, context, path));
    assert_null(model);
    EXPECT_MESSAGE(context, path);
    EXPECT_MESSAGE(context, message);
}

static void swap_sides(kd2m_model_file *file) {
    kd2m_tensor *tensor = kd2m_tensors_find(file->tensors, "classifier.weight");
    size_t out = tensor->shape[0];
    tensor->shape[0] = tensor->shape[1];
    tensor->shape[1] = out;
}

static void change_operator(kd2m_model_file *file) {
    strcpy(file->graph->nodes[1].op, "convolve");
}

static void move_logits(kd2m_model_file *file) {
    file->graph->logits = file->graph->features;
}

static void shorten(kd2m_model_file *file) {
    file->graph->shape[1] = 2;
}

/* Weights and activations of gigabytes, that the file does not have. */
static void claim_weights(kd2m_model_file *file) {
    file->graph->nodes[file->graph->logits].attributes[0].value = 15000000;
    file->graph->classes = 15000000;
}

static void claim_activations(kd2m_model_file *file) {
    file->graph->shape[1] = 1000000000;
}

static void tells_what_is_wrong_with_a_model(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", testing_folder());
    const struct {
        void (*change)(kd2m_model_file *file);
        const char *message;
    } cases[] = {
        {swap_sides, "tensor 'classifier.weight' is 26 x 5 F32, it must be 5 x 26 F32"},
        {change_operator, "convolve"},
        {move_logits, "its logits have 26 values for 5 classes"},
        {shorten, "conv1"},
        {claim_weights, "it must be 15000000 x 26 F32"},
        {claim_activations, "more than 268435456 values a sample"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        original made = make(context, path, cnn);
        expect_refused(context, path, cases[i].change, cases[i].message);
        free_original(&made);
    }
    kd2m_context_free(context);
}

static int stop(void *user) {
    return *(int *)user;
}

static void can_be_interrupted(void **state) {
    (void)state;
    int stopping = 0;
    kd2m_context_settings settings;
    kd2m_context_settings_default(&settings);
    settings.interrupted = stop;
    settings.user = &stopping;
    kd2m_context *context = NULL;
    assert_int_equal(kd2m_context_create(&context, &settings), KD2M_OK);
    kd2m_model *model = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", testing_folder());
    original made = make(context, path, cnn);
    float *values = random_rows(1);
    float logits[CLASSES];
    EXPECT_OK(context, kd2m_model_open(&model, context, path));
    stopping = 1;
    EXPECT_STATUS(context, KD2M_ERROR_INTERRUPTED,
                  kd2m_model_predict(model, values, 1, logits, NULL));
    free(values);
    free_original(&made);
    kd2m_model_free(model);
    kd2m_context_free(context);
}

static void a_second_call_allocates_nothing(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", testing_folder());
    kd2m_context *plain = testing_context(1);
    original made = make(plain, path, cnn);
    float *values = random_rows(300);
    float *logits = malloc(300 * CLASSES * sizeof *logits);
    assert_non_null(logits);
    kd2m_context *context = testing_failing_context(SIZE_MAX);
    kd2m_model *model = NULL;
    EXPECT_OK(context, kd2m_model_open(&model, context, path));
    EXPECT_OK(context, kd2m_model_predict(model, values, 300, logits, NULL));
    EXPECT_OK(context, kd2m_model_predict(model, values, 20, logits, NULL));
    size_t before = testing_allocations();
    EXPECT_OK(context, kd2m_model_predict(model, values, 300, logits, NULL));
    EXPECT_OK(context, kd2m_model_predict(model, values, 20, logits, NULL));
    assert_int_equal(testing_allocations(), before);
    kd2m_model_free(model);
    assert_int_equal(testing_live(), 0);
    kd2m_context_free(context);
    free(values);
    free(logits);
    free_original(&made);
    kd2m_context_free(plain);
}

static void survives_failing_memory(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", testing_folder());
    kd2m_context *plain = testing_context(1);
    original made = make(plain, path, mlp);
    float *values = random_rows(3);
    float logits[3 * CLASSES];
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t k = 0; status != KD2M_OK; k++) {
        kd2m_context *context = testing_failing_context(k);
        kd2m_model *model = NULL;
        kd2m_table *table = NULL;
        status = kd2m_model_open(&model, context, path);
        assert_true((status == KD2M_OK) == (model != NULL));
        if (status == KD2M_OK)
            status = kd2m_model_table(&table, model);
        if (status == KD2M_OK)
            status = kd2m_model_predict(model, values, 3, logits, NULL);
        if (status != KD2M_OK)
            EXPECT_STATUS(context, KD2M_ERROR_MEMORY, status);
        kd2m_table_free(table);
        kd2m_model_free(model);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
    }
    free(values);
    free_original(&made);
    kd2m_context_free(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predicts_as_the_net_does),
        cmocka_unit_test(describes_itself),
        cmocka_unit_test(tells_what_is_wrong_with_a_model),
        cmocka_unit_test(can_be_interrupted),
        cmocka_unit_test(a_second_call_allocates_nothing),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
