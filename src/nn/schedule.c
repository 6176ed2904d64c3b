/* Learning rates over time: see optimizer.h. (Cosine: Loshchilov & Hutter, 'SGDR', ICLR 2017.) */
#include <math.h>

#include "optimizer.h"

static const double pi = 3.14159265358979323846;

double kd2m_schedule_at(const kd2m_schedule *schedule, size_t step) {
    double since = (double)step - schedule->warmup_steps;
    double span = schedule->total_steps - schedule->warmup_steps;
    if (since < 0)
        return schedule->lr * fmin(1.0, ((double)step + 1.0) / schedule->warmup_steps);
    switch (schedule->kind) {
    case KD2M_SCHEDULE_COSINE: {
        double done = since < span ? since / span : 1.0;
        return schedule->final_lr +
               (schedule->lr - schedule->final_lr) * 0.5 * (1.0 + cos(pi * done));
    }
    case KD2M_SCHEDULE_STEP:
        return schedule->lr * pow(schedule->step_factor, floor(since / schedule->step_every));
    case KD2M_SCHEDULE_CONSTANT:
        break;
    }
    return schedule->lr;
}
