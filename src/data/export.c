/*
 * A data set as NumPy arrays: the samples as a net of ours would see them but for the
 * normalisation, for programs that are to compute something of the very same ones.
 * Memory: a block of rows. Thread rule: that of the context.
 */
#include <stdio.h>
#include <unistd.h>

#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "npy.h"
#include "progress.h"
#include "writer.h"

#define BLOCK 256 /* rows */

/* One file of a split: how its rows come about. */
typedef struct export_file {
    const char *name; /* 'x' in train_x.npy */
    kd2m_element element;
    size_t dims;     /* of a row */
    size_t shape[3]; /* of a row */
    size_t bytes;    /* of a row */
    kd2m_status (*read)(const kd2m_dataset *dataset, kd2m_split split, size_t first, size_t count,
                        void *out);
} export_file;

static kd2m_status read_values(const kd2m_dataset *dataset, kd2m_split split, size_t first,
                               size_t count, void *out) {
    return kd2m_dataset_read(dataset, split, first, count, out, NULL);
}

static kd2m_status read_labels(const kd2m_dataset *dataset, kd2m_split split, size_t first,
                               size_t count, void *out) {
    return kd2m_dataset_read(dataset, split, first, count, NULL, out);
}

/* Keys as bytes, the lowest first, whatever the machine. */
static kd2m_status read_keys(const kd2m_dataset *dataset, kd2m_split split, size_t first,
                             size_t count, void *out) {
    unsigned char *bytes = out;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < count && status == KD2M_OK; i++) {
        uint64_t key = 0;
        status = kd2m_dataset_read_keys(dataset, split, first + i, 1, &key);
        for (size_t k = 0; k < sizeof key; k++)
            bytes[i * sizeof key + k] = (unsigned char)(key >> (8 * k));
    }
    return status;
}

static kd2m_status write_rows(const kd2m_dataset *dataset, kd2m_split split,
                              const export_file *file, const char *path, kd2m_meter *meter) {
    kd2m_context *context = dataset->context;
    size_t rows = dataset->row_count[split];
    size_t shape[KD2M_ARRAY_MAX_DIMS] = {rows};
    void *block = NULL;
    kd2m_writer *writer = NULL;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < file->dims; i++)
        shape[1 + i] = file->shape[i];
    KD2M_TRY(kd2m_alloc(context, &block, BLOCK, file->bytes));
    KD2M_TRY(kd2m_writer_open(&writer, context, path));
    KD2M_TRY(kd2m_array_write_header(writer, file->element, 1 + file->dims, shape));
    for (size_t first = 0; first < rows; first += BLOCK) {
        size_t count = rows - first < BLOCK ? rows - first : BLOCK;
        KD2M_TRY(kd2m_check_interrupt(context));
        KD2M_TRY(file->read(dataset, split, first, count, block));
        KD2M_TRY(kd2m_writer_write(writer, block, count * file->bytes));
        kd2m_meter_advance(meter, (double)count);
    }
    KD2M_TRY(kd2m_writer_commit(writer));
cleanup:
    kd2m_writer_close(writer);
    kd2m_free(context, block);
    return status;
}

/* The keys come last, and those of an earlier export go first: where there are keys, all is
 * there. */
static kd2m_status export_split(const kd2m_dataset *dataset, kd2m_split split, const char *folder,
                                kd2m_meter *meter) {
    static const char *const names[] = {"train", "validation", "test"};
    kd2m_dataset_info info;
    kd2m_dataset_describe(dataset, &info);
    const export_file files[] = {
        {"keys", KD2M_UINT8, 1, {sizeof(uint64_t)}, sizeof(uint64_t), read_keys},
        {"y", KD2M_INT32, 0, {0}, sizeof(int32_t), read_labels},
        {"x",
         KD2M_FLOAT32,
         info.dims,
         {info.shape[0], info.shape[1], info.shape[2]},
         info.sample_size * sizeof(float),
         read_values},
    };
    enum { FILES = sizeof files / sizeof *files };
    char *paths[FILES] = {NULL};
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s_%s.npy", names[split], files[i].name);
        KD2M_TRY(kd2m_join_path(dataset->context, &paths[i], folder, name));
        unlink(paths[i]);
    }
    for (size_t i = FILES; i-- > 0 && info.rows[split] > 0;)
        KD2M_TRY(write_rows(dataset, split, &files[i], paths[i], meter));
cleanup:
    for (size_t i = 0; i < FILES; i++)
        kd2m_free(dataset->context, paths[i]);
    return status;
}

kd2m_status kd2m_dataset_export(const kd2m_dataset *dataset, const char *folder) {
    kd2m_meter meter;
    kd2m_dataset_info info;
    kd2m_status status = KD2M_OK;
    kd2m_dataset_describe(dataset, &info);
    KD2M_TRY(kd2m_make_folder(dataset->context, folder));
    double rows = (double)(info.rows[0] + info.rows[1] + info.rows[2]);
    kd2m_meter_begin(&meter, dataset->context, "rows", 3 * rows, 0);
    kd2m_meter_text(&meter, "writing");
    for (kd2m_split split = KD2M_TRAIN; split <= KD2M_TEST && status == KD2M_OK; split++)
        status = export_split(dataset, split, folder, &meter);
    kd2m_meter_end(&meter);
cleanup:
    return status;
}
