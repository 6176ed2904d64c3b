/*
 * Entropic transport between two samples, as metrics need it: see metric_entropic.h. The solver
 * works on float costs; its dual's value is mended where their rounding would show. The gradient is
 * that of the costs under the plan, which the envelope theorem allows:
 *
 *     dD/dx_i = sum_j P_ij dc_ij/dx_i = 2/scale (P_i x_i - sum_j P_ij y_j)
 *
 * a matrix product of floats, with both sides moved by the mean of Y, so that an offset of the data
 * does not enter it.
 *
 * Costs and plan are kept where both fit in the setting `memory`: O(n m) per iteration, O(n m d)
 * for costs and gradient; 2 n m floats and two copies of the rows. Where they do not, rows of costs
 * are made anew in every pass and the plan is read a block of rows at a time: O(n m d) per
 * iteration, O(n + m) memory but for the two blocks of rows. It is the same work in the same
 * order otherwise.
 *
 * Threads: the context's; the result does not depend on how many.
 */
#include "metric_entropic.h"

#include <math.h>

#include "context.h"
#include "gemm.h"
#include "parallel.h"
#include "simd.h"

/* Far below what float costs can tell, so that value and gradient are the converged ones. */
#define TOLERANCE 1e-7
#define TOLERANCE_SYMMETRIC 1e-8

/* A pair's share of its row's mass above which its cost is measured again: in full from twice as
 * much on, so that nothing jumps. */
#define REPAIR_SHARE 0.05

/* Pairs that are looked at together for such a share. */
#define REPAIR_CHUNK ((size_t)256)

/* Bytes of a block of costs at most, where they are not kept; its rows at least. */
#define BLOCK_BYTES ((size_t)64 << 20)
#define LEAST_BLOCK_ROWS ((size_t)32)

/* Stands for an epsilon of 0, where all points coincided when it was resolved. */
#define LEAST_EPSILON 1e-200

kd2m_status kd2m_entropic_configure(kd2m_context *context, kd2m_metric_unit *unit) {
    (void)context;
    const kd2m_entropic_settings *settings = unit->settings;
    if (settings->abs) {
        unit->traits &= ~(unsigned)KD2M_METRIC_SCALING; /* epsilon does not scale along */
        unit->degree = 0;
        unit->constant_count = 0;
    }
    return KD2M_OK;
}

kd2m_status kd2m_entropic_prepare(const kd2m_metric_call *call) {
    const kd2m_ground ground = kd2m_ground_of(call);
    const kd2m_entropic_settings *settings = call->unit->settings;
    return settings->abs ? KD2M_OK : kd2m_ground_mean(call, &ground, &call->constants[0]);
}

double kd2m_entropic_unit(const kd2m_metric_call *call) {
    const kd2m_entropic_settings *settings = call->unit->settings;
    return settings->abs ? 1 : call->constants[0];
}

kd2m_sinkhorn_problem kd2m_entropic_problem(const kd2m_metric_call *call) {
    const kd2m_entropic_settings *settings = call->unit->settings;
    return (kd2m_sinkhorn_problem){
        .row_weights = call->x.weights,
        .column_weights = call->y.weights,
        .epsilon = fmax(settings->eps * kd2m_entropic_unit(call), LEAST_EPSILON),
        .rho = INFINITY,
        .tolerance = TOLERANCE,
        .most_iterations = settings->iters,
    };
}

/* ---- reading a plan, a few rows at a time ---- */

/* Rows to multiply a plan with: z's, less the mean of y's. */
typedef struct moved_rows {
    float *values;
    size_t rows, dim;
} moved_rows;

typedef struct plan_reading {
    const kd2m_metric_call *call;
    const kd2m_ground *ground;
    kd2m_entropic_plan *plan;
    kd2m_ground_rows made; /* costs, where they are not kept */
    double *repairs;       /* per row */
    moved_rows features, logits;
    double paired, total; /* mass on true pairs, and in all */
    size_t column;        /* where the search for true pairs stands */
    /* the rows at hand */
    const kd2m_sinkhorn_result *solved;
    const float *rows;
    kd2m_costs costs;
    size_t first;
} plan_reading;

