/* Teachers of whom a law is known, not whose rows they are: features without keys, and moments. */
#include "stored.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 12, TRAIN = 84, ALL = 126 };

static kd2m_context *context;
static char net[256], features[300], unpaired[300], few[300], moments[300], by_class[300];
static float rows[ALL * WIDTH]; /* the file's */
static int32_t labels[ALL];

static void keep_nine(kd2m_tensors *tensors) {
    for (size_t i = 0; i < tensors->count; i++) {
        kd2m_tensor *tensor = &tensors->items[i];
        tensor->count = tensor->count / tensor->shape[0] * 9;
        tensor->shape[0] = 9;
    }
}

/* Which row of the file this is; the test fails where it is none. */
static size_t find_row(const float *row) {
    size_t i = 0;
    while (i < ALL && memcmp(rows + i * WIDTH, row, WIDTH * sizeof *row) != 0)
        i++;
    assert_true(i < ALL);
    return i;
}

/* What a step draws: rows of the file, each once, with their labels, by (seed, step) alone. */
static void draws(void **state) {
    (void)state;
    fixture given;
    size_t seen[ALL] = {0}, differing = 0;
    enum { STEPS = 400 };
    fixture_open(&given, context, unpaired);
    const kd2m_teacher_info *info = kd2m_teacher_describe(given.teacher);
    assert_true(info->mode == KD2M_TEACHER_UNPAIRED && info->labelled && info->stored);
    assert_int_equal(kd2m_teacher_rows(given.teacher), FIXTURE_BATCH);
    kd2m_teacher_layer layer;
    EXPECT_OK(context, kd2m_teacher_find_layer(given.teacher, "features", &layer));
    for (uint64_t step = 0; step < STEPS; step++) {
        float drawn[FIXTURE_BATCH * WIDTH], again[FIXTURE_BATCH * WIDTH];
        bool taken[ALL] = {false};
        EXPECT_OK(context, kd2m_teacher_forward(given.teacher, &given.batch, 5, step));
        EXPECT_OK(context,
                  kd2m_teacher_read(given.teacher, &layer, KD2M_REDUCTION_POOL, NULL, drawn));
        for (size_t i = 0; i < FIXTURE_BATCH; i++) {
            size_t row = find_row(drawn + i * WIDTH);
            assert_false(taken[row]);
            taken[row] = true;
            seen[row]++;
            assert_int_equal(kd2m_teacher_labels(given.teacher)[i], labels[row]);
        }
        EXPECT_OK(context, kd2m_teacher_forward(given.teacher, &given.batch, 6, step));
        EXPECT_OK(context,
                  kd2m_teacher_read(given.teacher, &layer, KD2M_REDUCTION_POOL, NULL, again));
        differing += memcmp(drawn, again, sizeof drawn) != 0;
        EXPECT_OK(context, kd2m_teacher_forward(given.teacher, &given.batch, 5, step));
        EXPECT_OK(context,
                  kd2m_teacher_read(given.teacher, &layer, KD2M_REDUCTION_POOL, NULL, again));
        assert_memory_equal(drawn, again, sizeof drawn);
    }
    assert_int_equal(differing, STEPS);
    double expected = STEPS * (double)FIXTURE_BATCH / ALL, chi = 0;
    for (size_t i = 0; i < ALL; i++)
        chi += pow((double)seen[i] - expected, 2) / (expected * (1 - (double)FIXTURE_BATCH / ALL));
    assert_in_range((int)chi, 80, 180); /* 125 degrees of freedom, sd 16 */
    fixture_close(&given);

    fixture_open(&given, context, few);
    assert_int_equal(kd2m_teacher_rows(given.teacher), 9);
    fixture_close(&given);
}

