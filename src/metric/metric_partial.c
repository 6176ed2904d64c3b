/*
 * Partial transport of squared distances: a share s of the mass goes, the rest stays behind.
 *
 *     D = min over P >= 0 with P 1 <= a, P^T 1 <= b, sum_ij P_ij = s of sum_ij P_ij |x_i - y_j|^2
 *     dD/dx_i = 2 sum_j P_ij (x_i - y_j), 0 for rows that stay
 *
 * Rows that fit nothing (wrong labels, outliers) do not pull.
 *
 * Chapel, Alaya, Gasso, 'Partial optimal transport', NeurIPS 2020.
 * Cost: ot/partial.c's and O(n m d) for the costs; 2 n m floats. Threads: metric_transport.c.
 */
#include "context.h"
#include "metric_transport.h"

/* clang-format off */
#define PARTIAL_SETTINGS(X)                                                                        \
    X(REAL, mass, "0.9", 1e-6, 1, "S", "share of the mass that is moved")
/* clang-format on */

typedef struct partial_settings {
    PARTIAL_SETTINGS(KD2M_SETTINGS_FIELD)
} partial_settings;

#define ROW(...) KD2M_SETTINGS_ROW(partial_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {PARTIAL_SETTINGS(ROW)};

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    const kd2m_metric_shape extended = {shape->n + 1, shape->m + 1, shape->dim_x, shape->dim_y,
                                        shape->classes};
    return kd2m_arena_sum(kd2m_metric_transport_bytes(unit, &extended),
                          kd2m_partial_bytes(shape->n, shape->m));
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    const partial_settings *settings = call->unit->settings;
    const kd2m_ground ground = kd2m_ground_of(call);
    kd2m_transport solved;
    kd2m_costs costs;
    KD2M_TRY(kd2m_metric_transport_costs(call, &ground, &costs));
    KD2M_TRY(kd2m_partial(call->arena, costs, call->x.weights, call->y.weights, settings->mass,
                          &solved));
    KD2M_TRY(kd2m_metric_transport_on(call, &ground, &solved, result, gradient));
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_partial = {
    .name = "partial",
    .summary = "partial transport of squared distances, exact",
    .formula = "min over partial plans of mass S of sum_ij plan_ij |x_i - y_j|^2",
    .source = "Chapel et al. 2020",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_TRANSPORT |
              KD2M_METRIC_WEIGHTS | KD2M_METRIC_SCALING,
    .degree = 2,
    .least_rows = 1,
    .feature_cost = KD2M_COST_SQUARED,
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(partial_settings),
    .workspace = workspace,
    .evaluate = evaluate,
};