KD2M_CLONES static float largest_mass(const float *row, size_t count) {
    float largest = 0.0F;
    for (size_t j = 0; j < count; j++)
        largest = row[j] > largest ? row[j] : largest;
    return largest;
}

/* By how much the value changes with the cost of pair ij measured again. */
static double repair_pair(const plan_reading *reading, size_t i, size_t j, double mass) {
    double threshold = REPAIR_SHARE * reading->solved->row_sums[i], excess = mass - threshold;
    double cost = (double)reading->costs.values[(i - reading->first) * reading->costs.stride + j];
    double exact = kd2m_ground_measure(reading->call, reading->ground, i, j).cost;
    return fmin(excess / threshold, 1) * mass * (exact - cost);
}

static void repair_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const plan_reading *reading = user;
    size_t m = reading->call->y.rows;
    for (size_t r = begin; r < end; r++) {
        const float *row = reading->rows + r * m;
        size_t i = reading->first + r;
        double threshold = REPAIR_SHARE * reading->solved->row_sums[i];
        for (size_t from = 0; from < m; from += REPAIR_CHUNK) {
            size_t to = m - from < REPAIR_CHUNK ? m : from + REPAIR_CHUNK;
            if ((double)largest_mass(row + from, to - from) > threshold)
                for (size_t j = from; j < to; j++)
                    if ((double)row[j] > threshold)
                        reading->repairs[i] += repair_pair(reading, i, j, (double)row[j]);
        }
    }
}

static void find_pairs(plan_reading *reading, size_t count) {
    const uint32_t *x = reading->call->x.numbers, *y = reading->call->y.numbers;
    size_t m = reading->call->y.rows;
    for (size_t r = 0; r < count; r++) { /* numbers rise on both sides */
        size_t i = reading->first + r, number = x ? x[i] : i, *j = &reading->column;
        reading->total += reading->solved->row_sums[i];
        while (*j < m && (y ? y[*j] : *j) < number)
            (*j)++;
        if (*j < m && (y ? y[*j] : *j) == number)
            reading->paired += (double)reading->rows[r * m + *j];
    }
}

/* out's rows = or += sign * the plan's rows * z */
static kd2m_status add_product(const plan_reading *reading, size_t count, moved_rows z, float *out,
                               size_t stride) {
    const kd2m_entropic_plan *plan = reading->plan;
    return kd2m_gemm(reading->call->context, false, false, count, z.dim, z.rows, plan->sign,
                     reading->rows, z.rows, z.values, z.dim, plan->first ? 0.0F : 1.0F,
                     out + reading->first * stride, stride);
}

/* To first order the value changes by <P, change of C>: pairs with a good share of their row's mass
 * are measured again, from differences in double. The rounding of the many others evens out. */
static kd2m_status read_rows(void *user, const kd2m_sinkhorn_result *solved, const float *rows,
                             kd2m_costs costs, size_t first) {
    kd2m_status status = KD2M_OK;
    plan_reading *reading = user;
    const kd2m_gradient *gradient = reading->plan->gradient;
    reading->solved = solved;
    reading->rows = rows;
    reading->costs = costs;
    reading->first = first;
    kd2m_parallel_for(reading->call->context, costs.rows, 16, repair_rows, reading);
    find_pairs(reading, costs.rows);
    if (reading->features.values)
        KD2M_TRY(add_product(reading, costs.rows, reading->features, gradient->features,
                             gradient->stride));
    if (reading->logits.values)
        KD2M_TRY(add_product(reading, costs.rows, reading->logits, gradient->logits,
                             gradient->logits_stride));
cleanup:
    return status;
}

static kd2m_status move(const kd2m_metric_call *call, kd2m_rows z, kd2m_rows y,
                        const double *weights, moved_rows *out) {
    kd2m_status status = KD2M_OK;
    double *mean = NULL;
    *out = (moved_rows){.rows = z.rows, .dim = z.dim};
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&mean, z.dim, sizeof *mean));
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&out->values, z.rows * z.dim,
                                   sizeof *out->values));
    kd2m_rows_mean(call->context, mean, y, weights);
    kd2m_rows_center(call->context, out->values, z, mean);
