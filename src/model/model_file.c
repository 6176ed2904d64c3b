/*
 * A model file: see model_file.h. Metadata, all texts:
 *   kd2m.format         "1"
 *   kd2m.graph          the graph as JSON (graph_json.c)
 *   kd2m.normalisation  {"mean": [..], "scale": [..]}, one number a channel, written with 17 digits
 *                       so that every float comes back as it was
 *   kd2m.transform      the chain of transforms before the normalisation; left out where there is
 * none Time and memory O(file). Thread rule: that of the context.
 */
#include "model_file.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "digest.h"
#include "json.h"
#include "memory.h"
#include "source.h"
#include "writer.h"

#define FORMAT "1"

static const char format_key[] = "kd2m.format";
static const char graph_key[] = "kd2m.graph";
static const char normalisation_key[] = "kd2m.normalisation";
static const char transform_key[] = "kd2m.transform";

/* *out = owned `path`, or the model inside it when it is a folder. */
static kd2m_status resolve_path(kd2m_context *context, char **out, const char *path) {
    if (kd2m_folder_exists(path))
        return kd2m_join_path(context, out, path, "model.safetensors");
    return kd2m_text_copy(context, out, path);
}

static kd2m_status numbers_from_json(kd2m_context *context, const json_t *list, const char *key,
                                     size_t count, float *out) {
    if (json_array_size(list) != count)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "the normalisation's '%s' must be a list of %zu numbers, one a channel",
                         key, count);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        out[i] = (float)json_number_value(value);
        if (!json_is_number(value) || !isfinite(out[i]))
            return kd2m_fail(context, KD2M_ERROR_INPUT,
                             "the normalisation's '%s' has no finite number for channel %zu", key,
                             i);
    }
    return KD2M_OK;
}

/* The JSON in metadata text `key` of the file. */
static kd2m_status metadata_json(kd2m_context *context, json_t **out, const kd2m_tensors *tensors,
                                 const char *key, const char *path) {
    *out = NULL;
    const char *text = kd2m_tensors_text(tensors, key);
    if (!text)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s: not a kd2m model (no %s in its metadata)",
                         path, key);
    kd2m_status status = kd2m_json_parse(context, out, text, strlen(text), key);
    return status == KD2M_OK ? status : kd2m_fail_within(context, status, "%s", path);
}

static kd2m_status read_normalisation(kd2m_model_file *file, const char *path) {
    kd2m_context *context = file->context;
    size_t channels = file->graph->shape[0];
    kd2m_status status = KD2M_OK;
    json_t *json = NULL;
    KD2M_TRY(metadata_json(context, &json, file->tensors, normalisation_key, path));
    KD2M_TRY(kd2m_normalisation_create(&file->normalisation, context, channels));
    status = numbers_from_json(context, json_object_get(json, "mean"), "mean", channels,
                               file->normalisation.mean);
    if (status == KD2M_OK)
        status = numbers_from_json(context, json_object_get(json, "scale"), "scale", channels,
                                   file->normalisation.scale);
    if (status != KD2M_OK)
        status = kd2m_fail_within(context, status, "%s", path);
cleanup:
    json_decref(json);
    return status;
}

static kd2m_status read_graph(kd2m_model_file *file, const char *path) {
    kd2m_context *context = file->context;
    kd2m_status status = KD2M_OK;
    json_t *json = NULL;
    KD2M_TRY(metadata_json(context, &json, file->tensors, graph_key, path));
    const char *format = kd2m_tensors_text(file->tensors, format_key);
    if (!format || strcmp(format, FORMAT) != 0) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: model format '%.20s', this version reads format " FORMAT, path,
                           format ? format : "");
        goto cleanup;
    }
    KD2M_TRY(kd2m_graph_from_json(&file->graph, context, json, path));
cleanup:
    json_decref(json);
    return status;
}

kd2m_status kd2m_model_file_take(kd2m_model_file **out, kd2m_context *context,
                                 kd2m_tensors *tensors, const char *name) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_model_file *file = NULL;
    KD2M_TRY(kd2m_alloc(context, (void **)&file, 1, sizeof *file));
    file->context = context;
    file->tensors = tensors;
    tensors = NULL;
    KD2M_TRY(read_graph(file, name));
    KD2M_TRY(read_normalisation(file, name));
    const char *transform = kd2m_tensors_text(file->tensors, transform_key);
    file->transform = transform ? transform : "";
    *out = file;
    file = NULL;
