/* A teacher whose features are in a file, each sample's by its key: the very same runs as with the
 * net itself, and whatever does not fit is refused. */
#include "stored.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "rng.h"

#define DATA "bearing:train=12,test=6,length=128"

static kd2m_context *context;
static char net[256], features[300], other[300];

static kd2m_train_settings settings_of(const char *teacher) {
    kd2m_train_settings settings;
    kd2m_settings_default(kd2m_train_setting_list(), &settings);
    settings.data = DATA;
    settings.model = teacher ? "cnn1d:width=0.25" : "cnn1d:width=0.5";
    settings.teacher = teacher;
    settings.loss = teacher ? "ce + 0.5*kd:T=4 + mse + cond(w2):bank=20 + joint(w2):of=logits + "
                              "0.1*gauss-w2@bn3/positions:rows=32~bn2"
                            : NULL;
    settings.epochs = 2;
    settings.batch_size = 16;
    settings.lr = 0.01;
    return settings;
}

static kd2m_run_result run(const char *folder, const char *teacher) {
    kd2m_run_result result;
    kd2m_train_settings settings = settings_of(teacher);
    EXPECT_OK(context, kd2m_run(&result, context, folder, &settings, KD2M_RUN_NEW));
    return result;
}

static void refuse_run(const char *teacher, const char *loss, const char *augment,
                       kd2m_status expected, const char *message) {
    kd2m_run_result result;
    kd2m_train_settings settings = settings_of(teacher);
    if (loss)
        settings.loss = loss;
    settings.augment = augment;
    EXPECT_STATUS(context, expected,
                  kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    EXPECT_MESSAGE(context, message);
}

/* The log but for the seconds; to be freed. */
static char *plain_log(const char *folder) {
    size_t size;
    char *log = fixture_read(folder, "log.jsonl", &size);
    for (char *at = log; (at = strstr(at, "\"seconds\":"));) {
        char *end = at + strcspn(at, "}");
        memmove(at, end, strlen(end) + 1);
    }
    return log;
}

static void expect_same_run(const char *a, const char *b) {
    char *first = plain_log(a), *second = plain_log(b);
    fixture_expect_same_model(a, b);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

static void shuffle(kd2m_tensors *tensors) {
    uint32_t order[1000];
    size_t rows = tensors->items[0].shape[0];
    kd2m_rng rng;
    for (uint32_t i = 0; i < rows; i++)
        order[i] = i;
    kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, 0);
    kd2m_rng_shuffle(&rng, order, rows);
    stored_reorder(tensors, order);
}

/* Batches of another size compute the same bits: nets run every row by itself. */
static void the_file_teaches_as_the_net_does(void **state) {
    (void)state;
    char of_net[256], of_file[256], of_shuffled[256];
    snprintf(of_net, sizeof of_net, "%s", testing_folder());
    snprintf(of_file, sizeof of_file, "%s", testing_folder());
    snprintf(of_shuffled, sizeof of_shuffled, "%s", testing_folder());
    kd2m_run_result first = run(of_net, net);
    kd2m_run_result second = run(of_file, features);
    expect_same_run(of_net, of_file);
    EXPECT_CLOSE(first.teacher_accuracy, second.teacher_accuracy, 0, 0);
    stored_change(context, features, other, shuffle, NULL);
    run(of_shuffled, other);
    expect_same_run(of_net, of_shuffled);
}

/* In a folder, as another program would write them. */
static void a_folder_teaches_as_well(void **state) {
    (void)state;
    char of_net[256], of_folder[256], folder[256];
    kd2m_tensors *tensors;
    snprintf(of_net, sizeof of_net, "%s", testing_folder());
    snprintf(of_folder, sizeof of_folder, "%s", testing_folder());
    snprintf(folder, sizeof folder, "%s", testing_folder());
    EXPECT_OK(context, kd2m_tensors_read(&tensors, context, features));
    for (size_t i = 0; i < tensors->count; i++)
        stored_write_array(context, folder, &tensors->items[i]);
    kd2m_tensors_free(tensors);
    run(of_net, net);
    run(of_folder, folder);
    expect_same_run(of_net, of_folder);
}

static void drop_first_key(kd2m_tensors *tensors) {
    unsigned char *keys = kd2m_tensors_find(tensors, "keys")->values;
    keys[0] ^= 1;
}

static void drop_test_keys(kd2m_tensors *tensors) {
    kd2m_tensor *keys = kd2m_tensors_find(tensors, "keys");
    for (size_t i = 84; i < keys->shape[0]; i++) /* one of them stays */
        ((unsigned char *)keys->values)[8 * i] ^= i > 84;
}

static void drop_all_test_keys(kd2m_tensors *tensors) {
    drop_test_keys(tensors);
    ((unsigned char *)kd2m_tensors_find(tensors, "keys")->values)[8 * 84] ^= 1;
}

static void spoil(kd2m_tensors *tensors) {
    ((float *)kd2m_tensors_find(tensors, "features")->values)[9] = NAN;
}

static void other_data(kd2m_tensors *tensors) {
    EXPECT_OK(context, kd2m_tensors_set_text(tensors, "data", "0123456789abcdef"));
}

static void no_digest(kd2m_tensors *tensors) {
    json_object_del(tensors->metadata, "data");
}

static void what_does_not_fit(void **state) {
    (void)state;
    const struct {
        void (*change)(kd2m_tensors *tensors);
        const char *drop, *loss;
        kd2m_status status;
        const char *message;
    } cases[] = {
        {drop_first_key, NULL, NULL, KD2M_ERROR_INPUT,
         "no features of 1 of the 77 training samples"},
        {spoil, NULL, NULL, KD2M_ERROR_INPUT, "'features' holds 1 values that are NaN"},
        {other_data, NULL, NULL, KD2M_ERROR_INPUT, "data with digest 0123456789abcdef, but"},
        {NULL, "logits", "ce + kd", KD2M_ERROR_USAGE,
         "has none of the data's classes: add 'logits'"},
        {NULL, "logits", "ce + joint(w2):of=softmax", KD2M_ERROR_USAGE, "add 'logits'"},
        {NULL, "features", "ce + w2", KD2M_ERROR_USAGE, "has no layer 'features'"},
        {NULL, "keys", "ce + mse", KD2M_ERROR_USAGE, "have no keys that tell whose they are"},
        {NULL, "keys", "ce + kd", KD2M_ERROR_USAGE, "have no keys that tell whose they are"},
        {NULL, "keys", "ce + cond(mse)", KD2M_ERROR_USAGE, "have no keys"},
        {NULL, "keys", "ce + cond(w2):by=load", KD2M_ERROR_USAGE, "groups by a column"},
        {NULL, "keys labels", "ce + cond(w2)", KD2M_ERROR_USAGE, "add 'labels' to its file"},
        {NULL, "keys labels", "ce + joint(w2)", KD2M_ERROR_USAGE, "add 'labels' to its file"},
        {NULL, "keys logits", "ce + joint(w2):of=logits", KD2M_ERROR_USAGE, "add 'logits'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stored_change(context, features, other, cases[i].change, cases[i].drop);
        refuse_run(other, cases[i].loss, NULL, cases[i].status, cases[i].message);
    }
    refuse_run(features, NULL, "shift", KD2M_ERROR_USAGE, "leave --augment out");
    refuse_run("/nowhere/at/all", NULL, NULL, KD2M_ERROR_IO, "a teacher is a run folder");
    refuse_run(testing_folder(), NULL, NULL, KD2M_ERROR_INPUT, "nor .npy files");
}

/* Fewer rows, fewer classes: the file of the whole data serves, but for logits of other classes. */
static void parts_of_the_data(void **state) {
    (void)state;
    char of_net[256], of_file[256];
    kd2m_run_result result;
    snprintf(of_net, sizeof of_net, "%s", testing_folder());
    snprintf(of_file, sizeof of_file, "%s", testing_folder());
    kd2m_train_settings settings = settings_of(features);
    settings.limit = 40;
    EXPECT_OK(context, kd2m_run(&result, context, of_file, &settings, KD2M_RUN_NEW));
    settings.classes = "1,3-5";
    settings.loss = "ce + w2 + kd";
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_run(&result, context, of_net, &settings, KD2M_RUN_NEW));
    EXPECT_MESSAGE(context, "has none of the data's classes");
    settings.loss = "ce + cond(w2)@bn3";
    EXPECT_OK(context, kd2m_run(&result, context, of_net, &settings, KD2M_RUN_NEW));
    assert_true(isnan(result.teacher_accuracy));
}

/* One changed value of one sample makes it another sample, whatever the digest says. */
static void a_changed_sample_is_found(void **state) {
    (void)state;
    enum { ROWS = 20, WIDTH = 6 };
    static float values[ROWS * WIDTH];
    static int32_t labels[ROWS];
    char folder[256], x_path[300], y_path[300], data[700], model[256];
    kd2m_array x = {KD2M_FLOAT32, 2, {ROWS, WIDTH}, ROWS * WIDTH, values};
    kd2m_array y = {KD2M_INT32, 1, {ROWS}, ROWS, labels};
    kd2m_train_settings settings = settings_of(NULL);
    kd2m_run_result result;
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        values[i] = testing_hashed(i, 3);
    for (size_t i = 0; i < ROWS; i++)
        labels[i] = (int32_t)(i % 2);
    snprintf(folder, sizeof folder, "%s", testing_folder());
    snprintf(model, sizeof model, "%s", testing_folder());
    snprintf(x_path, sizeof x_path, "%s/x.npy", folder);
    snprintf(y_path, sizeof y_path, "%s/y.npy", folder);
    snprintf(data, sizeof data, "npy:train=%s;%s", x_path, y_path);
    EXPECT_OK(context, kd2m_array_write(context, &x, x_path));
    EXPECT_OK(context, kd2m_array_write(context, &y, y_path));
    settings.data = data;
    settings.model = "mlp:6-4-2";
    settings.validation = 0;
    settings.batch_size = 5;
    EXPECT_OK(context, kd2m_run(&result, context, model, &settings, KD2M_RUN_NEW));
    stored_write(context, model, data, NULL, false, false, other);
    stored_change(context, other, other, no_digest, NULL);
    settings.teacher = other;
    settings.loss = "ce + w2";
    EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    assert_true(isnan(result.teacher_accuracy)); /* there is no test part */
    for (size_t i = 0; i < ROWS * WIDTH; i += 7) {
        char message[100];
        float before = values[i];
        values[i] += 1e-6F;
        EXPECT_OK(context, kd2m_array_write(context, &x, x_path));
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
        snprintf(message, sizeof message, "of 1 of the 20 training samples of");
        EXPECT_MESSAGE(context, message);
        snprintf(message, sizeof message, "first of training row %zu", i / WIDTH);
        EXPECT_MESSAGE(context, message);
        values[i] = before;
    }
}

/* Teacher accuracy on test is that on the rows that the file has, or unknown. */
static void accuracy_on_what_is_there(void **state) {
    (void)state;
    kd2m_run_result whole = run(testing_folder(), features);
    assert_true(whole.teacher_accuracy >= 0 && whole.teacher_accuracy <= 1);
    stored_change(context, features, other, drop_test_keys, NULL);
    kd2m_run_result one = run(testing_folder(), other);
    assert_true(one.teacher_accuracy <= 0 || one.teacher_accuracy >= 1);
    stored_change(context, features, other, drop_all_test_keys, NULL);
    assert_true(isnan(run(testing_folder(), other).teacher_accuracy));
    stored_change(context, features, other, NULL, "logits");
    kd2m_run_result result;
    kd2m_train_settings settings = settings_of(other);
    settings.loss = "ce + w2";
    EXPECT_OK(context, kd2m_run(&result, context, testing_folder(), &settings, KD2M_RUN_NEW));
    assert_true(isnan(result.teacher_accuracy));
}

static int polls_left;

static int stop_after_some_polls(void *user) {
    (void)user;
    return polls_left-- <= 0;
}

/* Interrupted at many places and resumed: the same model; with another file it is refused. */
static void resumed_runs(void **state) {
    (void)state;
    static const char *const drops[] = {NULL, "keys"};
    for (size_t k = 0; k < 2; k++) {
        char whole[256], torn[256];
        kd2m_run_result result;
        kd2m_context_settings stopping;
        kd2m_context *interrupted;
        int interruptions = 0;
        snprintf(whole, sizeof whole, "%s", testing_folder());
        snprintf(torn, sizeof torn, "%s", testing_folder());
        stored_change(context, features, other, NULL, drops[k]);
        kd2m_train_settings settings = settings_of(other);
        settings.batch_size = 13;
        settings.model = "mlp:128-9-7";
        settings.loss = k == 0 ? "ce + kd + cond(w2):bank=20"
                               : "ce + cond(w2):bank=20 + 0.1*mmd + joint(w2):of=logits";
        kd2m_context_settings_default(&stopping);
        stopping.threads = kd2m_context_threads(context);
        stopping.interrupted = stop_after_some_polls;
        EXPECT_OK(NULL, kd2m_context_create(&interrupted, &stopping));
        EXPECT_OK(context, kd2m_run(&result, context, whole, &settings, KD2M_RUN_NEW));
        for (int polls = 2; polls < 30; polls++) {
            polls_left = polls;
            kd2m_status status = kd2m_run(&result, interrupted, torn, &settings, KD2M_RUN_FORCE);
            interruptions += status == KD2M_ERROR_INTERRUPTED;
            EXPECT_OK(context, kd2m_run(&result, context, torn, &settings, KD2M_RUN_RESUME));
            expect_same_run(whole, torn);
        }
        assert_true(interruptions > 4);
        stored_change(context, features, other, shuffle, drops[k]);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_run(&result, context, torn, &settings, KD2M_RUN_RESUME));
        EXPECT_MESSAGE(context, "teacher is not the one that the run began with");
        kd2m_context_free(interrupted);
    }
}

