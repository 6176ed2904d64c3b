/* The loss grammar: what it reads, and where it says that it can't. */
#include "testing.h"

#include <string.h>

#include "loss.h"

static kd2m_context *context;

static void test_terms(void **state) {
    (void)state;
    kd2m_loss *loss;
    EXPECT_OK(context, kd2m_loss_parse(&loss, context,
                                       " 1*ce + 0.9*kd:T=4 + 1e+1*cond(w2)@features+0.1*gauss-w2"
                                       "@stage3/pool~\"layer 4\" + mmd:kernel=rbf,sigma=1e+3"));
    assert_int_equal(loss->count, 5);
    const kd2m_term *term = loss->terms;
    assert_null(term[0].metric);
    assert_string_equal(term[0].text, "1*ce");
    EXPECT_CLOSE(0.9, term[1].weight, 0, 1e-15);
    assert_string_equal(term[1].metric, "kd:T=4");
    assert_false(term[1].layer_given);
    EXPECT_CLOSE(10, term[2].weight, 0, 0);
    assert_string_equal(term[2].metric, "cond(w2)");
    assert_string_equal(term[2].layer, "features");
    assert_string_equal(term[2].teacher_layer, "features");
    assert_string_equal(term[3].metric, "gauss-w2");
    assert_string_equal(term[3].layer, "stage3");
    assert_string_equal(term[3].teacher_layer, "layer 4");
    assert_int_equal(term[3].reduction, KD2M_REDUCTION_POOL);
    assert_string_equal(term[4].metric, "mmd:kernel=rbf,sigma=1e+3");
    EXPECT_CLOSE(1, term[4].weight, 0, 0);
    assert_string_equal(term[4].layer, "features");
    kd2m_loss_free(loss);
}

static void test_rows_of_terms(void **state) {
    (void)state;
    kd2m_loss *loss;
    EXPECT_OK(context, kd2m_loss_parse(&loss, context,
                                       "w2@bn1/positions:rows=256 + 2*cond(mmd):by=load,bank=64,"
                                       "classes=sum@bn1/positions~bn2+w1@a/positions:rows=9~b+ce"));
    assert_int_equal(loss->count, 4);
    const kd2m_term *term = loss->terms;
    assert_int_equal(term[0].reduction, KD2M_REDUCTION_POSITIONS);
    assert_int_equal(term[0].rows, 256);
    assert_int_equal(term[0].bank, 0);
    assert_string_equal(term[0].text, "w2@bn1/positions:rows=256");
    assert_string_equal(term[1].metric, "cond(mmd):by=load,classes=sum");
    assert_int_equal(term[1].bank, 64);
    assert_int_equal(term[1].rows, 0);
    assert_int_equal(term[1].reduction, KD2M_REDUCTION_POSITIONS);
    assert_string_equal(term[1].teacher_layer, "bn2");
    assert_int_equal(term[2].rows, 9);
    assert_string_equal(term[2].teacher_layer, "b");
    kd2m_loss_free(loss);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "a name is missing at position 1"},
        {"ce +", "a name is missing at position 5"},
        {"ce + + w2", "position 6"},
        {"ce w2", "'+' or the end is expected at position 4"},
        {"2 ce", "followed by '*' at position 3"},
        {"-1*ce", "a weight is a number from 0"},
        {"1e999*ce", "a weight is a number from 0"},
        {"w2@", "a layer's name is missing at position 4"},
        {"w2@features/", "a name is missing at position 13"},
        {"w2@features/pol", "did you mean 'pool'"},
        {"w2@bn1/positions(w2)", "no reduction 'positions(..)'"},
        {"w2@bn1/pool:rows=3", "pool takes no keys at position 13"},
        {"w2@bn1/positions:row=3", "did you mean 'rows'"},
        {"w2@bn1/positions:rows=-3", "positions, position 18"},
        {"w2@bn1/positions:3", "needs a key"},
        {"w2:bank=-1", "w2, position 4"},
        {"w2:bank=many", "w2, position 4"},
        {"ce:bank=3", "ce takes no keys"},
        {"w2@features~", "a teacher's layer is missing"},
        {"w2@\"features", "the quote is not closed at position 4"},
        {"ce:T=4", "ce takes no keys at position 1"},
        {"ce@features", "it takes no layer"},
        {"cond(w2", "')' is expected"},
        {"w2:", "a value is missing at position 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kd2m_loss *loss;
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_loss_parse(&loss, context, cases[i].text));
        assert_null(loss);
        EXPECT_MESSAGE(context, cases[i].message);
    }
}

static void test_lengths(void **state) {
    (void)state;
    static char text[KD2M_SPEC_LENGTH + 16];
    kd2m_loss *loss;
    strcpy(text, "ce");
    for (int i = 1; i < 64; i++)
        strcat(text, "+ce");
    EXPECT_OK(context, kd2m_loss_parse(&loss, context, text));
    assert_int_equal(loss->count, 64);
    kd2m_loss_free(loss);
    strcat(text, "+ce");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_loss_parse(&loss, context, text));
    EXPECT_MESSAGE(context, "more than 64 terms");
    memset(text, 'a', KD2M_SPEC_LENGTH + 1);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_loss_parse(&loss, context, text));
    EXPECT_MESSAGE(context, "longer than");
    for (size_t i = 0; i + 5 < 60000; i += 5)
        memcpy(text + i, "cond(", 5);
    text[60000] = '\0';
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_loss_parse(&loss, context, text));
    EXPECT_MESSAGE(context, "nested deeper");
}

static void test_short_form(void **state) {
    (void)state;
    kd2m_train_settings settings;
    char *text;
    kd2m_settings_default(kd2m_train_setting_list(), &settings);
    EXPECT_OK(context, kd2m_loss_expression(context, &text, &settings));
    assert_string_equal(text, "ce");
    kd2m_text_free(context, text);
    settings.teacher = "run";
    EXPECT_OK(context, kd2m_loss_expression(context, &text, &settings));
    assert_string_equal(text, "ce + w2");
    kd2m_text_free(context, text);
    settings.metric = "cond(w2)";
    settings.weight = 0.1;
    EXPECT_OK(context, kd2m_loss_expression(context, &text, &settings));
    assert_string_equal(text, "ce + 0.1*cond(w2)");
    kd2m_text_free(context, text);
    settings.loss = "ce";
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_loss_expression(context, &text, &settings));
    assert_null(text);
}

static void test_failing_allocations(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_loss *loss;
        status = kd2m_loss_parse(&loss, failing,
                                 "ce + 2*cond(mmd:sigma=3):bank=5@a/positions:rows=2~\"b c\"");
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_loss_free(loss);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms),      cmocka_unit_test(test_rows_of_terms),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_short_form), cmocka_unit_test(test_failing_allocations),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
