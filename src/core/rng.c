/*
 * Philox 4x32-10: see rng.h. Rounds and constants after Salmon, Moraes, Dror, Shaw, 'Parallel
 * random numbers: as easy as 1, 2, 3', SC 2011; integers below n by multiplication and rejection
 * after Lemire, 'Fast random integer generation in an interval', ACM TOMACS 29(1), 2019.
 */
#include "rng.h"

#include <math.h>

#include "philox.h"

#define TWO_PI 6.283185307179586476925

void kd2m_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < KD2M_PHILOX_ROUNDS; round++) {
        kd2m_philox_round(&c0, &c1, &c2, &c3, k0, k1);
        kd2m_philox_next_key(&k0, &k1);
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void kd2m_random_block(uint64_t seed, kd2m_stream stream, uint64_t substream, uint64_t index,
                       uint32_t out[4]) {
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)substream,
                                 (uint32_t)stream};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    kd2m_philox(counter, key, out);
}

void kd2m_rng_init(kd2m_rng *rng, uint64_t seed, kd2m_stream stream, uint64_t substream) {
    *rng = (kd2m_rng){.seed = seed, .substream = substream, .stream = stream};
}

uint32_t kd2m_rng_next(kd2m_rng *rng) {
    if (rng->left == 0) {
        kd2m_random_block(rng->seed, rng->stream, rng->substream, rng->index++, rng->block);
        rng->left = 4;
    }
    return rng->block[4 - rng->left--];
}

static uint64_t next_long(kd2m_rng *rng) {
    uint64_t high = kd2m_rng_next(rng);
    return high << 32 | kd2m_rng_next(rng);
}

double kd2m_rng_uniform(kd2m_rng *rng) {
    return (double)(next_long(rng) >> 11) * 0x1p-53;
}

double kd2m_rng_normal(kd2m_rng *rng) {
    double radius = sqrt(-2 * log(1 - kd2m_rng_uniform(rng))); /* 1 - u is never 0 */
    return radius * cos(TWO_PI * kd2m_rng_uniform(rng));
}

uint64_t kd2m_rng_below(kd2m_rng *rng, uint64_t n) {
    if (n <= UINT32_MAX) {
        uint32_t range = (uint32_t)n;
        uint64_t product = (uint64_t)kd2m_rng_next(rng) * range;
        if ((uint32_t)product < range) {
            uint32_t surplus = (uint32_t)-range % range; /* 2^32 mod n */
            while ((uint32_t)product < surplus)
                product = (uint64_t)kd2m_rng_next(rng) * range;
        }
        return product >> 32;
    }
    uint64_t surplus = -n % n; /* 2^64 mod n */
    uint64_t drawn = next_long(rng);
    while (drawn < surplus)
        drawn = next_long(rng);
    return drawn % n;
}

void kd2m_rng_shuffle(kd2m_rng *rng, uint32_t *items, size_t count) {
    for (size_t left = count; left > 1; left--) {
        size_t chosen = (size_t)kd2m_rng_below(rng, left);
        uint32_t item = items[chosen];
        items[chosen] = items[left - 1];
        items[left - 1] = item;
    }
}

void kd2m_rng_choose(kd2m_rng *rng, uint32_t *items, size_t count, size_t wanted) {
    for (size_t i = 0; i < wanted; i++) {
        size_t chosen = i + (size_t)kd2m_rng_below(rng, count - i);
        uint32_t item = items[chosen];
        items[chosen] = items[i];
        items[i] = item;
    }
}
