/* Wrong labels, on purpose. */
#ifndef KD2M_DATA_LABEL_NOISE_H
#define KD2M_DATA_LABEL_NOISE_H

#include "dataset.h"

/*
 * Gives a share of the training rows, rounded, another class, each as likely as any other;
 * dataset->relabelled says how many. To be called when the rows are split. Errors:
 * KD2M_ERROR_USAGE (a share, but one class alone), KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_dataset_relabel(kd2m_dataset *dataset, double share, uint64_t seed);

#endif
