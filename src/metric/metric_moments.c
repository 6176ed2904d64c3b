/*
 * Means and variances (1/n, weighted), and gradients through them.
 *
 * The gradient of D(mean, variance) is a_i (dD/dmean_k + 2 dD/dvariance_k (x_ik - mean_k)).
 * Cost: O((n + m) d) time, O(d) memory. Threads: the context's; the result does not depend on how
 * many there are.
 */
#include "metric_moments.h"

#include <math.h>

#include "context.h"
#include "parallel.h"
#include "simd.h"

/*
 * float32 data that varies at all has a standard deviation of at least about 1e-8 of its mean; what
 * lies below this share is rounding of the weighted mean, and would turn the direction of a dead
 * feature's gradient, (x - mean) / sd, into noise of full size.
 */
#define DEAD_SHARE 1e-12

size_t kd2m_metric_moments_bytes(size_t dim) {
    size_t each = kd2m_arena_bytes(dim, sizeof(double));
    size_t two = kd2m_arena_sum(each, each);
    size_t four = kd2m_arena_sum(two, two);
    return kd2m_arena_sum(four, two); /* and shift and slope of a gradient */
}

void kd2m_metric_measure(kd2m_context *context, const kd2m_metric_side *side, double *mean,
                         double *variance) {
    kd2m_rows_moments(context, mean, variance, side->features, side->weights);
    for (size_t k = 0; k < side->features.dim; k++)
        if (sqrt(variance[k]) <= DEAD_SHARE * fabs(mean[k]))
            variance[k] = 0;
}

kd2m_status kd2m_metric_moments(const kd2m_metric_call *call, kd2m_moments *out) {
    kd2m_status status = KD2M_OK;
    double **fields[] = {&out->mean_x, &out->mean_y, &out->variance_x, &out->variance_y};
    out->dim = call->x.features.dim;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        KD2M_TRY(kd2m_arena_take(call->arena, (void **)fields[i], out->dim, sizeof(double)));
    kd2m_metric_measure(call->context, &call->x, out->mean_x, out->variance_x);
    kd2m_metric_measure(call->context, &call->y, out->mean_y, out->variance_y);
cleanup:
    return status;
}

typedef struct gradient_job {
    const kd2m_metric_side *side;
    const double *mean, *shift, *slope;
    const kd2m_gradient *gradient;
} gradient_job;

KD2M_CLONES
static void gradient_row(float *restrict out, const float *restrict row, size_t dim, double weight,
                         const double *restrict mean, const double *restrict shift,
                         const double *restrict slope) {
#pragma omp simd
    for (size_t k = 0; k < dim; k++)
        out[k] = (float)(weight * (shift[k] + slope[k] * ((double)row[k] - mean[k])));
}

static void gradient_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const gradient_job *job = user;
    const kd2m_rows *x = &job->side->features;
    for (size_t i = begin; i < end; i++)
        gradient_row(job->gradient->features + i * job->gradient->stride, x->values + i * x->stride,
                     x->dim, kd2m_metric_weight(job->side, i), job->mean, job->shift, job->slope);
}

void kd2m_metric_moments_gradient(const kd2m_metric_call *call, const double *mean,
                                  const double *shift, const double *slope,
                                  const kd2m_gradient *gradient) {
    gradient_job job = {&call->x, mean, shift, slope, gradient};
    kd2m_parallel_for(call->context, call->x.rows, 64, gradient_rows, &job);
}

kd2m_status kd2m_metric_mean_difference(const kd2m_metric_call *call, kd2m_metric_result *result,
                                        const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t dim = call->x.features.dim;
    double *mean_x, *mean_y, *shift, *slope, value = 0;
    double **fields[] = {&mean_x, &mean_y, &shift, &slope};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        KD2M_TRY(kd2m_arena_take(call->arena, (void **)fields[i], dim, sizeof(double)));
    kd2m_rows_mean(call->context, mean_x, call->x.features, call->x.weights);
    kd2m_rows_mean(call->context, mean_y, call->y.features, call->y.weights);
    for (size_t k = 0; k < dim; k++) {
        double difference = mean_x[k] - mean_y[k];
        value += difference * difference;
        shift[k] = 2 * difference;
    }
    result->value = value;
    if (gradient)
        kd2m_metric_moments_gradient(call, mean_x, shift, slope, gradient);
cleanup:
    return status;
}
