/* Any bytes as a file of features: sound rows or one clear refusal. */
#include <math.h>
#include <stdlib.h>

#include "feature_file.h"
#include "fuzz.h"

/* Every value can be read and is finite, every label fits, weights sum to 1. */
static void check_sound(const kd2m_feature_file *file) {
    double total = 0;
    if (file->rows == 0 || file->layer_count == 0)
        abort();
    for (size_t l = 0; l < file->layer_count; l++) {
        const kd2m_feature_layer *layer = &file->layers[l];
        if (layer->channels == 0 || layer->positions == 0)
            abort();
        for (size_t i = 0; i < file->rows * layer->channels * layer->positions; i++)
            if (!isfinite(layer->values[i]))
                abort();
    }
    for (size_t i = 0; i < file->rows; i++) {
        size_t row;
        if (file->labels && file->labels[i] < 0)
            abort();
        if (file->has_keys && (!kd2m_key_index_find(&file->keys, file->keys.places[i].key, &row) ||
                               row > file->keys.places[i].row))
            abort();
        total += file->weights ? file->weights[i] : 0;
    }
    if (file->moments != (file->weights != NULL) || (file->weights && fabs(total - 1) > 1e-9))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    kd2m_context *context = NULL;
    kd2m_source *source = NULL;
    kd2m_tensors *tensors = NULL;
    kd2m_feature_file *file = NULL;
    if (kd2m_context_create(&context, NULL) != KD2M_OK)
        return 0;
    if (kd2m_source_memory(&source, context, bytes, size, "fuzz") == KD2M_OK &&
        kd2m_tensors_parse(&tensors, context, source) == KD2M_OK &&
        kd2m_feature_file_take(&file, context, tensors, "fuzz") == KD2M_OK)
        check_sound(file);
    kd2m_feature_file_free(file);
    kd2m_source_close(source);
    kd2m_context_free(context);
    return 0;
}