cleanup:
    return status;
}

static kd2m_status open_reading(const kd2m_metric_call *call, plan_reading *reading) {
    kd2m_status status = KD2M_OK;
    const kd2m_entropic_plan *plan = reading->plan;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&reading->repairs, call->x.rows,
                             sizeof *reading->repairs));
    if (plan->gradient && plan->gradient->features)
        KD2M_TRY(
            move(call, plan->z->features, plan->y->features, plan->y->weights, &reading->features));
    if (plan->gradient && plan->gradient->logits && reading->ground->beside == KD2M_BESIDE_LOGITS)
        KD2M_TRY(move(call, plan->z->logits, plan->y->logits, plan->y->weights, &reading->logits));
cleanup:
    return status;
}

/* ---- solving ---- */

static kd2m_status fill_costs(void *user, float *out, size_t first, size_t count) {
    const plan_reading *reading = user;
    return kd2m_ground_fill(&reading->made, out, first, count);
}

static size_t most_bytes(const kd2m_metric_unit *unit) {
    const kd2m_entropic_settings *settings = unit->settings;
    return (size_t)settings->memory << 20;
}

/* Rows of a block where they are not. */
static size_t block_rows(const kd2m_metric_unit *unit, size_t m) {
    size_t most = most_bytes(unit) < BLOCK_BYTES ? most_bytes(unit) : BLOCK_BYTES;
    size_t rows = most / sizeof(float) / m;
    return rows > LEAST_BLOCK_ROWS ? rows : LEAST_BLOCK_ROWS;
}

/* Whether costs and plan are kept. */
static bool is_kept(const kd2m_metric_unit *unit, size_t n, size_t m) {
    size_t matrix = kd2m_arena_matrix_bytes(n, m, sizeof(float));
    return kd2m_arena_sum(matrix, matrix) <= most_bytes(unit);
}

/* The problem's costs, or what makes them. */
static kd2m_status take_costs(const kd2m_metric_call *call, kd2m_sinkhorn_problem *problem,
                              plan_reading *reading) {
    kd2m_status status = KD2M_OK;
    float *costs = NULL;
    size_t n = call->x.rows, m = call->y.rows;
    if (is_kept(call->unit, n, m)) {
        KD2M_TRY(kd2m_ground_costs(call, reading->ground, &costs));
    } else {
        KD2M_TRY(kd2m_ground_mean(call, reading->ground, &problem->mean_cost));
        KD2M_TRY(kd2m_ground_open(call, reading->ground, &reading->made));
        problem->fill = fill_costs;
        problem->block_rows = block_rows(call->unit, m);
    }
    problem->costs = (kd2m_costs){costs, n, m, m};
cleanup:
    return status;
}

kd2m_status kd2m_entropic_solve(const kd2m_metric_call *call, const kd2m_ground *ground,
                                const kd2m_sinkhorn_problem *problem, bool symmetric,
                                kd2m_entropic_plan *plan, kd2m_sinkhorn_result *out) {
    kd2m_status status = KD2M_OK;
    plan_reading reading = {.call = call, .ground = ground, .plan = plan};
    kd2m_sinkhorn_problem given = *problem;
    given.visit = read_rows;
    given.user = &reading;
    KD2M_TRY(take_costs(call, &given, &reading));
    KD2M_TRY(open_reading(call, &reading));
    if (symmetric) {
        given.tolerance = TOLERANCE_SYMMETRIC;
        KD2M_TRY(kd2m_sinkhorn_symmetric(call->arena, &given, out));
    } else {
        KD2M_TRY(kd2m_sinkhorn(call->arena, &given, out));
    }
    for (size_t i = 0; i < call->x.rows; i++)
        out->value += reading.repairs[i];
    plan->pair_share =
        call->rows_match ? reading.total > 0 ? reading.paired / reading.total : 0 : NAN;
cleanup:
    return status;
}

