/*
 * Optimality in double, whatever the solver computed with: see certificate.h.
 *
 * For any column potentials g, f_i = min_j (C_ij - g_j) makes (f, g) dual feasible, so that
 *
 *     <plan, C> - optimum  <=  <plan, C> - <a, f> - <b, g>  =  sum_ij plan_ij (C_ij - f_i - g_j)
 *
 * (Peyre & Cuturi 2019, section 2.5). The right-hand sum has no negative term and nothing cancels
 * in it. Divided by the mean |C_ij| it is the gap.
 */
#include "certificate.h"

#include <math.h>

#include "context.h"
#include "parallel.h"
#include "scan.h"

/* A path's length sums at most rows + columns costs of this size without leaving float's range. */
#define COST_MAX 1e30

/* Parts that costs are measured in, and elements worth a thread of their own. */
#define MEASURE_PARTS ((size_t)32)
#define MEASURE_GRAIN ((size_t)65536)

/* Weights that are 1/count to within this share of it count as uniform. */
#define UNIFORM_TOLERANCE 1e-12

bool kd2m_weights_uniform(const double *weights, size_t count) {
    for (size_t i = 0; weights && i < count; i++)
        if (!(fabs(weights[i] * (double)count - 1.0) <= UNIFORM_TOLERANCE))
            return false;
    return true;
}

kd2m_status kd2m_costs_check_shape(kd2m_context *context, kd2m_costs costs) {
    if (costs.rows == 0 || costs.columns == 0 || (costs.values && costs.stride < costs.columns))
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "transport needs at least one point on each side, got %zu and %zu",
                         costs.rows, costs.columns);
    if (costs.rows >= UINT32_MAX / 2 || costs.columns >= UINT32_MAX / 2)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "transport between %zu and %zu points is too "
                         "large",
                         costs.rows, costs.columns);
    return KD2M_OK;
}

/* The costs' rows in a fixed number of parts, so that sums do not depend on how many threads. */
typedef struct measure_job {
    kd2m_costs costs;
    double means[MEASURE_PARTS], largest[MEASURE_PARTS];
    size_t bad[MEASURE_PARTS]; /* the first row with a bad cost, or SIZE_MAX */
} measure_job;

static void measure_parts(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    measure_job *job = user;
    const kd2m_costs *costs = &job->costs;
    for (size_t part = begin; part < end; part++) {
        job->bad[part] = SIZE_MAX;
        job->means[part] = job->largest[part] = 0.0;
        for (size_t i = part * costs->rows / MEASURE_PARTS;
             i < (part + 1) * costs->rows / MEASURE_PARTS && job->bad[part] == SIZE_MAX; i++) {
            double sum;
            float largest;
            kd2m_scan_magnitude(costs->values + i * costs->stride, costs->columns, &sum, &largest);
            job->means[part] += sum / (double)costs->columns / (double)costs->rows;
            job->largest[part] = fmax(job->largest[part], (double)largest);
            if (!(sum < HUGE_VAL) || job->largest[part] > COST_MAX)
                job->bad[part] = i;
        }
    }
}

kd2m_status kd2m_costs_measure(kd2m_context *context, kd2m_costs costs, kd2m_cost_scale *scale) {
    measure_job job = {.costs = costs};
    *scale = (kd2m_cost_scale){0};
    kd2m_status status = kd2m_costs_check_shape(context, costs);
    if (status != KD2M_OK)
        return status;
    size_t elements = (costs.rows / MEASURE_PARTS + 1) * costs.columns;
    kd2m_parallel_for(context, MEASURE_PARTS, MEASURE_GRAIN / elements + 1, measure_parts, &job);
    for (size_t part = 0; part < MEASURE_PARTS; part++) {
        scale->mean += job.means[part];
        scale->largest = fmax(scale->largest, job.largest[part]);
        if (job.bad[part] < SIZE_MAX)
            return kd2m_fail(context, KD2M_ERROR_NUMERIC,
                             "transport costs in row %zu are NaN, infinite or above %g; "
                             "check the points for such values",
                             job.bad[part], COST_MAX);
    }
    return KD2M_OK;
}

