/* Splits: nothing lost or doubled, shares, groups whole and nearest, no window on both sides of a
 * cut, the same by seed, what can't be split, failing memory. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "split.h"

enum { MOST = 400, CLASSES = 4 };

static kd2m_context *context;
static kd2m_dataset made; /* the data set under test: labels, columns and times alone */
static int32_t groups[MOST], clocks[MOST];
static uint32_t state_of_chance;

static size_t chance(size_t below) {
    state_of_chance = state_of_chance * 1664525 + 1013904223;
    return (state_of_chance >> 8) % below;
}

static void clear(void) {
    for (size_t split = 0; split < 3; split++)
        kd2m_free(made.context, made.rows[split]);
    kd2m_raw_data_clear(made.context, &made.raw);
    made = (kd2m_dataset){.context = context, .spec = (char *)"made"};
}

/* Rows of random classes, with a column 'group' of up to `group_count` codes, a column 'clock' of
 * two, and windows of `length` that begin a second apart on each clock, in any order. */
static void make(size_t rows, size_t group_count, double length) {
    kd2m_part *part = &made.raw.train;
    double next[2] = {0, 1000};
    clear();
    part->rows = rows;
    made.raw.classes = CLASSES;
    EXPECT_OK(context, kd2m_alloc(context, (void **)&part->labels, rows, sizeof(int32_t)));
    EXPECT_OK(context, kd2m_alloc(context, (void **)&part->time, rows, sizeof(double)));
    EXPECT_OK(context, kd2m_alloc(context, (void **)&part->until, rows, sizeof(double)));
    for (size_t i = 0; i < rows; i++) {
        part->labels[i] = (int32_t)chance(CLASSES);
        groups[i] = (int32_t)(chance(group_count) * chance(group_count) / group_count);
        clocks[i] = (int32_t)chance(2);
        part->time[i] = next[clocks[i]]++;
        part->until[i] = part->time[i] + length;
    }
    for (size_t i = rows; i-- > 1;) { /* rows of one clock change places */
        size_t k = chance(i + 1);
        double begin = part->time[i], end = part->until[i];
        if (clocks[k] != clocks[i])
            continue;
        part->time[i] = part->time[k];
        part->until[i] = part->until[k];
        part->time[k] = begin;
        part->until[k] = end;
    }
    EXPECT_OK(context, kd2m_raw_data_add_numbers(context, &made.raw, part, "group", groups));
    EXPECT_OK(context, kd2m_raw_data_add_numbers(context, &made.raw, part, "clock", clocks));
}

static int64_t run_seed; /* of weights and batches */

static kd2m_status try_split(const char *rule, double validation, double test, int64_t seed) {
    kd2m_data_settings settings;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.split = rule;
    settings.validation = validation;
    settings.test = test;
    settings.split_seed = seed;
    settings.seed = run_seed;
    for (size_t s = 0; s < 3; s++) {
        kd2m_free(made.context, made.rows[s]);
        made.rows[s] = NULL;
    }
    return kd2m_dataset_split(&made, &settings);
}

/* Splits, and writes each row's place; every row has one, ascending in its split. */
static void split(const char *rule, double validation, double test, int64_t seed,
                  unsigned char places[MOST]) {
    EXPECT_OK(context, try_split(rule, validation, test, seed));
    memset(places, KD2M_NOWHERE, MOST);
    size_t placed = made.dropped;
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < made.row_count[s]; i++) {
            uint32_t row = made.rows[s][i];
            assert_in_range(row, 0, made.raw.train.rows - 1);
            assert_int_equal(KD2M_NOWHERE, places[row]);
            assert_true(i == 0 || row > made.rows[s][i - 1]);
            places[row] = (unsigned char)s;
            placed++;
        }
    assert_int_equal(made.raw.train.rows, placed);
}

