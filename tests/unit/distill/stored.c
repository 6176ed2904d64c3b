#include "stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

void stored_write(kd2m_context *context, const char *model, const char *data, const char *layers,
                  bool moments, bool per_class, const char *path) {
    kd2m_features_settings settings;
    size_t rows = 0;
    kd2m_settings_default(kd2m_features_setting_list(), &settings);
    settings.data = data;
    settings.layers = layers;
    settings.moments = moments;
    settings.per_class = per_class;
    EXPECT_OK(context, kd2m_features_write(&rows, context, model, &settings, path));
    assert_true(rows > 0);
}

static void copy_texts(kd2m_tensors *to, const kd2m_tensors *from) {
    static const char *const keys[] = {KD2M_FEATURE_DATA_KEY, KD2M_FEATURE_FORMAT_KEY};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (kd2m_tensors_text(from, keys[i]))
            EXPECT_OK(to->context,
                      kd2m_tensors_set_text(to, keys[i], kd2m_tensors_text(from, keys[i])));
}

void stored_change(kd2m_context *context, const char *from, const char *to,
                   void (*change)(kd2m_tensors *tensors), const char *drop) {
    kd2m_tensors *tensors, *kept;
    EXPECT_OK(context, kd2m_tensors_read(&tensors, context, from));
    if (change)
        change(tensors);
    EXPECT_OK(context, kd2m_tensors_create(&kept, context));
    copy_texts(kept, tensors);
    for (size_t i = 0; i < tensors->count; i++) {
        const kd2m_tensor *tensor = &tensors->items[i];
        kd2m_tensor *copy;
        if (drop && strstr(drop, tensor->name))
            continue;
        EXPECT_OK(context, kd2m_tensors_add(kept, &copy, tensor->name, tensor->type, tensor->dims,
                                            tensor->shape));
        memcpy(copy->values, tensor->values, tensor->count * kd2m_tensor_type_size(tensor->type));
    }
    EXPECT_OK(context, kd2m_tensors_write(kept, to));
    kd2m_tensors_free(kept);
    kd2m_tensors_free(tensors);
}

void stored_reorder(kd2m_tensors *tensors, const uint32_t *order) {
    for (size_t t = 0; t < tensors->count; t++) {
        kd2m_tensor *tensor = &tensors->items[t];
        size_t rows = tensor->shape[0];
        size_t bytes = tensor->count / rows * kd2m_tensor_type_size(tensor->type);
        char *values = tensor->values, *before = malloc(rows * bytes);
        assert_non_null(before);
        memcpy(before, values, rows * bytes);
        for (size_t i = 0; i < rows; i++)
            memcpy(values + i * bytes, before + order[i] * bytes, bytes);
        free(before);
    }
}

void stored_write_array(kd2m_context *context, const char *folder, const kd2m_tensor *tensor) {
    char path[512];
    kd2m_array array = {.dims = tensor->dims, .count = tensor->count, .values = tensor->values};
    array.element = tensor->type == KD2M_TENSOR_F32  ? KD2M_FLOAT32
                    : tensor->type == KD2M_TENSOR_U8 ? KD2M_UINT8
                                                     : KD2M_INT32;
    memcpy(array.shape, tensor->shape, sizeof array.shape);
    snprintf(path, sizeof path, "%s/%s.npy", folder, tensor->name);
    EXPECT_OK(context, kd2m_array_write(context, &array, path));
}
