/* A study all of whose trials are done, with outcomes that are made up, so that every number of its
 * tables is known. */
#ifndef KD2M_TESTS_MADE_STUDY_H
#define KD2M_TESTS_MADE_STUDY_H

#include "plans.h"
#include "study_internal.h"

#define MADE_ROWS 1000
#define MADE_SEEDS 3
#define MADE_PARTS 3

extern const char *const made_parts[MADE_PARTS];

/* Rows of 1000 that a net gets right, the first ones: methods ce, kd, w2 of the small plan; the
 * second student is the larger one. */
int made_right(size_t part, size_t student, size_t method, size_t seed);

/* The same of the teacher. */
int made_teacher_right(size_t part);

/* Makes one whose parts have `rows` rows. */
kd2m_study *made_study(kd2m_context *context, int rows);

/* As if the trials of w2 had taken 16, 8 and 5.33 ms a step, an eighth of it in ce and half in w2,
 * which has 2.5 MB; those of the first student have 1, 2 and 3 MB, of the second nothing is kept.
 */
void made_costs(kd2m_context *context, kd2m_study *study);

/* The table's rows as JSON; frees the table. */
json_t *made_rows_of(kd2m_context *context, kd2m_table *table);
bool made_says(const json_t *row, const char *key, const char *text);
double made_number(const json_t *row, const char *key);

#endif
