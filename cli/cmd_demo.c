/*
 * kd2m demo: the main job on the built-in bearing data. A teacher is trained on nominal conditions;
 * small students are trained alone, by its outputs and by its features' distribution, with several
 * seeds; all are tested on nominal and on shifted conditions.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app.h"

#define SEEDS 3
#define CONDITIONS 3
#define PATH_SIZE 1024
#define LATENCY_REPEATS 400

/* Where everything is tested; the first is what is trained on. */
static const struct condition {
    const char *key, *title, *data;
} conditions[CONDITIONS] = {
    {"nominal", "nominal", "bearing"},
    {"shift_load", "load+speed", "bearing:load=3,speed=1500"},
    {"shift_noise", "noise", "bearing:load=2,snr=0"},
};

static const char teacher_model[] = "cnn1d";
static const char student_model[] = "cnn1d:width=0.25";

static const struct method {
    const char *name, *loss;
} methods[] = {
    {"alone", "ce"},
    {"kd", "ce + 1*kd:T=4"},
    {"w2", "ce + 1*w2@features"},
    {"cond(w2)", "ce + 1*cond(w2)@features"},
    {"gauss-w2", "ce + 1*gauss-w2@features"},
    {"mmd", "ce + 1*mmd:kernel=rbf@features"},
};
#define METHODS (sizeof methods / sizeof *methods)

/* What is told about one net. */
typedef struct figures {
    double accuracy[CONDITIONS];
    double parameters, bytes, latency;
} figures;

typedef struct demo_options {
    const char *out;
    kd2m_run_mode mode;
    const char *epochs;
} demo_options;

