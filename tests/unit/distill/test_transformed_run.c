/* A run behind a transform: evaluated, predicted from and taught with the very same samples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd2m/kd2m.h"
#include "testing.h"

#define DATA "bearing:train=20,test=10,length=128"
#define CHAIN "detrend+envelope-spectrum"

static kd2m_context *context;
static char teacher[256];

static kd2m_train_settings settings_for(const char *chain) {
    kd2m_train_settings settings;
    kd2m_settings_default(kd2m_train_setting_list(), &settings);
    settings.data = DATA;
    settings.transform = chain;
    settings.model = "mlp:65-8-7";
    settings.epochs = 2;
    settings.batch_size = 10;
    return settings;
}

static kd2m_evaluation evaluate(const char *data, const char *chain) {
    kd2m_data_settings settings;
    kd2m_evaluation found;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = data;
    settings.transform = chain;
    EXPECT_OK(context, kd2m_evaluate(&found, context, teacher, &settings));
    return found;
}

static void evaluation_applies_the_models_chain(void **state) {
    kd2m_train_settings settings = settings_for(CHAIN);
    kd2m_run_result result;
    kd2m_evaluation found;
    (void)state;
    EXPECT_OK(context, kd2m_run(&result, context, teacher, &settings, KD2M_RUN_NEW));
    found = evaluate(DATA, NULL);
    assert_int_equal(70, found.scores.rows);
    assert_true(found.scores.accuracy == result.test_accuracy);
    EXPECT_CLOSE(found.scores.accuracy, found.scores.balanced_accuracy, 1e-12, 0); /* 10 a class */
    assert_true(found.scores.macro_f1 > 0 && found.scores.macro_f1 <= 1);
    EXPECT_CLOSE(result.test_loss, found.loss, 0, 1e-6); /* other batches, other roundings */
    found = evaluate(DATA, "resample:to=128");           /* comes first, and changes nothing here */
    EXPECT_CLOSE(result.test_loss, found.loss, 0, 1e-6);
    found = evaluate("bearing:train=1,test=10,length=256", "resample:to=128");
    assert_int_equal(70, found.scores.rows);
    /* without a test part, all of the training part */
    assert_int_equal(140, evaluate("bearing:train=20,test=0,length=128", "").scores.rows);
}

static void corruptions_come_before_the_models_chain(void **state) {
    kd2m_evaluation clean = evaluate(DATA, NULL), mild = evaluate(DATA, "corrupt:noise,severity=1"),
                    bad = evaluate(DATA, "corrupt:noise,severity=5"),
                    again = evaluate(DATA, "corrupt:noise,severity=5"),
                    other = evaluate(DATA, "corrupt:noise,severity=5,seed=1");
    (void)state;
    assert_true(clean.loss != mild.loss && mild.loss != bad.loss);
    assert_true(bad.loss == again.loss && bad.loss != other.loss);
}

static void a_model_names_its_chain(void **state) {
    kd2m_model *model = NULL;
    kd2m_model_info info;
    kd2m_dataset *dataset = NULL;
    kd2m_data_settings settings;
    kd2m_table *table = NULL;
    char *text = NULL;
    float values[65], logits[7];
    (void)state;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    EXPECT_OK(context, kd2m_model_open(&model, context, teacher));
    kd2m_model_describe(model, &info);
    assert_string_equal(CHAIN, info.transform);
    assert_int_equal(65, info.sample_size);
    EXPECT_OK(context, kd2m_model_table(&table, model));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    assert_non_null(strstr(text, "samples go through: " CHAIN));
    settings.data = DATA;
    settings.transform = info.transform;
    EXPECT_OK(context, kd2m_dataset_open(&dataset, context, &settings));
    EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TEST, 0, 1, values, NULL));
    EXPECT_OK(context, kd2m_model_predict(model, values, 1, logits, NULL));
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    kd2m_dataset_free(dataset);
    kd2m_model_free(model);
}

static void a_teacher_behind_another_chain_is_refused(void **state) {
    static const char *const others[] = {"envelope-spectrum", "detrend", NULL};
    kd2m_run_result result;
    kd2m_train_settings settings = settings_for(CHAIN);
    (void)state;
    settings.teacher = teacher;
    EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    for (size_t i = 0; i < 3; i++) {
        settings = settings_for(others[i]);
        settings.teacher = teacher;
        settings.model = i == 0 ? "mlp:65-8-7" : "mlp:128-8-7";
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
        EXPECT_MESSAGE(context, "the teacher was trained behind --transform " CHAIN);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluation_applies_the_models_chain),
        cmocka_unit_test(corruptions_come_before_the_models_chain),
        cmocka_unit_test(a_model_names_its_chain),
        cmocka_unit_test(a_teacher_behind_another_chain_is_refused),
    };
    context = testing_context(1);
    snprintf(teacher, sizeof teacher, "%s", testing_folder());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
