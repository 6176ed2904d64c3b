/* kd2m distance: a metric between two arrays of features, its certificate and its gradient; with
 * --bias, what batches do to both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "distance_bias.h"
#include "sample_files.h"

typedef struct distance_options {
    cli_sample_paths sides[2];
    const char *metric;
    const char *gradient;
    long repeat;
    int strict;
    int bias;
    const char *csv;
} distance_options;

enum {
    KEY_METRIC = 'm',
    KEY_LABELS_A = 1,
    KEY_LABELS_B,
    KEY_LOGITS_A,
    KEY_LOGITS_B,
    KEY_COLUMN_A,
    KEY_COLUMN_B,
    KEY_GRADIENT,
    KEY_REPEAT,
    KEY_STRICT,
    KEY_BIAS,
    KEY_CSV
};

static const struct argp_option options[] = {
    {"metric", KEY_METRIC, "SPEC", 0, "Metric, e.g. w2 or 'cond(gauss-w2)'", 1},
    {"labels-a", KEY_LABELS_A, "L.npy", 0, "Labels of A's rows", 1},
    {"labels-b", KEY_LABELS_B, "L.npy", 0, "Labels of B's rows", 1},
    {"logits-a", KEY_LOGITS_A, "Z.npy", 0, "Logits of A's rows, for a metric that takes both", 1},
    {"logits-b", KEY_LOGITS_B, "Z.npy", 0, "Logits of B's rows", 1},
    {"column-a", KEY_COLUMN_A, "NAME=C.npy", 0,
     "Column of whole numbers of A's rows, for cond(M):by=NAME (may be repeated)", 1},
    {"column-b", KEY_COLUMN_B, "NAME=C.npy", 0, "Column of B's rows", 1},
    {"grad-out", KEY_GRADIENT, "G.npy", 0, "Write the gradient with respect to A", 1},
    {"repeat", KEY_REPEAT, "N", 0, "Evaluate N times and tell the median time (default: 1)", 1},
    {"strict", KEY_STRICT, NULL, 0, "Fail where the metric's solver did not converge", 1},
    {"bias", KEY_BIAS, NULL, 0, "Tell what batches do to value and gradient, size by size", 2},
    {"csv", KEY_CSV, "FILE", 0, "Write the table of --bias to FILE as well, to be plotted", 2},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    distance_options *given = state->input;
    cli_sample_paths *side;
    char *end;
    switch (key) {
    case KEY_METRIC:
        given->metric = text;
        return 0;
    case KEY_LABELS_A:
    case KEY_LABELS_B:
        given->sides[key - KEY_LABELS_A].labels = text;
        return 0;
    case KEY_LOGITS_A:
    case KEY_LOGITS_B:
        given->sides[key - KEY_LOGITS_A].logits = text;
        return 0;
    case KEY_COLUMN_A:
    case KEY_COLUMN_B:
        side = &given->sides[key - KEY_COLUMN_A];
        if (side->column_count == CLI_COLUMNS)
            argp_error(state, "at most %d columns can be given", CLI_COLUMNS);
        side->columns[side->column_count++] = text;
        return 0;
    case KEY_GRADIENT:
        given->gradient = text;
        return 0;
    case KEY_REPEAT:
        given->repeat = strtol(text, &end, 10);
        if (*end || given->repeat < 1 || given->repeat > 100000)
            argp_error(state, "--repeat takes a number from 1 to 100000, not '%s'", text);
        return 0;
    case KEY_STRICT:
        given->strict = 1;
        return 0;
    case KEY_BIAS:
        given->bias = 1;
        return 0;
    case KEY_CSV:
        given->csv = text;
        return 0;
    case ARGP_KEY_ARG:
        if (given->sides[1].features)
            argp_error(state, "'%s' is one argument too many", text);
        given->sides[given->sides[0].features != NULL].features = text;
        return 0;
    case ARGP_KEY_END:
        if (!given->sides[1].features || !given->metric)
            argp_error(state, "two .npy files and --metric SPEC are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
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
static kd2m_status measure(kd2m_metric *metric, const cli_sample sides[2], long repeat,
                           const kd2m_gradient *gradient, kd2m_metric_result *result,
                           double *seconds) {
    double *times = malloc((size_t)repeat * sizeof *times);
    kd2m_status status = times ? KD2M_OK : cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    for (long i = 0; status == KD2M_OK && i < repeat; i++) {
        double began = seconds_now();
        status = kd2m_metric_evaluate_fresh(metric, &sides[0].sample, &sides[1].sample, result,
                                            gradient);
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

/* On stderr, where standard output may be read by a program. */
static void note_unconverged(kd2m_context *context, const kd2m_metric *metric,
                             const kd2m_metric_result *result) {
    if (kd2m_metric_certify(metric, result) != KD2M_OK)
        fprintf(stderr, "kd2m: warning: %s; --strict makes this an error\n",
                kd2m_context_message(context));
}

