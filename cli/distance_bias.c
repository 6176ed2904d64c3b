/* 'kd2m distance --bias': see distance_bias.h. */
#include "distance_bias.h"

#include <stdio.h>
#include <string.h>

static kd2m_status write_csv(kd2m_context *context, const kd2m_table *table, const char *path) {
    char *text = NULL;
    kd2m_status status = kd2m_table_to_csv(table, &text);
    if (status == KD2M_OK)
        status = kd2m_write_file(context, path, text, strlen(text));
    kd2m_text_free(context, text);
    return status;
}

static void note_unconverged(const kd2m_bias_report *report) {
    size_t count = !report->full.certificate.converged;
    for (size_t i = 0; i < report->count; i++)
        count += report->sizes[i].unconverged;
    if (count > 0)
        fprintf(stderr,
                "kd2m: warning: %zu values of %s come from a solver that did not converge; "
                "--strict makes this an error\n",
                count, report->metric);
}

kd2m_status cli_distance_bias(kd2m_context *context, kd2m_metric *metric, const kd2m_sample *x,
                              const kd2m_sample *y, const kd2m_bias_settings *settings,
                              const char *csv, const cli_common *common) {
    kd2m_bias_report report;
    kd2m_table *table = NULL;
    kd2m_status status = kd2m_bias_measure(&report, context, metric, x, y, settings);
    if (status == KD2M_OK)
        status = kd2m_bias_table(&table, context, &report);
    if (status == KD2M_OK && csv)
        status = write_csv(context, table, csv);
    if (status == KD2M_OK) {
        status = cli_print_table(context, table, common->json);
        table = NULL;
        if (!common->quiet)
            note_unconverged(&report);
    }
    kd2m_table_free(table);
    kd2m_bias_clear(context, &report);
    return status;
}
