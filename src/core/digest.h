/*
 * 64-bit FNV-1a running over 8-byte words, the high half folded down after each: tells one data set
 * or model from another. Not for security.
 */
#ifndef KD2M_CORE_DIGEST_H
#define KD2M_CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define KD2M_DIGEST_START UINT64_C(0xcbf29ce484222325)

/* The digest of what was digested before, followed by `size` bytes. The cut between two calls
 * counts, unless it falls on a multiple of 8. */
uint64_t kd2m_digest(uint64_t digest, const void *bytes, size_t size);

#endif
