/* A set of rows as every metric takes it. */
#ifndef KD2M_SAMPLE_H
#define KD2M_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/export.h"

KD2M_BEGIN_DECLS

/* A named column of whole numbers beside the rows: machine, load, recording. All borrowed. */
typedef struct kd2m_sample_column {
    const char *name;
    const int32_t *values; /* rows, >= 0: codes that mean the same on both sides of a metric */
} kd2m_sample_column;

/*
 * Rows of features with what belongs to each row. All pointers are borrowed. All but `features`
 * may be NULL (for an output loss `features` may be NULL and `logits` must not be).
 */
typedef struct kd2m_sample {
    size_t rows;           /* number of rows, n or m, >= 1 */
    size_t dim;            /* features per row, d, >= 1 */
    const float *features; /* rows x dim, row-major, finite */
    size_t stride;         /* elements from one row's features to the next, >= dim */
    const double *weights; /* rows, >= 0 with a positive sum; NULL = uniform. Used as given/sum */
    const int32_t *labels; /* rows, >= 0; the groups of cond(M) */
    const float *logits;   /* rows x classes, row-major, finite */
    size_t classes;        /* logits per row */
    size_t logits_stride;  /* elements from one row's logits to the next, >= classes */
    const kd2m_sample_column *columns; /* column_count; the groups of cond(M):by=NAME */
    size_t column_count;
} kd2m_sample;

KD2M_END_DECLS

#endif
