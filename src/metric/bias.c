/*
 * Batches drawn from two samples, and what a metric says of them: see kd2m/bias.h.
 *
 * Draw k of either side is the beginning of a shuffle of its rows, by (seed, k, side) alone: the
 * batches of one size do not depend on which others are asked for. Single-threaded but for the
 * metric.
 */
#include "kd2m/bias.h"

#include <math.h>
#include <string.h>

#include "bias_gradient.h"
#include "context.h"
#include "memory.h"
#include "metric.h"
#include "number_list.h"
#include "progress.h"
#include "rng.h"
#include "row_store.h"

#define FIRST_SIZE 16
#define LEAST_SIZE 2
#define LONG_ROWS 2048 /* whose transport is worth a word before it begins */

static const kd2m_setting rows[] = {
#define ROW(...) KD2M_SETTINGS_ROW(kd2m_bias_settings, __VA_ARGS__)
    KD2M_BIAS_SETTINGS(ROW)
#undef ROW
};
static const kd2m_setting_list list = {rows, sizeof rows / sizeof *rows};

const kd2m_setting_list *kd2m_bias_setting_list(void) {
    return &list;
}

/* One side: what batches are drawn from, and the batch. */
typedef struct bias_side {
    kd2m_sample all;       /* the caller's, or the rows that stand for it */
    kd2m_row_store *kept;  /* holds the latter; NULL without */
    kd2m_row_store *batch; /* rows of all: the batch, and for the floor as many again */
    uint32_t *numbers;     /* all.rows, those that were drawn first */
} bias_side;

typedef struct bias_work {
    kd2m_context *context;
    kd2m_metric *metric;
    kd2m_metric_info info;
    const kd2m_bias_settings *settings;
    bias_side x, y;
    kd2m_row_store *rest; /* a batch of y that shares no row with the other */
    kd2m_bias_gradient *gradient;
    float *rows; /* the gradient of a batch */
    kd2m_meter meter;
} bias_work;

/* Mean and sum of squared deviations of numbers that come one by one (Welford 1962). */
typedef struct running {
    double count, mean, squares;
} running;

static void running_add(running *to, double value) {
    double from_mean = value - to->mean;
    to->count++;
    to->mean += from_mean / to->count;
    to->squares += from_mean * (value - to->mean);
}

static double running_sd(const running *of) {
    return sqrt(of->squares / (of->count - 1));
}

static bool is(const char *choice, const char *word) {
    return strcmp(choice, word) == 0;
}

/* Whether batches hold the same rows of both sides. */
static kd2m_status settle_pairing(int *paired, kd2m_context *context, const kd2m_metric_info *info,
                                  const kd2m_bias_settings *settings, size_t n, size_t m) {
    *paired = is(settings->pairing, "paired") || (is(settings->pairing, "auto") && n == m);
    if (*paired && n != m)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "pairing=paired takes the same rows of both sides, but the student (x) "
                         "has %zu and the teacher (y) %zu",
                         n, m);
    if (!*paired && n == m && (info->traits & KD2M_METRIC_PAIRED))
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%s compares row i with row i: leave pairing=apart out", info->name);
    return KD2M_OK;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The sizes that are asked for, or powers of two up to half of the rows. */
