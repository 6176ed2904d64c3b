/*
 * A model's features of a data set, as a file (feature_file.h). Rows come in batches; moments are
 * running means and sums of squares in double (Welford, 1962), so that an offset costs no digits.
 * Memory: that of the file and a batch. Threads: the net's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "evaluate.h"
#include "feature_file.h"
#include "layer.h"
#include "memory.h"
#include "progress.h"

#define LAYERS 64 /* in one file */

static const kd2m_setting setting_rows[] = {
#define ROW(...) KD2M_SETTINGS_ROW(kd2m_features_settings, __VA_ARGS__)
    KD2M_FEATURES_SETTINGS(ROW)
#undef ROW
};
static const kd2m_setting_list setting_list = {setting_rows,
                                               sizeof setting_rows / sizeof *setting_rows};

const kd2m_setting_list *kd2m_features_setting_list(void) {
    return &setting_list;
}

/* A layer on its way into the file. */
typedef struct written_layer {
    char name[KD2M_TENSOR_NAME + 1];
    size_t node, channels, positions;
    float *rows;            /* samples x channels x positions; NULL for moments */
    double *mean, *squares; /* groups x channels; NULL for rows, as seen */
    double *seen;           /* groups: samples */
} written_layer;

typedef struct feature_writer {
    kd2m_context *context;
    const kd2m_features_settings *settings;
    kd2m_trial trial;
    kd2m_tensors *tensors;
    written_layer layers[LAYERS];
    size_t layer_count;
    size_t total, done;  /* samples */
    unsigned char *keys; /* total x 8 */
    int32_t *labels;     /* total */
    float *map, *pooled; /* a batch of the largest layer */
    kd2m_meter meter;
} feature_writer;

static size_t groups_of(const feature_writer *writer) {
    return writer->settings->per_class ? writer->trial.file->graph->classes : 1;
}

/* *out = the values of a new tensor 'NAME' or 'NAME.PART'. */
static kd2m_status add_tensor(feature_writer *writer, void *out, const char *name, const char *part,
                              kd2m_tensor_type type, size_t dims, const size_t *shape) {
    char full[KD2M_TENSOR_NAME + 32];
    kd2m_tensor *tensor;
    snprintf(full, sizeof full, "%.*s%s%s", KD2M_TENSOR_NAME, name, part ? "." : "",
             part ? part : "");
    kd2m_status status = kd2m_tensors_add(writer->tensors, &tensor, full, type, dims, shape);
    if (status == KD2M_OK)
        *(void **)out = tensor->values;
    return status;
}

static kd2m_status add_moments(feature_writer *writer, written_layer *layer, const char *name) {
    bool by_class = writer->settings->per_class;
    const size_t shape[] = {by_class ? groups_of(writer) : layer->channels, layer->channels};
    size_t dims = by_class ? 2 : 1;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(add_tensor(writer, &layer->mean, name, "mean", KD2M_TENSOR_F64, dims, shape));
    KD2M_TRY(add_tensor(writer, &layer->squares, name, "variance", KD2M_TENSOR_F64, dims, shape));
    KD2M_TRY(add_tensor(writer, &layer->seen, name, "weight", KD2M_TENSOR_F64, 1,
                        (size_t[]){groups_of(writer)}));
cleanup:
    return status;
}

/* Notes a layer that is asked for. */
static kd2m_status name_layer(feature_writer *writer, const char *name) {
    kd2m_status status = KD2M_OK;
    written_layer *layer = &writer->layers[writer->layer_count];
    for (size_t i = 0; i < writer->layer_count; i++)
        if (strcmp(writer->layers[i].name, name) == 0)
            return KD2M_OK;
    if (writer->layer_count == LAYERS)
        return kd2m_fail(writer->context, KD2M_ERROR_USAGE, "more than %d layers", LAYERS);
    KD2M_TRY(kd2m_graph_find(writer->trial.file->graph, name, &layer->node));
    snprintf(layer->name, sizeof layer->name, "%s", name);
    writer->layer_count++;
cleanup:
    return status;
}

/* The layer's tensors. */
static kd2m_status add_layer(feature_writer *writer, written_layer *layer) {
    const kd2m_net *net = writer->trial.runner->net;
    layer->channels = kd2m_net_channels(net, layer->node);
    layer->positions = kd2m_net_width(net, layer->node) / layer->channels;
    const size_t shape[] = {writer->total, layer->channels, layer->positions};
    return writer->settings->moments
               ? add_moments(writer, layer, layer->name)
               : add_tensor(writer, &layer->rows, layer->name, NULL, KD2M_TENSOR_F32,
                            layer->positions > 1 ? 3 : 2, shape);
}

