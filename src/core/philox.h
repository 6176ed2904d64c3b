/* A round of Philox 4x32, for one counter or for many side by side: see rng.c. */
#ifndef KD2M_CORE_PHILOX_H
#define KD2M_CORE_PHILOX_H

#include <stdint.h>

#define KD2M_PHILOX_ROUNDS 10

/* One round on a counter's four words; k0 and k1 are the round's key. */
static inline void kd2m_philox_round(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3,
                                     uint32_t k0, uint32_t k1) {
    uint64_t p0 = (uint64_t)UINT32_C(0xD2511F53) * *c0;
    uint64_t p1 = (uint64_t)UINT32_C(0xCD9E8D57) * *c2;
    *c0 = (uint32_t)(p1 >> 32) ^ *c1 ^ k0;
    *c1 = (uint32_t)p1;
    *c2 = (uint32_t)(p0 >> 32) ^ *c3 ^ k1;
    *c3 = (uint32_t)p0;
}

/* The next round's key. */
static inline void kd2m_philox_next_key(uint32_t *k0, uint32_t *k1) {
    *k0 += UINT32_C(0x9E3779B9);
    *k1 += UINT32_C(0xBB67AE85);
}

#endif
