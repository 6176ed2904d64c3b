/*
 * Optimisers over the trained parameters of one or more nets (student and projectors), with
 * PyTorch's definitions, and learning rates over time. g is the gradient, clipped where asked:
 *   SGD    g <- g + decay w;  v <- momentum v + g;  w <- w - lr v
 *          Nesterov: w <- w - lr (g + momentum v)       (Sutskever et al. 2013; no dampening)
 *   AdamW  w <- (1 - lr decay) w;  moments m, v of g and g^2, bias-corrected;
 *          w <- w - lr m / (sqrt(v) + epsilon)          (Loshchilov & Hutter 2019)
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

/*
 * `nets` (training nets, count of them) are borrowed; `prefixes` (copied) name them in stored
 * state. Errors: KD2M_ERROR_USAGE (a setting out of range, a net for inference),
 * KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_optimizer_create(kd2m_optimizer **out, kd2m_context *context,
                                  const kd2m_optimizer_settings *settings, kd2m_net *const *nets,
                                  const char *const *prefixes, size_t count);
void kd2m_optimizer_free(kd2m_optimizer *optimizer);

/* Norm of the gradient over all trained parameters, in double. */
double kd2m_optimizer_gradient_norm(kd2m_optimizer *optimizer);

/* One update with learning rate `lr`; clips first where asked to, by max norm / (norm + 1e-6).
 * Allocates nothing. Errors: KD2M_ERROR_NUMERIC, the weights untouched, where the norm that
 * clipping needs is not finite. */
kd2m_status kd2m_optimizer_step(kd2m_optimizer *optimizer, double lr);

/* State to and from plain tensors: 'optimizer.step', 'optimizer.PREFIX.PARAMETER.momentum' (SGD),
 * '….first_moment' and '….second_moment' (AdamW). Loading gives back every bit. Errors:
 * KD2M_ERROR_INPUT. */
kd2m_status kd2m_optimizer_store(kd2m_optimizer *optimizer, kd2m_tensors *tensors);
kd2m_status kd2m_optimizer_load(kd2m_optimizer *optimizer, const kd2m_tensors *tensors);

/*
 * Learning rate over time: a linear rise over the warm-up, then, t being the steps since then,
 *   cosine    final + (lr - final) (1 + cos(pi t / (total - warmup))) / 2
 *   step      lr factor^floor(t / every)
 *   constant  lr
 * as PyTorch's CosineAnnealingLR and StepLR, one step a time.
 */
typedef enum kd2m_schedule_kind {
    KD2M_SCHEDULE_COSINE,
    KD2M_SCHEDULE_STEP,
    KD2M_SCHEDULE_CONSTANT
} kd2m_schedule_kind;

typedef struct kd2m_schedule {
    kd2m_schedule_kind kind;
    double lr;           /* highest */
    double final_lr;     /* cosine: reached at step total_steps, one after the last */
    double warmup_steps; /* lr/warmup_steps at step 0, lr at its end */
    double total_steps;  /* warm-up included */
    double step_every;   /* step: steps between two drops */
    double step_factor;  /* step: factor of a drop */
} kd2m_schedule;

/* The learning rate of step `step`, from 0. */
double kd2m_schedule_at(const kd2m_schedule *schedule, size_t step);

#endif