static void random_gives_each_class_its_share(void **state) {
    (void)state;
    for (size_t trial = 0; trial < 40; trial++) {
        unsigned char places[MOST], again[MOST], other[MOST];
        double validation = 0.1 * (double)chance(6), test = 0.08 * (double)chance(6);
        size_t counts[CLASSES][3] = {{0}};
        make(1 + chance(MOST), 5, 1);
        split("random", validation, test, (int64_t)trial, places);
        for (size_t i = 0; i < made.raw.train.rows; i++)
            counts[made.raw.train.labels[i]][places[i]]++;
        for (size_t c = 0; c < CLASSES; c++) {
            double rows = (double)(counts[c][0] + counts[c][1] + counts[c][2]);
            if (rows < 4)
                continue; /* one has to stay */
            EXPECT_CLOSE(rows * validation, (double)counts[c][1], 0.5 + 1e-9, 0);
            EXPECT_CLOSE(rows * test, (double)counts[c][2], 0.5 + 1e-9, 0);
            assert_true(counts[c][0] > 0);
        }
        split("random", validation, test, (int64_t)trial, again);
        assert_memory_equal(places, again, made.raw.train.rows);
        split("random", 0.5 - validation / 2, test, (int64_t)trial, again);
        split("random", 0.3, 0.3, (int64_t)trial + 1, other);
        for (size_t i = 0; i < made.raw.train.rows; i++)
            assert_int_equal(places[i] == KD2M_TEST, again[i] == KD2M_TEST);
    }
}

/* The distance to the share that the best choice of groups has, by trying all. */
static double best_distance(const size_t *sizes, size_t count, double target) {
    double best = INFINITY;
    for (size_t set = 1; set + 1 < (size_t)1 << count; set++) {
        size_t sum = 0;
        for (size_t g = 0; g < count; g++)
            sum += set >> g & 1 ? sizes[g] : 0;
        best = fmin(best, fabs((double)sum - target));
    }
    return best;
}

static void groups_stay_whole_and_come_nearest(void **state) {
    size_t differing = 0;
    (void)state;
    for (size_t trial = 0; trial < 200; trial++) {
        unsigned char places[MOST], again[MOST];
        double share = trial % 7 == 0 ? 0.9 : 0.05 + 0.05 * (double)chance(10);
        size_t sizes[16] = {0}, present = 0;
        make(8 + chance(MOST - 8), 2 + chance(12), 1);
        for (size_t i = 0; i < made.raw.train.rows; i++)
            sizes[groups[i]]++;
        for (size_t g = 0; g < 16; g++)
            if (sizes[g] > 0)
                sizes[present++] = sizes[g];
        if (present < 2) {
            EXPECT_STATUS(context, KD2M_ERROR_USAGE, try_split("group:group", share, 0, 1));
            EXPECT_MESSAGE(context, "are 1 group(s) by 'group', but 2 are needed: one to train on, "
                                    "one for validation");
            continue;
        }
        split("group:group", share, 0, (int64_t)trial, places);
        for (size_t i = 0; i < made.raw.train.rows; i++)
            for (size_t k = 0; k < i; k++)
                assert_true(groups[i] != groups[k] || places[i] == places[k]);
        double target = share * (double)made.raw.train.rows;
        EXPECT_CLOSE(best_distance(sizes, present, target),
                     fabs((double)made.row_count[KD2M_VALIDATION] - target), 1e-9, 0);
        split("group:group", share, 0, (int64_t)trial, again);
        assert_memory_equal(places, again, made.raw.train.rows);
        split("group:group", share, 0, (int64_t)trial + 1, again);
        differing += memcmp(places, again, made.raw.train.rows) != 0;
    }
    assert_in_range(differing, 50, 199);
}

static void groups_for_test_come_first(void **state) {
    size_t tried = 0;
    (void)state;
    for (size_t trial = 0; trial < 200; trial++) {
        unsigned char places[MOST], again[MOST];
        double test = 0.05 + 0.05 * (double)chance(8), validation = 0.05 + 0.05 * (double)chance(8);
        make(8 + chance(MOST - 8), 2 + chance(5), 1);
        if (made.raw.columns[0].count < 3) {
            EXPECT_STATUS(context, KD2M_ERROR_USAGE, try_split("group:group", 0.2, 0.2, 1));
            EXPECT_MESSAGE(context, "but 3 are needed: one to train on, one for validation, one "
                                    "for test");
            continue;
        }
        tried++;
        split("group:group", validation, test, (int64_t)trial, places);
        for (size_t i = 0; i < made.raw.train.rows; i++)
            for (size_t k = 0; k < i; k++)
                assert_true(groups[i] != groups[k] || places[i] == places[k]);
        for (size_t s = 0; s < 3; s++)
            assert_true(made.row_count[s] > 0);
        split("group:group", validation / 2, test, (int64_t)trial, again);
        for (size_t i = 0; i < made.raw.train.rows; i++)
            assert_int_equal(places[i] == KD2M_TEST, again[i] == KD2M_TEST);
    }
    assert_true(tried > 100);
}

