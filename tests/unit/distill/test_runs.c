/* Lists of runs, from folders that are made by hand: what is told of each, conditions, order,
 * differences, damage, out of memory at every place. */
#include "testing.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "kd2m/runs.h"

static kd2m_context *context;
static char root[128]; /* of the runs that most tests look at */

static void write_bytes(const char *folder, const char *name, const char *bytes, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    const struct timespec times[2] = {{1700000000, 0}, {1700000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The folder BELOW/NAME with those of the files that are not NULL. Static buffer. */
static const char *make_run(const char *below, const char *name, const char *config,
                            const char *log, const char *result) {
    static char folder[256];
    snprintf(folder, sizeof folder, "%s/%s", below, name);
    mkdir(folder, 0777);
    if (config)
        write_bytes(folder, "config.json", config, strlen(config));
    if (log)
        write_bytes(folder, "log.jsonl", log, strlen(log));
    if (result)
        write_bytes(folder, "result.json", result, strlen(result));
    return folder;
}

#define CONFIG(settings)                                                                           \
    "{\"format\": 1, \"version\": \"0.1.0\", \"threads\": 2, \"data_digest\": \"00ff\","           \
    " \"teacher_digest\": null, \"settings\": {\"data\": \"idx:d\", \"model\": \"mlp:4-2\", "      \
    "\"epochs\": 3, " settings "}}"
#define EPOCH(number, accuracy)                                                                    \
    "{\"epoch\":" #number ",\"validation_accuracy\":" #accuracy ",\"seconds\":" #number ".5}\n"
#define RESULT(validation, test)                                                                   \
    "{\"test_accuracy\": " #test ", \"validation_accuracy\": " #validation                         \
    ", \"parameters\": 10, \"seconds\": 4.25, \"epochs\": 3, \"best_epoch\": 2, "                  \
    "\"unconverged\": 0, \"terms\": []}"

static int make_runs(void **state) {
    (void)state;
    char below[160];
    context = testing_context(1);
    setenv("TZ", "UTC", 1);
    snprintf(root, sizeof root, "%s", testing_folder());
    snprintf(below, sizeof below, "%s/trials", root);
    make_run(root, "a", CONFIG("\"lr\": 0.1, \"validation\": 0.25"), EPOCH(1, 0.5),
             RESULT(0.75, null));
    make_run(root, "b", CONFIG("\"lr\": 1e-5, \"seed\": 7, \"teacher\": \"a\", \"metric\": \"w2\""),
             EPOCH(1, 0.5) EPOCH(2, 0.25) "{\"epoch\":3,\"valid", NULL);
    make_run(root, "trials", NULL, NULL, NULL);
    make_run(below, "c", CONFIG("\"lr\": 0.1, \"select\": \"last\""),
             EPOCH(1, 0.5) EPOCH(2, 0.25) "{\"epoch\":3,\"step\":9,\"error\":\"no number\"}\n",
             NULL);
    make_run(below, "d", CONFIG("\"blind\": 1"), NULL, RESULT(0.875, 0.5));
    make_run(below, "e", "{\"format\": 2, \"settings\": {}}", NULL, NULL);
    make_run(root, "empty", NULL, NULL, NULL);
    return 0;
}

static int close_context(void **state) {
    (void)state;
    kd2m_context_free(context);
    return 0;
}

static kd2m_runs_settings defaults(void) {
    kd2m_runs_settings settings;
    kd2m_settings_default(kd2m_runs_setting_list(), &settings);
    return settings;
}

static kd2m_table *list(const char *folder, const char *where, const kd2m_runs_settings *settings) {
    const kd2m_runs_settings usual = defaults();
    kd2m_table *table = NULL;
    EXPECT_OK(context, kd2m_runs_table(&table, context, &folder, 1, &where, where != NULL,
                                       settings ? settings : &usual));
    return table;
}

/* The table as JSON, a new reference; frees the table. */
static json_t *to_json(kd2m_table *table) {
    char *text = NULL;
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    return value;
}

/* Fails unless the runs' last names, strung together, are these; frees the table. */
static void expect_runs(kd2m_table *table, const char *expected) {
    char names[64] = "";
    json_t *value = to_json(table), *row;
    size_t i;
    json_array_foreach(json_object_get(value, "rows"), i, row) {
        const char *run = json_string_value(json_object_get(row, "run"));
        strncat(names, strrchr(run, '/') + 1, sizeof names - strlen(names) - 1);
    }
    assert_string_equal(names, expected);
    json_decref(value);
}

static void expect_csv(kd2m_table *table, const char *expected) {
    char *text = NULL;
    EXPECT_OK(context, kd2m_table_to_csv(table, &text));
    assert_string_equal(text, expected);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
}

static void test_all_is_told(void **state) {
    (void)state;
    char slash[160], expected[2048];
    snprintf(slash, sizeof slash, "%s/", root); /* as a shell completes it */
    const char *const head = "run,state,epoch,epochs,validation,test,seconds,date,seed,model,"
                             "teacher,loss,data,message\n";
    const char *const date = "2023-11-14 22:13:20";
    snprintf(expected, sizeof expected,
             "%s"
             "%s/a,done,3,3,0.75,,4.25,%s,0,mlp:4-2,,ce,idx:d,\n"
             "%s/b,open,2,3,0.5,,2.5,%s,7,mlp:4-2,a,ce + 1*w2,idx:d,\n"
             "%s/trials/c,diverged,2,3,0.25,,,%s,0,mlp:4-2,,ce,idx:d,no number\n"
             "%s/trials/d,done,3,3,0.875,0.5,4.25,%s,0,mlp:4-2,,ce,idx:d,\n"
             "%s/trials/e,damaged,,,,,,%s,,,,,,%s/trials/e/config.json: not a run's configuration "
             "of format 1\n",
             head, root, date, root, date, root, date, root, date, root, date, root);
    expect_csv(list(slash, NULL, NULL), expected);
    snprintf(slash, sizeof slash, "%s/a", root);
    snprintf(expected, sizeof expected, "%s%s/a,done,3,3,0.75,,4.25,%s,0,mlp:4-2,,ce,idx:d,\n",
             head, root, date);
    expect_csv(list(slash, NULL, NULL), expected);
    snprintf(slash, sizeof slash, "%s/empty", root);
    expect_csv(list(slash, NULL, NULL), head);
}

static void test_conditions(void **state) {
    (void)state;
    static const struct {
        const char *where, *runs;
    } cases[] = {
        {"lr=0.1", "ac"},
        {"lr==1e-1", "ac"},
        {"lr!=0.1", "bde"},
        {"lr<0.05", "b"},
        {"lr<=0.05", "bd"},
        {"lr>0.05", "ac"},
        {"lr>=0.05", "acd"},
        {"lr=", "e"},
        {"lr!=", "abcd"},
        {"loss~w2", "b"},
        {"loss!~w2", "acde"},
        {"loss=ce", "acd"},
        {"teacher=", "acde"},
        {"teacher!=", "b"},
        {"state=done", "ad"},
        {"state=damaged", "e"},
        {"validation>0.6", "ad"},
        {"validation-share=0.25", "a"},
        {"test>0.1", "d"},
        {"test=", "abce"},
        {"date>2023", "abcde"},
        {"date<2023-11-14", ""},
        {"epoch<3", "bc"},
        {"best_epoch=2", "ad"},
        {"blind=1", "d"},
        {"message~number", "c"},
        {"run~trials", "cde"},
        {"threads=2", "abcd"},
        {"data_digest=00ff", "abcd"},
        {"parameters>9", "ad"},
        {"weight_decay=0.0001", "abcd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_runs(list(root, cases[i].where, NULL), cases[i].runs);
    const kd2m_runs_settings settings = defaults();
    const char *folder = root;
    const char *const both[] = {"lr=0.1", "state=done"};
    kd2m_table *table = NULL;
    EXPECT_OK(context, kd2m_runs_table(&table, context, &folder, 1, both, 2, &settings));
    expect_runs(table, "a");
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *where, *message;
    } cases[] = {
        {"", "'' is no condition"},
        {"lr", "'lr' is no condition: say KEY"},
        {"lr!0.1", "no condition"},
        {"=1", "no setting or result ''"},
        {"lrr=1", "'lrr=1': a run has no setting or result 'lrr' (did you mean 'lr'?)"},
        {"lr=much", "lr is a number, 'much' is not"},
        {"lr=1x", "lr is a number, '1x' is not"},
        {"lr~1", "lr is a number: ~ is for texts"},
    };
    kd2m_runs_settings settings = defaults();
    const char *folder = root;
    kd2m_table *table;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        table = (kd2m_table *)root;
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_runs_table(&table, context, &folder, 1, &cases[i].where, 1, &settings));
        EXPECT_MESSAGE(context, cases[i].message);
        assert_null(table);
    }
    settings.sort = "validatoin";
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_runs_table(&table, context, &folder, 1, NULL, 0, &settings));
    EXPECT_MESSAGE(context, "did you mean 'validation'");
    settings = defaults();
    settings.limit = -1;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_runs_table(&table, context, &folder, 1, NULL, 0, &settings));
    settings = defaults();
    folder = "/nowhere/at/all";
    EXPECT_STATUS(context, KD2M_ERROR_IO,
                  kd2m_runs_table(&table, context, &folder, 1, NULL, 0, &settings));
    EXPECT_MESSAGE(context, "/nowhere/at/all: can't be read");
}

