/* Profiles: every moment is charged once, to the innermost row; the table's sums; NULL is nothing.
 */
#include "testing.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "context.h"
#include "profile.h"
#include "progress.h"

static void wait(double seconds) {
    const struct timespec time = {0, (long)(seconds * 1e9)};
    nanosleep(&time, NULL);
}

/* The table as JSON, a new reference. */
static json_t *table_of(kd2m_context *context, kd2m_profile *profile) {
    kd2m_table *table = NULL;
    char *text = NULL;
    EXPECT_OK(context, kd2m_profile_table(profile, &table));
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    return json;
}

static json_t *row_at(json_t *table, size_t index) {
    return json_array_get(json_object_get(table, "rows"), index);
}

static double number(json_t *row, const char *key) {
    json_t *value = json_object_get(row, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void expect_row(json_t *row, const char *part, const char *name) {
    assert_string_equal(part, json_string_value(json_object_get(row, "part")));
    if (name)
        assert_string_equal(name, json_string_value(json_object_get(row, "name")));
    else
        assert_true(json_is_null(json_object_get(row, "name")));
}

enum { CONV1 = 1, CONV2, LOSS };

static kd2m_profile *open_profile(kd2m_context *context) {
    static const kd2m_profile_label labels[] = {
        {"layer", "conv1", "conv", {[KD2M_PHASE_FORWARD] = 2e6, [KD2M_PHASE_BACKWARD] = 4e6}},
        {"layer", "conv2", "conv", {[KD2M_PHASE_FORWARD] = 1e6}},
        {"loss", "ce", NULL, {0}},
    };
    kd2m_profile *profile = NULL;
    EXPECT_OK(context, kd2m_profile_create(&profile, context));
    for (size_t i = 0; i < 3; i++) {
        size_t row;
        EXPECT_OK(context, kd2m_profile_add(profile, &labels[i], &row));
        assert_int_equal(i + 1, row);
    }
    return profile;
}

static void each_moment_counts_once(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    double began = kd2m_seconds();
    kd2m_profile *profile = open_profile(context);
    size_t outer = kd2m_profile_begin(profile, LOSS, KD2M_PHASE_WHOLE);
    wait(0.01);
    size_t inner = kd2m_profile_begin(profile, CONV1, KD2M_PHASE_FORWARD);
    wait(0.02);
    kd2m_profile_begin(profile, CONV2, KD2M_PHASE_FORWARD); /* its end is left out */
    wait(0.005);
    kd2m_profile_end(profile, inner);
    wait(0.01);
    kd2m_profile_end(profile, outer);
    kd2m_profile_end(profile, kd2m_profile_begin(profile, CONV1, KD2M_PHASE_BACKWARD));
    wait(0.005);
    double took = kd2m_seconds() - began;
    json_t *table = table_of(context, profile);

    json_t *conv1 = row_at(table, 0), *conv2 = row_at(table, 1), *loss = row_at(table, 2);
    json_t *conv = row_at(table, 3), *rest = row_at(table, 4), *total = row_at(table, 5);
    assert_int_equal(6, json_array_size(json_object_get(table, "rows")));
    expect_row(conv1, "layer", "conv1");
    expect_row(conv2, "layer", "conv2");
    expect_row(loss, "loss", "ce");
    expect_row(conv, "operator", "conv");
    expect_row(rest, "rest", NULL);
    expect_row(total, "total", NULL);
    assert_true(number(conv1, "forward_seconds") >= 0.02);
    assert_true(number(conv2, "forward_seconds") >= 0.005);
    assert_true(number(loss, "seconds") >= 0.02);
    assert_true(number(rest, "seconds") >= 0.005);
    assert_true(json_is_null(json_object_get(loss, "forward_seconds")));
    assert_true(json_is_null(json_object_get(conv2, "backward_seconds")));
    double sum = number(conv1, "seconds") + number(conv2, "seconds") + number(loss, "seconds") +
                 number(rest, "seconds");
    EXPECT_CLOSE(sum, number(total, "seconds"), 1e-12, 0);
    assert_true(sum >= 0.05 && sum <= took + 0.01);
    EXPECT_CLOSE(number(conv1, "seconds") + number(conv2, "seconds"), number(conv, "seconds"),
                 1e-12, 0);
    EXPECT_CLOSE(100 * number(loss, "seconds") / sum, number(loss, "percent"), 1e-9, 0);
    EXPECT_CLOSE(100, number(total, "percent"), 1e-9, 0);
    json_decref(table);
    kd2m_profile_free(profile);
    kd2m_context_free(context);
}

static void operations_are_counted_by_calls(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_profile *profile = open_profile(context);
    for (int i = 0; i < 3; i++) {
        kd2m_profile_end(profile, kd2m_profile_begin(profile, CONV1, KD2M_PHASE_FORWARD));
        kd2m_profile_end(profile, kd2m_profile_begin(profile, CONV2, KD2M_PHASE_FORWARD));
    }
    kd2m_profile_end(profile, kd2m_profile_begin(profile, CONV1, KD2M_PHASE_BACKWARD));
    kd2m_profile_note_bytes(profile, LOSS, 4096);
    kd2m_profile_note_bytes(profile, LOSS, 64);
    json_t *table = table_of(context, profile);
    EXPECT_CLOSE(4096, number(row_at(table, 2), "bytes"), 0, 0);
    assert_true(json_is_null(json_object_get(row_at(table, 0), "bytes")));
    json_t *conv1 = row_at(table, 0), *conv = row_at(table, 3), *total = row_at(table, 5);
    EXPECT_CLOSE(10e6, 1e9 * number(conv1, "gflops") * number(conv1, "seconds"), 0, 1e-9);
    EXPECT_CLOSE(13e6, 1e9 * number(conv, "gflops") * number(conv, "seconds"), 0, 1e-9);
    EXPECT_CLOSE(13e6, 1e9 * number(total, "gflops") * number(total, "seconds"), 0, 1e-9);
    assert_true(json_is_null(json_object_get(row_at(table, 2), "gflops")));
    json_decref(table);
    kd2m_profile_free(profile);
    kd2m_context_free(context);
}

static void none_is_nothing(void **state) {
    (void)state;
    size_t outer = kd2m_profile_begin(NULL, 7, KD2M_PHASE_BACKWARD);
    assert_int_equal(0, outer);
    kd2m_profile_end(NULL, outer);
    kd2m_profile_free(NULL);
}

static kd2m_status make_table(kd2m_context *context) {
    kd2m_profile *profile = (kd2m_profile *)context;
    kd2m_table *table = (kd2m_table *)context;
    size_t row;
    kd2m_status status = kd2m_profile_create(&profile, context);
    assert_int_equal(status == KD2M_OK, profile != NULL);
    if (status != KD2M_OK)
        return status;
    for (int i = 0; i < 20; i++)
        KD2M_TRY(kd2m_profile_add(
            profile, &(kd2m_profile_label){.part = "layer", .name = "a", .kind = "b"}, &row));
    status = kd2m_profile_table(profile, &table);
    assert_int_equal(status == KD2M_OK, table != NULL);
    kd2m_table_free(table);
cleanup:
    kd2m_profile_free(profile);
    return status;
}

static void refused_memory_leaves_nothing(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        status = make_table(failing);
        assert_true(status == KD2M_OK || status == KD2M_ERROR_MEMORY);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_moment_counts_once),
        cmocka_unit_test(operations_are_counted_by_calls),
        cmocka_unit_test(none_is_nothing),
        cmocka_unit_test(refused_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
