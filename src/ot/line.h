/* Exact transport on a line, where it is sorting: the plan couples quantiles. */
#ifndef KD2M_OT_LINE_H
#define KD2M_OT_LINE_H

#include <stddef.h>
#include <stdint.h>

/* Points on a line, finite. Borrowed. */
typedef struct kd2m_line {
    const float *values;
    const double *weights; /* sum to 1; NULL = uniform */
    size_t count;          /* < 2^32 */
} kd2m_line;

/*
 * Returns the cost of moving x to y at squared distances, and sets pulls[i] = 2 sum_j P_ij (x_i -
 * y_j), its derivative by x_i; `pulls` may be NULL, and may be x's own memory.
 * scratch: kd2m_line_scratch(n, m) words. O(n + m) time.
 */
double kd2m_line_transport(kd2m_line x, kd2m_line y, uint64_t *scratch, float *pulls);
size_t kd2m_line_scratch(size_t n, size_t m);

/* keys[k] = of the k-th lowest value, its point's number in the lower 32 bits; `spare` has room for
 * as many. */
void kd2m_line_sort(const float *values, size_t count, uint64_t *keys, uint64_t *spare);

/* keys[0 .. count - 1] sorted by their upper 32 bits, equal ones in the order they came in;
 * `spare` has room for as many. */
void kd2m_radix_sort(uint64_t *keys, uint64_t *spare, size_t count);

#endif
