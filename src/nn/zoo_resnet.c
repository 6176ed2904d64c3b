/*
 * Residual nets for images (He, Zhang, Ren & Sun, 'Deep residual learning for image recognition',
 * CVPR 2016) of basic blocks
 *
 *     y = ReLU(x' + BN(conv3x3(ReLU(BN(conv3x3(x))))))
 *
 * where x' = x, or BN(conv1x1(x)) where a block changes the channels or halves the map.
 *
 *   resnet8, 20, 32, 56   the CIFAR form: stem 3x3, three stages of (depth - 2) / 6 blocks with 16,
 *                         32, 64 channels
 *   resnet18, 34          torchvision's form: stem 7x7 with stride 2 and max pooling, four stages
 *                         with 64, 128, 256, 512 channels
 *
 * stem=cifar or stem=imagenet puts the other stem before either; width= multiplies the channels.
 * Stages 2 and later halve the map in their first block. Layers: conv1, bn1, (pool1), then block b
 * of stage s gives stageS_B_conv1, _bn1, _conv2, _bn2, (_down, _down_bn), and the block's output
 * stageS_B, that of a stage's last block being called stageS; global_pool is the features.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "architecture.h"
#include "context.h"

#define RESNET_SETTINGS(X)                                                                         \
    X(TEXT, stem, NULL, 0, 0, "cifar|imagenet", "first layers, instead of the form's own")         \
    KD2M_WIDTH_SETTING(X)

typedef struct resnet_settings {
    RESNET_SETTINGS(KD2M_SETTINGS_FIELD)
} resnet_settings;

#define ROW(...) KD2M_SETTINGS_ROW(resnet_settings, __VA_ARGS__)
static const kd2m_setting settings_rows[] = {RESNET_SETTINGS(ROW)};

#define STAGES 4

typedef struct resnet_form {
    const char *stem;
    double channels; /* of stage 1, doubled by each next one */
    size_t blocks[STAGES];
} resnet_form;

static const size_t variants[] = {8, 18, 20, 32, 34, 56, 0};

static resnet_form form_of(size_t variant) {
    if (variant == 18)
        return (resnet_form){"imagenet", 64, {2, 2, 2, 2}};
    if (variant == 34)
        return (resnet_form){"imagenet", 64, {3, 4, 6, 3}};
    size_t blocks = (variant - 2) / 6;
    return (resnet_form){"cifar", 16, {blocks, blocks, blocks, 0}};
}

/* Convolution and batch norm, of odd `kernel`, named BLOCKconv and BLOCKbn. */
typedef struct conv_bn {
    const char *conv, *bn;
    size_t channels, kernel, stride;
    bool relu;
} conv_bn;

static kd2m_status add_conv_bn(kd2m_builder *builder, const char *block, const conv_bn *of) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_builder_add(builder, "conv", "%s%s", block, of->conv));
    KD2M_TRY(kd2m_builder_set(builder, "out", (double)of->channels));
    KD2M_TRY(kd2m_builder_set(builder, "kernel", (double)of->kernel));
    KD2M_TRY(kd2m_builder_set(builder, "stride", (double)of->stride));
    KD2M_TRY(kd2m_builder_set(builder, "pad", (double)(of->kernel / 2)));
    KD2M_TRY(kd2m_builder_set(builder, "bias", 0)); /* batch norm takes the mean away */
    KD2M_TRY(kd2m_builder_add(builder, "batch_norm", "%s%s", block, of->bn));
    if (of->relu)
        KD2M_TRY(kd2m_builder_set(builder, "relu", 1));
cleanup:
    return status;
}