/* The value of a term is the metric's between the student's batch and the rows drawn. */
static void values_are_the_metrics(void **state) {
    (void)state;
    static const char *const metrics[] = {"w2",       "cond(w2)",  "mmd",
                                          "gauss-w2", "joint(w2)", "joint(w2):of=softmax"};
    const char *const files[] = {unpaired, few};
    for (size_t f = 0; f < 2; f++)
        for (size_t k = 0; k < sizeof metrics / sizeof *metrics; k++) {
            fixture given;
            kd2m_metric *metric;
            kd2m_metric_result result;
            char loss[64];
            fixture_open(&given, context, files[f]);
            snprintf(loss, sizeof loss, "2*%s@features", metrics[k]);
            kd2m_objective *objective = fixture_objective(&given, loss, false);
            EXPECT_OK(context, kd2m_objective_step(objective, &given.batch, false));
            const kd2m_bound_term *term = &objective->terms[0];
            kd2m_sample y = term->y;
            float copied[FIXTURE_BATCH * WIDTH];
            int32_t its[FIXTURE_BATCH];
            assert_int_equal(y.rows, f == 0 ? FIXTURE_BATCH : 9);
            for (size_t i = 0; i < y.rows; i++) { /* from the file itself */
                size_t row = find_row(y.features + i * y.stride);
                memcpy(copied + i * WIDTH, rows + row * WIDTH, WIDTH * sizeof *copied);
                its[i] = labels[row];
            }
            y.features = copied;
            y.stride = WIDTH;
            y.labels = its;
            EXPECT_OK(context, kd2m_metric_create(&metric, context, metrics[k]));
            EXPECT_OK(context, kd2m_metric_evaluate(metric, &term->x, &y, &result, NULL));
            EXPECT_CLOSE(2 * result.value, objective->value, 1e-9, 1e-9);
            assert_true(isnan(term->last.pair_share));
            kd2m_metric_free(metric);
            kd2m_objective_free(objective);
            fixture_close(&given);
        }
}

static void gradients(void **state) {
    (void)state;
    fixture given;
    fixture_open(&given, context, unpaired);
    fixture_check_gradients(&given, "2*cond(w2)@features", false);
    fixture_check_gradients(&given, "3*gauss-w2@features", false);
    fixture_close(&given);
    fixture_open(&given, context, by_class);
    fixture_check_gradients(&given, "3*cond(gauss-w2)@features", false);
    fixture_close(&given);
}

/* tr(B) over the rows of the file, drawn or not, or from the moments. */
static double divisor_of(const char *teacher) {
    fixture given;
    fixture_open(&given, context, teacher);
    kd2m_objective *objective = fixture_objective(&given, "gauss-w2@features", true);
    double divisor = objective->terms[0].divisor;
    kd2m_objective_free(objective);
    fixture_close(&given);
    return divisor;
}

static double variance_of(size_t count, const int32_t *of_class, int32_t class, double *mean,
                          double *variance) {
    double total = 0, members = 0;
    for (size_t i = 0; i < count; i++)
        members += !of_class || of_class[i] == class;
    for (size_t k = 0; k < WIDTH; k++) {
        mean[k] = variance[k] = 0;
        for (size_t i = 0; i < count; i++)
            mean[k] += !of_class || of_class[i] == class ? rows[i * WIDTH + k] / members : 0;
        for (size_t i = 0; i < count; i++)
            variance[k] +=
                !of_class || of_class[i] == class ? pow(rows[i * WIDTH + k] - mean[k], 2) / members
                                                  : 0;
        total += variance[k];
    }
    return total;
}

static void scale_is_the_laws_variance(void **state) {
    (void)state;
    double mean[WIDTH], variance[WIDTH];
    EXPECT_CLOSE(variance_of(ALL, NULL, 0, mean, variance), divisor_of(unpaired), 0, 1e-6);
    EXPECT_CLOSE(variance_of(9, NULL, 0, mean, variance), divisor_of(few), 0, 1e-6);
    double training = variance_of(TRAIN, NULL, 0, mean, variance);
    EXPECT_CLOSE(training, divisor_of(moments), 0, 1e-5);
    EXPECT_CLOSE(training, divisor_of(by_class), 0, 1e-5);
    EXPECT_CLOSE(training, divisor_of(features), 0, 1e-6);
}

