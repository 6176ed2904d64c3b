/* Missing values: what is done about them, what is said about them. */
#ifndef KD2M_DATA_MISSING_H
#define KD2M_DATA_MISSING_H

#include <stdbool.h>
#include <stddef.h>

#include "kd2m/core.h"

typedef enum kd2m_missing {
    KD2M_MISSING_REFUSE,
    KD2M_MISSING_DROP,       /* the sample that has one is left out */
    KD2M_MISSING_INTERPOLATE /* along time, within one channel */
} kd2m_missing;

/* How many are missing, and where the first is. */
typedef struct kd2m_gaps {
    size_t count;
    char first[256];
} kd2m_gaps;

/* What a reader met. Begin with {0}. */
typedef struct kd2m_gap_log {
    kd2m_gaps values;
    kd2m_gaps marks; /* labels, columns, times: never interpolated */
    size_t dropped;  /* samples left out for them */
} kd2m_gap_log;

/* The policy of a word of the setting 'missing'. */
kd2m_missing kd2m_missing_policy(const char *word);

/* Whether a cell says that there is no value: nothing, NA, NaN, nan or null. */
bool kd2m_missing_text(const char *text);

/* Counts one; the first one's place is kept. */
void kd2m_gaps_add(kd2m_gaps *gaps, const char *format, ...) KD2M_PRINTF(2, 3);

/*
 * Says what there is to say once all is read: an error where the policy refuses what was met, else
 * a line of the log. `samples` is what was left out, in words ('rows'); `order` is NULL where there
 * is something to interpolate along, or why there is not. Errors: KD2M_ERROR_INPUT,
 * KD2M_ERROR_USAGE.
 */
kd2m_status kd2m_missing_settle(kd2m_context *context, kd2m_missing policy, const kd2m_gap_log *met,
                                const char *samples, const char *order);

/* Counts the values that are NaN; *first is the position of the first of them. */
size_t kd2m_missing_count(const float *values, size_t count, size_t *first);

/*
 * Fills the NaNs of values[0], values[stride], ..: on the line between the nearest values on both
 * sides, over `time` (ascending) or, where that is NULL, over the index; at the edges the nearest
 * value. False where there is no value at all.
 */
bool kd2m_missing_fill(float *values, size_t count, size_t stride, const double *time);

#endif
