/*
 * Exact transport between two samples: the plan comes from ot, on float costs; value and gradient
 * are taken on that plan from differences, in double, so that they carry none of the cost matrix's
 * rounding:
 *
 *     D = sum_ij plan_ij c_ij              dD/dx_i = sum_j plan_ij dc_ij/dx_i
 *
 * the plan held fixed, as the envelope theorem allows. What c_ij is says metric_ground.h.
 *
 * Peyre & Cuturi, 'Computational optimal transport', 2019, chapters 3 and 9.1.
 * Cost: that of the solver (ot/transport.h) plus O(n m d) time for the costs; n m floats of memory.
 * Threads: the context's; value and gradient of a plan do not depend on how many.
 */
#include "metric_transport.h"

#include <math.h>

#include "context.h"
#include "parallel.h"

#define FEATURE_BLOCK 128

/* The plan's entries, row by row. */
typedef struct sorted_plan {
    size_t *start;    /* rows + 1: entries of row i are start[i] .. start[i + 1] - 1 */
    uint32_t *column; /* per entry */
    double *mass;
    double *pull; /* per entry: the factor that (x - y) has in the gradient */
} sorted_plan;

/* At most rows + columns - 1 entries have mass. */
static size_t entry_bound(const kd2m_metric_shape *shape) {
    return kd2m_arena_sum(shape->n, shape->m);
}

size_t kd2m_metric_transport_bytes(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    size_t scratch = kd2m_ground_scratch_bytes(shape);
    size_t solving = kd2m_transport_bytes(shape->n, shape->m);
    solving = kd2m_arena_sum(solving, kd2m_arena_bytes(shape->n + 1, sizeof(size_t)));
    solving = kd2m_arena_sum(solving, kd2m_arena_bytes(entry_bound(shape), sizeof(uint32_t)));
    solving = kd2m_arena_sum(solving, kd2m_arena_bytes(entry_bound(shape), sizeof(double)));
    solving = kd2m_arena_sum(solving, kd2m_arena_bytes(entry_bound(shape), sizeof(double)));
    solving = kd2m_arena_sum(solving, kd2m_arena_bytes(shape->n, sizeof(double)));
    return kd2m_arena_sum(kd2m_ground_matrix_bytes(shape), scratch > solving ? scratch : solving);
}

/* Sorts the plan's entries by row, keeping their order within a row. */
static kd2m_status sort_plan(const kd2m_metric_call *call, const kd2m_plan *plan,
                             sorted_plan *out) {
    kd2m_status status = KD2M_OK;
    size_t n = call->x.rows;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out->start, n + 1, sizeof *out->start));
    KD2M_TRY(
        kd2m_arena_take(call->arena, (void **)&out->column, plan->entries, sizeof *out->column));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out->mass, plan->entries, sizeof *out->mass));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&out->pull, plan->entries, sizeof *out->pull));
    for (size_t e = 0; e < plan->entries; e++)
        out->start[plan->row[e]]++;
    size_t before = 0; /* start[i] becomes the end of row i - 1, then moves on as row i fills */
    for (size_t i = 0; i <= n; i++) {
        size_t entries = out->start[i];
        out->start[i] = before;
        before += entries;
    }
    for (size_t e = 0; e < plan->entries; e++) {
        size_t place = out->start[plan->row[e]]++;
        out->column[place] = plan->column[e];
        out->mass[place] = plan->mass[e];
    }
    for (size_t i = n; i > 0; i--)
        out->start[i] = out->start[i - 1];
    out->start[0] = 0;
cleanup:
    return status;
}

typedef struct row_job {
    const kd2m_metric_call *call;
    kd2m_ground ground;
    sorted_plan plan;
    double *row_values;
    const kd2m_gradient *gradient;
} row_job;

/* Row i's share of the value; sets the pulls of its entries. */
static double row_value(const row_job *job, size_t i) {
    double value = 0;
    for (size_t e = job->plan.start[i]; e < job->plan.start[i + 1]; e++) {
        kd2m_ground_pair pair =
            kd2m_ground_measure(job->call, &job->ground, i, job->plan.column[e]);
        value += job->plan.mass[e] * pair.cost;
        job->plan.pull[e] = job->plan.mass[e] * pair.features;
    }
    return value;
}

