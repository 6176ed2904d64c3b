/*
 * Energy distance:
 *
 *     D = 2 sum_ij a_i b_j |x_i - y_j| - sum_ij a_i a_j |x_i - x_j| - sum_ij b_i b_j |y_i - y_j|
 *
 * which is mmd with the kernel -|x - y|. Its gradient is a sum of unit vectors, 0 between equal
 * rows.
 *
 * Szekely & Rizzo, 'Energy statistics: a class of statistics based on distances', 2013.
 * Gradient, cost, memory and threads: pairwise.c.
 */
#include "pair_kernels.h"

#include "context.h"

static size_t workspace(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape) {
    (void)unit;
    return kd2m_pairs_bytes(shape, false);
}

static kd2m_status evaluate(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    kd2m_pairs pairs;
    const kd2m_pair_kernel kernel = kd2m_kernel_energy();
    KD2M_TRY(kd2m_pairs_open(&pairs, call, false, NULL, NULL));
    kd2m_pairs_weigh(&pairs);
    KD2M_TRY(
        kd2m_pairs_compare(&pairs, &kernel, (kd2m_pair_factors){1, 1}, &result->value, gradient));
cleanup:
    return status;
}

const kd2m_metric_descriptor kd2m_metric_descriptor_energy = {
    .name = "energy",
    .summary = "energy distance",
    .formula = "2 mean |x_i - y_j| - mean |x_i - x_j| - mean |y_i - y_j|",
    .source = "Szekely & Rizzo 2013",
    .traits = KD2M_METRIC_ZERO | KD2M_METRIC_SYMMETRIC | KD2M_METRIC_TRANSLATION |
              KD2M_METRIC_ROTATION | KD2M_METRIC_PERMUTATION | KD2M_METRIC_WEIGHTS |
              KD2M_METRIC_SCALING,
    .degree = 1,
    .least_rows = 1,
    .workspace = workspace,
    .evaluate = evaluate,
};
