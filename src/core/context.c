/*
 * Status, context, failure messages, log lines.
 *
 * A message is always formatted aside and then copied in, so that its arguments may point into the
 * message that stands.
 */
#define _DEFAULT_SOURCE /* madvise */
#include "context.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory.h"

#define THREADS_MAX 256

const char *kd2m_status_text(kd2m_status status) {
    switch (status) {
    case KD2M_OK:
        return "ok";
    case KD2M_ERROR_MEMORY:
        return "out of memory";
    case KD2M_ERROR_USAGE:
        return "wrong use";
    case KD2M_ERROR_INPUT:
        return "bad input";
    case KD2M_ERROR_IO:
        return "input/output error";
    case KD2M_ERROR_NUMERIC:
        return "numerical breakdown";
    case KD2M_ERROR_INTERRUPTED:
        return "interrupted";
    case KD2M_ERROR_UNSUPPORTED:
        return "not supported";
    case KD2M_ERROR_INTERNAL:
        return "internal error";
    }
    return "unknown status";
}

const char *kd2m_version(void) {
    return KD2M_VERSION_TEXT;
}

/* Blocks of some of the system's huge pages get them: the rows of data sets and cost matrices,
 * which are read in any order, each begin with a miss of the address cache otherwise. */
#define HUGE_PAGE ((size_t)2 << 20)
#define LEAST_HUGE (4 * HUGE_PAGE)

static void *allocate_huge(size_t size) {
    size = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = aligned_alloc(HUGE_PAGE, size);
#ifdef MADV_HUGEPAGE
    if (memory)
        madvise(memory, size, MADV_HUGEPAGE); /* where that fails, small ones serve */
#endif
    return memory;
}

static void *system_allocate(void *user, size_t size, size_t alignment) {
    (void)user; /* kd2m_alloc asks for multiples of the alignment */
    return size < LEAST_HUGE ? aligned_alloc(alignment, size) : allocate_huge(size);
}

static void system_release(void *user, void *memory) {
    (void)user;
    free(memory);
}

void kd2m_context_settings_default(kd2m_context_settings *settings) {
    memset(settings, 0, sizeof *settings);
    settings->version = KD2M_CONTEXT_SETTINGS_VERSION;
    settings->log_level = KD2M_LOG_INFO;
}

kd2m_status kd2m_context_create(kd2m_context **out, const kd2m_context_settings *settings) {
    *out = NULL;
    kd2m_context_settings used;
    kd2m_context_settings_default(&used);
    if (settings)
        used = *settings;
    if (used.version != KD2M_CONTEXT_SETTINGS_VERSION || used.threads < 0 ||
        used.threads > THREADS_MAX || !used.allocator.allocate != !used.allocator.release)
        return KD2M_ERROR_USAGE;
    if (used.threads == 0)
        used.threads = omp_get_max_threads();
    if (used.threads > THREADS_MAX)
        used.threads = THREADS_MAX;
    if (!used.allocator.allocate) {
        used.allocator.allocate = system_allocate;
        used.allocator.release = system_release;
    }
    kd2m_context *context = used.allocator.allocate(
        used.allocator.user, kd2m_size_align(sizeof *context), KD2M_ALIGNMENT);
    if (!context)
        return KD2M_ERROR_MEMORY;
    context->settings = used;
    context->message[0] = '\0';
    *out = context;
    return KD2M_OK;
}

void kd2m_context_free(kd2m_context *context) {
    if (!context)
        return;
    kd2m_allocator allocator = context->settings.allocator;
    allocator.release(allocator.user, context);
}

const char *kd2m_context_message(const kd2m_context *context) {
    return context->message;
}

int kd2m_context_threads(const kd2m_context *context) {
    return context->settings.threads;
}

void kd2m_text_free(kd2m_context *context, char *text) {
    kd2m_free(context, text);
}

kd2m_status kd2m_fail(kd2m_context *context, kd2m_status status, const char *format, ...) {
    if (!context)
        return status;
    char message[sizeof context->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    memcpy(context->message, message, sizeof message);
    return status;
}

kd2m_status kd2m_fail_within(kd2m_context *context, kd2m_status status, const char *format, ...) {
    if (!context)
        return status;
    char prefix[sizeof context->message / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    return kd2m_fail(context, status, "%s: %s", prefix, context->message);
}

kd2m_status kd2m_check_interrupt(kd2m_context *context) {
    const kd2m_context_settings *settings = &context->settings;
    if (settings->interrupted && settings->interrupted(settings->user))
        return kd2m_fail(context, KD2M_ERROR_INTERRUPTED, "interrupted");
    return KD2M_OK;
}

void kd2m_log(kd2m_context *context, kd2m_log_level level, const char *format, ...) {
    const kd2m_context_settings *settings = &context->settings;
    if (!settings->log || level < settings->log_level)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *c = line; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    settings->log(settings->user, level, line);
}
