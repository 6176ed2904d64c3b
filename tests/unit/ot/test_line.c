/* Transport on a line: its sort against the C library's, its cost against every pairing. */
#include "testing.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "rng.h"

static int compare_upper(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sorts_as_the_library_does(void **state) {
    (void)state;
    static uint64_t keys[3000], spare[3000], expected[3000];
    kd2m_rng rng;
    kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, 0);
    for (size_t count = 0; count <= 3000; count = count * 3 + 1)
        for (uint32_t range = 1; range > 0; range <<= 7) {
            for (size_t i = 0; i < count; i++) /* numbered: a stable sort keeps their order */
                keys[i] = expected[i] = (uint64_t)(kd2m_rng_next(&rng) % range) << 32 | i;
            qsort(expected, count, sizeof *expected, compare_upper);
            kd2m_radix_sort(keys, spare, count);
            assert_memory_equal(expected, keys, count * sizeof *keys);
        }
}

/* By value, then by number, whatever the values are: spread out, tied, far from 0 or behind an
 * outlier, which leaves all others in one cell. */
static void points_are_sorted(void **state) {
    static float values[5000];
    static uint64_t keys[5000], spare[5000];
    (void)state;
    kd2m_rng rng;
    kd2m_rng_init(&rng, 3, KD2M_STREAM_TEST, 0);
    for (size_t count = 0; count <= 5000; count = count * 4 + 1)
        for (int kind = 0; kind < 7; kind++) {
            bool met[5000] = {false};
            for (size_t i = 0; i < count; i++) {
                float drawn = (float)kd2m_rng_normal(&rng);
                const float kinds[] = {drawn,         floorf(drawn),  1e6F + drawn,         0,
                                       drawn * 1e38F, drawn * 1e-38F, i == 0 ? 1e9F : drawn};
                values[i] = fminf(fmaxf(kinds[kind], -FLT_MAX), FLT_MAX);
            }
            kd2m_line_sort(values, count, keys, spare);
            for (size_t k = 0; k < count; k++) {
                uint32_t here = (uint32_t)keys[k], before = k > 0 ? (uint32_t)keys[k - 1] : here;
                assert_true(here < count && !met[here]);
                met[here] = true;
                assert_true(values[before] < values[here] ||
                            (values[before] == values[here] && before <= here));
            }
        }
}

static double best(const float *x, const float *y, size_t n, size_t row, unsigned taken) {
    double lowest = row == n ? 0 : HUGE_VAL;
    for (size_t j = 0; row < n && j < n; j++)
        if (!(taken & (1U << j)))
            lowest = fmin(lowest, pow((double)x[row] - (double)y[j], 2) +
                                      best(x, y, n, row + 1, taken | (1U << j)));
    return lowest;
}

static void costs_match_brute_force(void **state) {
    (void)state;
    kd2m_rng rng;
    kd2m_rng_init(&rng, 2, KD2M_STREAM_TEST, 0);
    for (size_t trial = 0; trial < 60; trial++) {
        size_t n = 1 + trial % 6;
        float x[6], y[6], pulls[6];
        uint64_t scratch[18];
        double weights[6];
        for (size_t i = 0; i < n; i++) {
            x[i] = trial % 3 ? (float)kd2m_rng_normal(&rng) : -0.0F + (float)(trial % 2);
            y[i] = (float)kd2m_rng_normal(&rng) - 1;
            weights[i] = 1.0 / (double)n;
        }
        double expected = best(x, y, n, 0, 0) / (double)n;
        EXPECT_CLOSE(
            expected,
            kd2m_line_transport((kd2m_line){x, NULL, n}, (kd2m_line){y, NULL, n}, scratch, pulls),
            1e-12, 1e-12);
        EXPECT_CLOSE(
            expected,
            kd2m_line_transport((kd2m_line){x, weights, n}, (kd2m_line){y, NULL, n}, scratch, NULL),
            1e-12, 1e-12);
        double pulled = 0, apart = 0;
        for (size_t i = 0; i < n; i++) {
            pulled += (double)pulls[i];
            apart += 2 * ((double)x[i] - (double)y[i]) / (double)n;
        }
        EXPECT_CLOSE(apart, pulled, 1e-5, 0);
    }
}

/* Points of weight 0 get no pull and change nothing. */
static void weights_count(void **state) {
    (void)state;
    const float x[] = {5, 0, 1}, y[] = {2, -7};
    const double x_weights[] = {0, 0.25, 0.75}, y_weights[] = {1, 0};
    float pulls[3];
    uint64_t scratch[8];
    assert_true(kd2m_line_scratch(3, 2) <= 8);
    EXPECT_CLOSE(0.25 * 4 + 0.75,
                 kd2m_line_transport((kd2m_line){x, x_weights, 3}, (kd2m_line){y, y_weights, 2},
                                     scratch, pulls),
                 1e-12, 0);
    assert_true(pulls[0] == 0 && pulls[1] == -1 && pulls[2] == -1.5F);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_as_the_library_does),
        cmocka_unit_test(points_are_sorted),
        cmocka_unit_test(costs_match_brute_force),
        cmocka_unit_test(weights_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
