/*
 * Many standard normals at once: see rng.h. Blocks of the generator side by side, so that each step
 * of it, and of Box & Muller's method, is one loop that vectors work through; its logarithm, sine
 * and cosine are polynomials (Moshier, 'Methods and programs for mathematical functions', 1989;
 * errors of some 1e-7), the same on every C library.
 */
#include <math.h>
#include <string.h>

#include "philox.h"
#include "rng.h"
#include "simd.h"

/* Blocks at a time, of four words each. */
#define LANES 64
#define WORDS 4

#define HALF_PI 1.57079632679489662F
#define LOG_2 0.693147180559945309F
#define ROOT_2 1.41421356237309505F

/* kd2m_random_block of LANES blocks from `index` on. */
KD2M_CLONES
static void draw_lanes(const kd2m_rng *rng, uint32_t words[WORDS][LANES]) {
    uint32_t *restrict c0 = words[0], *restrict c1 = words[1];
    uint32_t *restrict c2 = words[2], *restrict c3 = words[3];
    uint32_t k0 = (uint32_t)rng->seed, k1 = (uint32_t)(rng->seed >> 32);
    for (size_t l = 0; l < LANES; l++) {
        c0[l] = (uint32_t)(rng->index + l);
        c1[l] = (uint32_t)((rng->index + l) >> 32);
        c2[l] = (uint32_t)rng->substream;
        c3[l] = (uint32_t)rng->stream;
    }
    for (int round = 0; round < KD2M_PHILOX_ROUNDS; round++) {
#pragma omp simd
        for (size_t l = 0; l < LANES; l++)
            kd2m_philox_round(&c0[l], &c1[l], &c2[l], &c3[l], k0, k1);
        kd2m_philox_next_key(&k0, &k1);
    }
}

/* log x for 2^-24 <= x <= 1 */
static inline float log_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    float power = (float)((int32_t)(bits >> 23) - 127);
    bits = (bits & UINT32_C(0x7fffff)) | UINT32_C(0x3f800000);
    float part, sum = 7.0376836292e-2F;
    memcpy(&part, &bits, sizeof part);
    power = part > ROOT_2 ? power + 1 : power;
    part = (part > ROOT_2 ? 0.5F * part : part) - 1;
    sum = sum * part - 1.1514610310e-1F;
    sum = sum * part + 1.1676998740e-1F;
    sum = sum * part - 1.2420140846e-1F;
    sum = sum * part + 1.4249322787e-1F;
    sum = sum * part - 1.6668057665e-1F;
    sum = sum * part + 2.0000714765e-1F;
    sum = sum * part - 2.4999993993e-1F;
    sum = sum * part + 3.3333331174e-1F;
    return power * LOG_2 + (part + part * part * (part * sum - 0.5F));
}

/* Two standard normals from two words each. */
KD2M_CLONES
static void transform_lanes(const uint32_t *restrict first, const uint32_t *restrict second,
                            float *restrict cosines, float *restrict sines) {
#pragma omp simd
    for (size_t l = 0; l < LANES; l++) {
        float radius = sqrtf(-2 * log_of((float)((int32_t)(first[l] >> 8) + 1) * 0x1p-24F));
        /* the angle: quarters of a turn, and what is left, at most half of one either way */
        int32_t fine = (int32_t)(second[l] >> 8);
        int32_t quarters = (fine + (1 << 21)) >> 22;
        float angle = (float)(fine - (quarters << 22)) * (HALF_PI * 0x1p-22F);
        float square = angle * angle;
        float sine = -1.9515295891e-4F;
        sine = sine * square + 8.3321608736e-3F;
        sine = sine * square - 1.6666654611e-1F;
        sine = angle + angle * square * sine;
        float cosine = 2.443315711809948e-5F;
        cosine = cosine * square - 1.388731625493765e-3F;
        cosine = cosine * square + 4.166664568298827e-2F;
        cosine = 1 - 0.5F * square + square * square * cosine;
        float along = quarters & 1 ? sine : cosine, across = quarters & 1 ? cosine : sine;
        cosines[l] = radius * ((quarters + 1) & 2 ? -along : along);
        sines[l] = radius * (quarters & 2 ? -across : across);
    }
}

void kd2m_rng_fill_normal(kd2m_rng *rng, float *out, size_t count) {
    rng->left = 0;
    for (size_t done = 0; done < count; done += WORDS * LANES) {
        uint32_t words[WORDS][LANES];
        float normals[WORDS][LANES];
        size_t wanted = count - done < WORDS * LANES ? count - done : WORDS * LANES;
        draw_lanes(rng, words);
        transform_lanes(words[0], words[1], normals[0], normals[1]);
        transform_lanes(words[2], words[3], normals[2], normals[3]);
        for (size_t i = 0; i < wanted; i++)
            out[done + i] = normals[i % WORDS][i / WORDS];
        rng->index += (wanted + WORDS - 1) / WORDS;
    }
}
