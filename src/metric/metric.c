/*
 * The life of a metric: made from a spec, prepared on samples, evaluated, freed. What differs
 * between metrics lives in their descriptors.
 *
 * Memory: one arena per metric, as large as the largest shape seen so far needs.
 * Threads: one at a time, as for all that is made from a context.
 */
#include "metric.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"

struct kd2m_metric {
    kd2m_context *context;
    kd2m_spec *spec; /* owns the texts that the unit's settings borrow */
    kd2m_metric_unit *unit;
    char *text; /* the spec with every key written out */
    kd2m_arena arena;
    kd2m_metric_held held;
    uint64_t seed, next; /* the number of the next preparation's draw */
    uint64_t drawn;      /* and of the last one's */
    bool prepared;
    bool strict; /* a value that did not converge is an error */
};

kd2m_status kd2m_metric_create(kd2m_metric **out, kd2m_context *context, const char *spec) {
    kd2m_status status = KD2M_OK;
    kd2m_metric *metric = NULL;
    *out = NULL;
    KD2M_TRY(kd2m_alloc(context, (void **)&metric, 1, sizeof *metric));
    metric->context = context;
    kd2m_arena_init(&metric->arena, context);
    KD2M_TRY(kd2m_spec_parse(&metric->spec, context, spec));
    KD2M_TRY(kd2m_metric_unit_create(&metric->unit, context, metric->spec, spec));
    KD2M_TRY(kd2m_metric_unit_text(context, &metric->text, metric->unit, metric->spec));
    *out = metric;
    metric = NULL;
cleanup:
    kd2m_metric_free(metric);
    return status;
}

void kd2m_metric_free(kd2m_metric *metric) {
    if (!metric)
        return;
    kd2m_context *context = metric->context;
    kd2m_arena_free(&metric->arena);
    kd2m_free(context, metric->held.items);
    kd2m_text_free(context, metric->text);
    kd2m_metric_unit_free(context, metric->unit);
    kd2m_spec_free(context, metric->spec);
    kd2m_free(context, metric);
}

void kd2m_metric_describe(const kd2m_metric *metric, kd2m_metric_info *info) {
    const kd2m_metric_unit *unit = metric->unit;
    *info = (kd2m_metric_info){
        .spec = metric->text,
        .name = unit->descriptor->name,
        .summary = unit->descriptor->summary,
        .formula = unit->descriptor->formula,
        .source = unit->descriptor->source,
        .traits = unit->traits,
        .degree = unit->degree,
        .column = unit->column,
    };
}

/* The unit whose constants are held: the outermost that has some. */
static const kd2m_metric_unit *holder(const kd2m_metric *metric) {
    const kd2m_metric_unit *unit = metric->unit;
    while (unit->inner && unit->constant_count == 0)
        unit = unit->inner;
    return unit;
}

/* A unit's own constants come before those of the unit inside. */
static const char *constant_name(const kd2m_metric_unit *unit, size_t index) {
    size_t own = unit->constant_count - (unit->inner ? unit->inner->constant_count : 0);
    return index < own ? unit->descriptor->constant_names[index]
                       : constant_name(unit->inner, index - own);
}

kd2m_status kd2m_metric_constant(const kd2m_metric *metric, size_t index, const char **name,
                                 double *value) {
    const kd2m_metric_unit *unit = holder(metric);
    *name = NULL;
    *value = NAN;
    size_t each = unit->constant_count;
    if (each == 0 || index / each >= metric->held.count)
        return kd2m_fail(metric->context, KD2M_ERROR_USAGE, "'%s' holds no constant number %zu",
                         metric->text, index);
    *name = constant_name(unit, index % each);
    *value = metric->held.items[index / each].values[index % each];
    return KD2M_OK;
}

/* Checks the samples, their values if asked to, and makes the call that the hooks see, the arena
 * large enough for it. */
static kd2m_status begin(kd2m_metric *metric, kd2m_metric_call *call, const kd2m_sample *x,
                         const kd2m_sample *y, bool values) {
    kd2m_status status = KD2M_OK;
    kd2m_arena_rewind(&metric->arena, 0);
    *call = (kd2m_metric_call){
        .context = metric->context,
        .arena = &metric->arena,
        .unit = metric->unit,
        .held = &metric->held,
        .seed = metric->seed,
        .draw = metric->drawn,
    };
    KD2M_TRY(kd2m_metric_check(metric->context, metric->unit, x, y, values));

    kd2m_metric_shape shape = {x->rows, y->rows, x->dim, y->dim, x->classes};
    size_t bytes = metric->unit->descriptor->workspace(metric->unit, &shape);
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(x->rows, sizeof(double)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(y->rows, sizeof(double)));
    if (bytes > metric->arena.capacity)
        KD2M_TRY(kd2m_arena_reserve(&metric->arena, bytes));
    if (holder(metric)->constant_count > 0)
        KD2M_TRY(kd2m_grow(metric->context, (void **)&metric->held.items, &metric->held.capacity,
                           metric->held.count, x->rows < y->rows ? x->rows : y->rows,
                           sizeof *metric->held.items));
    KD2M_TRY(kd2m_metric_side_of(call->arena, &call->x, metric->unit, x));
    KD2M_TRY(kd2m_metric_side_of(call->arena, &call->y, metric->unit, y));
    call->rows_match = x->rows == y->rows;
cleanup:
    return status;
}

