/* kd2m eval: accuracy of a model on a data set. */
#include <stdio.h>

#include "app.h"

typedef struct eval_options {
    const char *model;
    const char *data;
} eval_options;

static const struct argp_option options[] = {
    {"data", 'd', "SPEC", 0, "Data set; its test part is used", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    eval_options *given = state->input;
    switch (key) {
    case 'd':
        given->data = text;
        return 0;
    case ARGP_KEY_ARG:
        if (given->model)
            argp_error(state, "one model at a time: '%s' is too many", text);
        given->model = text;
        return 0;
    case ARGP_KEY_END:
        if (!given->model || !given->data)
            argp_error(state, "a run folder or model file and --data SPEC are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_eval(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "RUN",
        .doc = "Accuracy of a model on a data set, with the normalisation stored in the model.\v"
               "Examples:\n"
               "  kd2m eval runs/student --data idx:DIR\n"
               "  kd2m eval runs/student --data bearing:load=3,speed=1500 --json\n",
    };
    eval_options given = {NULL, NULL};
    cli_common common = {0};
    cli_parse(&argp, argc, argv, &given, &common, NULL);
    kd2m_context *context = cli_context(&common);
    kd2m_evaluation found;
    kd2m_status status = kd2m_evaluate(&found, context, given.model, given.data);
    if (status == KD2M_OK && common.json)
        status = cli_print_json(json_pack("{s:s, s:s, s:I, s:o, s:o}", "model", given.model, "data",
                                          given.data, "rows", (json_int_t)found.rows, "accuracy",
                                          cli_real(found.accuracy), "loss", cli_real(found.loss)));
    else if (status == KD2M_OK)
        printf("%s on %s: accuracy %.4f, loss %.4f, %zu samples\n", given.model, given.data,
               found.accuracy, found.loss, found.rows);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
