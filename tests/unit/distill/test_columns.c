/* Columns in a run: cond(M):by=COLUMN sees the codes of the very rows of each batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd2m/kd2m.h"
#include "testing.h"

enum { ROWS = 140, WIDTH = 6, CLASSES = 3 };

static kd2m_context *context;
static char data[2400];
static char teacher[256];

/* Samples in three clouds; 'copy' is the label under other numbers, 'other' has nothing to do with
 * it, 'ten' is the same for ten rows. */
static void write_data(void) {
    static float values[ROWS * WIDTH];
    static int32_t labels[ROWS], copies[ROWS], others[ROWS], tens[ROWS];
    char folder[256];
    snprintf(folder, sizeof folder, "%s", testing_folder());
    for (size_t i = 0; i < ROWS; i++) {
        labels[i] = (int32_t)(i % CLASSES);
        copies[i] = 50 - labels[i];
        others[i] = (int32_t)(i / 10 % 2);
        tens[i] = (int32_t)(i / 10);
        for (size_t k = 0; k < WIDTH; k++)
            values[i * WIDTH + k] =
                testing_hashed(i * WIDTH + k, 5) + (k == (size_t)labels[i] ? 1.5F : 0.0F);
    }
    const struct {
        const char *name;
        kd2m_array array;
    } files[] = {{"x", {KD2M_FLOAT32, 2, {ROWS, WIDTH}, ROWS * WIDTH, values}},
                 {"y", {KD2M_INT32, 1, {ROWS}, ROWS, labels}},
                 {"copy", {KD2M_INT32, 1, {ROWS}, ROWS, copies}},
                 {"other", {KD2M_INT32, 1, {ROWS}, ROWS, others}},
                 {"ten", {KD2M_INT32, 1, {ROWS}, ROWS, tens}}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s.npy", folder, files[i].name);
        EXPECT_OK(context, kd2m_array_write(context, &files[i].array, path));
    }
    snprintf(data, sizeof data,
             "npy:train=%s/x.npy;%s/y.npy;copy=%s/copy.npy;other=%s/other.npy;ten=%s/ten.npy,"
             "test=%s/x.npy;%s/y.npy",
             folder, folder, folder, folder, folder, folder, folder);
}

static kd2m_train_settings settings_for(const char *loss) {
    kd2m_train_settings settings;
    kd2m_settings_default(kd2m_train_setting_list(), &settings);
    settings.data = data;
    settings.model = "mlp:6-5-3";
    settings.teacher = loss ? teacher : NULL;
    settings.loss = loss;
    settings.epochs = 3;
    settings.batch_size = 20;
    return settings;
}

/* The loss on test after distilling: two runs of one value made the same steps. */
static double distil(const char *loss) {
    kd2m_run_result result;
    kd2m_train_settings settings = settings_for(loss);
    EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    return result.test_loss;
}

static void groups_by_a_copy_of_the_labels_are_those_of_the_labels(void **state) {
    (void)state;
    double by_label = distil("ce + cond(w2)@features");
    assert_true(distil("ce + cond(w2):by=copy@features") == by_label);
    assert_true(distil("ce + cond(w2):by=other@features") != by_label);
    assert_true(distil("ce + w2@features") != by_label);
}

static void an_unknown_column_is_refused_at_the_start(void **state) {
    kd2m_run_result result;
    kd2m_train_settings settings = settings_for("ce + cond(w2):by=machine@features");
    (void)state;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    EXPECT_MESSAGE(context, "term 'cond(w2):by=machine@features': the training data of");
    EXPECT_MESSAGE(context, "have no column 'machine'; there are 'copy', 'other', 'ten'");
}

/* What a run kept for test is found again by evaluating with the same settings. */
static void test_rows_of_a_run_are_found_again(void **state) {
    kd2m_run_result result;
    kd2m_evaluation found;
    kd2m_data_settings again;
    kd2m_train_settings settings = settings_for(NULL);
    char run[256], alone[2400];
    (void)state;
    snprintf(run, sizeof run, "%s", testing_folder());
    snprintf(alone, sizeof alone, "%s", data);
    *strstr(alone, ",test=") = '\0';
    settings.data = alone;
    settings.split = "group:ten";
    settings.validation = 0.2;
    settings.test = 0.25;
    EXPECT_OK(context, kd2m_run(&result, context, run, &settings, KD2M_RUN_NEW));
    kd2m_settings_default(kd2m_data_setting_list(), &again);
    again.data = alone;
    again.split = settings.split;
    again.test = settings.test;
    EXPECT_OK(context, kd2m_evaluate(&found, context, run, &again));
    assert_int_equal(30, found.scores.rows); /* 0.25 of 140 is 35, lies between 30 and 40 */
    EXPECT_CLOSE(result.test_loss, found.loss, 0, 1e-6);
    settings.data = data;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    EXPECT_MESSAGE(context, "has 140 test rows of its own: leave --test out");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_by_a_copy_of_the_labels_are_those_of_the_labels),
        cmocka_unit_test(test_rows_of_a_run_are_found_again),
        cmocka_unit_test(an_unknown_column_is_refused_at_the_start),
    };
    kd2m_run_result result;
    context = testing_context(1);
    write_data();
    snprintf(teacher, sizeof teacher, "%s", testing_folder());
    kd2m_train_settings settings = settings_for(NULL);
    settings.model = "mlp:6-8-3";
    if (kd2m_run(&result, context, teacher, &settings, KD2M_RUN_NEW) != KD2M_OK) {
        fprintf(stderr, "%s\n", kd2m_context_message(context));
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
