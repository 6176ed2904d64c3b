/* kd2m features: a model's features of a data set, to be a teacher. */
#include <stdio.h>

#include "app.h"

typedef struct features_options {
    const char *model;
    const char *out;
} features_options;

static const struct argp_option options[] = {
    {"out", 'o', "FILE", 0, "The .safetensors file to write", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    features_options *given = state->input;
    switch (key) {
    case 'o':
        given->out = text;
        return 0;
    case ARGP_KEY_ARG:
        if (given->model)
            argp_error(state, "one model at a time: '%s' is too many", text);
        given->model = text;
        return 0;
    case ARGP_KEY_END:
        if (!given->model || !given->out)
            argp_error(state, "a run folder or model file, --data SPEC and --out FILE are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_features(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "RUN",
        .doc =
            "Runs a model over all samples of a data set, training and test, and writes its "
            "features, logits and other layers, each sample's key beside them, so that a "
            "student can be distilled from the file alone (docs/teachers-from-files.md). With "
            "--moments it writes means and variances over the training samples instead.\v"
            "Examples:\n"
            "  kd2m features runs/teacher --data idx:DIR --out teacher.safetensors\n"
            "  kd2m features runs/teacher --data bearing --layers bn3 --out maps.safetensors\n"
            "  kd2m features runs/teacher --data bearing --moments --per-class --out "
            "m.safetensors\n"
            "  kd2m distill --data idx:DIR --model mlp:784-64-10 --teacher teacher.safetensors \\\n"
            "      --metric w2 --out runs/student\n",
    };
    features_options given = {NULL, NULL};
    kd2m_features_settings values;
    cli_common common = {0};
    cli_settings settings = {kd2m_features_setting_list(), &values, 0};
    kd2m_settings_default(settings.list, &values);
    cli_parse(&argp, argc, argv, &given, &common, &settings);
    kd2m_context *context = cli_context(&common);
    size_t rows;
    kd2m_status status = kd2m_features_write(&rows, context, given.model, &values, given.out);
    if (status == KD2M_OK && common.json)
        status = cli_print_json(json_pack("{s:s, s:s, s:s, s:I}", "model", given.model, "data",
                                          values.data, "out", given.out, "rows", (json_int_t)rows));
    else if (status == KD2M_OK)
        printf("%s: %s of %zu samples\n", given.out, values.moments ? "moments" : "features", rows);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
