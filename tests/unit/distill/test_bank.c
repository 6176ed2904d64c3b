/* The teacher's bank: a queue of its rows, what a term sees of it, and how it is stored. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char teacher_path[256];
static kd2m_context *context;
static fixture given;

static int open_all(void **state) {
    (void)state;
    context = testing_context(2);
    fixture_open(&given, context, teacher_path);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    fixture_close(&given);
    kd2m_context_free(context);
    return 0;
}

/* Row number `id` has features id, id + 0.5, label id, logits 2 id, code 3 id. */
enum { MOST = 16 };

typedef struct numbered {
    float features[MOST * 3], logits[MOST];
    int32_t labels[MOST], codes[MOST];
    kd2m_sample_column columns[2];
    kd2m_sample sample;
} numbered;

static void number_rows(numbered *out, size_t first, size_t count) {
    for (size_t i = 0; i < count; i++) {
        out->features[3 * i] = (float)(first + i);
        out->features[3 * i + 1] = (float)(first + i) + 0.5F;
        out->labels[i] = (int32_t)(first + i);
        out->logits[i] = (float)(2 * (first + i));
        out->codes[i] = (int32_t)(3 * (first + i));
    }
    out->columns[0] = (kd2m_sample_column){"load", out->labels};
    out->columns[1] = (kd2m_sample_column){"speed", out->codes};
    out->sample = (kd2m_sample){.rows = count,
                                .dim = 2,
                                .features = out->features,
                                .stride = 3,
                                .labels = out->labels,
                                .logits = out->logits,
                                .classes = 1,
                                .logits_stride = 1,
                                .columns = out->columns,
                                .column_count = 2};
}

static const kd2m_row_needs everything = {
    .dim = 2, .classes = 1, .labels = true, .column = "speed"};

/* The bank holds exactly the rows `from` .. `to` - 1, each once, with all that belongs to them. */
static void expect_rows(const kd2m_bank *bank, size_t from, size_t to) {
    kd2m_sample sample;
    bool seen[256] = {false};
    kd2m_bank_sample(bank, &sample);
    assert_int_equal(sample.rows, to - from);
    assert_int_equal(sample.column_count, 1);
    assert_string_equal(sample.columns[0].name, "speed");
    for (size_t i = 0; i < sample.rows; i++) {
        size_t id = (size_t)sample.labels[i];
        assert_true(id >= from && id < to && !seen[id]);
        seen[id] = true;
        EXPECT_CLOSE((double)id, sample.features[i * sample.stride], 0, 0);
        EXPECT_CLOSE((double)id + 0.5, sample.features[i * sample.stride + 1], 0, 0);
        EXPECT_CLOSE(2.0 * (double)id, sample.logits[i * sample.logits_stride], 0, 0);
        assert_int_equal(sample.columns[0].values[i], 3 * id);
    }
}

static kd2m_bank *create(size_t kept, size_t batch) {
    kd2m_bank *bank;
    EXPECT_OK(context, kd2m_bank_create(&bank, context, kept, batch, &everything));
    return bank;
}

static void the_batch_and_the_rows_before_it(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{7, 4}, {8, 4}, {1, 4}, {3, 5}, {100, 16}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t kept = sizes[k][0], batch = sizes[k][1];
        kd2m_bank *bank = create(kept, batch);
        for (size_t step = 0; step < 14; step++) {
            numbered rows;
            size_t end = (step + 1) * batch;
            number_rows(&rows, step * batch, batch);
            kd2m_bank_push(bank, &rows.sample);
            expect_rows(bank, end > kept + batch ? end - kept - batch : 0, end);
        }
        kd2m_bank_free(bank);
    }
}

/* Stored and loaded between any two batches, a bank goes on to the same places. */
static void a_loaded_bank_goes_on_the_same(void **state) {
    (void)state;
    kd2m_bank *whole = create(7, 4);
    for (size_t step = 0; step < 9; step++) {
        numbered rows;
        kd2m_sample a, b;
        kd2m_tensors *tensors;
        kd2m_bank *torn = create(7, 4);
        EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
        EXPECT_OK(context, kd2m_bank_store(whole, tensors, "bank0"));
        EXPECT_OK(context, kd2m_bank_load(torn, tensors, "bank0"));
        kd2m_tensors_free(tensors);
        number_rows(&rows, step * 4, 4);
        kd2m_bank_push(whole, &rows.sample);
        kd2m_bank_push(torn, &rows.sample);
        kd2m_bank_sample(whole, &a);
        kd2m_bank_sample(torn, &b);
        assert_int_equal(a.rows, b.rows);
        assert_memory_equal(a.features, b.features, a.rows * 2 * sizeof(float));
        assert_memory_equal(a.logits, b.logits, a.rows * sizeof(float));
        assert_memory_equal(a.labels, b.labels, a.rows * sizeof(int32_t));
        assert_memory_equal(a.columns[0].values, b.columns[0].values, a.rows * sizeof(int32_t));
        kd2m_bank_free(torn);
    }
    kd2m_bank_free(whole);
}

