/*
 * Memory from the context's allocator, 64-byte aligned, with sizes that cannot overflow.
 * Every allocation of the library goes through here.
 */
#ifndef KD2M_CORE_MEMORY_H
#define KD2M_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "kd2m/core.h"

#define KD2M_ALIGNMENT ((size_t)64)

/* *out = a * b; false on overflow. */
bool kd2m_size_multiply(size_t a, size_t b, size_t *out);

/* `bytes` rounded up to KD2M_ALIGNMENT. */
size_t kd2m_size_align(size_t bytes);

/*
 * *(void **)out = zeroed memory for count elements of `size` bytes (never NULL on success, even for
 * count 0). On failure it is NULL. Errors: KD2M_ERROR_MEMORY (overflow included).
 * Use: KD2M_TRY(kd2m_alloc(context, (void **)&rows, n, sizeof *rows));
 */
kd2m_status kd2m_alloc(kd2m_context *context, void **out, size_t count, size_t size);

/* The same, not zeroed: pages that nobody writes to are not there. */
kd2m_status kd2m_alloc_unset(kd2m_context *context, void **out, size_t count, size_t size);

/*
 * Makes *memory hold at least `count` elements, keeping the first `used`; *capacity follows. Grows
 * by doubling. On failure nothing changes.
 */
kd2m_status kd2m_grow(kd2m_context *context, void **memory, size_t *capacity, size_t used,
                      size_t count, size_t size);

/* Gives memory back. NULL is fine. */
void kd2m_free(kd2m_context *context, void *memory);

/* *out = an owned copy of `text` (NULL stays NULL). */
kd2m_status kd2m_text_copy(kd2m_context *context, char **out, const char *text);

#endif
