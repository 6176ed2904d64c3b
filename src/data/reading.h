/* A meter for files that may be read in no time: it is shown once reading has taken two seconds. */
#ifndef KD2M_DATA_READING_H
#define KD2M_DATA_READING_H

#include <stdbool.h>

#include "progress.h"

typedef struct kd2m_reading {
    kd2m_meter meter;
    double begun; /* seconds */
    bool shown;
} kd2m_reading;

void kd2m_reading_begin(kd2m_reading *reading, kd2m_context *context, const char *unit,
                        double total);

/* KD2M_ERROR_INTERRUPTED once the host's callback says so. `reading` may be NULL. */
kd2m_status kd2m_reading_advance(kd2m_reading *reading, double units);

void kd2m_reading_end(kd2m_reading *reading);

#endif
