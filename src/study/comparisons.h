/* What a study's tables compare: on which parts of a data set, each method with which baselines. */
#ifndef KD2M_STUDY_COMPARISONS_H
#define KD2M_STUDY_COMPARISONS_H

#include <stdbool.h>

#include "kd2m/table.h"
#include "plan.h"

#define KD2M_MOST_BASELINES (sizeof((kd2m_plan *)NULL)->baselines / sizeof(char *))
#define KD2M_KEY_SIZE 80 /* of a column's key */

/* The parts of a data set: validation, test, its shifts. Names are borrowed. */
size_t kd2m_part_count(const kd2m_plan_data *data);
const char *kd2m_part_name(const kd2m_plan_data *data, size_t part);

/* The method that is baseline number `baseline`. */
size_t kd2m_baseline_method(const kd2m_plan *plan, size_t baseline);

/* Whether a method is compared with that baseline: not with itself, and of two baselines the later
 * with the earlier, so that their difference counts once. */
bool kd2m_is_compared(const kd2m_plan *plan, size_t method, size_t baseline);

/* out = 'KIND_BASELINE', the key of a column about that baseline. */
void kd2m_baseline_key(char out[KD2M_KEY_SIZE], const char *kind, const kd2m_plan *plan,
                       size_t baseline);

/* Adds the columns 'difference', 'low' and 'high' about that baseline. */
kd2m_status kd2m_add_difference_columns(kd2m_table *table, const kd2m_plan *plan, size_t baseline);

/* Begins a row about nets of a cell: data set, part, student and method. */
kd2m_status kd2m_begin_method_row(kd2m_table *table, const kd2m_plan *plan, size_t data,
                                  const char *part, size_t student, const char *method);

#endif
