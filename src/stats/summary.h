/* Contrasts: one number a row out of several arrays, and their mean and spread. */
#ifndef KD2M_STATS_SUMMARY_H
#define KD2M_STATS_SUMMARY_H

#include "kd2m/stats.h"

#define KD2M_CONTRAST_TERMS 4

/* Row i is values[0][i] - values[1][i] - values[2][i] + values[3][i], of the terms that there are;
 * the names are for messages. All borrowed. */
typedef struct kd2m_contrast {
    size_t terms; /* 1, 2 or 4 */
    const double *values[KD2M_CONTRAST_TERMS];
    const char *names[KD2M_CONTRAST_TERMS];
} kd2m_contrast;

double kd2m_contrast_row(const kd2m_contrast *contrast, size_t row);

/* Errors: KD2M_ERROR_INPUT (fewer than `least` rows, values that are not finite or whose sums are
 * not). */
kd2m_status kd2m_contrast_summarise(kd2m_summary *out, kd2m_context *context,
                                    const kd2m_contrast *contrast, size_t count, size_t least);

#endif
