/* Settings: one list of all types through defaults, setting, validation and JSON. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "json.h"
#include "kd2m/settings.h"

#define THING_SETTINGS(X)                                                                          \
    X(INTEGER, batch_size, "128", 1, 100000, "N", "rows in a batch")                               \
    X(INTEGER, seed, "-5", -9007199254740992.0, 9007199254740992.0, "N", "chooses the numbers")    \
    X(REAL, rate, "0.05", 0, 10, "R", "how fast")                                                  \
    X(FLAG, verbose, "0", 0, 0, "", "tells more")                                                  \
    X(TEXT, model, NULL, 0, 0, "SPEC", "what to train")                                            \
    X(TEXT, title, "none", 0, 0, "TEXT", "what to call it")                                        \
    X(CHOICE, schedule, "cosine", 0, 0, "cosine|step|constant", "rate over time")

typedef struct thing {
    THING_SETTINGS(KD2M_SETTINGS_FIELD)
} thing;

#define ROW(...) KD2M_SETTINGS_ROW(thing, __VA_ARGS__)
static const kd2m_setting rows[] = {THING_SETTINGS(ROW)};
static const kd2m_setting_list list = {rows, sizeof rows / sizeof *rows};

static kd2m_context *context;

static thing fresh(void) {
    thing made;
    memset(&made, 0xaa, sizeof made);
    kd2m_settings_default(&list, &made);
    return made;
}

static void the_list_declares_every_field(void **state) {
    (void)state;
    assert_int_equal(7, list.count);
    assert_string_equal("batch_size", rows[0].name);
    assert_int_equal(KD2M_SETTING_INTEGER, rows[0].type);
    assert_int_equal(offsetof(thing, batch_size), rows[0].offset);
    assert_string_equal("rows in a batch", rows[0].help);
    assert_int_equal(KD2M_SETTING_CHOICE, rows[6].type);
    assert_string_equal("cosine|step|constant", rows[6].metavar);
}

static void defaults_fill_every_field(void **state) {
    thing made = fresh();
    (void)state;
    assert_int_equal(128, made.batch_size);
    assert_int_equal(-5, made.seed);
    EXPECT_CLOSE(0.05, made.rate, 0, 0);
    assert_int_equal(0, made.verbose);
    assert_null(made.model);
    assert_string_equal("none", made.title);
    assert_string_equal("cosine", made.schedule);
    EXPECT_OK(context, kd2m_settings_validate(context, &list, &made));
}

static void every_type_is_set_from_text(void **state) {
    thing made = fresh();
    (void)state;
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "batch_size", "64"));
    assert_int_equal(64, made.batch_size);
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "batch-size", "1e3"));
    assert_int_equal(1000, made.batch_size);
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "batch-size", "100000"));
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "seed", "-9007199254740991"));
    assert_true(made.seed == INT64_C(-9007199254740991));
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "rate", "2.5e-3"));
    EXPECT_CLOSE(2.5e-3, made.rate, 0, 0);
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "rate", "10"));
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "verbose", "1"));
    assert_int_equal(1, made.verbose);
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "model", "mlp:8-2"));
    assert_string_equal("mlp:8-2", made.model);
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "title", ""));
    assert_string_equal("", made.title);
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "schedule", "step"));
    assert_string_equal("step", made.schedule);
    EXPECT_OK(context, kd2m_settings_set(context, &list, &made, "schedule", "constant"));
    EXPECT_OK(context, kd2m_settings_validate(context, &list, &made));
}

/* Refused texts, and what the message says of key, value and range. */
static void bad_values_are_refused(void **state) {
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        {"batch_size", "0", "batch_size takes a whole number from 1 to 100000, not '0'"},
        {"batch_size", "-1", "not '-1'"},
        {"batch-size", "100001", "batch_size takes a whole number from 1 to 100000, not '100001'"},
        {"batch_size", "2.5", "not '2.5'"},
        {"batch_size", "", "not ''"},
        {"batch_size", "x", "not 'x'"},
        {"batch_size", "8x", "not '8x'"},
        {"batch_size", " 8", "not ' 8'"},
        {"batch_size", "8 ", "not '8 '"},
        {"batch_size", "0x10", "not '0x10'"},
        {"batch_size", "1e400", "not '1e400'"},
        {"batch_size", "18446744073709551617", "not '18446744073709551617'"},
        {"seed", "1e17", "seed takes a whole number from -9007199254740992 to 9007199254740992"},
        {"rate", "-0.001", "rate takes a number from 0 to 10, not '-0.001'"},
        {"rate", "10.001", "not '10.001'"},
        {"rate", "nan", "not 'nan'"},
        {"rate", "NaN", "not 'NaN'"},
        {"rate", "inf", "not 'inf'"},
        {"rate", "-inf", "not '-inf'"},
        {"rate", "infinity", "not 'infinity'"},
        {"rate", "1e999", "not '1e999'"},
        {"rate", "0x1p-3", "not '0x1p-3'"},
        {"rate", "0,5", "not '0,5'"},
        {"rate", "1.2.3", "not '1.2.3'"},
        {"rate", ".", "not '.'"},
        {"rate", "+", "not '+'"},
        {"rate", "--1", "not '--1'"},
        {"verbose", "2", "verbose takes 0 or 1, not '2'"},
        {"verbose", "0.5", "not '0.5'"},
        {"verbose", "yes", "not 'yes'"},
        {"schedule", "linear", "schedule takes one of cosine|step|constant, not 'linear'"},
        {"schedule", "", "not ''"},
        {"schedule", "cos", "not 'cos'"},
        {"schedule", "cosine|step", "not 'cosine|step'"},
        {"schedule", "Cosine", "not 'Cosine'"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        thing made = fresh(), before = made;
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_settings_set(context, &list, &made, cases[c].name, cases[c].text));
        EXPECT_MESSAGE(context, cases[c].message);
        assert_int_equal(before.batch_size, made.batch_size);
        EXPECT_CLOSE(before.rate, made.rate, 0, 0);
        assert_string_equal(before.schedule, made.schedule);
    }
}

