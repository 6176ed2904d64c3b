/* Layers as rows: pool, flatten and positions, pairs of layers, and gradients through all of them.
 */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_file.h"

enum { SAMPLES = FIXTURE_BATCH, WIDTH = 5, PLACES = 16 }; /* of conv1, on both sides */

static char teacher_path[256];
static kd2m_context *context;
static fixture given;

static int open_all(void **state) {
    (void)state;
    context = testing_context(2);
    fixture_open_student(&given, context, teacher_path, fixture_conv_graph(context, 4));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    fixture_close(&given);
    kd2m_context_free(context);
    return 0;
}

static double value_alone(const char *loss) {
    kd2m_objective *objective = fixture_objective(&given, loss, false);
    double value = fixture_value_of(objective);
    kd2m_objective_free(objective);
    return value;
}

/* conv1 is as large on both sides, conv2 narrower on the student's and half as long as conv1. */
static void gradients(void **state) {
    (void)state;
    static const char *const losses[] = {
        "w2@conv1",
        "mse@conv2",
        "mse@conv1/flatten",
        "gauss-w2@conv2/flatten",
        "w2@conv1/positions",
        "mse@conv2/positions",
        "mse@conv1/positions:rows=30",
        "gauss-w2@conv2/positions:rows=50",
        "mmd:kernel=linear@conv2~conv1",
        "gauss-w2@conv2/positions~conv1",
        "w2@conv2/positions:rows=40~conv1",
        "gauss-w2@conv1/flatten~conv2",
        "cond(w2)@conv2/positions:rows=60",
        "cond(gauss-w2)@conv2/positions:rows=90~conv1",
        "gauss-w2@pool~conv1",
        "ce + gauss-w2@conv1/positions + gauss-w2@conv1/positions:rows=40 + mse@conv1",
    };
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        fixture_check_gradients(&given, losses[i], false);
}

/* A sample's logits stand beside each of its positions, and get the gradient of them all. */
static void logits_beside_positions(void **state) {
    (void)state;
    static const char *const losses[] = {
        "joint(w2):of=logits,beta=0.1@conv1/positions:rows=50",
        "joint(w2):of=softmax@conv2/positions:rows=50~conv1",
        "joint(w2)@conv2/positions:rows=50",
    };
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        fixture_check_gradients(&given, losses[i], true);
}

/* conv1's map by the definition of a convolution whose windows lie side by side. */
static void student_map(float *map) {
    size_t count;
    const kd2m_parameter *parameters = kd2m_net_parameters(given.student, &count);
    float weight[WIDTH * 8], bias[WIDTH];
    assert_string_equal(parameters[0].name, "conv1.weight");
    EXPECT_OK(context, kd2m_net_to_plain(given.student, 0, parameters[0].values, weight));
    EXPECT_OK(context, kd2m_net_to_plain(given.student, 1, parameters[1].values, bias));
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t c = 0; c < WIDTH; c++)
            for (size_t p = 0; p < PLACES; p++) {
                double sum = bias[c];
                for (size_t k = 0; k < 8; k++)
                    sum += (double)weight[c * 8 + k] * given.values[i * 128 + p * 8 + k];
                map[(i * WIDTH + c) * PLACES + p] = (float)sum;
            }
}

static void rows_are_those_of_the_map(void **state) {
    (void)state;
    static float map[SAMPLES * WIDTH * PLACES];
    kd2m_objective *objective = fixture_objective(
        &given, "w2@conv1 + w2@conv1/flatten + w2@conv1/positions + w2@conv1/positions:rows=33",
        false);
    const kd2m_match *match = objective->matches;
    fixture_value_of(objective);
    student_map(map);
    assert_int_equal(objective->match_count, 4);
    for (size_t i = 0; i < SAMPLES * WIDTH; i++) {
        double sum = 0;
        for (size_t p = 0; p < PLACES; p++)
            sum += map[i * PLACES + p];
        EXPECT_CLOSE(sum / PLACES, match[0].student[i], 1e-5, 1e-5);
    }
    for (size_t i = 0; i < SAMPLES * WIDTH * PLACES; i++) {
        size_t sample = i / WIDTH / PLACES, c = i / PLACES % WIDTH, p = i % PLACES;
        EXPECT_CLOSE(map[i], match[1].student[i], 1e-5, 1e-5);
        EXPECT_CLOSE(map[i], match[2].student[(sample * PLACES + p) * WIDTH + c], 1e-5, 1e-5);
    }
    assert_int_equal(match[2].student_rows, SAMPLES * PLACES);
    assert_int_equal(match[3].student_rows, 33);
    assert_ptr_equal(match[3].student_drawn, match[3].teacher_drawn);
    const uint32_t *chosen = match[3].student_drawn->chosen;
    for (size_t i = 0; i < 33; i++) { /* the same positions on both sides, with their labels */
        assert_memory_equal(match[3].student + i * WIDTH, match[2].student + chosen[i] * WIDTH,
                            WIDTH * sizeof(float));
        assert_memory_equal(match[3].teacher + i * WIDTH, match[2].teacher + chosen[i] * WIDTH,
                            WIDTH * sizeof(float));
    }
    kd2m_objective_free(objective);
}

/* mse over positions is mse over whole maps, divided by the positions. */
static void pairs_of_positions_are_pairs_in_the_maps(void **state) {
    (void)state;
    EXPECT_CLOSE(value_alone("mse@conv1/flatten") / PLACES, value_alone("mse@conv1/positions"), 0,
                 1e-5);
    assert_true(value_alone("w2@conv1/positions") < value_alone("mse@conv1/positions"));
    /* a vector is its own mean and its own map */
    EXPECT_CLOSE(value_alone("w2@logits"), value_alone("w2@logits/flatten"), 0, 0);
    EXPECT_CLOSE(value_alone("w2@conv1/pool"), value_alone("w2@conv1"), 0, 0);
}