static kd2m_status list_sizes(kd2m_bias_report *out, kd2m_context *context, const char *text) {
    size_t most = smaller(out->x_rows, out->y_rows);
    kd2m_number_list given = {NULL, 0};
    kd2m_status status = KD2M_OK;
    if (text) {
        int32_t highest = most < INT32_MAX ? (int32_t)most : INT32_MAX;
        status = kd2m_number_list_parse(&given, context, text, highest);
        if (status == KD2M_OK && given.items[0] < LEAST_SIZE)
            status = kd2m_fail(context, KD2M_ERROR_USAGE, "a batch has at least %d rows, not %ld",
                               LEAST_SIZE, (long)given.items[0]);
        if (status != KD2M_OK) {
            kd2m_fail_within(context, status, "batches of %zu rows", most);
            goto cleanup;
        }
        out->count = given.count;
    } else {
        for (size_t size = FIRST_SIZE; size <= most / 2; size *= 2)
            out->count++;
    }
    if (out->count == 0) {
        status = kd2m_fail(context, KD2M_ERROR_USAGE,
                           "batches begin at %d rows and end at half of all, but there are %zu: "
                           "say which with --batches",
                           FIRST_SIZE, most);
        goto cleanup;
    }
    KD2M_TRY(kd2m_alloc(context, (void **)&out->sizes, out->count, sizeof *out->sizes));
    for (size_t i = 0; i < out->count; i++)
        out->sizes[i].rows = text ? (size_t)given.items[i] : (size_t)FIRST_SIZE << i;
cleanup:
    kd2m_number_list_clear(context, &given);
    return status;
}

/* Draw number `draw` of a side: numbers[0 .. count - 1]. */
static void draw_rows(bias_side *side, uint64_t seed, uint64_t substream, size_t count) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_BATCHES, substream);
    for (size_t i = 0; i < side->all.rows; i++)
        side->numbers[i] = (uint32_t)i;
    kd2m_rng_choose(&rng, side->numbers, side->all.rows, count);
}

static kd2m_status open_side(bias_side *side, bias_work *work, const kd2m_sample *given,
                             uint64_t substream) {
    size_t full = (size_t)work->settings->full;
    kd2m_row_needs needs = kd2m_row_needs_of(&work->info, given->dim, given->classes);
    kd2m_status status = KD2M_OK;
    needs.weights = given->weights != NULL;
    side->all = *given;
    KD2M_TRY(
        kd2m_alloc(work->context, (void **)&side->numbers, given->rows, sizeof *side->numbers));
    if (full == 0 || full >= given->rows)
        return KD2M_OK;
    draw_rows(side, (uint64_t)work->settings->seed, substream, full);
    KD2M_TRY(kd2m_row_store_create(&side->kept, work->context, full, &needs));
    const kd2m_row_choice chosen = {side->numbers, 1, full};
    kd2m_row_store_write(side->kept, 0, given, &chosen);
    kd2m_row_store_sample(side->kept, full, &side->all);
cleanup:
    return status;
}

/* Room for batches of up to `most` rows. */
static kd2m_status allocate(bias_work *work, size_t most) {
    kd2m_context *context = work->context;
    const kd2m_sample *x = &work->x.all, *y = &work->y.all;
    kd2m_row_needs x_needs = kd2m_row_needs_of(&work->info, x->dim, x->classes);
    kd2m_row_needs y_needs = kd2m_row_needs_of(&work->info, y->dim, y->classes);
    kd2m_status status = KD2M_OK;
    x_needs.weights = x->weights != NULL;
    y_needs.weights = y->weights != NULL;
    size_t width = x_needs.dim + x_needs.classes;
    KD2M_TRY(kd2m_row_store_create(&work->x.batch, context, most, &x_needs));
    KD2M_TRY(kd2m_row_store_create(&work->y.batch, context, most, &y_needs));
    KD2M_TRY(kd2m_row_store_create(&work->rest, context, most, &y_needs));
    KD2M_TRY(kd2m_bias_gradient_create(&work->gradient, context, x->rows, width));
    KD2M_TRY(kd2m_alloc(context, (void **)&work->rows, most * width, sizeof *work->rows));
cleanup:
    return status;
}

static void clear(bias_work *work) {
    bias_side *const sides[] = {&work->x, &work->y};
    for (size_t i = 0; i < 2; i++) {
        kd2m_row_store_free(sides[i]->kept);
        kd2m_row_store_free(sides[i]->batch);
        kd2m_free(work->context, sides[i]->numbers);
    }
    kd2m_row_store_free(work->rest);
    kd2m_bias_gradient_free(work->gradient);
    kd2m_free(work->context, work->rows);
}

