/* kd2m predict: runs a model on the samples of a .npy file. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

typedef struct predict_options {
    const char *model;
    const char *input;
    const char *logits;
    const char *features;
} predict_options;

enum { KEY_LOGITS = 1, KEY_FEATURES };

static const struct argp_option options[] = {
    {"logits", KEY_LOGITS, "FILE.npy", 0, "Write the logits, rows x classes", 1},
    {"features", KEY_FEATURES, "FILE.npy", 0, "Write the features, rows x width", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    predict_options *given = state->input;
    switch (key) {
    case KEY_LOGITS:
        given->logits = text;
        return 0;
    case KEY_FEATURES:
        given->features = text;
        return 0;
    case ARGP_KEY_ARG:
        if (given->input)
            argp_error(state, "'%s' is one argument too many", text);
        *(given->model ? &given->input : &given->model) = text;
        return 0;
    case ARGP_KEY_END:
        if (!given->input)
            argp_error(state, "a run folder or model file and a .npy file are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The most likely class and its softmax probability. */
static size_t best_class(const float *logits, size_t classes, double *probability) {
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
        if (logits[c] > logits[best])
            best = c;
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
        sum += exp((double)logits[c] - logits[best]);
    *probability = 1 / sum;
    return best;
}

static kd2m_status print_classes(kd2m_context *context, const float *logits, size_t rows,
                                 size_t classes, int json) {
    kd2m_table *table;
    kd2m_status status = kd2m_table_create(&table, context, "predictions");
    if (status == KD2M_OK)
        status = kd2m_table_add_column(table, "row", "row", KD2M_COLUMN_INTEGER, 0);
    if (status == KD2M_OK)
        status = kd2m_table_add_column(table, "class", "class", KD2M_COLUMN_INTEGER, 0);
    if (status == KD2M_OK)
        status = kd2m_table_add_column(table, "probability", "probability", KD2M_COLUMN_REAL, 4);
    for (size_t i = 0; status == KD2M_OK && i < rows; i++) {
        double probability;
        size_t best = best_class(logits + i * classes, classes, &probability);
        status = kd2m_table_add_row(table);
        if (status == KD2M_OK)
            status = kd2m_table_set_integer(table, "row", (int64_t)i);
        if (status == KD2M_OK)
            status = kd2m_table_set_integer(table, "class", (int64_t)best);
        if (status == KD2M_OK)
            status = kd2m_table_set_real(table, "probability", probability);
    }
    if (status == KD2M_OK)
        return cli_print_table(context, table, json);
    kd2m_table_free(table);
    return status;
}

/* Values as the model takes them: 8-bit and integer inputs become floats. */
static float *as_floats(const kd2m_array *array) {
    float *values = malloc(array->count * sizeof *values);
    for (size_t i = 0; values && i < array->count; i++)
        values[i] = array->element == KD2M_FLOAT32 ? ((const float *)array->values)[i]
                    : array->element == KD2M_UINT8 ? (float)((const uint8_t *)array->values)[i]
                                                   : (float)((const int32_t *)array->values)[i];
    return values;
}

static kd2m_status write_rows(kd2m_context *context, float *values, size_t rows, size_t width,
                              const char *path) {
    const kd2m_array array = {KD2M_FLOAT32, 2, {rows, width}, rows * width, values};
    return kd2m_array_write(context, &array, path);
}

/* Replaces `values`, rows of the array's shape, by what comes out of the model's transform. Rows of
 * N x L are one channel where the model takes signals. */
static kd2m_status transform(kd2m_context *context, const kd2m_model_info *info,
                             const kd2m_array *array, float **values) {
    kd2m_chain *chain = NULL;
    kd2m_chain_info made;
    float *out = NULL;
    size_t rows = array->shape[0];
    const size_t signal[] = {1, array->shape[1]};
    bool one_channel = array->dims == 2 && info->dims == 2;
    kd2m_status status =
        kd2m_chain_open(&chain, context, info->transform, one_channel ? 2 : array->dims - 1,
                        one_channel ? signal : array->shape + 1);
    if (status != KD2M_OK)
        return status;
    kd2m_chain_describe(chain, &made);
    if (made.sample_size != info->sample_size)
        status = cli_fail(KD2M_ERROR_INPUT, "a row is %zu values behind '%s', the model takes %zu",
                          made.sample_size, info->transform, info->sample_size);
    else if (!(out = malloc(rows * made.sample_size * sizeof *out)))
        status = cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    else
        status = kd2m_chain_apply(chain, *values, rows, out);
    if (status == KD2M_OK) {
        free(*values);
        *values = out;
        out = NULL;
    }
    free(out);
    kd2m_chain_free(chain);
    return status;
}

static kd2m_status predict(kd2m_context *context, const predict_options *given, int json) {
    kd2m_model *model = NULL;
    kd2m_array array;
    float *values = NULL, *logits = NULL, *features = NULL;
    kd2m_model_info info;
    kd2m_status status = kd2m_array_read(&array, context, given->input);
    if (status != KD2M_OK)
        return status;
    if ((status = kd2m_model_open(&model, context, given->model)) != KD2M_OK)
        goto cleanup;
    kd2m_model_describe(model, &info);
    size_t rows = array.shape[0];
    if (!*info.transform && array.count != rows * info.sample_size) {
        status = cli_fail(KD2M_ERROR_INPUT, "%s: a row has %zu values, the model takes %zu",
                          given->input, array.count / rows, info.sample_size);
        goto cleanup;
    }
    values = as_floats(&array);
    logits = malloc(rows * info.classes * sizeof *logits);
    features = malloc(rows * info.features * sizeof *features);
    if (!values || !logits || !features) {
        status = cli_fail(KD2M_ERROR_MEMORY, "out of memory");
        goto cleanup;
    }
    if (*info.transform && (status = transform(context, &info, &array, &values)) != KD2M_OK)
        goto cleanup;
    status = kd2m_model_predict(model, values, rows, logits, features);
    if (status == KD2M_OK && given->logits)
        status = write_rows(context, logits, rows, info.classes, given->logits);
    if (status == KD2M_OK && given->features)
        status = write_rows(context, features, rows, info.features, given->features);
    if (status == KD2M_OK)
        status = print_classes(context, logits, rows, info.classes, json);
cleanup:
    free(features);
    free(logits);
    free(values);
    kd2m_model_free(model);
    kd2m_array_clear(context, &array);
    return status;
}

int cli_predict(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "RUN X.npy",
        .doc = "Runs a model on samples as they were measured (N x ... values): prints each row's "
               "class, writes logits and features on request. The model's own transform and "
               "normalisation are applied.\v"
               "Examples:\n"
               "  kd2m predict runs/student X.npy\n"
               "  kd2m predict runs/teacher X.npy --features F.npy --logits L.npy --json\n",
    };
    predict_options given = {NULL, NULL, NULL, NULL};
    cli_common common = {0};
    cli_parse(&argp, argc, argv, &given, &common, NULL);
    kd2m_context *context = cli_context(&common);
    int code = cli_exit_code(context, predict(context, &given, common.json));
    kd2m_context_free(context);
    return code;
}
