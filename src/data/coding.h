/* Texts coded 0, 1, .. in the order that they first come. */
#ifndef KD2M_DATA_CODING_H
#define KD2M_DATA_CODING_H

#include "dataset.h"

/* Finds the codes of a column by text, by a hash table of open addressing. A slot holds code + 1, 0
 * is free; at most half of them are taken. Begin with {0}. */
typedef struct kd2m_coding {
    kd2m_context *context;
    kd2m_column *column; /* borrowed: holds the texts */
    uint32_t *slots;
    size_t mask; /* their number - 1; that is a power of two */
} kd2m_coding;

/* Takes over the codes that the column has. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_coding_open(kd2m_coding *out, kd2m_context *context, kd2m_column *column);

/* *out = the code of a text, a new one if it is new (the text is copied). Errors:
 * KD2M_ERROR_MEMORY. */
kd2m_status kd2m_coding_code(kd2m_coding *coding, const char *text, int32_t *out);

/* The code of a text, or -1 where it has none. */
int32_t kd2m_coding_find(const kd2m_coding *coding, const char *text);

/* Frees the table; the column stays. */
void kd2m_coding_close(kd2m_coding *coding);

/* Frees a column's name and texts and zeroes the struct. */
void kd2m_column_clear(kd2m_context *context, kd2m_column *column);

#endif
