/*
 * What a batch does to a metric: how far its value and its gradient on small samples are from those
 * on all rows, size by size.
 *
 *     kd2m_bias_settings settings;
 *     kd2m_settings_default(kd2m_bias_setting_list(), &settings);
 *     kd2m_bias_measure(&report, context, metric, &student, &teacher, &settings);
 *     kd2m_bias_table(&table, context, &report);
 *
 * Batches are drawn uniformly without replacement, of each size K = max(settings->draws,
 * 2 n / size) of them, so that a row comes twice on average. The gradient is looked at row by row:
 * g_i = size x dD/dx_i in a batch that holds row i, beside G_i = n x dD/dx_i on all rows. With E
 * the mean over batches that hold i, and means over i,
 *
 *     cosine     mean <E g_i, G_i> / sqrt(mean |E g_i|^2 mean |G_i|^2)
 *     norm_ratio sqrt(mean |E g_i|^2 / mean |G_i|^2)
 *     noise      sqrt(mean E |g_i - E g_i|^2 / mean |G_i|^2)
 *
 * Each is estimated without the bias that few batches would bring: |E g_i|^2 from products of
 * different batches that hold i.
 *
 * What the metric draws at random (sw2's directions) stays the same throughout, and constants that
 * depend on data are resolved anew from each batch, as in a training.
 */
#ifndef KD2M_BIAS_H
#define KD2M_BIAS_H

#include <stddef.h>

#include "kd2m/metric.h"
#include "kd2m/settings.h"
#include "kd2m/table.h"

KD2M_BEGIN_DECLS

/* clang-format off */
#define KD2M_BIAS_SETTINGS(X)                                                                      \
    X(TEXT,    batches, NULL,   0, 0,            "N,N,..", "batch sizes of --bias (default: 16, 32, ... to half of the rows)") \
    X(INTEGER, draws,   "20",   2, 1000000,      "N",      "batches of a size, at least; of small ones so many that rows come twice") \
    X(INTEGER, full,    "0",    0, 4294967295.0, "ROWS",   "draw so many rows of each side, to stand for all; 0 = all do") \
    X(CHOICE,  pairing, "auto", 0, 0,            "auto|paired|apart", "same rows of both sides in a batch; auto: where there are as many") \
    X(INTEGER, seed,    "0",    0, 4294967295.0, "N",      "chooses the batches of --bias")
/* clang-format on */

typedef struct kd2m_bias_settings {
    KD2M_BIAS_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_bias_settings;

/* The list behind the struct: for defaults, flags and help. Static. */
KD2M_API const kd2m_setting_list *kd2m_bias_setting_list(void);

/* What batches of one size do. NaN where it can't be told. */
typedef struct kd2m_bias_size {
    size_t rows;             /* in a batch, of each side */
    size_t draws;            /* batches */
    double value, value_sd;  /* mean and standard deviation over batches */
    double bias, bias_error; /* value - value on all rows, and its standard error */
    double relative_bias;    /* bias / |value on all rows| */
    double cosine;           /* these three: see above */
    double norm_ratio;       /* */
    double noise;            /* */
    double floor, floor_sd;  /* D(Y, Y') between two batches of the teacher's that share no
                                row; NaN for paired metrics, and from half of Y's rows on */
    size_t unconverged;      /* batches whose solver did not converge */
} kd2m_bias_size;

typedef struct kd2m_bias_report {
    char *metric;            /* its spec with every key written out; owned */
    size_t x_rows, y_rows;   /* that stand for all */
    size_t x_given, y_given; /* that there were */
    int paired;              /* batches hold the same rows of both sides */
    kd2m_metric_result full; /* on all rows */
    kd2m_bias_size *sizes;   /* ascending; owned */
    size_t count;
} kd2m_bias_report;

/*
 * Measures `metric`, made from `context`, between x and y (borrowed; as kd2m_metric_evaluate takes
 * them). The metric is left prepared on some batch. *out is to be cleared; on failure there is
 * nothing to clear. The same settings give the same batches, whatever other sizes are asked for.
 * Time: that of the metric on all rows, and on all batches twice. Memory: 12 n d bytes beside the
 * metric's own.
 * Errors: KD2M_ERROR_USAGE (settings; batches larger than a side, or that can't be paired); those
 * of kd2m_metric_evaluate, on all rows or on a batch; KD2M_ERROR_INTERRUPTED.
 */
KD2M_API kd2m_status kd2m_bias_measure(kd2m_bias_report *out, kd2m_context *context,
                                       kd2m_metric *metric, const kd2m_sample *x,
                                       const kd2m_sample *y, const kd2m_bias_settings *settings);

/* Gives back what the report owns and zeroes it. */
KD2M_API void kd2m_bias_clear(kd2m_context *context, kd2m_bias_report *report);

/* *out = the report as a table, a row for each size and one for all rows; kd2m_table_free. */
KD2M_API kd2m_status kd2m_bias_table(kd2m_table **out, kd2m_context *context,
                                     const kd2m_bias_report *report);

KD2M_END_DECLS

#endif