/* What the metric says of two sets of rows, and with `into` its gradient: features and logits of a
 * row beside each other, where it has both. */
static kd2m_status evaluate(bias_work *work, const kd2m_sample *x, const kd2m_sample *y,
                            kd2m_metric_result *result, float *into) {
    size_t dim = work->info.traits & KD2M_METRIC_ON_LOGITS ? 0 : x->dim;
    size_t width = work->gradient->width;
    const kd2m_gradient gradient = {
        .features = dim > 0 ? into : NULL,
        .stride = width,
        .logits = width > dim ? into + dim : NULL,
        .logits_stride = width,
    };
    kd2m_status status = KD2M_OK;
    kd2m_metric_seek(work->metric, (uint64_t)work->settings->seed, 0);
    KD2M_TRY(kd2m_metric_prepare(work->metric, x, y));
    KD2M_TRY(kd2m_metric_evaluate(work->metric, x, y, result, into ? &gradient : NULL));
cleanup:
    return status;
}

/* Copies `count` of the side's rows, those drawn from place `first` on. */
static void take_rows(const bias_side *side, kd2m_row_store *store, size_t first, size_t count,
                      kd2m_sample *out) {
    const kd2m_row_choice chosen = {side->numbers + first, 1, count};
    kd2m_row_store_write(store, 0, &side->all, &chosen);
    kd2m_row_store_sample(store, count, out);
}

static bool has_floor(const bias_work *work, size_t size) {
    return !(work->info.traits & KD2M_METRIC_PAIRED) && 2 * size <= work->y.all.rows;
}

static size_t draws_of(const bias_work *work, size_t size) {
    size_t twice = (2 * work->x.all.rows + size - 1) / size;
    size_t asked = (size_t)work->settings->draws;
    return twice > asked ? twice : asked;
}

/* Batch number `draw` of `size` rows: the metric on it, and between it and another of y's. */
static kd2m_status measure_batch(bias_work *work, const kd2m_bias_report *report, size_t size,
                                 uint64_t draw, kd2m_metric_result *result, double *floor) {
    uint64_t seed = (uint64_t)work->settings->seed, substream = 2 * (draw + 1);
    kd2m_sample x, y, rest;
    kd2m_metric_result among;
    kd2m_status status = KD2M_OK;
    *floor = NAN;
    draw_rows(&work->x, seed, substream, size);
    draw_rows(&work->y, seed, substream + !report->paired, has_floor(work, size) ? 2 * size : size);
    take_rows(&work->x, work->x.batch, 0, size, &x);
    take_rows(&work->y, work->y.batch, 0, size, &y);
    KD2M_TRY(evaluate(work, &x, &y, result, work->rows));
    kd2m_bias_gradient_add(work->gradient, work->rows, work->x.numbers, size);
    if (!has_floor(work, size))
        return KD2M_OK;
    take_rows(&work->y, work->rest, size, size, &rest);
    KD2M_TRY(evaluate(work, &y, &rest, &among, NULL));
    *floor = among.value;
cleanup:
    return status;
}

/* Pairs of rows that batches of a size compare: what they cost, roughly. */
static double pairs_of(const bias_work *work, size_t size) {
    return (double)size * (double)size * (1 + has_floor(work, size));
}

