/* Runs: the same bytes twice, interrupted and resumed, out of memory at every place. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

static char teacher_path[256];

static kd2m_train_settings small_settings(void) {
    kd2m_train_settings settings;
    kd2m_settings_default(kd2m_train_setting_list(), &settings);
    settings.data = FIXTURE_DATA;
    settings.model = "mlp:128-8-7";
    settings.teacher = teacher_path;
    settings.loss = "ce + kd:T=4 + cond(w2) + 1*sinkhorn-div@features";
    settings.epochs = 4;
    settings.batch_size = 10;
    settings.sampler = "balanced";
    settings.lr = 0.01;
    settings.clip = 1;
    settings.augment = "shift+gain+noise";
    return settings;
}

static kd2m_run_result run(kd2m_context *context, const char *folder,
                           const kd2m_train_settings *settings, kd2m_run_mode mode) {
    kd2m_run_result result;
    EXPECT_OK(context, kd2m_run(&result, context, folder, settings, mode));
    return result;
}

static void test_repeats_to_the_bit(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    kd2m_train_settings settings = small_settings();
    char a[128], b[128];
    snprintf(a, sizeof a, "%s", testing_folder());
    snprintf(b, sizeof b, "%s", testing_folder());
    kd2m_run_result result = run(context, a, &settings, KD2M_RUN_NEW);
    assert_int_equal(result.parameters, 128 * 8 + 8 + 8 * 7 + 7);
    assert_int_equal(result.epochs, 4);
    assert_true(result.best_epoch >= 1 && result.best_epoch <= 4);
    assert_true(result.test_accuracy >= 0 && result.test_accuracy <= 1);
    assert_true(isfinite(result.teacher_accuracy));
    run(context, b, &settings, KD2M_RUN_NEW);
    fixture_expect_same_model(a, b);
    settings.seed = 1;
    run(context, b, &settings, KD2M_RUN_FORCE);
    size_t size;
    char *first = fixture_read(a, "model.safetensors", &size);
    char *second = fixture_read(b, "model.safetensors", &size);
    assert_true(memcmp(first, second, size) != 0);
    free(first);
    free(second);
    kd2m_context_free(context);
}

static int polls_left;

static int stop_after_some_polls(void *user) {
    (void)user;
    return polls_left-- <= 0;
}

/* Interrupted after every possible number of polls, then resumed: the same model. */
static void test_interrupts(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_train_settings settings = small_settings();
    char whole[128], torn[128];
    snprintf(whole, sizeof whole, "%s", testing_folder());
    snprintf(torn, sizeof torn, "%s", testing_folder());
    run(context, whole, &settings, KD2M_RUN_NEW);
    kd2m_context_settings stopping;
    kd2m_context_settings_default(&stopping);
    stopping.threads = 1;
    stopping.interrupted = stop_after_some_polls;
    kd2m_context *interrupted;
    assert_int_equal(kd2m_context_create(&interrupted, &stopping), KD2M_OK);
    int interruptions = 0;
    for (int polls = 1;; polls += 3) {
        kd2m_run_result result;
        remove(torn);
        kd2m_status status = KD2M_ERROR_INTERRUPTED;
        for (int sitting = 0; status == KD2M_ERROR_INTERRUPTED && sitting < 2; sitting++) {
            polls_left = polls;
            status = kd2m_run(&result, interrupted, torn, &settings,
                              sitting == 0 ? KD2M_RUN_FORCE : KD2M_RUN_RESUME);
            interruptions += status == KD2M_ERROR_INTERRUPTED;
        }
        if (status == KD2M_ERROR_INTERRUPTED)
            run(context, torn, &settings, KD2M_RUN_RESUME);
        else
            EXPECT_OK(interrupted, status);
        fixture_expect_same_model(whole, torn);
        if (polls > 45)
            break;
    }
    assert_true(interruptions > 10);
    kd2m_context_free(interrupted);
    kd2m_context_free(context);
}

