/*
 * Features that were computed elsewhere, in a file: docs/teachers-from-files.md is the format. A
 * .safetensors file, or a folder of .npy files that are its tensors, holds
 *
 *     features [N,d], logits [N,K], and layers by any name: [N,c], [N,c,L] or [N,c,H,W]
 *     keys     [N] I64 or [N,8] U8: whose features they are; without keys, nobody knows
 *     labels   [N]
 *
 * or, instead of rows, moments: NAME.mean and NAME.variance, [d] or for each class [C,d], then with
 * NAME.weight [C]. They become two rows a class, mean + sd and mean - sd, which have those moments.
 *
 * Nothing of a file is believed before it is checked. Memory: that of the file; all of it is held.
 */
#ifndef KD2M_DISTILL_FEATURE_FILE_H
#define KD2M_DISTILL_FEATURE_FILE_H

#include "key_index.h"
#include "tensors.h"

#define KD2M_FEATURE_FORMAT "1"
#define KD2M_FEATURE_FORMAT_KEY "kd2m.features" /* in a file's metadata, if at all */
#define KD2M_FEATURE_DATA_KEY "data" /* the data set's digest, 16 hexadecimal digits, likewise */

typedef struct kd2m_feature_layer {
    const char *name; /* borrowed from the tensors, as the values */
    size_t channels, positions;
    const float *values; /* rows x channels x positions */
} kd2m_feature_layer;

typedef struct kd2m_feature_file {
    kd2m_context *context;
    char *name; /* for messages; owned, as all below */
    kd2m_tensors *tensors;
    kd2m_feature_layer *layers;
    size_t layer_count;
    size_t rows;
    size_t classes;  /* logits of a row; 0 without */
    int32_t *labels; /* rows; NULL without */
    bool has_keys;
    kd2m_key_index keys;
    bool moments;    /* the rows stand for moments, */
    double *weights; /* and have these weights, which sum to 1; else NULL */
    bool has_data;
    uint64_t data;   /* digest of the data set that the features are of, if the file says so */
    uint64_t digest; /* of all that the file holds */
} kd2m_feature_file;

/* Makes it of a file's tensors, which are taken over, also on failure; messages begin with `name`.
 * Errors: KD2M_ERROR_INPUT, KD2M_ERROR_MEMORY. */
kd2m_status kd2m_feature_file_take(kd2m_feature_file **out, kd2m_context *context,
                                   kd2m_tensors *tensors, const char *name);
void kd2m_feature_file_free(kd2m_feature_file *file);

/* The layer of that name, or NULL. */
const kd2m_feature_layer *kd2m_feature_file_find(const kd2m_feature_file *file, const char *name);

/* *out = the arrays NAME.npy of a folder as tensors NAME, in the names' order; none where there are
 * no such files. Errors: as kd2m_array_read. */
kd2m_status kd2m_feature_folder_read(kd2m_tensors **out, kd2m_context *context, const char *folder);

/* Whether a file's tensors are moments. */
bool kd2m_feature_moments(const kd2m_tensors *tensors);

/* *out = tensors of rows in the moments' place, with 'labels' where they are by class; *weights =
 * those of the rows, owned by the caller. Both NULL on failure. Errors: KD2M_ERROR_INPUT,
 * KD2M_ERROR_MEMORY. */
kd2m_status kd2m_feature_moments_to_rows(kd2m_tensors **out, double **weights,
                                         const kd2m_tensors *moments);

#endif
