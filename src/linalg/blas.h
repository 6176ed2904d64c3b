/* What calls of BLAS and LAPACK share. */
#ifndef KD2M_LINALG_BLAS_H
#define KD2M_LINALG_BLAS_H

#include <omp.h>
#include <stddef.h>

#include "context.h"

/* Gives the libraries the context's threads; returns what to set again afterwards. */
static inline int kd2m_blas_enter(kd2m_context *context) {
    int before = omp_get_max_threads();
    omp_set_num_threads(kd2m_context_threads(context));
    return before;
}

static inline void kd2m_blas_leave(int before) {
    omp_set_num_threads(before);
}

/* BLAS wants a leading dimension of at least 1, even where there is nothing. */
static inline int kd2m_blas_leading(size_t stride) {
    return stride > 0 ? (int)stride : 1;
}

#endif
