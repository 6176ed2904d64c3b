/*
 * Many comparisons at once: see stats.h.
 *
 *     adjusted_(k) = max over j <= k of min(1, (m - j + 1) p_(j))
 *
 * S. Holm, 'A simple sequentially rejective multiple test procedure', Scandinavian Journal of
 * Statistics 6(2), 1979. Simultaneous intervals that belong to the step-down itself say nothing of
 * the size of what was rejected (K. Strassburger, F. Bretz, Statistics in Medicine 27, 2008); so
 * the step's own interval stands beside Bonferroni's, and their levels are told.
 * Cost: O(m log m), m items. Threads: the caller's.
 */
#include <math.h>

#include "check.h"
#include "context.h"
#include "item.h"
#include "kd2m/stats.h"
#include "mean_test.h"
#include "memory.h"

/* Checks the p-values of `items` and puts the smallest first. */
static kd2m_status rank_p(kd2m_item *items, kd2m_context *context, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(items[i].value >= 0 && items[i].value <= 1))
            return kd2m_fail(context, KD2M_ERROR_INPUT, "p[%zu] is %g: not in 0..1", i,
                             items[i].value);
    kd2m_items_sort(items, count);
    return KD2M_OK;
}

/* The adjusted p of the next in rank, where `left` have not been adjusted yet. */
static double step_down(double before, double p, size_t left) {
    return fmax(before, fmin(1, (double)left * p));
}

kd2m_status kd2m_holm(double *adjusted, kd2m_context *context, const double *p, size_t count) {
    kd2m_item *items = NULL;
    double step = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&items, count, sizeof *items));
    for (size_t i = 0; i < count; i++)
        items[i] = (kd2m_item){p[i], i};
    KD2M_TRY(rank_p(items, context, count));
    for (size_t k = 0; k < count; k++)
        adjusted[items[k].place] = step = step_down(step, items[k].value, count - k);
cleanup:
    kd2m_free(context, items);
    return status;
}

static kd2m_status check_test(kd2m_context *context, const kd2m_mean_test *test, size_t number) {
    if (isfinite(test->estimate) && isfinite(test->se) && test->se >= 0 && test->df > 0)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_INPUT,
                     "test %zu: an estimate of %g, se %g, df %g can't be judged", number,
                     test->estimate, test->se, test->df);
}

/* What is said of a test that is number `rank` of `count`. */
static kd2m_verdict judge(const kd2m_mean_test *test, double adjusted_p, size_t rank, size_t count,
                          double alpha) {
    double step_alpha = alpha / (double)(count - rank + 1);
    double step = kd2m_t_reach(test->se, test->df, step_alpha);
    double whole = kd2m_t_reach(test->se, test->df, alpha / (double)count);
    kd2m_verdict verdict = {.adjusted_p = adjusted_p,
                            .rank = rank,
                            .step_level = 1 - step_alpha,
                            .step_low = test->estimate - step,
                            .step_high = test->estimate + step,
                            .low = test->estimate - whole,
                            .high = test->estimate + whole};
    if (adjusted_p <= alpha)
        verdict.sign = (verdict.step_low > 0) - (verdict.step_high < 0);
    return verdict;
}

kd2m_status kd2m_family_judge(kd2m_verdict *verdicts, kd2m_context *context,
                              const kd2m_mean_test *tests, size_t count, double alpha) {
    kd2m_item *items = NULL;
    double step = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_check_open_share(context, "alpha", alpha));
    KD2M_TRY(kd2m_alloc(context, (void **)&items, count, sizeof *items));
    for (size_t i = 0; i < count; i++) {
        KD2M_TRY(check_test(context, &tests[i], i));
        items[i] = (kd2m_item){tests[i].p, i};
    }
    KD2M_TRY(rank_p(items, context, count));
    for (size_t k = 0; k < count; k++) {
        step = step_down(step, items[k].value, count - k);
        verdicts[items[k].place] = judge(&tests[items[k].place], step, k + 1, count, alpha);
    }
cleanup:
    kd2m_free(context, items);
    return status;
}
