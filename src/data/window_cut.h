/* Windows of a recording. */
#ifndef KD2M_DATA_WINDOW_CUT_H
#define KD2M_DATA_WINDOW_CUT_H

#include "frame.h"

typedef struct kd2m_window_rule {
    size_t window, hop;   /* steps of a window, and from one to the next; both >= 1 */
    bool drop;            /* leave windows out that miss a value or a time */
    double rate;          /* steps in a unit of time, where the recording has no times */
    const int32_t *fixed; /* codes that hold for all of the recording, -1 missing; but from here: */
    size_t first;         /* the texts of the recording's rows are a window's from this one on */
} kd2m_window_rule;

typedef struct kd2m_window_count {
    size_t kept;
    size_t changing; /* left out because a code changes inside */
    size_t missing;  /* left out because something is missing */
} kd2m_window_count;

/*
 * Appends to `out` (width: channels x window, timed and lasting) the windows of a recording, whose
 * rows are steps: values channel by channel, codes, and the time from the first step to that behind
 * the last. Adds up in *count. Errors: KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_window_cut(kd2m_frame *out, const kd2m_frame *recording,
                            const kd2m_window_rule *rule, kd2m_window_count *count);

#endif
