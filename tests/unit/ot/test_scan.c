/* The vectorised row scans against their definitions, at every length around the block sizes. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "rng.h"
#include "scan.h"

#define LENGTH_MAX 700

static float costs[LENGTH_MAX];
static float potentials[LENGTH_MAX];
static double potentials_double[LENGTH_MAX];

/* Values with many ties where `coarse`, some columns settled. */
static void fill(size_t count, int coarse, uint64_t seed) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 3);
    for (size_t j = 0; j < count; j++) {
        double value = 100.0 * kd2m_rng_normal(&rng);
        costs[j] = (float)(coarse ? round(value / 50.0) : value);
        potentials[j] = kd2m_rng_below(&rng, 8) == 0 ? -INFINITY
                        : coarse                     ? (float)kd2m_rng_below(&rng, 3)
                                                     : (float)kd2m_rng_normal(&rng);
        potentials_double[j] = (double)potentials[j];
    }
}

static size_t next_length(size_t count) {
    return count < 300 ? count + 1 : count + 23;
}

static void nearest_follow_their_definition(void **state) {
    (void)state;
    float lowest[LENGTH_MAX];
    double lowest_double[LENGTH_MAX];
    for (size_t count = 1; count <= LENGTH_MAX; count = next_length(count))
        for (int coarse = 0; coarse < 2; coarse++) {
            fill(count, coarse, count);
            kd2m_nearest expected[2];
            kd2m_nearest found[2];
            kd2m_reference_two_nearest(expected, costs, potentials, count);
            kd2m_nearest one = kd2m_scan_nearest(costs, potentials, count, lowest);
            assert_int_equal(expected[0].index, one.index);
            assert_true(expected[0].value == one.value);
            if (count > 1) {
                kd2m_scan_two_nearest(found, costs, potentials, count, lowest);
                for (size_t k = 0; k < 2; k++) {
                    assert_int_equal(expected[k].index, found[k].index);
                    assert_true(expected[k].value == found[k].value);
                }
            }
            kd2m_nearest_double expected_double =
                kd2m_reference_nearest_double(costs, potentials_double, count);
            kd2m_nearest_double found_double =
                kd2m_scan_nearest_double(costs, potentials_double, count, lowest_double);
            assert_int_equal(expected_double.index, found_double.index);
            assert_true(expected_double.value == found_double.value);
        }
}

static void nothing_is_near_when_all_is_settled(void **state) {
    (void)state;
    float lowest[LENGTH_MAX];
    double lowest_double[LENGTH_MAX];
    for (size_t count = 2; count <= LENGTH_MAX; count = next_length(count)) {
        fill(count, 0, count);
        for (size_t j = 0; j < count; j++)
            potentials_double[j] = potentials[j] = -INFINITY;
        kd2m_nearest found[2];
        kd2m_scan_two_nearest(found, costs, potentials, count, lowest);
        assert_int_equal(count, found[0].index);
        assert_int_equal(count, found[1].index);
        assert_int_equal(
            count, kd2m_scan_nearest_double(costs, potentials_double, count, lowest_double).index);
        potentials[count / 2] = 0.0F;
        kd2m_scan_two_nearest(found, costs, potentials, count, lowest);
        assert_int_equal(count / 2, found[0].index);
        assert_int_equal(count, found[1].index);
    }
}

static void relaxing_follows_its_definition(void **state) {
    (void)state;
    static float labels[2][LENGTH_MAX];
    static uint32_t predecessors[2][LENGTH_MAX];
    static float lowest[2][LENGTH_MAX];
    for (size_t count = 1; count <= LENGTH_MAX; count = next_length(count)) {
        for (size_t j = 0; j < count; j++) {
            labels[0][j] = labels[1][j] = INFINITY;
            predecessors[0][j] = predecessors[1][j] = 77;
        }
        for (uint32_t row = 0; row < 6; row++) {
            fill(count, row % 2 == 0, 1000 * count + row);
            kd2m_reference_relax(costs, potentials, 0.5F * (float)row, row, count, labels[0],
                                 predecessors[0], lowest[0]);
            kd2m_scan_relax(costs, potentials, 0.5F * (float)row, row, count, labels[1],
                            predecessors[1], lowest[1]);
            assert_memory_equal(labels[0], labels[1], count * sizeof(float));
            assert_memory_equal(predecessors[0], predecessors[1], count * sizeof(uint32_t));
            for (size_t b = 0; b < kd2m_scan_blocks(count); b++)
                assert_true(lowest[0][b] == lowest[1][b]);
        }
    }
}

static void minima_and_magnitudes_follow_their_definition(void **state) {
    (void)state;
    static float minima[LENGTH_MAX];
    static uint32_t rows[LENGTH_MAX];
    static float seen[5][LENGTH_MAX];
    for (size_t count = 1; count <= LENGTH_MAX; count = next_length(count)) {
        for (size_t j = 0; j < count; j++)
            minima[j] = INFINITY;
        for (uint32_t row = 0; row < 5; row++) {
            fill(count, row % 2 == 0, 100 * count + row);
            memcpy(seen[row], costs, sizeof costs);
            kd2m_scan_lower(costs, row, count, minima, rows);
            double sum;
            float largest;
            kd2m_scan_magnitude(costs, count, &sum, &largest);
            double expected_sum = 0.0;
            float expected_largest = 0.0F;
            for (size_t j = 0; j < count; j++) {
                expected_sum += fabs((double)costs[j]);
                expected_largest = fmaxf(expected_largest, fabsf(costs[j]));
            }
            EXPECT_CLOSE(expected_sum, sum, 0.0, 1e-12);
            assert_true(expected_largest == largest);
        }
        for (size_t j = 0; j < count; j++) {
            uint32_t first = 0;
            for (uint32_t row = 1; row < 5; row++)
                if (seen[row][j] < seen[first][j])
                    first = row;
            assert_int_equal(first, rows[j]);
            assert_true(minima[j] == seen[first][j]);
        }
    }
    const float bad[2] = {NAN, INFINITY};
    for (size_t t = 0; t < 2; t++)
        for (size_t j = 0; j < 40; j++) {
            fill(40, 0, j);
            costs[j] = bad[t];
            double sum;
            float largest;
            kd2m_scan_magnitude(costs, 40, &sum, &largest);
            assert_true(isnan(sum) || isinf(sum));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_follow_their_definition),
        cmocka_unit_test(nothing_is_near_when_all_is_settled),
        cmocka_unit_test(relaxing_follows_its_definition),
        cmocka_unit_test(minima_and_magnitudes_follow_their_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
