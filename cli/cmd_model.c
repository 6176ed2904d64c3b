/* kd2m model show: what a model is made of. */
#include <stdio.h>
#include <string.h>

#include "app.h"

typedef struct model_options {
    const char *verb;
    const char *model;
} model_options;

static error_t parse(int key, char *text, struct argp_state *state) {
    model_options *given = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (given->model)
            argp_error(state, "'%s' is one argument too many", text);
        *(given->verb ? &given->model : &given->verb) = text;
        return 0;
    case ARGP_KEY_END:
        if (!given->model || strcmp(given->verb, "show") != 0)
            argp_error(state, "say 'kd2m model show RUN'");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_model(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "show RUN",
        .doc = "Lists a model's layers, whose names loss terms use, with their output shapes.\v"
               "Examples:\n"
               "  kd2m model show runs/teacher\n"
               "  kd2m model show student.safetensors --json\n",
    };
    model_options given = {NULL, NULL};
    cli_common common = {0};
    cli_parse(&argp, argc, argv, &given, &common, NULL);
    kd2m_context *context = cli_context(&common);
    kd2m_model *model = NULL;
    kd2m_table *table = NULL;
    kd2m_status status = kd2m_model_open(&model, context, given.model);
    if (status == KD2M_OK)
        status = kd2m_model_table(&table, model);
    if (status == KD2M_OK)
        status = cli_print_table(context, table, common.json);
    int code = cli_exit_code(context, status);
    kd2m_model_free(model);
    kd2m_context_free(context);
    return code;
}
