/* A study's inside. */
#ifndef KD2M_STUDY_INTERNAL_H
#define KD2M_STUDY_INTERNAL_H

#include "kd2m/study.h"
#include "plan.h"
#include "store.h"

struct kd2m_study {
    kd2m_context *context;
    char *folder; /* absolute */
    kd2m_plan *plan;
    kd2m_store *store;
    kd2m_study_settings settings;
    size_t total, done; /* trials, for progress */
};

/* *out = owned path of the folder of the trial with this hash. */
kd2m_status kd2m_study_trial_folder(kd2m_study *study, const char *hash, char **out);

/* Trains what the claim says and keeps the outcome. KD2M_ERROR_INTERRUPTED: the trial was given
 * back; where somebody else took it over, that is KD2M_OK. */
kd2m_status kd2m_study_train(kd2m_study *study, const kd2m_claim *claim);

#endif
