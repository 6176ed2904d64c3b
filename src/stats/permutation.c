/*
 * Permutation tests: see stats.h.
 *
 *     p = (1 + draws whose statistic reached the observed one) / (1 + draws)
 *
 * B. Phipson, G. K. Smyth, 'Permutation p-values should never be zero', Statistical Applications in
 * Genetics and Molecular Biology 9(1), 2010. Orders are keyed by seed and draw.
 * Cost: a statistic and a shuffle a draw, `count` numbers of memory. Threads: the caller's.
 */
#include <math.h>

#include "check.h"
#include "context.h"
#include "kd2m/stats.h"
#include "memory.h"
#include "rng.h"

#define SAME 1e-12 /* of two statistics that differ in rounding alone */

double kd2m_permutation_p(size_t reached, size_t drawn) {
    return reached <= drawn ? ((double)reached + 1) / ((double)drawn + 1) : NAN;
}

static void restore(uint32_t *order, size_t count) {
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
}

static kd2m_status measure(double *out, kd2m_context *context, kd2m_permutation_statistic statistic,
                           void *user, const uint32_t *order, size_t count) {
    kd2m_status status = statistic(user, order, count, out);
    if (status == KD2M_OK && isnan(*out))
        status = kd2m_fail(context, KD2M_ERROR_NUMERIC, "the permutation test's statistic is NaN");
    return status;
}

kd2m_status kd2m_permutation_run(kd2m_permutation_test *out, kd2m_context *context,
                                 kd2m_permutation_statistic statistic, void *user, size_t count,
                                 size_t permutations, uint64_t seed) {
    *out = (kd2m_permutation_test){NAN, NAN, 0, 0};
    uint32_t *order = NULL;
    double observed, drawn;
    size_t reached = 0;
    kd2m_status status = KD2M_OK;
    if (permutations < 1 || permutations > UINT32_MAX || count > UINT32_MAX)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%zu permutations of %zu rows: both are from 1 to 2^32 - 1", permutations,
                         count);
    KD2M_TRY(kd2m_check_count(context, "rows", count, 1));
    KD2M_TRY(kd2m_alloc(context, (void **)&order, count, sizeof *order));
    restore(order, count);
    KD2M_TRY(measure(&observed, context, statistic, user, order, count));
    for (size_t draw = 0; draw < permutations; draw++) {
        kd2m_rng rng;
        kd2m_rng_init(&rng, seed, KD2M_STREAM_PERMUTATION, draw);
        restore(order, count);
        kd2m_rng_shuffle(&rng, order, count);
        KD2M_TRY(measure(&drawn, context, statistic, user, order, count));
        reached += drawn >= observed - SAME * fabs(observed);
        KD2M_TRY(kd2m_check_interrupt(context));
    }
    *out = (kd2m_permutation_test){observed, kd2m_permutation_p(reached, permutations), reached,
                                   permutations};
cleanup:
    kd2m_free(context, order);
    return status;
}
