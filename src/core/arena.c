/* Step memory: see arena.h. Every hand-out begins on a KD2M_ALIGNMENT boundary. */
#include "arena.h"

#include <stdint.h>
#include <string.h>

#include "context.h"
#include "memory.h"

size_t kd2m_arena_bytes(size_t count, size_t size) {
    size_t bytes;
    return kd2m_size_multiply(count, size, &bytes) ? kd2m_size_align(bytes) : SIZE_MAX;
}

size_t kd2m_arena_matrix_bytes(size_t rows, size_t columns, size_t size) {
    size_t count;
    return kd2m_size_multiply(rows, columns, &count) ? kd2m_arena_bytes(count, size) : SIZE_MAX;
}

size_t kd2m_arena_sum(size_t a, size_t b) {
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

void kd2m_arena_init(kd2m_arena *arena, kd2m_context *context) {
    *arena = (kd2m_arena){.context = context};
}

kd2m_status kd2m_arena_reserve(kd2m_arena *arena, size_t bytes) {
    if (arena->used > 0)
        return kd2m_fail(arena->context, KD2M_ERROR_INTERNAL,
                         "an arena can't grow while %zu bytes of it are in use", arena->used);
    if (arena->memory && bytes <= arena->capacity)
        return KD2M_OK;
    kd2m_arena_free(arena); /* before the new block, so that the two never stand side by side */
    kd2m_status status = kd2m_alloc_unset(arena->context, (void **)&arena->memory, bytes, 1);
    if (status == KD2M_OK)
        arena->capacity = bytes;
    return status;
}

kd2m_status kd2m_arena_take_unset(kd2m_arena *arena, void **out, size_t count, size_t size) {
    *out = NULL;
    size_t bytes = kd2m_arena_bytes(count, size);
    if (!arena->memory || bytes > arena->capacity - arena->used)
        return kd2m_fail(arena->context, KD2M_ERROR_INTERNAL,
                         "an arena of %zu bytes with %zu in use was asked for %zu more",
                         arena->capacity, arena->used, bytes);
    *out = arena->memory + arena->used;
    arena->used += bytes;
    return KD2M_OK;
}

kd2m_status kd2m_arena_take(kd2m_arena *arena, void **out, size_t count, size_t size) {
    kd2m_status status = kd2m_arena_take_unset(arena, out, count, size);
    if (status == KD2M_OK)
        memset(*out, 0, kd2m_arena_bytes(count, size));
    return status;
}

void kd2m_arena_rewind(kd2m_arena *arena, size_t mark) {
    arena->used = mark;
}

void kd2m_arena_free(kd2m_arena *arena) {
    kd2m_free(arena->context, arena->memory);
    kd2m_arena_init(arena, arena->context);
}
