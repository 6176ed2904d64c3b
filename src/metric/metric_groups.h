/* The rows of two samples, group by group. Rows of weight 0 are in no group. */
#ifndef KD2M_METRIC_GROUPS_H
#define KD2M_METRIC_GROUPS_H

#include "metric.h"

/* Rows that carry one label: x_rows[0 .. x_count - 1] of X, in their order, and the like of Y. */
typedef struct kd2m_group {
    int32_t label;
    const uint32_t *x_rows, *y_rows;
    size_t x_count, y_count;
    double x_share, y_share; /* of their side's weight */
} kd2m_group;

typedef struct kd2m_groups {
    kd2m_group *kept; /* groups with rows on both sides, by rising label; in the arena */
    size_t count;
    size_t dropped; /* groups with rows on one side alone */
} kd2m_groups;

size_t kd2m_metric_groups_bytes(size_t n, size_t m);

/* Finds the groups of a call's rows by label. */
kd2m_status kd2m_metric_groups(const kd2m_metric_call *call, kd2m_groups *out);

#endif
