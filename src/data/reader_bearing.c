/*
 * bearing: generated vibration of a rolling bearing, 1 channel, 12,000 samples a second. Seven
 * classes: normal; inner race, outer race and ball faults, small and large each. The signal model
 * is bearing_model.c's. Under several loads, each has its share of every class, and its own speed.
 * Columns: load, speed. Windows are made side by side, each from random numbers of its own: the
 * same for any number of threads. Time about 0.1 ms a window of 1024.
 */
#include "bearing_model.h"
#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "number_list.h"
#include "parallel.h"

#define BEARING_SETTINGS(X)                                                                        \
    X(TEXT, load, "1", 0, 0, "HP", "load of the motor, 0..3; several in turn: 0-3")                \
    X(REAL, speed, "0", 0, 20000, "RPM", "speed; 0 = the motor's own under that load")             \
    X(REAL, snr, "3", -60, 200, "DB", "a small outer-race fault at nominal load over the noise")   \
    X(INTEGER, train, "400", 0, 1000000, "N", "training windows a class")                          \
    X(INTEGER, test, "200", 0, 1000000, "N", "test windows a class")                               \
    X(INTEGER, length, "1024", 64, 65536, "N", "samples a window")                                 \
    X(INTEGER, seed, "1", 0, 9007199254740992.0, "N", "of the generator")

typedef struct bearing_settings {
    BEARING_SETTINGS(KD2M_SETTINGS_FIELD)
} bearing_settings;

#define ROW(...) KD2M_SETTINGS_ROW(bearing_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {BEARING_SETTINGS(ROW)};

#define LOADS 4

/* The windows of a part: window i is of class i mod classes, under condition i div classes, mod
 * conditions. */
typedef struct generation {
    kd2m_bearing_condition conditions[LOADS];
    size_t condition_count;
    uint64_t seed;
    uint64_t first; /* number of the part's first window in the random stream */
    size_t length;
    float *values;
} generation;

static const kd2m_bearing_condition *condition_of(const generation *g, size_t window) {
    return &g->conditions[window / KD2M_BEARING_CLASSES % g->condition_count];
}

static void generate(void *user, size_t begin, size_t end, int worker) {
    const generation *g = user;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        kd2m_bearing_window(condition_of(g, i), (kd2m_bearing_class)(i % KD2M_BEARING_CLASSES),
                            g->seed, g->first + i, g->values + i * g->length, g->length);
}

static kd2m_status add_columns(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                               const generation *g) {
    char loads[LOADS][KD2M_NUMBER_SIZE], speeds[LOADS][KD2M_NUMBER_SIZE];
    const char **texts = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&texts, part->rows, sizeof *texts));
    for (size_t c = 0; c < g->condition_count; c++) {
        kd2m_format_number(loads[c], g->conditions[c].load);
        kd2m_format_number(speeds[c], g->conditions[c].speed);
    }
    for (size_t i = 0; i < part->rows; i++)
        texts[i] = loads[condition_of(g, i) - g->conditions];
    KD2M_TRY(kd2m_raw_data_add_texts(context, raw, part, "load", texts));
    for (size_t i = 0; i < part->rows; i++)
        texts[i] = speeds[condition_of(g, i) - g->conditions];
    KD2M_TRY(kd2m_raw_data_add_texts(context, raw, part, "speed", texts));

cleanup:
    kd2m_free(context, texts);
    return status;
}

static kd2m_status generate_part(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                 size_t per_class, generation *g) {
    kd2m_status status = KD2M_OK;
    size_t count = per_class * KD2M_BEARING_CLASSES;
    part->values = (kd2m_array){.element = KD2M_FLOAT32,
                                .dims = 3,
                                .shape = {count, 1, g->length},
                                .count = count * g->length};
    KD2M_TRY(kd2m_alloc(context, &part->values.values, part->values.count, sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&part->labels, count, sizeof *part->labels));
    part->rows = count;
    g->values = part->values.values;
    for (size_t i = 0; i < count; i++)
        part->labels[i] = (int32_t)(i % KD2M_BEARING_CLASSES);
    kd2m_parallel_for(context, count, 16, generate, g);
    KD2M_TRY(add_columns(context, raw, part, g));

cleanup:
    return status;
}

static kd2m_status set_conditions(kd2m_context *context, generation *g,
                                  const bearing_settings *settings) {
    kd2m_number_list loads;
    kd2m_status status = kd2m_number_list_parse(&loads, context, settings->load, LOADS - 1);
    if (status != KD2M_OK)
        return kd2m_fail_within(context, status, "bearing: load");
    for (size_t c = 0; c < loads.count; c++) {
        int load = (int)loads.items[c];
        double speed = settings->speed > 0 ? settings->speed : kd2m_bearing_nominal_speed(load);
        g->conditions[c] = (kd2m_bearing_condition){load, speed, settings->snr};
    }
    g->condition_count = loads.count;
    kd2m_number_list_clear(context, &loads);
    return KD2M_OK;
}

static kd2m_status read(kd2m_context *context, const void *parameters, kd2m_raw_data *out) {
    const bearing_settings *settings = parameters;
    kd2m_status status = KD2M_OK;
    generation g = {.seed = (uint64_t)settings->seed, .length = (size_t)settings->length};
    if (settings->train == 0 && settings->test == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "bearing: train=0 and test=0 ask for no data");

    KD2M_TRY(set_conditions(context, &g, settings));
    out->dims = 2;
    out->shape[0] = 1;
    out->shape[1] = g.length;
    out->classes = KD2M_BEARING_CLASSES;
    KD2M_TRY(generate_part(context, out, &out->train, (size_t)settings->train, &g));
    g.first = UINT64_C(1) << 31; /* no number of training windows reaches it */
    KD2M_TRY(generate_part(context, out, &out->test, (size_t)settings->test, &g));

cleanup:
    return status;
}

const kd2m_reader kd2m_reader_bearing = {
    .name = "bearing",
    .summary = "generated vibration of a rolling bearing: normal and six faults",
    .parameters = {rows, sizeof rows / sizeof *rows},
    .parameters_size = sizeof(bearing_settings),
    .read = read,
};
