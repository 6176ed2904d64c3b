/*
 * corrupt: samples spoilt on purpose, of one kind (corruption.h) and severity, for tests under a
 * shift. What is drawn is keyed by (seed, kind, the sample's own values), so that neither its
 * place, nor its batch, nor the thread matters; the severities of a kind share it. Images lie in
 * low..high, are taken to 0..1, spoilt, cut to 0..1 and taken back. Memory: a sample and the kind's
 * scratch a worker.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "corruption.h"
#include "digest.h"
#include "memory.h"
#include "spec.h"
#include "step.h"
#include "transform.h"

#define LARGEST_SIDE 4096 /* pixels: no kernel or cloud gets out of hand */
#define SLACK 1e-3F       /* over the range: what roundings may lie beyond it */

#define CORRUPT_SETTINGS(X)                                                                        \
    X(TEXT, kind, NULL, 0, 0, "KIND", "what goes wrong, e.g. gaussian-noise: see 'corruption'")    \
    X(INTEGER, severity, "3", 1, KD2M_SEVERITIES, "1..5", "how badly")                             \
    X(INTEGER, seed, "0", 0, 4294967295.0, "N", "chooses what is drawn")                           \
    X(REAL, low, "0", -1e6, 1e6, "V", "black, of images")                                          \
    X(REAL, high, "1", -1e6, 1e6, "V", "white, of images; bytes come as shares of 1")

typedef struct corrupt_settings {
    CORRUPT_SETTINGS(KD2M_SETTINGS_FIELD)
} corrupt_settings;

#define ROW(...) KD2M_SETTINGS_ROW(corrupt_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {CORRUPT_SETTINGS(ROW)};

#define KD2M_CORRUPTION(name) extern const kd2m_corruption kd2m_corruption_##name;
#include "corruptions.def"
#undef KD2M_CORRUPTION

#define KD2M_CORRUPTION(name) &kd2m_corruption_##name,
static const kd2m_corruption *const kinds[] = {
#include "corruptions.def"
};
#undef KD2M_CORRUPTION

enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct corrupt_state {
    const kd2m_corruption *kind;
    float *source;  /* a sample in 0..1; NULL for signals */
    float *scratch; /* the kind's */
} corrupt_state;

/* The kind called `name`; NULL if there is none. */
static const kd2m_corruption *find_kind(const char *name) {
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

static kd2m_status fail_unknown(kd2m_context *context, const char *name) {
    const char *names[KINDS];
    for (size_t i = 0; i < KINDS; i++)
        names[i] = kinds[i]->name;
    const char *near = kd2m_nearest_name(name, names, KINDS);
    return kd2m_fail(context, KD2M_ERROR_USAGE,
                     near ? "unknown kind '%s' (did you mean '%s'?)"
                          : "unknown kind '%s' ('kd2m data "
                            "--transforms' lists them all)",
                     name, near);
}

/* Says which samples a kind is for, and which kinds are for those that there are. */
static kd2m_status fail_shape(kd2m_context *context, const kd2m_corruption *kind,
                              const kd2m_shape *shape) {
    char fitting[256] = "", given[KD2M_SHAPE_TEXT];
    size_t used = 0;
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i]->dims == shape->dims && used < sizeof fitting)
            used += (size_t)snprintf(fitting + used, sizeof fitting - used, "%s%s",
                                     used > 0 ? ", " : "", kinds[i]->name);
    kd2m_shape_text(given, shape->dims, shape->sizes);
    return kd2m_fail(
        context, KD2M_ERROR_INPUT, "'%s' is for %s, not for samples of %s; %s%s", kind->name,
        kind->dims == 2 ? "signals, channels x length" : "images, channels x height x width", given,
        used > 0 ? "for these there are " : "no kind is for tables", fitting);
}

static kd2m_status fit(kd2m_context *context, kd2m_transform_use *use) {
    const corrupt_settings *settings = use->parameters;
    use->out = use->in;
    if (!settings->kind)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "kind=KIND is needed ('kd2m data --transforms' lists them all)");
    const kd2m_corruption *kind = find_kind(settings->kind);
    if (!kind)
        return fail_unknown(context, settings->kind);
    if (kind->dims != use->in.dims)
        return fail_shape(context, kind, &use->in);
    if (kind->colours && use->in.sizes[0] != 1 && use->in.sizes[0] != 3)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "'%s' is for images of 1 or 3 channels (grey, colour), not of %zu",
                         kind->name, use->in.sizes[0]);
    if (kind->dims == 3 && !(settings->low < settings->high))
        return kd2m_fail(context, KD2M_ERROR_USAGE, "low=%g is not below high=%g", settings->low,
                         settings->high);
    if (kind->dims == 3 && (use->in.sizes[1] > LARGEST_SIDE || use->in.sizes[2] > LARGEST_SIDE))
        return kd2m_fail(context, KD2M_ERROR_INPUT, "takes images of up to %d pixels a side",
                         LARGEST_SIDE);
    return KD2M_OK;
}

