/* Bootstrap and permutations: another implementation's numbers, threads, coverage, refusals. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "golden.h"
#include "kd2m/stats.h"
#include "rng.h"

#define ROWS 120
#define CLUSTERS 30

static kd2m_context *context;

static int make_context(void **state) {
    (void)state;
    context = testing_context(2);
    return 0;
}

static int drop_context(void **state) {
    (void)state;
    kd2m_context_free(context);
    return 0;
}

static kd2m_bootstrap_settings settings_of(int64_t replicates, double level, int64_t seed) {
    kd2m_bootstrap_settings settings;
    kd2m_settings_default(kd2m_bootstrap_setting_list(), &settings);
    settings.replicates = replicates;
    settings.level = level;
    settings.seed = seed;
    return settings;
}

static void bootstrap(const golden_line *line) {
    size_t count = (line->ins - 3) / 3;
    const double *a = line->in + 3, *b = a + count, *codes = b + count;
    int32_t groups[GOLDEN_NUMBERS];
    for (size_t i = 0; i < count; i++)
        groups[i] = (int32_t)codes[i];
    kd2m_bootstrap_settings settings =
        settings_of((int64_t)line->in[0], line->in[1], (int64_t)line->in[2]);
    kd2m_bootstrap found;
    EXPECT_OK(context, kd2m_bootstrap_mean(&found, context, a, b, groups, count, &settings));
    golden_expect(line,
                  (const double[]){(double)found.clusters, found.estimate, found.se,
                                   found.percentile_low, found.percentile_high, found.bca_low,
                                   found.bca_high},
                  7);
}

static void golden_values_are_met(void **state) {
    (void)state;
    golden_each("procedures.txt", "bootstrap", 3, bootstrap);
}

/* Samples that share their cluster's level; the mean is 0. */
static void fill(double *values, int32_t *groups, kd2m_rng *rng) {
    double level = 0;
    for (size_t i = 0; i < ROWS; i++) {
        groups[i] = (int32_t)(i * CLUSTERS / ROWS);
        if (i == 0 || groups[i] != groups[i - 1])
            level = -log(1 - kd2m_rng_uniform(rng)) - 1; /* skewed */
        values[i] = level + 0.3 * kd2m_rng_normal(rng);
    }
}

static void threads_change_nothing(void **state) {
    (void)state;
    double values[ROWS];
    int32_t groups[ROWS];
    kd2m_rng rng;
    kd2m_rng_init(&rng, 21, KD2M_STREAM_TEST, 0);
    fill(values, groups, &rng);
    kd2m_bootstrap_settings settings = settings_of(5000, 0.95, 4);
    kd2m_bootstrap first, found;
    EXPECT_OK(context, kd2m_bootstrap_mean(&first, context, values, NULL, groups, ROWS, &settings));
    for (int threads = 1; threads <= 7; threads += 3) {
        kd2m_context *other = testing_context(threads);
        EXPECT_OK(other, kd2m_bootstrap_mean(&found, other, values, NULL, groups, ROWS, &settings));
        assert_memory_equal(&first, &found, sizeof found);
        kd2m_context_free(other);
    }
    settings.seed = 5;
    EXPECT_OK(context, kd2m_bootstrap_mean(&found, context, values, NULL, groups, ROWS, &settings));
    assert_true(found.estimate == first.estimate && found.bca_low != first.bca_low);
}

/* Clusters drawn whole cover; samples drawn one by one would not, and are far narrower. */
static void intervals_by_cluster_cover(void **state) {
    (void)state;
    size_t trials = 400, percentile = 0, bca = 0, by_sample = 0;
    kd2m_bootstrap_settings settings = settings_of(400, 0.9, 1);
    kd2m_rng rng;
    kd2m_rng_init(&rng, 22, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < trials; i++) {
        double values[ROWS];
        int32_t groups[ROWS];
        kd2m_bootstrap found, narrow;
        fill(values, groups, &rng);
        EXPECT_OK(context,
                  kd2m_bootstrap_mean(&found, context, values, NULL, groups, ROWS, &settings));
        EXPECT_OK(context,
                  kd2m_bootstrap_mean(&narrow, context, values, NULL, NULL, ROWS, &settings));
        assert_int_equal(CLUSTERS, found.clusters);
        assert_int_equal(ROWS, narrow.clusters);
        percentile += found.percentile_low < 0 && found.percentile_high > 0;
        bca += found.bca_low < 0 && found.bca_high > 0;
        by_sample += narrow.bca_low < 0 && narrow.bca_high > 0;
    }
    EXPECT_CLOSE(0.88, (double)percentile / (double)trials, 0.05, 0);
    EXPECT_CLOSE(0.885, (double)bca / (double)trials, 0.05, 0);
    assert_true((double)by_sample / (double)trials < 0.75);
}

