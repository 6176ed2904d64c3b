/*
 * Ground costs: see metric_ground.h.
 * Cost: O(n m d) time and n m floats for the matrix. Threads: the context's; the result does not
 * depend on how many.
 */
#include "metric_ground.h"

#include <math.h>

#include "context.h"
#include "parallel.h"

kd2m_ground kd2m_ground_of(const kd2m_metric_call *call) {
    if (call->ground)
        return *call->ground;
    return (kd2m_ground){.cost = call->unit->descriptor->feature_cost, .scale = 1};
}

static double row_distance(const kd2m_rows *x, size_t i, const kd2m_rows *y, size_t j) {
    return kd2m_squared_distance(x->values + i * x->stride, y->values + j * y->stride, x->dim);
}

/* beta |u_i - v_j|^2 */
static double beside_cost(const kd2m_metric_call *call, const kd2m_ground *ground, size_t i,
                          size_t j) {
    if (ground->beside == KD2M_BESIDE_LABELS)
        return call->x.labels[i] == call->y.labels[j] ? 0 : 2 * ground->beta;
    if (ground->beside == KD2M_BESIDE_LOGITS)
        return ground->beta * row_distance(&call->x.logits, i, &call->y.logits, j);
    return 0;
}

double kd2m_ground_factor(const kd2m_ground *ground) {
    return ground->scale > 0 ? 1 / ground->scale : 0;
}

kd2m_ground_pair kd2m_ground_measure(const kd2m_metric_call *call, const kd2m_ground *ground,
                                     size_t i, size_t j) {
    double squared = row_distance(&call->x.features, i, &call->y.features, j);
    double distance = sqrt(squared), factor = kd2m_ground_factor(ground);
    kd2m_ground_pair pair = {.cost = beside_cost(call, ground, i, j), .beside = 2 * ground->beta};
    if (ground->cost == KD2M_COST_SQUARED) {
        pair.cost += factor * squared;
        pair.features = 2 * factor;
    } else {
        pair.cost += factor * distance;
        pair.features = distance > 0 ? factor / distance : 0;
    }
    return pair;
}

kd2m_status kd2m_ground_open(const kd2m_metric_call *call, const kd2m_ground *ground,
                             kd2m_ground_rows *out) {
    out->call = call;
    out->ground = ground;
    return kd2m_distances_open(call->arena, &out->features, call->x.features, call->y.features);
}

/* Rows first .. of the costs, in the place of squared distances. */
typedef struct costs_job {
    const kd2m_ground_rows *rows;
    float *out;
    size_t first;
} costs_job;

static void make_costs(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const costs_job *job = user;
    const kd2m_metric_call *call = job->rows->call;
    const kd2m_ground *ground = job->rows->ground;
    size_t m = call->y.rows;
    double factor = kd2m_ground_factor(ground);
    for (size_t r = begin; r < end; r++) {
        float *row = job->out + r * m;
        for (size_t j = 0; ground->cost == KD2M_COST_DISTANCE && j < m; j++)
            row[j] = sqrtf(row[j]);
        for (size_t j = 0; ground->beside != KD2M_BESIDE_NOTHING && j < m; j++)
            row[j] = (float)(factor * row[j] + beside_cost(call, ground, job->first + r, j));
    }
}

kd2m_status kd2m_ground_fill(const kd2m_ground_rows *rows, float *out, size_t first, size_t count) {
    kd2m_status status = KD2M_OK;
    kd2m_context *context = rows->call->context;
    size_t m = rows->call->y.rows, row = 0, column = 0;
    costs_job job = {rows, out, first};
    KD2M_TRY(kd2m_distances_fill(context, &rows->features, out, first, count));
    if (kd2m_rows_not_finite(context, (kd2m_rows){out, count, m, m}, &row, &column) > 0) {
        status = kd2m_fail(context, KD2M_ERROR_NUMERIC,
                           "the distance of student row %zu and teacher row %zu is beyond float's "
                           "range; scale the features down",
                           first + row, column);
        goto cleanup;
    }
    if (rows->ground->cost == KD2M_COST_DISTANCE || rows->ground->beside != KD2M_BESIDE_NOTHING)
        kd2m_parallel_for(context, count, 16, make_costs, &job);
cleanup:
    return status;
}

kd2m_status kd2m_ground_costs(const kd2m_metric_call *call, const kd2m_ground *ground,
                              float **out) {
    kd2m_status status = KD2M_OK;
    kd2m_ground_rows rows;
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)out, call->x.rows * call->y.rows,
                                   sizeof **out));
    size_t mark = call->arena->used;
    KD2M_TRY(kd2m_ground_open(call, ground, &rows));
    KD2M_TRY(kd2m_ground_fill(&rows, *out, 0, call->x.rows));
    kd2m_arena_rewind(call->arena, mark);
cleanup:
    return status;
}

/* sum_ij a_i b_j |x_i - y_j|^2: the variances of both sides and the distance of their means. */
static kd2m_status mean_squared(const kd2m_metric_call *call, kd2m_rows x, kd2m_rows y,
                                double *out) {
    kd2m_status status = KD2M_OK;
    size_t mark = call->arena->used;
    double *means[2] = {NULL, NULL}, *variance = NULL;
    const kd2m_rows sides[2] = {x, y};
    const double *const weights[2] = {call->x.weights, call->y.weights};
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&means[0], x.dim, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&means[1], x.dim, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&variance, x.dim, sizeof(double)));
    *out = 0;
    for (size_t side = 0; side < 2; side++) {
        kd2m_rows_mean(call->context, means[side], sides[side], weights[side]);
        kd2m_rows_variance(call->context, variance, sides[side], means[side], weights[side]);
        for (size_t k = 0; k < x.dim; k++)
            *out += variance[k];
    }
    for (size_t k = 0; k < x.dim; k++)
        *out += (means[0][k] - means[1][k]) * (means[0][k] - means[1][k]);
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

kd2m_status kd2m_ground_mean(const kd2m_metric_call *call, const kd2m_ground *ground, double *out) {
    kd2m_status status = KD2M_OK;
    double beside = 0;
    KD2M_TRY(mean_squared(call, call->x.features, call->y.features, out));
    *out *= kd2m_ground_factor(ground);
    if (ground->beside == KD2M_BESIDE_LOGITS) {
        KD2M_TRY(mean_squared(call, call->x.logits, call->y.logits, &beside));
        beside *= ground->beta;
    }
    for (size_t i = 0; ground->beside == KD2M_BESIDE_LABELS && i < call->x.rows; i++)
        for (size_t j = 0; j < call->y.rows; j++)
            beside += kd2m_metric_weight(&call->x, i) * kd2m_metric_weight(&call->y, j) *
                      beside_cost(call, ground, i, j);
    *out += beside;
cleanup:
    return status;
}

size_t kd2m_ground_mean_bytes(const kd2m_metric_shape *shape) {
    size_t widest = shape->dim_x > shape->classes ? shape->dim_x : shape->classes;
    return kd2m_arena_sum(kd2m_arena_bytes(2 * widest, sizeof(double)),
                          kd2m_arena_bytes(2 * widest, sizeof(double)));
}

size_t kd2m_ground_matrix_bytes(const kd2m_metric_shape *shape) {
    return kd2m_arena_matrix_bytes(shape->n, shape->m, sizeof(float));
}

size_t kd2m_ground_scratch_bytes(const kd2m_metric_shape *shape) {
    return kd2m_distances_bytes(shape->n, shape->m, shape->dim_x);
}
