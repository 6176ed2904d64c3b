/*
 * Scores of outputs: see score.h. The alarm's threshold is chosen on validation, where it flatters
 * nobody who is compared on test data. What is compared with it is the class's log-odds,
 *     z_a - log sum_{c != a} exp z_c,
 * which order rows as its probability does, without rounding at 0 and 1.
 */
#include "score.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "scores.h"
#include "spec.h"

static const char *const names[] = {"accuracy", "balanced_accuracy", "macro_f1", "alarm_recall"};
#define NAMES (sizeof names / sizeof *names)

static bool is_alarm(const char *score) {
    return strcmp(score, "alarm_recall") == 0;
}

kd2m_status kd2m_score_check(const kd2m_plan *plan, const char *score) {
    bool found = false;
    for (size_t i = 0; i < NAMES; i++)
        found |= strcmp(score, names[i]) == 0;
    if (!found)
        return kd2m_fail_unknown(plan->context, "a study", "score", score, names, NAMES);
    if (is_alarm(score) && plan->alarm_class < 0)
        return kd2m_fail(plan->context, KD2M_ERROR_USAGE,
                         "alarm_recall needs an alarm in the plan, e.g. \"alarm\": {\"class\": 3, "
                         "\"false_alarm_rate\": 0.01}");
    return KD2M_OK;
}

static kd2m_status log_odds(const kd2m_plan *plan, const kd2m_outputs *outputs, float **out) {
    size_t classes = outputs->classes, alarm = (size_t)plan->alarm_class;
    kd2m_status status = kd2m_alloc(plan->context, (void **)out, outputs->rows, sizeof **out);
    if (status != KD2M_OK)
        return status;
    if (alarm >= classes)
        return kd2m_fail(plan->context, KD2M_ERROR_USAGE,
                         "the alarm's class is %zu, but there are %zu", alarm, classes);
    for (size_t i = 0; i < outputs->rows; i++) {
        const float *z = outputs->logits + i * classes;
        double largest = -INFINITY, sum = 0;
        for (size_t c = 0; c < classes; c++)
            if (c != alarm)
                largest = fmax(largest, (double)z[c]);
        for (size_t c = 0; c < classes; c++)
            if (c != alarm)
                sum += exp((double)z[c] - largest);
        (*out)[i] = (float)((double)z[alarm] - largest - log(sum));
    }
    return KD2M_OK;
}

static bool has_both(const kd2m_plan *plan, const kd2m_outputs *outputs) {
    size_t own = 0;
    for (size_t i = 0; i < outputs->rows; i++)
        own += outputs->labels[i] == plan->alarm_class;
    return own > 0 && own < outputs->rows;
}

kd2m_status kd2m_score_threshold(const kd2m_plan *plan, const char *score,
                                 const kd2m_outputs *validation, double *out) {
    float *odds = NULL;
    kd2m_alarm alarm;
    kd2m_status status = KD2M_OK;
    *out = 0;
    if (!is_alarm(score) || !has_both(plan, validation))
        return KD2M_OK;
    KD2M_TRY(log_odds(plan, validation, &odds));
    KD2M_TRY(kd2m_alarm_at_rate(&alarm, plan->context, validation->labels, odds, 1,
                                validation->rows, plan->alarm_class, plan->false_alarm_rate));
    *out = alarm.threshold;
cleanup:
    kd2m_free(plan->context, odds);
    return status;
}

static kd2m_status alarm_recall(const kd2m_plan *plan, double threshold,
                                const kd2m_outputs *outputs, double *out) {
    float *odds = NULL;
    kd2m_alarm alarm;
    kd2m_status status = KD2M_OK;
    if (!has_both(plan, outputs))
        return KD2M_OK;
    KD2M_TRY(log_odds(plan, outputs, &odds));
    KD2M_TRY(kd2m_alarm_at(&alarm, plan->context, outputs->labels, odds, 1, outputs->rows,
                           plan->alarm_class, threshold));
    *out = alarm.recall;
cleanup:
    kd2m_free(plan->context, odds);
    return status;
}

kd2m_status kd2m_score_outputs(const kd2m_plan *plan, const char *score, double threshold,
                               const kd2m_outputs *outputs, double *out) {
    int32_t *predictions = NULL;
    kd2m_scores scores;
    kd2m_status status = KD2M_OK;
    *out = NAN;
    if (outputs->rows == 0)
        return KD2M_OK;
    if (is_alarm(score))
        return alarm_recall(plan, threshold, outputs, out);
    KD2M_TRY(kd2m_alloc(plan->context, (void **)&predictions, outputs->rows, sizeof *predictions));
    for (size_t i = 0; i < outputs->rows; i++)
        predictions[i] =
            (int32_t)kd2m_argmax(outputs->logits + i * outputs->classes, outputs->classes);
    KD2M_TRY(kd2m_score_predictions(&scores, NULL, plan->context, outputs->labels, predictions,
                                    outputs->rows, outputs->classes));
    *out = strcmp(score, "balanced_accuracy") == 0 ? scores.balanced_accuracy
           : strcmp(score, "macro_f1") == 0        ? scores.macro_f1
                                                   : scores.accuracy;
cleanup:
    kd2m_free(plan->context, predictions);
    return status;
}
