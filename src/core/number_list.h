/*
 * Lists of whole numbers as a user writes them: '3', '1-9', '0,2,5-7'.
 *
 *   list := range { ',' range }        range := number [ '-' number ]
 */
#ifndef KD2M_CORE_NUMBER_LIST_H
#define KD2M_CORE_NUMBER_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"

typedef struct kd2m_number_list {
    int32_t *items; /* ascending, each once; owned */
    size_t count;   /* >= 1 */
} kd2m_number_list;

/* Reads all of `text` as numbers from 0 to `highest`. Errors: KD2M_ERROR_USAGE with the position: a
 * form other than the above, a range from high to low, a number too high or there twice. */
kd2m_status kd2m_number_list_parse(kd2m_number_list *out, kd2m_context *context, const char *text,
                                   int32_t highest);

/* *out = owned text of the list in its shortest form. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_number_list_text(char **out, kd2m_context *context, const kd2m_number_list *list);

/* Frees the numbers and zeroes the struct. */
void kd2m_number_list_clear(kd2m_context *context, kd2m_number_list *list);

#endif
