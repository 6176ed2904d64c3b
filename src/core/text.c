/* A text that grows: see text.h. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

#include "memory.h"

kd2m_status kd2m_text_append(kd2m_text *to, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    kd2m_status status = kd2m_grow(to->context, (void **)&to->text, &to->capacity, to->length,
                                   to->length + (size_t)length + 1, 1);
    if (status == KD2M_OK) {
        vsnprintf(to->text + to->length, (size_t)length + 1, format, again);
        to->length += (size_t)length;
    }
    va_end(again);
    return status;
}
