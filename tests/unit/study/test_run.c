/* Whole studies: to the end, interrupted at every turn, out of memory, with a failing trial. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd2m/study.h"
#include "plans.h"

static const char tiny_methods[] =
    "[{\"name\": \"ce\", \"loss\": \"ce\", \"search\": {\"lr\": [0.01, 0.05]}},"
    " {\"name\": \"w2\", \"loss\": \"ce + {w}*w2@features\", \"search\": {\"w\": [0.1, 1]}}]";

/* Writes the small plan, cut down to one student and two methods, into `folder`. */
static void write_plan(const char *folder, char path[256], const char *key, const char *value) {
    json_t *root = plans_json(small_plan, "methods", tiny_methods);
    json_error_t error;
    json_object_set_new(root, "students", json_loads("[\"mlp:64-4-7\"]", 0, &error));
    json_object_set_new(root, "budget", json_loads("{\"candidates\": 2}", 0, &error));
    json_object_set_new(root, "seeds", json_integer(2));
    if (key)
        json_object_set_new(root, key, json_loads(value, JSON_DECODE_ANY, &error));
    snprintf(path, 256, "%s/plan.json", folder);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
}

static kd2m_study_settings defaults(void) {
    kd2m_study_settings settings;
    kd2m_settings_default(kd2m_study_setting_list(), &settings);
    return settings;
}

static kd2m_study *open_study(kd2m_context *context, const char *folder, const char *plan) {
    kd2m_study *study;
    kd2m_study_settings settings = defaults();
    EXPECT_OK(context, kd2m_study_open(&study, context, folder, plan, &settings));
    return study;
}

/* The results as JSON; freed by the caller. */
static char *results(kd2m_context *context, kd2m_study *study) {
    kd2m_table *table;
    char *text;
    EXPECT_OK(context, kd2m_study_results(&table, study, "accuracy"));
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    kd2m_table_free(table);
    return text;
}

static char folder[128], plan[256], reference[128];

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "%s", testing_folder());
    write_plan(folder, plan, NULL, NULL);
    snprintf(reference, sizeof reference, "%s", testing_folder());
    return 0;
}