static void broken_checkpoints_are_refused(void **state) {
    (void)state;
    static const int64_t places[][2] = {{0, -1}, {0, 12}, {-1, 11}, {11, 11}, {3, 4}, {0, 4}};
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
        kd2m_bank *bank = create(7, 4);
        kd2m_tensors *tensors;
        EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
        EXPECT_OK(context, kd2m_bank_store(bank, tensors, "bank0"));
        memcpy(kd2m_tensors_find(tensors, "bank0.place")->values, places[k], sizeof places[k]);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_bank_load(bank, tensors, "bank0"));
        EXPECT_MESSAGE(context, "is not how a bank of 11 fills");
        kd2m_tensors_free(tensors);
        kd2m_bank_free(bank);
    }
    kd2m_bank *bank = create(7, 4), *other = create(9, 4);
    kd2m_tensors *tensors;
    numbered rows;
    number_rows(&rows, 0, 4);
    kd2m_bank_push(bank, &rows.sample);
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_bank_load(bank, tensors, "bank0"));
    EXPECT_MESSAGE(context, "no tensor 'bank0.place'");
    EXPECT_OK(context, kd2m_bank_store(bank, tensors, "bank0"));
    ((int64_t *)kd2m_tensors_find(tensors, "bank0.place")->values)[0] = 5;
    ((int64_t *)kd2m_tensors_find(tensors, "bank0.place")->values)[1] = 5;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_bank_load(other, tensors, "bank0"));
    EXPECT_MESSAGE(context, "bank0.features' is 4 x 2");
    kd2m_tensors_free(tensors);
    kd2m_bank_free(other);
    kd2m_bank_free(bank);
}

/* Copies of what a term compared with, so that its value can be asked for again. */
static kd2m_metric *metric;
static kd2m_sample held;

static double value_against_held(kd2m_objective *objective) {
    const kd2m_bound_term *term = &objective->terms[0];
    kd2m_metric_result result;
    EXPECT_OK(context, kd2m_objective_step(objective, &given.batch, false));
    EXPECT_OK(context, kd2m_metric_prepare(metric, &term->x, &held));
    EXPECT_OK(context, kd2m_metric_evaluate(metric, &term->x, &held, &result, NULL));
    return term->factor * result.value;
}

/* Steps of four batches; then the value is the metric's between the last batch and all four
 * batches' rows of the teacher, and the gradient that of this value. */
static void a_term_compares_with_the_bank(void **state) {
    (void)state;
    enum { STEPS = 4, ROWS = STEPS * FIXTURE_BATCH, WIDTH = 12 };
    static const char *const metrics[] = {"gauss-w2", "cond(w2)", "w2", "mmd:kernel=linear"};
    for (size_t k = 0; k < sizeof metrics / sizeof *metrics; k++) {
        static float features[ROWS * WIDTH];
        static int32_t labels[ROWS];
        char loss[64];
        snprintf(loss, sizeof loss, "2*%s%sbank=%d@features", metrics[k],
                 strchr(metrics[k], ':') ? "," : ":", (STEPS - 1) * FIXTURE_BATCH);
        kd2m_objective *objective = fixture_objective(&given, loss, false);
        for (size_t step = 0; step < STEPS + 2; step++) {
            fixture_fetch(&given, step % 4);
            EXPECT_OK(context, kd2m_objective_step(objective, &given.batch, step == 0));
            size_t at = step % STEPS * FIXTURE_BATCH; /* a naive queue: the oldest is replaced */
            memcpy(features + at * WIDTH, objective->matches[0].teacher,
                   FIXTURE_BATCH * WIDTH * sizeof(float));
            memcpy(labels + at, given.labels, sizeof given.labels);
        }
        assert_int_equal(objective->terms[0].y.rows, ROWS);
        held = (kd2m_sample){
            .rows = ROWS, .dim = WIDTH, .features = features, .stride = WIDTH, .labels = labels};
        EXPECT_OK(context, kd2m_metric_create(&metric, context, metrics[k]));
        kd2m_metric_result result;
        EXPECT_OK(context,
                  kd2m_metric_evaluate(metric, &objective->terms[0].x, &held, &result, NULL));
        EXPECT_CLOSE(2 * result.value, objective->value, 1e-9, 1e-6);
        kd2m_objective_free(objective);

        /* a bank of no other batch: the gradient's step and all that follow see the same rows */
        objective = fixture_objective(&given, loss, false);
        for (size_t step = 0; step < STEPS; step++)
            EXPECT_OK(context, kd2m_objective_step(objective, &given.batch, false));
        kd2m_sample y = objective->terms[0].y;
        memcpy(features, y.features, ROWS * WIDTH * sizeof(float));
        for (size_t i = 0; i < ROWS; i++)
            labels[i] = given.labels[i % FIXTURE_BATCH];
        fixture_check_slope(objective, given.student, value_against_held, 1e-2);
        kd2m_metric_free(metric);
        kd2m_objective_free(objective);
    }
}

static void refusals(void **state) {
    (void)state;
    static const char *const losses[] = {"mse:bank=5", "cond(mse):bank=5", "kd:T=4,bank=5"};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        fixture_expect_refused(&given, losses[i], "compares rows of the same samples");
}

/* Bank and checkpoint with memory refused at each request: nothing is left behind. */
static void failing_allocations(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *failing = testing_failing_context(fail_at);
        kd2m_bank *bank = NULL;
        kd2m_tensors *tensors = NULL;
        status = kd2m_tensors_create(&tensors, failing);
        if (status == KD2M_OK)
            status = kd2m_bank_create(&bank, failing, 3, 4, &everything);
        if (status == KD2M_OK)
            status = kd2m_bank_store(bank, tensors, "bank0");
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_bank_free(bank);
        kd2m_tensors_free(tensors);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_batch_and_the_rows_before_it),
        TEST(a_loaded_bank_goes_on_the_same),
        TEST(broken_checkpoints_are_refused),
        TEST(a_term_compares_with_the_bank),
        TEST(refusals),
        cmocka_unit_test(failing_allocations),
    };
    snprintf(teacher_path, sizeof teacher_path, "%s/teacher.safetensors", testing_folder());
    fixture_write_teacher(teacher_path);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
