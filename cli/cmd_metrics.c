/* kd2m metrics: the metrics with their parameters and sources. */
#include "app.h"

enum { KEY_MARKDOWN = 1 };

static const struct argp_option options[] = {
    {"markdown", KEY_MARKDOWN, NULL, 0, "Print the list as a table in Markdown", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    int *markdown = state->input;
    (void)text;
    if (key != KEY_MARKDOWN)
        return ARGP_ERR_UNKNOWN;
    *markdown = 1;
    return 0;
}

int cli_metrics(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Lists the metrics: name, parameters, degree, what they take, source.\v"
               "Examples:\n"
               "  kd2m metrics\n"
               "  kd2m metrics --json\n"
               "  kd2m metrics --markdown\n",
    };
    int markdown = 0;
    cli_common common = {0};
    cli_parse(&argp, argc, argv, &markdown, &common, NULL);
    kd2m_context *context = cli_context(&common);
    kd2m_table *table = NULL;
    kd2m_status status = kd2m_metric_table(&table, context);
    if (status == KD2M_OK)
        status = markdown ? cli_print_table_as(context, table, kd2m_table_to_markdown)
                          : cli_print_table(context, table, common.json);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
