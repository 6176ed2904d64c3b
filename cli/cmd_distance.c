/* kd2m distance: a metric between two arrays of features, its certificate and its gradient. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"

typedef struct distance_options {
    const char *paths[2];
    const char *labels[2];
    const char *logits[2];
    const char *metric;
    const char *gradient;
    long repeat;
} distance_options;

enum {
    KEY_METRIC = 'm',
    KEY_LABELS_A = 1,
    KEY_LABELS_B,
    KEY_LOGITS_A,
    KEY_LOGITS_B,
    KEY_GRADIENT,
    KEY_REPEAT
};

static const struct argp_option options[] = {
    {"metric", KEY_METRIC, "SPEC", 0, "Metric, e.g. w2 or 'cond(gauss-w2)'", 1},
    {"labels-a", KEY_LABELS_A, "L.npy", 0, "Labels of A's rows", 1},
    {"labels-b", KEY_LABELS_B, "L.npy", 0, "Labels of B's rows", 1},
    {"logits-a", KEY_LOGITS_A, "Z.npy", 0, "Logits of A's rows, for a metric that takes both", 1},
    {"logits-b", KEY_LOGITS_B, "Z.npy", 0, "Logits of B's rows", 1},
    {"grad-out", KEY_GRADIENT, "G.npy", 0, "Write the gradient with respect to A", 1},
    {"repeat", KEY_REPEAT, "N", 0, "Evaluate N times and tell the median time (default: 1)", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    distance_options *given = state->input;
    char *end;
    switch (key) {
    case KEY_METRIC:
        given->metric = text;
        return 0;
    case KEY_LABELS_A:
    case KEY_LABELS_B:
        given->labels[key - KEY_LABELS_A] = text;
        return 0;
    case KEY_LOGITS_A:
    case KEY_LOGITS_B:
        given->logits[key - KEY_LOGITS_A] = text;
        return 0;
    case KEY_GRADIENT:
        given->gradient = text;
        return 0;
    case KEY_REPEAT:
        given->repeat = strtol(text, &end, 10);
        if (*end || given->repeat < 1 || given->repeat > 100000)
            argp_error(state, "--repeat takes a number from 1 to 100000, not '%s'", text);
        return 0;
    case ARGP_KEY_ARG:
        if (given->paths[1])
            argp_error(state, "'%s' is one argument too many", text);
        given->paths[given->paths[0] != NULL] = text;
        return 0;
    case ARGP_KEY_END:
        if (!given->paths[1] || !given->metric)
            argp_error(state, "two .npy files and --metric SPEC are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One side: its arrays and the sample that points into them. */
typedef struct side {
    kd2m_array values, labels, logits;
    kd2m_sample sample;
} side;

/* An 8-bit label array becomes 32-bit in place. */
static kd2m_status widen_labels(kd2m_array *labels, int32_t **out, const char *path) {
    if (labels->element == KD2M_FLOAT32)
        return cli_fail(KD2M_ERROR_INPUT,
                        "%s: labels are whole numbers (u1, i4 or i8), these are floats", path);
    *out = malloc(labels->count * sizeof **out);
    if (!*out)
        return cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < labels->count; i++)
        (*out)[i] = labels->element == KD2M_UINT8 ? ((const uint8_t *)labels->values)[i]
                                                  : ((const int32_t *)labels->values)[i];
    return KD2M_OK;
}

/* Reads N x D floats. */
static kd2m_status read_matrix(kd2m_context *context, kd2m_array *out, const char *path,
                               const char *what) {
    kd2m_status status = kd2m_array_read(out, context, path);
    if (status == KD2M_OK && (out->element != KD2M_FLOAT32 || out->dims != 2))
        return cli_fail(KD2M_ERROR_INPUT, "%s: %s are an N x D array of floats (f4 or f8)", path,
                        what);
    return status;
}

static kd2m_status read_labels(kd2m_context *context, side *out, const char *path,
                               int32_t **labels) {
    kd2m_status status = kd2m_array_read(&out->labels, context, path);
    if (status != KD2M_OK)
        return status;
    if (out->labels.count != out->sample.rows)
        return cli_fail(KD2M_ERROR_INPUT, "%s: as many labels are needed as there are rows", path);
    status = widen_labels(&out->labels, labels, path);
    out->sample.labels = *labels;
    return status;
}

static kd2m_status read_logits(kd2m_context *context, side *out, const char *path) {
    kd2m_status status = read_matrix(context, &out->logits, path, "logits");
    if (status != KD2M_OK)
        return status;
    if (out->logits.shape[0] != out->sample.rows)
        return cli_fail(KD2M_ERROR_INPUT, "%s: as many rows are needed as there are features",
                        path);
    out->sample.logits = out->logits.values;
    out->sample.classes = out->sample.logits_stride = out->logits.shape[1];
    return KD2M_OK;
}

