/* What a study's tables compare: see comparisons.h. */
#include "comparisons.h"

#include <stdio.h>
#include <string.h>

#include "context.h"

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

kd2m_status kd2m_add_difference_columns(kd2m_table *table, const kd2m_plan *plan, size_t baseline) {
    char key[KD2M_KEY_SIZE], title[KD2M_KEY_SIZE];
    kd2m_status status = KD2M_OK;
    kd2m_baseline_key(key, "difference", plan, baseline);
    snprintf(title, sizeof title, "- %.60s", plan->baselines[baseline]);
    KD2M_TRY(kd2m_table_add_column(table, key, title, KD2M_COLUMN_REAL, 4));
    kd2m_baseline_key(key, "low", plan, baseline);
    KD2M_TRY(kd2m_table_add_column(table, key, "from", KD2M_COLUMN_REAL, 4));
    kd2m_baseline_key(key, "high", plan, baseline);
    KD2M_TRY(kd2m_table_add_column(table, key, "to", KD2M_COLUMN_REAL, 4));
cleanup:
    return status;
}

kd2m_status kd2m_begin_method_row(kd2m_table *table, const kd2m_plan *plan, size_t data,
                                  const char *part, size_t student, const char *method) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "data", plan->data[data].part.name));
    KD2M_TRY(kd2m_table_set_text(table, "part", part));
    KD2M_TRY(kd2m_table_set_text(table, "student", plan->students[student].name));
    KD2M_TRY(kd2m_table_set_text(table, "method", method));
cleanup:
    return status;
}