static void unknown_names_are_refused(void **state) {
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"batch_sise", "no setting 'batch_sise'; did you mean 'batch_size'?"},
        {"batch-sizes", "did you mean 'batch_size'?"},
        {"verbos", "did you mean 'verbose'?"},
        {"", "no setting ''"},
        {"batch", "no setting 'batch'"},
        {"batch_size_", "did you mean 'batch_size'?"},
    };
    thing made = fresh();
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_settings_set(context, &list, &made, cases[c].name, "1"));
        EXPECT_MESSAGE(context, cases[c].message);
    }
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_settings_set(context, &list, &made, "completely_else", "1"));
    assert_null(strstr(kd2m_context_message(context), "did you mean"));
}

static void structs_filled_by_hand_are_checked(void **state) {
    (void)state;
    for (int c = 0; c < 8; c++) {
        thing made = fresh();
        const char *message = "batch_size takes a whole number from 1 to 100000, not '0'";
        switch (c) {
        case 0:
            made.batch_size = 0;
            break;
        case 1:
            made.batch_size = INT64_MAX;
            message = "batch_size takes a whole number";
            break;
        case 2:
            made.rate = NAN;
            message = "rate takes a number from 0 to 10, not 'nan'";
            break;
        case 3:
            made.rate = INFINITY;
            message = "rate takes a number from 0 to 10, not 'inf'";
            break;
        case 4:
            made.rate = -1e-9;
            message = "not '-1e-09'";
            break;
        case 5:
            made.verbose = -1;
            message = "verbose takes 0 or 1, not '-1'";
            break;
        case 6:
            made.schedule = NULL;
            message = "schedule takes one of cosine|step|constant";
            break;
        default:
            made.schedule = "warm";
            message = "not 'warm'";
            break;
        }
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_settings_validate(context, &list, &made));
        EXPECT_MESSAGE(context, message);
    }
}

