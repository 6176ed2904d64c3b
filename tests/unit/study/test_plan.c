/* Plans: what they say, the candidates of a search, refusals with reasons. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "plans.h"

static const char *loss_of(const json_t *settings) {
    return json_string_value(json_object_get(settings, "loss"));
}

static json_t *candidate(kd2m_context *context, const kd2m_plan *plan, size_t method, size_t k) {
    json_t *settings;
    EXPECT_OK(context, kd2m_plan_candidate(plan, 0, 0, method, k, &settings));
    return settings;
}

static void test_reads(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_plan *plan = plans_take(context, plans_json(small_plan, NULL, NULL));
    assert_int_equal(plan->data_count, 1);
    assert_int_equal(plan->student_count, 2);
    assert_int_equal(plan->method_count, 3);
    assert_string_equal(plan->students[0].name, "mlp:64-4-7");
    assert_string_equal(plan->students[1].name, "wide");
    assert_string_equal(plan->data[0].shifts[0].name, "noise");
    assert_int_equal(plan->baseline_count, 2);
    assert_string_equal(plan->baselines[1], "kd");
    assert_int_equal(kd2m_plan_rung_epochs(plan, 0, 4), 2);
    assert_int_equal(kd2m_plan_rung_epochs(plan, 1, 4), 4);
    assert_int_equal(kd2m_plan_rung_epochs(plan, 0, 1), 1);
    assert_int_equal(kd2m_plan_rung_candidates(plan, 0), 4);
    assert_int_equal(kd2m_plan_rung_candidates(plan, 1), 2);
    kd2m_plan_free(plan);
    kd2m_context_free(context);
}

/* Lists are enumerated, and where there are fewer combinations than candidates, anew with another
 * seed; ranges are covered. */
static void test_candidates(void **state) {
    (void)state;
    static const char *const kd[] = {"ce + 0.5*kd:T=1", "ce + 1*kd:T=1", "ce + 0.5*kd:T=4",
                                     "ce + 1*kd:T=4"};
    kd2m_context *context = testing_context(1);
    kd2m_plan *plan = plans_take(context, plans_json(small_plan, NULL, NULL));
    double weights[4];
    for (size_t k = 0; k < 4; k++) {
        json_t *settings = candidate(context, plan, 0, k);
        EXPECT_CLOSE(k % 2 ? 0.1 : 0.01, json_number_value(json_object_get(settings, "lr")), 0, 0);
        assert_int_equal(json_integer_value(json_object_get(settings, "seed")), k / 2);
        assert_int_equal(json_integer_value(json_object_get(settings, "blind")), 1);
        assert_string_equal(json_string_value(json_object_get(settings, "model")), "mlp:64-4-7");
        json_decref(settings);

        settings = candidate(context, plan, 1, k);
        assert_string_equal(loss_of(settings), kd[k]);
        assert_null(json_object_get(settings, "weight"));
        json_decref(settings);

        settings = candidate(context, plan, 2, k);
        assert_int_equal(sscanf(loss_of(settings), "ce + %lf*w2@features", &weights[k]), 1);
        json_decref(settings);
    }
    const double expected[] = {0.316, 0.0562, 1.78, 0.0237}; /* 0.01 * 1000^(1/2, 1/4, 3/4, 1/8) */
    for (size_t k = 0; k < 4; k++)
        EXPECT_CLOSE(expected[k], weights[k], 0, 1e-12);
    kd2m_plan_free(plan);
    kd2m_context_free(context);
}

/* More combinations than candidates: distinct points, each value of each list among them. */
static void test_many_combinations(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_plan *plan = plans_take(
        context, plans_json(small_plan, "methods",
                            "[{\"loss\": \"ce + {w}*kd:T={T}\", \"search\": {\"w\": [1, 2, 3, 4], "
                            "\"T\": [1, 2, 4]}}]"));
    bool seen_w[5] = {false}, seen_t[5] = {false};
    assert_string_equal(plan->methods[0].part.name, "ce + {w}*kd:T={T}");
    assert_int_equal(plan->baseline_count, 0);
    for (size_t k = 0; k < 4; k++) {
        int w, t;
        json_t *settings = candidate(context, plan, 0, k);
        assert_int_equal(sscanf(loss_of(settings), "ce + %d*kd:T=%d", &w, &t), 2);
        assert_int_equal(json_integer_value(json_object_get(settings, "seed")), 0);
        seen_w[w] = seen_t[t] = true;
        json_decref(settings);
    }
    assert_true(seen_w[1] && seen_w[2] && seen_w[3] && seen_w[4]);
    assert_true(seen_t[1] && seen_t[2] && seen_t[4]);
    kd2m_plan_free(plan);
    kd2m_context_free(context);
}

