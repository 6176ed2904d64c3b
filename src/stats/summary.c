/*
 * Mean and spread: see stats.h and summary.h.
 *
 *     mean = sum x / n        sd = sqrt(sum (x - mean)^2 / (n - 1))        se = sd / sqrt(n)
 *
 * in two passes, the first over x - x_0, so that equal values have a spread of exactly 0. Values
 * that are equal but for the rounding of their differences (0.93 - 0.92, 0.91 - 0.90) have it, too:
 * a t of 10^14 would be an artefact. Chan, Golub, LeVeque, 'Algorithms for computing the sample
 * variance', The American Statistician 37(3), 1983.
 * Cost: two passes, no memory. Threads: the caller's.
 */
#include "summary.h"

#include <float.h>
#include <math.h>

#include "check.h"
#include "context.h"

double kd2m_contrast_row(const kd2m_contrast *contrast, size_t row) {
    static const double signs[KD2M_CONTRAST_TERMS] = {1, -1, -1, 1};
    double value = 0;
    for (size_t t = 0; t < contrast->terms; t++)
        value += signs[t] * contrast->values[t][row];
    return value;
}

/* What the rounding of `terms` numbers and their sum can be. */
static double rounding(const kd2m_contrast *contrast, size_t count) {
    double largest = 0;
    for (size_t t = 0; t < contrast->terms; t++)
        for (size_t i = 0; i < count; i++)
            largest = fmax(largest, fabs(contrast->values[t][i]));
    return (double)contrast->terms * DBL_EPSILON * largest;
}

kd2m_status kd2m_contrast_summarise(kd2m_summary *out, kd2m_context *context,
                                    const kd2m_contrast *contrast, size_t count, size_t least) {
    *out = (kd2m_summary){count, NAN, NAN, NAN};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_check_count(context, "values", count, least));
    for (size_t t = 0; t < contrast->terms; t++)
        KD2M_TRY(kd2m_check_finite(context, contrast->names[t], contrast->values[t], count));
    double first = kd2m_contrast_row(contrast, 0), sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += kd2m_contrast_row(contrast, i) - first;
    double mean = first + sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += pow(kd2m_contrast_row(contrast, i) - mean, 2);
    if (!isfinite(mean) || !isfinite(squares))
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "the values are too large: their sums overflow");
    out->mean = mean;
    if (count > 1) {
        double sd = sqrt(squares / (double)(count - 1));
        out->sd = sd > rounding(contrast, count) ? sd : 0;
        out->se = out->sd / sqrt((double)count);
    }
cleanup:
    return status;
}

kd2m_status kd2m_summarise(kd2m_summary *out, kd2m_context *context, const double *values,
                           size_t count) {
    const kd2m_contrast alone = {1, {values}, {"values"}};
    return kd2m_contrast_summarise(out, context, &alone, count, 1);
}
