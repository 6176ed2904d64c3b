/*
 * What a metric is inside. A descriptor says all there is to know about a kind of metric (one file
 * each, listed in metrics.def). A unit is a descriptor with its settings, as a spec asked for it. A
 * call is a unit on two sets of rows.
 *
 * Metrics know nothing of the caller's structs: by the time that a hook runs, shapes fit, values
 * are finite, weights sum to 1 and the arena holds what the workspace query asked for.
 */
#ifndef KD2M_METRIC_METRIC_H
#define KD2M_METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "kd2m/metric.h"
#include "kd2m/settings.h"
#include "rows.h"
#include "spec.h"

#define KD2M_METRIC_MAX_CONSTANTS 2
#define KD2M_METRIC_NO_GROUP (-1)

typedef struct kd2m_metric_descriptor kd2m_metric_descriptor;

typedef struct kd2m_metric_unit {
    const kd2m_metric_descriptor *descriptor;
    void *settings;                 /* the descriptor's settings struct; NULL if it has none */
    struct kd2m_metric_unit *inner; /* M of name(M), or NULL; owned */
    unsigned traits;                /* these three start as the descriptor's; configure may */
    double degree;                  /* change them to follow the settings or the inner unit */
    size_t least_rows;
    const char *column;    /* whose codes stand in for labels; NULL = labels themselves */
    size_t constant_count; /* its own, then the inner unit's where it holds those as well */
} kd2m_metric_unit;

/* Upper bounds that a workspace is asked for. */
typedef struct kd2m_metric_shape {
    size_t n, m;
    size_t dim_x, dim_y;
    size_t classes;
} kd2m_metric_shape;

/* One side's rows. */
typedef struct kd2m_metric_side {
    size_t rows;
    kd2m_rows features;      /* for a metric on features */
    kd2m_rows logits;        /* for a metric on logits, or with them */
    const double *weights;   /* sum to 1; NULL = uniform */
    const int32_t *labels;   /* for a metric that needs them, or a column */
    const uint32_t *numbers; /* of each row in the caller's sample; NULL = 0, 1, 2 ... */
} kd2m_metric_side;

/* The constants of one group of rows, or of all (KD2M_METRIC_NO_GROUP). */
typedef struct kd2m_metric_constants {
    int32_t group;
    double values[KD2M_METRIC_MAX_CONSTANTS];
} kd2m_metric_constants;

/* All constants that a metric holds. */
typedef struct kd2m_metric_held {
    kd2m_metric_constants *items;
    size_t count, capacity;
} kd2m_metric_held;

typedef struct kd2m_ground kd2m_ground; /* metric_ground.h */

typedef struct kd2m_metric_call {
    kd2m_context *context;
    kd2m_arena *arena; /* scratch; whoever makes the call rewinds it */
    const kd2m_metric_unit *unit;
    kd2m_metric_side x, y;
    kd2m_metric_held *held;
    double
        *constants; /* this unit's, unit->constant_count of them: prepare writes, evaluate reads */
    /* Where prepare and evaluate follow on the same rows: what the first leaves to the second, in
     * the arena; *carried arrives as NULL. NULL where they are apart. */
    void **carried;
    const kd2m_ground *ground; /* what transport costs, where it is not the unit's own; else NULL */
    uint64_t seed, draw;       /* what is random follows from these alone: see kd2m_metric_seek */
    bool rows_match;           /* n = m in the caller's samples, so that there are true pairs */
} kd2m_metric_call;

/* What it costs a transport metric to move x to y; NONE for all other metrics. */
typedef enum kd2m_feature_cost {
    KD2M_COST_NONE,
    KD2M_COST_SQUARED, /* |x - y|^2 */
    KD2M_COST_DISTANCE /* |x - y| */
} kd2m_feature_cost;

struct kd2m_metric_descriptor {
    const char *name;
    const char *summary; /* one line */
    const char *formula;
    const char *source;
    unsigned traits; /* kd2m_metric_trait, at the default settings */
    double degree;
    /* Rows a side needs for the value to mean something: 2 where variances are compared. cond
     * serves smaller groups by their means. */
    size_t least_rows;
    bool wraps; /* is written around another metric, 'name(metric)' */
    /* Its own; a metric that has one transports on call->ground where that is given, and so may
     * stand inside joint. */
    kd2m_feature_cost feature_cost;
    const char *constant_names[KD2M_METRIC_MAX_CONSTANTS]; /* NULL where there are fewer */
    kd2m_setting_list settings;
    size_t settings_size;

