/* 'kd2m distance --bias': what batches do to a metric, measured and shown. */
#ifndef KD2M_CLI_DISTANCE_BIAS_H
#define KD2M_CLI_DISTANCE_BIAS_H

#include "app.h"

/* Measures and prints, as text or JSON; with `csv` that file is written, too. */
kd2m_status cli_distance_bias(kd2m_context *context, kd2m_metric *metric, const kd2m_sample *x,
                              const kd2m_sample *y, const kd2m_bias_settings *settings,
                              const char *csv, const cli_common *common);

#endif