/* The student's own means and variances of its batch, and the law's: the closed form. */
static void moments_give_the_closed_form(void **state) {
    (void)state;
    fixture given;
    double mean[WIDTH], variance[WIDTH], expected = 0, means_alone = 0;
    fixture_open(&given, context, moments);
    assert_true(kd2m_teacher_describe(given.teacher)->mode == KD2M_TEACHER_MOMENTS);
    kd2m_objective *objective =
        fixture_objective(&given, "gauss-w2@features + mmd:kernel=linear@features", false);
    EXPECT_OK(context, kd2m_objective_step(objective, &given.batch, false));
    const kd2m_sample *x = &objective->terms[0].x;
    variance_of(TRAIN, NULL, 0, mean, variance);
    for (size_t k = 0; k < WIDTH; k++) {
        double m = 0, v = 0;
        for (size_t i = 0; i < x->rows; i++)
            m += (double)x->features[i * x->stride + k] / (double)x->rows;
        for (size_t i = 0; i < x->rows; i++)
            v += pow((double)x->features[i * x->stride + k] - m, 2) / (double)x->rows;
        means_alone += pow(m - mean[k], 2);
        expected += pow(m - mean[k], 2) + pow(sqrt(v) - sqrt(variance[k]), 2);
    }
    EXPECT_CLOSE(expected, objective->terms[0].last.value, 0, 1e-5);
    EXPECT_CLOSE(means_alone, objective->terms[1].last.value, 0, 1e-5);
    kd2m_objective_free(objective);
    fixture_close(&given);
}

/* Class by class, and over all classes by their weights: as all training rows say. */
static void moments_say_what_all_rows_say(void **state) {
    (void)state;
    static const char *const metrics[] = {
        "cond(gauss-w2)", "cond(kl):classes=sum", "cond(mmd:kernel=linear)", "gauss-w2",
        "kl:dir=ts",      "mmd:kernel=linear"};
    for (size_t k = 0; k < sizeof metrics / sizeof *metrics; k++) {
        fixture given;
        kd2m_metric *metric;
        kd2m_metric_result result;
        char loss[64];
        fixture_open(&given, context, by_class);
        snprintf(loss, sizeof loss, "%s@features", metrics[k]);
        kd2m_objective *objective = fixture_objective(&given, loss, false);
        EXPECT_OK(context, kd2m_objective_step(objective, &given.batch, false));
        const kd2m_sample y = {
            .rows = TRAIN, .dim = WIDTH, .features = rows, .stride = WIDTH, .labels = labels};
        EXPECT_OK(context, kd2m_metric_create(&metric, context, metrics[k]));
        EXPECT_OK(context, kd2m_metric_evaluate(metric, &objective->terms[0].x, &y, &result, NULL));
        EXPECT_CLOSE(result.value, objective->value, 0, 1e-4);
        kd2m_metric_free(metric);
        kd2m_objective_free(objective);
        fixture_close(&given);
    }
}

