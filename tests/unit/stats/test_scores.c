/* Scores of predictions and alarms: scikit-learn's numbers, every threshold, what is refused. */
#include "suite.h"

#include <math.h>
#include <stdbool.h>

#include "golden.h"
#include "kd2m/stats.h"
#include "rng.h"
#include "scores.h"

static double or_zero(double share) {
    return isnan(share) ? 0 : share;
}

/* scikit-learn writes 0 where there is nothing to divide by. */
static void scores(const golden_line *line) {
    size_t classes = (size_t)line->in[0], count = (line->ins - 1) / 2;
    int32_t labels[GOLDEN_NUMBERS], predictions[GOLDEN_NUMBERS];
    double found[GOLDEN_NUMBERS];
    kd2m_class_scores by_class[16];
    kd2m_scores whole;
    for (size_t i = 0; i < count; i++) {
        labels[i] = (int32_t)line->in[1 + i];
        predictions[i] = (int32_t)line->in[1 + count + i];
    }
    EXPECT_OK(context, kd2m_score_predictions(&whole, by_class, context, labels, predictions, count,
                                              classes));
    assert_int_equal(count, whole.rows);
    found[0] = whole.accuracy;
    found[1] = whole.balanced_accuracy;
    found[2] = whole.macro_f1;
    for (size_t c = 0; c < classes; c++) {
        found[3 + c] = or_zero(by_class[c].recall);
        found[3 + classes + c] = or_zero(by_class[c].precision);
        found[3 + 2 * classes + c] = or_zero(by_class[c].f1);
        assert_true(isnan(by_class[c].recall) == (by_class[c].rows == 0));
        assert_true(isnan(by_class[c].precision) == (by_class[c].predicted == 0));
    }
    golden_expect(line, found, 3 + 3 * classes);
}

static void golden_values_are_met(void **state) {
    (void)state;
    golden_each("procedures.txt", "scores", 4, scores);
}

static void the_first_of_equal_values_is_largest(void **state) {
    (void)state;
    const float values[] = {-3, 2, -1, 2, 1};
    assert_int_equal(0, kd2m_argmax(values, 1));
    assert_int_equal(1, kd2m_argmax(values, 5));
    assert_int_equal(1, kd2m_argmax(values + 2, 3));
}

/* Nothing counted, nothing said; bad classes are named. */
static void bad_predictions_are_refused(void **state) {
    (void)state;
    const int32_t good[] = {0, 1}, bad[] = {0, 2}, negative[] = {0, -1};
    kd2m_scores whole;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_score_predictions(&whole, NULL, context, good, good, 0, 2));
    assert_true(isnan(whole.accuracy));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_score_predictions(&whole, NULL, context, bad, good, 2, 2));
    EXPECT_MESSAGE(context, "labels[1] is 2");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_score_predictions(&whole, NULL, context, good, negative, 2, 2));
    EXPECT_MESSAGE(context, "predictions[1] is -1");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_score_predictions(&whole, NULL, context, good, good, 2, 0));
    EXPECT_OK(context, kd2m_score_predictions(&whole, NULL, context, good, good, 2, 2));
    assert_true(whole.accuracy == 1 && whole.macro_f1 == 1);
    kd2m_class_scores none[2] = {{0}};
    kd2m_class_scores_conclude(&whole, none, 2);
    assert_true(isnan(whole.accuracy) && isnan(whole.balanced_accuracy) && isnan(whole.macro_f1));
}

/* The best that any threshold does without exceeding the rate: every score, and below all. */
static kd2m_alarm search(const int32_t *labels, const float *given, size_t stride, size_t count,
                         double rate) {
    kd2m_alarm best = {.recall = -1}, found;
    for (size_t i = 0; i <= count; i++) {
        double threshold = i < count ? given[i * stride] : -INFINITY;
        EXPECT_OK(context,
                  kd2m_alarm_at(&found, context, labels, given, stride, count, 1, threshold));
        if (found.false_alarm <= rate && found.recall >= best.recall)
            best =
                found.recall > best.recall || found.false_alarm > best.false_alarm ? found : best;
    }
    return best;
}