/* What is asked of `features` that can't be. */
static void refusals_of_the_writer(void **state) {
    (void)state;
    kd2m_features_settings settings;
    size_t rows;
    kd2m_settings_default(kd2m_features_setting_list(), &settings);
    settings.data = DATA;
    settings.layers = "bn3,bm4";
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_features_write(&rows, context, net, &settings, other));
    EXPECT_MESSAGE(context, "did you mean 'bn4'");
    settings.layers = "";
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_features_write(&rows, context, net, &settings, other));
    settings.layers = "labels";
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_features_write(&rows, context, net, &settings, other));
    settings.layers = "features,logits";
    EXPECT_OK(context, kd2m_features_write(&rows, context, net, &settings, other));
    assert_int_equal(rows, 7 * 18);
    settings.per_class = 1;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_features_write(&rows, context, net, &settings, other));
    EXPECT_MESSAGE(context, "--moments");
    settings.per_class = 0;
    EXPECT_STATUS(context, KD2M_ERROR_IO,
                  kd2m_features_write(&rows, context, net, &settings, "/nowhere/f.safetensors"));
    assert_int_equal(rows, 0);
    settings.data = "bearing:train=12,test=6,length=256";
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_features_write(&rows, context, net, &settings, other));
    EXPECT_MESSAGE(context, "takes samples of 1 x 128");
}