kd2m_status kd2m_metric_accept(const kd2m_metric *metric, const kd2m_sample *x,
                               const kd2m_sample *y) {
    return kd2m_metric_check(metric->context, metric->unit, x, y, true);
}

size_t kd2m_metric_scratch(const kd2m_metric *metric) {
    return metric->arena.capacity;
}

void kd2m_metric_seek(kd2m_metric *metric, uint64_t seed, uint64_t draw) {
    metric->seed = seed;
    metric->next = draw;
}

kd2m_status kd2m_metric_prepare(kd2m_metric *metric, const kd2m_sample *x, const kd2m_sample *y) {
    kd2m_status status = KD2M_OK;
    kd2m_metric_call call;
    metric->prepared = false;
    metric->drawn = metric->next++;
    KD2M_TRY(begin(metric, &call, x, y, holder(metric)->constant_count > 0));
    metric->held.count = 0;
    KD2M_TRY(kd2m_metric_resolve(&call, KD2M_METRIC_NO_GROUP));
    metric->prepared = true;
cleanup:
    return status;
}

/* Whether the unit, or one inside it, has a key of this name. */
static bool has_key(const kd2m_metric_unit *unit, const char *key) {
    for (; unit; unit = unit->inner)
        for (size_t i = 0; i < unit->descriptor->settings.count; i++)
            if (strcmp(unit->descriptor->settings.rows[i].name, key) == 0)
                return true;
    return false;
}

kd2m_status kd2m_metric_certify(const kd2m_metric *metric, const kd2m_metric_result *result) {
    const kd2m_certificate *found = &result->certificate;
    if (found->converged)
        return KD2M_OK;
    return kd2m_fail(metric->context, KD2M_ERROR_NUMERIC,
                     "%s did not converge: gap %.2g and marginal error %.2g after %lld iterations; "
                     "%s",
                     metric->text, found->gap, found->marginal_error, (long long)found->iterations,
                     has_key(metric->unit, "iters") ? "raise iters= or eps="
                                                    : "compare fewer rows, or take another metric");
}

void kd2m_metric_set_strict(kd2m_metric *metric, int strict) {
    metric->strict = strict != 0;
}

static void fill_zero(float *values, size_t stride, size_t rows, size_t dim) {
    for (size_t i = 0; values && i < rows; i++)
        memset(values + i * stride, 0, dim * sizeof *values);
}

/* Checks the gradient's strides, writes the zeros of the part that the metric does not depend on,
 * and says whether the other part is wanted. */
static kd2m_status begin_gradient(const kd2m_metric *metric, const kd2m_sample *x,
                                  const kd2m_gradient *gradient, bool *wanted) {
    *wanted = false;
    if (!gradient)
        return KD2M_OK;
    if ((gradient->features && gradient->stride < x->dim) ||
        (gradient->logits && gradient->logits_stride < x->classes))
        return kd2m_fail(metric->context, KD2M_ERROR_USAGE,
                         "%s: the gradient's row stride is smaller than its row", metric->text);
    if (metric->unit->traits & KD2M_METRIC_WITH_LOGITS) {
        *wanted = gradient->features || gradient->logits;
    } else if (metric->unit->traits & KD2M_METRIC_ON_LOGITS) {
        fill_zero(gradient->features, gradient->stride, x->rows, x->dim);
        *wanted = gradient->logits != NULL;
    } else {
        fill_zero(gradient->logits, gradient->logits_stride, x->rows, x->classes);
        *wanted = gradient->features != NULL;
    }
    return KD2M_OK;
}

/* Value and gradient of the call's samples. */
static kd2m_status apply(kd2m_metric *metric, kd2m_metric_call *call, const kd2m_sample *x,
                         kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_metric_result found;
    bool wanted = false;
    KD2M_TRY(begin_gradient(metric, x, gradient, &wanted));
    KD2M_TRY(kd2m_metric_apply(call, KD2M_METRIC_NO_GROUP, &found, wanted ? gradient : NULL));
    if (!isfinite(found.value)) {
        status = kd2m_fail(metric->context, KD2M_ERROR_NUMERIC,
                           "%s is not finite: the samples' values are too large; scale them down",
                           metric->text);
        goto cleanup;
    }
    *result = found;
    if (metric->strict)
        status = kd2m_metric_certify(metric, result);
cleanup:
    return status;
}

kd2m_status kd2m_metric_evaluate(kd2m_metric *metric, const kd2m_sample *x, const kd2m_sample *y,
                                 kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_metric_call call;
    *result = kd2m_metric_result_zero();
    if (!metric->prepared)
        return kd2m_metric_evaluate_fresh(metric, x, y, result, gradient);
    KD2M_TRY(begin(metric, &call, x, y, true));
    KD2M_TRY(apply(metric, &call, x, result, gradient));
cleanup:
    return status;
}

kd2m_status kd2m_metric_evaluate_fresh(kd2m_metric *metric, const kd2m_sample *x,
                                       const kd2m_sample *y, kd2m_metric_result *result,
                                       const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_metric_call call;
    *result = kd2m_metric_result_zero();
    metric->prepared = false;
    metric->drawn = metric->next++;
    KD2M_TRY(begin(metric, &call, x, y, true));
    metric->held.count = 0; /* nothing held: it follows from these rows */
    KD2M_TRY(apply(metric, &call, x, result, gradient));
    metric->prepared = true;
cleanup:
    return status;
}
