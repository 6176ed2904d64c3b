/* What batches do to a metric, as a table: see kd2m/bias.h. */
#include "kd2m/bias.h"

#include <math.h>
#include <stdio.h>

#include "context.h"

#define DIGITS_MAX 12

/* Digits after the point that show four of the value on all rows. */
static int digits_for(double value) {
    double digits = 3 - floor(log10(fabs(value)));
    return value == 0 || !(digits > 0) ? 0 : (int)fmin(digits, DIGITS_MAX);
}

static kd2m_status add_columns(kd2m_table *table, int digits) {
    const kd2m_table_column columns[] = {
        {"batch", "batch", KD2M_COLUMN_INTEGER, 0},
        {"draws", "draws", KD2M_COLUMN_INTEGER, 0},
        {"value", "value", KD2M_COLUMN_MEAN_SD, digits},
        {"bias", "bias", KD2M_COLUMN_REAL, digits},
        {"bias_error", "± error", KD2M_COLUMN_REAL, digits},
        {"relative_bias", "relative", KD2M_COLUMN_REAL, 3},
        {"cosine", "cosine", KD2M_COLUMN_REAL, 3},
        {"norm_ratio", "ratio", KD2M_COLUMN_REAL, 3},
        {"noise", "noise", KD2M_COLUMN_REAL, 3},
        {"floor", "floor", KD2M_COLUMN_MEAN_SD, digits},
        {"unconverged", "unconverged", KD2M_COLUMN_INTEGER, 0},
    };
    return kd2m_table_add_columns(table, columns, sizeof columns / sizeof *columns);
}

static kd2m_status add_size(kd2m_table *table, const kd2m_bias_size *size) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_integer(table, "batch", (int64_t)size->rows));
    KD2M_TRY(kd2m_table_set_integer(table, "draws", (int64_t)size->draws));
    KD2M_TRY(kd2m_table_set_mean_sd(table, "value", size->value, size->value_sd));
    KD2M_TRY(kd2m_table_set_real(table, "bias", size->bias));
    KD2M_TRY(kd2m_table_set_real(table, "bias_error", size->bias_error));
    KD2M_TRY(kd2m_table_set_real(table, "relative_bias", size->relative_bias));
    KD2M_TRY(kd2m_table_set_real(table, "cosine", size->cosine));
    KD2M_TRY(kd2m_table_set_real(table, "norm_ratio", size->norm_ratio));
    KD2M_TRY(kd2m_table_set_real(table, "noise", size->noise));
    KD2M_TRY(kd2m_table_set_mean_sd(table, "floor", size->floor, size->floor_sd));
    KD2M_TRY(kd2m_table_set_integer(table, "unconverged", (int64_t)size->unconverged));
cleanup:
    return status;
}

static kd2m_status add_notes(kd2m_table *table, const kd2m_bias_report *report) {
    char text[512];
    kd2m_status status = KD2M_OK;
    snprintf(text, sizeof text, "%.300s; last line: all %zu of X and %zu of Y; a batch holds %s",
             report->metric, report->x_rows, report->y_rows,
             report->paired ? "the same rows of both" : "rows drawn from each by itself");
    KD2M_TRY(kd2m_table_add_note(table, text));
    if (report->x_rows < report->x_given || report->y_rows < report->y_given) {
        snprintf(text, sizeof text, "these were drawn from %zu of X and %zu of Y to stand for all",
                 report->x_given, report->y_given);
        KD2M_TRY(kd2m_table_add_note(table, text));
    }
    KD2M_TRY(kd2m_table_add_note(table, "cosine, ratio: a row's expected gradient in a batch "
                                        "beside that on all rows; noise: its sd, in norms of the "
                                        "latter"));
    KD2M_TRY(kd2m_table_add_note(table, "floor: between two batches of Y that share no row"));
cleanup:
    return status;
}

kd2m_status kd2m_bias_table(kd2m_table **out, kd2m_context *context,
                            const kd2m_bias_report *report) {
    const kd2m_bias_size all = {
        .rows = report->x_rows,
        .draws = 1,
        .value = report->full.value,
        .value_sd = NAN,
        .bias_error = NAN,
        .cosine = 1,
        .norm_ratio = 1,
        .floor = NAN,
        .unconverged = !report->full.certificate.converged,
    };
    kd2m_table *table = NULL;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_table_create(&table, context, "bias"));
    KD2M_TRY(add_columns(table, digits_for(report->full.value)));
    for (size_t i = 0; i < report->count; i++)
        KD2M_TRY(add_size(table, &report->sizes[i]));
    KD2M_TRY(add_size(table, &all));
    KD2M_TRY(add_notes(table, report));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    return status;
}