static void expect_order(const char *key, bool reverse, int64_t limit, const char *runs) {
    kd2m_runs_settings settings = defaults();
    settings.sort = key;
    settings.reverse = reverse;
    settings.limit = limit;
    expect_runs(list(root, NULL, &settings), runs);
}

static void test_order(void **state) {
    (void)state;
    expect_order(NULL, false, 0, "abcde");
    expect_order("run", true, 0, "edcba");
    expect_order("validation", false, 0, "cbade");
    expect_order("validation", true, 0, "dabce"); /* what is not known comes last */
    expect_order("validation", true, 2, "da");
    expect_order("teacher", false, 0, "bacde");
    expect_order("lr", false, 9, "bdace");
    expect_order("state", false, 1, "e");
}

static char *last_note(json_t *table) {
    json_t *notes = json_object_get(table, "notes");
    assert_int_equal(json_array_size(notes), 1);
    return strdup(json_string_value(json_array_get(notes, 0)));
}

static void expect_note(kd2m_table *table, const char *expected) {
    json_t *value = to_json(table);
    char *note = last_note(value);
    assert_string_equal(note, expected);
    free(note);
    json_decref(value);
}

static void test_what_is_not_shown_is_told(void **state) {
    (void)state;
    char empty[160];
    kd2m_runs_settings settings = defaults();
    snprintf(empty, sizeof empty, "%s/empty", root);
    expect_note(list(empty, NULL, NULL), "no runs");
    expect_note(list(root, "state!=open", NULL), "4 of 5 runs");
    expect_note(list(root, "lr=0.1", NULL),
                "2 of 5 runs; damaged ones are among the others: --where state=damaged");
    settings.limit = 3;
    expect_note(list(root, NULL, &settings), "3 of 5 runs");
}