    /* Refuses settings that don't go together and fits the unit's traits, degree,
     * least_rows and constant_count to them. May be NULL. Errors: KD2M_ERROR_USAGE. */
    kd2m_status (*configure)(kd2m_context *context, kd2m_metric_unit *unit);
    /* Arena bytes that prepare and evaluate need, growing with each bound of the shape. */
    size_t (*workspace)(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape);
    /* Resolves call->constants from the rows. NULL for a metric without constants. */
    kd2m_status (*prepare)(const kd2m_metric_call *call);
    /*
     * Fills `result` (which arrives as that of an exact 0 without plan or groups) and, unless
     * `gradient` is NULL, overwrites gradient->features, or for a metric on logits
     * gradient->logits; that pointer is not NULL. A metric with logits overwrites both, where they
     * are not NULL. Errors: KD2M_ERROR_NUMERIC where the value is
     * infinite.
     */
    kd2m_status (*evaluate)(const kd2m_metric_call *call, kd2m_metric_result *result,
                            const kd2m_gradient *gradient);
};

#define KD2M_METRIC(name) extern const kd2m_metric_descriptor kd2m_metric_descriptor_##name;
#include "metrics.def"
#undef KD2M_METRIC

/* The descriptor number `index` in the order of metrics.def, NULL behind the last. */
const kd2m_metric_descriptor *kd2m_metric_registry(size_t index);

/* The descriptor called spec->name. Errors: KD2M_ERROR_USAGE with position and nearest name;
 * `text` is what the spec was read from. */
kd2m_status kd2m_metric_find(const kd2m_metric_descriptor **out, kd2m_context *context,
                             const kd2m_spec *spec, const char *text);

/* Makes a unit, and those inside it, from a spec read from `text`; texts stay owned by `spec`. */
kd2m_status kd2m_metric_unit_create(kd2m_metric_unit **out, kd2m_context *context,
                                    const kd2m_spec *spec, const char *text);
void kd2m_metric_unit_free(kd2m_context *context, kd2m_metric_unit *unit);

/* *out = owned text of the unit's spec with every key written out. */
kd2m_status kd2m_metric_unit_text(kd2m_context *context, char **out, const kd2m_metric_unit *unit,
                                  const kd2m_spec *spec);

/* Bytes of scratch that the metric holds: as much as its largest evaluation so far asked for. */
size_t kd2m_metric_scratch(const kd2m_metric *metric);

/* Checks that two samples are what the metric takes, as evaluate does. Errors: KD2M_ERROR_INPUT. */
kd2m_status kd2m_metric_accept(const kd2m_metric *metric, const kd2m_sample *x,
                               const kd2m_sample *y);

/* Resolves the constants of call->unit for `group` from the call's rows, replacing older ones. */
kd2m_status kd2m_metric_resolve(kd2m_metric_call *call, int32_t group);

/* Evaluates call->unit with the constants held for `group`; a group that none are held for gets
 * them from the call's rows, and they are held from then on. */
kd2m_status kd2m_metric_apply(kd2m_metric_call *call, int32_t group, kd2m_metric_result *result,
                              const kd2m_gradient *gradient);

/* The result of an exact 0 without plan or groups. */
kd2m_metric_result kd2m_metric_result_zero(void);

/* Checks that two samples are what the unit takes, with `values` that these are finite. Errors:
 * KD2M_ERROR_INPUT. */
kd2m_status kd2m_metric_check(kd2m_context *context, const kd2m_metric_unit *unit,
                              const kd2m_sample *x, const kd2m_sample *y, bool values);

/* The checked sample as the unit's hooks see it; normalised weights are taken from the arena. */
kd2m_status kd2m_metric_side_of(kd2m_arena *arena, kd2m_metric_side *out,
                                const kd2m_metric_unit *unit, const kd2m_sample *sample);

/* The weight of row i. */
static inline double kd2m_metric_weight(const kd2m_metric_side *side, size_t i) {
    return side->weights ? side->weights[i] : 1.0 / (double)side->rows;
}

#endif