cleanup:
    kd2m_tensors_free(tensors);
    kd2m_model_file_free(file);
    return status;
}

kd2m_status kd2m_model_file_read(kd2m_model_file **out, kd2m_context *context, const char *path) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_tensors *tensors = NULL;
    char *resolved = NULL;
    KD2M_TRY(resolve_path(context, &resolved, path));
    KD2M_TRY(kd2m_tensors_read(&tensors, context, resolved));
    KD2M_TRY(kd2m_model_file_take(out, context, tensors, resolved));
cleanup:
    kd2m_free(context, resolved);
    return status;
}

bool kd2m_model_file_is(const kd2m_tensors *tensors) {
    return kd2m_tensors_text(tensors, graph_key) != NULL;
}

uint64_t kd2m_model_file_digest(const kd2m_model_file *file) {
    const kd2m_tensors *tensors = file->tensors;
    const kd2m_normalisation *normalisation = &file->normalisation;
    const char *graph = kd2m_tensors_text(tensors, graph_key);
    size_t bytes = normalisation->channels * sizeof(float);
    uint64_t digest = kd2m_digest(KD2M_DIGEST_START, graph, strlen(graph));
    digest = kd2m_digest(digest, normalisation->mean, bytes);
    digest = kd2m_digest(digest, normalisation->scale, bytes);
    for (size_t i = 0; i < tensors->count; i++) {
        const kd2m_tensor *tensor = &tensors->items[i];
        digest = kd2m_digest(digest, tensor->name, strlen(tensor->name));
        digest = kd2m_digest(digest, tensor->values,
                             tensor->count * kd2m_tensor_type_size(tensor->type));
    }
    return digest;
}

static kd2m_status numbers_to_json(kd2m_context *context, json_t *object, const char *key,
                                   const float *values, size_t count) {
    kd2m_status status = KD2M_OK;
    json_t *list = json_array();
    KD2M_TRY(kd2m_json_set(context, object, key, list));
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, kd2m_json_real((double)values[i])) != 0) {
            status = kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for JSON");
            goto cleanup;
        }
cleanup:
    return status;
}

/* Puts `json` as text into the metadata. */
static kd2m_status set_json(kd2m_tensors *tensors, const char *key, const json_t *json) {
    char *text = NULL;
    kd2m_status status = kd2m_json_text(tensors->context, &text, json, 1);
    if (status == KD2M_OK)
        status = kd2m_tensors_set_text(tensors, key, text);
    kd2m_text_free(tensors->context, text);
    return status;
}

kd2m_status kd2m_model_file_set_transform(kd2m_tensors *tensors, const char *chain) {
    return chain && *chain ? kd2m_tensors_set_text(tensors, transform_key, chain) : KD2M_OK;
}

kd2m_status kd2m_model_file_write(const char *path, const kd2m_graph *graph, kd2m_tensors *tensors,
                                  const kd2m_normalisation *normalisation) {
    kd2m_context *context = tensors->context;
    kd2m_status status = KD2M_OK;
    json_t *graph_json = NULL;
    json_t *numbers = json_object();
    KD2M_TRY(kd2m_graph_to_json(graph, &graph_json));
    KD2M_TRY(
        numbers_to_json(context, numbers, "mean", normalisation->mean, normalisation->channels));
    KD2M_TRY(
        numbers_to_json(context, numbers, "scale", normalisation->scale, normalisation->channels));
    KD2M_TRY(kd2m_tensors_set_text(tensors, format_key, FORMAT));
    KD2M_TRY(set_json(tensors, graph_key, graph_json));
    KD2M_TRY(set_json(tensors, normalisation_key, numbers));
    KD2M_TRY(kd2m_tensors_write(tensors, path));
cleanup:
    json_decref(numbers);
    json_decref(graph_json);
    return status;
}

void kd2m_model_file_free(kd2m_model_file *file) {
    if (!file)
        return;
    kd2m_graph_free(file->graph);
    kd2m_tensors_free(file->tensors);
    kd2m_normalisation_clear(file->context, &file->normalisation);
    kd2m_free(file->context, file);
}