/* Every training is counted once; nothing is left in the folder. */
static void test_estimate(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_study *study = open_study(context, reference, plan);
    kd2m_table *table;
    char *text;
    double seconds, trials = 0;
    size_t done, total;
    EXPECT_OK(context, kd2m_study_estimate(&table, &seconds, study, 1e-6));
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    json_t *root = json_loads(text, 0, NULL);
    const json_t *rows = json_object_get(root, "rows");
    assert_int_equal(json_array_size(rows), 1 + 2 + 1);
    for (size_t i = 0; i < 3; i++) {
        const json_t *row = json_array_get(rows, i);
        trials += json_number_value(json_object_get(row, "trials"));
        assert_true(json_number_value(json_object_get(row, "step_ms")) > 0);
        assert_true(json_number_value(json_object_get(row, "memory_mb")) > 0.01);
    }
    EXPECT_OK(context, kd2m_study_count(study, &done, &total));
    EXPECT_CLOSE((double)total, trials, 0, 0);
    assert_int_equal(total, 11);
    assert_int_equal(done, 0);
    assert_true(seconds > 0);
    assert_non_null(strstr(text, "a budget of 0 s fits 0 % of it"));
    char path[256];
    snprintf(path, sizeof path, "%s/untrained-0.safetensors", reference);
    assert_null(fopen(path, "r"));
    json_decref(root);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

static void test_whole(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_study *study = open_study(context, reference, plan);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_study_final(study));
    EXPECT_MESSAGE(context, "0 of 11 trials are done");
    EXPECT_OK(context, kd2m_study_run(study));
    char *before = results(context, study);
    assert_non_null(strstr(before, "validation"));
    assert_null(strstr(before, "\"test\""));
    EXPECT_OK(context, kd2m_study_final(study));
    char *after = results(context, study);
    assert_non_null(strstr(after, "\"test\""));
    assert_non_null(strstr(after, "\"noise\""));
    kd2m_table *table;
    char *text;
    EXPECT_OK(context, kd2m_study_winners(&table, study));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_non_null(strstr(text, "*w2@features"));
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    EXPECT_OK(context, kd2m_study_progress(&table, study));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_non_null(strstr(text, "all            0        0    11       0"));
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    kd2m_text_free(context, before);
    kd2m_text_free(context, after);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

static int polls_left;

static int stop_after_some_polls(void *user) {
    (void)user;
    return polls_left-- <= 0;
}

/* Stopped again and again, a study ends in the figures of one that was left alone. */
static void test_interrupts(void **state) {
    (void)state;
    kd2m_context_settings stopping;
    kd2m_context_settings_default(&stopping);
    stopping.threads = 1;
    stopping.interrupted = stop_after_some_polls;
    char torn[128];
    kd2m_context *context = NULL;
    kd2m_status status;
    size_t sittings = 0;
    snprintf(torn, sizeof torn, "%s", testing_folder());
    do {
        assert_int_equal(kd2m_context_create(&context, &stopping), KD2M_OK);
        kd2m_study *study = open_study(context, torn, plan);
        polls_left = 5 + (int)(sittings * 7 % 23);
        status = kd2m_study_run(study);
        kd2m_study_free(study);
        if (status != KD2M_OK) {
            assert_int_equal(status, KD2M_ERROR_INTERRUPTED);
            EXPECT_MESSAGE(context, "the same command goes on");
        }
        kd2m_context_free(context);
        assert_true(++sittings < 2000);
    } while (status != KD2M_OK);
    assert_true(sittings > 5);
    context = testing_context(1);
    kd2m_study *one = open_study(context, torn, NULL),
               *other = open_study(context, reference, NULL);
    EXPECT_OK(context, kd2m_study_final(one));
    char *a = results(context, one), *b = results(context, other);
    assert_string_equal(a, b);
    kd2m_text_free(context, a);
    kd2m_text_free(context, b);
    kd2m_study_free(one);
    kd2m_study_free(other);
    kd2m_context_free(context);
}

/* A trial whose data are missing fails; the others go on, and the end says so. */
static void test_failing_trial(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    char own[128], bad[256];
    snprintf(own, sizeof own, "%s", testing_folder());
    write_plan(own, bad, "students",
               "[\"mlp:64-4-7\", {\"name\": \"odd\", \"settings\": {\"model\": \"mlp:65-4-7\"}}]");
    kd2m_study *study = open_study(context, own, bad);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_study_run(study));
    EXPECT_MESSAGE(context, "4 trials failed and 6 wait for them");
    char *text = results(context, study);
    assert_non_null(strstr(text, "mlp:64-4-7"));
    assert_null(strstr(text, "odd"));
    kd2m_text_free(context, text);
    kd2m_study_free(study);
    kd2m_context_free(context);
}

static void test_refuses(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_study_settings settings = defaults();
    kd2m_study *study;
    char own[128], other[256];
    snprintf(own, sizeof own, "%s", testing_folder());
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_study_open(&study, context, own, NULL, &settings));
    EXPECT_MESSAGE(context, "say which plan to follow");
    assert_null(study);
    write_plan(own, other, "seeds", "3");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_study_open(&study, context, reference, other, &settings));
    EXPECT_MESSAGE(context, "another plan");
    settings.lease = 0;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_study_open(&study, context, own, plan, &settings));
    kd2m_context_free(context);
}

static void test_failing_memory(void **state) {
    (void)state;
    kd2m_study_settings settings = defaults();
    for (size_t fail_at = 0;; fail_at++) {
        kd2m_context *context = testing_failing_context(fail_at);
        kd2m_study *study;
        kd2m_table *table = NULL;
        kd2m_status status = kd2m_study_open(&study, context, reference, plan, &settings);
        if (status == KD2M_OK)
            status = kd2m_study_results(&table, study, "macro_f1");
        kd2m_table_free(table);
        kd2m_study_free(study);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
        if (status == KD2M_OK) {
            assert_true(fail_at > 20);
            return;
        }
        assert_int_equal(status, KD2M_ERROR_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_estimate),   cmocka_unit_test(test_whole),
        cmocka_unit_test(test_interrupts), cmocka_unit_test(test_failing_trial),
        cmocka_unit_test(test_refuses),    cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
