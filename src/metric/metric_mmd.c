/*
 * Maximum mean discrepancy, squared, as the V-statistic:
 *
 *     D = sum_ij a_i a_j k(x_i, x_j) + sum_ij b_i b_j k(y_i, y_j) - 2 sum_ij a_i b_j k(x_i, y_j)
 *
 * kernel=linear, k(x, y) = x.y: D = |mean_x - mean_y|^2, in O((n + m) d).
 *
 * kernel=rbf, k(x, y) = exp(-|x - y|^2 / (2 s^2)). The bandwidth s is sigma, or where that is 0 the
 * mean of the n^2 + m^2 + n m distances within X, within Y and between them, the zeros of the
 * diagonals included; prepare holds it. Weights don't enter the bandwidth.
 *
 * kernel=poly, k(x, y) = (x.y/(|x| |y|) + c)^power: metric_mmd_poly.c.
 *
 * unbiased=1: the U-statistic, whose sums within X and Y leave out the pairs of a row with itself,
 * over n (n - 1) and m (m - 1) pairs; it may be negative. With kernel=linear that is
 * |mean_x - mean_y|^2 - |sd_x|^2/(n - 1) - |sd_y|^2/(m - 1).
 *
 * Gretton et al., 'A kernel two-sample test', JMLR 2012; bandwidth: Montesuma, 'KD2M',
 * arXiv:2504.01757.
 * Cost, memory and threads: pairwise.c.
 */
#include <math.h>
#include <string.h>

#include "context.h"
#include "metric_mmd_poly.h"
#include "metric_moments.h"

/* clang-format off */
#define MMD_SETTINGS(X)                                                                            \
    X(CHOICE,  kernel,   "rbf", 0, 0,    "rbf|linear|poly", "kernel") \
    X(REAL,    sigma,    "0",   0, 1e30, "S", "bandwidth of rbf; 0 = the mean distance of the rows") \
    X(INTEGER, power,    "2",   1, 10,   "K", "poly is (x.y + c)^K of rows of length 1") \
    X(REAL,    c,        "0",   0, 1e6,  "C", "the number that poly adds") \
    X(FLAG,    unbiased, "0",   0, 1,    "0|1", "leave out the pairs of a row with itself")
/* clang-format on */

typedef struct mmd_settings {
    MMD_SETTINGS(KD2M_SETTINGS_FIELD)
} mmd_settings;

#define ROW(...) KD2M_SETTINGS_ROW(mmd_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {MMD_SETTINGS(ROW)};

static bool has_kernel(const kd2m_metric_unit *unit, const char *kernel) {
    const mmd_settings *settings = unit->settings;
    return strcmp(settings->kernel, kernel) == 0;
}

static kd2m_status configure(kd2m_context *context, kd2m_metric_unit *unit) {
    const mmd_settings *settings = unit->settings;
    bool poly = has_kernel(unit, "poly");
    if (settings->sigma > 0 && !has_kernel(unit, "rbf"))
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "mmd: sigma belongs to kernel=rbf; kernel=%s has no bandwidth",
                         settings->kernel);
    if ((settings->power != 2 || settings->c > 0) && !poly)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "mmd: power and c belong to kernel=poly, not to kernel=%s",
                         settings->kernel);
    if (!has_kernel(unit, "rbf"))
        unit->constant_count = 0;
    if (has_kernel(unit, "linear")) {
        unit->degree = 2;
        if (!settings->unbiased)
            unit->traits |= KD2M_METRIC_MOMENTS; /* of means alone */
    }
    if (poly)
        unit->traits &= ~(unsigned)KD2M_METRIC_TRANSLATION; /* angles are taken at the origin */
    if (settings->sigma > 0)
        unit->traits &= ~(unsigned)KD2M_METRIC_SCALING; /* the bandwidth does not scale along */
    if (settings->unbiased) {
        unit->traits &= ~(unsigned)(KD2M_METRIC_ZERO | KD2M_METRIC_WEIGHTS);
        unit->least_rows = 2;
    }
    return KD2M_OK;
}

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    if (has_kernel(unit, "linear"))
        return kd2m_metric_moments_bytes(shape->dim_x);
    return has_kernel(unit, "poly") ? kd2m_metric_poly_bytes(shape) : kd2m_pairs_bytes(shape, true);
}