static size_t moved_bytes(size_t rows, size_t dim) {
    return kd2m_arena_sum(kd2m_arena_matrix_bytes(rows, dim, sizeof(float)),
                          kd2m_arena_bytes(dim, sizeof(double)));
}

size_t kd2m_entropic_bytes(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    size_t rows = shape->n > shape->m ? shape->n : shape->m;
    size_t solving =
        kd2m_arena_sum(kd2m_arena_bytes(shape->n, sizeof(double)), moved_bytes(rows, shape->dim_x));
    solving = kd2m_arena_sum(solving, moved_bytes(rows, shape->classes));
    solving = kd2m_arena_sum(solving, kd2m_ground_scratch_bytes(shape));
    solving = kd2m_arena_sum(solving, kd2m_ground_mean_bytes(shape));
    if (is_kept(unit, shape->n, shape->m)) {
        solving = kd2m_arena_sum(solving, kd2m_ground_matrix_bytes(shape));
        return kd2m_arena_sum(solving, kd2m_sinkhorn_bytes(shape->n, shape->m, 0));
    }
    /* a narrower problem's block has more rows, a smaller one's matrices may yet be kept */
    size_t block = 1 + block_rows(unit, shape->m > 0 ? shape->m : 1);
    return kd2m_arena_sum(
        solving, kd2m_arena_sum(kd2m_sinkhorn_bytes(shape->n, shape->m, block), most_bytes(unit)));
}

void kd2m_entropic_certify(kd2m_metric_result *result, const kd2m_sinkhorn_result *solved) {
    result->certificate = (kd2m_certificate){.gap = solved->gap,
                                             .marginal_error = solved->marginal_error,
                                             .iterations = solved->iterations,
                                             .converged = solved->converged};
}

typedef struct finish_job {
    kd2m_rows x;
    const double *mean, *mass;
    double slope;
    float *out;
    size_t stride;
} finish_job;

static void finish_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const finish_job *job = user;
    for (size_t i = begin; i < end; i++) {
        const float *x = job->x.values + i * job->x.stride;
        float *out = job->out + i * job->stride;
        for (size_t k = 0; k < job->x.dim; k++)
            out[k] = (float)(job->slope * (job->mass[i] * ((double)x[k] - job->mean[k]) - out[k]));
    }
}

static kd2m_status finish(const kd2m_metric_call *call, kd2m_rows x, kd2m_rows y,
                          const double *mass, double slope, float *out, size_t stride) {
    kd2m_status status = KD2M_OK;
    size_t mark = call->arena->used;
    double *mean = NULL;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&mean, x.dim, sizeof *mean));
    kd2m_rows_mean(call->context, mean, y, call->y.weights);
    finish_job job = {x, mean, mass, slope, out, stride};
    kd2m_parallel_for(call->context, x.rows, 32, finish_rows, &job);
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

kd2m_status kd2m_entropic_finish(const kd2m_metric_call *call, const kd2m_ground *ground,
                                 const double *mass, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    if (gradient->features)
        KD2M_TRY(finish(call, call->x.features, call->y.features, mass,
                        2 * kd2m_ground_factor(ground), gradient->features, gradient->stride));
    if (gradient->logits && ground->beside == KD2M_BESIDE_LOGITS)
        KD2M_TRY(finish(call, call->x.logits, call->y.logits, mass, 2 * ground->beta,
                        gradient->logits, gradient->logits_stride));
cleanup:
    return status;
}

kd2m_status kd2m_entropic(const kd2m_metric_call *call, const kd2m_sinkhorn_problem *problem,
                          kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd2m_ground ground = kd2m_ground_of(call);
    kd2m_entropic_plan plan = {gradient, &call->y, &call->y, true, 1.0F, NAN};
    kd2m_sinkhorn_result solved;
    KD2M_TRY(kd2m_entropic_solve(call, &ground, problem, false, &plan, &solved));
    result->value = solved.value;
    result->pair_share = plan.pair_share;
    kd2m_entropic_certify(result, &solved);
    if (gradient)
        KD2M_TRY(kd2m_entropic_finish(call, &ground, solved.row_sums, gradient));
cleanup:
    return status;
}
