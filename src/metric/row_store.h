/*
 * Rows with what belongs to each of them, copied: what a metric compares where that is not a sample
 * as it is, but rows drawn from it, positions of its rows or rows of earlier batches.
 */
#ifndef KD2M_METRIC_ROW_STORE_H
#define KD2M_METRIC_ROW_STORE_H

#include <stdbool.h>

#include "kd2m/core.h"
#include "kd2m/metric.h"

/* What is kept of a row: no more than its metric looks at. */
typedef struct kd2m_row_needs {
    size_t dim;     /* features; 0 = none */
    size_t classes; /* logits; 0 = none */
    bool labels;    /* or not */
    bool weights;
    const char *column; /* the one whose codes are kept; NULL = none; borrowed */
} kd2m_row_needs;

/* What a metric looks at in rows of `dim` features and `classes` logits; weights are left out. */
kd2m_row_needs kd2m_row_needs_of(const kd2m_metric_info *info, size_t dim, size_t classes);

typedef struct kd2m_row_store {
    kd2m_context *context;
    kd2m_row_needs needs;
    size_t capacity; /* rows */
    float *features; /* capacity x dim; these five owned, NULL where not needed */
    float *logits;   /* capacity x classes */
    int32_t *labels; /* capacity */
    int32_t *codes;  /* capacity */
    double *weights; /* capacity */
    bool has_logits, has_labels, has_weights; /* the rows written last came with them */
    kd2m_sample_column column; /* of the rows written last; its name is NULL without one */
} kd2m_row_store;

/* Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_row_store_create(kd2m_row_store **out, kd2m_context *context, size_t capacity,
                                  const kd2m_row_needs *needs);
void kd2m_row_store_free(kd2m_row_store *store);

/* Bytes that the rows take. */
size_t kd2m_row_store_bytes(const kd2m_row_store *store);

/* Which rows of a sample: numbers[0 .. count - 1] / each, where each row has so many numbers, as a
 * map has positions. NULL numbers: the first `count`. */
typedef struct kd2m_row_choice {
    const uint32_t *numbers;
    size_t each; /* >= 1 */
    size_t count;
} kd2m_row_choice;

/* Writes rows of `from` to the places from `at` on, going on at place 0 behind the last. */
void kd2m_row_store_write(kd2m_row_store *store, size_t at, const kd2m_sample *from,
                          const kd2m_row_choice *rows);

/* *out = the first `rows` rows; borrowed. What `from` did not have is not there either. */
void kd2m_row_store_sample(const kd2m_row_store *store, size_t rows, kd2m_sample *out);

#endif
