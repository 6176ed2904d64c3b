/* Keys and groups of a part's samples: see samples.h. Opens the data set once for each part and
 * seed; memory O(rows) beside it. */
#include "samples.h"

#include <string.h>

#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "outputs.h"

/* The column's name; NULL where the data know no groups by themselves. */
static const char *group_name(const kd2m_plan_data *data, const char *split) {
    const char *colon = strchr(split, ':');
    return data->group ? data->group : colon ? colon + 1 : "recording";
}

/* *out = the column's codes in the split's part; NULL without the column. */
static const int32_t *find_codes(const kd2m_dataset *dataset, kd2m_split split, const char *name) {
    const kd2m_raw_data *raw = &dataset->raw;
    for (size_t i = 0; i < raw->column_count; i++)
        if (strcmp(raw->columns[i].name, name) == 0)
            return kd2m_dataset_part(dataset, split)->codes[i];
    return NULL;
}

static kd2m_status keep(kd2m_study *study, const kd2m_place *place, const char *part,
                        const kd2m_data_settings *settings, kd2m_split split) {
    kd2m_context *context = study->context;
    const kd2m_plan_data *data = &study->plan->data[place->data];
    const char *name = group_name(data, settings->split);
    kd2m_dataset *dataset = NULL;
    uint64_t *keys = NULL;
    int32_t *groups = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_dataset_open(&dataset, context, settings));
    size_t rows = dataset->row_count[split];
    const int32_t *codes = find_codes(dataset, split, name);
    if (data->group && !codes)
        kd2m_log(context, KD2M_LOG_WARNING,
                 "'%s', part '%s': there is no column '%s', the \"group\" of the plan: samples "
                 "count as independent",
                 data->part.name, part, name);
    KD2M_TRY(kd2m_alloc(context, (void **)&keys, rows, sizeof *keys));
    KD2M_TRY(kd2m_alloc(context, (void **)&groups, rows, sizeof *groups));
    KD2M_TRY(kd2m_dataset_read_keys(dataset, split, 0, rows, keys));
    for (size_t i = 0; codes && i < rows; i++)
        groups[i] = codes[dataset->rows[split][i]];
    const kd2m_samples samples = {rows, keys, codes ? name : NULL, codes ? groups : NULL};
    KD2M_TRY(kd2m_store_add_samples(study->store, place, part, &samples));
cleanup:
    kd2m_free(context, groups);
    kd2m_free(context, keys);
    kd2m_dataset_free(dataset);
    return status;
}

kd2m_status kd2m_study_keep_samples(kd2m_study *study, const kd2m_place *place,
                                    const json_t *training, const kd2m_plan_part *part,
                                    kd2m_split split) {
    json_t *kept = NULL;
    kd2m_data_settings settings;
    bool there = false;
    kd2m_status status = KD2M_OK;
    if (place->stage != KD2M_STAGE_REPORT)
        return KD2M_OK;
    KD2M_TRY(kd2m_store_has_samples(study->store, place, part->name, &there));
    if (there)
        return KD2M_OK;
    KD2M_TRY(kd2m_outputs_data(study->context, training, part->settings, &kept, &settings));
    KD2M_TRY(keep(study, place, part->name, &settings, split));
cleanup:
    json_decref(kept);
    return status;
}
