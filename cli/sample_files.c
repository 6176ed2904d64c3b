/* A sample out of .npy files: see sample_files.h. */
#include "sample_files.h"

#include <stdlib.h>
#include <string.h>

#include "app.h"

/* Reads N x D floats. */
static kd2m_status read_matrix(kd2m_context *context, kd2m_array *out, const char *path,
                               const char *what) {
    kd2m_status status = kd2m_array_read(out, context, path);
    if (status == KD2M_OK && (out->element != KD2M_FLOAT32 || out->dims != 2))
        return cli_fail(KD2M_ERROR_INPUT, "%s: %s are an N x D array of floats (f4 or f8)", path,
                        what);
    return status;
}

/* *out = the whole numbers of an array, 8-bit ones widened. */
static kd2m_status widen(const kd2m_array *array, int32_t **out, const char *path,
                         const char *what) {
    if (array->element == KD2M_FLOAT32)
        return cli_fail(KD2M_ERROR_INPUT,
                        "%s: %s are whole numbers (u1, i4 or i8), these are floats", path, what);
    *out = malloc(array->count * sizeof **out);
    if (!*out)
        return cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < array->count; i++)
        (*out)[i] = array->element == KD2M_UINT8 ? ((const uint8_t *)array->values)[i]
                                                 : ((const int32_t *)array->values)[i];
    return KD2M_OK;
}

/* *out = one whole number for each of `rows` rows. */
static kd2m_status read_codes(kd2m_context *context, int32_t **out, const char *path, size_t rows,
                              const char *what) {
    kd2m_array array;
    kd2m_status status = kd2m_array_read(&array, context, path);
    if (status != KD2M_OK)
        return status;
    status =
        array.count == rows
            ? widen(&array, out, path, what)
            : cli_fail(KD2M_ERROR_INPUT, "%s: as many %s are needed as there are rows", path, what);
    kd2m_array_clear(context, &array);
    return status;
}

static kd2m_status read_logits(kd2m_context *context, cli_sample *out, const char *path) {
    kd2m_status status = read_matrix(context, &out->logits, path, "logits");
    if (status != KD2M_OK)
        return status;
    if (out->logits.shape[0] != out->sample.rows)
        return cli_fail(KD2M_ERROR_INPUT, "%s: as many rows are needed as there are features",
                        path);
    out->sample.logits = out->logits.values;
    out->sample.classes = out->sample.logits_stride = out->logits.shape[1];
    return KD2M_OK;
}

/* 'NAME=FILE.npy' */
static kd2m_status read_column(kd2m_context *context, cli_sample *out, const char *text) {
    size_t number = out->sample.column_count, length = strcspn(text, "=");
    if (length == 0 || text[length] == '\0')
        return cli_fail(KD2M_ERROR_USAGE, "'%s': a column is given as NAME=FILE.npy", text);
    out->names[number] = strndup(text, length);
    if (!out->names[number])
        return cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    out->sample.column_count++;
    kd2m_status status =
        read_codes(context, &out->codes[number], text + length + 1, out->sample.rows, "codes");
    out->columns[number] = (kd2m_sample_column){out->names[number], out->codes[number]};
    return status;
}

kd2m_status cli_sample_read(cli_sample *out, kd2m_context *context, const cli_sample_paths *paths,
                            int on_logits) {
    kd2m_status status = read_matrix(context, &out->features, paths->features, "features");
    if (status != KD2M_OK)
        return status;
    out->sample = (kd2m_sample){.rows = out->features.shape[0],
                                .dim = out->features.shape[1],
                                .features = out->features.values,
                                .stride = out->features.shape[1],
                                .columns = out->columns};
    if (on_logits) {
        out->sample.logits = out->sample.features;
        out->sample.classes = out->sample.logits_stride = out->sample.dim;
    }
    if (paths->logits)
        status = read_logits(context, out, paths->logits);
    if (status == KD2M_OK && paths->labels)
        status = read_codes(context, &out->labels, paths->labels, out->sample.rows, "labels");
    out->sample.labels = out->labels;
    for (size_t i = 0; status == KD2M_OK && i < paths->column_count; i++)
        status = read_column(context, out, paths->columns[i]);
    return status;
}

void cli_sample_clear(cli_sample *sample, kd2m_context *context) {
    kd2m_array_clear(context, &sample->features);
    kd2m_array_clear(context, &sample->logits);
    free(sample->labels);
    for (size_t i = 0; i < CLI_COLUMNS; i++) {
        free(sample->names[i]);
        free(sample->codes[i]);
    }
}
