/* The data base: claims, leases, owners that died, outcomes, plans. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "context.h"
#include "plans.h"
#include "store.h"

static kd2m_store *open_store(kd2m_context *context, const char *folder, double lease) {
    char path[256];
    kd2m_store *store;
    snprintf(path, sizeof path, "%s/study.db", folder);
    EXPECT_OK(context, kd2m_store_open(&store, context, path, lease));
    return store;
}

/* A trial of the search whose settings are {"seed": candidate}. */
static void add(kd2m_context *context, kd2m_store *store, size_t candidate, const char *teacher) {
    json_t *settings = json_pack("{s:I}", "seed", (json_int_t)candidate);
    const kd2m_place place = {.stage = KD2M_STAGE_SEARCH, .candidate = candidate};
    EXPECT_OK(context, kd2m_store_add(store, &place, settings, teacher));
    json_decref(settings);
}

/* The candidate that is handed out; -1 for none. */
static int claim(kd2m_context *context, kd2m_store *store, kd2m_claim *out) {
    bool found;
    EXPECT_OK(context, kd2m_store_claim(store, out, &found));
    if (!found)
        return -1;
    assert_int_equal(json_integer_value(json_object_get(out->settings, "seed")),
                     out->place.candidate);
    kd2m_claim_clear(out);
    return (int)out->place.candidate;
}

static void finish(kd2m_context *context, kd2m_store *store, const kd2m_claim *of, double score) {
    const kd2m_outcome outcome = {.score = score, .result = "{}"};
    EXPECT_OK(context, kd2m_store_finish(store, of->trial, &outcome));
}

static void test_claims(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_store *store = open_store(context, testing_folder(), 60);
    kd2m_claim first, second, third;
    for (size_t k = 0; k < 2; k++)
        add(context, store, k, "");
    add(context, store, 1, ""); /* a place has one trial */
    assert_int_equal(claim(context, store, &first), 0);
    assert_int_equal(claim(context, store, &second), 1);
    assert_int_equal(claim(context, store, &third), -1);
    finish(context, store, &first, 0.5);
    finish(context, store, &second, NAN);
    assert_int_equal(claim(context, store, &third), -1);
    kd2m_trial_row *rows;
    size_t count;
    EXPECT_OK(context, kd2m_store_trials(store, &rows, &count));
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].state, KD2M_TRIAL_DONE);
    EXPECT_CLOSE(0.5, rows[0].score, 0, 0);
    assert_true(isnan(rows[1].score));
    assert_string_equal(rows[0].hash, first.hash);
    free(rows);
    kd2m_store_close(store);
    kd2m_context_free(context);
}

/* A student waits for its teacher; trials in one folder wait for each other. */
static void test_order(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_store *store = open_store(context, testing_folder(), 60);
    char hash[KD2M_HASH_SIZE];
    kd2m_claim teacher, student;
    json_t *settings = json_pack("{s:i}", "seed", 7);
    const kd2m_place place = {.stage = KD2M_STAGE_TEACHER, .candidate = 7};
    EXPECT_OK(context, kd2m_store_hash(context, settings, "", hash));
    add(context, store, 0, hash);
    EXPECT_OK(context, kd2m_store_add(store, &place, settings, ""));
    json_decref(settings);
    add(context, store, 7, ""); /* the same settings as the teacher's */
    assert_int_equal(claim(context, store, &teacher), 7);
    assert_int_equal(teacher.place.stage, KD2M_STAGE_TEACHER);
    assert_int_equal(claim(context, store, &student), -1);
    finish(context, store, &teacher, 1);
    assert_int_equal(claim(context, store, &student), 0);
    assert_string_equal(student.teacher, hash);
    assert_int_equal(claim(context, store, &student), 7);
    assert_string_equal(student.hash, hash);
    kd2m_store_close(store);
    kd2m_context_free(context);
}

