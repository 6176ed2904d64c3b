/*
 * Random numbers without a state: Philox 4x32-10 (Salmon et al., 'Parallel random numbers: as easy
 * as 1, 2, 3', SC 2011), keyed by (seed, stream, index). The same triple always gives the same
 * numbers, on any thread, in any order: what makes resumed and parallel runs repeat to the bit.
 */
#ifndef KD2M_CORE_RNG_H
#define KD2M_CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Every use of random numbers has a stream of its own, so that no two ever share numbers. */
typedef enum kd2m_stream {
    KD2M_STREAM_INIT = 1,      /* weights; substream: parameter number */
    KD2M_STREAM_SPLIT = 2,     /* validation split */
    KD2M_STREAM_SHUFFLE = 3,   /* order of an epoch */
    KD2M_STREAM_SAMPLER = 4,   /* balanced sampling */
    KD2M_STREAM_GENERATOR = 5, /* synthetic data */
    KD2M_STREAM_PROJECTOR = 6, /* projector weights */
    KD2M_STREAM_METRIC = 7,    /* random projections and starts */
    KD2M_STREAM_TEST = 8,
    KD2M_STREAM_AUGMENT = 9,      /* augmentation; substream: epoch, index: row */
    KD2M_STREAM_POSITIONS = 10,   /* rows among a map's positions; index: step */
    KD2M_STREAM_LIMIT = 11,       /* training rows that a limit keeps; substream: class */
    KD2M_STREAM_BOOTSTRAP = 12,   /* clusters of a bootstrap sample; substream: replicate */
    KD2M_STREAM_PERMUTATION = 13, /* orders of a permutation test; substream: permutation */
    KD2M_STREAM_BATCHES = 14,     /* sub-samples that stand for batches; substream: draw and side */
    KD2M_STREAM_CORRUPTION = 15,  /* samples spoilt for a test; index: kind and sample */
    KD2M_STREAM_IMBALANCE = 16,   /* training rows that an imbalance keeps; substream: class */
    KD2M_STREAM_LABEL_NOISE = 17  /* rows with wrong labels; substream: which, and what labels */
} kd2m_stream;

/* The block function itself: out = Philox4x32-10(counter, key). */
void kd2m_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Four words for (seed, stream, index). */
void kd2m_random_block(uint64_t seed, kd2m_stream stream, uint64_t substream, uint64_t index,
                       uint32_t out[4]);

/* A walk through the numbers of (seed, stream, substream), for code that wants one after another.
 * substream < 2^32 (an epoch, a parameter, a sample). */
typedef struct kd2m_rng {
    uint64_t seed;
    uint64_t substream;
    uint64_t index; /* next block */
    kd2m_stream stream;
    uint32_t block[4];
    int left; /* words of `block` not used yet */
} kd2m_rng;

void kd2m_rng_init(kd2m_rng *rng, uint64_t seed, kd2m_stream stream, uint64_t substream);
uint32_t kd2m_rng_next(kd2m_rng *rng);
double kd2m_rng_uniform(kd2m_rng *rng); /* in [0, 1), 53 bits */
double kd2m_rng_normal(kd2m_rng *rng);  /* standard normal (Box-Muller) */
/* `count` standard normals, four a block: for many at once. */
void kd2m_rng_fill_normal(kd2m_rng *rng, float *out, size_t count);
uint64_t kd2m_rng_below(kd2m_rng *rng, uint64_t n); /* in 0..n-1 without bias, n >= 1 */
void kd2m_rng_shuffle(kd2m_rng *rng, uint32_t *items, size_t count); /* Fisher-Yates */
/* Brings `wanted` <= count of the items to the front: each choice, in each order, is as likely as
 * any other. With another `wanted` the same numbers choose the same items first. */
void kd2m_rng_choose(kd2m_rng *rng, uint32_t *items, size_t count, size_t wanted);

#endif
