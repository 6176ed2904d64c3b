/*
 * The samples of a part, whatever seed they stand in: trials may have other splits (split_seed in
 * a search), and a sample's answers are to be averaged over the seeds that it stands in.
 */
#ifndef KD2M_STUDY_ROSTER_H
#define KD2M_STUDY_ROSTER_H

#include "study_internal.h"

typedef struct kd2m_roster {
    kd2m_context *context;
    size_t seeds, count; /* samples in all */
    size_t *rows;        /* seeds: of the part; 0 where that isn't known */
    uint32_t **numbers;  /* seeds: of the samples that are its rows, 0 .. count - 1 */
    int32_t *groups;     /* count; NULL where samples stand by themselves */
    char *column;        /* that groups them; NULL */
} kd2m_roster;

/* Reads that of a part; count = 0 where the store knows no samples of it (a study of an earlier
 * version). *out is to be cleared after failures, too. */
kd2m_status kd2m_roster_read(kd2m_roster *out, kd2m_study *study, size_t data, const char *part);

/* For a part whose samples the store doesn't know: `rows` of them, the same for every seed. */
kd2m_status kd2m_roster_assume(kd2m_roster *roster, size_t rows);
void kd2m_roster_clear(kd2m_roster *roster);

#endif
