/*
 * The Sinkhorn divergence: entropic transport less what it costs each side to stay where it is,
 *
 *     D = OT(X, Y) - OT(X, X)/2 - OT(Y, Y)/2        OT: see sinkhorn; one eps, that of (X, Y)
 *     dD/dx_i = 2 sum_j P_ij (x_i - y_j) - 2 sum_j Q_ij (x_i - x_j)
 *
 * P the plan between X and Y, Q the one between X and itself, whose points pull at both ends. It is
 * 0 for X = Y, and unlike sinkhorn does not shrink X: it lies between w2 (eps to 0) and the
 * distance of means (eps to infinity).
 *
 * The two inner problems are symmetric and converge in some 30 iterations; the potentials of Y's
 * are where the third begins, so that X = Y needs no more.
 *
 * Feydy et al., 'Interpolating between optimal transport and MMD using Sinkhorn divergences',
 * AISTATS 2019.
 * Cost: that of sinkhorn and of two symmetric problems, one after another in the same memory.
 * Threads: metric_entropic.c.
 */
#include <math.h>

#include "context.h"
#include "metric_entropic.h"

#define ROW(...) KD2M_SETTINGS_ROW(kd2m_entropic_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {KD2M_ENTROPIC_SETTINGS(ROW)};

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    size_t most = shape->n > shape->m ? shape->n : shape->m;
    const kd2m_metric_shape largest = {most, most, shape->dim_x, shape->dim_y, shape->classes};
    size_t kept = kd2m_arena_sum(kd2m_arena_bytes(shape->n, sizeof(double)),
                                 kd2m_arena_bytes(shape->m, sizeof(double)));
    return kd2m_arena_sum(kept, kd2m_entropic_bytes(unit, &largest));
}

/* What is kept of the inner problems. */
typedef struct inner_problems {
    double value;      /* sum of the two */
    double *mass;      /* of the rows of X's plan */
    double *potential; /* of Y */
} inner_problems;

/* The certificate of the whole is that of its worst part. */
static void add_certificate(kd2m_metric_result *result, const kd2m_sinkhorn_result *solved) {
    kd2m_certificate *whole = &result->certificate;
    whole->gap = fmax(whole->gap, solved->gap);
    whole->marginal_error = fmax(whole->marginal_error, solved->marginal_error);
    whole->iterations += solved->iterations;
    whole->converged &= solved->converged;
}

/* The problem of a side with itself; X's begins the gradient. */
static kd2m_status solve_within(const kd2m_metric_call *call, const kd2m_ground *ground,
                                const kd2m_metric_side *side, inner_problems *kept,
                                kd2m_metric_result *result, const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    size_t mark = call->arena->used;
    kd2m_metric_call within = *call;
    kd2m_sinkhorn_problem problem = kd2m_entropic_problem(call);
    kd2m_sinkhorn_result solved;
    within.x = within.y = *side;
    problem.row_weights = side->weights;
    kd2m_entropic_plan plan = {
        side == &call->x ? gradient : NULL, side, &call->y, true, -1.0F, NAN};
    KD2M_TRY(kd2m_entropic_solve(&within, ground, &problem, true, &plan, &solved));
    add_certificate(result, &solved);
    kept->value += solved.value;
    if (side == &call->y) {
        for (size_t j = 0; j < side->rows; j++)
            kept->potential[j] = solved.column_potentials[j];
    } else {
        for (size_t i = 0; i < side->rows; i++)
            kept->mass[i] = solved.row_sums[i];
    }
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const kd2m_ground ground = kd2m_ground_of(call);
    kd2m_sinkhorn_problem problem = kd2m_entropic_problem(call);
    kd2m_sinkhorn_result solved;
    inner_problems kept = {0};
    size_t n = call->x.rows, m = call->y.rows;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&kept.mass, n, sizeof *kept.mass));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&kept.potential, m, sizeof *kept.potential));
    KD2M_TRY(solve_within(call, &ground, &call->x, &kept, result, gradient));
    KD2M_TRY(solve_within(call, &ground, &call->y, &kept, result, gradient));
    problem.start = kept.potential;
    kd2m_entropic_plan plan = {gradient, &call->y, &call->y, false, 1.0F, NAN};
    KD2M_TRY(kd2m_entropic_solve(call, &ground, &problem, false, &plan, &solved));
    add_certificate(result, &solved);
    result->value = solved.value - kept.value / 2;
    result->pair_share = plan.pair_share;
    if (gradient) {
        for (size_t i = 0; i < n; i++)
            kept.mass[i] = solved.row_sums[i] - kept.mass[i];
        KD2M_TRY(kd2m_entropic_finish(call, &ground, kept.mass, gradient));
    }
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_sinkhorn_div = {
    .name = "sinkhorn-div",
    .summary = "Sinkhorn divergence: entropic transport, debiased",
    .formula = "OT_eps(X, Y) - OT_eps(X, X)/2 - OT_eps(Y, Y)/2",
    .source = "Feydy et al. 2019",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_TRANSPORT |
              KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING,
    .degree = 2,
    .least_rows = 1,
    .feature_cost = KD2M_COST_SQUARED,
    .constant_names = {"mean_cost"},
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(kd2m_entropic_settings),
    .configure = kd2m_entropic_configure,
    .workspace = workspace,
    .prepare = kd2m_entropic_prepare,
    .evaluate = evaluate,
};
