/* The objective: its value and its gradient through projectors, layers and nets. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model_file.h"

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

/* Every kind of term, with a projector (8 features to 12) and on maps of the same width. */
static const char *const losses[] = {
    "ce",
    "kd:T=4",
    "0.5*ce + 2*kd:T=2",
    "w2",
    "cond(w2)@features",
    "mse",
    "gauss-w2@features",
    "mmd:kernel=rbf,sigma=5",
    "sw2:proj=20",
    "w2@logits",
    "mse@logits~logits",
    "ce + 0.5*kd:T=4 + w2 + 0.3*gauss-w2@fc1~fc1 + 0.2*mmd:kernel=linear@logits",
};

static void test_gradients(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        fixture_check_gradients(&given, losses[i], false);
}

/* The scale of joint's features is a constant, and an epsilon. With a projector, and without one.
 */
static void test_gradients_with_constants_held(void **state) {
    (void)state;
    static const char *const joints[] = {
        "joint(w2)",
        "joint(w1):of=logits,beta=0.1",
        "2*joint(w2):of=softmax@logits",
        "sinkhorn-div@features",
        "joint(sinkhorn):of=logits,beta=0.1",
    };
    for (size_t i = 0; i < sizeof joints / sizeof *joints; i++)
        fixture_check_gradients(&given, joints[i], true);
}

/* The value is the weighted sum of what the terms say alone, and the gradient is theirs. */
static void test_terms_add_up(void **state) {
    (void)state;
    const char *const parts[] = {"ce", "kd:T=4", "w2@logits"};
    const double weights[] = {1, 0.5, 0.25};
    static double sum[4096], whole_gradient[4096];
    double value = 0;
    memset(sum, 0, sizeof sum);
    for (size_t i = 0; i <= 3; i++) {
        kd2m_objective *objective = fixture_objective(
            &given, i < 3 ? parts[i] : "1*ce + 0.5*kd:T=4 + 0.25*w2@logits", false);
        double found = fixture_value_of(objective);
        size_t count, at = 0;
        kd2m_parameter *parameters = kd2m_net_parameters(given.student, &count);
        for (size_t p = 0; p < count; p++)
            for (size_t k = 0; k < parameters[p].count; k++, at++) {
                if (i < 3)
                    sum[at] += weights[i] * parameters[p].gradient[k];
                else
                    whole_gradient[at] = parameters[p].gradient[k];
            }
        if (i < 3)
            value += weights[i] * found;
        else
            EXPECT_CLOSE(value, found, 0, 1e-6);
        kd2m_objective_free(objective);
    }
    for (size_t k = 0; k < 128 * 8 + 8 + 8 * 7 + 7; k++)
        EXPECT_CLOSE(sum[k], whole_gradient[k], 1e-6, 1e-4);
}

/* scale=teacher divides by tr(B)^(p/2), computed here from the teacher's rows in two passes. */
static void test_scale(void **state) {
    (void)state;
    kd2m_objective *objective = fixture_objective(&given, "w2 + kd:T=4 + w1 + kl@fc1~fc1", true);
    kd2m_dataset_info info;
    kd2m_dataset_describe(given.dataset, &info);
    size_t node, rows = info.rows[KD2M_TRAIN];
    static float features[1024 * 12];
    kd2m_runner *runner;
    kd2m_model_file *file;
    EXPECT_OK(context, kd2m_model_file_read(&file, context, teacher_path));
    EXPECT_OK(context, kd2m_graph_find(file->graph, "features", &node));
    EXPECT_OK(context, kd2m_runner_create(&runner, given.dataset, &file->normalisation, file->graph,
                                          1, NULL, 0));
    EXPECT_OK(context, kd2m_net_load(runner->net, file->tensors));
    for (size_t i = 0; i < rows; i++) {
        float values[128];
        int32_t label;
        kd2m_dataset_fetch(given.dataset, KD2M_TRAIN, i, runner->normalisation, values, &label);
        EXPECT_OK(context, kd2m_net_forward(runner->net, values));
        EXPECT_OK(context, kd2m_net_read(runner->net, node, features + 12 * i, 12));
    }
    kd2m_runner_free(runner);
    kd2m_model_file_free(file);
    double variance = 0;
    for (size_t k = 0; k < 12; k++) {
        double mean = 0;
        for (size_t i = 0; i < rows; i++)
            mean += features[12 * i + k] / (double)rows;
        for (size_t i = 0; i < rows; i++)
            variance += pow(features[12 * i + k] - mean, 2) / (double)rows;
    }
    EXPECT_CLOSE(variance, objective->terms[0].divisor, 0, 1e-5);
    EXPECT_CLOSE(1, objective->terms[1].divisor, 0, 0);
    EXPECT_CLOSE(sqrt(variance), objective->terms[2].divisor, 0, 1e-5);
    EXPECT_CLOSE(1, objective->terms[3].divisor, 0, 0); /* degree 0 */
    assert_int_equal(objective->match_count, 2);        /* w2 and w1 share theirs */
    kd2m_objective_free(objective);
}