size_t kd2m_transport_result_bytes(size_t rows, size_t columns) {
    size_t entries = rows + columns - 1;
    size_t bytes = kd2m_arena_sum(kd2m_arena_bytes(rows, sizeof(double)),
                                  kd2m_arena_bytes(columns, sizeof(double)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(entries, sizeof(double)));
    bytes = kd2m_arena_sum(bytes, kd2m_arena_bytes(entries, sizeof(uint32_t)));
    return kd2m_arena_sum(bytes, kd2m_arena_bytes(entries, sizeof(uint32_t)));
}

kd2m_status kd2m_transport_take(kd2m_arena *arena, kd2m_costs costs, kd2m_transport *out) {
    kd2m_status status;
    size_t entries = costs.rows + costs.columns - 1;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->row_potentials, costs.rows, sizeof(double)));
    KD2M_TRY(
        kd2m_arena_take(arena, (void **)&out->column_potentials, costs.columns, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->plan.mass, entries, sizeof(double)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->plan.row, entries, sizeof(uint32_t)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->plan.column, entries, sizeof(uint32_t)));
cleanup:
    return status;
}

/* Largest |marginal - weights|; `marginal` is the plan's. */
static double deviation(const double *marginal, const double *weights, size_t count) {
    double largest = 0.0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(marginal[i] - (weights ? weights[i] : 1.0 / (double)count)));
    return largest;
}

double kd2m_plan_marginal_error(const kd2m_plan *plan, kd2m_costs shape, const double *row_weights,
                                const double *column_weights, double *sums) {
    double *column_sums = sums + shape.rows;
    for (size_t i = 0; i < shape.rows + shape.columns; i++)
        sums[i] = 0.0;
    for (size_t e = 0; e < plan->entries; e++) {
        sums[plan->row[e]] += plan->mass[e];
        column_sums[plan->column[e]] += plan->mass[e];
    }
    return fmax(deviation(sums, row_weights, shape.rows),
                deviation(column_sums, column_weights, shape.columns));
}

size_t kd2m_certificate_bytes(size_t rows, size_t columns) {
    size_t bytes = kd2m_arena_bytes(kd2m_scan_blocks(columns), sizeof(double));
    return kd2m_arena_sum(bytes, kd2m_arena_bytes(rows + columns, sizeof(double)));
}

kd2m_status kd2m_transport_certify(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                                   const double *column_weights, kd2m_cost_scale scale,
                                   kd2m_transport *out) {
    kd2m_status status;
    size_t mark = arena->used;
    double *lowest;
    double *sums;
    KD2M_TRY(
        kd2m_arena_take(arena, (void **)&lowest, kd2m_scan_blocks(costs.columns), sizeof *lowest));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&sums, costs.rows + costs.columns, sizeof *sums));

    for (size_t i = 0; i < costs.rows; i++)
        out->row_potentials[i] =
            kd2m_scan_nearest_double(costs.values + i * costs.stride, out->column_potentials,
                                     costs.columns, lowest)
                .value;
    double slack = 0.0;
    out->cost = 0.0;
    for (size_t e = 0; e < out->plan.entries; e++) {
        size_t i = out->plan.row[e];
        size_t j = out->plan.column[e];
        double mass = out->plan.mass[e];
        double cost = (double)costs.values[i * costs.stride + j];
        out->cost += mass * cost;
        slack += mass * fmax(0.0, cost - out->column_potentials[j] - out->row_potentials[i]);
    }
    out->gap = slack > 0.0 ? slack / scale.mean : 0.0;
    out->marginal_error =
        kd2m_plan_marginal_error(&out->plan, costs, row_weights, column_weights, sums);
cleanup:
    kd2m_arena_rewind(arena, mark);
    return status;
}
