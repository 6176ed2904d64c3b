/* kd2m metrics: the metrics with their parameters and sources. */
#include "app.h"

int cli_metrics(int argc, char **argv) {
    static const struct argp argp = {
        .doc = "Lists the metrics: name, parameters, degree, what they take, source.\v"
               "Examples:\n"
               "  kd2m metrics\n"
               "  kd2m metrics --json\n",
    };
    cli_common common = {0};
    cli_parse(&argp, argc, argv, NULL, &common, NULL);
    kd2m_context *context = cli_context(&common);
    kd2m_table *table = NULL;
    kd2m_status status = kd2m_metric_table(&table, context);
    if (status == KD2M_OK)
        status = cli_print_table(context, table, common.json);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
