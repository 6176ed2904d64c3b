/*
 * Studies: teachers x students x methods x seeds on one or more data sets, from a plan (docs/
 * studies.md) to tables. A study lives in a folder:
 *     study.db           plan, trials and outcomes (SQLite): one row a trial
 *     trials/HASH/       the trials' run folders, each named by the hash of its settings
 *
 * Any number of processes may work on one study, on one machine or on several that share the
 * folder: each takes the next trial that nobody is at. What a killed process was doing is taken up
 * by another, or by itself when it is started again, from the trial's checkpoint.
 */
#ifndef KD2M_STUDY_H
#define KD2M_STUDY_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"
#include "kd2m/settings.h"
#include "kd2m/table.h"

KD2M_BEGIN_DECLS

/* clang-format off */
#define KD2M_STUDY_SETTINGS(X)                                                                     \
    X(REAL,    lease,        "60",      1, 86400,    "SECONDS", "without a sign of life for so long, a process on another machine counts as dead") \
    X(FLAG,    retry,        "0",       0, 1,        NULL,      "try trials again that failed")
/* clang-format on */

typedef struct kd2m_study_settings {
    KD2M_STUDY_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_study_settings;

/* The list behind the struct: for defaults, flags and help. Static. */
KD2M_API const kd2m_setting_list *kd2m_study_setting_list(void);

typedef struct kd2m_study kd2m_study;

/*
 * Opens the study in `folder`, made where missing, with the plan in the JSON file `plan`; NULL: the
 * plan that it has. Errors: KD2M_ERROR_USAGE (a plan that asks for what there isn't; one that is
 * not the study's; none), KD2M_ERROR_INPUT (not JSON; not a study), KD2M_ERROR_IO,
 * KD2M_ERROR_MEMORY.
 */
KD2M_API kd2m_status kd2m_study_open(kd2m_study **out, kd2m_context *context, const char *folder,
                                     const char *plan, const kd2m_study_settings *settings);

/* Frees the study. NULL is fine. */
KD2M_API void kd2m_study_free(kd2m_study *study);

/* How many trials are done, of how many in all. */
KD2M_API kd2m_status kd2m_study_count(kd2m_study *study, size_t *done, size_t *total);

/*
 * *out = what the study takes as a whole, to be freed by the caller: trials, milliseconds a step,
 * hours and memory of every method in every cell, from a few steps that are taken and thrown away;
 * what of it fits `budget` seconds (0: none is given). *seconds = the sum. Errors: as of training.
 */
KD2M_API kd2m_status kd2m_study_estimate(kd2m_table **out, double *seconds, kd2m_study *study,
                                         double budget);

/*
 * Works on trials until none is left that this process could take up, waiting for those that others
 * are at. A trial whose loss diverges is an outcome (the worst); one that fails for other reasons
 * is kept as failed and the study goes on: then the status is KD2M_ERROR_INPUT at the end, and the
 * message tells the first. Errors also: KD2M_ERROR_INTERRUPTED, the trial under way having stored a
 * checkpoint; KD2M_ERROR_IO.
 */
KD2M_API kd2m_status kd2m_study_run(kd2m_study *study);

/*
 * Reads the test data, and those of the plan's shifts, for the first time: every net of the report,
 * and the teachers, are run on them and what they say is kept. That they were read, and when, is
 * kept, too. Errors: KD2M_ERROR_USAGE while trials are open; as kd2m_evaluate.
 */
KD2M_API kd2m_status kd2m_study_final(kd2m_study *study);

/* Tables, to be freed by the caller. */

/* How far it is: trials by stage and state. */
KD2M_API kd2m_status kd2m_study_progress(kd2m_table **out, kd2m_study *study);

/* All trials: place, state, score, seconds. */
KD2M_API kd2m_status kd2m_study_trials(kd2m_table **out, kd2m_study *study);

/* The winners of the search: each method's settings in each cell, and its score on validation. */
KD2M_API kd2m_status kd2m_study_winners(kd2m_table **out, kd2m_study *study);

/*
 * The figures: for each data set, part (validation, and after kd2m_study_final test and shifts),
 * student and method the mean and sd over seeds of `score` ("accuracy", "balanced_accuracy",
 * "macro_f1", "alarm_recall": the recall of the plan's alarm class at its false-alarm rate, the
 * threshold chosen on validation; NULL: the plan's), and its paired difference to each baseline
 * with an interval adjusted by Holm over all differences of the table. Errors: KD2M_ERROR_USAGE for
 * another score.
 */
KD2M_API kd2m_status kd2m_study_results(kd2m_table **out, kd2m_study *study, const char *score);

/*
 * Sample by sample: the mean over samples of whether a net got it right, each averaged over the
 * seeds, and its difference to each baseline, with 95 % bootstrap intervals over samples; those of
 * one recording, machine or other group (docs/studies.md) are drawn together. Errors also:
 * KD2M_ERROR_INTERRUPTED.
 */
KD2M_API kd2m_status kd2m_study_samples(kd2m_table **out, kd2m_study *study);

/*
 * What methods cost in each cell: milliseconds of a step, each term's of it, the memory of both;
 * means over the report's trials, whichever are done.
 */
KD2M_API kd2m_status kd2m_study_costs(kd2m_table **out, kd2m_study *study);

/* McNemar's test of each method's net and each baseline's, seed by seed, on every part. */
KD2M_API kd2m_status kd2m_study_mcnemar(kd2m_table **out, kd2m_study *study);

/*
 * The method's claims on test and shifts: in how many cells matching features beats matching
 * outputs (the last baseline), and whether more so under shift and for the smallest student. Empty
 * before kd2m_study_final. Errors: KD2M_ERROR_USAGE for a plan without baselines.
 */
KD2M_API kd2m_status kd2m_study_claims(kd2m_table **out, kd2m_study *study, const char *score);

KD2M_END_DECLS

#endif
