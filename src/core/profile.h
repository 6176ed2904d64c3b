/*
 * Where the time goes: rows of timers, named before the work begins. Every moment is charged to the
 * row that was begun last and has not ended, so the rows' seconds add up to the time since the
 * profile was made; row 0, 'rest', has what no other row claims.
 *
 *     size_t outer = kd2m_profile_begin(profile, row, KD2M_PHASE_FORWARD);
 *     ...                                   may begin and end other rows
 *     kd2m_profile_end(profile, outer);
 *
 * With a NULL profile both are no more than a branch. Work that returns early between them needs no
 * end: the outer one's end sets things right. Nothing is allocated after the last row was added.
 * Thread rule: one thread, that which runs the work.
 */
#ifndef KD2M_CORE_PROFILE_H
#define KD2M_CORE_PROFILE_H

#include <stddef.h>

#include "kd2m/table.h"

typedef struct kd2m_profile kd2m_profile;

/* What a row is doing; rows that know no directions have WHOLE alone. */
typedef enum kd2m_phase {
    KD2M_PHASE_WHOLE,
    KD2M_PHASE_FORWARD,
    KD2M_PHASE_BACKWARD,
    KD2M_PHASES
} kd2m_phase;

/* What a row is. Texts are borrowed and must outlive the last kd2m_profile_table. */
typedef struct kd2m_profile_label {
    const char *part; /* of the work: 'layer', 'loss', 'data' .. */
    const char *name;
    const char *kind;          /* rows of one kind are summed up, too; NULL for none */
    double flops[KD2M_PHASES]; /* floating-point operations of one begin..end; 0 = not counted */
} kd2m_profile_label;

/* Makes a profile with row 0 and starts its clock. */
kd2m_status kd2m_profile_create(kd2m_profile **out, kd2m_context *context);
void kd2m_profile_free(kd2m_profile *profile);

/* Adds a row; *row = its number, one more than that of the row before. */
kd2m_status kd2m_profile_add(kd2m_profile *profile, const kd2m_profile_label *label, size_t *row);

/* Notes what a row's work takes at a time, in bytes: the table tells the most of a row. */
void kd2m_profile_note_bytes(kd2m_profile *profile, size_t row, size_t bytes);

/* *out = the table of all rows: as they were added, then sums by kind, rest, total. Time goes on.
 */
kd2m_status kd2m_profile_table(kd2m_profile *profile, kd2m_table **out);

/* The work behind begin and end. */
size_t kd2m_profile_enter(kd2m_profile *profile, size_t row, kd2m_phase phase);
void kd2m_profile_leave(kd2m_profile *profile, size_t outer);

static inline size_t kd2m_profile_begin(kd2m_profile *profile, size_t row, kd2m_phase phase) {
    return profile ? kd2m_profile_enter(profile, row, phase) : 0;
}

static inline void kd2m_profile_end(kd2m_profile *profile, size_t outer) {
    if (profile)
        kd2m_profile_leave(profile, outer);
}

#endif
