/*
 * idx: images and labels in MNIST's four files, each gzipped or not. Images stay bytes in memory
 * and are widened batch by batch.
 */
#include "context.h"
#include "dataset.h"
#include "folder.h"
#include "idx.h"

#define IDX_SETTINGS(X) X(TEXT, dir, NULL, 0, 0, "DIR", "folder of the four files")

typedef struct idx_settings {
    IDX_SETTINGS(KD2M_SETTINGS_FIELD)
} idx_settings;

#define ROW(...) KD2M_SETTINGS_ROW(idx_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {IDX_SETTINGS(ROW)};

static kd2m_status read_file(kd2m_context *context, kd2m_array *out, const char *folder,
                             const char *name) {
    kd2m_source *source = NULL;
    kd2m_status status = kd2m_folder_open(&source, context, folder, name, true);
    if (status == KD2M_OK)
        status = kd2m_idx_parse(out, context, source);
    kd2m_source_close(source);
    return status;
}

static kd2m_status read_part(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                             const char *folder, const char *images_name, const char *labels_name) {
    kd2m_status status = KD2M_OK;
    kd2m_array images = {0};
    kd2m_array labels = {0};

    KD2M_TRY(read_file(context, &images, folder, images_name));
    KD2M_TRY(read_file(context, &labels, folder, labels_name));
    if (images.dims != 3) {
        status =
            kd2m_fail(context, KD2M_ERROR_INPUT, "%s: has %zu dimensions; images have 3, N x H x W",
                      images_name, images.dims);
        goto cleanup;
    }
    images.dims = 4; /* N x 1 x H x W */
    images.shape[3] = images.shape[2];
    images.shape[2] = images.shape[1];
    images.shape[1] = 1;
    KD2M_TRY(kd2m_raw_data_take(context, raw, part, &images, images_name, &labels, labels_name));

cleanup:
    kd2m_array_clear(context, &images);
    kd2m_array_clear(context, &labels);
    return status;
}

static kd2m_status read(kd2m_context *context, const void *parameters, kd2m_raw_data *out) {
    const idx_settings *settings = parameters;
    kd2m_status status = KD2M_OK;
    if (!settings->dir)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "idx: needs a folder, idx:DIR");
    KD2M_TRY(read_part(context, out, &out->train, settings->dir, "train-images-idx3-ubyte",
                       "train-labels-idx1-ubyte"));
    KD2M_TRY(read_part(context, out, &out->test, settings->dir, "t10k-images-idx3-ubyte",
                       "t10k-labels-idx1-ubyte"));
    if (out->train.values.element == KD2M_UINT8)
        out->value_scale = 1.0F / 255.0F;

cleanup:
    return status;
}

const kd2m_reader kd2m_reader_idx = {
    .name = "idx",
    .summary = "images in MNIST's four files, gzipped or not",
    .bare = "dir",
    .parameters = {rows, sizeof rows / sizeof *rows},
    .parameters_size = sizeof(idx_settings),
    .read = read,
};
