/*
 * Missing values: see missing.h.
 *
 *   x(t) = x(a) + (t - a) / (b - a) (x(b) - x(a))     a, b: the nearest with a value around t
 *
 * in double, time and memory linear. Thread rule: none for the pure functions.
 */
#include "missing.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "simd.h"

kd2m_missing kd2m_missing_policy(const char *word) {
    return strcmp(word, "drop") == 0          ? KD2M_MISSING_DROP
           : strcmp(word, "interpolate") == 0 ? KD2M_MISSING_INTERPOLATE
                                              : KD2M_MISSING_REFUSE;
}

bool kd2m_missing_text(const char *text) {
    static const char *const words[] = {"", "NA", "NaN", "nan", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

void kd2m_gaps_add(kd2m_gaps *gaps, const char *format, ...) {
    va_list arguments;
    if (gaps->count++ > 0)
        return;
    va_start(arguments, format);
    vsnprintf(gaps->first, sizeof gaps->first, format, arguments);
    va_end(arguments);
}

kd2m_status kd2m_missing_settle(kd2m_context *context, kd2m_missing policy, const kd2m_gap_log *met,
                                const char *samples, const char *order) {
    const kd2m_gaps *values = &met->values, *marks = &met->marks;
    if (marks->count > 0 && policy != KD2M_MISSING_DROP)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%zu label(s), column(s) or time(s) are missing, the first in %s; "
                         "--missing drop leaves such %s out",
                         marks->count, marks->first, samples);
    if (values->count > 0 && policy == KD2M_MISSING_REFUSE)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%zu value(s) are missing (NaN), the first in %s; --missing drop leaves "
                         "such %s out%s",
                         values->count, values->first, samples,
                         order ? "" : ", --missing interpolate fills them in along time");
    if (values->count > 0 && policy == KD2M_MISSING_INTERPOLATE && order)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%zu value(s) are missing (NaN), the first in %s, and can't be "
                         "interpolated: %s; --missing drop leaves such %s out",
                         values->count, values->first, order, samples);
    if (values->count == 0 && marks->count == 0)
        return KD2M_OK;
    const char *first = values->count > 0 ? values->first : marks->first;
    if (policy == KD2M_MISSING_DROP)
        kd2m_log(context, KD2M_LOG_INFO,
                 "%zu %s left out for %zu missing value(s) and %zu label(s), column(s) or "
                 "time(s), the first in %s",
                 met->dropped, samples, values->count, marks->count, first);
    else
        kd2m_log(context, KD2M_LOG_INFO, "%zu missing value(s) interpolated, the first in %s",
                 values->count, first);
    return KD2M_OK;
}

KD2M_CLONES
static size_t count_nan(const float *values, size_t count) {
    size_t found = 0;
#pragma omp simd reduction(+ : found)
    for (size_t i = 0; i < count; i++)
        found += !(values[i] <= INFINITY);
    return found;
}

size_t kd2m_missing_count(const float *values, size_t count, size_t *first) {
    size_t found = count_nan(values, count);
    *first = 0;
    while (found > 0 && !isnan(values[*first]))
        ++*first;
    return found;
}

/* Fills what is missing between two places that have values. */
static void fill_between(float *values, size_t from, size_t to, size_t stride, const double *time) {
    double begin = time ? time[from] : (double)from;
    double span = (time ? time[to] : (double)to) - begin;
    double first = (double)values[from * stride], rise = (double)values[to * stride] - first;
    for (size_t i = from + 1; i < to; i++) {
        double passed = (time ? time[i] : (double)i) - begin;
        values[i * stride] = (float)(span > 0 ? first + passed / span * rise : first);
    }
}

bool kd2m_missing_fill(float *values, size_t count, size_t stride, const double *time) {
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i * stride]))
            continue;
        if (last == SIZE_MAX)
            for (size_t k = 0; k < i; k++)
                values[k * stride] = values[i * stride];
        else if (i > last + 1)
            fill_between(values, last, i, stride, time);
        last = i;
    }
    for (size_t k = last + 1; last != SIZE_MAX && k < count; k++)
        values[k * stride] = values[last * stride];
    return last != SIZE_MAX;
}
