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
 * Cost: O(n m) per iteration, O(n m d) for costs and gradient; 2 n m floats and a copy of the rows.
 * Threads: the context's; the result does not depend on how many.
 */
#include "metric_entropic.h"

#include <math.h>

#include "context.h"
#include "gemm.h"
#include "parallel.h"

/* Far below what float costs can tell, so that value and gradient are the converged ones. */
#define TOLERANCE 1e-7
#define TOLERANCE_SYMMETRIC 1e-8

/* A pair's share of its row's mass above which its cost is measured again: in full from twice as
 * much on, so that nothing jumps. */
#define REPAIR_SHARE 0.05

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

typedef struct repair_job {
    const kd2m_metric_call *call;
    const kd2m_ground *ground;
    const float *costs;
    const kd2m_sinkhorn_result *solved;
    double *repairs; /* per row */
} repair_job;

static void repair_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const repair_job *job = user;
    size_t m = job->call->y.rows;
    for (size_t i = begin; i < end; i++)
        for (size_t j = 0; j < m; j++) {
            double mass = (double)job->solved->plan[i * m + j];
            double excess = mass - REPAIR_SHARE * job->solved->row_sums[i];
            if (!(excess > 0))
                continue;
            double exact = kd2m_ground_measure(job->call, job->ground, i, j).cost;
            job->repairs[i] += fmin(excess / (REPAIR_SHARE * job->solved->row_sums[i]), 1) * mass *
                               (exact - (double)job->costs[i * m + j]);
        }
}

/* To first order the value changes by <P, change of C>: pairs with a good share of their row's mass
 * are measured again, from differences in double. The rounding of the many others evens out. */
static kd2m_status repair(const kd2m_metric_call *call, const kd2m_ground *ground,
                          const float *costs, kd2m_sinkhorn_result *solved) {
    kd2m_status status = KD2M_OK;
    size_t mark = call->arena->used;
    repair_job job = {call, ground, costs, solved, NULL};
    KD2M_TRY(
        kd2m_arena_take(call->arena, (void **)&job.repairs, call->x.rows, sizeof *job.repairs));
    kd2m_parallel_for(call->context, call->x.rows, 16, repair_rows, &job);
    for (size_t i = 0; i < call->x.rows; i++)
        solved->value += job.repairs[i];
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

kd2m_status kd2m_entropic_solve(const kd2m_metric_call *call, const kd2m_ground *ground,
                                kd2m_sinkhorn_problem *problem, bool symmetric,
                                kd2m_sinkhorn_result *out) {
    kd2m_status status = KD2M_OK;
    float *costs = NULL;
    KD2M_TRY(kd2m_ground_costs(call, ground, &costs));
    problem->costs = (kd2m_costs){costs, call->x.rows, call->y.rows, call->y.rows};
    if (symmetric) {
        problem->tolerance = TOLERANCE_SYMMETRIC;
        KD2M_TRY(kd2m_sinkhorn_symmetric(call->arena, problem, out));
    } else {
        KD2M_TRY(kd2m_sinkhorn(call->arena, problem, out));
    }
    KD2M_TRY(repair(call, ground, costs, out));
cleanup:
    return status;
}

static size_t centred_bytes(size_t rows, size_t dim) {
    return kd2m_arena_sum(kd2m_arena_matrix_bytes(rows, dim, sizeof(float)),
                          kd2m_arena_bytes(dim, sizeof(double)));
}

size_t kd2m_entropic_bytes(const kd2m_metric_shape *shape) {
    size_t rows = shape->n > shape->m ? shape->n : shape->m;
    size_t widest = shape->dim_x > shape->classes ? shape->dim_x : shape->classes;
    size_t solving = kd2m_arena_sum(kd2m_sinkhorn_bytes(shape->n, shape->m),
                                    kd2m_arena_bytes(shape->n, sizeof(double)));
    solving = kd2m_arena_sum(solving, centred_bytes(rows, widest));
    size_t scratch = kd2m_ground_scratch_bytes(shape);
    size_t bytes =
        kd2m_arena_sum(kd2m_ground_matrix_bytes(shape), scratch > solving ? scratch : solving);
    size_t mean = kd2m_ground_mean_bytes(shape);
    return bytes > mean ? bytes : mean;
}

double kd2m_entropic_pair_share(const kd2m_metric_call *call, const kd2m_sinkhorn_result *solved) {
    if (!call->rows_match)
        return NAN;
    const uint32_t *x = call->x.numbers, *y = call->y.numbers;
    size_t n = call->x.rows, m = call->y.rows;
    double paired = 0, total = 0;
    for (size_t i = 0, j = 0; i < n; i++) { /* numbers rise on both sides */
        size_t number = x ? x[i] : i;
        total += solved->row_sums[i];
        while (j < m && (y ? y[j] : j) < number)
            j++;
        if (j < m && (y ? y[j] : j) == number)
            paired += (double)solved->plan[i * m + j];
    }
    return total > 0 ? paired / total : 0;
}

void kd2m_entropic_certify(kd2m_metric_result *result, const kd2m_sinkhorn_result *solved) {
    result->certificate = (kd2m_certificate){.gap = solved->gap,
                                             .marginal_error = solved->marginal_error,
                                             .iterations = solved->iterations,
                                             .converged = solved->converged};
}

/* out (x.rows x dim) = beta out + sign * plan * (rows of z less the mean of y). */
static kd2m_status add_product(const kd2m_metric_call *call, const float *plan, size_t n,
                               kd2m_rows z, kd2m_rows y, float sign, float beta, float *out,
                               size_t stride) {
    kd2m_status status = KD2M_OK;
    size_t mark = call->arena->used;
    double *mean = NULL;
    float *moved = NULL;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&mean, z.dim, sizeof *mean));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&moved, z.rows * z.dim, sizeof *moved));
    kd2m_rows_mean(call->context, mean, y, call->y.weights);
    kd2m_rows_center(call->context, moved, z, mean);
    KD2M_TRY(kd2m_gemm(call->context, false, false, n, z.dim, z.rows, sign, plan, z.rows, moved,
                       z.dim, beta, out, stride));
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

kd2m_status kd2m_entropic_products(const kd2m_metric_call *call, const kd2m_ground *ground,
                                   const float *plan, const kd2m_metric_side *z, bool first,
                                   float sign, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t n = call->x.rows;
    float beta = first ? 0.0F : 1.0F;
    if (gradient->features)
        KD2M_TRY(add_product(call, plan, n, z->features, call->y.features, sign, beta,
                             gradient->features, gradient->stride));
    if (gradient->logits && ground->beside == KD2M_BESIDE_LOGITS)
        KD2M_TRY(add_product(call, plan, n, z->logits, call->y.logits, sign, beta, gradient->logits,
                             gradient->logits_stride));
cleanup:
    return status;
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

kd2m_status kd2m_entropic(const kd2m_metric_call *call, kd2m_sinkhorn_problem *problem,
                          kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd2m_ground ground = kd2m_ground_of(call);
    kd2m_sinkhorn_result solved;
    KD2M_TRY(kd2m_entropic_solve(call, &ground, problem, false, &solved));
    result->value = solved.value;
    result->pair_share = kd2m_entropic_pair_share(call, &solved);
    kd2m_entropic_certify(result, &solved);
    if (gradient) {
        KD2M_TRY(
            kd2m_entropic_products(call, &ground, solved.plan, &call->y, true, 1.0F, gradient));
        KD2M_TRY(kd2m_entropic_finish(call, &ground, solved.row_sums, gradient));
    }
cleanup:
    return status;
}