/* The names between the commas of settings->layers. */
static kd2m_status name_chosen_layers(feature_writer *writer) {
    const char *next = writer->settings->layers;
    kd2m_status status = KD2M_OK;
    while (next && status == KD2M_OK) {
        const char *comma = strchr(next, ',');
        size_t length = comma ? (size_t)(comma - next) : strlen(next);
        char *name = NULL;
        status = kd2m_alloc(writer->context, (void **)&name, length + 1, 1);
        if (status == KD2M_OK) {
            memcpy(name, next, length);
            status = name_layer(writer, name);
        }
        kd2m_free(writer->context, name);
        next = comma ? comma + 1 : NULL;
    }
    return status;
}

/* What belongs to rows beside their layers, and the metadata. */
static kd2m_status add_beside(feature_writer *writer) {
    char digest[17];
    kd2m_tensors *tensors = writer->tensors;
    kd2m_status status = KD2M_OK;
    snprintf(digest, sizeof digest, "%016" PRIx64, writer->trial.dataset->digest);
    KD2M_TRY(kd2m_tensors_set_text(tensors, KD2M_FEATURE_FORMAT_KEY, KD2M_FEATURE_FORMAT));
    KD2M_TRY(kd2m_tensors_set_text(tensors, KD2M_FEATURE_DATA_KEY, digest));
    if (writer->settings->moments)
        return KD2M_OK;
    KD2M_TRY(add_tensor(writer, &writer->keys, "keys", NULL, KD2M_TENSOR_U8, 2,
                        (size_t[]){writer->total, 8}));
    KD2M_TRY(add_tensor(writer, &writer->labels, "labels", NULL, KD2M_TENSOR_I32, 1,
                        (size_t[]){writer->total}));
cleanup:
    return status;
}

/* Finds the layers, and makes the net that can be read at them. */
static kd2m_status start(feature_writer *writer) {
    size_t read[LAYERS];
    kd2m_status status = KD2M_OK;
    KD2M_TRY(name_layer(writer, "features"));
    if (!writer->settings->moments)
        KD2M_TRY(name_layer(writer, "logits"));
    KD2M_TRY(name_chosen_layers(writer));
    for (size_t i = 0; i < writer->layer_count; i++)
        read[i] = writer->layers[i].node;
    KD2M_TRY(kd2m_trial_start(&writer->trial, read, writer->layer_count));
cleanup:
    return status;
}

/* All tensors of the file, zeroed, and the scratch of a batch. */
static kd2m_status lay_out(feature_writer *writer) {
    const kd2m_net *net = writer->trial.runner->net;
    size_t largest = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tensors_create(&writer->tensors, writer->context));
    for (size_t i = 0; i < writer->layer_count; i++)
        KD2M_TRY(add_layer(writer, &writer->layers[i]));
    KD2M_TRY(add_beside(writer));
    for (size_t i = 0; i < writer->layer_count; i++) {
        size_t width = writer->layers[i].channels * writer->layers[i].positions;
        largest = width > largest ? width : largest;
    }
    KD2M_TRY(kd2m_alloc(writer->context, (void **)&writer->map, kd2m_net_batch(net) * largest,
                        sizeof *writer->map));
    KD2M_TRY(kd2m_alloc(writer->context, (void **)&writer->pooled, kd2m_net_batch(net) * largest,
                        sizeof *writer->pooled));
cleanup:
    return status;
}

/* Takes a row into the running mean and sum of squares of its group. */
static void take_moments(const written_layer *layer, size_t group, const float *row) {
    double seen = ++layer->seen[group];
    double *mean = layer->mean + group * layer->channels;
    double *squares = layer->squares + group * layer->channels;
    for (size_t k = 0; k < layer->channels; k++) {
        double before = row[k] - mean[k];
        mean[k] += before / seen;
        squares[k] += before * (row[k] - mean[k]);
    }
}

static kd2m_status take_batch_moments(void *user, kd2m_runner *runner, size_t rows) {
    feature_writer *writer = user;
    kd2m_status status = KD2M_OK;
    for (size_t l = 0; l < writer->layer_count; l++) {
        const written_layer *layer = &writer->layers[l];
        size_t width = layer->channels * layer->positions;
        KD2M_TRY(kd2m_net_read(runner->net, layer->node, writer->map, width));
        kd2m_pool_positions(writer->map, rows, layer->channels, layer->positions, writer->pooled);
        for (size_t i = 0; i < rows; i++) {
            size_t group = writer->settings->per_class ? (size_t)runner->labels[i] : 0;
            take_moments(layer, group, writer->pooled + i * layer->channels);
        }
    }
    kd2m_meter_advance(&writer->meter, (double)rows);
cleanup:
    return status;
}

