/*
 * Parallel loops: see parallel.h. The parts are numbered, and a part's number is its worker: where
 * OpenMP grants fewer threads than asked for, or none inside another parallel region, some threads
 * work through several parts and the results stay the same to the bit.
 */
#include "parallel.h"

#include <omp.h>

void kd2m_parallel_for(kd2m_context *context, size_t count, size_t grain, kd2m_parallel_body body,
                       void *user) {
    if (count == 0)
        return;
    size_t parts = count / grain;
    size_t threads = (size_t)kd2m_context_threads(context);
    if (parts > threads)
        parts = threads;
    if (parts <= 1) {
        body(user, 0, count, 0);
        return;
    }
    size_t share = count / parts;
    size_t larger = count % parts; /* the first parts take one more each */
#pragma omp parallel for schedule(static, 1) num_threads((int)parts) if (!omp_in_parallel())
    for (size_t part = 0; part < parts; part++) {
        size_t begin = part * share + (part < larger ? part : larger);
        body(user, begin, begin + share + (part < larger), (int)part);
    }
}
