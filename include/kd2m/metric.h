/*
 * Discrepancies between two sets of rows, with gradients.
 *
 *     kd2m_metric_create(&metric, context, "cond(w2)");
 *     kd2m_metric_prepare(metric, &student, &teacher);              constants that depend on data
 *     kd2m_metric_evaluate(metric, &student, &teacher, &result, &gradient);
 *
 * X, the first sample (n x d), is the student's; Y, the second (m x d), the teacher's. Gradients
 * are with respect to X, Y is constant, and so are the constants that prepare resolved (an entropic
 * epsilon from the mean cost, a kernel's bandwidth). docs/metrics.md lists the metrics.
 */
#ifndef KD2M_METRIC_H
#define KD2M_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"
#include "kd2m/sample.h"
#include "kd2m/table.h"

KD2M_BEGIN_DECLS

typedef struct kd2m_metric kd2m_metric;

/*
 * Makes a metric from its spec, 'name[(metric)][:key=value,...]'.
 * Errors: KD2M_ERROR_USAGE (grammar, unknown name or key, value out of range: the message gives the
 * position and the nearest known name), KD2M_ERROR_MEMORY.
 */
KD2M_API kd2m_status kd2m_metric_create(kd2m_metric **out, kd2m_context *context, const char *spec);

/* Frees the metric. NULL is fine. */
KD2M_API void kd2m_metric_free(kd2m_metric *metric);

/* What a metric takes and promises; the promises are what the tests check. */
typedef enum kd2m_metric_trait {
    KD2M_METRIC_PAIRED = 1 << 0,       /* row i of X belongs to row i of Y: needs n = m */
    KD2M_METRIC_ON_LOGITS = 1 << 1,    /* compares logits; without it, features */
    KD2M_METRIC_LABELS = 1 << 2,       /* needs labels on both sides */
    KD2M_METRIC_ZERO = 1 << 3,         /* 0 for X = Y */
    KD2M_METRIC_SYMMETRIC = 1 << 4,    /* D(X,Y) = D(Y,X) */
    KD2M_METRIC_TRANSLATION = 1 << 5,  /* unchanged when X and Y move by the same vector */
    KD2M_METRIC_ROTATION = 1 << 6,     /* unchanged when X and Y turn by the same rotation */
    KD2M_METRIC_PERMUTATION = 1 << 7,  /* unchanged when the rows of X, or Y, are reordered (of both
                                          alike for a paired metric) */
    KD2M_METRIC_TRANSPORT = 1 << 8,    /* has a plan: result.pair_share is filled where n = m */
    KD2M_METRIC_ANY_WIDTH = 1 << 9,    /* X and Y may have different dim */
    KD2M_METRIC_WEIGHTS = 1 << 10,     /* takes row weights */
    KD2M_METRIC_SCALING = 1 << 11,     /* D(cX,cY) = c^degree D(X,Y), constants resolved anew; X, Y
                                          are the features where there are logits beside them */
    KD2M_METRIC_WITH_LOGITS = 1 << 12, /* compares features and logits: needs both, has a gradient
                                          for both */
    KD2M_METRIC_MOMENTS = 1 << 13 /* looks at no more than each feature's mean and variance, of Y at
                                     least: rows with the same ones serve as well */
} kd2m_metric_trait;

typedef struct kd2m_metric_info {
    const char *spec;    /* the spec with every key written out; borrowed from the metric */
    const char *name;    /* the outermost name; static */
    const char *summary; /* one line; static */
    const char *formula; /* in plain text; static */
    const char *source;  /* where the formula is from; static */
    unsigned traits;     /* kd2m_metric_trait, or-ed */
    double degree;       /* p of KD2M_METRIC_SCALING; 0 without that trait */
    const char *column;  /* that both samples must carry; NULL for none; borrowed */
} kd2m_metric_info;

/* Describes the metric; texts live as long as it. */
KD2M_API void kd2m_metric_describe(const kd2m_metric *metric, kd2m_metric_info *info);

/* How sure a value is. Closed forms: gap 0, marginal_error 0, iterations 0, converged 1. */
typedef struct kd2m_certificate {
    double gap;            /* duality gap of the solver, relative to the value's scale; >= 0 */
    double marginal_error; /* largest absolute deviation of the plan's marginals */
    int64_t iterations;    /* of the solver */
    int converged;         /* 0 when a solver stopped early */
} kd2m_certificate;

