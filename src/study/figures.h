/*
 * The figures of a study: the report's score of every method in every cell on every part
 * (validation; test and shifts once they are read), seed by seed.
 */
#ifndef KD2M_STUDY_FIGURES_H
#define KD2M_STUDY_FIGURES_H

#include "study_internal.h"

/* A method in a cell on a part. */
typedef struct kd2m_figure {
    size_t data, student, method;
    const char *part; /* borrowed from the plan, or static */
    double *values;   /* plan->seeds; NaN: diverged, or not there */
    double *teacher;  /* the score of the data set's own; NaN: not there */
} kd2m_figure;

typedef struct kd2m_figures {
    kd2m_study *study;
    kd2m_context *context;
    const char *score; /* "accuracy", "balanced_accuracy" or "macro_f1" */
    kd2m_figure *rows;
    size_t count;
    double *values; /* of all; teachers' behind them */
} kd2m_figures;

/* Reads all of a score. *out is to be cleared after failures, too. */
kd2m_status kd2m_figures_read(kd2m_figures *out, kd2m_study *study, const char *score);
void kd2m_figures_clear(kd2m_figures *figures);

/* NULL where there is none. */
kd2m_figure *kd2m_figures_find(const kd2m_figures *figures, size_t data, size_t student,
                               size_t method, const char *part);

/* The seeds for which all of `count` rows have a value: sets[k][i] is rows[k]'s for the i-th of
 * them; each of the sets has room for plan->seeds. Returns how many. */
size_t kd2m_figures_common(const kd2m_figures *figures, const kd2m_figure *const *rows,
                           size_t count, double *const *sets);

#endif
