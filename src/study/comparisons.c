/* What a study's tables compare: see comparisons.h. */
#include "comparisons.h"

#include <stdio.h>
#include <string.h>

size_t kd2m_part_count(const kd2m_plan_data *data) {
    return 2 + data->shift_count;
}

const char *kd2m_part_name(const kd2m_plan_data *data, size_t part) {
    return part == 0 ? "validation" : part == 1 ? "test" : data->shifts[part - 2].name;
}

size_t kd2m_baseline_method(const kd2m_plan *plan, size_t baseline) {
    size_t method = 0; /* a plan's baselines are methods of it */
    while (strcmp(plan->methods[method].part.name, plan->baselines[baseline]) != 0)
        method++;
    return method;
}

bool kd2m_is_compared(const kd2m_plan *plan, size_t method, size_t baseline) {
    for (size_t k = 0; k <= baseline; k++)
        if (kd2m_baseline_method(plan, k) == method)
            return false;
    return true;
}

void kd2m_baseline_key(char out[KD2M_KEY_SIZE], const char *kind, const kd2m_plan *plan,
                       size_t baseline) {
    snprintf(out, KD2M_KEY_SIZE, "%s_%.60s", kind, plan->baselines[baseline]);
}
