/*
 * Trained models as the public header has them: load, describe, run.
 *
 * Rows run in batches whose size is a power of two up to 256, the last one padded with zeros, so
 * that a handful of nets serves every number of rows. A net is made when its size is first asked
 * for, and kept. Time O(rows x products of the net), memory O(parameters + 256 activations) for
 * each size in use. Thread rule: a model serves one thread at a time.
 */
#include "kd2m/model.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "model_file.h"
#include "net.h"

#define SIZES 9 /* batches of 1, 2, 4, ..., 256 */

/* A net for one batch size, with memory for what goes in and comes out. */
typedef struct runner {
    kd2m_net *net;
    float *input;  /* batch x sample, normalised */
    float *output; /* batch x widest of features and classes, for batches that are not full */
} runner;

struct kd2m_model {
    kd2m_context *context;
    kd2m_model_file *file;
    kd2m_model_info info;
    runner runners[SIZES]; /* of batches of 1 << i; net is NULL until it is needed */
};

static void free_runner(kd2m_context *context, runner *of) {
    kd2m_net_free(of->net);
    kd2m_free(context, of->input);
    kd2m_free(context, of->output);
    *of = (runner){NULL, NULL, NULL};
}

/* The net of size 1 << `size`, made if it is not there. */
static kd2m_status get_runner(kd2m_model *model, size_t size, runner **out) {
    kd2m_context *context = model->context;
    kd2m_status status = KD2M_OK;
    runner fresh = {NULL, NULL, NULL};
    size_t batch = (size_t)1 << size;
    *out = &model->runners[size];
    if ((*out)->net)
        return KD2M_OK;
    KD2M_TRY(kd2m_net_create_merged(&fresh.net, context, model->file->graph, batch, NULL, 0));
    KD2M_TRY(kd2m_net_load(fresh.net, model->file->tensors));
    size_t features = kd2m_net_width(fresh.net, model->file->graph->features);
    size_t logits = kd2m_net_width(fresh.net, model->file->graph->logits);
    KD2M_TRY(kd2m_alloc(context, (void **)&fresh.input, batch,
                        model->info.sample_size * sizeof *fresh.input));
    KD2M_TRY(kd2m_alloc(context, (void **)&fresh.output, batch,
                        (features > logits ? features : logits) * sizeof *fresh.output));
    **out = fresh;
    fresh = (runner){NULL, NULL, NULL};
cleanup:
    free_runner(context, &fresh);
    return status;
}

static void describe_input(kd2m_model_info *info, const kd2m_graph *graph) {
    info->architecture = graph->architecture;
    info->dims = graph->dims;
    info->sample_size = 1;
    for (size_t i = 0; i < graph->dims; i++) {
        info->shape[i] = graph->shape[i];
        info->sample_size *= graph->shape[i];
    }
    info->classes = graph->classes;
}

/* Makes the first net of a graph that fits its tensors, and describes it. */
static kd2m_status prepare(kd2m_model *model, const char *path) {
    const kd2m_graph *graph = model->file->graph;
    runner *first = NULL;
    describe_input(&model->info, graph);
    model->info.transform = model->file->transform;
    kd2m_status status = kd2m_net_check(model->context, graph, model->file->tensors);
    if (status == KD2M_OK)
        status = get_runner(model, 0, &first);
    if (status != KD2M_OK)
        return kd2m_fail_within(model->context, status, "%s", path);
    size_t logits = kd2m_net_width(first->net, graph->logits);
    if (logits != graph->classes)
        return kd2m_fail(model->context, KD2M_ERROR_INPUT,
                         "%s: its logits have %zu values for %zu classes", path, logits,
                         graph->classes);
    model->info.features = kd2m_net_width(first->net, graph->features);
    model->info.parameters = kd2m_net_parameter_total(first->net);
    return KD2M_OK;
}

kd2m_status kd2m_model_open(kd2m_model **out, kd2m_context *context, const char *path) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_model *model = NULL;
    KD2M_TRY(kd2m_alloc(context, (void **)&model, 1, sizeof *model));
    model->context = context;
    KD2M_TRY(kd2m_model_file_read(&model->file, context, path));
    KD2M_TRY(prepare(model, path));
    *out = model;
    model = NULL;
cleanup:
    kd2m_model_free(model);
    return status;
}

void kd2m_model_free(kd2m_model *model) {
    if (!model)
        return;
    for (size_t i = 0; i < SIZES; i++)
        free_runner(model->context, &model->runners[i]);
    kd2m_model_file_free(model->file);
    kd2m_free(model->context, model);
}

void kd2m_model_describe(const kd2m_model *model, kd2m_model_info *info) {
    *info = model->info;
}

