/*
 * Memory that is counted: an allocator before the host's own, that knows how much is out at a time.
 * Each block is longer by KD2M_ALIGNMENT bytes. Thread rule: any number of threads may allocate.
 */
#ifndef KD2M_STUDY_ALLOCATION_COUNTER_H
#define KD2M_STUDY_ALLOCATION_COUNTER_H

#include <stdatomic.h>
#include <stddef.h>

#include "kd2m/core.h"

typedef struct kd2m_allocation_counter {
    kd2m_allocator below; /* the host's */
    atomic_size_t live, peak;
} kd2m_allocation_counter;

/* The allocator that counts; `counter` must outlive what is made with it. */
kd2m_allocator kd2m_allocation_counter_begin(kd2m_allocation_counter *counter,
                                             const kd2m_allocator *below);

/* The most bytes that were out at a time. */
size_t kd2m_allocation_counter_peak(const kd2m_allocation_counter *counter);

#endif
