/* The data set's inside, and what a reader has to deliver. */
#ifndef KD2M_DATA_DATASET_H
#define KD2M_DATA_DATASET_H

#include <stdbool.h>

#include "kd2m/array.h"
#include "kd2m/data.h"
#include "kd2m/settings.h"
#include "missing.h"
#include "normalisation.h"
#include "spec.h"

#define KD2M_CLASSES_LIMIT 65536 /* a label beyond it is taken for a mistake */
#define KD2M_COLUMNS_LIMIT 32

/* A named column of codes 0, 1, .. beside the rows: machine, load. Both parts share its coding. */
typedef struct kd2m_column {
    char *name;   /* owned */
    char **texts; /* count: what each code stands for; owned */
    size_t count; /* codes are 0..count-1 */
    size_t capacity;
} kd2m_column;

/* What a reader delivers: train and test, each rows x shape, and what belongs to each row. */
typedef struct kd2m_part {
    kd2m_array values; /* KD2M_UINT8 or KD2M_FLOAT32, rows x shape, kept as compact as it came */
    int32_t *labels;   /* rows; owned, as all below */
    uint64_t *keys;    /* rows: see keys.h; made by the caller of the reader */
    int32_t *codes[KD2M_COLUMNS_LIMIT]; /* rows of each column; NULL for one that it doesn't have */
    double *time;  /* rows: when a sample begins, in any unit; NULL where that is not known */
    double *until; /* rows: when it ends, >= time; NULL: samples have no length in time */
    size_t rows;   /* 0 where there is none */
} kd2m_part;

/* Bytes of one stored value. */
static inline size_t kd2m_part_width(const kd2m_part *part) {
    return part->values.element == KD2M_UINT8 ? 1 : sizeof(float);
}

typedef struct kd2m_raw_data {
    size_t dims;
    size_t shape[3];
    size_t classes;       /* as the reader knows it, or 0: highest label + 1 */
    float value_scale;    /* value = stored * value_scale (1/255 for image bytes) */
    kd2m_missing missing; /* what the reader is to do about missing values */
    kd2m_column columns[KD2M_COLUMNS_LIMIT]; /* added by kd2m_raw_data_add_texts and .._numbers */
    size_t column_count;
    kd2m_part train, test;
} kd2m_raw_data;

/* One kind of data set: ends the reader's file; listed in readers.def. */
typedef struct kd2m_reader {
    const char *name;
    const char *summary;
    const char *bare; /* the key that a value without a key stands for, or NULL */
    kd2m_setting_list parameters;
    size_t parameters_size; /* of the settings struct */
    /* Fills *out (zeroed but for value_scale, 1, and missing). What it filled before it failed is
     * freed by the caller. Floats must be finite; labels are checked by the caller. */
    kd2m_status (*read)(kd2m_context *context, const void *parameters, kd2m_raw_data *out);
} kd2m_reader;

/*
 * For readers of files: moves `values`, N x a sample's shape, into `part` of `raw` (then *values is
 * empty), and copies the N integers of `labels`. The first part gives raw its shape, the next must
 * have the same. Names are for messages. Errors: KD2M_ERROR_INPUT, KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_raw_data_take(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                               kd2m_array *values, const char *values_name,
                               const kd2m_array *labels, const char *labels_name);

/* The same for a column's whole numbers, N of them. Errors: as for kd2m_raw_data_add_numbers too.
 */
kd2m_status kd2m_raw_data_take_column(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                      const char *column, const kd2m_array *numbers,
                                      const char *numbers_name);

/* And for times: *out is &part->time or &part->until. */
kd2m_status kd2m_raw_data_take_times(kd2m_context *context, const kd2m_part *part, double **out,
                                     const kd2m_array *times, const char *times_name);

/*
 * Gives `part`, whose number of rows is set, the column `name`: one text a row. Texts are coded 0,
 * 1, .. as they first come, in both parts alike, whichever is given first. Texts are copied.
 * Errors: KD2M_ERROR_INPUT: a name that is empty, 'label' or there already, too many columns;
 * KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_raw_data_add_texts(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                    const char *name, const char *const *texts);

/* The same from whole numbers; a number stands for its text, '1797'. */
kd2m_status kd2m_raw_data_add_numbers(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                      const char *name, const int32_t *numbers);

/* Leaves the rows out whose `keep` is 0. */
void kd2m_part_keep(kd2m_part *part, const unsigned char *keep);

void kd2m_raw_data_clear(kd2m_context *context, kd2m_raw_data *raw);

struct kd2m_dataset {
    kd2m_context *context;
    char *spec;
    char *transform; /* the chain in its plain form */
    kd2m_raw_data raw;
    uint32_t *rows[3]; /* per split: row numbers in its part, ascending */
    size_t row_count[3];
    bool test_cut;     /* the test rows are rows of raw.train */
    size_t dropped;    /* rows that lie across a cut in time */
    size_t relabelled; /* training rows with a wrong label on purpose */
    uint64_t digest;
};

/* The part that the rows of a split lie in. */
static inline const kd2m_part *kd2m_dataset_part(const kd2m_dataset *dataset, kd2m_split split) {
    return split == KD2M_TEST && !dataset->test_cut ? &dataset->raw.test : &dataset->raw.train;
}

/* The label of a row of a split. */
static inline int32_t kd2m_dataset_label(const kd2m_dataset *dataset, kd2m_split split,
                                         size_t row) {
    return kd2m_dataset_part(dataset, split)->labels[dataset->rows[split][row]];
}

/* The code of a row of a split in a column that its part has. */
static inline int32_t kd2m_dataset_code(const kd2m_dataset *dataset, kd2m_split split,
                                        size_t column, size_t row) {
    return kd2m_dataset_part(dataset, split)->codes[column][dataset->rows[split][row]];
}

/* *out = number of the column that the training part has by this name. Errors: KD2M_ERROR_USAGE,
 * the message naming those that there are. */
kd2m_status kd2m_dataset_find_column(const kd2m_dataset *dataset, const char *name, size_t *out);

/* Values in one sample: product of the shape. */
size_t kd2m_dataset_sample_size(const kd2m_dataset *dataset);

/* Mean and 1/sd per channel over the training split; *out is owned by the caller. Errors:
 * KD2M_ERROR_USAGE (no training rows), KD2M_ERROR_MEMORY. */
kd2m_status kd2m_dataset_measure(const kd2m_dataset *dataset, kd2m_normalisation *out);

/* Writes rows first..first+count-1 of a part of samples of `size` values as floats, scaled. */
void kd2m_part_read(const kd2m_part *part, float scale, size_t size, size_t first, size_t count,
                    float *out);

/* Says that the row will be fetched next, for rows of a shuffled epoch lie far apart. Any thread
 * may call it. */
void kd2m_dataset_prefetch(const kd2m_dataset *dataset, kd2m_split split, size_t row);

/* Writes sample `row` of a split, normalised unless `normalisation` is NULL; the label in *label.
 * Either output may be NULL. Touches neither context nor allocator: any thread may call it. */
void kd2m_dataset_fetch(const kd2m_dataset *dataset, kd2m_split split, size_t row,
                        const kd2m_normalisation *normalisation, float *values, int32_t *label);

#endif