static kd2m_status take_batch_rows(void *user, kd2m_runner *runner, size_t rows) {
    feature_writer *writer = user;
    kd2m_status status = KD2M_OK;
    for (size_t l = 0; l < writer->layer_count; l++) {
        const written_layer *layer = &writer->layers[l];
        size_t width = layer->channels * layer->positions;
        KD2M_TRY(kd2m_net_read(runner->net, layer->node, writer->map, width));
        memcpy(layer->rows + writer->done * width, writer->map, rows * width * sizeof(float));
    }
    memcpy(writer->labels + writer->done, runner->labels, rows * sizeof *writer->labels);
    writer->done += rows;
    kd2m_meter_advance(&writer->meter, (double)rows);
cleanup:
    return status;
}

static void finish_moments(feature_writer *writer) {
    for (size_t l = 0; l < writer->layer_count; l++) {
        const written_layer *layer = &writer->layers[l];
        for (size_t i = 0; i < groups_of(writer) * layer->channels; i++)
            if (layer->seen[i / layer->channels] > 0)
                layer->squares[i] /= layer->seen[i / layer->channels];
    }
}

/* The keys of a split's rows, behind those that are there. */
static kd2m_status take_keys(feature_writer *writer, kd2m_split split, size_t first) {
    const kd2m_dataset *dataset = writer->trial.dataset;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < dataset->row_count[split]; i++) {
        uint64_t key;
        KD2M_TRY(kd2m_dataset_read_keys(dataset, split, i, 1, &key));
        for (size_t k = 0; k < sizeof key; k++)
            writer->keys[(first + i) * sizeof key + k] = (unsigned char)(key >> (8 * k));
    }
cleanup:
    return status;
}

static kd2m_status fill(feature_writer *writer) {
    const kd2m_dataset *dataset = writer->trial.dataset;
    kd2m_runner *runner = writer->trial.runner;
    kd2m_status status = KD2M_OK;
    if (writer->settings->moments) {
        KD2M_TRY(kd2m_runner_run(runner, KD2M_TRAIN, NULL, take_batch_moments, writer));
        finish_moments(writer);
    } else {
        KD2M_TRY(take_keys(writer, KD2M_TRAIN, 0));
        KD2M_TRY(take_keys(writer, KD2M_TEST, dataset->row_count[KD2M_TRAIN]));
        KD2M_TRY(kd2m_runner_run(runner, KD2M_TRAIN, NULL, take_batch_rows, writer));
        KD2M_TRY(kd2m_runner_run(runner, KD2M_TEST, NULL, take_batch_rows, writer));
    }
cleanup:
    return status;
}

static kd2m_status check(kd2m_context *context, const kd2m_features_settings *settings) {
    kd2m_status status = kd2m_settings_validate(context, &setting_list, settings);
    if (status == KD2M_OK && settings->per_class && !settings->moments)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "--per-class is for moments: say --moments, too");
    return status;
}

kd2m_status kd2m_features_write(size_t *rows, kd2m_context *context, const char *model,
                                const kd2m_features_settings *settings, const char *path) {
    *rows = 0;
#define COPY(type, name, ...) .name = settings->name,
    kd2m_data_settings data = {KD2M_DATA_SETTINGS(COPY)};
#undef COPY
    data.validation = 0;
    feature_writer writer = {.context = context, .settings = settings};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check(context, settings));
    KD2M_TRY(kd2m_trial_open(&writer.trial, context, model, &data));
    const size_t *count = writer.trial.dataset->row_count;
    writer.total = count[KD2M_TRAIN] + (settings->moments ? 0 : count[KD2M_TEST]);
    KD2M_TRY(start(&writer));
    KD2M_TRY(lay_out(&writer));
    kd2m_meter_begin(&writer.meter, context, "samples", (double)writer.total, 0);
    kd2m_meter_text(&writer.meter, "features");
    status = fill(&writer);
    kd2m_meter_end(&writer.meter);
    if (status == KD2M_OK)
        status = kd2m_tensors_write(writer.tensors, path);
    if (status == KD2M_OK)
        *rows = writer.total;
cleanup:
    kd2m_free(context, writer.pooled);
    kd2m_free(context, writer.map);
    kd2m_tensors_free(writer.tensors);
    kd2m_trial_clear(&writer.trial);
    return status;
}
