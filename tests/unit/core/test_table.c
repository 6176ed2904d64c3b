/* Result tables: the layout for people, the JSON for machines, wrong use. */
#include "testing.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "json.h"
#include "kd2m/table.h"

static kd2m_context *context;

static kd2m_table *create(void) {
    kd2m_table *table = NULL;
    EXPECT_OK(context, kd2m_table_create(&table, context, "students"));
    EXPECT_OK(context, kd2m_table_add_column(table, "name", "Student", KD2M_COLUMN_TEXT, 0));
    EXPECT_OK(context, kd2m_table_add_column(table, "size", "Bytes", KD2M_COLUMN_INTEGER, 0));
    EXPECT_OK(context, kd2m_table_add_column(table, "loss", "Loss", KD2M_COLUMN_REAL, 3));
    EXPECT_OK(context, kd2m_table_add_column(table, "right", "Right %", KD2M_COLUMN_MEAN_SD, 1));
    return table;
}

static void fill(kd2m_table *table, const char *name, int64_t size, double loss, double mean,
                 double sd) {
    EXPECT_OK(context, kd2m_table_add_row(table));
    EXPECT_OK(context, kd2m_table_set_text(table, "name", name));
    EXPECT_OK(context, kd2m_table_set_integer(table, "size", size));
    EXPECT_OK(context, kd2m_table_set_real(table, "loss", loss));
    EXPECT_OK(context, kd2m_table_set_mean_sd(table, "right", mean, sd));
}

static void expect_text(const kd2m_table *table, const char *expected) {
    char *text = NULL;
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_string_equal(expected, text);
    kd2m_text_free(context, text);
}

/* The table as parsed JSON, a new reference. */
static json_t *parse_json(const kd2m_table *table) {
    char *text = NULL;
    json_t *value = NULL;
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    assert_int_equal('\n', text[strlen(text) - 1]);
    EXPECT_OK(context, kd2m_json_parse(context, &value, text, strlen(text), "table"));
    kd2m_text_free(context, text);
    return value;
}

static void numbers_take_what_they_need(void **state) {
    static const double values[] = {0.05, 1e-5, 3, 1.0 / 3, NAN};
    kd2m_table *table = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_table_create(&table, context, "rates"));
    EXPECT_STATUS(
        context, KD2M_ERROR_USAGE,
        kd2m_table_add_column(table, "n", "n", KD2M_COLUMN_MEAN_SD, KD2M_DIGITS_SHORTEST));
    EXPECT_OK(context,
              kd2m_table_add_column(table, "lr", "lr", KD2M_COLUMN_REAL, KD2M_DIGITS_SHORTEST));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        EXPECT_OK(context, kd2m_table_add_row(table));
        EXPECT_OK(context, kd2m_table_set_real(table, "lr", values[i]));
    }
    expect_text(table, "                lr\n"
                       "              0.05\n"
                       "             1e-05\n"
                       "                 3\n"
                       "0.3333333333333333\n"
                       "                 -\n");
    kd2m_table_free(table);
}

static void text_is_aligned(void **state) {
    kd2m_table *table = create();
    (void)state;
    fill(table, "alone", 1234567, 0.5, 91.25, 0.75);
    fill(table, "größer", -1, 12.3456, 100, 10);
    EXPECT_OK(context, kd2m_table_add_row(table));
    expect_text(table, "Student    Bytes    Loss       Right %\n"
                       "alone    1234567   0.500    91.2 ± 0.8\n"
                       "größer        -1  12.346  100.0 ± 10.0\n"
                       "-              -       -             -\n");
    EXPECT_OK(context, kd2m_table_add_note(table, "Mean of 3 seeds."));
    EXPECT_OK(context, kd2m_table_add_note(table, "100 % is all."));
    expect_text(table, "Student    Bytes    Loss       Right %\n"
                       "alone    1234567   0.500    91.2 ± 0.8\n"
                       "größer        -1  12.346  100.0 ± 10.0\n"
                       "-              -       -             -\n"
                       "\n"
                       "Mean of 3 seeds.\n"
                       "100 % is all.\n");
    kd2m_table_free(table);
}

/* No white space ends a line, and a text in the last column is not filled up. */
static void lines_have_no_tail(void **state) {
    kd2m_table *table = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_table_create(&table, context, "t"));
    EXPECT_OK(context, kd2m_table_add_column(table, "n", "N", KD2M_COLUMN_INTEGER, 0));
    EXPECT_OK(context, kd2m_table_add_column(table, "what", "What it is", KD2M_COLUMN_TEXT, 0));
    EXPECT_OK(context, kd2m_table_add_row(table));
    EXPECT_OK(context, kd2m_table_set_integer(table, "n", 10));
    EXPECT_OK(context, kd2m_table_set_text(table, "what", "x"));
    expect_text(table, " N  What it is\n10  x\n");
    kd2m_table_free(table);
}

