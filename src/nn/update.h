/*
 * The optimisers' arithmetic on flat arrays. Each fast kernel has its plain reference,
 * kd2m_reference_*, which the tests compare it with; both round after each operation in the same
 * order, so they agree to the last bit where the compiler does not contract products and sums.
 */
#ifndef KD2M_NN_UPDATE_H
#define KD2M_NN_UPDATE_H

#include <stdbool.h>
#include <stddef.h>

/* One step's constants of SGD. */
typedef struct kd2m_sgd {
    float lr, momentum, decay;
    float clip; /* factor of the gradient */
    bool nesterov;
} kd2m_sgd;

/* One step's constants of AdamW. */
typedef struct kd2m_adamw {
    float keep;         /* 1 - lr decay */
    float beta1, beta2; /* shares kept of the moments */
    float new1, new2;   /* 1 - beta1, 1 - beta2, rounded once */
    float step;         /* lr / (1 - beta1^t) */
    float root;         /* sqrt(1 - beta2^t) */
    float epsilon;
    float clip; /* factor of the gradient */
} kd2m_adamw;

/* One step on `count` weights; `velocity` is read and written. */
void kd2m_update_sgd(const kd2m_sgd *step, size_t count, const float *gradient, float *velocity,
                     float *weights);
void kd2m_reference_update_sgd(const kd2m_sgd *step, size_t count, const float *gradient,
                               float *velocity, float *weights);

/* The same; `first` and `second` are the moments. */
void kd2m_update_adamw(const kd2m_adamw *step, size_t count, const float *gradient, float *first,
                       float *second, float *weights);
void kd2m_reference_update_adamw(const kd2m_adamw *step, size_t count, const float *gradient,
                                 float *first, float *second, float *weights);

/* Sum of squares, in double. */
double kd2m_sum_squares(size_t count, const float *values);
double kd2m_reference_sum_squares(size_t count, const float *values);

#endif