/* As JSON text and back: nothing is lost. */
static void json_keeps_every_field(void **state) {
    thing made = fresh(), back;
    json_t *object = NULL, *parsed = NULL;
    char *text = NULL;
    (void)state;
    made.batch_size = 77;
    made.seed = INT64_C(9007199254740991);
    made.rate = 0.1 + 0.2;
    made.verbose = 1;
    made.title = "Größe \"x\"\n\\";
    made.schedule = "step";
    EXPECT_OK(context, kd2m_settings_to_json(context, &list, &made, &object));
    assert_int_equal(list.count, json_object_size(object));
    for (size_t i = 0; i < list.count; i++)
        assert_non_null(json_object_get(object, rows[i].name));
    EXPECT_OK(context, kd2m_json_text(context, &text, object, 1));
    EXPECT_OK(context, kd2m_json_parse(context, &parsed, text, strlen(text), "thing"));
    memset(&back, 0, sizeof back);
    back.model = "to be nothing again";
    EXPECT_OK(context, kd2m_settings_from_json(context, &list, &back, parsed, "thing"));
    assert_int_equal(77, back.batch_size);
    assert_true(back.seed == made.seed);
    assert_memory_equal(&made.rate, &back.rate, sizeof made.rate);
    assert_int_equal(1, back.verbose);
    assert_null(back.model);
    assert_string_equal(made.title, back.title);
    assert_string_equal("step", back.schedule);
    kd2m_text_free(context, text);
    json_decref(parsed);
    json_decref(object);
}

static void bad_json_is_refused(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[]", "run.json: settings are missing"},
        {"{\"batch_sise\": 1}", "run.json: no setting 'batch_sise'; did you mean 'batch_size'?"},
        {"{\"batch_size\": \"8\"}", "run.json: batch_size takes a whole number"},
        {"{\"batch_size\": null}", "run.json: batch_size takes a whole number"},
        {"{\"batch_size\": 2.5}", "not '2.5'"},
        {"{\"batch_size\": 0}", "from 1 to 100000, not '0'"},
        {"{\"batch_size\": 1e300}", "not '1e+300'"},
        {"{\"rate\": true}", "rate takes a number"},
        {"{\"rate\": 11}", "not '11'"},
        {"{\"verbose\": 2}", "verbose takes 0 or 1"},
        {"{\"model\": 3}", "run.json: model takes text"},
        {"{\"schedule\": \"warm\"}", "not 'warm'"},
        {"{\"schedule\": null}", "schedule takes one of"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        thing made = fresh();
        json_t *value = NULL;
        EXPECT_OK(context,
                  kd2m_json_parse(context, &value, cases[c].text, strlen(cases[c].text), "text"));
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_settings_from_json(context, &list, &made, value, "run.json"));
        EXPECT_MESSAGE(context, cases[c].message);
        json_decref(value);
    }
    thing made = fresh();
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_settings_from_json(context, &list, &made, NULL, "run.json"));
}

/* Text that JSON can't hold is the user's fault, not the memory's. */
static void text_that_is_not_utf8_is_named(void **state) {
    thing made = fresh();
    json_t *object = NULL;
    (void)state;
    made.title = "Gr\xf6\xdf"
                 "e"; /* Latin-1 */
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_settings_to_json(context, &list, &made, &object));
    EXPECT_MESSAGE(context, "title");
    EXPECT_MESSAGE(context, "UTF-8");
    assert_null(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_declares_every_field),
        cmocka_unit_test(defaults_fill_every_field),
        cmocka_unit_test(every_type_is_set_from_text),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(structs_filled_by_hand_are_checked),
        cmocka_unit_test(json_keeps_every_field),
        cmocka_unit_test(bad_json_is_refused),
        cmocka_unit_test(text_that_is_not_utf8_is_named),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