static void failing_allocations(void **state) {
    (void)state;
    static const char *const drops[] = {NULL, "keys"};
    for (size_t k = 0; k < 2; k++) {
        stored_change(context, features, other, NULL, drops[k]);
        const char *folder = testing_folder();
        kd2m_train_settings settings = settings_of(other);
        kd2m_status status = KD2M_ERROR_MEMORY;
        settings.model = "mlp:128-9-7";
        settings.loss = "ce + cond(w2)";
        settings.epochs = 1;
        for (size_t fail_at = 0; status != KD2M_OK; fail_at += 1 + fail_at / 40) {
            kd2m_context *failing = testing_failing_context(fail_at);
            kd2m_run_result result;
            status = kd2m_run(&result, failing, folder, &settings, KD2M_RUN_FORCE);
            assert_true(status == KD2M_OK || status == KD2M_ERROR_MEMORY);
            assert_int_equal(testing_live(), 0);
            kd2m_context_free(failing);
        }
    }
    for (int moments = 0; moments < 2; moments++) {
        kd2m_features_settings settings;
        size_t rows;
        kd2m_status status = KD2M_ERROR_MEMORY;
        kd2m_settings_default(kd2m_features_setting_list(), &settings);
        settings.data = DATA;
        settings.layers = "bn3";
        settings.moments = settings.per_class = moments;
        for (size_t fail_at = 0; status != KD2M_OK; fail_at += 1 + fail_at / 40) {
            kd2m_context *failing = testing_failing_context(fail_at);
            status = kd2m_features_write(&rows, failing, net, &settings, other);
            assert_true(status == KD2M_OK || status == KD2M_ERROR_MEMORY);
            assert_int_equal(testing_live(), 0);
            kd2m_context_free(failing);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_teaches_as_the_net_does),
        cmocka_unit_test(a_folder_teaches_as_well),
        cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(parts_of_the_data),
        cmocka_unit_test(a_changed_sample_is_found),
        cmocka_unit_test(accuracy_on_what_is_there),
        cmocka_unit_test(resumed_runs),
        cmocka_unit_test(refusals_of_the_writer),
        cmocka_unit_test(failing_allocations),
    };
    context = testing_context(1);
    snprintf(net, sizeof net, "%s", testing_folder());
    snprintf(features, sizeof features, "%s/features.safetensors", testing_folder());
    snprintf(other, sizeof other, "%s/other.safetensors", testing_folder());
    run(net, NULL);
    stored_write(context, net, DATA, "bn2,bn3", false, false, features);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
