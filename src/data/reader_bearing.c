/*
 * bearing: generated vibration of a rolling bearing, 1 channel, 12,000 samples a second. Seven
 * classes: normal; inner race, outer race and ball faults, small and large each. The signal model
 * is bearing_model.c's. Windows are made side by side, each from random numbers of its own: the
 * same for any number of threads. Time about 0.1 ms a window of 1024.
 */
#include "bearing_model.h"
#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "parallel.h"

#define BEARING_SETTINGS(X)                                                                        \
    X(INTEGER, load, "1", 0, 3, "HP", "load of the motor")                                         \
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

/* The windows of a part: window i is of class i mod classes. */
typedef struct generation {
    kd2m_bearing_condition condition;
    uint64_t seed;
    uint64_t first; /* number of the part's first window in the random stream */
    size_t length;
    float *values;
} generation;

static void generate(void *user, size_t begin, size_t end, int worker) {
    const generation *g = user;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        kd2m_bearing_window(&g->condition, (kd2m_bearing_class)(i % KD2M_BEARING_CLASSES), g->seed,
                            g->first + i, g->values + i * g->length, g->length);
}

static kd2m_status generate_part(kd2m_context *context, kd2m_part *part, size_t per_class,
                                 generation *g) {
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

cleanup:
    return status;
}

static kd2m_status read(kd2m_context *context, const void *parameters, kd2m_raw_data *out) {
    const bearing_settings *settings = parameters;
    kd2m_status status = KD2M_OK;
    generation g = {.condition = {.load = (int)settings->load, .snr = settings->snr},
                    .seed = (uint64_t)settings->seed,
                    .length = (size_t)settings->length};
    g.condition.speed =
        settings->speed > 0 ? settings->speed : kd2m_bearing_nominal_speed(g.condition.load);
    if (settings->train == 0 && settings->test == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "bearing: train=0 and test=0 ask for no data");

    out->dims = 2;
    out->shape[0] = 1;
    out->shape[1] = g.length;
    out->classes = KD2M_BEARING_CLASSES;
    KD2M_TRY(generate_part(context, &out->train, (size_t)settings->train, &g));
    g.first = UINT64_C(1) << 31; /* no number of training windows reaches it */
    KD2M_TRY(generate_part(context, &out->test, (size_t)settings->test, &g));

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