static void skewness_moves_the_corrected_interval(void **state) {
    (void)state;
    double values[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        values[i] = exp(4.0 * (double)i / ROWS);
    kd2m_bootstrap_settings settings = settings_of(20000, 0.95, 1);
    kd2m_bootstrap found;
    EXPECT_OK(context, kd2m_bootstrap_mean(&found, context, values, NULL, NULL, ROWS, &settings));
    assert_true(found.bca_low > found.percentile_low && found.bca_high > found.percentile_high);
    kd2m_summary summary;
    EXPECT_OK(context, kd2m_summarise(&summary, context, values, ROWS));
    EXPECT_CLOSE(summary.se * sqrt((ROWS - 1.0) / ROWS), found.se, 0, 0.02);
}

static void pairs_are_their_differences(void **state) {
    (void)state;
    double a[6] = {1, 2, 3, 4, 7, 9}, b[6] = {2, 2, 1, 0, 8, 2}, differences[6];
    int32_t groups[6] = {7, -2, 7, 0, -2, INT32_MIN};
    for (size_t i = 0; i < 6; i++)
        differences[i] = a[i] - b[i];
    kd2m_bootstrap_settings settings = settings_of(100, 0.9, 1);
    kd2m_bootstrap pairs, alone;
    EXPECT_OK(context, kd2m_bootstrap_mean(&pairs, context, a, b, groups, 6, &settings));
    EXPECT_OK(context,
              kd2m_bootstrap_mean(&alone, context, differences, NULL, groups, 6, &settings));
    assert_memory_equal(&pairs, &alone, sizeof pairs);
    assert_int_equal(4, pairs.clusters);
    EXPECT_OK(context, kd2m_bootstrap_mean(&alone, context, a, a, groups, 6, &settings));
    assert_true(alone.bca_low == 0 && alone.bca_high == 0 && alone.se == 0);
    /* one cluster that outweighs the rest */
    const double wild[] = {0, 0, 0, 0, 0, 1e12};
    EXPECT_OK(context, kd2m_bootstrap_mean(&alone, context, wild, NULL, NULL, 6, &settings));
    assert_true(alone.bca_low >= 0 && alone.bca_high >= alone.bca_low);
}

static void bad_bootstraps_are_refused(void **state) {
    (void)state;
    const double values[] = {1, 2, INFINITY};
    const int32_t groups[] = {4, 4, 4};
    kd2m_bootstrap_settings settings = settings_of(100, 0.9, 1);
    kd2m_bootstrap found;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_bootstrap_mean(&found, context, values, NULL, groups, 2, &settings));
    EXPECT_MESSAGE(context, "1 clusters");
    assert_true(isnan(found.bca_low) && found.clusters == 0);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_bootstrap_mean(&found, context, values, NULL, NULL, 3, &settings));
    EXPECT_MESSAGE(context, "a[2]");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_bootstrap_mean(&found, context, values, NULL, NULL, 0, &settings));
    settings.replicates = 1;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_bootstrap_mean(&found, context, values, NULL, NULL, 2, &settings));
    EXPECT_MESSAGE(context, "replicates");
    settings = settings_of(100, 1, 1);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_bootstrap_mean(&found, context, values, NULL, NULL, 2, &settings));
}

/* |mean of the first half - mean of the second| */
static kd2m_status half_difference(void *user, const uint32_t *order, size_t count, double *out) {
    const double *values = user;
    double sums[2] = {0};
    for (size_t i = 0; i < count; i++)
        sums[2 * i >= count] += values[order[i]];
    *out = fabs(sums[0] - sums[1]);
    return KD2M_OK;
}

/* All 70 halvings of 8 values, of which 10 differ by 8 or more: p = 1/7. */
static void permutations_approach_all_orders(void **state) {
    (void)state;
    double values[] = {1, 2, 3, 6, 4, 5, 7, 8};
    kd2m_permutation_test found, again;
    size_t reached = 0, all = 0;
    for (unsigned half = 0; half < 256; half++) {
        uint32_t order[8];
        size_t first = 0, second = 4, bits = 0;
        double difference;
        for (unsigned i = 0; i < 8; i++)
            bits += half >> i & 1;
        if (bits != 4)
            continue;
        for (uint32_t i = 0; i < 8; i++)
            order[half >> i & 1 ? first++ : second++] = i;
        EXPECT_OK(context, half_difference(values, order, 8, &difference));
        reached += difference >= 12;
        all++;
    }
    EXPECT_OK(context, kd2m_permutation_run(&found, context, half_difference, values, 8, 20000, 3));
    EXPECT_CLOSE(12, found.observed, 0, 0);
    EXPECT_CLOSE((double)reached / (double)all, found.p, 0.011, 0);
    EXPECT_CLOSE(kd2m_permutation_p(found.reached, 20000), found.p, 0, 0);
    EXPECT_OK(context, kd2m_permutation_run(&again, context, half_difference, values, 8, 20000, 3));
    assert_memory_equal(&found, &again, sizeof found);
    EXPECT_OK(context, kd2m_permutation_run(&found, context, half_difference, values, 1, 9, 3));
    assert_true(found.p == 1 && found.reached == 9);
}

