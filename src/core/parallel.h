/*
 * Parallel loops over OpenMP, the process's one thread pool. The range is cut in a fixed way by
 * the thread count alone, so that results repeat to the bit for a given count.
 */
#ifndef KD2M_CORE_PARALLEL_H
#define KD2M_CORE_PARALLEL_H

#include <stddef.h>

#include "kd2m/core.h"

/* Works on [begin, end) as worker 0 <= worker < kd2m_context_threads. */
typedef void (*kd2m_parallel_body)(void *user, size_t begin, size_t end, int worker);

/*
 * Calls `body` on contiguous parts of [0, count), one per thread, none smaller than `grain` (>= 1);
 * a count of at most `grain` runs on the calling thread. Returns when all parts are done.
 */
void kd2m_parallel_for(kd2m_context *context, size_t count, size_t grain, kd2m_parallel_body body,
                       void *user);

#endif
