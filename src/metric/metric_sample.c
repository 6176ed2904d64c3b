/*
 * Samples: the checks that stand between a caller's arrays and the metrics, and the views that the
 * metrics see. O((n + m) d) time: one pass over the values for NaN and infinity, where asked for.
 */
#include "metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "context.h"

/* A matrix of a sample in words, for messages. */
typedef struct sample_part {
    const char *side; /* 'student (x)' */
    const char *what; /* 'features' */
    const char *metric;
    bool values; /* whether to look for NaN and infinity */
} sample_part;

static kd2m_status check_matrix(kd2m_context *context, sample_part part, kd2m_rows values) {
    if (!values.values)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s compares %s, but the %s sample has none",
                         part.metric, part.what, part.side);
    if (values.rows < 1 || values.dim < 1)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "the %s sample is empty: %zu rows of %zu %s; %s needs at least 1 of each",
                         part.side, values.rows, values.dim, part.what, part.metric);
    if (values.rows > UINT32_MAX)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "the %s sample has %zu rows; at most %lu fit",
                         part.side, values.rows, (unsigned long)UINT32_MAX);
    if (values.stride < values.dim)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "the %s %s have a row stride of %zu, less than their width %zu", part.side,
                         part.what, values.stride, values.dim);
    if (!part.values)
        return KD2M_OK;
    size_t row = 0, column = 0;
    size_t bad = kd2m_rows_not_finite(context, values, &row, &column);
    if (bad > 0)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s %s: %zu of %zu values are NaN or infinite, the first at row %zu, "
                         "column %zu (from 0)",
                         part.side, part.what, bad, values.rows * values.dim, row, column);
    return KD2M_OK;
}

static kd2m_status check_weights(kd2m_context *context, sample_part part,
                                 const kd2m_sample *sample) {
    double sum = 0;
    for (size_t i = 0; i < sample->rows; i++) {
        double weight = sample->weights[i];
        if (!(weight >= 0) || isinf(weight))
            return kd2m_fail(context, KD2M_ERROR_INPUT,
                             "weight %g of row %zu of the %s sample: weights must be finite and "
                             "not negative",
                             weight, i, part.side);
        sum += weight;
    }
    if (!(sum > 0) || isinf(sum))
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "the weights of the %s sample sum to %g; the sum must be positive and "
                         "finite",
                         part.side, sum);
    return KD2M_OK;
}

/* The codes that tell groups apart: the labels, or the unit's column. NULL if there are none. */
static const int32_t *codes_of(const kd2m_metric_unit *unit, const kd2m_sample *sample) {
    if (!unit->column)
        return sample->labels;
    for (size_t i = 0; i < sample->column_count; i++)
        if (strcmp(sample->columns[i].name, unit->column) == 0)
            return sample->columns[i].values;
    return NULL;
}

static kd2m_status fail_without_codes(kd2m_context *context, sample_part part,
                                      const kd2m_metric_unit *unit, const kd2m_sample *sample) {
    char known[256] = "none";
    size_t used = 0;
    if (!unit->column)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s needs labels, but the %s sample has no labels", part.metric,
                         part.side);
    for (size_t i = 0; i < sample->column_count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 sample->columns[i].name);
    return kd2m_fail(context, KD2M_ERROR_INPUT,
                     "%s tells groups by column '%s', but the %s sample's columns are: %s",
                     part.metric, unit->column, part.side, known);
}

static kd2m_status check_codes(kd2m_context *context, sample_part part,
                               const kd2m_metric_unit *unit, const kd2m_sample *sample) {
    const int32_t *codes = codes_of(unit, sample);
    if (!codes)
        return fail_without_codes(context, part, unit, sample);
    for (size_t i = 0; i < sample->rows; i++)
        if (codes[i] < 0)
            return kd2m_fail(context, KD2M_ERROR_INPUT,
                             "%s %ld of row %zu of the %s sample is negative",
                             unit->column ? unit->column : "label", (long)codes[i], i, part.side);
    return KD2M_OK;
}

