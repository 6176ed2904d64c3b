/*
 * Scores of a classifier's predictions: see stats.h and scores.h.
 *
 *     balanced accuracy = mean recall        f1 = 2 correct / (rows + predicted)
 *
 * As scikit-learn's balanced_accuracy_score and f1_score(average='macro', zero_division=0): classes
 * that are not there count for nothing, one that is there and never right counts 0.
 * Cost: one pass, counts by class. Threads: the caller's.
 */
#include "scores.h"

#include <math.h>

#include "check.h"
#include "context.h"
#include "memory.h"

size_t kd2m_argmax(const float *values, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

void kd2m_class_scores_add(kd2m_class_scores *classes, size_t label, size_t prediction) {
    classes[label].rows++;
    classes[prediction].predicted++;
    classes[label].correct += label == prediction;
}

static double share(double part, size_t whole) {
    return whole > 0 ? part / (double)whole : NAN;
}

void kd2m_class_scores_conclude(kd2m_scores *out, kd2m_class_scores *classes, size_t class_count) {
    size_t rows = 0, correct = 0, with_rows = 0, with_any = 0;
    double recalls = 0, f1s = 0;
    for (size_t c = 0; c < class_count; c++) {
        kd2m_class_scores *class = &classes[c];
        double right = (double)class->correct;
        class->recall = share(right, class->rows);
        class->precision = share(right, class->predicted);
        class->f1 = share(2 * right, class->rows + class->predicted);
        rows += class->rows;
        correct += class->correct;
        if (class->rows > 0) {
            recalls += class->recall;
            with_rows++;
        }
        if (class->rows + class->predicted > 0) {
            f1s += class->f1;
            with_any++;
        }
    }
    *out = (kd2m_scores){rows, share((double)correct, rows), share(recalls, with_rows),
                         share(f1s, with_any)};
}

static kd2m_status check_class(kd2m_context *context, const char *name, int32_t class, size_t row,
                               size_t class_count) {
    if (class >= 0 && (size_t) class < class_count)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_INPUT, "%s[%zu] is %d: not one of %zu classes from 0",
                     name, row, (int)class, class_count);
}

kd2m_status kd2m_score_predictions(kd2m_scores *out, kd2m_class_scores *by_class,
                                   kd2m_context *context, const int32_t *labels,
                                   const int32_t *predictions, size_t count, size_t class_count) {
    *out = (kd2m_scores){0, NAN, NAN, NAN};
    kd2m_class_scores *classes = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_check_count(context, "predictions", count, 1));
    KD2M_TRY(kd2m_alloc(context, (void **)&classes, class_count, sizeof *classes));
    for (size_t i = 0; i < count; i++) {
        KD2M_TRY(check_class(context, "labels", labels[i], i, class_count));
        KD2M_TRY(check_class(context, "predictions", predictions[i], i, class_count));
        kd2m_class_scores_add(classes, (size_t)labels[i], (size_t)predictions[i]);
    }
    kd2m_class_scores_conclude(out, classes, class_count);
    for (size_t c = 0; by_class && c < class_count; c++)
        by_class[c] = classes[c];
cleanup:
    kd2m_free(context, classes);
    return status;
}
