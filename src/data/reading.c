/* Progress of reading files: see reading.h. */
#include "reading.h"

#include "context.h"

#define QUIET_SECONDS 2.0

void kd2m_reading_begin(kd2m_reading *reading, kd2m_context *context, const char *unit,
                        double total) {
    kd2m_meter_begin(&reading->meter, context, unit, total, 0);
    kd2m_meter_text(&reading->meter, "reading");
    reading->begun = kd2m_seconds();
    reading->shown = false;
}

kd2m_status kd2m_reading_advance(kd2m_reading *reading, double units) {
    if (!reading)
        return KD2M_OK;
    reading->shown = reading->shown || kd2m_seconds() - reading->begun > QUIET_SECONDS;
    if (reading->shown)
        kd2m_meter_advance(&reading->meter, units);
    else
        reading->meter.done += units;
    return kd2m_check_interrupt(reading->meter.context);
}

void kd2m_reading_end(kd2m_reading *reading) {
    if (reading->shown)
        kd2m_meter_end(&reading->meter);
}
