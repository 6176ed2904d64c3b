/*
 * The optimisers' arithmetic: see update.h and optimizer.h. Bound by memory: SGD reads 3 and writes
 * 2 floats a weight, AdamW 4 and 3. Compiled without errno for sqrtf, which would forbid vectors.
 * The loops are static, since clang 14 can't call clones from another file. No state: any thread,
 * any arrays that don't overlap.
 */
#include "update.h"

#include <math.h>

#include "simd.h"

KD2M_CLONES static void update_sgd(const kd2m_sgd *step, size_t count, const float *gradient,
                                   float *velocity, float *weights) {
    const kd2m_sgd s = *step;
    const float ahead = s.nesterov ? s.momentum : 1.0f; /* share of the new velocity taken */
    const float own = s.nesterov ? 1.0f : 0.0f;         /* share of the gradient itself */
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float g = s.clip * gradient[i] + s.decay * weights[i];
        float v = s.momentum * velocity[i] + g;
        velocity[i] = v;
        weights[i] -= s.lr * (own * g + ahead * v);
    }
}

void kd2m_update_sgd(const kd2m_sgd *step, size_t count, const float *gradient, float *velocity,
                     float *weights) {
    update_sgd(step, count, gradient, velocity, weights);
}

void kd2m_reference_update_sgd(const kd2m_sgd *step, size_t count, const float *gradient,
                               float *velocity, float *weights) {
    for (size_t i = 0; i < count; i++) {
        float g = step->clip * gradient[i] + step->decay * weights[i];
        velocity[i] = step->momentum * velocity[i] + g;
        float direction = step->nesterov ? g + step->momentum * velocity[i] : velocity[i];
        weights[i] -= step->lr * direction;
    }
}

KD2M_CLONES static void update_adamw(const kd2m_adamw *step, size_t count, const float *gradient,
                                     float *first, float *second, float *weights) {
    const kd2m_adamw s = *step;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float g = s.clip * gradient[i];
        float m = s.beta1 * first[i] + s.new1 * g;
        float v = s.beta2 * second[i] + s.new2 * g * g;
        first[i] = m;
        second[i] = v;
        weights[i] = s.keep * weights[i] - s.step * m / (sqrtf(v) / s.root + s.epsilon);
    }
}

void kd2m_update_adamw(const kd2m_adamw *step, size_t count, const float *gradient, float *first,
                       float *second, float *weights) {
    update_adamw(step, count, gradient, first, second, weights);
}

void kd2m_reference_update_adamw(const kd2m_adamw *step, size_t count, const float *gradient,
                                 float *first, float *second, float *weights) {
    for (size_t i = 0; i < count; i++) {
        float g = step->clip * gradient[i];
        first[i] = step->beta1 * first[i] + step->new1 * g;
        second[i] = step->beta2 * second[i] + step->new2 * g * g;
        float spread = sqrtf(second[i]) / step->root + step->epsilon;
        weights[i] = step->keep * weights[i] - step->step * first[i] / spread;
    }
}

KD2M_CLONES static double update_sum_squares(size_t count, const float *values) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}

double kd2m_sum_squares(size_t count, const float *values) {
    return update_sum_squares(count, values);
}

double kd2m_reference_sum_squares(size_t count, const float *values) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}
