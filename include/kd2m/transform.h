/*
 * Transforms of samples: fixed maps that are applied once, when data are opened, and stored with
 * the model that was trained behind them. A chain names some of them:
 *
 *     detrend+envelope-spectrum          resize:to=28+channels:to=1 resample:from=12000,to=6000
 *
 * 'kd2m data --transforms' lists them.
 */
#ifndef KD2M_TRANSFORM_H
#define KD2M_TRANSFORM_H

#include <stddef.h>

#include "kd2m/core.h"
#include "kd2m/table.h"

KD2M_BEGIN_DECLS

/* A chain made ready for samples of one shape. */
typedef struct kd2m_chain kd2m_chain;

typedef struct kd2m_chain_info {
    const char *text;   /* the chain in its plain form, "" for none; borrowed from the chain */
    size_t dims;        /* of one sample that comes out, 1..3 */
    size_t shape[3];    /* D | C, L | C, H, W */
    size_t sample_size; /* product of shape */
} kd2m_chain_info;

/*
 * Makes a chain for samples of `dims` (1..3) sizes `shape`. `text` is copied; NULL or "" is the
 * chain that changes nothing.
 * Errors: KD2M_ERROR_USAGE (the text), KD2M_ERROR_INPUT (a transform that does not fit the shape
 * that reaches it), KD2M_ERROR_MEMORY.
 */
KD2M_API kd2m_status kd2m_chain_open(kd2m_chain **out, kd2m_context *context, const char *text,
                                     size_t dims, const size_t *shape);

/* Frees the chain. NULL is fine. */
KD2M_API void kd2m_chain_free(kd2m_chain *chain);

KD2M_API void kd2m_chain_describe(const kd2m_chain *chain, kd2m_chain_info *info);

/*
 * out (rows x the outgoing sample size) = the chain of each row of `values` (rows x the incoming
 * sample size); the two may not overlap. Rows are worked on side by side, the result is the same
 * for any number of threads. Allocates nothing.
 * Errors: KD2M_ERROR_INPUT where NaN or infinity comes out, with the first row.
 */
KD2M_API kd2m_status kd2m_chain_apply(kd2m_chain *chain, const float *values, size_t rows,
                                      float *out);

/* The transforms, and the augmentations that training may use, with their keys as a table. To be
 * freed by the caller. */
KD2M_API kd2m_status kd2m_transform_table(kd2m_table **out, kd2m_context *context);

KD2M_END_DECLS

#endif
