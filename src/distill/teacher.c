/* What all kinds of teachers share: see teacher.h. */
#include <string.h>

#include "context.h"
#include "feature_file.h"
#include "layer.h"
#include "memory.h"
#include "model_file.h"
#include "source.h"
#include "teacher_kind.h"
#include "writer.h"

static const char sought[] = "a teacher is a run folder, a model file, or features: a .safetensors "
                             "file or a folder of .npy files (docs/teachers-from-files.md)";

/* *out = what FILE holds. */
static kd2m_status read_file(kd2m_tensors **out, kd2m_context *context, const char *path) {
    kd2m_status status = kd2m_tensors_read(out, context, path);
    if (status == KD2M_ERROR_INPUT || status == KD2M_ERROR_IO)
        kd2m_fail(context, status, "%s; %s", kd2m_context_message(context), sought);
    return status;
}

/* *out = what FOLDER/model.safetensors holds or, where there is none, its .npy files. */
static kd2m_status read_folder(kd2m_tensors **out, kd2m_context *context, const char *folder) {
    char *model = NULL, *config = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_join_path(context, &model, folder, "model.safetensors"));
    KD2M_TRY(kd2m_join_path(context, &config, folder, "config.json"));
    if (kd2m_file_exists(model)) {
        status = read_file(out, context, model);
        goto cleanup;
    }
    if (kd2m_file_exists(config)) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: is a run without a model yet: go on with it with --resume", folder);
        goto cleanup;
    }
    KD2M_TRY(kd2m_feature_folder_read(out, context, folder));
    if ((*out)->count > 0)
        goto cleanup;
    kd2m_tensors_free(*out);
    *out = NULL;
    status = kd2m_fail(context, KD2M_ERROR_INPUT,
                       "%s: has neither model.safetensors nor .npy files; %s", folder, sought);
cleanup:
    kd2m_free(context, config);
    kd2m_free(context, model);
    return status;
}

/* Opens the kind that fits what is there. */
static kd2m_status open_kind(kd2m_teacher *teacher, const char *path) {
    kd2m_tensors *tensors = NULL;
    kd2m_status status = kd2m_folder_exists(path) ? read_folder(&tensors, teacher->context, path)
                                                  : read_file(&tensors, teacher->context, path);
    if (status != KD2M_OK)
        return status;
    return kd2m_model_file_is(tensors) ? kd2m_teacher_net_open(teacher, tensors, path)
                                       : kd2m_teacher_stored_open(teacher, tensors, path);
}

kd2m_status kd2m_teacher_open(kd2m_teacher **out, kd2m_context *context, const char *path,
                              const kd2m_dataset *dataset, const kd2m_normalisation *normalisation,
                              size_t batch) {
    *out = NULL;
    kd2m_teacher *teacher = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&teacher, 1, sizeof *teacher));
    teacher->context = context;
    teacher->dataset = dataset;
    teacher->normalisation = normalisation;
    teacher->batch = batch;
    KD2M_TRY(open_kind(teacher, path));
    *out = teacher;
    teacher = NULL;
cleanup:
    kd2m_teacher_free(teacher);
    return status;
}

void kd2m_teacher_free(kd2m_teacher *teacher) {
    if (!teacher)
        return;
    kd2m_teacher_cache_free(teacher->cache);
    if (teacher->own)
        teacher->kind->free(teacher->context, teacher->own);
    kd2m_free(teacher->context, teacher);
}

const kd2m_teacher_info *kd2m_teacher_describe(const kd2m_teacher *teacher) {
    return &teacher->info;
}

uint64_t kd2m_teacher_digest(const kd2m_teacher *teacher) {
    return teacher->digest;
}

size_t kd2m_teacher_rows(const kd2m_teacher *teacher) {
    return teacher->rows;
}

const double *kd2m_teacher_weights(const kd2m_teacher *teacher) {
    return teacher->weights;
}

const int32_t *kd2m_teacher_labels(const kd2m_teacher *teacher) {
    return teacher->labels;
}

const kd2m_sample_column *kd2m_teacher_columns(const kd2m_teacher *teacher, size_t *count) {
    *count = teacher->column_count;
    return teacher->columns;
}

kd2m_status kd2m_teacher_find_layer(kd2m_teacher *teacher, const char *name,
                                    kd2m_teacher_layer *out) {
    return teacher->kind->find_layer(teacher, name, out);
}