/* Reads side number `which`; the sample points into the side's arrays and *labels. */
static kd2m_status read_side(kd2m_context *context, side *out, const distance_options *given,
                             int which, unsigned traits, int32_t **labels) {
    kd2m_status status = read_matrix(context, &out->values, given->paths[which], "features");
    if (status != KD2M_OK)
        return status;
    out->sample = (kd2m_sample){.rows = out->values.shape[0],
                                .dim = out->values.shape[1],
                                .features = out->values.values,
                                .stride = out->values.shape[1]};
    if (traits & KD2M_METRIC_ON_LOGITS) { /* then the rows are logits */
        out->sample.logits = out->sample.features;
        out->sample.classes = out->sample.logits_stride = out->sample.dim;
    }
    if (given->logits[which])
        status = read_logits(context, out, given->logits[which]);
    if (status == KD2M_OK && given->labels[which])
        status = read_labels(context, out, given->labels[which], labels);
    return status;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare_reals(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Value and gradient `repeat` times; *seconds is the median of one. */
static kd2m_status measure(kd2m_metric *metric, const side sides[2], long repeat,
                           const kd2m_gradient *gradient, kd2m_metric_result *result,
                           double *seconds) {
    double *times = malloc((size_t)repeat * sizeof *times);
    kd2m_status status = times ? KD2M_OK : cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    for (long i = 0; status == KD2M_OK && i < repeat; i++) {
        double began = seconds_now();
        status = kd2m_metric_prepare(metric, &sides[0].sample, &sides[1].sample);
        if (status == KD2M_OK)
            status =
                kd2m_metric_evaluate(metric, &sides[0].sample, &sides[1].sample, result, gradient);
        times[i] = seconds_now() - began;
    }
    if (status == KD2M_OK) {
        qsort(times, (size_t)repeat, sizeof *times, compare_reals);
        *seconds = (times[(repeat - 1) / 2] + times[repeat / 2]) / 2;
    }
    free(times);
    return status;
}

static kd2m_status print_result(const kd2m_metric *metric, const kd2m_metric_result *result,
                                double seconds, int json) {
    kd2m_metric_info info;
    kd2m_metric_describe(metric, &info);
    if (!json) {
        printf("%s = %.9g  (%s, gap %.2g, %lld iterations, %.6f s)\n", info.spec, result->value,
               result->certificate.converged ? "converged" : "NOT converged",
               result->certificate.gap, (long long)result->certificate.iterations, seconds);
        return KD2M_OK;
    }
    json_t *constants = json_array();
    const char *name;
    double value;
    for (size_t i = 0; kd2m_metric_constant(metric, i, &name, &value) == KD2M_OK; i++)
        json_array_append_new(constants, json_pack("{s:o}", name, cli_real(value)));
    return cli_print_json(json_pack(
        "{s:s, s:o, s:b, s:I, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:o}", "metric", info.spec,
        "value", cli_real(result->value), "converged", result->certificate.converged, "iterations",
        (json_int_t)result->certificate.iterations, "gap", cli_real(result->certificate.gap),
        "marginal_error", cli_real(result->certificate.marginal_error), "seconds",
        cli_real(seconds), "pair_share", cli_real(result->pair_share), "groups_kept",
        (int)result->groups_kept, "groups_dropped", (int)result->groups_dropped, "fallbacks",
        (int)result->fallbacks, "constants", constants));
}

static kd2m_status distance(kd2m_context *context, const distance_options *given, int json) {
    side sides[2];
    int32_t *labels[2] = {NULL, NULL};
    kd2m_metric *metric = NULL;
    float *rows = NULL;
    kd2m_metric_result result;
    kd2m_metric_info info;
    double seconds = 0;
    memset(sides, 0, sizeof sides);
    kd2m_status status = kd2m_metric_create(&metric, context, given->metric);
    if (status == KD2M_OK)
        kd2m_metric_describe(metric, &info);
    for (int i = 0; status == KD2M_OK && i < 2; i++)
        status = read_side(context, &sides[i], given, i, info.traits, &labels[i]);
    if (status != KD2M_OK)
        goto cleanup;
    size_t count = sides[0].values.count, dim = sides[0].sample.dim;
    rows = malloc(count * sizeof *rows);
    if (!rows) {
        status = cli_fail(KD2M_ERROR_MEMORY, "out of memory");
        goto cleanup;
    }
    kd2m_gradient gradient = {NULL, 0, NULL, 0};
    if (info.traits & KD2M_METRIC_ON_LOGITS) {
        gradient.logits = rows;
        gradient.logits_stride = dim;
    } else {
        gradient.features = rows;
        gradient.stride = dim;
    }
    status = measure(metric, sides, given->repeat, &gradient, &result, &seconds);
    if (status == KD2M_OK && given->gradient) {
        const kd2m_array array = {KD2M_FLOAT32, 2, {sides[0].sample.rows, dim}, count, rows};
        status = kd2m_array_write(context, &array, given->gradient);
    }
    if (status == KD2M_OK)
        status = print_result(metric, &result, seconds, json);
cleanup:
    free(rows);
    kd2m_metric_free(metric);
    for (int i = 0; i < 2; i++) {
        free(labels[i]);
        kd2m_array_clear(context, &sides[i].values);
        kd2m_array_clear(context, &sides[i].labels);
        kd2m_array_clear(context, &sides[i].logits);
    }
    return status;
}

int cli_distance(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "A.npy B.npy",
        .doc = "A metric between two sets of rows: A is the student's, B the teacher's.\v"
               "Examples:\n"
               "  kd2m distance A.npy B.npy --metric w2\n"
               "  kd2m distance A.npy B.npy --metric 'cond(w2)' --labels-a LA.npy --labels-b "
               "LB.npy\n"
               "  kd2m distance A.npy B.npy --metric 'joint(w2):of=softmax' --logits-a ZA.npy "
               "--logits-b ZB.npy\n"
               "  kd2m distance A.npy B.npy --metric mmd:kernel=rbf --grad-out G.npy --json\n",
    };
    distance_options given = {.repeat = 1};
    cli_common common = {0};
    cli_parse(&argp, argc, argv, &given, &common, NULL);
    kd2m_context *context = cli_context(&common);
    int code = cli_exit_code(context, distance(context, &given, common.json));
    kd2m_context_free(context);
    return code;
}
