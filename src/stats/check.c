/* What statistics refuse: see check.h. Cost: one look at every value. */
#include "check.h"

#include <math.h>

#include "context.h"

kd2m_status kd2m_check_open_share(kd2m_context *context, const char *what, double share) {
    if (share > 0 && share < 1)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_USAGE, "%s: %g is not between 0 and 1", what, share);
}

kd2m_status kd2m_check_finite(kd2m_context *context, const char *name, const double *values,
                              size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return kd2m_fail(context, KD2M_ERROR_INPUT, "%s[%zu] is %g: not a finite number", name,
                             i, values[i]);
    return KD2M_OK;
}

kd2m_status kd2m_check_count(kd2m_context *context, const char *what, size_t count, size_t least) {
    if (count >= least)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_INPUT, "%zu %s: at least %zu are needed", count, what,
                     least);
}
