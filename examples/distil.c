/* Trains a teacher and a small student under it, then compares features of two sets of samples. */
#include <stdio.h>
#include <stdlib.h>

#include <kd2m/kd2m.h>

/* Features of the first `rows` test samples, rows x width; NULL on failure. */
static float *features_of(kd2m_context *context, const char *run, const kd2m_dataset *data,
                          size_t rows, size_t *width) {
    kd2m_model *model = NULL;
    kd2m_model_info info;
    float *features = NULL;
    if (kd2m_model_open(&model, context, run) != KD2M_OK)
        return NULL;
    kd2m_model_describe(model, &info);
    *width = info.features;
    float *values = malloc(rows * info.sample_size * sizeof *values);
    features = malloc(rows * info.features * sizeof *features);
    if (values && features &&
        (kd2m_dataset_read(data, KD2M_TEST, 0, rows, values, NULL) != KD2M_OK ||
         kd2m_model_predict(model, values, rows, NULL, features) != KD2M_OK)) {
        free(features);
        features = NULL;
    }
    free(values);
    kd2m_model_free(model);
    return features;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "runs/example";
    char teacher[1024], student[1024];
    kd2m_context *context = NULL;
    kd2m_train_settings settings;
    kd2m_data_settings data_settings;
    kd2m_run_result result;
    kd2m_dataset *data = NULL;
    kd2m_metric *metric = NULL;
    kd2m_metric_result distance;
    float *features = NULL;
    int failed = 1;
    size_t half = 70, width = 0;
    snprintf(teacher, sizeof teacher, "%s/teacher", folder);
    snprintf(student, sizeof student, "%s/student", folder);
    if (kd2m_context_create(&context, NULL) != KD2M_OK)
        return 1;

    kd2m_settings_default(kd2m_train_setting_list(), &settings);
    settings.data = "bearing:train=40,test=20";
    settings.model = "cnn1d:width=0.5";
    settings.epochs = 3;
    settings.batch_size = 32;
    if (kd2m_run(&result, context, teacher, &settings, KD2M_RUN_FORCE) != KD2M_OK)
        goto cleanup;
    printf("teacher: %zu parameters, accuracy %.3f\n", result.parameters, result.test_accuracy);

    settings.model = "cnn1d:width=0.25";
    settings.teacher = teacher;
    settings.loss = "ce + 1*kd:T=4 + 0.5*cond(w2)@features";
    if (kd2m_run(&result, context, student, &settings, KD2M_RUN_FORCE) != KD2M_OK)
        goto cleanup;
    printf("student: %zu parameters, accuracy %.3f\n", result.parameters, result.test_accuracy);

    kd2m_settings_default(kd2m_data_setting_list(), &data_settings);
    data_settings.data = settings.data;
    if (kd2m_dataset_open(&data, context, &data_settings) != KD2M_OK)
        goto cleanup;
    features = features_of(context, student, data, 2 * half, &width);
    if (!features || kd2m_metric_create(&metric, context, "w2") != KD2M_OK)
        goto cleanup;
    kd2m_sample a = {.rows = half, .dim = width, .features = features, .stride = width};
    kd2m_sample b = a;
    b.features = features + half * width;
    if (kd2m_metric_evaluate(metric, &a, &b, &distance, NULL) != KD2M_OK)
        goto cleanup;
    printf("w2 between two halves of the test features: %.4f (gap %.1e)\n", distance.value,
           distance.certificate.gap);

    failed = 0;
cleanup:
    if (failed)
        fprintf(stderr, "%s\n", kd2m_context_message(context));
    kd2m_metric_free(metric);
    kd2m_dataset_free(data);
    free(features);
    kd2m_context_free(context);
    return failed;
}
