#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

static void fill_side(problem_side *side, kd2m_rng *rng, size_t rows, size_t dim, double shift,
                      double scale, int32_t groups) {
    memset(side, 0, sizeof *side);
    side->rows = rows;
    side->dim = dim;
    side->stride = dim + 3;
    if (rows > PROBLEM_ROWS || rows * side->stride > PROBLEM_VALUES)
        fail_msg("the problem is too large");
    for (size_t i = 0; i < rows * side->stride; i++) /* what lies between the rows is no value */
        side->values[i] = NAN;
    for (size_t i = 0; i < rows; i++) {
        for (size_t k = 0; k < dim; k++)
            side->values[i * side->stride + k] = (float)(shift + scale * kd2m_rng_normal(rng));
        side->weights[i] = 1;
        side->labels[i] = (int32_t)i % groups;
    }
}

static void fill_logits(problem_side *side, kd2m_rng *rng) {
    for (size_t k = 0; k < PROBLEM_ROWS * PROBLEM_LOGITS_STRIDE; k++)
        side->logits[k] = NAN;
    for (size_t i = 0; i < side->rows; i++)
        for (size_t k = 0; k < PROBLEM_CLASSES; k++)
            side->logits[i * PROBLEM_LOGITS_STRIDE + k] = (float)kd2m_rng_normal(rng);
}

void problem_fill(metric_problem *problem, uint64_t seed, size_t n, size_t m, size_t dim) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 0);
    fill_side(&problem->x, &rng, n, dim, 0, 1, 2);
    fill_side(&problem->y, &rng, m, dim, 0.4, 1.2, 3);
    fill_logits(&problem->x, &rng);
    fill_logits(&problem->y, &rng);
}

kd2m_sample problem_sample(const problem_side *side, unsigned traits) {
    kd2m_sample sample = {.rows = side->rows,
                          .weights = side->weighted ? side->weights : NULL,
                          .labels = traits & KD2M_METRIC_LABELS ? side->labels : NULL};
    if (traits & KD2M_METRIC_ON_LOGITS) {
        sample.logits = side->values;
        sample.classes = side->dim;
        sample.logits_stride = side->stride;
    } else {
        sample.features = side->values;
        sample.dim = side->dim;
        sample.stride = side->stride;
    }
    if (traits & KD2M_METRIC_WITH_LOGITS) {
        sample.logits = side->logits;
        sample.classes = PROBLEM_CLASSES;
        sample.logits_stride = PROBLEM_LOGITS_STRIDE;
    }
    return sample;
}

problem_metric problem_open(kd2m_context *context, const char *spec) {
    problem_metric opened = {.context = context};
    EXPECT_OK(context, kd2m_metric_create(&opened.metric, context, spec));
    kd2m_metric_describe(opened.metric, &opened.info);
    return opened;
}

void problem_close(problem_metric *opened) {
    kd2m_metric_free(opened->metric);
}

bool problem_adapt(metric_problem *out, const metric_problem *problem,
                   const problem_metric *opened) {
    bool weighted = problem->x.weighted || problem->y.weighted;
    *out = *problem;
    if (weighted && !(opened->info.traits & KD2M_METRIC_WEIGHTS))
        return false;
    if (!(opened->info.traits & KD2M_METRIC_PAIRED))
        return true;
    memcpy(out->y.labels, out->x.labels, sizeof out->y.labels);
    return out->x.rows == out->y.rows;
}

void problem_for_each(kd2m_context *context,
                      void (*body)(problem_metric *opened, const reference_metric *metric,
                                   reference_use use)) {
    const reference_metric *metric;
    for (size_t i = 0; (metric = reference_metric_at(i)) != NULL; i++)
        for (reference_use use = USE_ALONE; use < reference_uses(metric); use++) {
            const char *spec = reference_spec(metric, use);
            problem_metric opened = problem_open(context, spec);
            body(&opened, metric, use);
            problem_close(&opened);
        }
}

kd2m_status problem_evaluate(const problem_metric *opened, const metric_problem *problem,
                             kd2m_metric_result *result, float *gradient) {
    kd2m_sample x = problem_sample(&problem->x, opened->info.traits);
    kd2m_sample y = problem_sample(&problem->y, opened->info.traits);
    bool on_logits = opened->info.traits & KD2M_METRIC_ON_LOGITS;
    kd2m_gradient wanted = {.features = on_logits ? NULL : gradient,
                            .stride = problem->x.dim,
                            .logits = on_logits ? gradient : NULL,
                            .logits_stride = problem->x.dim};
    return kd2m_metric_evaluate(opened->metric, &x, &y, result, gradient ? &wanted : NULL);
}

kd2m_metric_result problem_result(const problem_metric *opened, const metric_problem *problem,
                                  float *gradient) {
    kd2m_sample x = problem_sample(&problem->x, opened->info.traits);
    kd2m_sample y = problem_sample(&problem->y, opened->info.traits);
    kd2m_metric_result result;
    EXPECT_OK(opened->context, kd2m_metric_prepare(opened->metric, &x, &y));
    EXPECT_OK(opened->context, problem_evaluate(opened, problem, &result, gradient));
    return result;
}

reference_side problem_reference(const problem_side *side) {
    double *values = malloc(side->rows * side->dim * sizeof *values);
    double *weights = malloc(side->rows * sizeof *weights), sum = 0;
    double *logits = malloc(side->rows * PROBLEM_CLASSES * sizeof *logits);
    for (size_t i = 0; i < side->rows; i++) {
        for (size_t k = 0; k < side->dim; k++)
            values[i * side->dim + k] = side->values[i * side->stride + k];
        for (size_t k = 0; k < PROBLEM_CLASSES; k++)
            logits[i * PROBLEM_CLASSES + k] = side->logits[i * PROBLEM_LOGITS_STRIDE + k];
        weights[i] = side->weighted ? side->weights[i] : 1;
        sum += weights[i];
    }
    for (size_t i = 0; i < side->rows; i++)
        weights[i] /= sum;
    return (reference_side){side->rows,   side->dim,       values, weights,
                            side->labels, PROBLEM_CLASSES, logits, NULL};
}

void problem_release(reference_side *side) {
    free((void *)(uintptr_t)side->values);
    free((void *)(uintptr_t)side->logits);
    free(side->weights);
}

double problem_largest(const float *values, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)values[i]));
    return largest;
}
