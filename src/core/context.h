/* The context's inside, and how a failure is reported. */
#ifndef KD2M_CORE_CONTEXT_H
#define KD2M_CORE_CONTEXT_H

#include "kd2m/core.h"

struct kd2m_context {
    kd2m_context_settings settings; /* threads resolved, allocator complete */
    char message[1024];
};

/* Writes the failure's sentence into the context (NULL is fine) and returns `status`. The
 * arguments may point into the old message. */
kd2m_status kd2m_fail(kd2m_context *context, kd2m_status status, const char *format, ...)
    KD2M_PRINTF(3, 4);

/* Puts 'prefix: ' before the message that stands, to say where the failure happened. */
kd2m_status kd2m_fail_within(kd2m_context *context, kd2m_status status, const char *format, ...)
    KD2M_PRINTF(3, 4);

/* KD2M_OK, or KD2M_ERROR_INTERRUPTED once the host's callback says so. */
kd2m_status kd2m_check_interrupt(kd2m_context *context);

/* Passes a line to the host's log callback. */
void kd2m_log(kd2m_context *context, kd2m_log_level level, const char *format, ...)
    KD2M_PRINTF(3, 4);

/* Leaves through the cleanup label when `expression` fails; needs `status` and `cleanup:`. */
#define KD2M_TRY(expression)                                                                       \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (status != KD2M_OK)                                                                     \
            goto cleanup;                                                                          \
    } while (0)

#endif