static void refusals(void **state) {
    (void)state;
    const struct {
        const char *file, *loss, *message;
    } cases[] = {
        {moments, "w2", "other Gaussian metrics with cov=diag work"},
        {moments, "mmd", "looks at more than means and variances"},
        {moments, "kd", "looks at more"},
        {moments, "mse", "looks at more"},
        {moments, "joint(w2)", "looks at more"},
        {by_class, "cond(w2)", "looks at more"},
        {moments, "cond(gauss-w2)", "moments by class"},
        {by_class, "cond(gauss-w2):by=load", "by a column"},
        {moments, "gauss-w2:bank=5", "no earlier rows of it"},
        {moments, "gauss-w2@featurs", "did you mean 'features'"},
        {moments, "gauss-w2@features/positions", "has no positions"},
        {unpaired, "mse", "no keys"},
        {unpaired, "cond(kd)", "no keys"},
        {unpaired, "kd", "add 'keys'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture given;
        fixture_open(&given, context, cases[i].file);
        fixture_expect_refused(&given, cases[i].loss, cases[i].message);
        fixture_close(&given);
    }
}

static void eight_classes(kd2m_tensors *tensors) {
    ((int32_t *)kd2m_tensors_find(tensors, "labels")->values)[3] = 7;
}

static void classes_that_the_data_lack(void **state) {
    (void)state;
    char path[400];
    fixture given;
    kd2m_teacher *teacher;
    snprintf(path, sizeof path, "%s/eight.safetensors", testing_folder());
    stored_change(context, unpaired, path, eight_classes, NULL);
    fixture_open(&given, context, net);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_teacher_open(&teacher, context, path, given.dataset, &given.normalisation,
                                    FIXTURE_BATCH));
    EXPECT_MESSAGE(context, "labels name class 7");
    assert_null(teacher);
    fixture_close(&given);
}

/* After the first step nothing is asked of the allocator. */
static void steps_allocate_nothing(void **state) {
    (void)state;
    const struct {
        const char *file, *loss;
    } cases[] = {{unpaired, "ce + w2 + cond(w2) + joint(w2):of=softmax"},
                 {by_class, "ce + cond(gauss-w2) + kl"},
                 {features, "ce + kd + cond(w2) + mse"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        kd2m_context *counted = testing_failing_context(SIZE_MAX);
        fixture given;
        fixture_open(&given, counted, cases[k].file);
        kd2m_objective *objective = fixture_objective(&given, cases[k].loss, true);
        EXPECT_OK(counted, kd2m_objective_step(objective, &given.batch, true));
        size_t before = testing_allocations();
        EXPECT_OK(counted, kd2m_objective_step(objective, &given.batch, false));
        assert_int_equal(testing_allocations(), before);
        kd2m_objective_free(objective);
        fixture_close(&given);
        kd2m_context_free(counted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws),
        cmocka_unit_test(values_are_the_metrics),
        cmocka_unit_test(gradients),
        cmocka_unit_test(scale_is_the_laws_variance),
        cmocka_unit_test(moments_give_the_closed_form),
        cmocka_unit_test(moments_say_what_all_rows_say),
        cmocka_unit_test(refusals),
        cmocka_unit_test(classes_that_the_data_lack),
        cmocka_unit_test(steps_allocate_nothing),
    };
    char folder[256];
    kd2m_tensors *tensors;
    context = testing_context(2);
    snprintf(folder, sizeof folder, "%s", testing_folder());
    snprintf(net, sizeof net, "%.200s/net.safetensors", folder);
    snprintf(features, sizeof features, "%s/features.safetensors", folder);
    snprintf(unpaired, sizeof unpaired, "%s/unpaired.safetensors", folder);
    snprintf(few, sizeof few, "%s/few.safetensors", folder);
    snprintf(moments, sizeof moments, "%s/moments.safetensors", folder);
    snprintf(by_class, sizeof by_class, "%s/by-class.safetensors", folder);
    fixture_write_teacher(net);
    stored_write(context, net, FIXTURE_DATA, NULL, false, false, features);
    stored_write(context, net, FIXTURE_DATA, NULL, true, false, moments);
    stored_write(context, net, FIXTURE_DATA, NULL, true, true, by_class);
    stored_change(context, features, unpaired, NULL, "keys");
    stored_change(context, unpaired, few, keep_nine, NULL);
    EXPECT_OK(context, kd2m_tensors_read(&tensors, context, features));
    memcpy(rows, kd2m_tensors_find(tensors, "features")->values, sizeof rows);
    memcpy(labels, kd2m_tensors_find(tensors, "labels")->values, sizeof labels);
    kd2m_tensors_free(tensors);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
