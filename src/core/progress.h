/* Progress of long work: rate and time left, told to the host's callback ten times a second. */
#ifndef KD2M_CORE_PROGRESS_H
#define KD2M_CORE_PROGRESS_H

#include "kd2m/core.h"

typedef struct kd2m_meter {
    kd2m_context *context;
    char text[96];
    const char *unit; /* static */
    double total;
    double done;
    double start;     /* seconds, monotonic */
    double told;      /* when the host was last told */
    double rate;      /* smoothed units per second */
    double rate_done; /* what was done when the rate was last measured */
    double rate_time;
} kd2m_meter;

/* Seconds of a monotonic clock. */
double kd2m_seconds(void);

/* Begins; `already` units were done before (a resumed run). */
void kd2m_meter_begin(kd2m_meter *meter, kd2m_context *context, const char *unit, double total,
                      double already);
/* Names what is under way. */
void kd2m_meter_text(kd2m_meter *meter, const char *format, ...) KD2M_PRINTF(2, 3);
void kd2m_meter_advance(kd2m_meter *meter, double units);
void kd2m_meter_end(kd2m_meter *meter);

#endif