static void json_keeps_all(void **state) {
    kd2m_table *table = create();
    (void)state;
    fill(table, "a \"b\"\n", INT64_C(9007199254740993), 0.1 + 0.2, 1.0 / 3, 1e-300);
    EXPECT_OK(context, kd2m_table_add_row(table));
    EXPECT_OK(context, kd2m_table_add_note(table, "note"));
    json_t *value = parse_json(table);
    assert_string_equal("students", json_string_value(json_object_get(value, "name")));
    assert_string_equal("note",
                        json_string_value(json_array_get(json_object_get(value, "notes"), 0)));
    json_t *columns = json_object_get(value, "columns"), *rows = json_object_get(value, "rows");
    assert_int_equal(4, json_array_size(columns));
    assert_string_equal("right", json_string_value(json_array_get(columns, 3)));
    assert_int_equal(2, json_array_size(rows));
    json_t *row = json_array_get(rows, 0), *empty = json_array_get(rows, 1);
    assert_string_equal("a \"b\"\n", json_string_value(json_object_get(row, "name")));
    assert_true(json_integer_value(json_object_get(row, "size")) == INT64_C(9007199254740993));
    EXPECT_CLOSE(0.1 + 0.2, json_real_value(json_object_get(row, "loss")), 0, 0);
    json_t *pair = json_object_get(row, "right");
    EXPECT_CLOSE(1.0 / 3, json_real_value(json_object_get(pair, "mean")), 0, 0);
    EXPECT_CLOSE(1e-300, json_real_value(json_object_get(pair, "sd")), 0, 0);
    assert_int_equal(4, json_object_size(empty));
    for (size_t c = 0; c < 4; c++)
        assert_true(
            json_is_null(json_object_get(empty, json_string_value(json_array_get(columns, c)))));
    json_decref(value);
    kd2m_table_free(table);
}

static void what_is_not_finite_is_empty(void **state) {
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    (void)state;
    for (size_t c = 0; c < sizeof odd / sizeof *odd; c++) {
        kd2m_table *table = create();
        fill(table, NULL, 1, odd[c], odd[c], 1);
        fill(table, "x", 1, 1, 2, odd[c]);
        expect_text(table, "Student  Bytes   Loss  Right %\n"
                           "-            1      -        -\n"
                           "x            1  1.000      2.0\n");
        json_t *value = parse_json(table);
        json_t *rows = json_object_get(value, "rows");
        json_t *first = json_array_get(rows, 0), *second = json_array_get(rows, 1);
        assert_true(json_is_null(json_object_get(first, "name")));
        assert_true(json_is_null(json_object_get(first, "loss")));
        assert_true(json_is_null(json_object_get(first, "right")));
        assert_true(json_is_null(json_object_get(json_object_get(second, "right"), "sd")));
        json_decref(value);
        kd2m_table_free(table);
    }
}

static void cells_may_be_filled_again(void **state) {
    kd2m_table *table = create();
    (void)state;
    fill(table, "first", 1, 1, 1, 1);
    EXPECT_OK(context, kd2m_table_set_text(table, "name", "second"));
    EXPECT_OK(context, kd2m_table_set_real(table, "loss", 2));
    EXPECT_OK(context, kd2m_table_set_real(table, "loss", NAN));
    expect_text(table, "Student  Bytes  Loss    Right %\n"
                       "second       1     -  1.0 ± 1.0\n");
    kd2m_table_free(table);
}

/* Cells of any length come out whole. */
static void long_cells_are_not_cut(void **state) {
    static char name[3001];
    kd2m_table *table = create();
    char *text = NULL;
    (void)state;
    memset(name, 'n', sizeof name - 1);
    fill(table, name, INT64_MIN, -DBL_MAX, -DBL_MAX, DBL_MAX);
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_non_null(strstr(text, name));
    assert_non_null(strstr(text, " -9223372036854775808 "));
    assert_non_null(strstr(text, "68.0 ± 1797693")); /* the last digits of DBL_MAX, the first */
    kd2m_text_free(context, text);
    kd2m_table_free(table);
}

static void empty_tables_are_shown(void **state) {
    kd2m_table *table = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_table_create(&table, context, "nothing"));
    expect_text(table, "\n");
    json_t *value = parse_json(table);
    assert_int_equal(4, json_object_size(value));
    assert_int_equal(0, json_array_size(json_object_get(value, "rows")));
    json_decref(value);
    kd2m_table_free(table);
    kd2m_table_free(NULL);

    table = create();
    expect_text(table, "Student  Bytes  Loss  Right %\n");
    kd2m_table_free(table);
}

