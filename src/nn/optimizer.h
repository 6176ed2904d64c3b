/*
 * Optimisers over the trained parameters of one or more nets (student and projectors).
 *   SGD:   v <- momentum v + g + decay w;  w <- w - lr v   (Nesterov: w <- w - lr (g + momentum
 * v)), as PyTorch's, dampening 0 (Sutskever et al. 2013) AdamW: decoupled decay (Loshchilov &
 * Hutter 2019), bias-corrected moments
 */
#ifndef KD2M_NN_OPTIMIZER_H
#define KD2M_NN_OPTIMIZER_H

#include "net.h"

typedef enum kd2m_optimizer_kind { KD2M_SGD, KD2M_ADAMW } kd2m_optimizer_kind;

typedef struct kd2m_optimizer_settings {
    kd2m_optimizer_kind kind;
    double momentum;
    bool nesterov;
    double weight_decay;
    double beta1, beta2, epsilon; /* AdamW */
    double clip;                  /* largest norm of the whole gradient; 0 = no clipping */
} kd2m_optimizer_settings;

typedef struct kd2m_optimizer kd2m_optimizer;

/* `nets` (training nets, count of them) are borrowed; `prefixes` name them in stored state. */
kd2m_status kd2m_optimizer_create(kd2m_optimizer **out, kd2m_context *context,
                                  const kd2m_optimizer_settings *settings, kd2m_net *const *nets,
                                  const char *const *prefixes, size_t count);
void kd2m_optimizer_free(kd2m_optimizer *optimizer);

/* Norm of the gradient over all trained parameters, in double. */
double kd2m_optimizer_gradient_norm(kd2m_optimizer *optimizer);

/* One update with learning rate `lr`; clips first where asked to. */
kd2m_status kd2m_optimizer_step(kd2m_optimizer *optimizer, double lr);

/* State to and from plain tensors 'optimizer.PREFIX.PARAMETER.momentum' and so on. */
kd2m_status kd2m_optimizer_store(kd2m_optimizer *optimizer, kd2m_tensors *tensors);
kd2m_status kd2m_optimizer_load(kd2m_optimizer *optimizer, const kd2m_tensors *tensors);

typedef enum kd2m_schedule_kind {
    KD2M_SCHEDULE_COSINE,
    KD2M_SCHEDULE_STEP,
    KD2M_SCHEDULE_CONSTANT
} kd2m_schedule_kind;

typedef struct kd2m_schedule {
    kd2m_schedule_kind kind;
    double lr;           /* highest */
    double final_lr;     /* cosine: reached at the last step */
    double warmup_steps; /* linear from lr/warmup_steps */
    double total_steps;
    double step_every;  /* step: steps between two drops */
    double step_factor; /* step: factor of a drop */
} kd2m_schedule;

/* The learning rate of step `step`, from 0. */
double kd2m_schedule_at(const kd2m_schedule *schedule, size_t step);

#endif
