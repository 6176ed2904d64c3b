/*
 * Pieces of a call that don't depend on each other, groups of rows say: worked through one after
 * another, each on all of the context's threads, or parts of them at once, each part on one thread
 * with a share of the call's arena for itself.
 */
#ifndef KD2M_METRIC_PARTS_H
#define KD2M_METRIC_PARTS_H

#include "metric.h"

typedef struct kd2m_metric_piece {
    double work;  /* how much it is beside the others; > 0 */
    size_t bytes; /* of the arena */
} kd2m_metric_piece;

typedef struct kd2m_metric_parts {
    const kd2m_metric_call *call;
    const kd2m_metric_piece *pieces;
    size_t count;
    size_t room; /* what is left of the arena, by the workspace query; 0: one after another */
    /* Works on piece `number`, on the context and the arena of `call`, which is parts->call or a
     * copy of it. */
    kd2m_status (*each)(const kd2m_metric_call *call, void *user, size_t number);
    void *user;
} kd2m_metric_parts;

/*
 * Works on all pieces; which go together depends on nothing but the pieces and the number of
 * threads. Errors: that of the first piece that failed; later pieces may be left out.
 */
kd2m_status kd2m_metric_parts_run(const kd2m_metric_parts *parts);

#endif
