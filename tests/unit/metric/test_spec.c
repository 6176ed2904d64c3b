/* Specs: what is understood, what is refused and how it is said; the table of metrics. */
#include "problem.h"

#include <string.h>

#include "metric.h"

static kd2m_context *context;

static void expect_refused(const char *spec, const char *first, const char *second) {
    kd2m_metric *metric = (kd2m_metric *)&context;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_metric_create(&metric, context, spec));
    assert_null(metric);
    EXPECT_MESSAGE(context, first);
    if (second)
        EXPECT_MESSAGE(context, second);
}

static void test_unknown_names(void **state) {
    (void)state;
    expect_refused("w3", "'w2'", "position 1");
    expect_refused("cond(gaus-w2)", "'gauss-w2'", "position 6");
    expect_refused("xyzzyxyzzy", "xyzzyxyzzy", "kd2m metrics");
    expect_refused("mmd:kernl=rbf", "kernel", "position 5");
    expect_refused("cond(mmd:sigmaa=2)", "sigma", NULL);
    expect_refused("w2:eps=1", "eps", NULL);
}

static void test_bad_values(void **state) {
    (void)state;
    expect_refused("mmd:kernel=rbg", "rbf", "rbg");
    expect_refused("mmd:kernel=linear,sigma=2", "sigma", "rbf");
    expect_refused("mmd:kernel=poly,sigma=2", "sigma", "kernel=poly has no bandwidth");
    expect_refused("mmd:power=3", "power", "kernel=poly");
    expect_refused("mmd:kernel=poly,power=0", "power", NULL);
    expect_refused("mmd:unbiased=2", "unbiased", NULL);
    expect_refused("mmd:sigma=-1", "sigma", NULL);
    expect_refused("kd:T=0", "T", NULL);
    expect_refused("kd:T=abc", "abc", NULL);
    expect_refused("kl:reg=nan", "reg", NULL);
    expect_refused("kl:dir=up", "st", "up");
    expect_refused("fisher-rao:cov=full", "no closed form", "leave cov out");
    expect_refused("fisher-rao:cov=dia", "cov takes diag", "'dia'");
    expect_refused("renyi:alpha=1", "alpha=1 is kl", NULL);
    expect_refused("renyi:alpha=0", "alpha", NULL);
    expect_refused("cond(w2):by=", "by", NULL);
    expect_refused("cond(w2):by=\"\"", "column", NULL);
    expect_refused("kd:4", "4", NULL);
    expect_refused("", "", NULL);
    expect_refused("w2 + w1", "position", NULL);
}

static void test_nesting(void **state) {
    (void)state;
    expect_refused("cond(cond(w2))", "can't stand inside", "position 6");
    expect_refused("cond(cond(cond(w2)))", "can't stand inside", NULL);
    expect_refused("cond", "cond(w2)", NULL);
    expect_refused("w2(mse)", "no metric in parentheses", "position 4");
    char deep[4096] = "";
    for (int i = 0; i < 500; i++)
        strcat(deep, "cond(");
    expect_refused(deep, "", NULL);
}

static void check_written_out(problem_metric *opened, const reference_metric *metric,
                              reference_use use) {
    (void)use;
    const kd2m_metric_info *info = &opened->info;
    problem_metric again = problem_open(context, info->spec);
    assert_string_equal(info->spec, again.info.spec);
    assert_int_equal(info->traits, again.info.traits);
    assert_true(info->degree == again.info.degree);
    assert_string_equal(info->name, use == USE_ALONE ? metric->name : "cond");
    assert_true(strlen(info->summary) > 0 && strlen(info->source) > 0 && strlen(info->formula) > 0);
    assert_true((info->traits & KD2M_METRIC_SCALING) || info->degree == 0);
    problem_close(&again);
}

static void test_specs_are_written_out(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"w2", "w2"},
        {"mmd", "mmd:kernel=rbf,sigma=0,power=2,c=0,unbiased=0"},
        {"cond(kl:dir=ts)", "cond(kl:cov=diag,reg=1e-5,dir=ts):by=label,classes=freq"},
        {"kd:T=2.5", "kd:T=2.5"},
        {"cond(w2):by=machine", "cond(w2):by=machine,classes=freq"},
        {"cond(w2):by=\"load, kW\"", "cond(w2):by=\"load, kW\",classes=freq"},
        {"joint(w2):of=softmax", "joint(w2):beta=1,of=softmax"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        problem_metric opened = problem_open(context, pairs[i][0]);
        assert_string_equal(opened.info.spec, pairs[i][1]);
        problem_close(&opened);
    }
    problem_for_each(context, check_written_out);
}

