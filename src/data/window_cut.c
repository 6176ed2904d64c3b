/*
 * Cuts recordings into windows: see window_cut.h.
 *
 *   window k, channel c, step s = recording[k hop + s][c]
 *
 * A window ends where the step behind it begins, so that of two windows that share no step neither
 * reaches over the beginning of the other; the last step of a recording lasts as long as that
 * before it. Time and memory linear in the windows. Thread rule: that of the context.
 */
#include "window_cut.h"

#include <math.h>
#include <string.h>

#include "context.h"

/* Whether the rows of a window have one code in each text. */
static bool is_steady(const kd2m_frame *recording, size_t first, size_t window) {
    if (recording->texts == 0)
        return true;
    const int32_t *codes = recording->codes + first * recording->texts;
    for (size_t s = 1; s < window; s++)
        if (memcmp(codes + s * recording->texts, codes, recording->texts * sizeof *codes) != 0)
            return false;
    return true;
}

/* Whether any code of the rows of a window is missing. */
static bool misses_codes(const kd2m_frame *recording, size_t first, size_t window) {
    if (recording->texts == 0)
        return false;
    const int32_t *codes = recording->codes + first * recording->texts;
    for (size_t i = 0; i < window * recording->texts; i++)
        if (codes[i] < 0)
            return true;
    return false;
}

static bool misses_values(const kd2m_frame *recording, size_t first, size_t window) {
    size_t found;
    const float *values = recording->values + first * recording->width;
    if (kd2m_missing_count(values, window * recording->width, &found) > 0)
        return true;
    for (size_t s = 0; recording->timed && s < window; s++)
        if (isnan(recording->time[first + s]))
            return true;
    return false;
}

/* When a step begins; the one behind the last, too. */
static double time_of(const kd2m_frame *recording, size_t step, double rate) {
    const double *time = recording->time;
    if (!recording->timed)
        return (double)step / rate;
    if (step < recording->rows)
        return time[step];
    return step > 1 ? 2 * time[step - 1] - time[step - 2] : time[step - 1];
}

static kd2m_status add_window(kd2m_frame *out, const kd2m_frame *recording, size_t first,
                              const kd2m_window_rule *rule) {
    kd2m_status status = kd2m_frame_add(out);
    if (status != KD2M_OK)
        return status;
    size_t row = out->rows - 1, window = rule->window, channels = recording->width;
    float *values = out->values + row * out->width;
    for (size_t c = 0; c < channels; c++)
        for (size_t s = 0; s < window; s++)
            values[c * window + s] = recording->values[(first + s) * channels + c];
    int32_t *codes = out->codes + row * out->texts;
    memcpy(codes, rule->fixed, out->texts * sizeof *codes);
    if (recording->texts > 0)
        memcpy(codes + rule->first, recording->codes + first * recording->texts,
               recording->texts * sizeof *codes);
    out->time[row] = time_of(recording, first, rule->rate);
    out->until[row] = time_of(recording, first + window, rule->rate);
    return KD2M_OK;
}

kd2m_status kd2m_window_cut(kd2m_frame *out, const kd2m_frame *recording,
                            const kd2m_window_rule *rule, kd2m_window_count *count) {
    size_t window = rule->window;
    bool missing = false;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < out->texts; i++)
        if (i < rule->first || i >= rule->first + recording->texts)
            missing = missing || rule->fixed[i] < 0;
    for (size_t first = 0; first + window <= recording->rows; first += rule->hop) {
        if (missing || misses_codes(recording, first, window) ||
            (rule->drop && misses_values(recording, first, window))) {
            count->missing++;
        } else if (!is_steady(recording, first, window)) {
            count->changing++;
        } else {
            KD2M_TRY(add_window(out, recording, first, rule));
            count->kept++;
        }
    }
cleanup:
    return status;
}
