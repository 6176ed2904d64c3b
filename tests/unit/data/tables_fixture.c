#include "tables_fixture.h"

#include <stdio.h>
#include <string.h>

char tables_log[4096];

static char *next_path(void) {
    static char paths[8][512];
    static size_t turn;
    return paths[turn++ % 8];
}

const char *tables_write(const char *folder, const char *name, const char *text) {
    char *path = next_path();
    snprintf(path, 512, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(strlen(text), fwrite(text, 1, strlen(text), file));
    fclose(file);
    return path;
}

const char *tables_golden(const char *name) {
    char *path = next_path();
    snprintf(path, 512, "%s/golden/csv/%s", KD2M_TEST_SOURCE, name);
    return path;
}

void tables_array(kd2m_array *out, kd2m_context *context, const char *name) {
    EXPECT_OK(context, kd2m_array_read(out, context, tables_golden(name)));
}

kd2m_status tables_open(kd2m_dataset **out, kd2m_context *context, const char *spec,
                        const char *missing) {
    kd2m_data_settings settings;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = spec;
    settings.validation = 0;
    settings.missing = missing;
    return kd2m_dataset_open(out, context, &settings);
}

void tables_refuse(kd2m_context *context, const char *spec, const char *missing,
                   kd2m_status expected, const char *message) {
    kd2m_dataset *dataset = NULL;
    EXPECT_STATUS(context, expected, tables_open(&dataset, context, spec, missing));
    EXPECT_MESSAGE(context, message);
    assert_null(dataset);
}

void tables_check(kd2m_context *context, const kd2m_dataset *dataset, kd2m_split split,
                  const char *values, const char *labels) {
    kd2m_array x, y;
    kd2m_dataset_info info;
    float row[64];
    int32_t label;
    tables_array(&x, context, values);
    tables_array(&y, context, labels);
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(x.shape[0], info.rows[split]);
    assert_int_equal(x.dims - 1, info.dims);
    assert_memory_equal(x.shape + 1, info.shape, info.dims * sizeof *info.shape);
    assert_true(info.sample_size <= 64);
    for (size_t i = 0; i < info.rows[split]; i++) {
        EXPECT_OK(context, kd2m_dataset_read(dataset, split, i, 1, row, &label));
        assert_int_equal(((const int32_t *)y.values)[i], label);
        for (size_t k = 0; k < info.sample_size; k++)
            EXPECT_CLOSE((double)((const float *)x.values)[i * info.sample_size + k],
                         (double)row[k], 0, 1e-6);
    }
    kd2m_array_clear(context, &x);
    kd2m_array_clear(context, &y);
}

static void keep(void *user, kd2m_log_level level, const char *text) {
    size_t used = strlen(tables_log);
    (void)user;
    (void)level;
    snprintf(tables_log + used, sizeof tables_log - used, "%s\n", text);
}

kd2m_context *tables_talking_context(void) {
    kd2m_context_settings settings;
    kd2m_context *context = NULL;
    kd2m_context_settings_default(&settings);
    settings.log = keep;
    assert_int_equal(KD2M_OK, kd2m_context_create(&context, &settings));
    return context;
}

void tables_sweep(const char *spec, const char *missing) {
    for (size_t k = 0;; k++) {
        kd2m_context *failing = testing_failing_context(k);
        kd2m_dataset *dataset = NULL;
        kd2m_status status = tables_open(&dataset, failing, spec, missing);
        kd2m_dataset_free(dataset);
        assert_int_equal(0, testing_live());
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_context_free(failing);
        if (status == KD2M_OK)
            break;
        assert_true(k < 2000);
    }
}
