/*
 * Transport on a line: see line.h. Values become integers of the same order, and those are sorted
 * by 8 or 11 bits at a time from the lowest on (radix sort), with the point's number beside them.
 * The coupling then goes along both sorted sides at once. Uniform masses are counted in units of
 * 1/(n m), which are whole.
 *
 * Peyre & Cuturi, 'Computational optimal transport', 2019, section 2.6.
 * Cost: O(n + m) time, no memory of its own. Threads: the caller's; pure functions.
 */
#include "line.h"

#include <string.h>

/* Bits of a digit, and how many such digits make 32 bits, for few keys and for many: the counts of
 * a digit's values must not outnumber the keys. */
#define MANY_KEYS 2048
#define MOST_BITS 11
#define MOST_DIGITS 4
#define MOST_VALUES ((size_t)1 << MOST_BITS)

/* The bits of a float, moved so that they are ordered as the values are. */
static uint32_t ordered_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & UINT32_C(0x80000000) ? ~bits : bits | UINT32_C(0x80000000);
}

static size_t digit_of(uint64_t key, int digit, int bits) {
    return (size_t)(key >> (32 + digit * bits)) & (((size_t)1 << bits) - 1);
}

void kd2m_radix_sort(uint64_t *keys, uint64_t *spare, size_t count) {
    uint32_t places[MOST_DIGITS][MOST_VALUES];
    uint64_t *from = keys, *to = spare;
    int bits = count < MANY_KEYS ? 8 : MOST_BITS, digits = (32 + bits - 1) / bits;
    size_t values = (size_t)1 << bits;
    for (int d = 0; d < digits; d++)
        memset(places[d], 0, values * sizeof *places[d]);
    for (size_t i = 0; i < count; i++)
        for (int d = 0; d < digits; d++)
            places[d][digit_of(keys[i], d, bits)]++;
    for (int d = 0; d < digits; d++) {
        uint32_t *place = places[d], before = 0;
        if (count == 0 || place[digit_of(from[0], d, bits)] == count)
            continue; /* all alike */
        for (size_t v = 0; v < values; v++) {
            uint32_t here = place[v];
            place[v] = before;
            before += here;
        }
        for (size_t i = 0; i < count; i++)
            to[place[digit_of(from[i], d, bits)]++] = from[i];
        uint64_t *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != keys)
        memcpy(keys, from, count * sizeof *keys);
}

void kd2m_line_sort(const float *values, size_t count, uint64_t *keys, uint64_t *spare) {
    for (size_t i = 0; i < count; i++)
        keys[i] = (uint64_t)ordered_bits(values[i]) << 32 | i;
    kd2m_radix_sort(keys, spare, count);
}

static float value_of(uint64_t key) {
    uint32_t bits = (uint32_t)(key >> 32);
    float value;
    bits = bits & UINT32_C(0x80000000) ? bits & UINT32_C(0x7fffffff) : ~bits;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The mass of the point behind a key, in units of 1/total. */
static double mass_of(kd2m_line line, uint64_t key, size_t uniform) {
    if (uniform > 0)
        return (double)uniform;
    return line.weights ? line.weights[(uint32_t)key] : 1.0 / (double)line.count;
}

size_t kd2m_line_scratch(size_t n, size_t m) {
    return n + m + (n > m ? n : m);
}

double kd2m_line_transport(kd2m_line x, kd2m_line y, uint64_t *scratch, float *pulls) {
    uint64_t *x_keys = scratch, *y_keys = scratch + x.count, *spare = y_keys + y.count;
    size_t x_units = x.weights || y.weights ? 0 : y.count;
    size_t y_units = x.weights || y.weights ? 0 : x.count;
    double total = x_units > 0 ? (double)x.count * (double)y.count : 1.0;
    double value = 0.0, x_left, y_left;
    kd2m_line_sort(x.values, x.count, x_keys, spare);
    kd2m_line_sort(y.values, y.count, y_keys, spare);
    y_left = mass_of(y, y_keys[0], y_units);
    for (size_t i = 0, j = 0; i < x.count; i++) {
        double pull = 0.0;
        x_left = mass_of(x, x_keys[i], x_units);
        while (x_left > 0.0) {
            double distance = (double)value_of(x_keys[i]) - (double)value_of(y_keys[j]);
            /* what rounding leaves over goes to the last point */
            double mass = x_left < y_left || j + 1 == y.count ? x_left : y_left;
            value += mass * distance * distance;
            pull += mass * distance;
            x_left -= mass;
            y_left -= mass;
            if (y_left <= 0.0 && j + 1 < y.count)
                y_left = mass_of(y, y_keys[++j], y_units);
        }
        if (pulls)
            pulls[(uint32_t)x_keys[i]] = (float)(2.0 * pull / total);
    }
    return value / total;
}
