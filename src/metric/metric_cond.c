/*
 * Conditioning: a metric M group by group,
 *
 *     D = sum_c w_c M(X_c, Y_c)            dD/dx_i = w_c dM(X_c, Y_c)/dx_i for row i of group c
 *
 * over the groups with rows on both sides; the others are counted. Groups are told by label, or by
 * a column that the samples carry (by=machine). classes=freq: w_c is the group's
 * share of the student's weight, over the groups kept; classes=sum: 1, as the KD2M code means it.
 * Rows of weight 0 are as if they were not there.
 *
 * A metric that compares variances says nothing of a single row: a group with fewer rows than the
 * metric needs on either side, or where the metric is infinite, is served by its means,
 * |mean_x - mean_y|^2, and counted.
 *
 * Constants that M takes from data are resolved and held per group.
 *
 * Montesuma, 'KD2M', arXiv:2504.01757 (class-conditional losses).
 * Cost: that of M on each group, and O((n + m) d) memory for the rows of one. Threads: parts of the
 * groups at once, each on a thread (metric_parts.h); M's where there are fewer groups than threads.
 */
#include "metric_groups.h"
#include "metric_moments.h"
#include "metric_parts.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"

/* clang-format off */
#define COND_SETTINGS(X)                                                                           \
    X(TEXT,   by,      "label", 0, 0, "label|COLUMN", "what the groups are told by") \
    X(CHOICE, classes, "freq",  0, 0, "freq|sum", "weights of the groups: the student's shares, or 1")
/* clang-format on */

typedef struct cond_settings {
    COND_SETTINGS(KD2M_SETTINGS_FIELD)
} cond_settings;

#define ROW(...) KD2M_SETTINGS_ROW(cond_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {COND_SETTINGS(ROW)};

static bool by_share(const kd2m_metric_unit *unit) {
    const cond_settings *settings = unit->settings;
    return strcmp(settings->classes, "freq") == 0;
}

static kd2m_status configure(kd2m_context *context, kd2m_metric_unit *unit) {
    const cond_settings *settings = unit->settings;
    if (!settings->by || settings->by[0] == '\0')
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "cond: by= takes 'label' or the name of a column");
    unit->traits = unit->inner->traits;
    if (strcmp(settings->by, "label") == 0)
        unit->traits |= KD2M_METRIC_LABELS;
    else
        unit->column = settings->by;
    unit->degree = unit->inner->degree;
    /* the shares are the student's: the other way round they differ, unless rows are paired */
    if (by_share(unit) && !(unit->traits & KD2M_METRIC_PAIRED))
        unit->traits &= ~(unsigned)KD2M_METRIC_SYMMETRIC;
    return KD2M_OK;
}

static kd2m_rows matrix_of(const kd2m_metric_call *call, const kd2m_metric_side *side) {
    return call->unit->traits & KD2M_METRIC_ON_LOGITS ? side->logits : side->features;
}

/* What one group of this shape needs: copies of its rows, their weights, its gradient, and M's. */
static size_t group_bytes(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    bool on_logits = unit->traits & KD2M_METRIC_ON_LOGITS;
    size_t width_x = on_logits ? shape->classes : shape->dim_x;
    size_t width_y = on_logits ? shape->classes : shape->dim_y;
    size_t inner = unit->inner->descriptor->workspace(unit->inner, shape);
    size_t means = kd2m_metric_moments_bytes(shape->dim_x);
    const size_t parts[] = {
        kd2m_arena_matrix_bytes(shape->n, width_x, sizeof(float)),
        kd2m_arena_matrix_bytes(shape->n, width_x, sizeof(float)), /* the gradient */
        kd2m_arena_matrix_bytes(shape->m, width_y, sizeof(float)),
        kd2m_arena_bytes(shape->n, sizeof(double)),
        kd2m_arena_bytes(shape->m, sizeof(double)),
        inner > means ? inner : means,
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        bytes = kd2m_arena_sum(bytes, parts[i]);
    return bytes;
}

/* What became of a group. */
typedef struct outcome {
    kd2m_metric_result result;
    bool fell_back;
} outcome;

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    size_t groups = shape->n < shape->m ? shape->n : shape->m;
    size_t bytes = kd2m_arena_sum(kd2m_metric_groups_bytes(shape->n, shape->m),
                                  kd2m_arena_bytes(groups, sizeof(outcome)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(groups, sizeof(kd2m_metric_piece)));
    return kd2m_arena_sum(bytes, group_bytes(unit, shape));
}

/* Copies a group's rows of one side into the arena, their weights normalised. */
static kd2m_status gather(const kd2m_metric_call *call, kd2m_metric_side *out,
                          const kd2m_metric_side *side, const uint32_t *numbers, size_t count,
                          double share) {
    kd2m_status status = KD2M_OK;
    const kd2m_rows from = matrix_of(call, side);
    float *values = NULL;
    double *weights = NULL;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&values, count * from.dim, sizeof *values));
    for (size_t i = 0; i < count; i++)
        memcpy(values + i * from.dim, from.values + numbers[i] * from.stride,
               from.dim * sizeof *values);
    if (side->weights) {
        KD2M_TRY(kd2m_arena_take(call->arena, (void **)&weights, count, sizeof *weights));
        for (size_t i = 0; i < count; i++)
            weights[i] = side->weights[numbers[i]] / share;
    }
    kd2m_rows copied = {values, count, from.dim, from.dim};
    *out = (kd2m_metric_side){
        .rows = count,
        .features = copied,
        .logits = copied,
        .weights = weights,
        .numbers = numbers,
    };
