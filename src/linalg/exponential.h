/*
 * exp for loops: the C library's own can't be vectorised under strict floating point, this can.
 *
 * x = k log 2 + r with |r| <= log(2)/2 (Cody & Waite, 'Software manual for the elementary
 * functions', 1980: log 2 in two parts), exp(r) by its Taylor polynomial of degree 13, times 2^k
 * through the exponent bits. Relative error below 1e-15; its reference is exp itself.
 */
#ifndef KD2M_LINALG_EXPONENTIAL_H
#define KD2M_LINALG_EXPONENTIAL_H

#include <stdint.h>
#include <string.h>

/* exp(r) for |r| <= log(2)/2. */
static inline double kd2m_exp_near(double r) {
    double sum = 1.0 / 6227020800.0;
    sum = sum * r + 1.0 / 479001600.0;
    sum = sum * r + 1.0 / 39916800.0;
    sum = sum * r + 1.0 / 3628800.0;
    sum = sum * r + 1.0 / 362880.0;
    sum = sum * r + 1.0 / 40320.0;
    sum = sum * r + 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    return sum;
}

/* exp(x); 0 where that would be below the smallest normal number, x = 709 above 709. NaN is not
 * kept. */
static inline double kd2m_exp(double x) {
    const double log2_high = 0x1.62e42feep-1, log2_low = 0x1.a39ef35793c76p-33;
    const double round = 0x1.8p52; /* adding it leaves the rounded integer in the lowest bits */
    double clamped = x > 709.0 ? 709.0 : x;
    clamped = clamped > -708.0 ? clamped : -708.0;
    double shifted = clamped * 0x1.71547652b82fep0 + round;
    double k = shifted - round;
    double r = (clamped - k * log2_high) - k * log2_low;
    double sum = kd2m_exp_near(r);
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52; /* 2^k: what is above k's bits is shifted out */
    double power;
    memcpy(&power, &bits, sizeof power);
    return x < -708.0 ? 0.0 : sum * power;
}

#endif
