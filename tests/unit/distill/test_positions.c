/* Positions as rows: which are drawn, and where their values come from and go to. */
#include "testing.h"

#include <stdbool.h>
#include <string.h>

#include "positions.h"

enum { SAMPLES = 6, POSITIONS = 5, CHANNELS = 3, ALL = SAMPLES * POSITIONS, SEED = 7 };

static kd2m_context *context;

static kd2m_positions *create(size_t most) {
    kd2m_positions *positions;
    EXPECT_OK(context, kd2m_positions_create(&positions, context, SAMPLES, POSITIONS, most));
    return positions;
}

static void all_are_rows_in_order(void **state) {
    (void)state;
    static const size_t wanted[] = {0, ALL, ALL + 1};
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
        kd2m_positions *positions = create(wanted[k]);
        kd2m_positions_draw(positions, SEED, 0, 3);
        assert_int_equal(positions->rows, ALL);
        for (size_t i = 0; i < ALL; i++) {
            assert_int_equal(positions->chosen[i], i);
            assert_int_equal(kd2m_positions_sample(positions, i), i / POSITIONS);
        }
        kd2m_positions_free(positions);
    }
    assert_int_equal(kd2m_positions_sample(NULL, 4), 4);
}

static bool same(const kd2m_positions *a, const kd2m_positions *b) {
    return memcmp(a->chosen, b->chosen, a->rows * sizeof *a->chosen) == 0;
}

static void a_draw_follows_from_seed_number_and_step(void **state) {
    (void)state;
    kd2m_positions *a = create(11), *b = create(11);
    kd2m_positions_draw(a, SEED, 2, 40);
    for (uint64_t step = 0; step <= 40; step++)
        kd2m_positions_draw(b, SEED, 2, step); /* whatever came before */
    assert_true(same(a, b));
    kd2m_positions_draw(b, SEED + 1, 2, 40);
    assert_false(same(a, b));
    kd2m_positions_draw(b, SEED, 3, 40);
    assert_false(same(a, b));
    kd2m_positions_draw(b, SEED, 2, 41);
    assert_false(same(a, b));
    kd2m_positions_free(a);
    kd2m_positions_free(b);
}

/* Each position is a row once at most, and as often as any other: the counts over many steps are
 * within five standard deviations of the binomial's mean. */
static void draws_are_fair(void **state) {
    (void)state;
    enum { ROWS = 9, STEPS = 4000 };
    kd2m_positions *positions = create(ROWS);
    size_t counts[ALL] = {0};
    for (uint64_t step = 0; step < STEPS; step++) {
        bool seen[ALL] = {false};
        kd2m_positions_draw(positions, SEED, 0, step);
        for (size_t i = 0; i < ROWS; i++) {
            size_t place = positions->chosen[i];
            assert_true(place < ALL && !seen[place]);
            seen[place] = true;
            counts[place]++;
        }
    }
    for (size_t i = 0; i < ALL; i++) /* mean 1200, standard deviation 29 */
        EXPECT_CLOSE(STEPS * ROWS / (double)ALL, (double)counts[i], 145, 0);
    kd2m_positions_free(positions);
}

static void rows_are_the_maps_columns(void **state) {
    (void)state;
    static float map[SAMPLES * CHANNELS * POSITIONS], back[SAMPLES * CHANNELS * POSITIONS];
    float rows[ALL * CHANNELS], others[ALL * CHANNELS];
    kd2m_positions *positions = create(8);
    double there = 0, here = 0;
    kd2m_positions_draw(positions, SEED, 0, 0);
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        map[i] = testing_hashed(i, 1);
    for (size_t i = 0; i < positions->rows * CHANNELS; i++)
        others[i] = testing_hashed(i, 2);
    kd2m_positions_gather(positions, CHANNELS, map, rows);
    for (size_t i = 0; i < positions->rows; i++)
        for (size_t c = 0; c < CHANNELS; c++) {
            size_t sample = positions->chosen[i] / POSITIONS, p = positions->chosen[i] % POSITIONS;
            assert_true(rows[i * CHANNELS + c] == map[(sample * CHANNELS + c) * POSITIONS + p]);
        }
    /* scatter is the adjoint: <gather map, others> = <map, scatter others> */
    memset(back, 1, sizeof back);
    kd2m_positions_scatter(positions, CHANNELS, others, back);
    for (size_t i = 0; i < positions->rows * CHANNELS; i++)
        here += (double)rows[i] * others[i];
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        there += (double)map[i] * back[i];
    EXPECT_CLOSE(here, there, 1e-12, 1e-9);
    kd2m_positions_free(positions);
}

static void refusals(void **state) {
    (void)state;
    kd2m_positions *positions;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_positions_create(&positions, context, 1U << 20, 1U << 12, 5));
    assert_null(positions);
    EXPECT_MESSAGE(context, "more than can be told apart");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_positions_create(&positions, context, SIZE_MAX / 2, 3, 5));
    for (size_t fail_at = 0; fail_at < 2; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        EXPECT_STATUS(failing, KD2M_ERROR_MEMORY,
                      kd2m_positions_create(&positions, failing, 3, 3, 0));
        assert_null(positions);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_rows_in_order),
        cmocka_unit_test(a_draw_follows_from_seed_number_and_step),
        cmocka_unit_test(draws_are_fair),
        cmocka_unit_test(rows_are_the_maps_columns),
        cmocka_unit_test(refusals),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