/* Many groups of one row each: the share is met to the row. */
static void many_groups_meet_the_share(void **state) {
    int32_t numbers[MOST];
    (void)state;
    make(MOST, 3, 1);
    for (size_t i = 0; i < MOST; i++)
        numbers[i] = (int32_t)i;
    EXPECT_OK(context,
              kd2m_raw_data_add_numbers(context, &made.raw, &made.raw.train, "row", numbers));
    EXPECT_OK(context, try_split("group:row", 0.25, 0.1, 1));
    assert_int_equal(MOST / 10, made.row_count[KD2M_TEST]);
    assert_int_equal(MOST / 4, made.row_count[KD2M_VALIDATION]);
}

/* Whether a window on a clock reaches over the beginning of one of a later split. */
static int reaches_over(const unsigned char *places, size_t row, int by_clock) {
    const kd2m_part *part = &made.raw.train;
    for (size_t i = 0; i < part->rows; i++)
        if ((!by_clock || clocks[i] == clocks[row]) &&
            (places[i] == KD2M_VALIDATION || places[i] == KD2M_TEST) &&
            part->time[row] < part->time[i] && part->until[row] > part->time[i])
            return 1;
    return 0;
}

static void check_times(const unsigned char *places, int by_clock) {
    const kd2m_part *part = &made.raw.train;
    size_t dropped = 0;
    for (size_t i = 0; i < part->rows; i++) {
        dropped += places[i] == KD2M_NOWHERE;
        if (places[i] == KD2M_NOWHERE)
            assert_true(reaches_over(places, i, by_clock));
        for (size_t k = 0; k < part->rows; k++) {
            if ((by_clock && clocks[i] != clocks[k]) || places[i] == KD2M_NOWHERE ||
                places[k] == KD2M_NOWHERE || places[i] >= places[k])
                continue;
            assert_true(part->until[i] <= part->time[k]); /* training < validation < test */
        }
    }
    assert_int_equal(made.dropped, dropped);
}

static void no_window_lies_across_a_cut_in_time(void **state) {
    (void)state;
    for (size_t trial = 0; trial < 60; trial++) {
        unsigned char places[MOST], again[MOST];
        int by_clock = (int)(trial % 2);
        const char *rule = by_clock ? "time:clock" : "time";
        double validation = 0.1 * (double)chance(5), test = 0.1 * (double)chance(5);
        make(30 + chance(MOST - 30), 5, trial % 3 == 0 ? 1 : 0.5 * (double)chance(8));
        split(rule, validation, test, 1, places);
        check_times(places, by_clock);
        split(rule, 0, test, 2, again);
        for (size_t i = 0; i < made.raw.train.rows; i++)
            assert_int_equal(places[i] == KD2M_TEST, again[i] == KD2M_TEST);
    }
}

/* Windows that touch, but do not overlap: none is lost, and the shares are met on every clock. */
static void touching_windows_are_kept(void **state) {
    unsigned char places[MOST];
    size_t counts[2][3] = {{0}};
    (void)state;
    make(MOST, 5, 1);
    split("time:clock", 0.2, 0.1, 1, places);
    assert_int_equal(0, made.dropped);
    for (size_t i = 0; i < MOST; i++)
        counts[clocks[i]][places[i]]++;
    for (size_t c = 0; c < 2; c++) {
        double rows = (double)(counts[c][0] + counts[c][1] + counts[c][2]);
        EXPECT_CLOSE(0.2 * rows, (double)counts[c][KD2M_VALIDATION], 0.5, 0);
        EXPECT_CLOSE(0.1 * rows, (double)counts[c][KD2M_TEST], 0.5, 0);
    }
    split("time", 0.2, 0.1, 1, places); /* one clock: the second one's rows are all later */
    for (size_t i = 0; i < MOST; i++)
        assert_true(places[i] == KD2M_TRAIN || clocks[i] == 1);
}

static void rows_of_one_time_stay_together(void **state) {
    unsigned char places[MOST];
    (void)state;
    make(90, 5, 0);
    for (size_t i = 0; i < 90; i++)
        made.raw.train.time[i] = made.raw.train.until[i] = (double)(i / 15);
    split("time", 0.3, 0, 1, places); /* 27 rows: from time 4 on */
    for (size_t i = 0; i < 90; i++)
        assert_int_equal(i / 15 >= 4 ? KD2M_VALIDATION : KD2M_TRAIN, places[i]);
    memset(made.raw.train.time, 0, 90 * sizeof(double));
    memset(made.raw.train.until, 0, 90 * sizeof(double));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, try_split("time", 0.3, 0, 1));
    EXPECT_MESSAGE(context, "none of the 90 training rows of 'made' is left to train on");
}