static const struct argp_option options[] = {
    {"out", 'o', "DIR", 0, "Folder for the runs and the table (default: runs/demo)", 1},
    {"force", 'f', NULL, 0, "Start anew; without it finished runs in --out are kept", 1},
    {"epochs", 'e', "N", 0, "Epochs of every run (default: 12)", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    demo_options *given = state->input;
    switch (key) {
    case 'o':
        given->out = text;
        return 0;
    case 'f':
        given->mode = KD2M_RUN_FORCE;
        return 0;
    case 'e':
        given->epochs = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not an option", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int compare_reals(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median milliseconds of one window through the net. */
static kd2m_status measure_latency(kd2m_context *context, const char *run, double *out) {
    kd2m_model *model = NULL;
    kd2m_model_info info;
    float *window = NULL, *logits = NULL;
    double times[LATENCY_REPEATS];
    kd2m_status status = kd2m_model_open(&model, context, run);
    if (status != KD2M_OK)
        return status;
    kd2m_model_describe(model, &info);
    window = calloc(info.sample_size, sizeof *window);
    logits = calloc(info.classes, sizeof *logits);
    if (!window || !logits)
        status = cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    for (size_t i = 0; status == KD2M_OK && i < LATENCY_REPEATS; i++) {
        struct timespec began, ended;
        clock_gettime(CLOCK_MONOTONIC, &began);
        status = kd2m_model_predict(model, window, 1, logits, NULL);
        clock_gettime(CLOCK_MONOTONIC, &ended);
        times[i] = 1e3 * (double)(ended.tv_sec - began.tv_sec) +
                   1e-6 * (double)(ended.tv_nsec - began.tv_nsec);
    }
    qsort(times, LATENCY_REPEATS, sizeof *times, compare_reals);
    *out = times[LATENCY_REPEATS / 2];
    free(window);
    free(logits);
    kd2m_model_free(model);
    return status;
}

/* Trains one net (or finds it trained) and tests it under all conditions. */
static kd2m_status train_and_test(kd2m_context *context, const demo_options *given, const char *run,
                                  const char *model, const char *teacher, const char *loss,
                                  int64_t seed, figures *out) {
    const kd2m_setting_list *list = kd2m_train_setting_list();
    kd2m_train_settings settings;
    kd2m_run_result result;
    kd2m_evaluation found;
    struct stat file;
    char path[PATH_SIZE];
    kd2m_settings_default(list, &settings);
    settings.data = conditions[0].data;
    settings.model = model;
    settings.teacher = teacher;
    settings.loss = loss;
    settings.seed = seed;
    settings.batch_size = 64;
    kd2m_status status = kd2m_settings_set(context, list, &settings, "epochs", given->epochs);
    if (status == KD2M_OK)
        status = kd2m_run(&result, context, run, &settings, given->mode);
    if (status != KD2M_OK)
        return status;
    out->parameters = (double)result.parameters;
    out->accuracy[0] = result.test_accuracy;
    for (size_t c = 1; status == KD2M_OK && c < CONDITIONS; c++) {
        kd2m_data_settings data;
        kd2m_settings_default(kd2m_data_setting_list(), &data);
        data.data = conditions[c].data;
        status = kd2m_evaluate(&found, context, run, &data);
        out->accuracy[c] = found.scores.accuracy;
    }
    snprintf(path, sizeof path, "%s/model.safetensors", run);
    out->bytes = stat(path, &file) == 0 ? (double)file.st_size : NAN;
    return status == KD2M_OK ? measure_latency(context, run, &out->latency) : status;
}

static kd2m_status add_columns(kd2m_table *table) {
    kd2m_status status = kd2m_table_add_column(table, "net", "net", KD2M_COLUMN_TEXT, 0);
    for (size_t c = 0; status == KD2M_OK && c < CONDITIONS; c++)
        status = kd2m_table_add_column(table, conditions[c].key, conditions[c].title,
                                       KD2M_COLUMN_MEAN_SD, 3);
    if (status == KD2M_OK)
        status = kd2m_table_add_column(table, "parameters", "parameters", KD2M_COLUMN_INTEGER, 0);
    if (status == KD2M_OK)
        status = kd2m_table_add_column(table, "bytes", "file bytes", KD2M_COLUMN_INTEGER, 0);
    return status == KD2M_OK
               ? kd2m_table_add_column(table, "latency_ms", "ms/window", KD2M_COLUMN_REAL, 3)
               : status;
}

static kd2m_status add_row(kd2m_context *context, kd2m_table *table, const char *name,
                           const figures *seeds, size_t count) {
    double values[SEEDS];
    kd2m_summary summary;
    kd2m_status status = kd2m_table_add_row(table);
    if (status == KD2M_OK)
        status = kd2m_table_set_text(table, "net", name);
    for (size_t c = 0; status == KD2M_OK && c < CONDITIONS; c++) {
        for (size_t s = 0; s < count; s++)
            values[s] = seeds[s].accuracy[c];
        status = kd2m_summarise(&summary, context, values, count);
        if (status == KD2M_OK)
            status = kd2m_table_set_mean_sd(table, conditions[c].key, summary.mean, summary.sd);
    }
    for (size_t s = 0; s < count; s++)
        values[s] = seeds[s].latency;
    if (status == KD2M_OK)
        status = kd2m_summarise(&summary, context, values, count);
    if (status == KD2M_OK)
        status = kd2m_table_set_integer(table, "parameters", (int64_t)seeds[0].parameters);
    if (status == KD2M_OK)
        status = kd2m_table_set_integer(table, "bytes", (int64_t)seeds[0].bytes);
    return status == KD2M_OK ? kd2m_table_set_real(table, "latency_ms", summary.mean) : status;
}

/* Every net in turn, its row in the table as soon as it is known. */
static kd2m_status fill_table(kd2m_context *context, const demo_options *given, int quiet,
                              kd2m_table *table) {
    char teacher[PATH_SIZE], run[PATH_SIZE];
    figures found[SEEDS];
    size_t done = 0, all = METHODS * SEEDS + 1;
    snprintf(teacher, sizeof teacher, "%s/teacher", given->out);
    kd2m_status status =
        train_and_test(context, given, teacher, teacher_model, NULL, NULL, 0, &found[0]);
    for (size_t m = 0; status == KD2M_OK && m <= METHODS; m++) {
        size_t seeds = m == 0 ? 1 : SEEDS;
        const char *name = m == 0 ? "teacher" : methods[m - 1].name;
        for (size_t s = 0; m > 0 && status == KD2M_OK && s < SEEDS; s++) {
            snprintf(run, sizeof run, "%s/student-%zu-seed-%zu", given->out, m, s);
            int alone = strcmp(methods[m - 1].loss, "ce") == 0;
            status = train_and_test(context, given, run, student_model, alone ? NULL : teacher,
                                    methods[m - 1].loss, (int64_t)s, &found[s]);
        }
        done += seeds;
        if (status == KD2M_OK)
            status = add_row(context, table, name, found, seeds);
        if (status == KD2M_OK && !quiet)
            fprintf(stderr, "kd2m: %s trained, %zu of %zu runs done\n", name, done, all);
    }
    return status;
}

static kd2m_status save(kd2m_context *context, const char *folder, const char *name,
                        const char *text) {
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return kd2m_write_file(context, path, text, strlen(text));
}

static kd2m_status finish(kd2m_context *context, const demo_options *given, kd2m_table *table,
                          int json) {
    char note[256];
    char *text = NULL, *object = NULL;
    snprintf(
        note, sizeof note,
        "accuracy on test windows: %s (trained on), %s, %s; students: mean +- sd over %d seeds",
        conditions[0].data, conditions[1].data, conditions[2].data, SEEDS);
    kd2m_status status = kd2m_table_add_note(table, note);
    for (size_t m = 0; status == KD2M_OK && m < METHODS; m++) {
        snprintf(note, sizeof note, "%s: %s", methods[m].name, methods[m].loss);
        status = kd2m_table_add_note(table, note);
    }
    if (status == KD2M_OK)
        status = kd2m_table_to_text(table, &text);
    if (status == KD2M_OK)
        status = kd2m_table_to_json(table, &object);
    if (status == KD2M_OK)
        status = save(context, given->out, "table.txt", text);
    if (status == KD2M_OK)
        status = save(context, given->out, "table.json", object);
    if (status == KD2M_OK)
        fputs(json ? object : text, stdout);
    kd2m_text_free(context, text);
    kd2m_text_free(context, object);
    return status;
}

int cli_demo(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "The main job on built-in data: trains a teacher on vibration of a bearing, then "
               "small students alone and under it, and compares them on nominal and shifted "
               "conditions. The table is saved beside the runs.\v"
               "Examples:\n"
               "  kd2m demo\n"
               "  kd2m demo --out runs/mine --epochs 20 --json\n",
    };
    demo_options given = {"runs/demo", KD2M_RUN_RESUME, "12"};
    cli_common common = {0};
    cli_parse(&argp, argc, argv, &given, &common, NULL);
    kd2m_context *context = cli_context(&common);
    kd2m_table *table = NULL;
    kd2m_status status = kd2m_table_create(&table, context, "demo");
    if (status == KD2M_OK)
        status = add_columns(table);
    if (status == KD2M_OK)
        status = fill_table(context, &given, common.quiet, table);
    if (status == KD2M_OK)
        status = finish(context, &given, table, common.json);
    kd2m_table_free(table);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
