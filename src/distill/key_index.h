/* Which row a sample's key stands in: a sorted list. Of rows with one key the first serves. */
#ifndef KD2M_DISTILL_KEY_INDEX_H
#define KD2M_DISTILL_KEY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"

typedef struct kd2m_key_place {
    uint64_t key;
    size_t row;
} kd2m_key_place;

typedef struct kd2m_key_index {
    kd2m_key_place *places; /* by key, rows of one key in order; owned */
    size_t count;
} kd2m_key_index;

/* Fills *out from the keys of rows 0, 1, ..; O(n log n). Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_key_index_create(kd2m_key_index *out, kd2m_context *context, const uint64_t *keys,
                                  size_t count);
void kd2m_key_index_clear(kd2m_context *context, kd2m_key_index *index);

/* *row = the first row of the key; false where there is none. O(log n). */
bool kd2m_key_index_find(const kd2m_key_index *index, uint64_t key, size_t *row);

#endif
