/* A model file: a safetensors file whose metadata holds the graph and the input's normalisation. */
#ifndef KD2M_MODEL_MODEL_FILE_H
#define KD2M_MODEL_MODEL_FILE_H

#include "graph.h"
#include "normalisation.h"
#include "tensors.h"

typedef struct kd2m_model_file {
    kd2m_context *context;
    kd2m_graph *graph;                /* owned */
    kd2m_tensors *tensors;            /* owned */
    kd2m_normalisation normalisation; /* owned */
    const char *transform;            /* the input's chain of transforms, "" for none; borrowed */
} kd2m_model_file;

/* Reads FILE, or FOLDER/model.safetensors when `path` is a folder. Errors: KD2M_ERROR_IO,
 * KD2M_ERROR_INPUT (not a model of this library, graph or tensors broken). */
kd2m_status kd2m_model_file_read(kd2m_model_file **out, kd2m_context *context, const char *path);

/* The same from the tensors of a file, which are taken over, also on failure; messages begin with
 * `name`. */
kd2m_status kd2m_model_file_take(kd2m_model_file **out, kd2m_context *context,
                                 kd2m_tensors *tensors, const char *name);

/* Whether a file's tensors are a model's of this library, whole or broken. */
bool kd2m_model_file_is(const kd2m_tensors *tensors);

/* Of all that the model's outputs follow from: graph, normalisation, parameters. */
uint64_t kd2m_model_file_digest(const kd2m_model_file *file);

/* Stores the input's chain of transforms with `tensors`, for the file that they are written to;
 * "" or NULL is none. */
kd2m_status kd2m_model_file_set_transform(kd2m_tensors *tensors, const char *chain);

/* Writes atomically. `tensors` gets the metadata keys 'kd2m.format', 'kd2m.graph' and
 * 'kd2m.normalisation'. */
kd2m_status kd2m_model_file_write(const char *path, const kd2m_graph *graph, kd2m_tensors *tensors,
                                  const kd2m_normalisation *normalisation);

void kd2m_model_file_free(kd2m_model_file *file);

#endif