cleanup:
    return status;
}

/* The call of the inner metric on one group. */
static kd2m_status gather_group(const kd2m_metric_call *call, kd2m_metric_call *out,
                                const kd2m_group *group) {
    kd2m_status status = KD2M_OK;
    *out = *call;
    out->unit = call->unit->inner;
    out->constants = NULL;
    KD2M_TRY(gather(call, &out->x, &call->x, group->x_rows, group->x_count, group->x_share));
    KD2M_TRY(gather(call, &out->y, &call->y, group->y_rows, group->y_count, group->y_share));
cleanup:
    return status;
}

/* Finds the groups, and refuses samples that have none in common or, for a metric of paired rows,
 * pairs that are not of one group. */
static kd2m_status find_groups(const kd2m_metric_call *call, kd2m_groups *out) {
    kd2m_status status = KD2M_OK;
    if (call->unit->traits & KD2M_METRIC_PAIRED)
        for (size_t i = 0; i < call->x.rows; i++)
            if (call->x.labels[i] != call->y.labels[i]) {
                status = kd2m_fail(call->context, KD2M_ERROR_INPUT,
                                   "cond(%s) compares row i with row i, but row %zu is of group "
                                   "%ld on the student's side and of %ld on the teacher's",
                                   call->unit->inner->descriptor->name, i, (long)call->x.labels[i],
                                   (long)call->y.labels[i]);
                goto cleanup;
            }
    KD2M_TRY(kd2m_metric_groups(call, out));
    if (out->count == 0)
        status = kd2m_fail(call->context, KD2M_ERROR_INPUT,
                           "cond: student and teacher have no group in common (%zu groups on one "
                           "side alone)",
                           out->dropped);
cleanup:
    return status;
}

static bool large_enough(const kd2m_metric_unit *inner, const kd2m_group *group) {
    return group->x_count >= inner->least_rows && group->y_count >= inner->least_rows;
}

static kd2m_status prepare(const kd2m_metric_call *call) {
    kd2m_status status = KD2M_OK;
    kd2m_groups groups;
    KD2M_TRY(find_groups(call, &groups));
    for (size_t c = 0; c < groups.count; c++) {
        size_t mark = call->arena->used;
        kd2m_metric_call inner;
        if (!large_enough(call->unit->inner, &groups.kept[c]))
            continue;
        KD2M_TRY(gather_group(call, &inner, &groups.kept[c]));
        KD2M_TRY(kd2m_metric_resolve(&inner, groups.kept[c].label));
        kd2m_arena_rewind(call->arena, mark);
    }
cleanup:
    return status;
}

/* The inner metric on one group, or its means; *fell_back says which. */
static kd2m_status evaluate_inner(kd2m_metric_call *inner, const kd2m_group *group, outcome *out,
                                  const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t mark = inner->arena->used;
    out->fell_back = !large_enough(inner->unit, group);
    if (!out->fell_back) {
        status = kd2m_metric_apply(inner, group->label, &out->result, gradient);
        out->fell_back = status == KD2M_ERROR_NUMERIC && inner->unit->least_rows > 1;
    }
    if (out->fell_back) {
        kd2m_arena_rewind(inner->arena, mark);
        out->result = kd2m_metric_result_zero();
        status = kd2m_metric_mean_difference(inner, &out->result, gradient);
    }
    return status;
}

/* Writes a group's gradient, times its weight, to the rows it belongs to. */
static void scatter(float *out, size_t stride, size_t dim, const kd2m_group *group, double weight,
                    const float *values) {
    for (size_t i = 0; i < group->x_count; i++)
        for (size_t k = 0; k < dim; k++)
            out[group->x_rows[i] * stride + k] = (float)(weight * values[i * dim + k]);
}

/* Adds one group's result to the whole's; pair shares are summed, to be divided later. */
static void add_result(kd2m_metric_result *whole, const kd2m_metric_result *part, double weight,
                       double *planned) {
    whole->value += weight * part->value;
    whole->certificate.gap = fmax(whole->certificate.gap, part->certificate.gap);
    whole->certificate.marginal_error =
        fmax(whole->certificate.marginal_error, part->certificate.marginal_error);
    whole->certificate.iterations += part->certificate.iterations;
    whole->certificate.converged &= part->certificate.converged;
    if (!isnan(part->pair_share)) {
        whole->pair_share = (*planned > 0 ? whole->pair_share : 0) + weight * part->pair_share;
        *planned += weight;
    }
}