static kd2m_status create(kd2m_context *context, kd2m_transform_use *use) {
    const corrupt_settings *settings = use->parameters;
    kd2m_status status = kd2m_alloc(context, &use->state, 1, sizeof(corrupt_state));
    if (status != KD2M_OK)
        return status;
    corrupt_state *state = use->state;
    state->kind = find_kind(settings->kind);
    if (state->kind->dims == 3)
        KD2M_TRY(kd2m_alloc(context, (void **)&state->source, kd2m_shape_size(&use->in),
                            sizeof *state->source));
    if (state->kind->scratch)
        KD2M_TRY(kd2m_alloc(context, (void **)&state->scratch, state->kind->scratch(&use->in),
                            sizeof *state->scratch));
cleanup:
    return status;
}

static void destroy(kd2m_context *context, kd2m_transform_use *use) {
    corrupt_state *state = use->state;
    kd2m_free(context, state->source);
    kd2m_free(context, state->scratch);
    kd2m_free(context, state);
}

/* The sample's own numbers. */
static kd2m_rng draw_rng(const kd2m_corruption *kind, int64_t seed, const float *values,
                         size_t size) {
    uint64_t key = kd2m_digest(KD2M_DIGEST_START, kind->name, strlen(kind->name));
    uint32_t word[4];
    kd2m_rng rng;
    key = kd2m_digest(key, values, size * sizeof *values);
    kd2m_random_block((uint64_t)seed, KD2M_STREAM_CORRUPTION, 0, key, word);
    kd2m_rng_init(&rng, (uint64_t)word[0] << 32 | word[1], KD2M_STREAM_CORRUPTION, 1);
    return rng;
}

/* Takes an image to 0..1, in `to`; says so in use->refused where it lies beyond. */
static void take_in(kd2m_transform_use *use, const float *values, float *to, size_t size) {
    const corrupt_settings *settings = use->parameters;
    float low = (float)settings->low, range = (float)(settings->high - settings->low);
    for (size_t i = 0; i < size; i++) {
        to[i] = (values[i] - low) / range;
        if (!(to[i] >= -SLACK && to[i] <= 1 + SLACK))
            use->refused = "values of an image beyond low..high (0..1 unless said otherwise): say "
                           "what is black and what is white, e.g. low=0,high=255";
        to[i] = fminf(fmaxf(to[i], 0), 1);
    }
}

static void take_back(const corrupt_settings *settings, float *values, size_t size) {
    float low = (float)settings->low, range = (float)(settings->high - settings->low);
    for (size_t i = 0; i < size; i++)
        values[i] = low + range * fminf(fmaxf(values[i], 0), 1);
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    const corrupt_settings *settings = use->parameters;
    const corrupt_state *state = use->state;
    size_t size = kd2m_shape_size(&use->in), level = (size_t)settings->severity - 1;
    kd2m_rng rng = draw_rng(state->kind, settings->seed, values, size);
    const kd2m_corruption_use work = {&use->in,
                                      state->kind->amounts[level],
                                      state->kind->extents[level],
                                      &rng,
                                      state->scratch,
                                      &use->refused};
    if (state->source)
        take_in(use, values, state->source, size);
    state->kind->apply(&work, state->source ? state->source : values, out);
    if (state->source)
        take_back(settings, out, size);
}

kd2m_status kd2m_corruptions_list(kd2m_table *table) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < KINDS; i++) {
        char meaning[256];
        size_t used = (size_t)snprintf(meaning, sizeof meaning, "%s:", kinds[i]->summary);
        for (size_t k = 0; k < KD2M_SEVERITIES && used < sizeof meaning; k++)
            used += (size_t)snprintf(meaning + used, sizeof meaning - used,
                                     kinds[i]->extents[0] > 0 ? "%s %g;%g" : "%s %g",
                                     k > 0 ? "," : "", kinds[i]->amounts[k], kinds[i]->extents[k]);
        KD2M_TRY(kd2m_steps_list_name(table, "corruption", kinds[i]->name, meaning));
    }
cleanup:
    return status;
}

const kd2m_transform kd2m_transform_corrupt = {
    .step = {.name = "corrupt",
             .summary = "samples spoilt on purpose, for tests; what is drawn is each sample's own",
             .bare = "kind",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(corrupt_settings)},
    .fit = fit,
    .create = create,
    .destroy = destroy,
    .apply = apply,
};
