/*
 * A teacher that is a file of features (feature_file.h): with keys each row is that of a sample of
 * the student's (teacher_paired.c), without keys rows are drawn (teacher_unpaired.c). Reading a
 * layer copies rows, O(rows x width). Thread rule: that of the context.
 */
#include "teacher_stored.h"

#include <inttypes.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "spec.h"

kd2m_status kd2m_stored_find_layer(kd2m_teacher *teacher, const char *name,
                                   kd2m_teacher_layer *out) {
    const kd2m_feature_file *file = ((const kd2m_stored *)teacher->own)->file;
    const kd2m_feature_layer *layer = kd2m_feature_file_find(file, name);
    const char **names = NULL;
    kd2m_status status = KD2M_OK;
    if (layer) {
        *out =
            (kd2m_teacher_layer){(size_t)(layer - file->layers), layer->channels, layer->positions};
        return KD2M_OK;
    }
    KD2M_TRY(kd2m_alloc(teacher->context, (void **)&names, file->layer_count, sizeof *names));
    for (size_t i = 0; i < file->layer_count; i++)
        names[i] = file->layers[i].name;
    status =
        kd2m_fail_unknown(teacher->context, file->name, "layer", name, names, file->layer_count);
cleanup:
    kd2m_free(teacher->context, (void *)names);
    return status;
}

kd2m_status kd2m_stored_read(kd2m_teacher *teacher, size_t layer, float *out) {
    const kd2m_stored *own = teacher->own;
    const kd2m_feature_layer *from = &own->file->layers[layer];
    size_t width = from->channels * from->positions;
    for (size_t i = 0; i < teacher->rows; i++)
        memcpy(out + i * width, from->values + own->chosen[i] * width, width * sizeof *out);
    return KD2M_OK;
}

void kd2m_stored_free(kd2m_context *context, void *user) {
    kd2m_stored *own = user;
    kd2m_free(context, own->labels);
    kd2m_positions_free(own->drawn);
    kd2m_free(context, own->places);
    kd2m_free(context, own->chosen);
    kd2m_feature_file_free(own->file);
    kd2m_free(context, own);
}

size_t kd2m_stored_classes(const kd2m_teacher *teacher) {
    const kd2m_feature_file *file = ((const kd2m_stored *)teacher->own)->file;
    size_t classes = teacher->dataset->raw.classes;
    if (file->classes == classes || file->classes == 0)
        return file->classes;
    kd2m_log(teacher->context, KD2M_LOG_INFO,
             "%s: its logits are of %zu classes, the data have %zu: they are left aside",
             file->name, file->classes, classes);
    return 0;
}

/* Before the file is read, a half-made teacher can be freed. */
static const kd2m_teacher_kind unread = {.free = kd2m_stored_free};

static kd2m_status check_data(const kd2m_teacher *teacher, const kd2m_feature_file *file) {
    const kd2m_dataset *dataset = teacher->dataset;
    if (!file->has_data || !file->has_keys || file->data == dataset->digest)
        return KD2M_OK;
    return kd2m_fail(teacher->context, KD2M_ERROR_INPUT,
                     "%s: its features are of data with digest %016" PRIx64 ", but that of %s is "
                     "%016" PRIx64 ": they are of other data, or the data have changed since",
                     file->name, file->data, dataset->spec, dataset->digest);
}

kd2m_status kd2m_teacher_stored_open(kd2m_teacher *teacher, kd2m_tensors *tensors,
                                     const char *name) {
    kd2m_context *context = teacher->context;
    kd2m_stored *own = NULL;
    kd2m_status status = KD2M_OK;
    status = kd2m_alloc(context, &teacher->own, 1, sizeof *own);
    if (status != KD2M_OK) {
        kd2m_tensors_free(tensors);
        return status;
    }
    own = teacher->own;
    teacher->kind = &unread;
    KD2M_TRY(kd2m_feature_file_take(&own->file, context, tensors, name));
    KD2M_TRY(check_data(teacher, own->file));
    teacher->digest = own->file->digest;
    if (own->file->has_keys)
        KD2M_TRY(kd2m_stored_pair(teacher));
    else
        KD2M_TRY(kd2m_stored_unpair(teacher));
    KD2M_TRY(kd2m_alloc(context, (void **)&own->chosen, teacher->rows, sizeof *own->chosen));
cleanup:
    return status;
}
