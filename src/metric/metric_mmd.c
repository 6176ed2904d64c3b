/*
 * Maximum mean discrepancy, squared, as the V-statistic:
 *
 *     D = sum_ij a_i a_j k(x_i, x_j) + sum_ij b_i b_j k(y_i, y_j) - 2 sum_ij a_i b_j k(x_i, y_j)
 *
 * kernel=linear, k(x, y) = x.y: D = |mean_x - mean_y|^2, in O((n + m) d).
 *
 * kernel=rbf, k(x, y) = exp(-|x - y|^2 / (2 s^2)): in O((n^2 + m^2 + n m) d). The bandwidth s is
 * sigma, or where that is 0 the mean of the n^2 + m^2 + n m distances within X, within Y and
 * between them, the zeros of the diagonals included; prepare holds it. Weights don't enter the
 * bandwidth.
 *
 * Gretton et al., 'A kernel two-sample test', JMLR 2012; bandwidth: Montesuma, 'KD2M',
 * arXiv:2504.01757.
 * Memory: O(d), or O((n + m) d) with rbf. Threads: the context's.
 */
#include <string.h>

#include "context.h"
#include "metric_mmd_rbf.h"
#include "metric_moments.h"

/* clang-format off */
#define MMD_SETTINGS(X)                                                                            \
    X(CHOICE, kernel, "rbf", 0, 0,    "rbf|linear", "kernel") \
    X(REAL,   sigma,  "0",   0, 1e30, "S", "bandwidth of rbf; 0 = the mean distance of the rows")
/* clang-format on */

typedef struct mmd_settings {
    MMD_SETTINGS(KD2M_SETTINGS_FIELD)
} mmd_settings;

#define ROW(...) KD2M_SETTINGS_ROW(mmd_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {MMD_SETTINGS(ROW)};

static bool is_linear(const kd2m_metric_unit *unit) {
    const mmd_settings *settings = unit->settings;
    return strcmp(settings->kernel, "linear") == 0;
}

static kd2m_status configure(kd2m_context *context, kd2m_metric_unit *unit) {
    const mmd_settings *settings = unit->settings;
    if (is_linear(unit)) {
        if (settings->sigma > 0)
            return kd2m_fail(context, KD2M_ERROR_USAGE,
                             "mmd: sigma belongs to kernel=rbf; kernel=linear has no bandwidth");
        unit->traits |= KD2M_METRIC_MOMENTS;
        unit->degree = 2;
        unit->constant_count = 0;
    } else if (settings->sigma > 0) {
        unit->traits &= ~(unsigned)KD2M_METRIC_SCALING; /* the bandwidth does not scale along */
    }
    return KD2M_OK;
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    return is_linear(unit) ? kd2m_metric_moments_bytes(shape->dim_x) : kd2m_metric_rbf_bytes(shape);
}

static kd2m_status prepare(const kd2m_metric_call *call) {
    const mmd_settings *settings = call->unit->settings;
    call->constants[0] = settings->sigma;
    return settings->sigma > 0 ? KD2M_OK : kd2m_metric_rbf_bandwidth(call, &call->constants[0]);
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    return is_linear(call->unit) ? kd2m_metric_mean_difference(call, result, gradient)
                                 : kd2m_metric_rbf(call, call->constants[0], result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_mmd = {
    .name = "mmd",
    .summary = "squared maximum mean discrepancy of a kernel",
    .formula = "mean k(x_i, x_j) + mean k(y_i, y_j) - 2 mean k(x_i, y_j); "
               "rbf: k(x, y) = exp(-|x - y|^2/(2 sigma^2)), linear: k(x, y) = x.y",
    .source = "Gretton et al. 2012; bandwidth: Montesuma 2025 (KD2M)",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_WEIGHTS |
              KD2M_METRIC_SCALING,
    .degree = 0,
    .least_rows = 1,
    .constant_names = {"sigma"},
    .settings = {rows, sizeof rows / sizeof *rows},
    .settings_size = sizeof(mmd_settings),
    .configure = configure,
    .workspace = workspace,
    .prepare = prepare,
    .evaluate = evaluate,
};