static void refuses_what_can_not_be_split(void **state) {
    static const struct {
        const char *rule;
        double validation, test;
        const char *message;
    } cases[] = {
        {"group:machine", 0.1, 0, "no column 'machine'; there are 'group', 'clock', 'one'"},
        {"time:machine", 0.1, 0, "no column 'machine'"},
        {"random", 0.5, 0.5, "leave nothing to train on"},
        {"time", 0.6, 0.6, "leave nothing to train on"},
        {"group:one", 0.1, 0, "are 1 group(s) by 'one', but 2 are needed"},
    };
    static const char *const rules[] = {"",      "group",  "group:",  "rand", "random:x",
                                        "time:", "groups", "timed:x", "Time"};
    int32_t ones[40] = {0};
    (void)state;
    make(40, 3, 1);
    EXPECT_OK(context, kd2m_raw_data_add_numbers(context, &made.raw, &made.raw.train, "one", ones));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      try_split(cases[c].rule, cases[c].validation, cases[c].test, 1));
        EXPECT_MESSAGE(context, cases[c].message);
    }
    kd2m_free(context, made.raw.train.time);
    made.raw.train.time = NULL;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, try_split("time", 0.1, 0, 1));
    EXPECT_MESSAGE(context, "do not say when samples were taken");
    made.raw.test.rows = 7;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, try_split("random", 0.1, 0.1, 1));
    EXPECT_MESSAGE(context, "'made' has 7 test rows of its own: leave --test out");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_split_check(context, rules[i]));
        EXPECT_MESSAGE(context, "say random, group:COLUMN, time or time:COLUMN");
    }
}

static void failing_memory_leaks_nothing(void **state) {
    static const char *const rules[] = {"random", "group:group", "time:clock"};
    (void)state;
    make(60, 6, 2);
    for (size_t r = 0; r < 3; r++) {
        kd2m_status status = KD2M_ERROR_MEMORY;
        size_t fail_at = 0;
        EXPECT_OK(context, try_split(rules[r], 0, 0, 1));
        for (size_t s = 0; s < 3; s++) {
            kd2m_free(context, made.rows[s]);
            made.rows[s] = NULL;
        }
        for (; status != KD2M_OK; fail_at++) {
            kd2m_context *failing = testing_failing_context(fail_at);
            size_t before = testing_live();
            made.context = failing;
            status = try_split(rules[r], 0.2, 0.2, 1);
            if (status != KD2M_OK)
                EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
            for (size_t s = 0; s < 3; s++) {
                kd2m_free(failing, made.rows[s]);
                made.rows[s] = NULL;
            }
            assert_int_equal(before, testing_live());
            kd2m_context_free(failing);
        }
        made.context = context;
        assert_in_range(fail_at, 4, 30);
    }
}

/* A teacher and its students, of other seeds, have the same split. */
static void other_seeds_have_the_same_split(void **state) {
    (void)state;
    static const char *const rules[] = {"random", "group:group"};
    unsigned char first[MOST], second[MOST];
    make(90, 12, 1);
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        run_seed = 0;
        split(rules[r], 0.2, 0.3, 4, first);
        run_seed = 5;
        split(rules[r], 0.2, 0.3, 4, second);
        assert_memory_equal(first, second, 90);
        split(rules[r], 0.2, 0.3, 3, second);
        assert_true(memcmp(first, second, 90) != 0);
    }
    run_seed = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_gives_each_class_its_share),
        cmocka_unit_test(other_seeds_have_the_same_split),
        cmocka_unit_test(groups_stay_whole_and_come_nearest),
        cmocka_unit_test(groups_for_test_come_first),
        cmocka_unit_test(many_groups_meet_the_share),
        cmocka_unit_test(no_window_lies_across_a_cut_in_time),
        cmocka_unit_test(touching_windows_are_kept),
        cmocka_unit_test(rows_of_one_time_stay_together),
        cmocka_unit_test(refuses_what_can_not_be_split),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clear();
    kd2m_context_free(context);
    return failed;
}
