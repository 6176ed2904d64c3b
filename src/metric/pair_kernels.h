/* The kernels of mmd and energy. */
#ifndef KD2M_METRIC_PAIR_KERNELS_H
#define KD2M_METRIC_PAIR_KERNELS_H

#include "pairwise.h"

/* exp(-|x - y|^2/(2 sigma^2)); sigma = 0: 1 for equal rows, else 0, with no gradient. */
kd2m_pair_kernel kd2m_kernel_rbf(double sigma);

/* -|x - y| */
kd2m_pair_kernel kd2m_kernel_energy(void);

/* |x - y|, for sums alone: it has no pulls and leaves the values as they are. */
kd2m_pair_kernel kd2m_kernel_distance(void);

/* (x.y + c)^power of rows of length 1. */
kd2m_pair_kernel kd2m_kernel_poly(int power, double c);

#endif