static void test_teacher_stays_as_it_is(void **state) {
    (void)state;
    kd2m_objective *objective = fixture_objective(&given, "ce + w2 + kd:T=4", true);
    float before[FIXTURE_BATCH * 12], after[FIXTURE_BATCH * 12];
    kd2m_match *match = &objective->matches[0];
    fixture_value_of(objective);
    memcpy(before, match->teacher, sizeof before);
    for (int i = 0; i < 3; i++)
        fixture_value_of(objective);
    memcpy(after, match->teacher, sizeof after);
    assert_memory_equal(before, after, sizeof before);
    kd2m_objective_free(objective);
}

static void test_shares(void **state) {
    (void)state;
    kd2m_objective *objective = fixture_objective(&given, "ce + 3*ce + w2", true);
    EXPECT_OK(context, kd2m_objective_step(objective, &given.batch, true));
    double one = objective->terms[0].sums.gradient_norm;
    assert_true(one > 0);
    EXPECT_CLOSE(3 * one, objective->terms[1].sums.gradient_norm, 0, 1e-5);
    assert_true(objective->terms[2].sums.gradient_norm > 0);
    double share = objective->terms[2].last.pair_share;
    assert_true(share >= 0 && share <= 1);
    kd2m_objective_free(objective);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *loss, *message;
    } cases[] = {
        {"w3", "w2"},
        {"w2@featurs", "features"},
        {"w2@features~nowhere", "nowhere"},
        {"kd:T=4@features", "takes no layer"},
        {"kd:T=-1", "T"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fixture_expect_refused(&given, cases[i].loss, cases[i].message);
    kd2m_loss *loss;
    kd2m_objective *objective;
    EXPECT_OK(context, kd2m_loss_parse(&loss, context, "ce + w2"));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_objective_create(&objective, loss, given.student, given.graph, NULL, 0));
    EXPECT_MESSAGE(context, "--teacher");
}

/* After the first step nothing is asked of the allocator, with every kind of term at work. */
static void test_steps_allocate_nothing(void **state) {
    (void)state;
    kd2m_context *counted = testing_failing_context(SIZE_MAX);
    fixture own;
    fixture_open(&own, counted, teacher_path);
    kd2m_objective *objective = fixture_objective(
        &own,
        "ce + kd:T=4 + w2 + w1 + cond(w2) + gauss-w2 + kl + mmd:kernel=rbf + mse + joint(w2) + "
        "joint(w2):of=softmax",
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gradients, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_gradients_with_constants_held, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_terms_add_up, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_scale, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_teacher_stays_as_it_is, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_shares, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_refusals, open_all, close_all),
        cmocka_unit_test(test_steps_allocate_nothing),
    };
    snprintf(teacher_path, sizeof teacher_path, "%s/teacher.safetensors", testing_folder());
    fixture_write_teacher(teacher_path);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