static void test_differences(void **state) {
    (void)state;
    char expected[1024];
    kd2m_runs_settings settings = defaults();
    settings.compare = 1;
    json_t *whole = to_json(list(root, NULL, &settings));
    json_t *columns = json_object_get(whole, "columns");
    assert_int_equal(json_array_size(columns),
                     7 + 8); /* of all: b's teacher, metric, loss, seed; blind */
    json_decref(whole);
    const char *folder = root;
    const char *const where[] = {"teacher=", "state!=damaged", "blind=0"};
    kd2m_table *table = NULL;
    EXPECT_OK(context, kd2m_runs_table(&table, context, &folder, 1, where, 2, &settings));
    snprintf(expected, sizeof expected,
             "run,validation_share,lr,select,blind,state,epoch,validation,test,seconds,message\n"
             "%s/a,0.25,0.1,best,0,done,3,0.75,,4.25,\n"
             "%s/trials/c,0.1,0.1,last,0,diverged,2,0.25,,,no number\n"
             "%s/trials/d,0.1,0.05,best,1,done,3,0.875,0.5,4.25,\n",
             root, root, root);
    expect_csv(table, expected);
    EXPECT_OK(context, kd2m_runs_table(&table, context, &folder, 1, where, 3, &settings));
    char *text = NULL;
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_null(strstr(text, "blind"));
    assert_non_null(strstr(text, "0.25"));
    kd2m_text_free(context, text);
    kd2m_table_free(table);
}

