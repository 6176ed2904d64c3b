/*
 * Mean squared distance of paired rows:
 *
 *     D = 1/n sum_i |x_i - y_i|^2          dD/dx_i = 2/n (x_i - y_i)
 *
 * The sum runs over features, the mean over rows alone, so that it is w2 with the identity as plan
 * (frameworks that average over features, too, report it divided by d).
 *
 * Romero et al., 'FitNets: hints for thin deep nets', 2015.
 * Cost: O(n d) time, O(n) memory. Threads: the context's; the result does not depend on how many.
 */
#include "metric.h"

#include "context.h"
#include "parallel.h"

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    return kd2m_arena_bytes(shape->n, sizeof(double));
}

typedef struct row_job {
    kd2m_rows x, y;
    double *row_values;
    const kd2m_gradient *gradient;
} row_job;

static void evaluate_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const row_job *job = user;
    double factor = 2.0 / (double)job->x.rows;
    for (size_t i = begin; i < end; i++) {
        const float *x = job->x.values + i * job->x.stride;
        const float *y = job->y.values + i * job->y.stride;
        job->row_values[i] = kd2m_squared_distance(x, y, job->x.dim);
        if (!job->gradient)
            continue;
        float *out = job->gradient->features + i * job->gradient->stride;
        for (size_t k = 0; k < job->x.dim; k++)
            out[k] = (float)(factor * ((double)x[k] - y[k]));
    }
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t n = call->x.rows;
    row_job job = {.x = call->x.features, .y = call->y.features, .gradient = gradient};
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&job.row_values, n, sizeof(double)));
    kd2m_parallel_for(call->context, n, 64, evaluate_rows, &job);
    for (size_t i = 0; i < n; i++)
        result->value += job.row_values[i] / (double)n;
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_mse = {
    .name = "mse",
    .summary = "mean squared distance of paired rows",
    .formula = "1/n sum_i |x_i - y_i|^2",
    .source = "Romero et al. 2015 (FitNets)",
    .traits = KD2M_METRIC_PAIRED | KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC |
              KD2M_METRIC_TRANSLATION | KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION |
              KD2M_METRIC_SCALING,
    .degree = 2,
    .least_rows = 1,
    .workspace = workspace,
    .evaluate = evaluate,
};