typedef struct kd2m_metric_result {
    double value;
    kd2m_certificate certificate;
    double pair_share;      /* share of plan mass on pairs (i, i); NaN where there is no plan */
    int32_t groups_kept;    /* cond: groups with rows on both sides; else 0 */
    int32_t groups_dropped; /* cond: groups with rows on one side only */
    int32_t fallbacks;      /* cond: groups too small for the metric, served by their means */
} kd2m_metric_result;

/* Where to write the gradient; either pointer may be NULL. Overwritten, not added to. */
typedef struct kd2m_gradient {
    float *features; /* n x d, row-major; zero for a metric on logits */
    size_t stride;   /* elements from row to row, >= d */
    float *logits;   /* n x classes, row-major; zero for a metric on features alone */
    size_t logits_stride;
} kd2m_gradient;

/*
 * Resolves the constants that depend on data, from these samples, and sets memory aside for
 * samples of up to these shapes, so that evaluate allocates nothing. To be called again whenever
 * the constants shall follow the data; for a metric without such constants it checks the samples'
 * shapes and does no more: evaluate looks for NaN and infinity. For cond, a group that appears only
 * later has its constants resolved, and held, when it does. Errors: KD2M_ERROR_USAGE /
 * KD2M_ERROR_INPUT as evaluate.
 */
KD2M_API kd2m_status kd2m_metric_prepare(kd2m_metric *metric, const kd2m_sample *x,
                                         const kd2m_sample *y);

/*
 * For metrics that draw (sw2's directions; gw's starts, which follow from the seed alone): the next
 * call of prepare makes draw number `draw` of `seed`, the one after it the next, and so on;
 * evaluate keeps to what prepare drew last. A new metric stands at draw 0 of seed 0. A training
 * that seeks its step before it prepares repeats to the bit, resumed or not. No effect on other
 * metrics.
 */
KD2M_API void kd2m_metric_seek(kd2m_metric *metric, uint64_t seed, uint64_t draw);

/*
 * Value and, unless `gradient` is NULL, gradient. Calls prepare itself if it never was.
 * Errors: KD2M_ERROR_INPUT: rows, dim or classes that do not fit, labels or a column missing or
 * negative, NaN or infinity (the message counts them and gives the first place), no group in
 * common; KD2M_ERROR_NUMERIC: the value is infinite, distances leave float's range,
 * or a strict metric did not converge; KD2M_ERROR_USAGE: a gradient stride below its width;
 * KD2M_ERROR_MEMORY. On failure the gradient's content is undefined.
 */
KD2M_API kd2m_status kd2m_metric_evaluate(kd2m_metric *metric, const kd2m_sample *x,
                                          const kd2m_sample *y, kd2m_metric_result *result,
                                          const kd2m_gradient *gradient);

/*
 * Prepare and evaluate on the same samples, in less time where both need the same distances: the
 * constants follow these rows. What a step of training calls. Errors: as evaluate; then the metric
 * counts as not prepared.
 */
KD2M_API kd2m_status kd2m_metric_evaluate_fresh(kd2m_metric *metric, const kd2m_sample *x,
                                                const kd2m_sample *y, kd2m_metric_result *result,
                                                const kd2m_gradient *gradient);

/*
 * KD2M_OK where the solver behind a result of this metric converged; else KD2M_ERROR_NUMERIC, and
 * the message says how far it came and what helps.
 */
KD2M_API kd2m_status kd2m_metric_certify(const kd2m_metric *metric,
                                         const kd2m_metric_result *result);

/*
 * With `strict` 1, evaluate fails as kd2m_metric_certify does where the solver did not converge;
 * *result then holds what it found. A new metric is not strict: such a value is given, and said to
 * be one.
 */
KD2M_API void kd2m_metric_set_strict(kd2m_metric *metric, int strict);

/*
 * The constants that prepare resolved, e.g. "sigma". Index runs over 0..; KD2M_ERROR_USAGE behind
 * the last. `name` is static. For cond: those of its groups one after another.
 */
KD2M_API kd2m_status kd2m_metric_constant(const kd2m_metric *metric, size_t index,
                                          const char **name, double *value);

/* All metrics as a table: name, parameters, degree, traits, summary, source; to be freed by the
 * caller. Degree and traits are those of the default settings. */
KD2M_API kd2m_status kd2m_metric_table(kd2m_table **out, kd2m_context *context);

KD2M_END_DECLS

#endif