/* The one run below a folder: fails unless its state and message are these. */
static void expect_state(const char *folder, const char *state, const char *message) {
    json_t *value = to_json(list(folder, NULL, NULL));
    const json_t *rows = json_object_get(value, "rows"), *row = json_array_get(rows, 0);
    const char *told = json_string_value(json_object_get(row, "message"));
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(json_string_value(json_object_get(row, "state")), state);
    if (message && !(told && strstr(told, message)))
        fail_msg("'%s' should hold '%s'", told ? told : "no message", message);
    json_decref(value);
}

static void test_damage(void **state) {
    (void)state;
    static const char sound[] = CONFIG("\"lr\": 1");
    static const struct {
        const char *config, *log, *result, *message;
    } cases[] = {
        {NULL, EPOCH(1, 1), NULL, "config.json: can't be opened"},
        {NULL, NULL, RESULT(1, 1), "config.json: can't be opened"},
        {"", NULL, NULL, "config.json: not JSON"},
        {"[]", NULL, NULL, "not a run's configuration of format 1"},
        {"{\"format\": 1}", NULL, NULL, "not a run's configuration"},
        {"{\"format\": \"1\", \"settings\": {}}", NULL, NULL, "not a run's configuration"},
        {"{\"format\": 1, \"settings\": [1]}", NULL, NULL, "not a run's configuration"},
        {CONFIG("\"lr\": \"x\""), NULL, NULL, "lr takes a number"},
        {CONFIG("\"lr\": 1e999"), NULL, NULL, "config.json"},
        {CONFIG("\"lr\": 1, \"lr\": 2"), NULL, NULL, "duplicate"},
        {CONFIG("\"seed\": -1e300"), NULL, NULL, "seed takes"},
        {CONFIG("\"later\": 1"), NULL, NULL, "no setting 'later'"},
        {CONFIG("\"loss\": \"ce\", \"metric\": \"w2\""), NULL, NULL, "give one of the two"},
        {CONFIG("\"loss\": \"\xff\""), NULL, NULL, "unable to decode byte 0xff"},
        {sound, "{}\n[]\n", NULL, "log.jsonl: line 2 is not an epoch's"},
        {sound, EPOCH(1, 1) "\n", NULL, "log.jsonl: line 2 is not JSON"},
        {sound, "{\"epoch\": \"one\"}\n", NULL, "'epoch' is not a number"},
        {sound, EPOCH(1, true), NULL, "'validation_accuracy' is not a number"},
        {sound, NULL, "[]", "not a run's result"},
        {sound, NULL, "{} {}", "result.json: not JSON"},
        {sound, NULL, RESULT("0.5", 1), "'validation_accuracy' is not a number"},
        {sound, NULL, "{\"epochs\": {}}", "'epochs' is not a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *below = testing_folder();
        make_run(below, "x", cases[i].config, cases[i].log, cases[i].result);
        expect_state(below, "damaged", cases[i].message);
    }
    const char *below = testing_folder();
    make_run(below, "x", CONFIG("\"lr\": 1"), "{\"error\": 1}\n{\"epoch\": 1e300}\n", NULL);
    expect_state(below, "open", NULL); /* no epoch that can be told */
    make_run(below, "x", NULL, "a\0b\n", "{}");
    expect_state(below, "done", NULL); /* a result tells all; the log is not read */
}

/* Every truncation of a file: damaged or, of the log, so many epochs less. */
static void test_truncations(void **state) {
    (void)state;
    static const char config[] = CONFIG("\"lr\": 1"), log[] = EPOCH(1, 0.5) EPOCH(2, 0.75),
                      result[] = RESULT(0.5, 0.25);
    const char *folder = make_run(testing_folder(), "x", config, log, result);
    expect_state(folder, "done", NULL);
    for (size_t size = 0; size < sizeof result - 1; size++) {
        write_bytes(folder, "result.json", result, size);
        expect_state(folder, "damaged", "result.json: not JSON");
    }
    char path[512];
    snprintf(path, sizeof path, "%s/result.json", folder);
    assert_int_equal(unlink(path), 0);
    for (size_t size = 0; size < sizeof log; size++) {
        write_bytes(folder, "log.jsonl", log, size);
        const char *epochs = size < sizeof EPOCH(1, 0.5) - 1 ? "epoch=0"
                             : size < sizeof log - 1         ? "epoch=1"
                                                             : "epoch=2";
        expect_state(folder, "open", NULL);
        expect_runs(list(folder, epochs, NULL), "x");
    }
    for (size_t size = 0; size < sizeof config - 1; size++) {
        write_bytes(folder, "config.json", config, size);
        expect_state(folder, "damaged", "config.json: not JSON");
    }
}

/* Links to folders would lead in circles; folders called as files are no runs. */
static void test_odd_entries(void **state) {
    (void)state;
    char path[256], fill[300];
    const char *below = testing_folder();
    make_run(below, "x", CONFIG("\"lr\": 1"), NULL, NULL);
    snprintf(path, sizeof path, "%s/x/again", below);
    assert_int_equal(symlink(below, path), 0);
    snprintf(path, sizeof path, "%s/config.json", below);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/\xff", below); /* not UTF-8 */
    assert_int_equal(mkdir(path, 0777), 0);
    expect_runs(list(below, NULL, NULL), "x");
    memset(fill, 'n', sizeof fill - 1);
    fill[sizeof fill - 1] = '\0';
    const kd2m_runs_settings settings = defaults();
    const char *folder = fill;
    kd2m_table *table = NULL;
    EXPECT_STATUS(context, KD2M_ERROR_IO,
                  kd2m_runs_table(&table, context, &folder, 1, NULL, 0, &settings));
    EXPECT_MESSAGE(context, "name too long");
}

static void test_failing_allocations(void **state) {
    (void)state;
    kd2m_runs_settings settings = defaults();
    const char *folder = root, *where = "epochs!=9";
    settings.compare = 1;
    kd2m_context *failing = testing_failing_context(SIZE_MAX);
    kd2m_table *table = NULL;
    EXPECT_OK(failing, kd2m_runs_table(&table, failing, &folder, 1, &where, 1, &settings));
    kd2m_table_free(table);
    size_t count = testing_allocations();
    kd2m_context_free(failing);
    for (size_t fail_at = 0; fail_at < count; fail_at++) {
        failing = testing_failing_context(fail_at);
        table = (kd2m_table *)root;
        EXPECT_STATUS(failing, KD2M_ERROR_MEMORY,
                      kd2m_runs_table(&table, failing, &folder, 1, &where, 1, &settings));
        assert_null(table);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_told),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_what_is_not_shown_is_told),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_odd_entries),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, make_runs, close_context);
}