/* out = factor * sum over row i's entries of pulls * (x_i - y_j). */
static void row_gradient(const row_job *job, size_t i, const kd2m_rows *x, const kd2m_rows *y,
                         const double *pulls, double factor, float *out) {
    const float *from = x->values + i * x->stride;
    for (size_t first = 0; first < x->dim; first += FEATURE_BLOCK) {
        size_t count = x->dim - first < FEATURE_BLOCK ? x->dim - first : FEATURE_BLOCK;
        double sum[FEATURE_BLOCK] = {0};
        for (size_t e = job->plan.start[i]; e < job->plan.start[i + 1]; e++) {
            const float *to = y->values + job->plan.column[e] * y->stride + first;
            for (size_t k = 0; k < count; k++)
                sum[k] += pulls[e] * ((double)from[first + k] - to[k]);
        }
        for (size_t k = 0; k < count; k++)
            out[first + k] = (float)(factor * sum[k]);
    }
}

static void evaluate_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const row_job *job = user;
    const kd2m_metric_side *x = &job->call->x, *y = &job->call->y;
    const kd2m_gradient *to = job->gradient;
    for (size_t i = begin; i < end; i++) {
        job->row_values[i] = row_value(job, i);
        if (to && to->features)
            row_gradient(job, i, &x->features, &y->features, job->plan.pull, 1,
                         to->features + i * to->stride);
        if (to && to->logits && job->ground.beside == KD2M_BESIDE_LOGITS)
            row_gradient(job, i, &x->logits, &y->logits, job->plan.mass, 2 * job->ground.beta,
                         to->logits + i * to->logits_stride);
    }
}

double kd2m_metric_pair_share(const kd2m_metric_call *call, const kd2m_plan *plan) {
    if (!call->rows_match)
        return NAN;
    const uint32_t *x = call->x.numbers, *y = call->y.numbers;
    double paired = 0, total = 0;
    for (size_t e = 0; e < plan->entries; e++) {
        uint32_t row = plan->row[e], column = plan->column[e];
        total += plan->mass[e];
        if ((x ? x[row] : row) == (y ? y[column] : column))
            paired += plan->mass[e];
    }
    return paired / total;
}

kd2m_status kd2m_metric_transport_costs(const kd2m_metric_call *call, const kd2m_ground *ground,
                                        kd2m_costs *out) {
    float *costs = NULL;
    kd2m_status status = kd2m_ground_costs(call, ground, &costs);
    *out = (kd2m_costs){costs, call->x.rows, call->y.rows, call->y.rows};
    return status;
}

kd2m_status kd2m_metric_transport_on(const kd2m_metric_call *call, const kd2m_ground *ground,
                                     const kd2m_transport *solved, kd2m_metric_result *result,
                                     const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t n = call->x.rows;
    row_job job = {.call = call, .ground = *ground, .gradient = gradient};
    KD2M_TRY(sort_plan(call, &solved->plan, &job.plan));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&job.row_values, n, sizeof(double)));
    kd2m_parallel_for(call->context, n, 16, evaluate_rows, &job);
    for (size_t i = 0; i < n; i++)
        result->value += job.row_values[i];
    result->certificate = (kd2m_certificate){.gap = solved->gap,
                                             .marginal_error = solved->marginal_error,
                                             .iterations = solved->iterations,
                                             .converged = solved->converged};
    result->pair_share = kd2m_metric_pair_share(call, &solved->plan);
cleanup:
    return status;
}

kd2m_status kd2m_metric_transport(const kd2m_metric_call *call, kd2m_metric_result *result,
                                  const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd2m_ground ground = kd2m_ground_of(call);
    kd2m_transport solved;
    kd2m_costs costs;
    KD2M_TRY(kd2m_metric_transport_costs(call, &ground, &costs));
    KD2M_TRY(kd2m_transport_solve(call->arena, costs, call->x.weights, call->y.weights, &solved));
    KD2M_TRY(kd2m_metric_transport_on(call, &ground, &solved, result, gradient));
cleanup:
    return status;
}
