/* What a net is judged by, from what it says row by row. */
#ifndef KD2M_STUDY_SCORE_H
#define KD2M_STUDY_SCORE_H

#include "plan.h"
#include "store.h"

/* KD2M_ERROR_USAGE for a name that there isn't, or an alarm where the plan names no class. */
kd2m_status kd2m_score_check(const kd2m_plan *plan, const char *score);

/*
 * *out = a score, higher is better: "accuracy", "balanced_accuracy", "macro_f1", or "alarm_recall":
 * the recall of the plan's alarm class by an alarm raised where its log-odds are above `threshold`,
 * NaN where there are no rows of it.
 */
kd2m_status kd2m_score_outputs(const kd2m_plan *plan, const char *score, double threshold,
                               const kd2m_outputs *outputs, double *out);

/* *out = the threshold that the plan's false-alarm rate gives on validation; 0 for other scores. */
kd2m_status kd2m_score_threshold(const kd2m_plan *plan, const char *score,
                                 const kd2m_outputs *validation, double *out);

#endif
