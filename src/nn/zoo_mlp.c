/*
 * Multilayer perceptron: 'mlp:784-512-256-10', the widths from input to classes. Hidden layers fc1,
 * fc2, ... take ReLU (relu1, relu2, ...); the last is the classifier. Images and signals are
 * flattened first. With width=F the hidden widths are multiplied by F.
 * Parameters and time a sample: sum of products of neighbouring widths.
 */
#include <stdio.h>
#include <stdlib.h>

#include "architecture.h"
#include "context.h"
#include "spec.h"

#define WIDTHS 1024     /* most widths in a spec */
#define WIDEST 16777216 /* counted in floats without rounding */

#define MLP_SETTINGS(X)                                                                            \
    X(TEXT, widths, NULL, 0, 0, "N-N-...", "widths from the input to the classes")                 \
    KD2M_WIDTH_SETTING(X)

typedef struct mlp_settings {
    MLP_SETTINGS(KD2M_SETTINGS_FIELD)
} mlp_settings;

#define ROW(...) KD2M_SETTINGS_ROW(mlp_settings, __VA_ARGS__)
static const kd2m_setting settings_rows[] = {MLP_SETTINGS(ROW)};

static kd2m_status parse_widths(kd2m_context *context, const char *text, size_t widths[WIDTHS],
                                size_t *count) {
    *count = 0;
    const char *at = text ? text : "";
    for (;;) {
        unsigned long width = 0;
        char *end = NULL;
        if (*at >= '0' && *at <= '9')
            width = strtoul(at, &end, 10);
        if (width < 1 || width > WIDEST || (*end && *end != '-') || *count == WIDTHS)
            return kd2m_fail(context, KD2M_ERROR_USAGE,
                             "mlp: '%.200s' is no list of widths; write at least the input's "
                             "width and the classes, whole numbers from 1 to %d, at most %d of "
                             "them, as in mlp:784-64-10",
                             text ? text : "", WIDEST, WIDTHS);
        widths[(*count)++] = width;
        if (!*end)
            break;
        at = end + 1;
    }
    if (*count < 2)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "mlp: '%.200s' is one width; write at least the input's width and the "
                         "classes, as in mlp:784-64-10",
                         text);
    return KD2M_OK;
}

/* The widths' ends must be what the data has. */
static kd2m_status check_ends(const kd2m_graph *graph, const size_t *widths, size_t count) {
    char shape[96];
    size_t size = 1, length = 0;
    for (size_t i = 0; i < graph->dims; i++) {
        size *= graph->shape[i];
        length += (size_t)snprintf(shape + length, sizeof shape - length, i ? " x %zu" : "%zu",
                                   graph->shape[i]);
    }
    if (graph->dims > 1)
        snprintf(shape + length, sizeof shape - length, " = %zu", size);
    if (widths[0] != size)
        return kd2m_fail(graph->context, KD2M_ERROR_USAGE,
                         "mlp: its first width is %zu, but a sample of the data has %s values",
                         widths[0], shape);
    if (widths[count - 1] != graph->classes)
        return kd2m_fail(graph->context, KD2M_ERROR_USAGE,
                         "mlp: its last width is %zu, but the data has %zu classes",
                         widths[count - 1], graph->classes);
    return KD2M_OK;
}

static kd2m_status build(kd2m_builder *builder, const void *parameters) {
    const mlp_settings *settings = parameters;
    kd2m_context *context = builder->graph->context;
    kd2m_status status = KD2M_OK;
    size_t widths[WIDTHS], count = 0;
    KD2M_TRY(parse_widths(context, settings->widths, widths, &count));
    KD2M_TRY(check_ends(builder->graph, widths, count));
    if (builder->graph->dims > 1)
        KD2M_TRY(kd2m_builder_add(builder, "flatten", "flatten"));
    for (size_t i = 1; i + 1 < count; i++) {
        size_t width = kd2m_builder_width((double)widths[i], settings->width);
        KD2M_TRY(kd2m_builder_add(builder, "linear", "fc%zu", i));
        KD2M_TRY(kd2m_builder_set(builder, "out", (double)width));
        KD2M_TRY(kd2m_builder_add(builder, "relu", "relu%zu", i));
    }
    KD2M_TRY(kd2m_builder_classify(builder));
cleanup:
    return status;
}

const kd2m_architecture kd2m_architecture_mlp = {
    .name = "mlp",
    .bare = "widths",
    .parameters = {settings_rows, sizeof settings_rows / sizeof *settings_rows},
    .parameters_size = sizeof(mlp_settings),
    .build = build,
};
