/* What statistics refuse: arguments and data that allow no answer, with the place. */
#ifndef KD2M_STATS_CHECK_H
#define KD2M_STATS_CHECK_H

#include "kd2m/core.h"

/* KD2M_ERROR_USAGE unless 0 < share < 1; `what` is 'level' or 'alpha'. */
kd2m_status kd2m_check_open_share(kd2m_context *context, const char *what, double share);

/* KD2M_ERROR_INPUT for the first NaN or infinity among `count` values of the array `name`. */
kd2m_status kd2m_check_finite(kd2m_context *context, const char *name, const double *values,
                              size_t count);

/* KD2M_ERROR_INPUT unless there are at least `least` of `what`. */
kd2m_status kd2m_check_count(kd2m_context *context, const char *what, size_t count, size_t least);

#endif
