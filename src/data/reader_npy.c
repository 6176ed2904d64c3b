/*
 * npy: NumPy arrays. train=X.npy;Y.npy and test=X.npy;Y.npy, either may be left out. X holds a
 * sample a row: N x D, N x C x L or N x C x H x W; N x L are signals of one channel with as=signal.
 * Y holds N integers 0, 1, ... Behind them, columns of N integers may follow, NAME=FILE.npy; those
 * called time and until say when a sample begins and ends, in any unit. NaN in X is missing:
 * refused, or the sample is left out, or, in N x C x L, interpolated along L.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "npy.h"

#define NPY_SETTINGS(X)                                                                            \
    X(TEXT, train, NULL, 0, 0, "X.npy;Y.npy[;NAME=FILE.npy]..",                                    \
      "training values, labels, columns")                                                          \
    X(TEXT, test, NULL, 0, 0, "X.npy;Y.npy[;NAME=FILE.npy]..", "test values, labels, columns")     \
    X(CHOICE, as, "table", 0, 0, "table|signal", "what an N x D array is: columns or one channel") \
    X(INTEGER, classes, "0", 0, KD2M_CLASSES_LIMIT, "N", "classes; 0 = highest label + 1")

typedef struct npy_settings {
    NPY_SETTINGS(KD2M_SETTINGS_FIELD)
} npy_settings;

#define ROW(...) KD2M_SETTINGS_ROW(npy_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {NPY_SETTINGS(ROW)};

static void add_channel(kd2m_array *values) {
    values->dims = 3;
    values->shape[2] = values->shape[1];
    values->shape[1] = 1;
}

/* Cuts `text` before the next ';' and returns what follows it, NULL behind the last. */
static char *cut(char *text) {
    char *end = strchr(text, ';');
    if (end)
        *end++ = '\0';
    return end;
}

/* 'NAME=FILE.npy': a column, or the times. */
static kd2m_status read_column(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                               char *text) {
    kd2m_status status = KD2M_OK;
    kd2m_array numbers = {0};
    char *path = strchr(text, '=');
    if (!path || path == text || path[1] == '\0')
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "npy: '%s' must be a column's name and file, NAME=FILE.npy", text);
    *path++ = '\0';
    KD2M_TRY(kd2m_array_read(&numbers, context, path));
    if (strcmp(text, "time") == 0)
        KD2M_TRY(kd2m_raw_data_take_times(context, part, &part->time, &numbers, path));
    else if (strcmp(text, "until") == 0)
        KD2M_TRY(kd2m_raw_data_take_times(context, part, &part->until, &numbers, path));
    else
        KD2M_TRY(kd2m_raw_data_take_column(context, raw, part, text, &numbers, path));

cleanup:
    kd2m_array_clear(context, &numbers);
    return status;
}

/* Fills what is missing in each channel of each sample. */
static kd2m_status interpolate(kd2m_context *context, kd2m_array *values, const char *path) {
    float *all = values->values;
    size_t channels = values->shape[1], length = values->shape[2];
    for (size_t i = 0; i < values->shape[0] * channels; i++)
        if (!kd2m_missing_fill(all + i * length, length, 1, NULL))
            return kd2m_fail(context, KD2M_ERROR_INPUT,
                             "%s: row %zu has no value at all in channel %zu (from 0) to "
                             "interpolate from; --missing drop leaves such rows out",
                             path, i / channels, i % channels);
    return KD2M_OK;
}

/* Leaves out the rows that miss a value; *dropped = how many. */
static kd2m_status drop(kd2m_context *context, kd2m_part *part, size_t *dropped) {
    const float *values = part->values.values;
    size_t first, size = part->values.count / part->rows, count = part->rows;
    unsigned char *keep = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&keep, count, 1));
    for (size_t i = 0; i < count; i++)
        keep[i] = kd2m_missing_count(values + i * size, size, &first) == 0;
    kd2m_part_keep(part, keep);
    *dropped = count - part->rows;
cleanup:
    kd2m_free(context, keep);
    return status;
}

/* Does what the policy says about the values of a part that are missing. */
static kd2m_status settle_gaps(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                               const char *path) {
    kd2m_array *values = &part->values;
    kd2m_gap_log met = {.dropped = 0};
    size_t first, size = values->count / part->rows;
    kd2m_status status = KD2M_OK;
    if (values->element == KD2M_FLOAT32)
        met.values.count = kd2m_missing_count(values->values, values->count, &first);
    if (met.values.count == 0)
        return KD2M_OK;
    snprintf(met.values.first, sizeof met.values.first, "%s, row %zu, element %zu (from 0)", path,
             first / size, first % size);
    if (raw->missing == KD2M_MISSING_DROP)
        KD2M_TRY(drop(context, part, &met.dropped));
    KD2M_TRY(kd2m_missing_settle(context, raw->missing, &met, "rows",
                                 values->dims == 3 ? NULL : "samples are no signals, N x C x L"));
    if (part->rows == 0)
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "%s: no rows are left", path);
    else if (raw->missing == KD2M_MISSING_INTERPOLATE)
        status = interpolate(context, values, path);
cleanup:
    return status;
}

static kd2m_status read_part(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                             const char *key, const char *paths, bool signal) {
    kd2m_status status = KD2M_OK;
    char *values_path = NULL;
    kd2m_array values = {0};
    kd2m_array labels = {0};

    KD2M_TRY(kd2m_text_copy(context, &values_path, paths));
    char *labels_path = cut(values_path);
    char *column = labels_path ? cut(labels_path) : NULL;
    if (!labels_path || *values_path == '\0' || *labels_path == '\0') {
        status = kd2m_fail(context, KD2M_ERROR_USAGE,
                           "npy: %s='%s' must name two files, %s=X.npy;Y.npy", key, paths, key);
        goto cleanup;
    }
    KD2M_TRY(kd2m_array_read_gaps(&values, context, values_path));
    KD2M_TRY(kd2m_array_read(&labels, context, labels_path));
    if (signal && values.dims == 2)
        add_channel(&values);
    KD2M_TRY(kd2m_raw_data_take(context, raw, part, &values, values_path, &labels, labels_path));
    for (char *next; column; column = next) {
        next = cut(column);
        KD2M_TRY(read_column(context, raw, part, column));
    }
    KD2M_TRY(settle_gaps(context, raw, part, values_path));

cleanup:
    kd2m_array_clear(context, &values);
    kd2m_array_clear(context, &labels);
    kd2m_free(context, values_path);
    return status;
}

static kd2m_status read(kd2m_context *context, const void *parameters, kd2m_raw_data *out) {
    const npy_settings *settings = parameters;
    kd2m_status status = KD2M_OK;
    bool signal = strcmp(settings->as, "signal") == 0;
    if (!settings->train && !settings->test)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "npy: needs train=X.npy;Y.npy or test=X.npy;Y.npy");
    out->classes = (size_t)settings->classes;
    if (settings->train)
        KD2M_TRY(read_part(context, out, &out->train, "train", settings->train, signal));
    if (settings->test)
        KD2M_TRY(read_part(context, out, &out->test, "test", settings->test, signal));

cleanup:
    return status;
}

const kd2m_reader kd2m_reader_npy = {
    .name = "npy",
    .summary = "NumPy arrays of values and labels",
    .parameters = {rows, sizeof rows / sizeof *rows},
    .parameters_size = sizeof(npy_settings),
    .read = read,
};
