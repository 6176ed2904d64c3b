/*
 * Vectorised row scans: see scan.h.
 *
 * LANES running minima stand side by side in vector registers, because a minimum over floats is no
 * reduction that compilers vectorise by themselves; they are folded at the end of a block. A rest
 * shorter than the lanes is covered by a last step that overlaps the one before: taking a minimum
 * twice changes nothing.
 */
#include "scan.h"

#include <math.h>

#include "simd.h"

#define LANES ((size_t)16)

#define REAL float
#define NAME(name) float_##name
#include "scan_nearest.inc"
#undef REAL
#undef NAME

#define REAL double
#define NAME(name) double_##name
#include "scan_nearest.inc"
#undef REAL
#undef NAME

size_t kd2m_scan_blocks(size_t count) {
    return (count + KD2M_SCAN_BLOCK - 1) / KD2M_SCAN_BLOCK;
}

static size_t block_end(size_t count, size_t block) {
    size_t end = (block + 1) * KD2M_SCAN_BLOCK;
    return end < count ? end : count;
}

kd2m_nearest kd2m_scan_nearest(const float *costs, const float *potentials, size_t count,
                               float *lowest) {
    float_block_minima(costs, potentials, count, lowest);
    size_t block = float_lowest_block(lowest, kd2m_scan_blocks(count));
    kd2m_nearest nearest = {.index = count, .value = lowest[block]};
    if (nearest.value < INFINITY)
        nearest.index = float_position_of(costs, potentials, block * KD2M_SCAN_BLOCK,
                                          block_end(count, block), nearest.value);
    return nearest;
}

kd2m_nearest_double kd2m_scan_nearest_double(const float *costs, const double *potentials,
                                             size_t count, double *lowest) {
    double_block_minima(costs, potentials, count, lowest);
    size_t block = double_lowest_block(lowest, kd2m_scan_blocks(count));
    kd2m_nearest_double nearest = {.index = count, .value = lowest[block]};
    if (nearest.value < INFINITY)
        nearest.index = double_position_of(costs, potentials, block * KD2M_SCAN_BLOCK,
                                           block_end(count, block), nearest.value);
    return nearest;
}

KD2M_CLONES static float lowest_in(const float *costs, const float *potentials, size_t begin,
                                   size_t end) {
    return float_lowest_of(costs + begin, potentials + begin, end - begin);
}

void kd2m_scan_two_nearest(kd2m_nearest nearest[2], const float *costs, const float *potentials,
                           size_t count, float *lowest) {
    nearest[0] = kd2m_scan_nearest(costs, potentials, count, lowest);
    size_t first = nearest[0].index;
    if (first == count) {
        nearest[1] = nearest[0];
        return;
    }
    size_t block = first / KD2M_SCAN_BLOCK;
    size_t begin = block * KD2M_SCAN_BLOCK;
    size_t end = block_end(count, block);
    float before = lowest_in(costs, potentials, begin, first);
    float after = lowest_in(costs, potentials, first + 1, end);
    lowest[block] = before <= after ? before : after;

    size_t other = float_lowest_block(lowest, kd2m_scan_blocks(count));
    nearest[1] = (kd2m_nearest){.index = count, .value = lowest[other]};
    if (nearest[1].value == INFINITY)
        return;
    if (other != block) {
        begin = other * KD2M_SCAN_BLOCK;
        end = block_end(count, other);
    } else if (before <= after) {
        end = first;
    } else {
        begin = first + 1;
    }
    nearest[1].index = float_position_of(costs, potentials, begin, end, nearest[1].value);
}

static inline void relax_lanes(float *lanes, const float *costs, const float *potentials,
                               float base, uint32_t row, float *labels, uint32_t *predecessors) {
#pragma omp simd
    for (size_t l = 0; l < LANES; l++) {
        float value = costs[l] - potentials[l] - base;
        float label = labels[l];
        predecessors[l] = value < label ? row : predecessors[l];
        label = value < label ? value : label;
        labels[l] = label;
        lanes[l] = label < lanes[l] ? label : lanes[l];
    }
}

static inline float relax_block(const float *costs, const float *potentials, float base,
                                uint32_t row, size_t count, float *labels, uint32_t *predecessors) {
    float lanes[LANES];
    for (size_t l = 0; l < LANES; l++)
        lanes[l] = INFINITY;
    if (count < LANES) {
        for (size_t j = 0; j < count; j++) {
            float value = costs[j] - potentials[j] - base;
            if (value < labels[j]) {
                labels[j] = value;
                predecessors[j] = row;
            }
            lanes[0] = labels[j] < lanes[0] ? labels[j] : lanes[0];
        }
        return lanes[0];
    }
    for (size_t j = 0; j + LANES <= count; j += LANES)
        relax_lanes(lanes, costs + j, potentials + j, base, row, labels + j, predecessors + j);
    if (count % LANES != 0) {
        size_t j = count - LANES;
        relax_lanes(lanes, costs + j, potentials + j, base, row, labels + j, predecessors + j);
    }
    return float_fold(lanes);
}

KD2M_CLONES static void relax(const float *restrict costs, const float *restrict potentials,
                              float base, uint32_t row, size_t count, float *restrict labels,
                              uint32_t *restrict predecessors, float *restrict lowest) {
    size_t full = count / KD2M_SCAN_BLOCK;
    for (size_t b = 0; b < full; b++) {
        size_t j = b * KD2M_SCAN_BLOCK;
        lowest[b] = relax_block(costs + j, potentials + j, base, row, KD2M_SCAN_BLOCK, labels + j,
                                predecessors + j);
    }
    size_t j = full * KD2M_SCAN_BLOCK;
    if (j < count)
        lowest[full] = relax_block(costs + j, potentials + j, base, row, count - j, labels + j,
                                   predecessors + j);
}

void kd2m_scan_relax(const float *costs, const float *potentials, float base, uint32_t row,
                     size_t count, float *labels, uint32_t *predecessors, float *lowest) {
    relax(costs, potentials, base, row, count, labels, predecessors, lowest);
}

KD2M_CLONES static void lower(const float *restrict costs, uint32_t row, size_t count,
                              float *restrict minima, uint32_t *restrict rows) {
#pragma omp simd
    for (size_t j = 0; j < count; j++) {
        float cost = costs[j];
        float minimum = minima[j];
        rows[j] = cost < minimum ? row : rows[j];
        minima[j] = cost < minimum ? cost : minimum;
    }
}

void kd2m_scan_lower(const float *costs, uint32_t row, size_t count, float *minima,
                     uint32_t *rows) {
    lower(costs, row, count, minima, rows);
}

KD2M_CLONES static double magnitude(const float *costs, size_t count, float *largest) {
    double sum = 0.0;
    uint32_t highest = 0; /* of non-negative floats the bits are ordered as the values are */
#pragma omp simd reduction(+ : sum) reduction(max : highest)
    for (size_t j = 0; j < count; j++) {
        union {
            float value;
            uint32_t bits;
        } size = {.value = fabsf(costs[j])};
        sum += (double)size.value;
        highest = size.bits > highest ? size.bits : highest;
    }
    union {
        uint32_t bits;
        float value;
    } found = {.bits = highest};
    *largest = found.value;
    return sum;
}

void kd2m_scan_magnitude(const float *costs, size_t count, double *sum, float *largest) {
    *sum = magnitude(costs, count, largest);
}
