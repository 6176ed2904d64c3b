/* Opening data sets in tests: the defaults of all settings but the spec, the share, the seed. */
#ifndef KD2M_TESTS_OPENING_H
#define KD2M_TESTS_OPENING_H

#include "kd2m/data.h"

static inline kd2m_status testing_open(kd2m_dataset **out, kd2m_context *context, const char *spec,
                                       double validation, uint64_t seed) {
    kd2m_data_settings settings;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = spec;
    settings.validation = validation;
    settings.split_seed = (int64_t)seed;
    return kd2m_dataset_open(out, context, &settings);
}

#endif
