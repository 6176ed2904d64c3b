/* JSON: what is refused and where, numbers that survive, files. */
#include "testing.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "memory.h"
#include "rng.h"
#include "source.h"
#include "writer.h"

static kd2m_context *context;

static void bad_texts_are_refused_by_line(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "run.json: not JSON: line 1"},
        {"{", "run.json: not JSON: line 1"},
        {"{\n\"a\": 1,\n}", "run.json: not JSON: line 3"},
        {"[1,\n2\n3]", "run.json: not JSON: line 3"},
        {"{\"a\": 1}\n\nx", "run.json: not JSON: line 3"},
        {"{\"a\": 1,\n \"a\": 2}", "run.json: not JSON: line 2"},
        {"[NaN]", "line 1"},
        {"[Infinity]", "line 1"},
        {"[1e999]", "line 1"},
        {"[01]", "line 1"},
        {"['a']", "line 1"},
        {"[\"\xff\"]", "line 1"},
        {"[\"\\u0000\"]", "line 1"},
        {"[99999999999999999999999]", "line 1"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        json_t *value = (json_t *)&value;
        EXPECT_STATUS(
            context, KD2M_ERROR_INPUT,
            kd2m_json_parse(context, &value, cases[c].text, strlen(cases[c].text), "run.json"));
        EXPECT_MESSAGE(context, cases[c].message);
        assert_null(value);
    }
}

/* The size given counts, not a NUL. */
static void the_size_bounds_the_text(void **state) {
    json_t *value = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_json_parse(context, &value, "[1]garbage", 3, "text"));
    json_decref(value);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_json_parse(context, &value, "[1]\0", 4, "text"));
}

static void nesting_is_limited(void **state) {
    static char text[1000000];
    json_t *value = NULL;
    (void)state;
    memset(text, '[', sizeof text);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_json_parse(context, &value, text, sizeof text, "text"));
    assert_null(value);
}

static void expect_round_trip(double number) {
    json_t *value = kd2m_json_real(number), *back = NULL;
    char *text = NULL;
    assert_non_null(value);
    json_t *array = json_pack("[o]", value);
    EXPECT_OK(context, kd2m_json_text(context, &text, array, 1));
    EXPECT_OK(context, kd2m_json_parse(context, &back, text, strlen(text), "text"));
    assert_true(json_is_real(json_array_get(back, 0)));
    double got = json_real_value(json_array_get(back, 0));
    assert_memory_equal(&number, &got, sizeof number);
    kd2m_text_free(context, text);
    json_decref(array);
    json_decref(back);
}

static void doubles_survive(void **state) {
    static const double odd[] = {0.0,  -0.0,         1.0,     0.1,     1.0 / 3,
                                 1e21, DBL_TRUE_MIN, DBL_MIN, DBL_MAX, -DBL_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        expect_round_trip(odd[i]);
    for (uint64_t i = 0; i < 5000; i++) {
        uint32_t words[4];
        double number;
        kd2m_random_block(2, KD2M_STREAM_TEST, 0, i, words);
        memcpy(&number, words, sizeof number);
        if (isfinite(number))
            expect_round_trip(number);
    }
}

static void what_is_not_finite_is_null(void **state) {
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        json_t *value = kd2m_json_real(odd[i]);
        assert_true(json_is_null(value));
        json_decref(value);
    }
}

static void text_has_two_forms(void **state) {
    json_t *value = json_pack("{s:i, s:[i,i]}", "b", 1, "a", 2, 3);
    char *text = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_json_text(context, &text, value, 1));
    assert_string_equal("{\"b\":1,\"a\":[2,3]}", text); /* in the order of building */
    kd2m_text_free(context, text);
    EXPECT_OK(context, kd2m_json_text(context, &text, value, 0));
    assert_string_equal("{\n  \"b\": 1,\n  \"a\": [\n    2,\n    3\n  ]\n}", text);
    kd2m_text_free(context, text);
    json_decref(value);
}

static void setting_takes_over(void **state) {
    json_t *object = json_object(), *value = json_integer(1);
    (void)state;
    json_incref(value);
    EXPECT_OK(context, kd2m_json_set(context, object, "key", value));
    assert_ptr_equal(value, json_object_get(object, "key"));
    assert_int_equal(2, value->refcount);
    EXPECT_STATUS(context, KD2M_ERROR_MEMORY, kd2m_json_set(context, object, "other", NULL));
    EXPECT_MESSAGE(context, "'other'");
    json_decref(object);
    assert_int_equal(1, value->refcount);
    json_decref(value);
}

static void strings_are_checked(void **state) {
    json_t *value = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_json_string(context, &value, "größe"));
    assert_string_equal("größe", json_string_value(value));
    json_decref(value);
    EXPECT_OK(context, kd2m_json_string(context, &value, NULL));
    assert_true(json_is_null(value));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_json_string(context, &value, "gr\xf6\xdf"));
    EXPECT_MESSAGE(context, "is not UTF-8 text");
    assert_null(value);
}

static void files_are_written_and_read(void **state) {
    char path[300], missing[400];
    json_t *value = json_pack("{s:f}", "pi", 3.14159), *back = NULL;
    kd2m_source *source = NULL;
    void *text = NULL;
    size_t size;
    (void)state;
    snprintf(path, sizeof path, "%s/value.json", testing_folder());
    EXPECT_OK(context, kd2m_json_write(context, value, path));
    EXPECT_OK(context, kd2m_json_read(context, &back, path));
    assert_true(json_equal(value, back));
    json_decref(back);
    EXPECT_OK(context, kd2m_source_open(&source, context, path));
    EXPECT_OK(context, kd2m_source_read_all(source, &text, &size, 1000));
    assert_int_equal('\n', ((char *)text)[size - 1]);
    kd2m_source_close(source);
    kd2m_free(context, text);

    EXPECT_OK(context, kd2m_write_file(context, path, "{\n\n!", 4));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_json_read(context, &back, path));
    EXPECT_MESSAGE(context, path);
    EXPECT_MESSAGE(context, "line 3");
    assert_null(back);
    snprintf(missing, sizeof missing, "%s.none", path);
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_json_read(context, &back, missing));
    snprintf(missing, sizeof missing, "%s/none/value.json", path);
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_json_write(context, value, missing));
    json_decref(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_texts_are_refused_by_line),
        cmocka_unit_test(the_size_bounds_the_text),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(doubles_survive),
        cmocka_unit_test(what_is_not_finite_is_null),
        cmocka_unit_test(text_has_two_forms),
        cmocka_unit_test(setting_takes_over),
        cmocka_unit_test(strings_are_checked),
        cmocka_unit_test(files_are_written_and_read),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
