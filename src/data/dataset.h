/* The data set's inside, and what a reader has to deliver. */
#ifndef KD2M_DATA_DATASET_H
#define KD2M_DATA_DATASET_H

#include "kd2m/array.h"
#include "kd2m/data.h"
#include "kd2m/settings.h"
#include "normalisation.h"
#include "spec.h"

/* What a reader delivers: train and test, each rows x shape, and their labels. */
typedef struct kd2m_part {
    kd2m_array values; /* KD2M_UINT8 or KD2M_FLOAT32, rows x shape, kept as compact as it came */
    int32_t *labels;   /* rows; owned */
    size_t rows;       /* 0 where there is none */
} kd2m_part;

typedef struct kd2m_raw_data {
    size_t dims;
    size_t shape[3];
    size_t classes;    /* as the reader knows it, or 0: highest label + 1 */
    float value_scale; /* value = stored * value_scale (1/255 for image bytes) */
    kd2m_part train, test;
} kd2m_raw_data;

/* One kind of data set: ends the reader's file; listed in readers.def. */
typedef struct kd2m_reader {
    const char *name;
    const char *summary;
    const char *bare; /* the key that a value without a key stands for, or NULL */
    kd2m_setting_list parameters;
    size_t parameters_size; /* of the settings struct */
    /* Fills *out (zeroed). What it filled before it failed is freed by the caller. */
    kd2m_status (*read)(kd2m_context *context, const void *parameters, kd2m_raw_data *out);
} kd2m_reader;

struct kd2m_dataset {
    kd2m_context *context;
    char *spec;
    kd2m_raw_data raw;
    uint32_t *rows[3]; /* per split: row numbers in its part (train, train, test) */
    size_t row_count[3];
    uint64_t digest;
};

/* Mean and 1/sd per channel over the training split; *out is owned by the caller. */
kd2m_status kd2m_dataset_measure(const kd2m_dataset *dataset, kd2m_normalisation *out);

/* Writes sample `row` of a split, normalised unless `normalisation` is NULL; the label in *label.
 */
void kd2m_dataset_fetch(const kd2m_dataset *dataset, kd2m_split split, size_t row,
                        const kd2m_normalisation *normalisation, float *values, int32_t *label);

#endif