static kd2m_status add_stem(kd2m_builder *builder, bool imagenet, size_t channels) {
    kd2m_status status = KD2M_OK;
    conv_bn first = {"conv1", "bn1", channels, imagenet ? 7 : 3, imagenet ? 2 : 1, true};
    KD2M_TRY(add_conv_bn(builder, "", &first));
    if (!imagenet)
        goto cleanup;
    KD2M_TRY(kd2m_builder_add(builder, "max_pool", "pool1"));
    KD2M_TRY(kd2m_builder_set(builder, "kernel", 3));
    KD2M_TRY(kd2m_builder_set(builder, "stride", 2));
    KD2M_TRY(kd2m_builder_set(builder, "pad", 1));
cleanup:
    return status;
}

/* `name` is the layer that the block ends in, `inner` begins those inside it. */
static kd2m_status add_block(kd2m_builder *builder, const char *name, const char *inner,
                             size_t channels, size_t stride, bool project) {
    kd2m_status status = KD2M_OK;
    size_t input = builder->last, shortcut = input;
    if (project) {
        KD2M_TRY(
            add_conv_bn(builder, inner, &(conv_bn){"down", "down_bn", channels, 1, stride, false}));
        shortcut = builder->last;
        builder->last = input;
    }
    KD2M_TRY(add_conv_bn(builder, inner, &(conv_bn){"conv1", "bn1", channels, 3, stride, true}));
    KD2M_TRY(add_conv_bn(builder, inner, &(conv_bn){"conv2", "bn2", channels, 3, 1, false}));
    KD2M_TRY(kd2m_builder_add(builder, "add", "%s", name));
    KD2M_TRY(kd2m_graph_connect(builder->graph, builder->last, shortcut));
    KD2M_TRY(kd2m_builder_set(builder, "relu", 1));
cleanup:
    return status;
}

static kd2m_status read_stem(kd2m_context *context, const char *stem, bool *imagenet) {
    *imagenet = strcmp(stem, "imagenet") == 0;
    if (*imagenet || strcmp(stem, "cifar") == 0)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_USAGE, "resnet: stem=%s is neither cifar nor imagenet",
                     stem);
}

static kd2m_status build(kd2m_builder *builder, const void *parameters) {
    const resnet_settings *settings = parameters;
    const kd2m_graph *graph = builder->graph;
    resnet_form form = form_of(builder->variant);
    kd2m_status status = KD2M_OK;
    bool imagenet;
    char name[32], inner[32];
    if (graph->dims != 3)
        return kd2m_fail(graph->context, KD2M_ERROR_USAGE,
                         "resnet%zu takes images (channels x height x width), but the data's "
                         "samples have %zu dimension%s",
                         builder->variant, graph->dims, graph->dims == 1 ? "" : "s");
    KD2M_TRY(read_stem(graph->context, settings->stem ? settings->stem : form.stem, &imagenet));
    size_t before = kd2m_builder_width(form.channels, settings->width);
    KD2M_TRY(add_stem(builder, imagenet, before));
    for (size_t stage = 0; stage < STAGES && form.blocks[stage]; stage++) {
        size_t channels = kd2m_builder_width(form.channels * (double)(1 << stage), settings->width);
        for (size_t block = 0; block < form.blocks[stage]; block++) {
            size_t stride = stage > 0 && block == 0 ? 2 : 1;
            snprintf(inner, sizeof inner, "stage%zu_%zu_", stage + 1, block + 1);
            snprintf(name, sizeof name, "stage%zu_%zu", stage + 1, block + 1);
            if (block + 1 == form.blocks[stage])
                snprintf(name, sizeof name, "stage%zu", stage + 1);
            KD2M_TRY(add_block(builder, name, inner, channels, stride,
                               stride > 1 || channels != before));
            before = channels;
        }
    }
    KD2M_TRY(kd2m_builder_add(builder, "global_pool", "global_pool"));
    KD2M_TRY(kd2m_builder_classify(builder));
cleanup:
    return status;
}

const kd2m_architecture kd2m_architecture_resnet = {
    .name = "resnet",
    .variants = variants,
    .parameters = {settings_rows, sizeof settings_rows / sizeof *settings_rows},
    .parameters_size = sizeof(resnet_settings),
    .build = build,
};
