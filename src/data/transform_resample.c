/*
 * resample: signals to another sampling rate or length, by windowed sinc (libsamplerate, medium
 * quality: 121 dB, flat to 0.9 of the narrower band).
 *
 *   value j of the result lies at j * from / to of the signal
 *
 * Beyond its ends the signal goes on as its own point reflection, x_-i = 2 x_0 - x_i, as far as it
 * reaches, then constant: otherwise it would fall to 0 there. The extension is a multiple of the
 * reduced `from`, so that the result's grid begins at the signal's first value. Time O(length x
 * filter), filter about 46 max(1, from/to) values to each side; more where from and to have a small
 * common divisor.
 */
#include <samplerate.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "transform.h"

#define REACH 64  /* values to each side that the filter needs; times from/to for reductions */
#define RATIO 256 /* the library's largest */

#define RESAMPLE_SETTINGS(X)                                                                       \
    X(INTEGER, from, "0", 0, 1000000, "HZ", "the signal's rate; 0: to is a length")                \
    X(INTEGER, to, "0", 0, 1000000, "N|HZ", "length that comes out, or the new rate")

typedef struct resample_settings {
    RESAMPLE_SETTINGS(KD2M_SETTINGS_FIELD)
} resample_settings;

#define ROW(...) KD2M_SETTINGS_ROW(resample_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {RESAMPLE_SETTINGS(ROW)};

typedef struct resampling {
    SRC_STATE *converter;
    double ratio;
    size_t before;         /* values of extension on either side */
    size_t skipped;        /* values that come out for it */
    float *input, *output; /* the extended signal, and what comes out; NULL: nothing changes */
} resampling;

/* from / to in lowest terms; from = 0: the length itself. */
static void reduce(const kd2m_transform_use *use, size_t *from, size_t *to) {
    const resample_settings *settings = use->parameters;
    size_t a = settings->from > 0 ? (size_t)settings->from : use->in.sizes[1];
    size_t b = (size_t)settings->to;
    *from = a;
    *to = b;
    while (b > 0) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    *from /= a;
    *to /= a;
}

static kd2m_status fit(kd2m_context *context, kd2m_transform_use *use) {
    const resample_settings *settings = use->parameters;
    size_t from, to, product;
    kd2m_status status = kd2m_fit_signal(context, use);
    if (status != KD2M_OK)
        return status;
    if (settings->to == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "to=LENGTH, or from=HZ,to=HZ is needed");
    reduce(use, &from, &to);
    if ((double)to > RATIO * (double)from || (double)from > RATIO * (double)to)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "from %zu to %zu is more than %d times", from,
                         to, RATIO);
    if (!kd2m_size_multiply(use->in.sizes[1], to, &product) || product / from == 0)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "nothing is left of signals of %zu values",
                         use->in.sizes[1]);
    use->out.sizes[1] = product / from;
    return KD2M_OK;
}

static kd2m_status create(kd2m_context *context, kd2m_transform_use *use) {
    size_t from, to;
    int failure = 0;
    kd2m_status status = kd2m_alloc(context, &use->state, 1, sizeof(resampling));
    resampling *made = use->state;
    KD2M_TRY(status);
    reduce(use, &from, &to);
    if (from == to)
        goto cleanup;
    size_t reach = from > to ? REACH * from / to + 1 : REACH;
    made->before = (reach + from - 1) / from * from;
    made->skipped = made->before / from * to;
    made->ratio = (double)to / (double)from;
    KD2M_TRY(kd2m_alloc(context, (void **)&made->input, use->in.sizes[1] + 2 * made->before,
                        sizeof *made->input));
    KD2M_TRY(kd2m_alloc(context, (void **)&made->output, use->out.sizes[1] + made->skipped,
                        sizeof *made->output));
    made->converter = src_new(SRC_SINC_MEDIUM_QUALITY, 1, &failure);
    if (!made->converter)
        status = kd2m_fail(context, KD2M_ERROR_MEMORY, "%s", src_strerror(failure));
cleanup:
    return status;
}

static void destroy(kd2m_context *context, kd2m_transform_use *use) {
    resampling *state = use->state;
    if (state->converter)
        src_delete(state->converter);
    kd2m_free(context, state->output);
    kd2m_free(context, state->input);
    kd2m_free(context, state);
}

static void extend(const float *x, size_t length, size_t before, float *out) {
    for (size_t i = 1; i <= before; i++) {
        size_t mirrored = i < length ? i : length - 1;
        out[before - i] = 2 * x[0] - x[mirrored];
        out[before + length - 1 + i] = 2 * x[length - 1] - x[length - 1 - mirrored];
    }
    memcpy(out + before, x, length * sizeof *x);
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    resampling *state = use->state;
    size_t length = use->in.sizes[1], count = use->out.sizes[1];
    if (!state->input) {
        memcpy(out, values, use->in.sizes[0] * length * sizeof *out);
        return;
    }
    for (size_t c = 0; c < use->in.sizes[0]; c++) {
        SRC_DATA data = {.data_in = state->input,
                         .data_out = state->output,
                         .input_frames = (long)(length + 2 * state->before),
                         .output_frames = (long)(state->skipped + count),
                         .end_of_input = 1,
                         .src_ratio = state->ratio};
        extend(values + c * length, length, state->before, state->input);
        src_reset(state->converter);
        src_process(state->converter, &data); /* fails for ratios alone, which `fit` has checked */
        memcpy(out + c * count, state->output + state->skipped, count * sizeof *out);
    }
}

const kd2m_transform kd2m_transform_resample = {
    .step = {.name = "resample",
             .summary =
                 "signals to another length (to=) or sampling rate (from=,to=), windowed sinc",
             .bare = "to",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(resample_settings)},
    .fit = fit,
    .create = create,
    .destroy = destroy,
    .apply = apply,
};
