/* Numbers as text: what is read, what is written, round trips, locales with other points. */
#include "testing.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "rng.h"
#include "spec.h"

/* 64 bytes, the most that is read, and no byte is lost: the value hangs on the last one. */
#define LONGEST                                                                                    \
    "0.0000000000000000000000000000000000000000000000000000000000000"                              \
    "1"

static const struct {
    const char *text;
    size_t length;
    double value;
} cases[] = {
    {"0", 1, 0},          {"12", 2, 12},          {"-12", 3, -12},     {"+12", 3, 12},
    {"1.5", 3, 1.5},      {".5", 2, 0.5},         {"5.", 2, 5},        {"-.5e-1", 6, -0.05},
    {"1e+3", 4, 1000},    {"1e+3 + x", 4, 1000},  {"1E3*ce", 3, 1000}, {"1e", 1, 1},
    {"1e+", 1, 1},        {"1e+x", 1, 1},         {"1.2.3", 3, 1.2},   {"1,5", 1, 1},
    {"0x10", 1, 0},       {"1e400", 5, HUGE_VAL}, {"1e-400", 6, 0},    {"2+3", 1, 2},
    {LONGEST, 64, 1e-62}, {LONGEST "0", 0, 0},    {"", 0, 0},          {".", 0, 0},
    {"-", 0, 0},          {"-.", 0, 0},           {".e5", 0, 0},       {"e5", 0, 0},
    {"+-1", 0, 0},        {" 1", 0, 0},           {"nan", 0, 0},       {"inf", 0, 0},
    {"-infinity", 0, 0},
};

static void check_reading(void) {
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t length = 99;
        double value = kd2m_parse_number(cases[c].text, &length);
        if (length != cases[c].length)
            fail_msg("'%s': length %zu", cases[c].text, length);
        if (length > 0)
            assert_true(value == cases[c].value);
        else
            assert_true(isnan(value));
    }
}

/* Numbers of all lengths and powers, against the C library. */
static void numbers_are_rounded_once(void **state) {
    char text[80];
    (void)state;
    for (uint32_t i = 0; i < 200000; i++) {
        uint64_t digits = (uint64_t)(((double)testing_hashed(i, 1) + 1) * 4e18) >> (i % 63);
        int exponent = (int)(testing_hashed(i, 2) * (float)(i % 40));
        int point = (int)(i % 19);
        size_t length;
        int used = snprintf(text, sizeof text, "%s%.*s%" PRIu64, i % 5 == 0 ? "-" : "", point,
                            "00000000000.000000000", digits);
        if (i % 3)
            snprintf(text + used, sizeof text - (size_t)used, "e%d", exponent);
        double value = kd2m_parse_number(text, &length);
        double wanted = strtod(text, NULL);
        if (length != strlen(text) || memcmp(&value, &wanted, sizeof value) != 0)
            fail_msg("'%s' became %a, not %a", text, value, wanted);
    }
}

static void expect_text(const char *expected, double value) {
    char text[KD2M_NUMBER_SIZE];
    kd2m_format_number(text, value);
    assert_string_equal(expected, text);
}

static void expect_round_trip(double value) {
    char text[KD2M_NUMBER_SIZE];
    size_t length;
    kd2m_format_number(text, value);
    double back = kd2m_parse_number(text, &length);
    if (length != strlen(text) || memcmp(&back, &value, sizeof value) != 0)
        fail_msg("%a became '%s', then %a", value, text, back);
}

static void check_writing(void) {
    expect_text("0", 0);
    expect_text("1", 1);
    expect_text("-1.5", -1.5);
    expect_text("0.1", 0.1);
    expect_text("0.30000000000000004", 0.1 + 0.2);
    expect_text("1000000", 1e6);
    expect_text("4294967295", 4294967295.0);
    expect_text("9007199254740992", 9007199254740992.0);
    expect_text("1e+300", 1e300);
    expect_text("inf", INFINITY);
    expect_text("nan", (double)NAN);
    expect_round_trip(-0.0);
    expect_round_trip(DBL_MAX);
    expect_round_trip(-DBL_MAX);
    expect_round_trip(DBL_MIN);
    expect_round_trip(DBL_TRUE_MIN);
    expect_round_trip(DBL_EPSILON);
    expect_round_trip(1 + DBL_EPSILON);
    for (uint64_t i = 0; i < 20000; i++) {
        uint32_t words[4];
        double value;
        kd2m_random_block(1, KD2M_STREAM_TEST, 0, i, words);
        memcpy(&value, words, sizeof value);
        if (isfinite(value))
            expect_round_trip(value);
    }
}

static void numbers_are_read(void **state) {
    (void)state;
    check_reading();
}

static void numbers_are_written(void **state) {
    (void)state;
    check_writing();
}

/* Enters a locale whose decimal point is `point`, made for the test where it is not installed. */
static int enter_locale(const char *name, const char *point) {
    char command[300];
    const char *folder = testing_folder();
    snprintf(command, sizeof command, "localedef -i %s -f UTF-8 %s/%s.UTF-8 >/dev/null 2>&1", name,
             folder, name);
    if (system(command) < 0 || setenv("LOCPATH", folder, 1) != 0)
        return 0;
    snprintf(command, sizeof command, "%s.UTF-8", name);
    int entered = setlocale(LC_ALL, command) && strcmp(localeconv()->decimal_point, point) == 0;
    unsetenv("LOCPATH");
    return entered;
}

static void enter_or_skip(const char *name, const char *point) {
    char host[32];
    if (!enter_locale(name, point)) {
        setlocale(LC_ALL, "C");
        print_message("skipped: no locale %s here\n", name);
        skip();
    }
    snprintf(host, sizeof host, "%.1f", 1.5);
    assert_null(strchr(host, '.')); /* the locale does what it should */
}

static int leave_locale(void **state) {
    (void)state;
    setlocale(LC_ALL, "C");
    return 0;
}

static void a_decimal_comma_changes_nothing(void **state) {
    (void)state;
    enter_or_skip("de_DE", ",");
    kd2m_context *context = testing_context(1);
    json_t *value = json_real(0.125), *back = NULL;
    char *text = NULL;
    check_reading();
    check_writing();
    EXPECT_OK(context, kd2m_json_text(context, &text, value, 1));
    assert_string_equal("0.125", text);
    EXPECT_OK(context, kd2m_json_parse(context, &back, "[1.5]", 5, "text"));
    EXPECT_CLOSE(1.5, json_real_value(json_array_get(back, 0)), 0, 0);
    kd2m_text_free(context, text);
    json_decref(back);
    json_decref(value);
    kd2m_context_free(context);
}

/* jansson knows points of one byte alone, so JSON is left out here. */
static void a_point_of_several_bytes_changes_nothing(void **state) {
    (void)state;
    enter_or_skip("ps_AF", "\xd9\xab");
    check_reading();
    check_writing();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(numbers_are_rounded_once),
        cmocka_unit_test(numbers_are_written),
        cmocka_unit_test_teardown(a_decimal_comma_changes_nothing, leave_locale),
        cmocka_unit_test_teardown(a_point_of_several_bytes_changes_nothing, leave_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
