/*
 * Knowledge distillation on logits: with p = softmax(y/T), q = softmax(x/T) per row,
 *
 *     D = T^2 1/n sum_i KL(p_i | q_i)      dD/dx_i = T/n (q_i - p_i)
 *
 * T^2 keeps the gradient's size when T changes.
 *
 * Hinton, Vinyals & Dean, 'Distilling the knowledge in a neural network', 2015.
 * Cost: O(n classes) time and exponentials, all in double: near convergence the divergence is a
 * difference of nearly equal logarithms. O(n) memory. Threads: the context's; the result does not
 * depend on how many.
 */
#include "metric.h"

#include <math.h>

#include "context.h"
#include "parallel.h"

/* clang-format off */
#define KD_SETTINGS(X)                                                                             \
    X(REAL, T, "4", 1e-3, 1e6, "T", "temperature: logits are divided by it")
/* clang-format on */

typedef struct kd_settings {
    KD_SETTINGS(KD2M_SETTINGS_FIELD)
} kd_settings;

#define ROW(...) KD2M_SETTINGS_ROW(kd_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {KD_SETTINGS(ROW)};

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    return kd2m_arena_bytes(shape->n, sizeof(double));
}

typedef struct row_job {
    kd2m_rows x, y;
    double temperature;
    double *row_values;
    const kd2m_gradient *gradient;
} row_job;

/* log sum_k exp(logits_k / temperature). */
static double log_sum_exp(const float *logits, size_t classes, double temperature) {
    double largest = logits[0];
    for (size_t k = 1; k < classes; k++)
        largest = fmax(largest, logits[k]);
    double sum = 0;
    for (size_t k = 0; k < classes; k++)
        sum += exp((logits[k] - largest) / temperature);
    return largest / temperature + log(sum);
}

static void evaluate_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const row_job *job = user;
    const double temperature = job->temperature;
    const size_t classes = job->x.dim;
    for (size_t i = begin; i < end; i++) {
        const float *x = job->x.values + i * job->x.stride;
        const float *y = job->y.values + i * job->y.stride;
        double norm_x = log_sum_exp(x, classes, temperature);
        double norm_y = log_sum_exp(y, classes, temperature);
        double divergence = 0;
        for (size_t k = 0; k < classes; k++) {
            double log_q = x[k] / temperature - norm_x;
            double log_p = y[k] / temperature - norm_y;
            double p = exp(log_p);
            divergence += p * (log_p - log_q);
            if (job->gradient)
                job->gradient->logits[i * job->gradient->logits_stride + k] =
                    (float)(temperature / (double)job->x.rows * (exp(log_q) - p));
        }
        job->row_values[i] = temperature * temperature * divergence;
    }
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd_settings *settings = call->unit->settings;
    size_t n = call->x.rows;
    row_job job = {
        .x = call->x.logits, .y = call->y.logits, .temperature = settings->T, .gradient = gradient};
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&job.row_values, n, sizeof(double)));
    kd2m_parallel_for(call->context, n, 16, evaluate_rows, &job);
    for (size_t i = 0; i < n; i++)
        result->value += job.row_values[i] / (double)n;
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_kd = {
    .name = "kd",
    .summary = "divergence of softened class probabilities, teacher's from student's",
    .formula = "T^2 1/n sum_i KL(softmax(y_i/T) | softmax(x_i/T))",
    .source = "Hinton et al. 2015",
    .traits =
        KD2M_METRIC_PAIRED | KD2M_METRIC_ON_LOGITS | KD2M_METRIC_ZERO | KD2M_METRIC_PERMUTATION,
    .degree = 0,
    .least_rows = 1,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(kd_settings),
    .workspace = workspace,
    .evaluate = evaluate,
};
