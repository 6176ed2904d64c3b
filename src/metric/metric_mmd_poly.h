/* The polynomial kernel of mmd, on rows of length 1. */
#ifndef KD2M_METRIC_MMD_POLY_H
#define KD2M_METRIC_MMD_POLY_H

#include "pair_kernels.h"

size_t kd2m_metric_poly_bytes(const kd2m_metric_shape *shape);

/* Value and gradient by the rows as they are. `unbiased` = the U-statistic. */
kd2m_status kd2m_metric_poly(const kd2m_metric_call *call, int power, double c, bool unbiased,
                             kd2m_metric_result *result, const kd2m_gradient *gradient);

#endif
