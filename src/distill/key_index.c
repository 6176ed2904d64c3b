/* Which row a sample's key stands in: see key_index.h. */
#include "key_index.h"

#include <stdlib.h>

#include "context.h"
#include "memory.h"

static int compare(const void *left, const void *right) {
    const kd2m_key_place *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

kd2m_status kd2m_key_index_create(kd2m_key_index *out, kd2m_context *context, const uint64_t *keys,
                                  size_t count) {
    *out = (kd2m_key_index){NULL, 0};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&out->places, count, sizeof *out->places));
    out->count = count;
    for (size_t i = 0; i < count; i++)
        out->places[i] = (kd2m_key_place){keys[i], i};
    qsort(out->places, count, sizeof *out->places, compare);
cleanup:
    return status;
}

void kd2m_key_index_clear(kd2m_context *context, kd2m_key_index *index) {
    kd2m_free(context, index->places);
    *index = (kd2m_key_index){NULL, 0};
}

bool kd2m_key_index_find(const kd2m_key_index *index, uint64_t key, size_t *row) {
    size_t low = 0, high = index->count; /* the first place whose key is not smaller */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->places[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == index->count || index->places[low].key != key)
        return false;
    *row = index->places[low].row;
    return true;
}
