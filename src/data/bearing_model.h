/* Vibration of a rolling element bearing: the signal model behind the data set 'bearing'. */
#ifndef KD2M_DATA_BEARING_MODEL_H
#define KD2M_DATA_BEARING_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define KD2M_BEARING_RATE 12000.0   /* samples per second */
#define KD2M_BEARING_NOMINAL_LOAD 1 /* the load that amplitudes and noise refer to */

typedef enum kd2m_bearing_class {
    KD2M_BEARING_NORMAL,
    KD2M_BEARING_INNER_SMALL,
    KD2M_BEARING_INNER_LARGE,
    KD2M_BEARING_OUTER_SMALL,
    KD2M_BEARING_OUTER_LARGE,
    KD2M_BEARING_BALL_SMALL,
    KD2M_BEARING_BALL_LARGE,
    KD2M_BEARING_CLASSES
} kd2m_bearing_class;

/* Operating condition of the machine. */
typedef struct kd2m_bearing_condition {
    int load;     /* 0..3, horsepower of the motor */
    double speed; /* revolutions per minute, > 0 */
    double snr;   /* dB: a small outer-race fault at nominal load and speed over the noise */
} kd2m_bearing_condition;

/* Events per revolution of the shaft. */
typedef struct kd2m_bearing_orders {
    double cage;  /* revolutions of the cage */
    double outer; /* balls that pass a point of the outer race */
    double inner; /* balls that pass a point of the inner race */
    double ball;  /* strikes of a point of a ball on either race, twice its spin */
} kd2m_bearing_orders;

kd2m_bearing_orders kd2m_bearing_kinematics(void);

/* Speed that the motor runs at under a load, in revolutions per minute. */
double kd2m_bearing_nominal_speed(int load);

/* Power of the noise under a condition, in g^2: that of a small outer-race fault on a machine at
 * the middle of its variations, at nominal load and speed, `snr` dB lower. */
double kd2m_bearing_noise_power(const kd2m_bearing_condition *condition);

/* Writes a window of `length` samples in g. The random numbers are those of (seed, window), window
 * < 2^32: the same on any thread. Time O(length). */
void kd2m_bearing_window(const kd2m_bearing_condition *condition, kd2m_bearing_class kind,
                         uint64_t seed, uint64_t window, float *out, size_t length);

#endif