/* What belongs to a sample belongs to each of its positions, on maps of either size. */
static void labels_and_columns_repeat(void **state) {
    (void)state;
    int32_t codes[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++)
        codes[i] = (int32_t)(i % 3);
    const kd2m_sample_column column = {"load", codes};
    given.batch.columns = &column;
    given.batch.column_count = 1;
    kd2m_objective *objective = fixture_objective(
        &given, "cond(gauss-w2):by=load@conv2/positions:rows=70~conv1 + cond(w2)@conv2/positions",
        false);
    fixture_value_of(objective);
    const kd2m_bound_term *term = objective->terms;
    const kd2m_match *match = objective->matches;
    assert_ptr_not_equal(match[0].student_drawn, match[0].teacher_drawn);
    assert_int_equal(term[0].x.rows, 70);
    assert_int_equal(term[0].y.rows, 70);
    assert_string_equal(term[0].x.columns[0].name, "load");
    for (size_t i = 0; i < 70; i++) {
        size_t x = match[0].student_drawn->chosen[i] / 8;
        size_t y = match[0].teacher_drawn->chosen[i] / PLACES;
        assert_int_equal(term[0].x.columns[0].values[i], codes[x]);
        assert_int_equal(term[0].y.columns[0].values[i], codes[y]);
    }
    assert_null(term[0].x.labels); /* not what the metric looks at */
    assert_int_equal(term[1].x.rows, SAMPLES * 8);
    for (size_t i = 0; i < SAMPLES * 8; i++)
        assert_int_equal(term[1].x.labels[i], given.labels[i / 8]);
    kd2m_objective_free(objective);
}

/* tr(B) is that of the law over samples and positions, whatever is drawn in a step. */
static void scale_is_over_all_positions(void **state) {
    (void)state;
    kd2m_objective *objective =
        fixture_objective(&given, "w2@conv1/positions + w2@conv1/positions:rows=9", true);
    kd2m_objective *all = fixture_objective(&given, "w2@conv1/positions", false);
    const kd2m_match *match = all->matches;
    kd2m_dataset_info info;
    kd2m_dataset_describe(given.dataset, &info);
    double sum[WIDTH] = {0}, square = 0, n = (double)info.rows[KD2M_TRAIN] * PLACES;
    assert_int_equal(info.rows[KD2M_TRAIN] % SAMPLES, 0);
    for (size_t first = 0; first < info.rows[KD2M_TRAIN] / SAMPLES; first++) {
        fixture_fetch(&given, first); /* every row comes once */
        fixture_value_of(all);
        for (size_t i = 0; i < SAMPLES * PLACES * WIDTH; i++) {
            sum[i % WIDTH] += match->teacher[i] / n;
            square += (double)match->teacher[i] * match->teacher[i] / n;
        }
    }
    for (size_t c = 0; c < WIDTH; c++)
        square -= sum[c] * sum[c];
    EXPECT_CLOSE(square, objective->terms[0].divisor, 0, 1e-5);
    EXPECT_CLOSE(square, objective->terms[1].divisor, 0, 1e-5);
    kd2m_objective_free(all);
    kd2m_objective_free(objective);
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *loss, *message;
    } cases[] = {
        {"w2@conv3", "the student: convolutions has no layer 'conv3' (did you mean 'conv1'?); it "
                     "has input, conv1, conv2, pool, classifier, features, logits"},
        {"w2@conv1~cov2", "the teacher: convolutions has no layer 'cov2' (did you mean 'conv2'?)"},
        {"w2@features/positions", "the student's layer 'features' is a vector"},
        {"w2@conv1/positions~features", "the teacher's layer 'features' is a vector"},
        {"mse@conv2/positions~conv1", "mse compares position with position, but the student's "
                                      "layer 'conv2' has 8 of them and the teacher's 'conv1' 16"},
        {"cond(mse)@conv1/positions:rows=9~conv2", "has 16 of them and the teacher's 'conv2' 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fixture_expect_refused(&given, cases[i].loss, cases[i].message);
}

static void steps_allocate_nothing(void **state) {
    (void)state;
    kd2m_context *counted = testing_failing_context(SIZE_MAX);
    fixture own;
    fixture_open_student(&own, counted, teacher_path, fixture_conv_graph(counted, 4));
    kd2m_objective *objective = fixture_objective(
        &own, "ce + cond(gauss-w2)@conv2/positions + joint(w2):of=logits@conv2/positions:rows=30",
        true);
    EXPECT_OK(counted, kd2m_objective_step(objective, &own.batch, true));
    size_t before = testing_allocations();
    for (int i = 0; i < 3; i++)
        EXPECT_OK(counted, kd2m_objective_step(objective, &own.batch, i == 1));
    assert_int_equal(testing_allocations(), before);
    kd2m_objective_free(objective);
    fixture_close(&own);
    assert_int_equal(testing_live(), 0);
    kd2m_context_free(counted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(gradients),
        TEST(logits_beside_positions),
        TEST(rows_are_those_of_the_map),
        TEST(pairs_of_positions_are_pairs_in_the_maps),
        TEST(labels_and_columns_repeat),
        TEST(scale_is_over_all_positions),
        TEST(refusals),
        cmocka_unit_test(steps_allocate_nothing),
    };
    snprintf(teacher_path, sizeof teacher_path, "%s/teacher.safetensors", testing_folder());
    fixture_write_conv_teacher(teacher_path);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
