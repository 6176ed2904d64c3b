/*
 * Joint transport of features and labels: a transport metric M on the cost
 *
 *     c_ij = f_ij / s + beta |u_i - v_j|^2                       s = max f_ij (held)
 *
 * f is M's own cost of features (|x - y|^2 for w2, |x - y| for w1), so that both parts are
 * dimensionless; u and v are one-hot labels, logits, or softmax of logits. The value does not
 * change when features are scaled. Where all features coincide, s = 0, labels alone cost.
 *
 *     dD/dx_i = 1/s sum_j plan_ij df_ij/dx_i       dD/du_i = 2 beta sum_j plan_ij (u_i - v_j)
 *     dD/dlogit_ik = u_ik (dD/du_ik - sum_l u_il dD/du_il)     for u = softmax(logits)
 *
 * Rows of weight 0 have no say in s.
 *
 * Courty et al., 'Joint distribution optimal transportation for domain adaptation', NeurIPS 2017;
 * Montesuma, 'KD2M', arXiv:2504.01757.
 * Cost: M's, O(n m d) time more when s is resolved, O((n + m) classes) memory for softmax.
 * Threads: M's.
 */
#include "metric_ground.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"

/* clang-format off */
#define JOINT_SETTINGS(X)                                                                          \
    X(REAL,   beta, "1",      0, 1e12, "B",                     "weight of labels beside features")  \
    X(CHOICE, of,   "onehot", 0, 0,    "onehot|logits|softmax", "what is compared beside features")
/* clang-format on */

typedef struct joint_settings {
    JOINT_SETTINGS(KD2M_SETTINGS_FIELD)
} joint_settings;

#define ROW(...) KD2M_SETTINGS_ROW(joint_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {JOINT_SETTINGS(ROW)};

static bool is_of(const kd2m_metric_unit *unit, const char *word) {
    return strcmp(((const joint_settings *)unit->settings)->of, word) == 0;
}

static kd2m_status configure(kd2m_context *context, kd2m_metric_unit *unit) {
    const kd2m_metric_unit *inner = unit->inner;
    if (inner->descriptor->feature_cost == KD2M_COST_NONE)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "joint stands around a metric that transports mass, as in joint(w2); "
                         "'%s' has no cost that labels could be added to",
                         inner->descriptor->name);
    /* the cost does not change when features are scaled, whatever the inner metric says */
    unit->traits = inner->traits | KD2M_METRIC_SCALING |
                   (is_of(unit, "onehot") ? KD2M_METRIC_LABELS : KD2M_METRIC_WITH_LOGITS);
    unit->constant_count = 1 + inner->constant_count;
    return KD2M_OK;
}

static size_t softmax_count(size_t count, size_t classes) {
    size_t values = 0;
    return kd2m_size_multiply(count, classes, &values) ? values : SIZE_MAX;
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    size_t inner = unit->inner->descriptor->workspace(unit->inner, shape);
    size_t own = kd2m_arena_sum(kd2m_ground_matrix_bytes(shape), kd2m_ground_scratch_bytes(shape));
    size_t bytes = inner > own ? inner : own;
    if (!is_of(unit, "softmax"))
        return bytes;
    const size_t counts[] = {softmax_count(shape->n, shape->classes),
                             softmax_count(shape->m, shape->classes)};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(counts[i], sizeof(float)));
    return bytes;
}

/* Replaces a side's logits by their softmax, in the arena. */
static kd2m_status take_softmax(const kd2m_metric_call *call, kd2m_rows *logits) {
    kd2m_status status = KD2M_OK;
    float *out = NULL;
    size_t count = logits->rows * logits->dim;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out, count, sizeof *out));
    kd2m_rows_log_softmax(call->context, out, *logits, 1);
    for (size_t k = 0; k < count; k++)
        out[k] = expf(out[k]);
    *logits = (kd2m_rows){out, logits->rows, logits->dim, logits->dim};
cleanup:
    return status;
}

/* The inner metric's call on the joint ground; *ground is filled and borrowed by it. */
static kd2m_status inner_call(const kd2m_metric_call *call, kd2m_metric_call *out,
                              kd2m_ground *ground) {
    const kd2m_metric_unit *unit = call->unit;
    kd2m_status status = KD2M_OK;
    *ground = (kd2m_ground){
        .cost = unit->inner->descriptor->feature_cost,
        .scale = call->constants[0],
        .beta = ((const joint_settings *)unit->settings)->beta,
        .beside = is_of(unit, "onehot") ? KD2M_BESIDE_LABELS : KD2M_BESIDE_LOGITS,
    };
    *out = *call;
    out->unit = unit->inner;
    out->constants = call->constants + 1;
    out->ground = ground;
    if (is_of(unit, "softmax")) {
        KD2M_TRY(take_softmax(call, &out->x.logits));
        KD2M_TRY(take_softmax(call, &out->y.logits));
    }
cleanup:
    return status;
}

/* The largest cost of features: found among floats, measured in double. */
static kd2m_status largest_cost(const kd2m_metric_call *call, double *out) {
    const kd2m_ground features = {.cost = call->unit->inner->descriptor->feature_cost, .scale = 1};
    size_t n = call->x.rows, m = call->y.rows, row = 0, column = 0;
    float *costs = NULL, largest = -1;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_ground_costs(call, &features, &costs));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m && kd2m_metric_weight(&call->x, i) > 0; j++)
            if (costs[i * m + j] > largest && kd2m_metric_weight(&call->y, j) > 0) {
                largest = costs[i * m + j];
                row = i;
                column = j;
            }
    *out = kd2m_ground_measure(call, &features, row, column).cost;
cleanup:
    return status;
}

static kd2m_status prepare(const kd2m_metric_call *call) {
    size_t mark = call->arena->used;
    kd2m_metric_call inner;
    kd2m_ground ground;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(largest_cost(call, &call->constants[0]));
    kd2m_arena_rewind(call->arena, mark);
    if (call->unit->inner->descriptor->prepare) {
        KD2M_TRY(inner_call(call, &inner, &ground));
        KD2M_TRY(inner.unit->descriptor->prepare(&inner));
    }
cleanup:
    return status;
}

/* From dD/du to dD/dlogits, in place. */
static void pull_through_softmax(const kd2m_rows *u, float *gradient, size_t stride) {
    for (size_t i = 0; i < u->rows; i++) {
        const float *p = u->values + i * u->stride;
        float *g = gradient + i * stride;
        double mean = 0;
        for (size_t k = 0; k < u->dim; k++)
            mean += (double)p[k] * g[k];
        for (size_t k = 0; k < u->dim; k++)
            g[k] = (float)(p[k] * (g[k] - mean));
    }
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_metric_call inner;
    kd2m_ground ground;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(inner_call(call, &inner, &ground));
    KD2M_TRY(inner.unit->descriptor->evaluate(&inner, result, gradient));
    if (gradient && gradient->logits && is_of(call->unit, "softmax"))
        pull_through_softmax(&inner.x.logits, gradient->logits, gradient->logits_stride);
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_joint = {
    .name = "joint",
    .summary = "transport of features and labels, or logits, at once",
    .formula = "METRIC on the cost f_ij / max f + beta |u_i - v_j|^2, f its own cost of features",
    .source = "Courty et al. 2017; Montesuma 2025 (KD2M)",
    .traits = KD2M_METRIC_LABELS, /* and the inner metric's */
    .degree = 0,
    .least_rows = 1,
    .wraps = true,
    .constant_names = {"largest_cost"},
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(joint_settings),
    .configure = configure,
    .workspace = workspace,
    .prepare = prepare,
    .evaluate = evaluate,
};
