/*
 * The inner loops of the transport solvers: each runs once along a row of costs, from which the
 * columns' potentials are subtracted. A column with potential -infinity is never the nearest.
 *
 * Minima are taken over blocks of columns, so that the position of the lowest is looked for in one
 * block instead of being carried along. Ties go to the lowest index.
 */
#ifndef KD2M_OT_SCAN_H
#define KD2M_OT_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* Columns per block, and blocks in a row of `count` columns. */
#define KD2M_SCAN_BLOCK ((size_t)128)
size_t kd2m_scan_blocks(size_t count);

typedef struct kd2m_nearest {
    size_t index; /* `count` where no value was below infinity */
    float value;
} kd2m_nearest;

typedef struct kd2m_nearest_double {
    size_t index;
    double value;
} kd2m_nearest_double;

/* The lowest costs[j] - potentials[j]. `lowest`: scratch for kd2m_scan_blocks(count) values. */
kd2m_nearest kd2m_scan_nearest(const float *costs, const float *potentials, size_t count,
                               float *lowest);

/* The two lowest; count >= 2. The second may have the first's value, never its index. */
void kd2m_scan_two_nearest(kd2m_nearest nearest[2], const float *costs, const float *potentials,
                           size_t count, float *lowest);

/* The lowest, with potentials and differences in double. */
kd2m_nearest_double kd2m_scan_nearest_double(const float *costs, const double *potentials,
                                             size_t count, double *lowest);

/*
 * Dijkstra's step: labels[j] falls to costs[j] - potentials[j] - base where that is lower, and
 * predecessors[j] becomes `row` there. lowest[b] = lowest label of block b.
 */
void kd2m_scan_relax(const float *costs, const float *potentials, float base, uint32_t row,
                     size_t count, float *labels, uint32_t *predecessors, float *lowest);

/* Column minima: minima[j] falls to costs[j] where that is lower, rows[j] becomes `row` there. */
void kd2m_scan_lower(const float *costs, uint32_t row, size_t count, float *minima, uint32_t *rows);

/* *sum = sum of |costs[j]|, NaN or infinite if one of them is; *largest = largest |costs[j]|. */
void kd2m_scan_magnitude(const float *costs, size_t count, double *sum, float *largest);

/* The same, as their definitions read. */
void kd2m_reference_two_nearest(kd2m_nearest nearest[2], const float *costs,
                                const float *potentials, size_t count);
kd2m_nearest_double kd2m_reference_nearest_double(const float *costs, const double *potentials,
                                                  size_t count);
void kd2m_reference_relax(const float *costs, const float *potentials, float base, uint32_t row,
                          size_t count, float *labels, uint32_t *predecessors, float *lowest);

#endif
