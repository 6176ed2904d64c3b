/* 64-bit FNV-1a over words: see digest.h. About one word per three cycles, any alignment. */
#include "digest.h"

#define PRIME UINT64_C(0x100000001b3)

/* Little-endian on every machine. */
static uint64_t read_word(const unsigned char *bytes, size_t size) {
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static uint64_t mix(uint64_t digest, uint64_t word) {
    digest = (digest ^ word) * PRIME;
    return digest ^ digest >> 32; /* or a word's top bit could never reach any other bit */
}

uint64_t kd2m_digest(uint64_t digest, const void *bytes, size_t size) {
    const unsigned char *next = bytes;
    size_t rest = size % 8;
    for (const unsigned char *end = next + (size - rest); next < end; next += 8)
        digest = mix(digest, read_word(next, 8));
    return rest ? mix(mix(digest, read_word(next, rest)), rest) : digest;
}