/* Trained scalars of a node: those of the parameters 'NODE.…'. */
static size_t node_parameters(kd2m_net *net, const char *node) {
    size_t count, total = 0, length = strlen(node);
    const kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = parameters[i].name;
        if (!parameters[i].trained || strncmp(name, node, length) != 0 || name[length] != '.' ||
            strchr(name + length + 1, '.'))
            continue;
        size_t scalars = 1;
        for (size_t k = 0; k < parameters[i].dims; k++)
            scalars *= parameters[i].shape[k];
        total += scalars;
    }
    return total;
}

static kd2m_status add_layer(kd2m_table *table, const kd2m_model *model, size_t index) {
    const kd2m_node *node = &model->file->graph->nodes[index];
    kd2m_net *net = model->runners[0].net;
    kd2m_status status = KD2M_OK;
    char text[80];
    size_t shape[3], length = 0, dims = kd2m_net_shape(net, index, shape);
    for (size_t i = 0; i < dims; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, i ? " x %zu" : "%zu", shape[i]);
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "layer", node->name));
    KD2M_TRY(kd2m_table_set_text(table, "operator", node->op));
    KD2M_TRY(kd2m_table_set_text(table, "shape", text));
    KD2M_TRY(
        kd2m_table_set_integer(table, "parameters", (int64_t)node_parameters(net, node->name)));
cleanup:
    return status;
}

kd2m_status kd2m_model_table(kd2m_table **out, const kd2m_model *model) {
    *out = NULL;
    const kd2m_graph *graph = model->file->graph;
    kd2m_status status = KD2M_OK;
    kd2m_table *table = NULL;
    char note[256];
    KD2M_TRY(kd2m_table_create(&table, model->context, "layers"));
    KD2M_TRY(kd2m_table_add_column(table, "layer", "layer", KD2M_COLUMN_TEXT, 0));
    KD2M_TRY(kd2m_table_add_column(table, "operator", "operator", KD2M_COLUMN_TEXT, 0));
    KD2M_TRY(kd2m_table_add_column(table, "shape", "shape", KD2M_COLUMN_TEXT, 0));
    KD2M_TRY(kd2m_table_add_column(table, "parameters", "parameters", KD2M_COLUMN_INTEGER, 0));
    for (size_t i = 0; i < graph->node_count; i++)
        KD2M_TRY(add_layer(table, model, i));
    snprintf(note, sizeof note, "features: %s; logits: %s; %zu parameters",
             graph->nodes[graph->features].name, graph->nodes[graph->logits].name,
             model->info.parameters);
    KD2M_TRY(kd2m_table_add_note(table, note));
    if (*model->info.transform) {
        snprintf(note, sizeof note, "samples go through: %.200s", model->info.transform);
        KD2M_TRY(kd2m_table_add_note(table, note));
    }
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    return status;
}

/* Copies `rows` samples into the net's input, normalised, and zeroes behind them. */
static void fill_input(const kd2m_model *model, const runner *of, const float *values,
                       size_t rows) {
    size_t size = model->info.sample_size, batch = kd2m_net_batch(of->net);
    memcpy(of->input, values, rows * size * sizeof *values);
    for (size_t i = 0; i < rows; i++)
        kd2m_normalisation_apply(&model->file->normalisation, of->input + i * size, size);
    memset(of->input + rows * size, 0, (batch - rows) * size * sizeof *values);
}

/* Reads the first `rows` rows of a node's output; `out` NULL: nothing. */
static kd2m_status read_rows(const runner *of, size_t node, size_t rows, float *out) {
    size_t width = kd2m_net_width(of->net, node);
    if (!out)
        return KD2M_OK;
    if (rows == kd2m_net_batch(of->net))
        return kd2m_net_read(of->net, node, out, width);
    kd2m_status status = kd2m_net_read(of->net, node, of->output, width);
    if (status == KD2M_OK)
        memcpy(out, of->output, rows * width * sizeof *out);
    return status;
}

kd2m_status kd2m_model_predict(kd2m_model *model, const float *values, size_t rows, float *logits,
                               float *features) {
    const kd2m_graph *graph = model->file->graph;
    const kd2m_model_info *info = &model->info;
    kd2m_status status = KD2M_OK;
    runner *of = NULL;
    size_t size = 0;
    while (size + 1 < SIZES && ((size_t)1 << size) < rows)
        size++;
    KD2M_TRY(get_runner(model, size, &of));
    size_t batch = (size_t)1 << size;
    for (size_t first = 0; first < rows; first += batch) {
        size_t count = rows - first < batch ? rows - first : batch;
        KD2M_TRY(kd2m_check_interrupt(model->context));
        fill_input(model, of, values + first * info->sample_size, count);
        KD2M_TRY(kd2m_net_forward(of->net, of->input));
        KD2M_TRY(
            read_rows(of, graph->logits, count, logits ? logits + first * info->classes : NULL));
        KD2M_TRY(read_rows(of, graph->features, count,
                           features ? features + first * info->features : NULL));
    }
cleanup:
    return status;
}
