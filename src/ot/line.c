/*
 * Transport on a line: see line.h. Values are sorted by the number of the equal cell they lie in,
 * of some thousands a point, in two passes (radix sort); what shares a cell is put right by
 * insertion. Where outliers leave too much to that, values become integers of the same order, and
 * those are sorted whole, by 8 or 11 bits at a time from the lowest on.
 * The coupling then goes along both sorted sides at once. Uniform masses are counted in units of
 * 1/(n m), which are whole; between as many points each goes to the one of its own rank.
 *
 * Peyre & Cuturi, 'Computational optimal transport', 2019, section 2.6.
 * Cost: O(n + m) time, no memory of its own. Threads: the caller's; pure functions.
 */
#include "line.h"

#include <stdbool.h>
#include <string.h>

#include "simd.h"

/* Bits of a digit, and how many such digits make 32 bits, for few keys and for many: the counts of
 * a digit's values must not outnumber the keys. */
#define MANY_KEYS 2048
#define LEAST_BITS 8
#define MOST_BITS 11
#define MOST_DIGITS 4
#define MOST_VALUES ((size_t)1 << MOST_BITS)

/* Moves per point by which insertion may put the order right. */
#define FEW_MOVES 4

/* Values that lie within less, or are spread over more, have no cells that floats can tell. */
#define LEAST_EXTENT 1e-30F
#define MOST_EXTENT 1e30F

/* The bits of a float, moved so that they are ordered as the values are. */
static uint32_t ordered_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & UINT32_C(0x80000000) ? ~bits : bits | UINT32_C(0x80000000);
}

static size_t digit_of(uint64_t key, int digit, int bits) {
    return (size_t)(key >> (32 + digit * bits)) & (((size_t)1 << bits) - 1);
}

/* A pass of the sort: keys go where the counts of their digit say. */
static void deal(const uint64_t *from, uint64_t *to, size_t count, int digit, int bits,
                 uint32_t *place) {
    uint32_t before = 0;
    for (size_t v = 0; v < (size_t)1 << bits; v++) {
        uint32_t here = place[v];
        place[v] = before;
        before += here;
    }
    for (size_t i = 0; i < count; i++)
        to[place[digit_of(from[i], digit, bits)]++] = from[i];
}

void kd2m_radix_sort(uint64_t *keys, uint64_t *spare, size_t count) {
    uint32_t places[MOST_DIGITS][MOST_VALUES];
    uint64_t *from = keys, *to = spare;
    int bits = count < MANY_KEYS ? LEAST_BITS : MOST_BITS, digits = (32 + bits - 1) / bits;
    for (int d = 0; d < digits; d++)
        memset(places[d], 0, ((size_t)1 << bits) * sizeof *places[d]);
    for (size_t i = 0; i < count; i++)
        for (int d = 0; d < digits; d++)
            places[d][digit_of(keys[i], d, bits)]++;
    for (int d = 0; d < digits; d++) {
        if (count == 0 || places[d][digit_of(from[0], d, bits)] == count)
            continue; /* all alike */
        deal(from, to, count, d, bits, places[d]);
        uint64_t *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != keys)
        memcpy(keys, from, count * sizeof *keys);
}

/* Running extremes side by side: one of floats alone is no loop for vectors. */
#define LANES ((size_t)16)

KD2M_CLONES
static void find_range(const float *restrict values, size_t count, float *lowest, float *highest) {
    float low[LANES], high[LANES];
    for (size_t l = 0; l < LANES; l++)
        low[l] = high[l] = values[0];
    for (size_t i = 0; i + LANES <= count; i += LANES)
#pragma omp simd
        for (size_t l = 0; l < LANES; l++) {
            float value = values[i + l];
            low[l] = value < low[l] ? value : low[l];
            high[l] = value > high[l] ? value : high[l];
        }
    for (size_t i = count - count % LANES; i < count; i++) {
        low[0] = values[i] < low[0] ? values[i] : low[0];
        high[0] = values[i] > high[0] ? values[i] : high[0];
    }
    *lowest = low[0];
    *highest = high[0];
    for (size_t l = 1; l < LANES; l++) {
        *lowest = low[l] < *lowest ? low[l] : *lowest;
        *highest = high[l] > *highest ? high[l] : *highest;
    }
}

