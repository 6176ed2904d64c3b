/* Batch norm of an inference net as what it is there, a linear map of each channel. */
#ifndef KD2M_NN_BATCH_NORM_H
#define KD2M_NN_BATCH_NORM_H

#include "operator.h"

/* y = factor x + offset, by the running statistics. ReLU, if it has one, is not in it. */
void kd2m_batch_norm_map(const kd2m_operation *operation, size_t channel, double *factor,
                         double *offset);

#endif
