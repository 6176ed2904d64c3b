/* Which rows the report's nets got right, in one cell: a data set, a part of it, a student. */
#ifndef KD2M_STUDY_CELL_H
#define KD2M_STUDY_CELL_H

#include "study_internal.h"

typedef struct kd2m_answers {
    size_t rows;          /* 0: diverged, or not there */
    int32_t *labels;      /* rows */
    unsigned char *right; /* rows: 1 where the highest logit is the label's */
} kd2m_answers;

typedef struct kd2m_cell {
    kd2m_study *study;
    kd2m_context *context;
    size_t data, student;
    const char *part;
    kd2m_answers *nets; /* methods x seeds */
} kd2m_cell;

/* Reads a cell. *out is to be cleared after failures, too. */
kd2m_status kd2m_cell_read(kd2m_cell *out, kd2m_study *study, size_t data, const char *part,
                           size_t student);
void kd2m_cell_clear(kd2m_cell *cell);

const kd2m_answers *kd2m_cell_net(const kd2m_cell *cell, size_t method, size_t seed);

/* Whether two nets answered the same rows: as many, with the same labels. */
bool kd2m_answers_match(const kd2m_answers *a, const kd2m_answers *b);

/* Calls `visit` on each cell of the study, in the order of its tables. */
typedef kd2m_status (*kd2m_cell_visit)(void *user, const kd2m_cell *cell);
kd2m_status kd2m_for_each_cell(kd2m_study *study, kd2m_cell_visit visit, void *user);

/* Begins a row about a method of the cell: data, part, student, method. */
kd2m_status kd2m_cell_add_row(const kd2m_cell *cell, kd2m_table *table, size_t method);

#endif