static void test_modes(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_train_settings settings = small_settings();
    kd2m_run_result result;
    const char *folder = testing_folder();
    settings.epochs = 1;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_run(&result, context, folder, NULL, KD2M_RUN_RESUME));
    EXPECT_MESSAGE(context, "no run to resume");
    kd2m_run_result first = run(context, folder, &settings, KD2M_RUN_NEW);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_run(&result, context, folder, &settings, KD2M_RUN_NEW));
    EXPECT_MESSAGE(context, "--resume");
    kd2m_run_result again = run(context, folder, NULL, KD2M_RUN_RESUME);
    assert_int_equal(again.epochs, 1);
    EXPECT_CLOSE(first.test_loss, again.test_loss, 0, 0);
    settings.lr = 0.02;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_run(&result, context, folder, &settings, KD2M_RUN_RESUME));
    EXPECT_MESSAGE(context, "lr");
    run(context, folder, &settings, KD2M_RUN_FORCE);
    kd2m_context_free(context);
}

/* The best epoch is chosen by validation, the last one on request; neither looks at test. */
static void test_selection(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_train_settings settings = small_settings();
    char best[128], last[128];
    snprintf(best, sizeof best, "%s", testing_folder());
    snprintf(last, sizeof last, "%s", testing_folder());
    settings.epochs = 6;
    settings.loss = "ce";
    settings.clip = 0;
    settings.lr = 0.4; /* restless, so that the last epoch is not the best */
    kd2m_run_result chosen = run(context, best, &settings, KD2M_RUN_NEW);
    settings.select = "last";
    kd2m_run_result final = run(context, last, &settings, KD2M_RUN_NEW);
    assert_int_equal(final.best_epoch, 6);
    assert_true(chosen.validation_accuracy >= final.validation_accuracy);
    kd2m_context_free(context);
}

