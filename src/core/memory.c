/* Memory from the context's allocator: see memory.h. Zeroing costs one pass over the memory. */
#include "memory.h"

#include <stdint.h>
#include <string.h>

#include "context.h"

bool kd2m_size_multiply(size_t a, size_t b, size_t *out) {
    *out = a * b;
    return b == 0 || a <= SIZE_MAX / b;
}

size_t kd2m_size_align(size_t bytes) {
    return bytes > SIZE_MAX - (KD2M_ALIGNMENT - 1)
               ? SIZE_MAX
               : (bytes + KD2M_ALIGNMENT - 1) & ~(KD2M_ALIGNMENT - 1);
}

kd2m_status kd2m_alloc_unset(kd2m_context *context, void **out, size_t count, size_t size) {
    *out = NULL;
    size_t bytes;
    if (!kd2m_size_multiply(count, size, &bytes) || bytes > PTRDIFF_MAX - KD2M_ALIGNMENT)
        return kd2m_fail(context, KD2M_ERROR_MEMORY,
                         "out of memory: %zu elements of %zu bytes are more than can be addressed",
                         count, size);
    bytes = kd2m_size_align(bytes > 0 ? bytes : 1);
    const kd2m_allocator *allocator = &context->settings.allocator;
    void *memory = allocator->allocate(allocator->user, bytes, KD2M_ALIGNMENT);
    if (!memory)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory: %zu bytes were refused",
                         bytes);
    *out = memory;
    return KD2M_OK;
}

kd2m_status kd2m_alloc(kd2m_context *context, void **out, size_t count, size_t size) {
    kd2m_status status = kd2m_alloc_unset(context, out, count, size);
    if (status == KD2M_OK)
        memset(*out, 0, count * size);
    return status;
}

kd2m_status kd2m_grow(kd2m_context *context, void **memory, size_t *capacity, size_t used,
                      size_t count, size_t size) {
    if (*memory && count <= *capacity)
        return KD2M_OK;
    size_t doubled = *capacity <= SIZE_MAX / 2 ? *capacity * 2 : SIZE_MAX;
    size_t wanted = doubled > count ? doubled : count;
    void *grown;
    kd2m_status status = kd2m_alloc(context, &grown, wanted, size);
    if (status != KD2M_OK)
        return status;
    if (used > 0)
        memcpy(grown, *memory, used * size);
    kd2m_free(context, *memory);
    *memory = grown;
    *capacity = wanted;
    return KD2M_OK;
}

void kd2m_free(kd2m_context *context, void *memory) {
    if (!memory)
        return;
    const kd2m_allocator *allocator = &context->settings.allocator;
    allocator->release(allocator->user, memory);
}

kd2m_status kd2m_text_copy(kd2m_context *context, char **out, const char *text) {
    *out = NULL;
    if (!text)
        return KD2M_OK;
    size_t size = strlen(text) + 1;
    kd2m_status status = kd2m_alloc(context, (void **)out, size, 1);
    if (status == KD2M_OK)
        memcpy(*out, text, size);
    return status;
}
