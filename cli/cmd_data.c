/* kd2m data: the kinds of data sets, or one data set's shape, classes and sizes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app.h"

typedef struct data_options {
    kd2m_data_settings settings;
    int transforms;  /* list those */
    const char *out; /* folder to write the samples to, or NULL */
} data_options;

enum { KEY_TRANSFORMS = 1, KEY_OUT = 'o' };

static const struct argp_option options[] = {
    {"transforms", KEY_TRANSFORMS, NULL, 0,
     "List the transforms (--transform) and augmentations (--augment) with their keys", 1},
    {"out", KEY_OUT, "DIR", 0,
     "Write the samples there: train_x.npy, train_y.npy, train_keys.npy, and for test", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    data_options *given = state->input;
    switch (key) {
    case KEY_TRANSFORMS:
        given->transforms = 1;
        return 0;
    case KEY_OUT:
        given->out = text;
        return 0;
    case ARGP_KEY_ARG:
        if (given->settings.data)
            argp_error(state, "one data set at a time: '%s' is too many", text);
        given->settings.data = text;
        return 0;
    case ARGP_KEY_END:
        if (given->out && (!given->settings.data || given->transforms))
            argp_error(state, "--out writes one data set's samples: say which");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#define TEXTS 8    /* of a column that are shown */
#define CLASSES 20 /* whose rows are shown */

static void print_columns(const kd2m_dataset *dataset, size_t count) {
    kd2m_column_info column;
    for (size_t i = 0; i < count && kd2m_dataset_column(dataset, i, &column) == KD2M_OK; i++) {
        printf("column %s: ", column.name);
        for (size_t code = 0; code < column.codes && code < TEXTS; code++)
            printf("%s%s", code > 0 ? ", " : "", column.texts[code]);
        if (column.codes > TEXTS)
            printf(" and %zu more", column.codes - TEXTS);
        printf("\n");
    }
}

/* {"machine": ["A", "B"], ..}: what the codes stand for. */
static json_t *columns_json(const kd2m_dataset *dataset, size_t count) {
    json_t *columns = json_object();
    kd2m_column_info column;
    for (size_t i = 0; i < count && kd2m_dataset_column(dataset, i, &column) == KD2M_OK; i++) {
        json_t *texts = json_array();
        for (size_t code = 0; code < column.codes; code++)
            json_array_append_new(texts, json_string(column.texts[code]));
        json_object_set_new(columns, column.name, texts);
    }
    return columns;
}

/* Rows of a split by class, to be freed; NULL where there is no memory. */
static size_t *count_classes(const kd2m_dataset *dataset, const kd2m_dataset_info *info,
                             kd2m_split split) {
    size_t *counts = calloc(info->classes, sizeof *counts);
    int32_t label;
    for (size_t i = 0; counts && i < info->rows[split]; i++)
        if (kd2m_dataset_read(dataset, split, i, 1, NULL, &label) == KD2M_OK)
            counts[label]++;
    return counts;
}

static void print_classes(const kd2m_dataset *dataset, const kd2m_dataset_info *info) {
    size_t *counts = count_classes(dataset, info, KD2M_TRAIN);
    printf("training rows by class:");
    for (size_t c = 0; counts && c < info->classes && c < CLASSES; c++)
        printf("%s %zu", c > 0 ? "," : "", counts[c]);
    printf(info->classes > CLASSES ? " and %zu classes more\n" : "\n", info->classes - CLASSES);
    if (info->relabelled > 0)
        printf("%zu training labels are replaced by other classes\n", info->relabelled);
    free(counts);
}

/* {"train": [40, 40, ..], ..} */
static json_t *classes_json(const kd2m_dataset *dataset, const kd2m_dataset_info *info) {
    static const char *const names[] = {"train", "validation", "test"};
    json_t *splits = json_object();
    for (kd2m_split split = KD2M_TRAIN; split <= KD2M_TEST; split++) {
        size_t *counts = count_classes(dataset, info, split);
        json_t *list = json_array();
        for (size_t c = 0; counts && c < info->classes; c++)
            json_array_append_new(list, json_integer((json_int_t)counts[c]));
        json_object_set_new(splits, names[split], list);
        free(counts);
    }
    return splits;
}

static kd2m_status print_json(const kd2m_dataset *dataset, const kd2m_dataset_info *info) {
    char digest[17];
    json_t *shape = json_array();
    for (size_t i = 0; i < info->dims; i++)
        json_array_append_new(shape, json_integer((json_int_t)info->shape[i]));
    snprintf(digest, sizeof digest, "%016" PRIx64, info->digest);
    return cli_print_json(json_pack(
        "{s:s, s:o, s:I, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:s}", "data", info->spec, "shape",
        shape, "classes", (json_int_t)info->classes, "columns",
        columns_json(dataset, info->columns), "train", (json_int_t)info->rows[KD2M_TRAIN],
        "validation", (json_int_t)info->rows[KD2M_VALIDATION], "test",
        (json_int_t)info->rows[KD2M_TEST], "class_rows", classes_json(dataset, info), "relabelled",
        (json_int_t)info->relabelled, "dropped", (json_int_t)info->dropped, "digest", digest));
}

static void print_text(const kd2m_dataset *dataset, const kd2m_dataset_info *info) {
    printf("%s: samples of ", info->spec);
    for (size_t i = 0; i < info->dims; i++)
        printf("%s%zu", i ? " x " : "", info->shape[i]);
    printf(", %zu classes, %zu for training, ", info->classes, info->rows[KD2M_TRAIN]);
    if (info->rows[KD2M_VALIDATION] > 0)
        printf("%zu for validation, ", info->rows[KD2M_VALIDATION]);
    printf("%zu for test, ", info->rows[KD2M_TEST]);
    if (info->dropped > 0)
        printf("%zu left out, ", info->dropped);
    printf("digest %016" PRIx64 "\n", info->digest);
    if (info->rows[KD2M_TRAIN] > 0)
        print_classes(dataset, info);
    print_columns(dataset, info->columns);
}

static kd2m_status describe(kd2m_context *context, const data_options *given, int json) {
    kd2m_dataset *dataset = NULL;
    kd2m_dataset_info info;
    kd2m_status status = kd2m_dataset_open(&dataset, context, &given->settings);
    if (status != KD2M_OK)
        return status;
    kd2m_dataset_describe(dataset, &info);
    if (given->out)
        status = kd2m_dataset_export(dataset, given->out);
    if (status == KD2M_OK && json)
        status = print_json(dataset, &info);
    else if (status == KD2M_OK)
        print_text(dataset, &info);
    kd2m_dataset_free(dataset);
    return status;
}

int cli_data(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[SPEC]",
        .doc = "Lists the kinds of data sets with their keys, or describes one data set, as it "
               "comes out of --classes, --transform, --limit and the like. Nothing is kept for "
               "validation "
               "unless --validation asks for it. With --out it also writes the samples as NumPy "
               "arrays, transformed but not normalised, with a key for each: for teachers that are "
               "computed elsewhere (docs/teachers-from-files.md).\v"
               "Examples:\n"
               "  kd2m data\n"
               "  kd2m data bearing:load=3\n"
               "  kd2m data bearing:load=0-3 --split group:load --validation 0.25\n"
               "  kd2m data bearing --classes 0,2-4 --limit 500\n"
               "  kd2m data bearing --transform envelope-spectrum\n"
               "  kd2m data --transforms\n"
               "  kd2m data 'csv:train=a.csv;b.csv,label=fault,columns=machine' --missing drop\n"
               "  kd2m data 'recordings:train=DIR,labels=labels.csv,label=fault,window=2048'\n"
               "  kd2m data cifar10:cifar --out samples\n"
               "  kd2m data 'npy:train=X.npy;Y.npy,test=XT.npy;YT.npy'\n",
    };
    data_options given = {.transforms = 0};
    cli_common common = {0};
    cli_settings settings = {kd2m_data_setting_list(), &given.settings, 0};
    kd2m_settings_default(settings.list, &given.settings);
    given.settings.validation = 0;
    cli_parse(&argp, argc, argv, &given, &common, &settings);
    kd2m_context *context = cli_context(&common);
    kd2m_table *table = NULL;
    kd2m_status status;
    if (given.settings.data && !given.transforms)
        status = describe(context, &given, common.json);
    else if ((status = given.transforms ? kd2m_transform_table(&table, context)
                                        : kd2m_dataset_table(&table, context)) == KD2M_OK)
        status = cli_print_table(context, table, common.json);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
