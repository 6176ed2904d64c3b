/* Two samples to compare, as the library and as the reference take them. */
#ifndef KD2M_TESTS_METRIC_PROBLEM_H
#define KD2M_TESTS_METRIC_PROBLEM_H

#include "kd2m/metric.h"
#include "reference.h"
#include "testing.h"

#define PROBLEM_ROWS 640
#define PROBLEM_VALUES 32768 /* rows x stride */
#define PROBLEM_CLASSES 3
#define PROBLEM_LOGITS_STRIDE 5

/* One side; the values serve as features or as logits, as the metric wants. */
typedef struct problem_side {
    size_t rows, dim, stride;
    float values[PROBLEM_VALUES];
    bool weighted;
    double weights[PROBLEM_ROWS];
    int32_t labels[PROBLEM_ROWS];
    float logits[PROBLEM_ROWS * PROBLEM_LOGITS_STRIDE]; /* for a metric of features and logits */
} problem_side;

typedef struct metric_problem {
    problem_side x, y;
} metric_problem;

/* Normal values, those of Y moved and stretched a little; labels 0 1 0 1 .. in X, 0 1 2 0 1 2 .. in
 * Y; the stride is larger than dim. */
void problem_fill(metric_problem *problem, uint64_t seed, size_t n, size_t m, size_t dim);

/* The sides as the library takes them. */
kd2m_sample problem_sample(const problem_side *side, unsigned traits);

/* A metric and what it says of itself. */
typedef struct problem_metric {
    kd2m_context *context;
    kd2m_metric *metric;
    kd2m_metric_info info;
} problem_metric;

problem_metric problem_open(kd2m_context *context, const char *spec);
void problem_close(problem_metric *opened);

/* *out = the problem as the metric can take it: to a paired metric, row i of Y has the label of row
 * i of X. False where it can't: rows that don't pair up, or weights that it does not know. */
bool problem_adapt(metric_problem *out, const metric_problem *problem,
                   const problem_metric *opened);

/* Runs body for every use of every metric. */
void problem_for_each(kd2m_context *context,
                      void (*body)(problem_metric *opened, const reference_metric *metric,
                                   reference_use use));

/* Evaluates; gradient (n x dim, contiguous) may be NULL. For a metric of features and logits it is
 * that of the features. */
kd2m_status problem_evaluate(const problem_metric *opened, const metric_problem *problem,
                             kd2m_metric_result *result, float *gradient);

/* evaluate with freshly prepared constants; fails the test unless that works. */
kd2m_metric_result problem_result(const problem_metric *opened, const metric_problem *problem,
                                  float *gradient);

/* The side in double; to be released. */
reference_side problem_reference(const problem_side *side);
void problem_release(reference_side *side);

/* The largest absolute value of `count`. */
double problem_largest(const float *values, size_t count);

#endif
