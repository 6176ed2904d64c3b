/* From what nets said to figures, verdicts and claims: outcomes are made up, so that every number
 * of the tables is known. Scores against ones counted by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd2m/stats.h"
#include "made_study.h"
#include "score.h"
#include "store_internal.h"

static void values_of(double *out, size_t part, size_t student, size_t method) {
    for (size_t seed = 0; seed < MADE_SEEDS; seed++)
        out[seed] = made_right(part, student, method, seed) / (double)MADE_ROWS;
}

/* Each cell's first row is the teacher's: checks and removes it. */
static void take_teachers(json_t *rows) {
    for (size_t cell = 0; cell < 3 * 2; cell++) {
        const json_t *row = json_array_get(rows, 3 * cell),
                     *score = json_object_get(row, "accuracy");
        assert_true(made_says(row, "part", made_parts[cell / 2]));
        assert_true(made_says(row, "method", "teacher"));
        EXPECT_CLOSE(1, made_number(row, "seeds"), 0, 0);
        EXPECT_CLOSE(made_teacher_right(cell / 2) / (double)MADE_ROWS, made_number(score, "mean"),
                     1e-12, 0);
        assert_true(json_is_null(json_object_get(score, "sd")));
        assert_true(json_is_null(json_object_get(row, "difference_ce")));
        assert_true(json_is_null(json_object_get(row, "verdict_kd")));
        json_array_remove(rows, 3 * cell);
    }
}

static void test_results(void **state) {
    (void)state;
    static const char *const students[] = {"mlp:64-4-7", "wide"};
    static const char *const methods[] = {"ce", "kd", "w2"};
    kd2m_context *context = testing_context(1);
    kd2m_study *study = made_study(context, MADE_ROWS);
    kd2m_table *table;
    kd2m_mean_test tests[18];
    kd2m_verdict verdicts[18];
    size_t next = 0;
    EXPECT_OK(context, kd2m_study_results(&table, study, NULL));
    json_t *rows = made_rows_of(context, table);
    assert_int_equal(json_array_size(rows), 3 * 2 * (1 + 3));
    take_teachers(rows);
    for (size_t pass = 0; pass < 2; pass++) { /* the family first, then what is said of it */
        next = 0;
        for (size_t i = 0; i < 18; i++) {
            size_t part = i / 6, student = i / 3 % 2, method = i % 3;
            const json_t *row = json_array_get(rows, i);
            double own[MADE_SEEDS], other[MADE_SEEDS];
            kd2m_summary summary;
            assert_true(made_says(row, "part", made_parts[part]));
            assert_true(made_says(row, "student", students[student]));
            assert_true(made_says(row, "method", methods[method]));
            values_of(own, part, student, method);
            EXPECT_OK(context, kd2m_summarise(&summary, context, own, MADE_SEEDS));
            const json_t *mean = json_object_get(row, "accuracy");
            EXPECT_CLOSE(summary.mean, made_number(mean, "mean"), 1e-12, 0);
            EXPECT_CLOSE(summary.sd, made_number(mean, "sd"), 1e-12, 0);
            for (size_t k = 0; k < 2; k++) {
                const char *difference = k ? "difference_kd" : "difference_ce";
                if (method <= k) { /* itself, and ce beside kd, which kd beside ce has told */
                    assert_true(json_is_null(json_object_get(row, difference)));
                    continue;
                }
                values_of(other, part, student, k);
                if (pass == 0) {
                    EXPECT_OK(context, kd2m_mean_test_paired(&tests[next++], context, own, other,
                                                             MADE_SEEDS, 0.95));
                    continue;
                }
                EXPECT_CLOSE(tests[next].estimate, made_number(row, difference), 1e-12, 0);
                EXPECT_CLOSE(verdicts[next].step_low, made_number(row, k ? "low_kd" : "low_ce"),
                             1e-12, 0);
                EXPECT_CLOSE(verdicts[next].adjusted_p, made_number(row, k ? "p_kd" : "p_ce"),
                             1e-12, 0);
                assert_true(made_says(row, k ? "verdict_kd" : "verdict_ce",
                                      verdicts[next].sign > 0   ? "better"
                                      : verdicts[next].sign < 0 ? "worse"
                                                                : "open"));
                next++;
            }
        }
        if (pass == 0)
            EXPECT_OK(context, kd2m_family_judge(verdicts, context, tests, next, 0.05));
    }
    assert_int_equal(next, 18);
    json_decref(rows);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_study_results(&table, study, "acuracy"));
    EXPECT_MESSAGE(context, "accuracy");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_study_results(&table, study, "alarm_recall"));
    EXPECT_MESSAGE(context, "needs an alarm");
    kd2m_study_free(study);
    kd2m_context_free(context);
}

