/* Counting predictions as they come, in batches; stats.h has the whole in one call. */
#ifndef KD2M_STATS_SCORES_H
#define KD2M_STATS_SCORES_H

#include "kd2m/stats.h"

/* The place of the largest of `count` >= 1 values, the first of equal ones. */
size_t kd2m_argmax(const float *values, size_t count);

/* Counts one prediction, into classes that begin zeroed; both are below their number. */
void kd2m_class_scores_add(kd2m_class_scores *classes, size_t label, size_t prediction);

/* Fills the classes' shares from their counts, and *out; NaN where nothing was counted. */
void kd2m_class_scores_conclude(kd2m_scores *out, kd2m_class_scores *classes, size_t class_count);

#endif
