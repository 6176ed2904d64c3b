/* Model files: all of a model comes back, other files are told apart. */
#include "testing.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "model_file.h"

#define CHANNELS 4

static const float means[CHANNELS] = {0.1f, -1e-30f, FLT_MAX, 123.456789f};
static const float scales[CHANNELS] = {1.0f / 3, 1e30f, FLT_MIN, 1.0f};

/* A graph of one linear map, and its tensors. */
static kd2m_status make(kd2m_graph **graph, kd2m_tensors **tensors, kd2m_context *context) {
    size_t node = 0;
    kd2m_tensor *tensor = NULL;
    *graph = NULL;
    *tensors = NULL;
    kd2m_status status = kd2m_graph_create(graph, context, "mlp:4-2", 1, (size_t[3]){CHANNELS}, 2);
    if (status == KD2M_OK)
        status = kd2m_graph_add(*graph, &node, "linear", "classifier", 0);
    if (status == KD2M_OK)
        status = kd2m_graph_set(*graph, node, "out", 2);
    if (status == KD2M_OK)
        status = kd2m_tensors_create(tensors, context);
    if (status == KD2M_OK)
        status = kd2m_tensors_add(*tensors, &tensor, "classifier.weight", KD2M_TENSOR_F32, 2,
                                  (size_t[]){2, CHANNELS});
    if (status != KD2M_OK)
        return status;
    (*graph)->logits = node;
    for (size_t i = 0; i < tensor->count; i++)
        ((float *)tensor->values)[i] = (float)i / 7;
    return KD2M_OK;
}

static kd2m_status write_model(kd2m_context *context, const char *path) {
    kd2m_graph *graph;
    kd2m_tensors *tensors;
    float mean[CHANNELS], scale[CHANNELS];
    memcpy(mean, means, sizeof mean);
    memcpy(scale, scales, sizeof scale);
    const kd2m_normalisation normalisation = {CHANNELS, mean, scale};
    kd2m_status status = make(&graph, &tensors, context);
    if (status == KD2M_OK)
        status = kd2m_model_file_write(path, graph, tensors, &normalisation);
    kd2m_graph_free(graph);
    kd2m_tensors_free(tensors);
    return status;
}

static void expect_model(kd2m_context *context, const char *path) {
    kd2m_model_file *file = NULL;
    kd2m_tensor *tensor;
    EXPECT_OK(context, kd2m_model_file_read(&file, context, path));
    assert_string_equal(file->graph->architecture, "mlp:4-2");
    assert_int_equal(file->graph->logits, 1);
    assert_int_equal(file->normalisation.channels, CHANNELS);
    assert_memory_equal(file->normalisation.mean, means, sizeof means);
    assert_memory_equal(file->normalisation.scale, scales, sizeof scales);
    EXPECT_OK(context, kd2m_tensors_expect(file->tensors, &tensor, "classifier.weight",
                                           KD2M_TENSOR_F32, 2, (size_t[]){2, CHANNELS}));
    for (size_t i = 0; i < tensor->count; i++)
        assert_true(((float *)tensor->values)[i] == (float)i / 7);
    kd2m_model_file_free(file);
}

static void keeps_the_transform(void **state) {
    static const char *const chains[] = {NULL, "", "detrend:order=0+envelope-spectrum"};
    kd2m_context *context = testing_context(1);
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/x.safetensors", testing_folder());
    for (size_t i = 0; i < 3; i++) {
        kd2m_model_file *file = NULL;
        EXPECT_OK(context, write_model(context, path));
        EXPECT_OK(context, kd2m_model_file_read(&file, context, path));
        assert_string_equal("", file->transform);
        EXPECT_OK(context, kd2m_model_file_set_transform(file->tensors, chains[i]));
        EXPECT_OK(context,
                  kd2m_model_file_write(path, file->graph, file->tensors, &file->normalisation));
        kd2m_model_file_free(file);
        EXPECT_OK(context, kd2m_model_file_read(&file, context, path));
        assert_string_equal(chains[i] ? chains[i] : "", file->transform);
        kd2m_model_file_free(file);
    }
    kd2m_context_free(context);
}

static void comes_back_from_file_and_folder(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    const char *folder = testing_folder();
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    EXPECT_OK(context, write_model(context, path));
    expect_model(context, path);
    expect_model(context, folder);
    kd2m_model_file *file = NULL;
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_model_file_read(&file, context, testing_folder()));
    EXPECT_MESSAGE(context, "model.safetensors");
    assert_null(file);
    kd2m_context_free(context);
}

static void tells_what_is_no_model(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_model_file *file = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/x.safetensors", testing_folder());
    const struct {
        const char *key, *value, *message;
    } cases[] = {
        {"kd2m.graph", NULL, "not a kd2m model (no kd2m.graph in its metadata)"},
        {"kd2m.normalisation", NULL, "not a kd2m model (no kd2m.normalisation in its metadata)"},
        {"kd2m.format", NULL, "reads format 1"},
        {"kd2m.format", "2", "model format '2', this version reads format 1"},
        {"kd2m.graph", "{", "kd2m.graph"},
        {"kd2m.graph", "{}", "'format' is missing"},
        {"kd2m.normalisation", "nonsense", "kd2m.normalisation"},
        {"kd2m.normalisation", "[]", "'mean' must be a list of 4"},
        {"kd2m.normalisation", "{\"mean\":[1,2,3],\"scale\":[1,1,1,1]}",
         "'mean' must be a list of 4"},
        {"kd2m.normalisation", "{\"mean\":[1,2,3,4],\"scale\":[1,1,1,1e39]}",
         "'scale' has no finite number for channel 3"},
        {"kd2m.normalisation", "{\"mean\":[1,2,null,4],\"scale\":[1,1,1,1]}",
         "'mean' has no finite number for channel 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kd2m_tensors *tensors = NULL;
        EXPECT_OK(context, write_model(context, path));
        EXPECT_OK(context, kd2m_tensors_read(&tensors, context, path));
        if (cases[i].value)
            EXPECT_OK(context, kd2m_tensors_set_text(tensors, cases[i].key, cases[i].value));
        else
            json_object_del(tensors->metadata, cases[i].key);
        EXPECT_OK(context, kd2m_tensors_write(tensors, path));
        kd2m_tensors_free(tensors);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_model_file_read(&file, context, path));
        assert_null(file);
        EXPECT_MESSAGE(context, path);
        EXPECT_MESSAGE(context, cases[i].message);
    }
    kd2m_context_free(context);
}

static void survives_failing_memory(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/x.safetensors", testing_folder());
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t k = 0; status != KD2M_OK; k++) {
        kd2m_context *context = testing_failing_context(k);
        kd2m_model_file *file = NULL;
        status = write_model(context, path);
        if (status == KD2M_OK)
            status = kd2m_model_file_read(&file, context, path);
        if (status != KD2M_OK) {
            EXPECT_STATUS(context, KD2M_ERROR_MEMORY, status);
            assert_null(file);
        }
        kd2m_model_file_free(file);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_transform),
        cmocka_unit_test(comes_back_from_file_and_folder),
        cmocka_unit_test(tells_what_is_no_model),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