/* Value and gradient on all rows. */
static kd2m_status evaluate(kd2m_context *context, kd2m_metric *metric, const cli_sample sides[2],
                            const distance_options *given, const cli_common *common) {
    kd2m_metric_result result;
    kd2m_metric_info info;
    double seconds = 0;
    size_t count = sides[0].features.count, dim = sides[0].sample.dim;
    kd2m_gradient gradient = {NULL, 0, NULL, 0};
    float *rows = malloc(count * sizeof *rows);
    if (!rows)
        return cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    kd2m_metric_describe(metric, &info);
    if (info.traits & KD2M_METRIC_ON_LOGITS) {
        gradient.logits = rows;
        gradient.logits_stride = dim;
    } else {
        gradient.features = rows;
        gradient.stride = dim;
    }
    kd2m_status status = measure(metric, sides, given->repeat, &gradient, &result, &seconds);
    if (status == KD2M_OK && given->gradient) {
        const kd2m_array array = {KD2M_FLOAT32, 2, {sides[0].sample.rows, dim}, count, rows};
        status = kd2m_array_write(context, &array, given->gradient);
    }
    if (status == KD2M_OK)
        status = print_result(metric, &result, seconds, common->json);
    if (status == KD2M_OK && !common->quiet)
        note_unconverged(context, metric, &result);
    free(rows);
    return status;
}

static kd2m_status distance(kd2m_context *context, const distance_options *given,
                            const kd2m_bias_settings *settings, const cli_common *common) {
    cli_sample sides[2];
    kd2m_metric *metric = NULL;
    kd2m_metric_info info;
    memset(sides, 0, sizeof sides);
    kd2m_status status = kd2m_metric_create(&metric, context, given->metric);
    if (status == KD2M_OK) {
        kd2m_metric_describe(metric, &info);
        kd2m_metric_set_strict(metric, given->strict);
    }
    for (int i = 0; status == KD2M_OK && i < 2; i++)
        status = cli_sample_read(&sides[i], context, &given->sides[i],
                                 (info.traits & KD2M_METRIC_ON_LOGITS) != 0);
    if (status == KD2M_OK)
        status = given->bias ? cli_distance_bias(context, metric, &sides[0].sample,
                                                 &sides[1].sample, settings, given->csv, common)
                             : evaluate(context, metric, sides, given, common);
    kd2m_metric_free(metric);
    for (int i = 0; i < 2; i++)
        cli_sample_clear(&sides[i], context);
    return status;
}

/* Says what was given for the other of value and --bias; 0 if nothing was. */
static int misplaced(const distance_options *given, const cli_settings *settings) {
    if (!given->bias && (given->csv || settings->given > 0))
        fputs("kd2m distance: --csv, --batches, --draws, --full, --pairing and --seed belong to "
              "--bias\n",
              stderr);
    else if (given->bias && (given->gradient || given->repeat > 1))
        fputs("kd2m distance: --grad-out and --repeat don't go with --bias\n", stderr);
    else
        return 0;
    return 1;
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
               "  kd2m distance A.npy B.npy --metric 'cond(w2):by=machine' --column-a "
               "machine=MA.npy --column-b machine=MB.npy\n"
               "  kd2m distance A.npy B.npy --metric 'joint(w2):of=softmax' --logits-a ZA.npy "
               "--logits-b ZB.npy\n"
               "  kd2m distance A.npy B.npy --metric mmd:kernel=rbf --grad-out G.npy --json\n"
               "  kd2m distance A.npy B.npy --metric w2 --bias --batches 32,64,128 --csv bias.csv\n"
               "\n--bias draws batches from A and B and tells, for each size, how far value and\n"
               "gradient are from those on all rows (docs/batch-size.md).\n",
    };
    distance_options given = {.repeat = 1};
    cli_common common = {0};
    kd2m_bias_settings values;
    cli_settings settings = {kd2m_bias_setting_list(), &values, 0};
    kd2m_settings_default(settings.list, &values);
    cli_parse(&argp, argc, argv, &given, &common, &settings);
    if (misplaced(&given, &settings))
        return 2;
    kd2m_context *context = cli_context(&common);
    int code = cli_exit_code(context, distance(context, &given, &values, &common));
    kd2m_context_free(context);
    return code;
}