/* Scores with many ties, few ties, and none, as a column among others. */
static void no_threshold_does_better(void **state) {
    (void)state;
    kd2m_rng rng;
    kd2m_rng_init(&rng, 31, KD2M_STREAM_TEST, 0);
    for (size_t trial = 0; trial < 400; trial++) {
        float given[3 * 40];
        int32_t labels[40];
        size_t count = 2 + trial % 39;
        uint64_t range = trial % 3 == 0 ? 3 : trial % 3 == 1 ? 20 : 1000000;
        for (size_t i = 0; i < count; i++) {
            labels[i] = i < 2 ? (int32_t)i : (int32_t)kd2m_rng_below(&rng, 3);
            for (size_t c = 0; c < 3; c++)
                given[3 * i + c] = (float)kd2m_rng_below(&rng, range) - (float)(range / 2);
        }
        const double rates[] = {0, 0.01, 0.1, 1.0 / 3, 0.5, 0.999, 1};
        for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
            kd2m_alarm found, best = search(labels, given + 1, 3, count, rates[r]);
            EXPECT_OK(context, kd2m_alarm_at_rate(&found, context, labels, given + 1, 3, count, 1,
                                                  rates[r]));
            assert_true(found.false_alarm <= rates[r]);
            assert_true(found.recall == best.recall && found.false_alarm == best.false_alarm);
            assert_int_equal(count, found.rows + found.other_rows);
        }
    }
}

static void rates_are_met_to_the_row(void **state) {
    (void)state;
    float given[201];
    int32_t labels[201];
    for (size_t i = 0; i < 201; i++) {
        given[i] = (float)i;
        labels[i] = i == 100;
    }
    for (size_t k = 0; k <= 200; k++) { /* k / 200 is seldom exact, and rate x 200 may round down */
        kd2m_alarm found;
        double rate = (double)k / 200;
        EXPECT_OK(context, kd2m_alarm_at_rate(&found, context, labels, given, 1, 201, 1, rate));
        assert_true(found.false_alarm == rate);
        assert_true(found.recall == (k >= 100 ? 1 : 0));
    }
    /* all tie: all or nothing */
    for (size_t i = 0; i < 201; i++)
        given[i] = 7;
    kd2m_alarm found;
    EXPECT_OK(context, kd2m_alarm_at_rate(&found, context, labels, given, 1, 201, 1, 0.999));
    assert_true(found.false_alarm == 0 && found.recall == 0 && found.threshold == 7);
    EXPECT_OK(context, kd2m_alarm_at_rate(&found, context, labels, given, 1, 201, 1, 1));
    assert_true(found.false_alarm == 1 && found.recall == 1 && found.threshold == -INFINITY);
}

static void bad_alarms_are_refused(void **state) {
    (void)state;
    const int32_t labels[] = {0, 1, 0};
    const float given[] = {1, 2, NAN};
    kd2m_alarm found;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_alarm_at_rate(&found, context, labels, given, 1, 3, 1, 0.1));
    EXPECT_MESSAGE(context, "row 2 is NaN");
    assert_true(isnan(found.recall));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_alarm_at_rate(&found, context, labels, given, 1, 2, 5, 0.1));
    EXPECT_MESSAGE(context, "class 5 has 0 of 2 rows");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_alarm_at_rate(&found, context, labels + 1, given, 1, 1, 1, 0.1));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_alarm_at_rate(&found, context, labels, given, 1, 0, 1, 0.1));
    const double rates[] = {-0.1, 1.1, NAN};
    for (size_t i = 0; i < 3; i++)
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_alarm_at_rate(&found, context, labels, given, 1, 2, 1, rates[i]));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_alarm_at(&found, context, labels, given, 1, 2, 1, NAN));
}

static void failing_allocations_are_reported(void **state) {
    (void)state;
    const int32_t labels[] = {0, 1};
    const float given[] = {1, 2};
    kd2m_scores whole;
    kd2m_alarm found;
    kd2m_context *failing = testing_failing_context(0);
    EXPECT_STATUS(failing, KD2M_ERROR_MEMORY,
                  kd2m_score_predictions(&whole, NULL, failing, labels, labels, 2, 2));
    EXPECT_STATUS(failing, KD2M_ERROR_MEMORY,
                  kd2m_alarm_at_rate(&found, failing, labels, given, 1, 2, 1, 0.1));
    assert_int_equal(0, testing_live());
    kd2m_context_free(failing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_values_are_met),
        cmocka_unit_test(the_first_of_equal_values_is_largest),
        cmocka_unit_test(bad_predictions_are_refused),
        cmocka_unit_test(no_threshold_does_better),
        cmocka_unit_test(rates_are_met_to_the_row),
        cmocka_unit_test(bad_alarms_are_refused),
        cmocka_unit_test(failing_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
