/*
 * The teacher's bank of a term, bank=N: its rows of this batch and of the N rows before it, first
 * in, first out. A distance between small samples is biased, and few rows stand badly for a law;
 * the teacher doesn't change, so its earlier rows are as good as new ones and cost no forward pass
 * (docs/losses.md).
 *
 * The bank is part of the checkpoint, to the place of each row, so that a resumed run goes on the
 * same.
 */
#ifndef KD2M_DISTILL_BANK_H
#define KD2M_DISTILL_BANK_H

#include "row_store.h"
#include "tensors.h"

/* A ring of N rows and those of a batch: each batch takes the places of the oldest rows. */
typedef struct kd2m_bank {
    kd2m_row_store *store;
    size_t next;   /* place that the next row goes to */
    size_t filled; /* places that hold rows: 0 .. filled - 1 */
} kd2m_bank;

/* For `kept` rows beside those of a batch of `batch`. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_bank_create(kd2m_bank **out, kd2m_context *context, size_t kept, size_t batch,
                             const kd2m_row_needs *needs);
void kd2m_bank_free(kd2m_bank *bank);

/* Takes in the rows of a batch. */
void kd2m_bank_push(kd2m_bank *bank, const kd2m_sample *rows);

/* *out = all rows that are there; borrowed. */
void kd2m_bank_sample(const kd2m_bank *bank, kd2m_sample *out);

/* The bank as tensors 'NAME.place', 'NAME.features', ..., and back, from those of a bank of the
 * same sizes. Errors: KD2M_ERROR_INPUT, KD2M_ERROR_MEMORY. */
kd2m_status kd2m_bank_store(const kd2m_bank *bank, kd2m_tensors *tensors, const char *name);
kd2m_status kd2m_bank_load(kd2m_bank *bank, const kd2m_tensors *tensors, const char *name);

#endif