/* The contrast of w2 beside kd between two places, each a part and a student. */
static double contrast(size_t part, size_t student, size_t other_part, size_t other_student) {
    double sum = 0;
    for (size_t seed = 0; seed < MADE_SEEDS; seed++)
        sum += made_right(part, student, 2, seed) - made_right(part, student, 1, seed) -
               made_right(other_part, other_student, 2, seed) +
               made_right(other_part, other_student, 1, seed);
    return sum / MADE_SEEDS / MADE_ROWS;
}

static void test_claims(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_study *study = made_study(context, MADE_ROWS);
    kd2m_table *table;
    EXPECT_OK(context, kd2m_study_claims(&table, study, NULL));
    json_t *rows = made_rows_of(context, table);
    assert_int_equal(json_array_size(rows), 3 + 4);
    /* w2 beats kd with the small student, on both parts, and with the large one on neither */
    const double cells[] = {2, 2, 4}, better[] = {1, 1, 2};
    for (size_t i = 0; i < 3; i++) {
        const json_t *row = json_array_get(rows, i);
        EXPECT_CLOSE(cells[i], made_number(row, "cells"), 0, 0);
        EXPECT_CLOSE(better[i], made_number(row, "better"), 0, 0);
        EXPECT_CLOSE(0.5, made_number(row, "estimate"), 1e-12, 0);
        assert_true(made_says(row, "verdict", "open"));
    }
    double found[4] = {NAN, NAN, NAN, NAN};
    for (size_t i = 3; i < 7; i++) {
        const json_t *row = json_array_get(rows, i);
        bool small = made_says(row, "student", "mlp:64-4-7"),
             shift = made_says(row, "claim", "more under shift");
        assert_true(made_says(row, "method", "w2"));
        if (shift)
            found[small ? 0 : 1] = made_number(row, "estimate");
        else
            found[made_says(row, "part", "test") ? 2 : 3] = made_number(row, "estimate");
        assert_true(shift || small);
        /* with three seeds even clear contrasts may stay open, but none is told the wrong way */
        assert_false(made_says(row, "verdict", made_number(row, "estimate") > 0 ? "less" : "more"));
    }
    EXPECT_CLOSE(contrast(2, 0, 1, 0), found[0], 1e-12, 0);
    EXPECT_CLOSE(contrast(2, 1, 1, 1), found[1], 1e-12, 0);
    EXPECT_CLOSE(contrast(1, 0, 1, 1), found[2], 1e-12, 0);
    EXPECT_CLOSE(contrast(2, 0, 2, 1), found[3], 1e-12, 0);
    json_decref(rows);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

static void test_costs(void **state) {
    (void)state;
    static const double share[] = {0.125, 0.5};
    kd2m_context *context = testing_context(1);
    kd2m_study *study = made_study(context, 10);
    kd2m_table *table;
    char *text;
    made_costs(context, study);
    EXPECT_OK(context, kd2m_study_costs(&table, study));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_non_null(strstr(text, "no memory was kept"));
    kd2m_text_free(context, text);
    json_t *rows = made_rows_of(context, table);
    assert_int_equal(json_array_size(rows), 2 * 2);
    for (size_t i = 0; i < 4; i++) {
        const json_t *row = json_array_get(rows, i);
        double step = 16 * (1 + 1.0 / 2 + 1.0 / 3) / 3; /* batches of 16 */
        assert_true(made_says(row, "method", "w2"));
        assert_true(made_says(row, "student", i < 2 ? "mlp:64-4-7" : "wide"));
        assert_true(made_says(row, "term", i % 2 ? "w2" : "ce"));
        EXPECT_CLOSE(3, made_number(row, "trials"), 0, 0);
        EXPECT_CLOSE(step, made_number(row, "step_ms"), 0, 1e-12);
        EXPECT_CLOSE(share[i % 2] * step, made_number(row, "term_ms"), 0, 1e-12);
        EXPECT_CLOSE(100 * share[i % 2], made_number(row, "percent"), 0, 1e-12);
        if (i < 2)
            EXPECT_CLOSE(3, made_number(row, "trial_mb"), 0, 1e-12);
        else
            assert_true(json_is_null(json_object_get(row, "trial_mb")));
        if (i % 2)
            EXPECT_CLOSE(2.5, made_number(row, "term_mb"), 0, 1e-12);
        else
            assert_true(json_is_null(json_object_get(row, "term_mb")));
    }
    json_decref(rows);
    EXPECT_OK(context,
              kd2m_store_run(study->store,
                             "UPDATE trial SET costs = '{\"rows\": [' WHERE stage = 2", "test"));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_study_costs(&table, study));
    EXPECT_MESSAGE(context, "a trial's costs");
    assert_null(table);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

/* Six rows, three classes, class 2 the alarm. */
static void test_scores(void **state) {
    (void)state;
    static const int32_t labels[] = {0, 0, 1, 1, 2, 2};
    static const float logits[] = {3, 0, 0,  /* right; log-odds of 2: -log(e3 + 1) */
                                   0, 1, 0,  /* wrong */
                                   0, 2, 1,  /* right */
                                   0, 2, 0,  /* right */
                                   1, 0, 0,  /* wrong, alarm unlikely */
                                   0, 0, 4}; /* right */
    const kd2m_outputs outputs = {6, 3, labels, logits};
    kd2m_context *context = testing_context(1);
    json_t *root = plans_json(small_plan, "alarm", "{\"class\": 2, \"false_alarm_rate\": 0.25}");
    json_object_set_new(root, "score", json_string("alarm_recall"));
    kd2m_plan *plan = plans_take(context, root);
    double value, threshold;
    assert_string_equal(plan->score, "alarm_recall");
    EXPECT_OK(context, kd2m_score_outputs(plan, "accuracy", 0, &outputs, &value));
    EXPECT_CLOSE(4.0 / 6, value, 1e-15, 0);
    EXPECT_OK(context, kd2m_score_outputs(plan, "balanced_accuracy", 0, &outputs, &value));
    EXPECT_CLOSE((0.5 + 1 + 0.5) / 3, value, 1e-15, 0);
    EXPECT_OK(context, kd2m_score_outputs(plan, "macro_f1", 0, &outputs, &value));
    EXPECT_CLOSE((2.0 / (2 + 2) + 4.0 / (2 + 3) + 2.0 / (2 + 1)) / 3, value, 1e-15, 0);
    /* log-odds of the others: -3.05, -1.31, -1.13, -2.13; of the alarm's: -1.31, 3.31 */
    EXPECT_OK(context, kd2m_score_threshold(plan, "alarm_recall", &outputs, &threshold));
    EXPECT_OK(context, kd2m_score_outputs(plan, "alarm_recall", threshold, &outputs, &value));
    EXPECT_CLOSE(0.5, value, 0, 0);
    EXPECT_OK(context, kd2m_score_outputs(plan, "alarm_recall", -2, &outputs, &value));
    EXPECT_CLOSE(1, value, 0, 0);
    const kd2m_outputs without = {4, 3, labels, logits};
    EXPECT_OK(context, kd2m_score_outputs(plan, "alarm_recall", 0, &without, &value));
    assert_true(isnan(value));
    kd2m_plan_free(plan);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_plan_take(&plan, context,
                                 plans_json(small_plan, "score", "\"alarm_recall\""), "plan"));
    EXPECT_STATUS(
        context, KD2M_ERROR_USAGE,
        kd2m_plan_take(&plan, context, plans_json(small_plan, "score", "\"f1\""), "plan"));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_plan_take(&plan, context,
                                 plans_json(small_plan, "alarm",
                                            "{\"class\": 1, "
                                            "\"false_alarm_rate\": 2}"),
                                 "plan"));
    kd2m_context_free(context);
}

static void test_failing_memory(void **state) {
    (void)state;
    kd2m_context *whole = testing_context(1);
    kd2m_study *made = made_study(whole, MADE_ROWS);
    char folder[256];
    snprintf(folder, sizeof folder, "%s", made->folder);
    kd2m_study_free(made);
    kd2m_context_free(whole);
    for (size_t fail_at = 0;; fail_at++) {
        kd2m_context *context = testing_failing_context(fail_at);
        kd2m_study_settings settings;
        kd2m_study *study;
        kd2m_table *table = NULL;
        kd2m_settings_default(kd2m_study_setting_list(), &settings);
        kd2m_status status = kd2m_study_open(&study, context, folder, NULL, &settings);
        if (status == KD2M_OK)
            status = kd2m_study_results(&table, study, "macro_f1");
        kd2m_table_free(table);
        table = NULL;
        if (status == KD2M_OK)
            status = kd2m_study_claims(&table, study, "macro_f1");
        kd2m_table_free(table);
        kd2m_study_free(study);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
        if (status == KD2M_OK) {
            assert_true(fail_at > 50);
            return;
        }
        assert_int_equal(status, KD2M_ERROR_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_costs),          cmocka_unit_test(test_scores),
        cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