/* All groups' work. */
typedef struct cond_job {
    const kd2m_group *groups;
    outcome *outcomes;
    double kept_share;
    size_t dim;
    float *gradient; /* or NULL */
    size_t stride;
} cond_job;

static double weight_of(const kd2m_metric_call *call, const cond_job *job, size_t c) {
    return by_share(call->unit) ? job->groups[c].x_share / job->kept_share : 1;
}

/* One group, on the context and the arena of the call. */
static kd2m_status evaluate_group(const kd2m_metric_call *call, void *user, size_t c) {
    kd2m_status status = KD2M_OK;
    const cond_job *job = user;
    const kd2m_group *group = &job->groups[c];
    size_t mark = call->arena->used;
    float *values = NULL;
    kd2m_metric_call inner;
    KD2M_TRY(gather_group(call, &inner, group));
    if (job->gradient)
        KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&values, group->x_count * job->dim,
                                       sizeof *values));
    const kd2m_gradient gradient = {values, job->dim, values, job->dim};
    KD2M_TRY(evaluate_inner(&inner, group, &job->outcomes[c], values ? &gradient : NULL));
    if (values)
        scatter(job->gradient, job->stride, job->dim, group, weight_of(call, job, c), values);
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

static kd2m_metric_shape shape_of(const kd2m_metric_call *call, size_t n, size_t m) {
    return (kd2m_metric_shape){n, m, call->x.features.dim, call->y.features.dim,
                               call->x.logits.dim};
}

static kd2m_status run_groups(const kd2m_metric_call *call, const kd2m_groups *groups,
                              cond_job *job) {
    kd2m_status status = KD2M_OK;
    const kd2m_metric_shape whole = shape_of(call, call->x.rows, call->y.rows);
    kd2m_metric_piece *pieces = NULL;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&pieces, groups->count, sizeof *pieces));
    for (size_t c = 0; c < groups->count; c++) {
        const kd2m_group *group = &groups->kept[c];
        const kd2m_metric_shape shape = shape_of(call, group->x_count, group->y_count);
        pieces[c] = (kd2m_metric_piece){(double)group->x_count * (double)group->y_count,
                                        group_bytes(call->unit, &shape)};
    }
    /* constants that a group gets where none are held for it are written to one place */
    bool apart = call->unit->inner->constant_count == 0;
    const kd2m_metric_parts parts = {.call = call,
                                     .pieces = pieces,
                                     .count = groups->count,
                                     .room = apart ? group_bytes(call->unit, &whole) : 0,
                                     .each = evaluate_group,
                                     .user = job};
    status = kd2m_metric_parts_run(&parts);
cleanup:
    return status;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    bool on_logits = call->unit->traits & KD2M_METRIC_ON_LOGITS;
    kd2m_groups groups;
    double planned = 0;
    KD2M_TRY(find_groups(call, &groups));
    cond_job job = {.groups = groups.kept, .dim = matrix_of(call, &call->x).dim};
    KD2M_TRY(
        kd2m_arena_take(call->arena, (void **)&job.outcomes, groups.count, sizeof *job.outcomes));
    if (gradient) {
        job.gradient = on_logits ? gradient->logits : gradient->features;
        job.stride = on_logits ? gradient->logits_stride : gradient->stride;
        for (size_t i = 0; i < call->x.rows; i++) /* rows of no kept group have none */
            memset(job.gradient + i * job.stride, 0, job.dim * sizeof *job.gradient);
    }
    for (size_t c = 0; c < groups.count; c++)
        job.kept_share += groups.kept[c].x_share;
    KD2M_TRY(run_groups(call, &groups, &job));
    for (size_t c = 0; c < groups.count; c++) {
        add_result(result, &job.outcomes[c].result, weight_of(call, &job, c), &planned);
        result->fallbacks += job.outcomes[c].fell_back;
    }
    result->pair_share /= planned > 0 ? planned : 1;
    result->groups_kept = (int32_t)groups.count;
    result->groups_dropped = (int32_t)groups.dropped;
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_cond = {
    .name = "cond",
    .summary = "another metric, group by group",
    .formula = "sum_c w_c METRIC(X_c, Y_c) over the groups c with rows on both sides",
    .source = "Montesuma 2025 (KD2M)",
    .traits = KD2M_METRIC_LABELS, /* and the inner metric's */
    .degree = 0,                  /* the inner metric's */
    .least_rows = 1,
    .wraps = true,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(cond_settings),
    .configure = configure,
    .workspace = workspace,
    .prepare = prepare,
    .evaluate = evaluate,
};