static void many_rows_are_kept(void **state) {
    kd2m_table *table = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_table_create(&table, context, "many"));
    EXPECT_OK(context, kd2m_table_add_column(table, "i", "I", KD2M_COLUMN_INTEGER, 0));
    for (int i = 0; i < 1000; i++) {
        EXPECT_OK(context, kd2m_table_add_row(table));
        EXPECT_OK(context, kd2m_table_set_integer(table, "i", i));
        EXPECT_OK(context, kd2m_table_add_note(table, "again"));
    }
    json_t *value = parse_json(table), *rows = json_object_get(value, "rows");
    assert_int_equal(1000, json_array_size(json_object_get(value, "notes")));
    assert_int_equal(1000, json_array_size(rows));
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(i, json_integer_value(json_object_get(json_array_get(rows, i), "i")));
    json_decref(value);
    kd2m_table_free(table);
}

static void markdown_escapes_what_ends_a_cell(void **state) {
    kd2m_table *table = create();
    char *text = NULL;
    (void)state;
    fill(table, "a|b||", 12, 0.5, 1, 2);
    EXPECT_OK(context, kd2m_table_add_row(table));
    EXPECT_OK(context, kd2m_table_add_note(table, "of three seeds"));
    EXPECT_OK(context, kd2m_table_to_markdown(table, &text));
    assert_string_equal("| Student | Bytes | Loss | Right % |\n"
                        "|---|---:|---:|---:|\n"
                        "| a\\|b\\|\\| | 12 | 0.500 | 1.0 ± 2.0 |\n"
                        "| - | - | - | - |\n"
                        "\n"
                        "of three seeds\n",
                        text);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
}

static void expect_csv(const kd2m_table *table, const char *expected) {
    char *text = NULL;
    EXPECT_OK(context, kd2m_table_to_csv(table, &text));
    assert_string_equal(expected, text);
    kd2m_text_free(context, text);
}

static void csv_keeps_all(void **state) {
    kd2m_table *table = create();
    (void)state;
    expect_csv(table, "name,size,loss,right,right_sd\n");
    fill(table, "a \"b\", c\n\"", INT64_C(9007199254740993), 0.1, 1.0 / 3, 1e-300);
    fill(table, "größer", -1, NAN, 2, INFINITY);
    EXPECT_OK(context, kd2m_table_add_row(table));
    EXPECT_OK(context, kd2m_table_add_note(table, "left out"));
    expect_csv(table, "name,size,loss,right,right_sd\n"
                      "\"a \"\"b\"\", c\n\"\"\",9007199254740993,0.1,0.3333333333333333,1e-300\n"
                      "größer,-1,,2,\n"
                      ",,,,\n");
    kd2m_table_free(table);
    EXPECT_OK(context, kd2m_table_create(&table, context, "nothing"));
    expect_csv(table, "\n");
    kd2m_table_free(table);
}

static void wrong_use_is_refused(void **state) {
    kd2m_table *table = create();
    (void)state;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_table_set_text(table, "name", "no row yet"));
    EXPECT_MESSAGE(context, "table 'students'");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_table_add_column(table, "x", "X", KD2M_COLUMN_REAL, -2));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_table_add_column(table, "x", "X", KD2M_COLUMN_REAL, 16));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_table_add_column(table, "loss", "Again", KD2M_COLUMN_TEXT, 0));
    EXPECT_MESSAGE(context, "there is a column 'loss'");
    EXPECT_OK(context, kd2m_table_add_row(table));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_table_add_column(table, "x", "X", KD2M_COLUMN_REAL, 3));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_table_set_text(table, "nome", "x"));
    EXPECT_MESSAGE(context, "'nome'");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_table_set_text(table, "size", "x"));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_table_set_integer(table, "loss", 1));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_table_set_real(table, "right", 1));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_table_set_mean_sd(table, "name", 1, 1));
    expect_text(table, "Student  Bytes  Loss  Right %\n"
                       "-            -     -        -\n");
    kd2m_table_free(table);
}

static void text_that_is_not_utf8_is_no_json(void **state) {
    kd2m_table *table = create();
    char *text = (char *)&text;
    (void)state;
    fill(table, "\xff", 1, 1, 1, 1);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_table_to_json(table, &text));
    EXPECT_MESSAGE(context, "UTF-8");
    assert_null(text);
    kd2m_table_free(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_take_what_they_need),
        cmocka_unit_test(text_is_aligned),
        cmocka_unit_test(lines_have_no_tail),
        cmocka_unit_test(json_keeps_all),
        cmocka_unit_test(what_is_not_finite_is_empty),
        cmocka_unit_test(cells_may_be_filled_again),
        cmocka_unit_test(long_cells_are_not_cut),
        cmocka_unit_test(empty_tables_are_shown),
        cmocka_unit_test(many_rows_are_kept),
        cmocka_unit_test(markdown_escapes_what_ends_a_cell),
        cmocka_unit_test(csv_keeps_all),
        cmocka_unit_test(wrong_use_is_refused),
        cmocka_unit_test(text_that_is_not_utf8_is_no_json),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