static json_t *read_json(const char *folder, const char *name) {
    size_t size;
    char *text = fixture_read(folder, name, &size);
    json_t *found = json_loadb(text, size, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(found);
    free(text);
    return found;
}

static json_int_t number_of(const json_t *term, const char *key) {
    const json_t *found = json_object_get(term, key);
    assert_true(json_is_integer(found));
    return json_integer_value(found);
}

/* One iteration is never enough: every step counts, in the log by epoch, in the result in all. */
static void test_convergence_is_counted(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_train_settings settings = small_settings();
    const char *folder = testing_folder();
    settings.loss = "ce + w2 + cond(sinkhorn:iters=1)";
    kd2m_run_result result = run(context, folder, &settings, KD2M_RUN_NEW);
    json_t *line = read_json(folder, "log.jsonl"), *whole = read_json(folder, "result.json");
    json_int_t steps = number_of(line, "steps");
    json_t *terms = json_object_get(line, "terms");
    assert_true(steps > 1);
    assert_int_equal(number_of(json_array_get(terms, 1), "unconverged"), 0);
    assert_int_equal(number_of(json_array_get(terms, 2), "unconverged"), steps);
    assert_true(json_real_value(json_object_get(json_array_get(terms, 2), "iterations")) >= 1);
    assert_true(
        json_real_value(json_object_get(json_array_get(terms, 2), "largest_marginal_error")) > 0);
    terms = json_object_get(whole, "terms");
    assert_int_equal(json_array_size(terms), 2);
    assert_int_equal(number_of(json_array_get(terms, 0), "unconverged"), 0);
    assert_int_equal(number_of(json_array_get(terms, 1), "unconverged"), 4 * steps);
    assert_int_equal(number_of(whole, "unconverged"), 4 * steps);
    assert_int_equal(result.unconverged, 4 * steps);
    json_decref(line);
    json_decref(whole);

    settings.strict = 1;
    EXPECT_STATUS(context, KD2M_ERROR_NUMERIC,
                  kd2m_run(&result, context, folder, &settings, KD2M_RUN_FORCE));
    EXPECT_MESSAGE(context, "epoch 1, step 1: term 'cond(sinkhorn:iters=1)': cond(sinkhorn:");
    EXPECT_MESSAGE(context, "did not converge: gap ");
    EXPECT_MESSAGE(context, "raise iters= or eps=");
    line = read_json(folder, "log.jsonl");
    assert_int_equal(number_of(line, "epoch"), 1);
    assert_int_equal(number_of(line, "step"), 1);
    assert_non_null(
        strstr(json_string_value(json_object_get(line, "error")), "epoch 1, step 1: term 'cond("));
    json_decref(line);
    kd2m_context_free(context);
}

/* A loss that is no number any more ends the log; a resumed run breaks down at the same step, with
 * the very same log. */
static void test_breakdowns_are_logged_once(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_train_settings settings = small_settings();
    kd2m_run_result result;
    const char *folder = testing_folder();
    size_t sizes[2];
    settings.loss = "ce";
    settings.clip = 0;
    settings.lr = 1000;
    settings.warmup = 4;
    for (int sitting = 0; sitting < 2; sitting++) {
        EXPECT_STATUS(context, KD2M_ERROR_NUMERIC,
                      kd2m_run(&result, context, folder, &settings, KD2M_RUN_RESUME));
        EXPECT_MESSAGE(context, "not a number any more");
        char *log = fixture_read(folder, "log.jsonl", &sizes[sitting]);
        log[sizes[sitting] - 1] = '\0';
        char *last = strrchr(log, '\n');
        assert_non_null(last ? strstr(last, "\"error\":\"epoch ") : NULL);
        free(log);
    }
    EXPECT_CLOSE((double)sizes[0], (double)sizes[1], 16, 0); /* the seconds' digits */
    kd2m_context_free(context);
}

/* Where all solvers converge, strict changes nothing. */
static void test_strict_runs_are_the_same(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_train_settings settings = small_settings();
    char loose[128], strict[128];
    snprintf(loose, sizeof loose, "%s", testing_folder());
    snprintf(strict, sizeof strict, "%s", testing_folder());
    settings.epochs = 2;
    assert_int_equal(run(context, loose, &settings, KD2M_RUN_NEW).unconverged, 0);
    settings.strict = 1;
    run(context, strict, &settings, KD2M_RUN_NEW);
    fixture_expect_same_model(loose, strict);
    kd2m_context_free(context);
}

/* Features and logits that are not numbers are the training's outcome, not bad input. */
static void test_divergence(void **state) {
    (void)state;
    static const char *const losses[] = {"ce + w2@features", "ce + energy@features", "ce + kd:T=4"};
    kd2m_context *context = testing_context(1);
    kd2m_train_settings settings = small_settings();
    kd2m_run_result result;
    settings.clip = 0;
    settings.lr = 1000;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        settings.loss = losses[i];
        EXPECT_STATUS(context, KD2M_ERROR_NUMERIC,
                      kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_FORCE));
    }
    EXPECT_MESSAGE(context, "what the student says is not a number any more");
    kd2m_context_free(context);
}

static void test_failing_allocations(void **state) {
    (void)state;
    kd2m_train_settings settings = small_settings();
    const char *folder = testing_folder();
    settings.epochs = 1;
    kd2m_context *context = testing_failing_context(SIZE_MAX);
    kd2m_run_result result;
    kd2m_table *profile;
    EXPECT_OK(context,
              kd2m_run_profiled(&result, &profile, context, folder, &settings, KD2M_RUN_FORCE));
    kd2m_table_free(profile);
    size_t count = testing_allocations();
    kd2m_context_free(context);
    for (size_t fail_at = 0; fail_at < count; fail_at += 1 + fail_at / 40) {
        kd2m_context *failing = testing_failing_context(fail_at);
        profile = (kd2m_table *)folder;
        EXPECT_STATUS(
            failing, KD2M_ERROR_MEMORY,
            kd2m_run_profiled(&result, &profile, failing, folder, &settings, KD2M_RUN_FORCE));
        assert_null(profile);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeats_to_the_bit),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_convergence_is_counted),
        cmocka_unit_test(test_breakdowns_are_logged_once),
        cmocka_unit_test(test_strict_runs_are_the_same),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_failing_allocations),
    };
    snprintf(teacher_path, sizeof teacher_path, "%s/teacher.safetensors", testing_folder());
    fixture_write_teacher(teacher_path);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
