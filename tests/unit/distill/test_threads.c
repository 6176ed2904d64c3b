/* Two contexts train in two threads at once: the bytes of runs made one after the other. */
#include "fixture.h"

#include <stdio.h>

static char teacher_path[256];

typedef struct job {
    kd2m_context *context;
    kd2m_train_settings settings;
    char alone[128], beside[128]; /* run folders */
    kd2m_status status;
} job;

static void job_open(job *out, const char *model, const char *loss, int threads) {
    out->context = testing_context(threads);
    kd2m_settings_default(kd2m_train_setting_list(), &out->settings);
    out->settings.data = FIXTURE_DATA;
    out->settings.model = model;
    out->settings.teacher = teacher_path;
    out->settings.loss = loss;
    out->settings.epochs = 6;
    out->settings.batch_size = 10;
    out->settings.sampler = "balanced";
    out->settings.lr = 0.01;
    out->settings.clip = 1;
    snprintf(out->alone, sizeof out->alone, "%s", testing_folder());
    snprintf(out->beside, sizeof out->beside, "%s", testing_folder());
}

static kd2m_status train(job *work, const char *folder) {
    kd2m_run_result result;
    return kd2m_run(&result, work->context, folder, &work->settings, KD2M_RUN_NEW);
}

static void train_beside(void *user) {
    job *work = user;
    work->status = train(work, work->beside);
}

static void test_same_bytes_side_by_side(void **state) {
    (void)state;
    job jobs[2] = {0};
    job_open(&jobs[0], "mlp:128-8-7", "ce + kd:T=4 + cond(w2)", 2);
    job_open(&jobs[1], "cnn1d:width=0.25", "ce + 0.5*kd", 1);
    for (size_t i = 0; i < 2; i++)
        EXPECT_OK(jobs[i].context, train(&jobs[i], jobs[i].alone));
    testing_side_by_side(train_beside, &jobs[0], &jobs[1]);
    for (size_t i = 0; i < 2; i++) {
        EXPECT_OK(jobs[i].context, jobs[i].status);
        fixture_expect_same_model(jobs[i].alone, jobs[i].beside);
        kd2m_context_free(jobs[i].context);
    }
}

/* Tries to train in the folder of the run that is polling, from a context of its own. */
typedef struct intruder {
    const job *work;
    bool tried;
    kd2m_status status;
} intruder;

static int intrude(void *user) {
    intruder *second = user;
    if (second->tried)
        return 0;
    second->tried = true;
    kd2m_run_result result;
    kd2m_context *context = testing_context(1);
    second->status =
        kd2m_run(&result, context, second->work->beside, &second->work->settings, KD2M_RUN_RESUME);
    kd2m_context_free(context);
    return 0;
}

/* The lock of a run folder holds inside one process, and a refused run leaves it locked. */
static void test_one_run_a_folder(void **state) {
    (void)state;
    job work = {0};
    job_open(&work, "mlp:128-8-7", "ce", 1);
    intruder second = {.work = &work};
    kd2m_context_settings polling;
    kd2m_context_settings_default(&polling);
    polling.threads = 1;
    polling.interrupted = intrude;
    polling.user = &second;
    kd2m_context *context;
    kd2m_run_result result;
    assert_int_equal(kd2m_context_create(&context, &polling), KD2M_OK);
    EXPECT_OK(context, kd2m_run(&result, context, work.beside, &work.settings, KD2M_RUN_NEW));
    assert_true(second.tried);
    assert_int_equal(second.status, KD2M_ERROR_USAGE);
    EXPECT_OK(work.context, train(&work, work.alone));
    fixture_expect_same_model(work.alone, work.beside);
    kd2m_context_free(context);
    kd2m_context_free(work.context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes_side_by_side),
        cmocka_unit_test(test_one_run_a_folder),
    };
    snprintf(teacher_path, sizeof teacher_path, "%s/teacher.safetensors", testing_folder());
    fixture_write_teacher(teacher_path);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