static kd2m_rows features_of(const kd2m_sample *sample) {
    return (kd2m_rows){sample->features, sample->rows, sample->dim, sample->stride};
}

static kd2m_rows logits_of(const kd2m_sample *sample) {
    return (kd2m_rows){sample->logits, sample->rows, sample->classes, sample->logits_stride};
}

static kd2m_status check_side(kd2m_context *context, const kd2m_metric_unit *unit,
                              const char *side_name, const kd2m_sample *sample, bool values) {
    kd2m_status status = KD2M_OK;
    bool on_logits = unit->traits & KD2M_METRIC_ON_LOGITS;
    sample_part part = {side_name, on_logits ? "logits" : "features", unit->descriptor->name,
                        values};
    KD2M_TRY(check_matrix(context, part, on_logits ? logits_of(sample) : features_of(sample)));
    if (unit->traits & KD2M_METRIC_WITH_LOGITS) {
        part.what = "logits";
        KD2M_TRY(check_matrix(context, part, logits_of(sample)));
    }
    if (unit->column || (unit->traits & KD2M_METRIC_LABELS))
        KD2M_TRY(check_codes(context, part, unit, sample));
    if (sample->weights && !(unit->traits & KD2M_METRIC_WEIGHTS)) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s takes no row weights, but the %s sample has some", part.metric,
                           side_name);
        goto cleanup;
    }
    if (sample->weights)
        KD2M_TRY(check_weights(context, part, sample));
cleanup:
    return status;
}

kd2m_status kd2m_metric_check(kd2m_context *context, const kd2m_metric_unit *unit,
                              const kd2m_sample *x, const kd2m_sample *y, bool values) {
    kd2m_status status = KD2M_OK;
    const char *name = unit->descriptor->name;
    bool on_logits = unit->traits & KD2M_METRIC_ON_LOGITS;
    KD2M_TRY(check_side(context, unit, "student (x)", x, values));
    KD2M_TRY(check_side(context, unit, "teacher (y)", y, values));
    size_t width_x = on_logits ? x->classes : x->dim;
    size_t width_y = on_logits ? y->classes : y->dim;
    if (width_x != width_y && !(unit->traits & KD2M_METRIC_ANY_WIDTH))
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s needs rows of one width, but the student (x) has %zu %s and the "
                           "teacher (y) %zu",
                           name, width_x, on_logits ? "logits" : "features", width_y);
    else if (x->classes != y->classes && (unit->traits & KD2M_METRIC_WITH_LOGITS))
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s compares logits, but the student (x) has %zu of them in a row and "
                           "the teacher (y) %zu",
                           name, x->classes, y->classes);
    else if (x->rows != y->rows && (unit->traits & KD2M_METRIC_PAIRED))
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s compares row i with row i, but the student (x) has %zu rows and the "
                           "teacher (y) %zu",
                           name, x->rows, y->rows);
cleanup:
    return status;
}

/* Whether all weights are the same number, and so may be left out: exact solvers are faster then.
 */
static bool all_equal(const double *weights, size_t rows) {
    for (size_t i = 1; i < rows; i++)
        if (weights[i] != weights[0])
            return false;
    return true;
}

kd2m_status kd2m_metric_side_of(kd2m_arena *arena, kd2m_metric_side *out,
                                const kd2m_metric_unit *unit, const kd2m_sample *sample) {
    kd2m_status status = KD2M_OK;
    *out = (kd2m_metric_side){
        .rows = sample->rows,
        .features = features_of(sample),
        .logits = logits_of(sample),
        .labels = codes_of(unit, sample),
    };
    if (!sample->weights || all_equal(sample->weights, sample->rows))
        return KD2M_OK;
    double *weights = NULL, sum = 0;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&weights, sample->rows, sizeof *weights));
    for (size_t i = 0; i < sample->rows; i++)
        sum += sample->weights[i];
    for (size_t i = 0; i < sample->rows; i++)
        weights[i] = sample->weights[i] / sum;
    out->weights = weights;
cleanup:
    return status;
}