/* keys[i] = the cell of value i among `cells`, and i. */
KD2M_CLONES
static void find_cells(const float *restrict values, size_t count, int cells,
                       uint64_t *restrict keys) {
    float lowest, highest;
    find_range(values, count, &lowest, &highest);
    float extent = highest - lowest, last = (float)(cells - 1);
    float scale = extent > LEAST_EXTENT && extent < MOST_EXTENT ? last / extent : 0;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float cell = (values[i] - lowest) * scale;
        keys[i] = (uint64_t)(uint32_t)(int32_t)(cell < last ? cell : last) << 32 | i;
    }
}

/* spare = the points by their cells, in the order they come in within one. */
static void sort_cells(const float *values, size_t count, uint64_t *keys, uint64_t *spare) {
    uint32_t lower[MOST_VALUES], upper[MOST_VALUES];
    int bits = LEAST_BITS;
    while (bits < MOST_BITS && count >> (2 * bits - 6) > 0)
        bits++;
    memset(lower, 0, ((size_t)1 << bits) * sizeof *lower);
    memset(upper, 0, ((size_t)1 << bits) * sizeof *upper);
    find_cells(values, count, 1 << (2 * bits), spare);
    for (size_t i = 0; i < count; i++) {
        lower[digit_of(spare[i], 0, bits)]++;
        upper[digit_of(spare[i], 1, bits)]++;
    }
    deal(spare, keys, count, 0, bits, lower);
    deal(keys, spare, count, 1, bits, upper);
}

static uint64_t key_of(const float *values, uint32_t i) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    return (uint64_t)bits << 32 | i;
}

static float value_of(uint64_t key) {
    uint32_t bits = (uint32_t)(key >> 32);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* keys = the points as `cells` has them, in the order of their values; false if that takes many
 * moves. */
static bool insert_points(const float *values, const uint64_t *cells, size_t count,
                          uint64_t *keys) {
    size_t left = FEW_MOVES * count;
    float highest = values[(uint32_t)cells[0]];
    for (size_t i = 0; i < count; i++) {
        uint64_t key = key_of(values, (uint32_t)cells[i]);
        float value = value_of(key);
        size_t at = i;
        if (value >= highest)
            highest = value;
        else
            for (; at > 0 && value < value_of(keys[at - 1]) && left > 0; at--, left--)
                keys[at] = keys[at - 1];
        keys[at] = key;
    }
    return left > 0;
}

void kd2m_line_sort(const float *values, size_t count, uint64_t *keys, uint64_t *spare) {
    if (count == 0)
        return;
    sort_cells(values, count, keys, spare);
    if (insert_points(values, spare, count, keys))
        return;
    for (size_t i = 0; i < count; i++)
        keys[i] = (uint64_t)ordered_bits(values[i]) << 32 | i;
    kd2m_radix_sort(keys, spare, count);
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(values, (uint32_t)keys[i]);
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

/* Between as many points, all of the same mass: by ranks. */
static double match_ranks(const uint64_t *x_keys, const uint64_t *y_keys, size_t count,
                          float *pulls) {
    double value = 0.0, share = 2.0 / (double)count;
    for (size_t i = 0; i < count; i++) {
        double distance = (double)value_of(x_keys[i]) - (double)value_of(y_keys[i]);
        value += distance * distance;
        if (pulls)
            pulls[(uint32_t)x_keys[i]] = (float)(share * distance);
    }
    return value / (double)count;
}

double kd2m_line_transport(kd2m_line x, kd2m_line y, uint64_t *scratch, float *pulls) {
    uint64_t *x_keys = scratch, *y_keys = scratch + x.count, *spare = y_keys + y.count;
    size_t x_units = x.weights || y.weights ? 0 : y.count;
    size_t y_units = x.weights || y.weights ? 0 : x.count;
    double total = x_units > 0 ? (double)x.count * (double)y.count : 1.0;
    double value = 0.0, x_left, y_left;
    kd2m_line_sort(x.values, x.count, x_keys, spare);
    kd2m_line_sort(y.values, y.count, y_keys, spare);
    if (x_units > 0 && x.count == y.count)
        return match_ranks(x_keys, y_keys, x.count, pulls);
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