void kd2m_teacher_expect_plain(kd2m_teacher *teacher) {
    teacher->plain = true;
}

kd2m_status kd2m_teacher_keep(kd2m_teacher *teacher, const char *folder, double limit,
                              const kd2m_teacher_reading *readings, size_t count) {
    return kd2m_teacher_cache_open(&teacher->cache, teacher, folder, limit, readings, count);
}

void kd2m_teacher_take_batch(kd2m_teacher *teacher, const kd2m_batch *batch) {
    teacher->labels = batch->labels;
    teacher->columns = batch->columns;
    teacher->column_count = batch->column_count;
}

kd2m_status kd2m_teacher_forward(kd2m_teacher *teacher, const kd2m_batch *batch, uint64_t seed,
                                 uint64_t step) {
    if (!teacher->cache)
        return teacher->kind->forward(teacher, batch, seed, step);
    kd2m_teacher_cache_seek(teacher->cache, batch->ids);
    kd2m_teacher_take_batch(teacher, batch);
    return KD2M_OK;
}

kd2m_status kd2m_teacher_pass(kd2m_teacher *teacher, kd2m_teacher_visit visit, void *user) {
    return teacher->kind->pass(teacher, visit, user);
}

kd2m_status kd2m_teacher_evaluate(kd2m_teacher *teacher, kd2m_split split, kd2m_evaluation *out) {
    return teacher->kind->evaluate(teacher, split, out);
}

kd2m_status kd2m_teacher_read(kd2m_teacher *teacher, const kd2m_teacher_layer *layer,
                              kd2m_reduction reduction, float *scratch, float *out) {
    bool pooled = kd2m_teacher_pools(layer, reduction);
    if (teacher->cache)
        return kd2m_teacher_cache_read(teacher->cache, layer, pooled, out);
    if (!pooled)
        return teacher->kind->read(teacher, layer->number, out);
    kd2m_status status = teacher->kind->read(teacher, layer->number, scratch);
    if (status == KD2M_OK)
        kd2m_pool_positions(scratch, teacher->rows, layer->channels, layer->positions, out);
    return status;
}

/* Fills a batch with rows from `first` on, the last one repeated where they end; the values of
 * which no net runs may be NULL. */
static void fetch_rows(const kd2m_teacher *teacher, size_t first, float *values, int32_t *labels,
                       uint32_t *ids) {
    size_t size = kd2m_dataset_sample_size(teacher->dataset);
    size_t last = teacher->dataset->row_count[KD2M_TRAIN] - 1;
    for (size_t i = 0; i < teacher->batch; i++) {
        size_t row = first + i < last ? first + i : last;
        kd2m_dataset_fetch(teacher->dataset, KD2M_TRAIN, row, teacher->normalisation,
                           values ? values + i * size : NULL, &labels[i]);
        ids[i] = (uint32_t)row;
    }
}

kd2m_status kd2m_teacher_pass_samples(kd2m_teacher *teacher, kd2m_teacher_visit visit, void *user) {
    kd2m_context *context = teacher->context;
    size_t total = teacher->dataset->row_count[KD2M_TRAIN], batch = teacher->batch;
    size_t sample = kd2m_dataset_sample_size(teacher->dataset);
    float *values = NULL;
    int32_t *labels = NULL;
    uint32_t *ids = NULL;
    kd2m_status status = KD2M_OK;
    if (!teacher->cache)
        KD2M_TRY(kd2m_alloc(context, (void **)&values, batch, sample * sizeof *values));
    KD2M_TRY(kd2m_alloc(context, (void **)&labels, batch, sizeof *labels));
    KD2M_TRY(kd2m_alloc(context, (void **)&ids, batch, sizeof *ids));
    for (size_t first = 0; first < total; first += batch) {
        fetch_rows(teacher, first, values, labels, ids);
        KD2M_TRY(kd2m_check_interrupt(context));
        KD2M_TRY(kd2m_teacher_forward(
            teacher, &(kd2m_batch){batch, values, labels, ids, .columns = NULL}, 0, 0));
        KD2M_TRY(visit(user, teacher, total - first < batch ? total - first : batch));
    }
cleanup:
    teacher->labels = NULL;
    teacher->columns = NULL;
    teacher->column_count = 0;
    kd2m_free(context, ids);
    kd2m_free(context, labels);
    kd2m_free(context, values);
    return status;
}
