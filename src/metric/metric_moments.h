/* Means and variances of both sides, and the gradients of what is made of them. */
#ifndef KD2M_METRIC_MOMENTS_H
#define KD2M_METRIC_MOMENTS_H

#include "metric.h"

/* Per feature, in the arena. */
typedef struct kd2m_moments {
    size_t dim;
    double *mean_x, *mean_y;
    double *variance_x, *variance_y; /* exactly 0 for a feature that is the same in every row */
} kd2m_moments;

size_t kd2m_metric_moments_bytes(size_t dim);

/* Mean and variance of one side. */
void kd2m_metric_measure(kd2m_context *context, const kd2m_metric_side *side, double *mean,
                         double *variance);

/* Measures both sides of the call. */
kd2m_status kd2m_metric_moments(const kd2m_metric_call *call, kd2m_moments *out);

/* gradient_ik = a_i (shift_k + slope_k (x_ik - mean_k)), the form that the gradient of any function
 * of mean and variance has: shift = dD/dmean, slope = 2 dD/dvariance. */
void kd2m_metric_moments_gradient(const kd2m_metric_call *call, const double *mean,
                                  const double *shift, const double *slope,
                                  const kd2m_gradient *gradient);

/* |mean_x - mean_y|^2 as a metric: mmd with the linear kernel, and what serves a group that is too
 * small for its metric. Needs kd2m_metric_moments_bytes of room. */
kd2m_status kd2m_metric_mean_difference(const kd2m_metric_call *call, kd2m_metric_result *result,
                                        const kd2m_gradient *gradient);

#endif
