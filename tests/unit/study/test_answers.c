/* Tables of answers, row by row: samples and their clusters, McNemar's test. Means and intervals
 * against ones made here from the numbers that the study was made of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd2m/stats.h"
#include "made_study.h"
#include "roster.h"
#include "store_internal.h"

#define ROWS 200 /* few, for many bootstraps */
#define STEP 20  /* samples by which a validation part of one seed differs from the next */
#define MOST (ROWS + MADE_SEEDS * STEP)

enum { VALIDATION, TEST, NOISE };

static int right(size_t part, size_t student, size_t method, size_t seed) {
    return made_right(part, student, method, seed) * ROWS / 1000;
}

/* Validation: other samples for every seed. Test: those that come twice, 10 to a machine. Of noise
 * nothing is known, as in a study of an earlier version. */
static void keep_samples(kd2m_context *context, kd2m_study *study, size_t rows) {
    static uint64_t keys[ROWS];
    static int32_t groups[ROWS];
    for (size_t seed = 0; seed < MADE_SEEDS; seed++) {
        const kd2m_place place = {.stage = KD2M_STAGE_REPORT, .repeat = seed};
        for (size_t i = 0; i < rows; i++)
            keys[i] = ~(uint64_t)(seed * STEP + i); /* descending */
        const kd2m_samples own = {rows, keys, NULL, NULL};
        EXPECT_OK(context, kd2m_store_add_samples(study->store, &place, "validation", &own));
        for (size_t i = 0; i < rows; i++) {
            keys[i] = i / 2;
            groups[i] = (int32_t)(i / 10);
        }
        const kd2m_samples grouped = {rows, keys, "machine", groups};
        EXPECT_OK(context, kd2m_store_add_samples(study->store, &place, "test", &grouped));
    }
}

/* Means over the seeds that a sample stands in, by key; returns how many samples there are. */
static size_t average(double *out, size_t part, size_t student, size_t method) {
    double sums[MOST] = {0}, times[MOST] = {0};
    size_t count = 0;
    for (size_t seed = 0; seed < MADE_SEEDS; seed++)
        for (size_t i = 0; i < ROWS; i++) {
            size_t sample = part == VALIDATION ? MOST - 1 - seed * STEP - i : i;
            sums[sample] += (int)i < right(part, student, method, seed);
            times[sample]++;
        }
    for (size_t i = 0; i < MOST; i++)
        if (times[i] > 0)
            out[count++] = sums[i] / times[i];
    return count;
}

static void reference(kd2m_context *context, kd2m_bootstrap *out, const double *a, const double *b,
                      size_t count, bool grouped) {
    int32_t groups[MOST];
    kd2m_bootstrap_settings settings;
    kd2m_settings_default(kd2m_bootstrap_setting_list(), &settings);
    settings.replicates = 2000;
    for (size_t i = 0; i < count; i++)
        groups[i] = (int32_t)(i / 10);
    EXPECT_OK(context,
              kd2m_bootstrap_mean(out, context, a, b, grouped ? groups : NULL, count, &settings));
}

static void expect_interval(const json_t *row, const char *low, const char *high,
                            const kd2m_bootstrap *wanted) {
    EXPECT_CLOSE(wanted->bca_low, made_number(row, low), 1e-12, 0);
    EXPECT_CLOSE(wanted->bca_high, made_number(row, high), 1e-12, 0);
}

static void expect_samples_row(kd2m_context *context, const json_t *row, size_t part,
                               size_t student, size_t method) {
    double own[MOST], other[MOST];
    size_t count = average(own, part, student, method);
    kd2m_bootstrap wanted;
    reference(context, &wanted, own, NULL, count, part == TEST);
    assert_true(made_says(row, "part", made_parts[part]));
    assert_true(made_says(row, "cluster", part == TEST ? "machine" : "sample"));
    EXPECT_CLOSE((double)count, made_number(row, "samples"), 0, 0);
    EXPECT_CLOSE(part == TEST ? 20 : (double)count, made_number(row, "clusters"), 0, 0);
    EXPECT_CLOSE(wanted.estimate, made_number(row, "accuracy"), 1e-12, 0);
    expect_interval(row, "low", "high", &wanted);
    for (size_t k = 0; k < 2; k++) {
        const char *key = k ? "difference_kd" : "difference_ce";
        if (method <= k) {
            assert_true(json_is_null(json_object_get(row, key)));
            continue;
        }
        average(other, part, student, k);
        reference(context, &wanted, own, other, count, part == TEST);
        EXPECT_CLOSE(wanted.estimate, made_number(row, key), 1e-12, 0);
        expect_interval(row, k ? "low_kd" : "low_ce", k ? "high_kd" : "high_ce", &wanted);
    }
}

