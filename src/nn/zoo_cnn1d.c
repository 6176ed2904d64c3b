/*
 * 1-D convolutional net for signals of C channels x L points, after WDCNN (Zhang, Peng, Li, Chen &
 * Zhang, 'A new deep learning model for fault diagnosis with good anti-noise and domain adaptation
 * ability on raw vibration signals', Sensors 17(2), 2017): a wide first kernel takes the signal
 * apart into bands, narrow ones follow.
 *
 *   block 1      conv 64 wide, stride 8, batch norm, ReLU, pool     length L/8, then L/16
 *   blocks 2..5  conv 3 wide, batch norm, ReLU; pool in 2..4        length halved by each pool
 *   global_pool  mean over what is left: the features
 *   classifier
 *
 * Layers: convN, bnN (with its ReLU), poolN, global_pool. Channels 32, 64, 128, 256, 256, times
 * width=. A pool is left out where fewer than 4 points remain, so that signals from 64 points on
 * fit. For C = 1: 328,000 parameters and, at L = 1024, 4.6 million products a sample; both shrink
 * about with the square of the width.
 */
#include "architecture.h"
#include "context.h"

#define LEAST_LENGTH 64
#define FIRST_KERNEL 64
#define FIRST_STRIDE 8
#define KERNEL 3

#define CNN1D_SETTINGS(X) KD2M_WIDTH_SETTING(X)

typedef struct cnn1d_settings {
    CNN1D_SETTINGS(KD2M_SETTINGS_FIELD)
} cnn1d_settings;

#define ROW(...) KD2M_SETTINGS_ROW(cnn1d_settings, __VA_ARGS__)
static const kd2m_setting settings_rows[] = {CNN1D_SETTINGS(ROW)};

static const double channels[] = {32, 64, 128, 256, 256};
#define BLOCKS (sizeof channels / sizeof *channels)

/* Convolution number `block` (from 0), batch norm, ReLU. */
static kd2m_status add_block(kd2m_builder *builder, size_t block, double width) {
    kd2m_status status = KD2M_OK;
    size_t number = block + 1, kernel = block == 0 ? FIRST_KERNEL : KERNEL;
    size_t stride = block == 0 ? FIRST_STRIDE : 1;
    KD2M_TRY(kd2m_builder_add(builder, "conv", "conv%zu", number));
    KD2M_TRY(kd2m_builder_set(builder, "out", (double)kd2m_builder_width(channels[block], width)));
    KD2M_TRY(kd2m_builder_set(builder, "kernel", (double)kernel));
    KD2M_TRY(kd2m_builder_set(builder, "stride", (double)stride));
    KD2M_TRY(kd2m_builder_set(builder, "pad", (double)((kernel - stride + 1) / 2)));
    KD2M_TRY(kd2m_builder_set(builder, "bias", 0)); /* batch norm takes the mean away */
    KD2M_TRY(kd2m_builder_add(builder, "batch_norm", "bn%zu", number));
    KD2M_TRY(kd2m_builder_set(builder, "relu", 1));
cleanup:
    return status;
}

static kd2m_status add_pool(kd2m_builder *builder, size_t block) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_builder_add(builder, "max_pool", "pool%zu", block + 1));
    KD2M_TRY(kd2m_builder_set(builder, "kernel", 2));
    KD2M_TRY(kd2m_builder_set(builder, "stride", 2));
cleanup:
    return status;
}

static kd2m_status build(kd2m_builder *builder, const void *parameters) {
    const cnn1d_settings *settings = parameters;
    const kd2m_graph *graph = builder->graph;
    kd2m_status status = KD2M_OK;
    if (graph->dims != 2)
        return kd2m_fail(graph->context, KD2M_ERROR_USAGE,
                         "cnn1d takes signals (channels x length), but the data's samples have %zu "
                         "dimension%s",
                         graph->dims, graph->dims == 1 ? "" : "s");
    if (graph->shape[1] < LEAST_LENGTH)
        return kd2m_fail(graph->context, KD2M_ERROR_USAGE,
                         "cnn1d takes signals of %d points or more, but the data's have %zu x %zu",
                         LEAST_LENGTH, graph->shape[0], graph->shape[1]);
    size_t length = graph->shape[1] / FIRST_STRIDE;
    for (size_t block = 0; block < BLOCKS; block++) {
        KD2M_TRY(add_block(builder, block, settings->width));
        if (block + 1 == BLOCKS || length < 4)
            continue;
        KD2M_TRY(add_pool(builder, block));
        length /= 2;
    }
    KD2M_TRY(kd2m_builder_add(builder, "global_pool", "global_pool"));
    KD2M_TRY(kd2m_builder_classify(builder));
cleanup:
    return status;
}

const kd2m_architecture kd2m_architecture_cnn1d = {
    .name = "cnn1d",
    .parameters = {settings_rows, sizeof settings_rows / sizeof *settings_rows},
    .parameters_size = sizeof(cnn1d_settings),
    .build = build,
};