static void test_refuses(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *message;
    } cases[] = {
        {"data", NULL, "needs a list under \"data\""},
        {"data", "[]", "of 1 to"},
        {"data", "[{\"name\": \"a\", \"settings\": {\"data\": \"bearing\"}}]",
         "needs a \"teacher\""},
        {"data",
         "[{\"name\": \"a\", \"settings\": {\"data\": \"bearing\"}, \"teacher\": \"t\", "
         "\"shifts\": "
         "[{\"name\": \"test\", \"settings\": {}}]}]",
         "a shift can't be called 'test'"},
        {"data",
         "[{\"name\": \"a\", \"settings\": {\"data\": \"bearing\"}, \"teacher\": \"t\", "
         "\"group\": 3}]",
         "needs a text under \"group\""},
        {"students", "[\"mlp:64-4-7\", \"mlp:64-4-7\"]", "two students are called"},
        {"students", "[3]", "needs a text under \"name\""},
        {"methods", "[{\"loss\": \"ce\"}]", "\"search\": what of it is searched"},
        {"methods", "[{\"loss\": \"ce + {a}*w2\", \"search\": {}}]", "{a} is no text or number"},
        {"methods", "[{\"loss\": \"ce + {a*w2\", \"search\": {}}]", "'{' without '}'"},
        {"methods", "[{\"loss\": \"ce\", \"search\": {\"lr\": []}}]", "must be a list of values"},
        {"methods",
         "[{\"loss\": \"ce\", \"search\": {\"lr\": {\"low\": 0, \"high\": 1, \"log\": "
         "true}}}]",
         "must be a list of values"},
        {"methods", "[{\"loss\": \"ce\", \"search\": {\"rate\": [1]}}]", "rate"},
        {"methods", "[{\"loss\": \"ce + w3\", \"search\": {}}]", "w3"},
        {"methods", "[{\"loss\": \"ce\", \"serch\": {}}]", "has no key 'serch'"},
        {"settings", "{\"epochs\": 0}", "epochs"},
        {"settings", "[]", "must be an object"},
        {"settings", "{\"validation\": 0}", "a study chooses by validation"},
        {"budget", "{\"candidates\": 0}", "\"candidates\" must be a whole number from 1 to 1000"},
        {"budget", "{\"trials\": 1}", "has no key 'trials'"},
        {"seeds", "1", "\"seeds\" must be a whole number from 2"},
        {"seeds", "2.5", "\"seeds\" must be"},
        {"baselines", "[\"mse\"]", "'mse', which is no method"},
        {"format", "2", "\"format\" must be"},
        {"teachers", "1", "has no key 'teachers'"},
    };
    kd2m_context *context = testing_context(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kd2m_plan *plan = (kd2m_plan *)&plan;
        json_t *root = plans_json(small_plan, cases[i].key, cases[i].value);
        kd2m_status status = kd2m_plan_take(&plan, context, root, "plan");
        if (status != KD2M_ERROR_USAGE && status != KD2M_ERROR_INPUT)
            fail_msg("case %zu: status %d", i, (int)status);
        assert_null(plan);
        EXPECT_MESSAGE(context, cases[i].message);
        EXPECT_MESSAGE(context, "plan: ");
    }
    kd2m_context_free(context);
}

static void test_failing_memory(void **state) {
    (void)state;
    kd2m_plan *plan;
    for (size_t fail_at = 0;; fail_at++) {
        kd2m_context *context = testing_failing_context(fail_at);
        kd2m_status status =
            kd2m_plan_take(&plan, context, plans_json(small_plan, NULL, NULL), "plan");
        kd2m_plan_free(plan);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
        if (status == KD2M_OK) {
            assert_true(fail_at > 5);
            return;
        }
        assert_int_equal(status, KD2M_ERROR_MEMORY);
        assert_null(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_many_combinations),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