static void test_samples(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_study *study = made_study(context, ROWS);
    kd2m_table *table;
    char *text;
    keep_samples(context, study, ROWS);
    EXPECT_OK(context, kd2m_study_samples(&table, study));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_non_null(strstr(text, "rig, noise: groups are not kept"));
    assert_null(strstr(text, "rig, test:"));
    kd2m_text_free(context, text);
    json_t *rows = made_rows_of(context, table);
    assert_int_equal(json_array_size(rows), MADE_PARTS * 2 * 3);
    for (size_t i = 0; i < json_array_size(rows); i++)
        expect_samples_row(context, json_array_get(rows, i), i / 6, i / 3 % 2, i % 3);
    json_decref(rows);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

/* Of a study of an earlier version: other parts than validation, samples as clusters. */
static void test_unknown_samples(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_study *study = made_study(context, ROWS);
    kd2m_table *table;
    char *text;
    EXPECT_OK(context, kd2m_study_samples(&table, study));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_non_null(strstr(text, "rig, validation: left out"));
    assert_non_null(strstr(text, "rig, test: groups are not kept"));
    kd2m_text_free(context, text);
    json_t *rows = made_rows_of(context, table);
    assert_int_equal(json_array_size(rows), 2 * 2 * 3);
    json_decref(rows);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

/* One recording tells of no other: no interval. */
static void test_one_cluster(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_study *study = made_study(context, 8);
    kd2m_table *table;
    char *text;
    keep_samples(context, study, 8);
    EXPECT_OK(context, kd2m_study_samples(&table, study));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_non_null(strstr(text, "fewer than 20 clusters"));
    kd2m_text_free(context, text);
    json_t *rows = made_rows_of(context, table);
    const json_t *row = json_array_get(rows, 6 + 2);
    assert_true(made_says(row, "part", "test"));
    EXPECT_CLOSE(1, made_number(row, "clusters"), 0, 0);
    assert_true(json_is_number(json_object_get(row, "difference_ce")));
    assert_true(json_is_null(json_object_get(row, "low_ce")));
    assert_true(json_is_null(json_object_get(row, "low")));
    json_decref(rows);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

/* Groups that some seeds lack are none; those of another number than the samples are refused. */
static void test_refuses_samples(void **state) {
    (void)state;
    static const uint64_t keys[] = {7, 8, 9};
    static const int32_t groups[] = {0, 0, 1};
    kd2m_context *context = testing_context(1);
    kd2m_study *study = made_study(context, 10);
    kd2m_roster roster;
    kd2m_table *table;
    const kd2m_samples all = {3, keys, "machine", groups}, none = {2, keys, NULL, NULL};
    kd2m_place place = {.stage = KD2M_STAGE_REPORT};
    EXPECT_OK(context, kd2m_store_add_samples(study->store, &place, "test", &all));
    EXPECT_OK(context, kd2m_roster_read(&roster, study, 0, "test"));
    assert_string_equal(roster.column, "machine");
    assert_int_equal(roster.groups[2], 1);
    kd2m_roster_clear(&roster);
    place.repeat = 2;
    EXPECT_OK(context, kd2m_store_add_samples(study->store, &place, "test", &none));
    EXPECT_OK(context, kd2m_roster_read(&roster, study, 0, "test"));
    assert_int_equal(roster.count, 3);
    assert_int_equal(roster.rows[1], 0);
    assert_int_equal(roster.rows[2], 2);
    assert_null(roster.groups);
    assert_null(roster.column);
    kd2m_roster_clear(&roster);
    EXPECT_OK(context, kd2m_store_run(study->store,
                                      "UPDATE samples SET codes = x'00' WHERE repeat = 0", "test"));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_study_samples(&table, study));
    EXPECT_MESSAGE(context, "groups of another number");
    assert_null(table);
    EXPECT_OK(context, kd2m_store_run(study->store, "UPDATE outputs SET labels = x'00'", "test"));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_study_mcnemar(&table, study));
    EXPECT_MESSAGE(context, "another size than their labels");
    kd2m_study_free(study);
    kd2m_context_free(context);
}

static void test_mcnemar(void **state) {
    (void)state;
    static const size_t pairs[][2] = {{1, 0}, {2, 0}, {2, 1}};
    static const char *const methods[] = {"ce", "kd", "w2"};
    kd2m_context *context = testing_context(1);
    kd2m_study *study = made_study(context, ROWS);
    kd2m_table *table;
    EXPECT_OK(context, kd2m_study_mcnemar(&table, study));
    json_t *rows = made_rows_of(context, table);
    assert_int_equal(json_array_size(rows), MADE_PARTS * 2 * 3 * MADE_SEEDS);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        size_t part = i / 18, student = i / 9 % 2, seed = i % 3;
        const size_t *pair = pairs[i / 3 % 3];
        int more = right(part, student, pair[0], seed) - right(part, student, pair[1], seed);
        assert_true(made_says(row, "part", made_parts[part]));
        assert_true(made_says(row, "method", methods[pair[0]]));
        assert_true(made_says(row, "baseline", methods[pair[1]]));
        EXPECT_CLOSE((double)seed, made_number(row, "seed"), 0, 0);
        EXPECT_CLOSE(ROWS, made_number(row, "samples"), 0, 0);
        EXPECT_CLOSE(fmax(more, 0), made_number(row, "method_alone"), 0, 0);
        EXPECT_CLOSE(fmax(-more, 0), made_number(row, "baseline_alone"), 0, 0);
        /* all on one side: twice the chance of that, 2^-n */
        EXPECT_CLOSE(fmin(1, 2 * pow(0.5, abs(more))), made_number(row, "p"), 0, 1e-9);
    }
    json_decref(rows);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

/* Opens the study there and makes the tables; *opening = allocations until it is open. */
static kd2m_status make_tables(kd2m_context *context, const char *folder, size_t *opening) {
    kd2m_study_settings settings;
    kd2m_study *study;
    kd2m_table *table = NULL;
    kd2m_settings_default(kd2m_study_setting_list(), &settings);
    kd2m_status status = kd2m_study_open(&study, context, folder, NULL, &settings);
    *opening = testing_allocations();
    if (status == KD2M_OK)
        status = kd2m_study_samples(&table, study);
    kd2m_table_free(table);
    table = NULL;
    if (status == KD2M_OK)
        status = kd2m_study_mcnemar(&table, study);
    kd2m_table_free(table);
    table = NULL;
    if (status == KD2M_OK)
        status = kd2m_study_costs(&table, study);
    kd2m_table_free(table);
    kd2m_study_free(study);
    return status;
}

static void test_failing_memory(void **state) {
    (void)state;
    kd2m_context *whole = testing_context(1);
    kd2m_study *made = made_study(whole, 6);
    char folder[256];
    keep_samples(whole, made, 6);
    made_costs(whole, made);
    /* one part whose samples are known and one whose are not are enough */
    EXPECT_OK(whole, kd2m_store_run(made->store,
                                    "DELETE FROM outputs WHERE part = 'validation' OR trial IN"
                                    " (SELECT id FROM trial WHERE student = 1 OR method = 1)",
                                    "test"));
    snprintf(folder, sizeof folder, "%s", made->folder);
    kd2m_study_free(made);
    kd2m_context_free(whole);
    kd2m_context *counting = testing_failing_context(SIZE_MAX);
    size_t opening, unused;
    EXPECT_OK(counting, make_tables(counting, folder, &opening));
    size_t last = testing_allocations();
    kd2m_context_free(counting);
    assert_true(last > opening + 100);
    for (size_t fail_at = opening; fail_at < last; fail_at++) {
        kd2m_context *context = testing_failing_context(fail_at);
        EXPECT_STATUS(context, KD2M_ERROR_MEMORY, make_tables(context, folder, &unused));
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),     cmocka_unit_test(test_unknown_samples),
        cmocka_unit_test(test_one_cluster), cmocka_unit_test(test_refuses_samples),
        cmocka_unit_test(test_mcnemar),     cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