static void test_settings_change_traits(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        unsigned with, without;
        double degree;
    } cases[] = {
        {"w2", KD2M_METRIC_TRANSPORT | KD2M_METRIC_SCALING, KD2M_METRIC_PAIRED, 2},
        {"w1", KD2M_METRIC_TRANSPORT, KD2M_METRIC_LABELS, 1},
        {"mmd", KD2M_METRIC_SCALING, 0, 0},
        {"mmd:kernel=linear", KD2M_METRIC_SCALING, 0, 2},
        {"mmd:kernel=poly", KD2M_METRIC_SCALING | KD2M_METRIC_ROTATION, KD2M_METRIC_TRANSLATION, 0},
        {"mmd:unbiased=1", KD2M_METRIC_SCALING, KD2M_METRIC_ZERO | KD2M_METRIC_WEIGHTS, 0},
        {"mmd:sigma=1", KD2M_METRIC_ZERO, KD2M_METRIC_SCALING, 0},
        {"gauss-w2", KD2M_METRIC_SCALING, KD2M_METRIC_ROTATION, 2},
        {"gauss-w2:cov=full", KD2M_METRIC_SCALING | KD2M_METRIC_ROTATION, 0, 2},
        {"kl:cov=full", KD2M_METRIC_ROTATION, KD2M_METRIC_SYMMETRIC, 0},
        {"renyi:cov=full,reg=0", KD2M_METRIC_ROTATION | KD2M_METRIC_SYMMETRIC, 0, 0},
        {"jeffreys", KD2M_METRIC_SCALING, KD2M_METRIC_SYMMETRIC, 0},
        {"jeffreys:reg=0", KD2M_METRIC_SYMMETRIC, KD2M_METRIC_ROTATION, 0},
        {"renyi:reg=0", KD2M_METRIC_SYMMETRIC, 0, 0},
        {"renyi:reg=0,alpha=0.4", KD2M_METRIC_SCALING, KD2M_METRIC_SYMMETRIC, 0},
        {"kd", KD2M_METRIC_ON_LOGITS | KD2M_METRIC_PAIRED, KD2M_METRIC_SCALING, 0},
        {"cond(w1)", KD2M_METRIC_LABELS | KD2M_METRIC_TRANSPORT, KD2M_METRIC_SYMMETRIC, 1},
        {"joint(w2)", KD2M_METRIC_TRANSPORT | KD2M_METRIC_SCALING | KD2M_METRIC_LABELS,
         KD2M_METRIC_WITH_LOGITS, 0},
        {"joint(w1):of=softmax", KD2M_METRIC_SCALING | KD2M_METRIC_WITH_LOGITS, KD2M_METRIC_LABELS,
         0},
        {"cond(w1):by=machine", KD2M_METRIC_TRANSPORT, KD2M_METRIC_LABELS, 1},
        {"sinkhorn", KD2M_METRIC_TRANSPORT | KD2M_METRIC_SCALING, KD2M_METRIC_ZERO, 2},
        {"sinkhorn:abs=1", KD2M_METRIC_TRANSPORT, KD2M_METRIC_SCALING, 0},
        {"joint(sinkhorn:abs=1)", KD2M_METRIC_SCALING, 0, 0},
        {"cond(w1):classes=sum", KD2M_METRIC_LABELS | KD2M_METRIC_SYMMETRIC, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        problem_metric opened = problem_open(context, cases[i].spec);
        assert_int_equal(opened.info.traits & cases[i].with, cases[i].with);
        assert_int_equal(opened.info.traits & cases[i].without, 0);
        assert_true(opened.info.degree == cases[i].degree);
        problem_close(&opened);
    }
}

static void test_table(void **state) {
    (void)state;
    kd2m_table *table = NULL;
    char *text = NULL, *json = NULL;
    EXPECT_OK(context, kd2m_metric_table(&table, context));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    EXPECT_OK(context, kd2m_table_to_json(table, &json));
    const kd2m_metric_descriptor *descriptor;
    for (size_t i = 0; (descriptor = kd2m_metric_registry(i)) != NULL; i++) {
        assert_non_null(strstr(text, descriptor->name));
        assert_non_null(strstr(json, descriptor->source));
    }
    assert_non_null(strstr(json, "kernel=rbf|linear|poly, sigma=0"));
    kd2m_text_free(context, text);
    kd2m_text_free(context, json);
    kd2m_table_free(table);
}

/* A choice's default is written as its first word: the table relies on it. */
static void test_defaults_stand_first(void **state) {
    (void)state;
    const kd2m_metric_descriptor *descriptor;
    for (size_t i = 0; (descriptor = kd2m_metric_registry(i)) != NULL; i++)
        for (size_t k = 0; k < descriptor->settings.count; k++) {
            const kd2m_setting *setting = &descriptor->settings.rows[k];
            if (setting->type == KD2M_SETTING_CHOICE)
                assert_int_equal(
                    strncmp(setting->metavar, setting->fallback, strlen(setting->fallback)), 0);
        }
}

static void test_table_survives_failing_allocations(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_table *table = NULL;
        status = kd2m_metric_table(&table, failing);
        if (status != KD2M_OK) {
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
            assert_null(table);
        }
        kd2m_table_free(table);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_specs_are_written_out),
        cmocka_unit_test(test_settings_change_traits),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_defaults_stand_first),
        cmocka_unit_test(test_table_survives_failing_allocations),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