static kd2m_status measure_size(bias_work *work, const kd2m_bias_report *report,
                                kd2m_bias_size *out) {
    size_t size = out->rows;
    double full = report->full.value;
    running values = {0}, floors = {0};
    kd2m_bias_gradient_reset(work->gradient);
    kd2m_meter_text(&work->meter, "batches of %zu rows", size);
    out->draws = draws_of(work, size);
    for (size_t draw = 0; draw < out->draws; draw++) {
        kd2m_metric_result result;
        double floor;
        kd2m_status status = kd2m_check_interrupt(work->context);
        if (status == KD2M_OK)
            status = measure_batch(work, report, size, draw, &result, &floor);
        if (status != KD2M_OK)
            return kd2m_fail_within(work->context, status, "batch %zu of %zu rows", draw + 1, size);
        running_add(&values, result.value);
        running_add(&floors, floor);
        out->unconverged += !result.certificate.converged;
        kd2m_meter_advance(&work->meter, pairs_of(work, size));
    }
    out->value = values.mean;
    out->value_sd = running_sd(&values);
    out->bias = values.mean - full;
    out->bias_error = out->value_sd / sqrt(values.count);
    out->relative_bias = full != 0 ? out->bias / fabs(full) : NAN;
    out->floor = floors.mean;
    out->floor_sd = running_sd(&floors);
    kd2m_bias_gradient_tell(work->gradient, out);
    return KD2M_OK;
}

/* The metric on all rows. */
static kd2m_status measure_full(bias_work *work, kd2m_bias_report *out) {
    kd2m_status status = KD2M_OK;
    if ((work->info.traits & KD2M_METRIC_TRANSPORT) && out->x_rows > LONG_ROWS)
        kd2m_log(work->context, KD2M_LOG_INFO,
                 "first transport between all %zu and %zu rows: --full ROWS has fewer stand for "
                 "them",
                 out->x_rows, out->y_rows);
    KD2M_TRY(evaluate(work, &work->x.all, &work->y.all, &out->full, work->gradient->full));
    kd2m_bias_gradient_begin(work->gradient);
cleanup:
    return status;
}

/* The largest size first: most of the time goes there, so that the time left is known early. */
static kd2m_status measure_sizes(bias_work *work, kd2m_bias_report *out) {
    double pairs = 0;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < out->count; i++)
        pairs += (double)draws_of(work, out->sizes[i].rows) * pairs_of(work, out->sizes[i].rows);
    kd2m_meter_begin(&work->meter, work->context, "pairs of rows", pairs, 0);
    for (size_t i = out->count; i-- > 0 && status == KD2M_OK;)
        status = measure_size(work, out, &out->sizes[i]);
    kd2m_meter_end(&work->meter);
    return status;
}

kd2m_status kd2m_bias_measure(kd2m_bias_report *out, kd2m_context *context, kd2m_metric *metric,
                              const kd2m_sample *x, const kd2m_sample *y,
                              const kd2m_bias_settings *settings) {
    *out = (kd2m_bias_report){0};
    bias_work work = {.context = context, .metric = metric, .settings = settings};
    kd2m_status status = KD2M_OK;
    kd2m_metric_describe(metric, &work.info);
    KD2M_TRY(kd2m_settings_validate(context, &list, settings));
    KD2M_TRY(kd2m_metric_accept(metric, x, y));
    KD2M_TRY(settle_pairing(&out->paired, context, &work.info, settings, x->rows, y->rows));
    KD2M_TRY(kd2m_text_copy(context, &out->metric, work.info.spec));
    KD2M_TRY(open_side(&work.x, &work, x, 0));
    KD2M_TRY(open_side(&work.y, &work, y, !out->paired));
    out->x_given = x->rows;
    out->y_given = y->rows;
    out->x_rows = work.x.all.rows;
    out->y_rows = work.y.all.rows;
    KD2M_TRY(list_sizes(out, context, settings->batches));
    KD2M_TRY(allocate(&work, out->sizes[out->count - 1].rows));
    KD2M_TRY(measure_full(&work, out));
    KD2M_TRY(measure_sizes(&work, out));
cleanup:
    clear(&work);
    if (status != KD2M_OK)
        kd2m_bias_clear(context, out);
    return status;
}

void kd2m_bias_clear(kd2m_context *context, kd2m_bias_report *report) {
    kd2m_free(context, report->metric);
    kd2m_free(context, report->sizes);
    *report = (kd2m_bias_report){0};
}
