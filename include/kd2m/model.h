/* Trained models: load, describe, run. */
#ifndef KD2M_MODEL_H
#define KD2M_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"
#include "kd2m/table.h"

KD2M_BEGIN_DECLS

typedef struct kd2m_model kd2m_model;

typedef struct kd2m_model_info {
    const char *architecture; /* 'mlp:784-64-10'; borrowed from the model */
    const char
        *transform;     /* the chain that its samples went through before, "" for none; likewise */
    size_t dims;        /* of one input sample, behind the transform, 1..3 */
    size_t shape[3];    /* D | C, L | C, H, W */
    size_t sample_size; /* product of shape */
    size_t classes;
    size_t features;   /* width of the layer 'features', the classifier's input */
    size_t parameters; /* trained scalars */
} kd2m_model_info;

/*
 * Loads a model: a .safetensors file written by this library, or a run folder.
 * Errors: KD2M_ERROR_IO, KD2M_ERROR_INPUT (not a model, or broken), KD2M_ERROR_MEMORY.
 */
KD2M_API kd2m_status kd2m_model_open(kd2m_model **out, kd2m_context *context, const char *path);

/* Frees the model. NULL is fine. */
KD2M_API void kd2m_model_free(kd2m_model *model);

KD2M_API void kd2m_model_describe(const kd2m_model *model, kd2m_model_info *info);

/* Layers with operator, output shape and trained scalars, as a table; the notes name the features
 * and the logits. To be freed by the caller. */
KD2M_API kd2m_status kd2m_model_table(kd2m_table **out, const kd2m_model *model);

/*
 * Runs `rows` samples (rows x sample_size, as they come out of the model's transform, which is not
 * applied here: kd2m/transform.h; the model's own normalisation is).
 * `logits` (rows x classes) and `features` (rows x features) are filled unless NULL.
 * Rows go through in batches of 1, 2, 4 .. 256; what a batch size needs is kept, so a second call
 * with as many rows allocates nothing.
 * Errors: KD2M_ERROR_MEMORY, KD2M_ERROR_INTERRUPTED, KD2M_ERROR_UNSUPPORTED.
 */
KD2M_API kd2m_status kd2m_model_predict(kd2m_model *model, const float *values, size_t rows,
                                        float *logits, float *features);

KD2M_END_DECLS

#endif
