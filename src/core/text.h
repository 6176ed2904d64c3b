/* A text that grows. */
#ifndef KD2M_CORE_TEXT_H
#define KD2M_CORE_TEXT_H

#include "kd2m/core.h"

/* Begin with {context, NULL, 0, 0}; `text` is owned by whoever holds the struct (kd2m_free). */
typedef struct kd2m_text {
    kd2m_context *context;
    char *text;
    size_t length, capacity;
} kd2m_text;

/* Appends; on failure the text stays as it was. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_text_append(kd2m_text *to, const char *format, ...) KD2M_PRINTF(2, 3);

#endif
