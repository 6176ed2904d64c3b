/*
 * Step memory: one block, handed out from its front, taken back all at once. Sized beforehand by a
 * workspace query, so that a training step allocates nothing.
 */
#ifndef KD2M_CORE_ARENA_H
#define KD2M_CORE_ARENA_H

#include <stddef.h>

#include "kd2m/core.h"

typedef struct kd2m_arena {
    kd2m_context *context;
    unsigned char *memory;
    size_t capacity;
    size_t used;
} kd2m_arena;

/* What `count` elements of `size` bytes, or rows x columns of them, take in an arena, alignment
 * included; SIZE_MAX on overflow, which no arena can be reserved to. Sums of bounds saturate with
 * kd2m_arena_sum. */
size_t kd2m_arena_bytes(size_t count, size_t size);
size_t kd2m_arena_matrix_bytes(size_t rows, size_t columns, size_t size);
size_t kd2m_arena_sum(size_t a, size_t b);

/* Starts empty; nothing is allocated. */
void kd2m_arena_init(kd2m_arena *arena, kd2m_context *context);

/* Makes room for `bytes` in all; only while nothing is handed out. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_arena_reserve(kd2m_arena *arena, size_t bytes);

/* *(void **)out = zeroed space for count elements; KD2M_ERROR_INTERNAL when the query was short. */
kd2m_status kd2m_arena_take(kd2m_arena *arena, void **out, size_t count, size_t size);

/* The same with whatever lies there, for what is written before it is read. */
kd2m_status kd2m_arena_take_unset(kd2m_arena *arena, void **out, size_t count, size_t size);

/* Takes back everything handed out since `mark` (a former value of arena->used). */
void kd2m_arena_rewind(kd2m_arena *arena, size_t mark);

/* Frees the block. */
void kd2m_arena_free(kd2m_arena *arena);

#endif
