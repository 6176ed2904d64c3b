/* Lists of whole numbers: what they hold, what is none, writing them out, failing memory. */
#include "testing.h"

#include <string.h>

#include "memory.h"
#include "number_list.h"

static kd2m_context *context;

static void holds_what_is_written(void **state) {
    static const struct {
        const char *text, *plain;
        size_t count;
        int32_t items[8];
    } cases[] = {
        {"0", "0", 1, {0}},
        {"1-3", "1-3", 3, {1, 2, 3}},
        {"7,0,5-6", "0,5-7", 4, {0, 5, 6, 7}},
        {"3-3", "3", 1, {3}},
        {"0002,1", "1-2", 2, {1, 2}},
        {"9,4-5,7,0-1", "0-1,4-5,7,9", 6, {0, 1, 4, 5, 7, 9}},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_number_list list;
        char *plain = NULL;
        EXPECT_OK(context, kd2m_number_list_parse(&list, context, cases[c].text, 9));
        assert_int_equal(cases[c].count, list.count);
        assert_memory_equal(cases[c].items, list.items, list.count * sizeof *list.items);
        EXPECT_OK(context, kd2m_number_list_text(&plain, context, &list));
        assert_string_equal(cases[c].plain, plain);
        kd2m_text_free(context, plain);
        kd2m_number_list_clear(context, &list);
        assert_null(list.items);
    }
}

static void refuses_what_is_no_list(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "a number is expected"},
        {",", "a number is expected"},
        {"1,", "a number is expected"},
        {"1,,2", "a number is expected"},
        {"-1", "a number is expected"},
        {"1-", "a number is expected"},
        {"1--2", "a number is expected"},
        {"+1", "a number is expected"},
        {"a", "a number is expected"},
        {" 1", "a number is expected"},
        {"1 ", "',' or the end is expected at position 2"},
        {"1-2-3", "',' or the end is expected at position 4"},
        {"1.5", "',' or the end is expected at position 2"},
        {"10", "numbers go from 0 to 9"},
        {"0-99999999999999999999999", "numbers go from 0 to 9"},
        {"5-3", "from low to high"},
        {"1,2,1", "1 is there twice at position 5"},
        {"0-4,3-5", "3 is there twice"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_number_list list;
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_number_list_parse(&list, context, cases[c].text, 9));
        EXPECT_MESSAGE(context, cases[c].message);
        assert_null(list.items);
    }
}

static void failing_memory_leaks_nothing(void **state) {
    kd2m_status status = KD2M_ERROR_MEMORY;
    size_t fail_at = 0;
    (void)state;
    for (; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        size_t before = testing_live();
        kd2m_number_list list;
        char *plain = NULL;
        status = kd2m_number_list_parse(&list, failing, "1-3,5", 9);
        if (status == KD2M_OK)
            status = kd2m_number_list_text(&plain, failing, &list);
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_free(failing, plain);
        kd2m_number_list_clear(failing, &list);
        assert_int_equal(before, testing_live());
        kd2m_context_free(failing);
    }
    assert_in_range(fail_at, 4, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_is_written),
        cmocka_unit_test(refuses_what_is_no_list),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
