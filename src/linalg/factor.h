/* Factorisations of matrices in double, by LAPACK. Row-major and contiguous everywhere. */
#ifndef KD2M_LINALG_FACTOR_H
#define KD2M_LINALG_FACTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "kd2m/core.h"

/* a (n x n, symmetric) becomes L, lower triangular with L L^T = a; what lies above the diagonal is
 * left as it was. *definite = whether a is positive definite; if not, it is spoilt. */
kd2m_status kd2m_cholesky(kd2m_context *context, double *a, size_t n, bool *definite);

/* b (rows x columns) = L^-1 b, for `right` b L^-1; with `transpose` L^-T. */
kd2m_status kd2m_solve_lower(kd2m_context *context, bool right, bool transpose, size_t rows,
                             size_t columns, const double *l, double *b);

/* b (rows x columns) = L b, with `transpose` L^T b, of the lower triangle of l (rows x rows). */
kd2m_status kd2m_multiply_lower(kd2m_context *context, bool transpose, size_t rows, size_t columns,
                                const double *l, double *b);

/* values[n] = the eigenvalues of a (n x n, symmetric), ascending; row k of a becomes the unit
 * eigenvector of values[k]. `arena` needs kd2m_eigen_bytes, given back on return.
 * Errors: KD2M_ERROR_NUMERIC where LAPACK does not converge. */
kd2m_status kd2m_eigen(kd2m_arena *arena, double *a, double *values, size_t n);
size_t kd2m_eigen_bytes(size_t n);

/* a (m x n) = u diag(values) vt, values descending, r = min(m, n) of them; u is m x r, vt r x n; a
 * is spoilt. `arena` needs kd2m_svd_bytes, given back on return. Errors: as kd2m_eigen. */
kd2m_status kd2m_svd(kd2m_arena *arena, double *a, size_t m, size_t n, double *u, double *values,
                     double *vt);
/* For matrices whose smaller side is at most `least` and whose larger at most `most`. */
size_t kd2m_svd_bytes(size_t least, size_t most);

#endif