static void permutation_p_is_never_zero(void **state) {
    (void)state;
    assert_true(kd2m_permutation_p(0, 999) == 0.001 && kd2m_permutation_p(999, 999) == 1);
    assert_true(kd2m_permutation_p(0, 0) == 1 && isnan(kd2m_permutation_p(2, 1)));
}

/* Under the null hypothesis p <= alpha in at most alpha of the trials. */
static void permutations_keep_their_error(void **state) {
    (void)state;
    size_t trials = 1500, rejected = 0;
    kd2m_rng rng;
    kd2m_rng_init(&rng, 23, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < trials; i++) {
        double values[12];
        kd2m_permutation_test found;
        for (size_t k = 0; k < 12; k++)
            values[k] = kd2m_rng_normal(&rng);
        EXPECT_OK(context,
                  kd2m_permutation_run(&found, context, half_difference, values, 12, 99, i));
        rejected += found.p <= 0.1;
    }
    EXPECT_CLOSE(0.1, (double)rejected / (double)trials, 0.027, 0);
}

static kd2m_status says_nan(void *user, const uint32_t *order, size_t count, double *out) {
    (void)user;
    (void)order;
    (void)count;
    *out = NAN;
    return KD2M_OK;
}

static kd2m_status fails_later(void *user, const uint32_t *order, size_t count, double *out) {
    size_t *left = user;
    (void)order;
    (void)count;
    *out = 1;
    return (*left)-- > 0 ? KD2M_OK : KD2M_ERROR_NUMERIC;
}

static int stop(void *user) {
    (void)user;
    return 1;
}

static void bad_permutations_are_refused(void **state) {
    (void)state;
    double values[] = {1, 2};
    size_t left = 5;
    kd2m_permutation_test found;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_permutation_run(&found, context, half_difference, values, 2, 0, 1));
    assert_true(isnan(found.p));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_permutation_run(&found, context, half_difference, values, 0, 9, 1));
    EXPECT_STATUS(context, KD2M_ERROR_NUMERIC,
                  kd2m_permutation_run(&found, context, says_nan, NULL, 2, 9, 1));
    EXPECT_STATUS(context, KD2M_ERROR_NUMERIC,
                  kd2m_permutation_run(&found, context, fails_later, &left, 2, 9, 1));
}

static void long_work_can_be_stopped(void **state) {
    (void)state;
    double values[] = {1, 2};
    kd2m_context_settings wishes;
    kd2m_context_settings_default(&wishes);
    wishes.interrupted = stop;
    kd2m_context *stopped;
    kd2m_permutation_test test;
    kd2m_bootstrap interval;
    kd2m_bootstrap_settings settings = settings_of(100, 0.9, 1);
    assert_int_equal(KD2M_OK, kd2m_context_create(&stopped, &wishes));
    EXPECT_STATUS(stopped, KD2M_ERROR_INTERRUPTED,
                  kd2m_permutation_run(&test, stopped, half_difference, values, 2, 9, 1));
    EXPECT_STATUS(stopped, KD2M_ERROR_INTERRUPTED,
                  kd2m_bootstrap_mean(&interval, stopped, values, NULL, NULL, 2, &settings));
    assert_true(isnan(interval.se));
    kd2m_context_free(stopped);
}

static void failing_allocations_are_reported(void **state) {
    (void)state;
    double values[] = {1, 2, 4};
    kd2m_bootstrap_settings settings = settings_of(100, 0.9, 1);
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_bootstrap interval;
        kd2m_permutation_test test;
        status = kd2m_permutation_run(&test, failing, half_difference, values, 3, 9, 1);
        if (status == KD2M_OK)
            status = kd2m_bootstrap_mean(&interval, failing, values, NULL, NULL, 3, &settings);
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        assert_int_equal(0, testing_live());
        assert_true(fail_at < 20);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_values_are_met),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(intervals_by_cluster_cover),
        cmocka_unit_test(skewness_moves_the_corrected_interval),
        cmocka_unit_test(pairs_are_their_differences),
        cmocka_unit_test(bad_bootstraps_are_refused),
        cmocka_unit_test(permutations_approach_all_orders),
        cmocka_unit_test(permutation_p_is_never_zero),
        cmocka_unit_test(permutations_keep_their_error),
        cmocka_unit_test(bad_permutations_are_refused),
        cmocka_unit_test(long_work_can_be_stopped),
        cmocka_unit_test(failing_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