/* The mean of all distances; these are left for the value where that follows. */
static kd2m_status find_bandwidth(const kd2m_metric_call *call, double *out) {
    kd2m_status status = KD2M_OK;
    kd2m_pairs *pairs;
    double n = (double)call->x.rows, m = (double)call->y.rows, total;
    const kd2m_pair_kernel kernel = kd2m_kernel_distance();
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&pairs, 1, sizeof *pairs));
    KD2M_TRY(kd2m_pairs_open(pairs, call, call->carried != NULL, NULL, NULL));
    KD2M_TRY(kd2m_pairs_total(pairs, &kernel, &total));
    if (!isfinite(total)) {
        status = kd2m_fail(call->context, KD2M_ERROR_NUMERIC,
                           "mmd: distances are beyond float's range; scale the features down");
        goto cleanup;
    }
    *out = total / (n * n + m * m + n * m);
    if (call->carried)
        *call->carried = pairs;
cleanup:
    return status;
}

static kd2m_status prepare(const kd2m_metric_call *call) {
    const mmd_settings *settings = call->unit->settings;
    call->constants[0] = settings->sigma;
    return settings->sigma > 0 ? KD2M_OK : find_bandwidth(call, &call->constants[0]);
}

static kd2m_status rbf(const kd2m_metric_call *call, bool unbiased, kd2m_metric_result *result,
                       const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_pairs opened, *pairs = call->carried ? *call->carried : NULL;
    const kd2m_pair_kernel kernel = kd2m_kernel_rbf(call->constants[0]);
    if (!pairs) {
        pairs = &opened;
        KD2M_TRY(kd2m_pairs_open(pairs, call, false, NULL, NULL));
    }
    kd2m_pairs_weigh(pairs);
    KD2M_TRY(kd2m_pairs_compare(pairs, &kernel, kd2m_pair_factors_of(call, unbiased),
                                &result->value, gradient));
cleanup:
    return status;
}

static kd2m_status unbiased_linear(const kd2m_metric_call *call, kd2m_metric_result *result,
                                   const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_moments moments;
    double *shift, *slope, n = (double)call->x.rows, m = (double)call->y.rows;
    KD2M_TRY(kd2m_metric_moments(call, &moments));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&shift, moments.dim, sizeof *shift));
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)&slope, moments.dim, sizeof *slope));
    for (size_t k = 0; k < moments.dim; k++) {
        double gap = moments.mean_x[k] - moments.mean_y[k];
        result->value +=
            gap * gap - moments.variance_x[k] / (n - 1) - moments.variance_y[k] / (m - 1);
        shift[k] = 2 * gap;
        slope[k] = -2 / (n - 1);
    }
    if (gradient)
        kd2m_metric_moments_gradient(call, moments.mean_x, shift, slope, gradient);
cleanup:
    return status;
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    const mmd_settings *settings = call->unit->settings;
    bool unbiased = settings->unbiased;
    if (unbiased && (call->x.rows < 2 || call->y.rows < 2))
        return kd2m_fail(call->context, KD2M_ERROR_NUMERIC,
                         "mmd: unbiased=1 needs at least 2 rows a side, but the student (x) has "
                         "%zu and the teacher (y) %zu",
                         call->x.rows, call->y.rows);
    if (has_kernel(call->unit, "poly"))
        return kd2m_metric_poly(call, (int)settings->power, settings->c, unbiased, result,
                                gradient);
    if (has_kernel(call->unit, "rbf"))
        return rbf(call, unbiased, result, gradient);
    return unbiased ? unbiased_linear(call, result, gradient)
                    : kd2m_metric_mean_difference(call, result, gradient);
}

const kd2m_metric_descriptor kd2m_metric_descriptor_mmd = {
    .name = "mmd",
    .summary = "squared maximum mean discrepancy of a kernel",
    .formula = "mean k(x_i, x_j) + mean k(y_i, y_j) - 2 mean k(x_i, y_j); "
               "rbf: k(x, y) = exp(-|x - y|^2/(2 sigma^2)), linear: k(x, y) = x.y, "
               "poly: k(x, y) = (x.y/(|x| |y|) + c)^power",
    .source = "Gretton et al. 2012; bandwidth: Montesuma 2025 (KD2M); poly: Huang & Wang 2017",
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
