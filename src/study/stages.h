/*
 * Which trials a plan asks for, given the outcomes so far: teachers and a first rung of candidates
 * for every method in every cell (a data set and a student); of each rung the best go on to the
 * next, with eta times the epochs (successive halving: Jamieson & Talwalkar, AISTATS 2016); the
 * winner of the last rung by validation is trained anew on fresh seeds, whose figures are reported.
 * Each rung begins from scratch: a shorter training is a whole one, its learning rate coming down
 * within it.
 */
#ifndef KD2M_STUDY_STAGES_H
#define KD2M_STUDY_STAGES_H

#include "plan.h"
#include "store.h"

/* Fresh seeds are those from here on, search seeds lie below. */
#define KD2M_REPORT_SEED 1000

/* Adds the trials that can be named by now. */
kd2m_status kd2m_stages_advance(kd2m_store *store, const kd2m_plan *plan);

/* Trials of the whole plan. */
size_t kd2m_stages_total(const kd2m_plan *plan);

#endif
