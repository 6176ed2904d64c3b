/*
 * An alarm on one class's score: see stats.h.
 *
 * Of n other rows, k = the largest number with k / n <= rate may raise it. The threshold is the
 * (k + 1)-th largest of their scores: those above are at most k, fewer where some tie with it.
 *
 * Cost: O(n log n), an item a row. Threads: the caller's.
 */
#include <math.h>

#include "check.h"
#include "context.h"
#include "item.h"
#include "kd2m/stats.h"
#include "memory.h"

static const kd2m_alarm unknown = {NAN, NAN, NAN, 0, 0};

static kd2m_status check(kd2m_context *context, const int32_t *labels, const float *scores,
                         size_t stride, size_t count, int32_t alarm_class) {
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        rows += labels[i] == alarm_class;
        if (isnan(scores[i * stride]))
            return kd2m_fail(context, KD2M_ERROR_INPUT, "the score of row %zu is NaN", i);
    }
    if (rows > 0 && rows < count)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_INPUT,
                     "class %d has %zu of %zu rows: an alarm needs rows of it and others",
                     (int)alarm_class, rows, count);
}

static void raise_alarm(kd2m_alarm *out, const int32_t *labels, const float *scores, size_t stride,
                        size_t count, int32_t alarm_class, double threshold) {
    size_t rows[2] = {0}, raised[2] = {0}; /* of others, of the class */
    for (size_t i = 0; i < count; i++) {
        int own = labels[i] == alarm_class;
        rows[own]++;
        raised[own] += (double)scores[i * stride] > threshold;
    }
    *out = (kd2m_alarm){threshold, (double)raised[1] / (double)rows[1],
                        (double)raised[0] / (double)rows[0], rows[1], rows[0]};
}

/* The largest k with k / count <= rate, whatever the rounding of rate x count. */
static size_t allowed_alarms(double rate, size_t count) {
    size_t k = (size_t)(rate * (double)count);
    while (k < count && (double)(k + 1) / (double)count <= rate)
        k++;
    while (k > 0 && (double)k / (double)count > rate)
        k--;
    return k;
}

kd2m_status kd2m_alarm_at(kd2m_alarm *out, kd2m_context *context, const int32_t *labels,
                          const float *scores, size_t stride, size_t count, int32_t alarm_class,
                          double threshold) {
    *out = unknown;
    if (isnan(threshold))
        return kd2m_fail(context, KD2M_ERROR_USAGE, "the alarm's threshold is NaN");
    kd2m_status status = check(context, labels, scores, stride, count, alarm_class);
    if (status == KD2M_OK)
        raise_alarm(out, labels, scores, stride, count, alarm_class, threshold);
    return status;
}

kd2m_status kd2m_alarm_at_rate(kd2m_alarm *out, kd2m_context *context, const int32_t *labels,
                               const float *scores, size_t stride, size_t count,
                               int32_t alarm_class, double rate) {
    *out = unknown;
    kd2m_item *others = NULL;
    size_t found = 0;
    kd2m_status status = KD2M_OK;
    if (!(rate >= 0 && rate <= 1))
        return kd2m_fail(context, KD2M_ERROR_USAGE, "false-alarm rate: %g is not in 0..1", rate);
    KD2M_TRY(check(context, labels, scores, stride, count, alarm_class));
    KD2M_TRY(kd2m_alloc(context, (void **)&others, count, sizeof *others));
    for (size_t i = 0; i < count; i++)
        if (labels[i] != alarm_class) {
            others[found] = (kd2m_item){scores[i * stride], found};
            found++;
        }
    kd2m_items_sort(others, found);
    size_t allowed = allowed_alarms(rate, found);
    double threshold = allowed < found ? others[found - 1 - allowed].value : -INFINITY;
    raise_alarm(out, labels, scores, stride, count, alarm_class, threshold);
cleanup:
    kd2m_free(context, others);
    return status;
}
