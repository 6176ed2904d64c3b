/*
 * Proportions and counts with exact binomial chances: see stats.h.
 *
 *     Wilson: (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2)
 *     Clopper-Pearson: quantiles alpha/2 of Beta(k, n - k + 1), 1 - alpha/2 of Beta(k + 1, n - k)
 *     McNemar, with n = b + c and m = min(b, c): p = 2 P(X <= m), mid-p = p - P(X = m),
 *         X ~ Binomial(n, 1/2); p at most 1. The sign test is the same of signs.
 *
 * E. B. Wilson, JASA 22, 1927; C. Clopper, E. S. Pearson, Biometrika 26, 1934; Q. McNemar,
 * Psychometrika 12, 1947; M. Fagerland, S. Lydersen, P. Laake, 'The McNemar test for binary
 * matched- pairs data: mid-p and asymptotic are better than exact conditional', BMC Medical
 * Research Methodology 13(91), 2013. Cost: a few distributions, no memory. Threads: the caller's.
 */
#include <math.h>

#include "check.h"
#include "context.h"
#include "kd2m/stats.h"

static const kd2m_proportion unknown = {NAN, NAN, NAN};

static kd2m_status check(kd2m_context *context, int64_t successes, int64_t trials, double level) {
    if (trials < 1 || trials > KD2M_MOST_TRIALS || successes < 0 || successes > trials)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%lld successes in %lld trials: from 0 to all, of 1 to 2^36, are needed",
                         (long long)successes, (long long)trials);
    return kd2m_check_open_share(context, "level", level);
}

kd2m_status kd2m_proportion_wilson(kd2m_proportion *out, kd2m_context *context, int64_t successes,
                                   int64_t trials, double level) {
    *out = unknown;
    kd2m_status status = check(context, successes, trials, level);
    if (status != KD2M_OK)
        return status;
    double k = (double)successes, n = (double)trials;
    double z = kd2m_normal_upper_quantile((1 - level) / 2);
    double middle = k + z * z / 2;
    double reach = z * sqrt(k * (n - k) / n + z * z / 4);
    out->estimate = k / n;
    out->low = successes > 0 ? (middle - reach) / (n + z * z) : 0;
    out->high = successes < trials ? (middle + reach) / (n + z * z) : 1;
    return KD2M_OK;
}

kd2m_status kd2m_proportion_exact(kd2m_proportion *out, kd2m_context *context, int64_t successes,
                                  int64_t trials, double level) {
    *out = unknown;
    kd2m_status status = check(context, successes, trials, level);
    if (status != KD2M_OK)
        return status;
    double k = (double)successes, n = (double)trials, tail = (1 - level) / 2;
    out->estimate = k / n;
    out->low = successes > 0 ? kd2m_beta_quantile(tail, k, n - k + 1) : 0;
    out->high = successes < trials ? 1 - kd2m_beta_quantile(tail, n - k, k + 1) : 1;
    return KD2M_OK;
}

kd2m_status kd2m_mcnemar_counts(kd2m_mcnemar *out, kd2m_context *context, int64_t only_a,
                                int64_t only_b) {
    *out = (kd2m_mcnemar){only_a, only_b, NAN, NAN};
    if (only_a < 0 || only_b < 0 || only_a > KD2M_MOST_TRIALS || only_b > KD2M_MOST_TRIALS - only_a)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%lld and %lld samples: counts from 0 to 2^36 together are needed",
                         (long long)only_a, (long long)only_b);
    int64_t smaller = only_a < only_b ? only_a : only_b;
    double p = 2 * kd2m_binomial_cdf(smaller, only_a + only_b, 0.5);
    out->p = fmin(1, p);
    out->mid_p = fmin(1, p - kd2m_binomial_mass(smaller, only_a + only_b, 0.5));
    return KD2M_OK;
}

kd2m_status kd2m_mcnemar_predictions(kd2m_mcnemar *out, kd2m_context *context,
                                     const int32_t *labels, const int32_t *a, const int32_t *b,
                                     size_t count) {
    int64_t only_a = 0, only_b = 0;
    for (size_t i = 0; i < count; i++) {
        only_a += a[i] == labels[i] && b[i] != labels[i];
        only_b += b[i] == labels[i] && a[i] != labels[i];
    }
    return kd2m_mcnemar_counts(out, context, only_a, only_b);
}

kd2m_status kd2m_count_signs(kd2m_sign_count *out, kd2m_context *context, const double *differences,
                             size_t count, double level) {
    *out = (kd2m_sign_count){.better_share = unknown, .p = NAN};
    kd2m_mcnemar signs;
    int64_t better = 0, worse = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_check_finite(context, "differences", differences, count));
    for (size_t i = 0; i < count; i++) {
        better += differences[i] > 0;
        worse += differences[i] < 0;
    }
    KD2M_TRY(kd2m_proportion_exact(&out->better_share, context, better, (int64_t)count, level));
    KD2M_TRY(kd2m_mcnemar_counts(&signs, context, better, worse));
    out->better = better;
    out->worse = worse;
    out->equal = (int64_t)count - better - worse;
    out->p = signs.p;
cleanup:
    return status;
}
