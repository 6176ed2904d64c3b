/* The orthogonal factor of a matrix, by matrix products. Row-major and contiguous. */
#ifndef KD2M_LINALG_POLAR_H
#define KD2M_LINALG_POLAR_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "kd2m/core.h"

/*
 * u (m x n, m >= n), of full rank, becomes its factor with orthonormal columns: u = (that) h, h
 * symmetric and positive definite. The sum of u's singular values is that of the products of the
 * two matrices' entries, to 1e-9 of itself; otherwise the factor has float's precision: columns
 * orthonormal to 1e-9, directions right to some 1e-6. *found = false, and u is spoilt, where a
 * singular value is below 1e-8 of the largest, or about that. `arena` needs kd2m_polar_bytes, given
 * back on return. Errors: as kd2m_gemm.
 */
kd2m_status kd2m_polar(kd2m_arena *arena, size_t m, size_t n, double *u, bool *found);
size_t kd2m_polar_bytes(size_t m, size_t n);

#endif
