/*
 * Progress of long work: see progress.h. The rate is smoothed over about five seconds; before that
 * it is the mean since the beginning, so that an odd first step does not count for more than it is.
 */
#include "progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "context.h"

#define TELL_SECONDS 0.1
#define SMOOTH_SECONDS 5.0

double kd2m_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void kd2m_meter_begin(kd2m_meter *meter, kd2m_context *context, const char *unit, double total,
                      double already) {
    double now = kd2m_seconds();
    *meter = (kd2m_meter){.context = context,
                          .unit = unit,
                          .total = total,
                          .done = already,
                          .start = now,
                          .told = now - TELL_SECONDS,
                          .rate_done = already,
                          .rate_time = now};
}

void kd2m_meter_text(kd2m_meter *meter, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(meter->text, sizeof meter->text, format, arguments);
    va_end(arguments);
}

static void tell(kd2m_meter *meter, double now, int finished) {
    const kd2m_context_settings *settings = &meter->context->settings;
    double left = meter->total - meter->done;
    const kd2m_progress progress = {
        .text = meter->text,
        .unit = meter->unit,
        .done = meter->done,
        .total = meter->total,
        .elapsed_seconds = now - meter->start,
        .rate = meter->rate,
        .eta_seconds = meter->total > 0 && meter->rate > 0 ? fmax(left, 0) / meter->rate : -1,
        .finished = finished,
    };
    meter->told = now;
    settings->progress(settings->user, &progress);
}

/* An exponential mean whose memory is SMOOTH_SECONDS, or all the time so far where that is less,
 * whatever the pace of the calls. */
static void measure_rate(kd2m_meter *meter, double now) {
    double seconds = now - meter->rate_time;
    if (!(seconds > 0))
        return;
    double latest = (meter->done - meter->rate_done) / seconds;
    double share = fmax(1 - exp(-seconds / SMOOTH_SECONDS), seconds / (now - meter->start));
    meter->rate += share * (latest - meter->rate);
    meter->rate_done = meter->done;
    meter->rate_time = now;
}

void kd2m_meter_advance(kd2m_meter *meter, double units) {
    meter->done += units;
    if (!meter->context->settings.progress)
        return;
    double now = kd2m_seconds();
    if (now - meter->told < TELL_SECONDS)
        return;
    measure_rate(meter, now);
    tell(meter, now, 0);
}

void kd2m_meter_end(kd2m_meter *meter) {
    if (meter->context->settings.progress)
        tell(meter, kd2m_seconds(), 1);
}
