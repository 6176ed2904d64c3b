/* The row scans of scan.h as their definitions read, for the tests. */
#include <math.h>

#include "scan.h"

void kd2m_reference_two_nearest(kd2m_nearest nearest[2], const float *costs,
                                const float *potentials, size_t count) {
    nearest[0] = nearest[1] = (kd2m_nearest){.index = count, .value = INFINITY};
    for (size_t j = 0; j < count; j++) {
        kd2m_nearest here = {.index = j, .value = costs[j] - potentials[j]};
        if (here.value < nearest[0].value) {
            nearest[1] = nearest[0];
            nearest[0] = here;
        } else if (here.value < nearest[1].value) {
            nearest[1] = here;
        }
    }
}

kd2m_nearest_double kd2m_reference_nearest_double(const float *costs, const double *potentials,
                                                  size_t count) {
    kd2m_nearest_double nearest = {.index = count, .value = INFINITY};
    for (size_t j = 0; j < count; j++) {
        double value = (double)costs[j] - potentials[j];
        if (value < nearest.value)
            nearest = (kd2m_nearest_double){.index = j, .value = value};
    }
    return nearest;
}

void kd2m_reference_relax(const float *costs, const float *potentials, float base, uint32_t row,
                          size_t count, float *labels, uint32_t *predecessors, float *lowest) {
    for (size_t b = 0; b < kd2m_scan_blocks(count); b++)
        lowest[b] = INFINITY;
    for (size_t j = 0; j < count; j++) {
        float value = costs[j] - potentials[j] - base;
        if (value < labels[j]) {
            labels[j] = value;
            predecessors[j] = row;
        }
        lowest[j / KD2M_SCAN_BLOCK] = fminf(lowest[j / KD2M_SCAN_BLOCK], labels[j]);
    }
}
