/*
 * Unbalanced entropic transport: marginals may be missed, at a price.
 *
 *     D = min over P >= 0 of sum_ij P_ij |x_i - y_j|^2 + eps KL(P | a b^T)
 *                            + rho KL(P 1 | a) + rho KL(P^T 1 | b)
 *     dD/dx_i = 2 sum_j P_ij (x_i - y_j)
 *
 * KL(p | q) = sum p log(p/q) - p + q. Mass is not moved much farther than sqrt(rho): outliers, and
 * classes that one side has more of, stay behind. eps and rho are shares of the mean cost, which
 * prepare holds; with abs=1 costs themselves.
 *
 * Chizat, Peyre, Schmitzer, Vialard, 'Scaling algorithms for unbalanced optimal transport
 * problems', Math. Comp. 2018. Cost and threads: metric_entropic.c.
 */
#include <math.h>

#include "metric_entropic.h"

/* clang-format off */
#define UOT_SETTINGS(X)                                                                            \
    X(REAL, rho, "1", 1e-6, 1e12, "R", "price of missed marginals, as a share of the mean cost")
/* clang-format on */

typedef struct uot_settings {
    kd2m_entropic_settings entropic; /* first, as metric_entropic.h asks */
    UOT_SETTINGS(KD2M_SETTINGS_FIELD)
} uot_settings;

#define ENTROPIC_ROW(...) KD2M_SETTINGS_ROW(kd2m_entropic_settings, __VA_ARGS__)
#define ROW(...) KD2M_SETTINGS_ROW(uot_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {KD2M_ENTROPIC_SETTINGS(ENTROPIC_ROW) UOT_SETTINGS(ROW)};

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    return kd2m_entropic_bytes(unit, shape);
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const uot_settings *settings = call->unit->settings;
    kd2m_sinkhorn_problem problem = kd2m_entropic_problem(call);
    /* in proportion to epsilon, which is never 0 */
    problem.rho = problem.epsilon * (settings->rho / settings->entropic.eps);
    return kd2m_entropic(call, &problem, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_uot = {
    .name = "uot",
    .summary = "unbalanced entropic transport of squared distances",
    .formula = "min over P >= 0 of sum_ij P_ij |x_i - y_j|^2 + eps KL(P | a b) + rho KL(P1 | a) + "
               "rho KL(P'1 | b)",
    .source = "Chizat et al. 2018",
    .traits = KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION | KD2M_METRIC_ROTATION |
              KD2M_METRIC_PERMUTATION | KD2M_METRIC_TRANSPORT | KD2M_METRIC_WEIGHTS |
              KD2M_METRIC_SCALING,
    .degree = 2,
    .least_rows = 1,
    .feature_cost = KD2M_COST_SQUARED,
    .constant_names = {"mean_cost"},
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(uot_settings),
    .configure = kd2m_entropic_configure,
    .workspace = workspace,
    .prepare = kd2m_entropic_prepare,
    .evaluate = evaluate,
};
