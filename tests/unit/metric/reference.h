/*
 * The metrics once more, as plainly as their definitions read: loops in double, transport by trying
 * every assignment. And the list of all metrics, each with parameters worth testing: what the other
 * tests loop over.
 */
#ifndef KD2M_TESTS_METRIC_REFERENCE_H
#define KD2M_TESTS_METRIC_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFERENCE_GROUPS 8

typedef struct reference_side {
    size_t rows, dim;
    const double *values; /* rows x dim; for a metric on logits, the logits */
    double *weights;      /* sum to 1 */
    const int32_t *labels;
    size_t classes;
    const double *logits; /* rows x classes: what stands beside features */
    size_t *numbers; /* of the rows in the whole, where this is a group of it; NULL = 0, 1 .. */
} reference_side;

/* What joint compares beside features. */
typedef enum reference_beside { BESIDE_ONEHOT, BESIDE_LOGITS, BESIDE_SOFTMAX } reference_beside;

/* How a metric is used: alone or group by group. */
typedef enum reference_use { USE_ALONE, USE_COND, USE_COND_SUM, USE_COUNT } reference_use;

typedef struct reference_metric reference_metric;
struct reference_metric {
    const char *name; /* as registered */
    const char *spec;
    double (*value)(const reference_metric *metric, const reference_side *x,
                    const reference_side *y, double constant);
    /* The constant that prepare holds; NULL for none. */
    double (*constant)(const reference_metric *metric, const reference_side *x,
                       const reference_side *y);
    size_t least_rows;
    double parameter;
    bool reversed;
    bool alone; /* stands around another metric, so that cond can't stand around it */
    reference_beside beside;
};

/* How many uses a metric has: those from USE_ALONE on. */
reference_use reference_uses(const reference_metric *metric);

/* Metric number `index`; NULL behind the last. */
const reference_metric *reference_metric_at(size_t index);

/* The spec of a use of a metric. Static buffer. */
const char *reference_spec(const reference_metric *metric, reference_use use);

/* The name of the constant that prepare holds. */
const char *reference_constant_name(const reference_metric *metric);

/* The costs of transport of features, and of joint around squared distances; its constant is the
 * scale. */
double reference_squared_cost(const reference_metric *metric, const reference_side *x, size_t i,
                              const reference_side *y, size_t j, double constant);
double reference_joint_cost(const reference_metric *metric, const reference_side *x, size_t i,
                            const reference_side *y, size_t j, double largest);
double reference_largest_squared(const reference_metric *metric, const reference_side *x,
                                 const reference_side *y);

/* Whether all weights are multiples of 1/units; and then owner[u] = the row that unit u of the mass
 * belongs to. */
bool reference_divides(const reference_side *side, size_t units);
void reference_share_out(const reference_side *side, size_t units, size_t *owner);

/* The transport metrics beside w2 and w1 (reference_transport.c), a part of the whole list. */
const reference_metric *reference_transport_at(size_t index);

/* The constants of all groups (index: label), or of all rows (index 0). */
typedef struct reference_constants {
    double values[REFERENCE_GROUPS];
} reference_constants;

void reference_prepare(const reference_metric *metric, reference_use use, const reference_side *x,
                       const reference_side *y, reference_constants *constants);

/* NaN or infinite where the metric is not defined. */
double reference_value(const reference_metric *metric, reference_use use, const reference_side *x,
                       const reference_side *y, const reference_constants *constants);

/* The share of the plan's mass on rows of one number, for a metric whose plan entropy spreads; NULL
 * for others. And the same for a use of the metric, on as many rows of x as of y. */
typedef double (*reference_figure)(const reference_metric *metric, const reference_side *x,
                                   const reference_side *y, double constant);
reference_figure reference_spread_share(const reference_metric *metric);
double reference_pair_share(const reference_metric *metric, reference_use use,
                            const reference_side *x, const reference_side *y,
                            const reference_constants *constants);

#endif