static void run_sql(const char *folder, const char *sql) {
    char path[256];
    sqlite3 *base;
    snprintf(path, sizeof path, "%s/study.db", folder);
    assert_int_equal(sqlite3_open(path, &base), SQLITE_OK);
    assert_int_equal(sqlite3_exec(base, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(base);
}

/* A lease that ended is anybody's; its former owner is told. */
static void test_leases(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    char folder[128];
    snprintf(folder, sizeof folder, "%s", testing_folder());
    kd2m_store *store = open_store(context, folder, 60);
    kd2m_claim mine, other;
    bool ours;
    add(context, store, 0, "");
    assert_int_equal(claim(context, store, &mine), 0);
    run_sql(folder, "UPDATE trial SET owner = 'elsewhere:1'");
    assert_int_equal(claim(context, store, &other), -1);
    EXPECT_OK(context, kd2m_store_renew(store, mine.trial, &ours));
    assert_false(ours);
    run_sql(folder, "UPDATE trial SET lease = 1");
    assert_int_equal(claim(context, store, &other), 0);
    EXPECT_OK(context, kd2m_store_renew(store, other.trial, &ours));
    assert_true(ours);
    EXPECT_OK(context, kd2m_store_release(store, other.trial));
    EXPECT_OK(context, kd2m_store_renew(store, other.trial, &ours));
    assert_false(ours);
    assert_int_equal(claim(context, store, &other), 0);
    kd2m_store_close(store);
    kd2m_context_free(context);
}

/* What a process of this machine held is free as soon as it is gone. */
static void test_dead_owner(void **state) {
    (void)state;
    char folder[128];
    snprintf(folder, sizeof folder, "%s", testing_folder());
    pid_t child = fork();
    if (child == 0) {
        kd2m_context *context = testing_context(1);
        kd2m_store *store = open_store(context, folder, 86400);
        kd2m_claim held;
        add(context, store, 3, "");
        _exit(claim(context, store, &held) == 3 ? 0 : 1);
    }
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    kd2m_context *context = testing_context(1);
    kd2m_store *store = open_store(context, folder, 60);
    kd2m_claim taken;
    assert_int_equal(claim(context, store, &taken), 3);
    kd2m_store_close(store);
    kd2m_context_free(context);
}

static void test_failed(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_store *store = open_store(context, testing_folder(), 60);
    kd2m_claim taken;
    const kd2m_outcome outcome = {.failed = true, .message = "no such file", .score = NAN};
    add(context, store, 0, "");
    claim(context, store, &taken);
    EXPECT_OK(context, kd2m_store_finish(store, taken.trial, &outcome));
    assert_int_equal(claim(context, store, &taken), -1);
    EXPECT_OK(context, kd2m_store_retry(store));
    assert_int_equal(claim(context, store, &taken), 0);
    kd2m_store_close(store);
    kd2m_context_free(context);
}

static void test_plans(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_store *store = open_store(context, testing_folder(), 60);
    char *text;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_store_plan(store, &text));
    EXPECT_MESSAGE(context, "say which plan to follow");
    EXPECT_OK(context, kd2m_store_keep_plan(store, "{\"a\":1}"));
    EXPECT_OK(context, kd2m_store_keep_plan(store, "{\"a\":1}"));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_store_keep_plan(store, "{\"a\":2}"));
    EXPECT_MESSAGE(context, "follows another plan");
    EXPECT_OK(context, kd2m_store_plan(store, &text));
    assert_string_equal(text, "{\"a\":1}");
    kd2m_text_free(context, text);
    kd2m_store_close(store);
    kd2m_context_free(context);
}

/* Files that are no study, or one of another format. */
static void test_refuses_files(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    char folder[128], path[256];
    kd2m_store *store;
    snprintf(folder, sizeof folder, "%s", testing_folder());
    snprintf(path, sizeof path, "%s/study.db", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 200; i++)
        fputs("this is no data base ", file);
    fclose(file);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_store_open(&store, context, path, 60));
    EXPECT_MESSAGE(context, "study.db");
    assert_null(store);
    assert_int_equal(remove(path), 0);
    run_sql(folder, "PRAGMA user_version = 99");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_store_open(&store, context, path, 60));
    EXPECT_MESSAGE(context, "format 99");
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_store_open(&store, context, "/no/such/place", 60));
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),        cmocka_unit_test(test_order),
        cmocka_unit_test(test_leases),        cmocka_unit_test(test_dead_owner),
        cmocka_unit_test(test_failed),        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_refuses_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
