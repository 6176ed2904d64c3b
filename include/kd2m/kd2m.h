/* All of kd2m: distilling nets by matching the distributions of their features. */
#ifndef KD2M_KD2M_H
#define KD2M_KD2M_H

#include "kd2m/array.h"
#include "kd2m/bias.h"
#include "kd2m/core.h"
#include "kd2m/data.h"
#include "kd2m/distill.h"
#include "kd2m/metric.h"
#include "kd2m/model.h"
#include "kd2m/runs.h"
#include "kd2m/sample.h"
#include "kd2m/settings.h"
#include "kd2m/stats.h"
#include "kd2m/study.h"
#include "kd2m/table.h"
#include "kd2m/transform.h"

#endif
