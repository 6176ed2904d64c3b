/* Memory that is counted: see allocation_counter.h. */
#include "allocation_counter.h"

#include <stdint.h>
#include <string.h>

#include "memory.h"

#define HEADER KD2M_ALIGNMENT /* before each block, with its size */

static void *count_in(void *user, size_t size, size_t alignment) {
    kd2m_allocation_counter *c = user;
    (void)alignment; /* at most the header's */
    char *block = size <= SIZE_MAX - HEADER
                      ? c->below.allocate(c->below.user, size + HEADER, KD2M_ALIGNMENT)
                      : NULL;
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    size_t live = atomic_fetch_add(&c->live, size) + size, peak = atomic_load(&c->peak);
    while (live > peak && !atomic_compare_exchange_weak(&c->peak, &peak, live)) {
    }
    return block + HEADER;
}

static void count_out(void *user, void *memory) {
    kd2m_allocation_counter *c = user;
    char *block = (char *)memory - HEADER;
    size_t size;
    memcpy(&size, block, sizeof size);
    atomic_fetch_sub(&c->live, size);
    c->below.release(c->below.user, block);
}

kd2m_allocator kd2m_allocation_counter_begin(kd2m_allocation_counter *counter,
                                             const kd2m_allocator *below) {
    counter->below = *below;
    atomic_init(&counter->live, 0);
    atomic_init(&counter->peak, 0);
    return (kd2m_allocator){count_in, count_out, counter};
}

size_t kd2m_allocation_counter_peak(const kd2m_allocation_counter *counter) {
    return atomic_load(&counter->peak);
}
