/* config.json: see config.h. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "source.h"

#define CONFIG_FORMAT 1

static const kd2m_setting rows[] = {
#define ROW(...) KD2M_SETTINGS_ROW(kd2m_train_settings, __VA_ARGS__)
    KD2M_TRAIN_SETTINGS(ROW)
#undef ROW
};
static const kd2m_setting_list list = {rows, sizeof rows / sizeof *rows};

const kd2m_setting_list *kd2m_train_setting_list(void) {
    return &list;
}

kd2m_data_settings kd2m_config_data(const kd2m_train_settings *settings) {
#define COPY(type, name, ...) .name = settings->name,
    return (kd2m_data_settings){KD2M_DATA_SETTINGS(COPY)};
#undef COPY
}

static kd2m_status validate(kd2m_context *context, const kd2m_train_settings *settings) {
    kd2m_status status = kd2m_settings_validate(context, &list, settings);
    if (status != KD2M_OK)
        return status;
    if (!settings->model)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "no net to train: say --model SPEC, e.g. --model mlp:784-64-10 or "
                         "--model cnn1d:width=0.25");
    return KD2M_OK;
}

/* Whether two JSON settings say the same: 1 and 1.0 do. */
static bool same(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) >= json_number_value(b) &&
               json_number_value(a) <= json_number_value(b);
    return json_equal(a, b);
}

/* Where the teacher's outputs are kept changes no result: a run may go on with other files, or
 * without. Nor does where the teacher lies: its digest says whether it is the same. */
static bool changes_nothing(const kd2m_setting *setting) {
    return strcmp(setting->name, "teacher") == 0 ||
           strncmp(setting->name, "teacher_cache", strlen("teacher_cache")) == 0;
}

static kd2m_status compare(kd2m_context *context, const json_t *then,
                           const kd2m_train_settings *given, const char *path) {
    json_t *now = NULL;
    char *old_text = NULL, *new_text = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_settings_to_json(context, &list, given, &now));
    for (size_t i = 0; i < list.count; i++) {
        const json_t *before = json_object_get(then, rows[i].name);
        const json_t *after = json_object_get(now, rows[i].name);
        if (changes_nothing(&rows[i]) || same(before, after))
            continue;
        KD2M_TRY(kd2m_json_text(context, &old_text, before, 1));
        KD2M_TRY(kd2m_json_text(context, &new_text, after, 1));
        status = kd2m_fail(context, KD2M_ERROR_USAGE,
                           "%s: the run has %s %s, the command says %s: resume with the run's own "
                           "settings (leave them out), or choose another --out",
                           path, rows[i].name, old_text, new_text);
        goto cleanup;
    }
cleanup:
    kd2m_text_free(context, old_text);
    kd2m_text_free(context, new_text);
    json_decref(now);
    return status;
}

kd2m_status kd2m_config_read(kd2m_train_settings *out, json_t **config, kd2m_context *context,
                             const char *path) {
    *config = NULL;
    json_t *found = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_settings_default(&list, out);
    KD2M_TRY(kd2m_json_read(context, &found, path));
    const json_t *settings = json_object_get(found, "settings");
    if (!json_is_object(settings) ||
        json_integer_value(json_object_get(found, "format")) != CONFIG_FORMAT) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "%s: not a run's configuration of format %d",
                           path, CONFIG_FORMAT);
        goto cleanup;
    }
    KD2M_TRY(kd2m_settings_from_json(context, &list, out, settings, path));
    *config = found;
    found = NULL;
cleanup:
    json_decref(found);
    return status;
}

kd2m_status kd2m_config_settings(kd2m_train_settings *out, json_t **config, kd2m_context *context,
                                 const kd2m_run_folder *folder, const kd2m_train_settings *given) {
    *config = NULL;
    json_t *found = NULL;
    kd2m_status status = KD2M_OK;
    if (kd2m_file_exists(folder->config)) {
        KD2M_TRY(kd2m_config_read(out, &found, context, folder->config));
        if (given) {
            KD2M_TRY(compare(context, json_object_get(found, "settings"), given, folder->config));
            out->teacher = given->teacher;
            out->teacher_cache = given->teacher_cache;
            out->teacher_cache_limit = given->teacher_cache_limit;
        }
    } else if (given) {
        *out = *given;
    } else {
        status = kd2m_fail(context, KD2M_ERROR_USAGE,
                           "%s: no run to resume here (config.json is missing)", folder->path);
        goto cleanup;
    }
    KD2M_TRY(validate(context, out));
    *config = found;
    found = NULL;
cleanup:
    json_decref(found);
    return status;
}

static json_t *digest_json(uint64_t digest) {
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, digest);
    return json_string(text);
}

static json_t *teacher_digest(const kd2m_trainer *trainer) {
    return trainer->teacher ? digest_json(kd2m_teacher_digest(trainer->teacher)) : json_null();
}

static kd2m_status write_config(kd2m_trainer *trainer, const kd2m_run_folder *folder) {
    kd2m_context *context = trainer->context;
    kd2m_dataset_info info;
    kd2m_dataset_describe(trainer->dataset, &info);
    json_t *config = json_object();
    json_t *settings = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_settings_to_json(context, &list, trainer->settings, &settings));
    KD2M_TRY(kd2m_json_set(context, config, "format", json_integer(CONFIG_FORMAT)));
    KD2M_TRY(kd2m_json_set(context, config, "version", json_string(kd2m_version())));
    KD2M_TRY(
        kd2m_json_set(context, config, "threads", json_integer(kd2m_context_threads(context))));
    KD2M_TRY(kd2m_json_set(context, config, "data_digest", digest_json(info.digest)));
    KD2M_TRY(
        kd2m_json_set(context, config, "relabelled", json_integer((json_int_t)info.relabelled)));
    KD2M_TRY(kd2m_json_set(context, config, "teacher_digest", teacher_digest(trainer)));
    KD2M_TRY(
        kd2m_json_set(context, config, "architecture", json_string(trainer->graph->architecture)));
    KD2M_TRY(kd2m_json_set(context, config, "settings", json_incref(settings)));
    KD2M_TRY(kd2m_json_write(context, config, folder->config));
cleanup:
    json_decref(settings);
    json_decref(config);
    return status;
}

static kd2m_status check_digest(kd2m_context *context, const json_t *config, const char *key,
                                json_t *now, const char *what, const char *path) {
    bool equal = json_equal(json_object_get(config, key), now) != 0;
    json_decref(now);
    return equal ? KD2M_OK
                 : kd2m_fail(context, KD2M_ERROR_INPUT,
                             "%s: the %s is not the one that the run began with; choose another "
                             "--out to start anew",
                             path, what);
}

kd2m_status kd2m_config_settle(const json_t *config, kd2m_trainer *trainer,
                               const kd2m_run_folder *folder) {
    kd2m_context *context = trainer->context;
    kd2m_dataset_info info;
    kd2m_status status = KD2M_OK;
    if (!config)
        return write_config(trainer, folder);
    kd2m_dataset_describe(trainer->dataset, &info);
    KD2M_TRY(check_digest(context, config, "data_digest", digest_json(info.digest), "data",
                          folder->config));
    KD2M_TRY(check_digest(context, config, "teacher_digest", teacher_digest(trainer), "teacher",
                          folder->config));
    json_int_t threads = json_integer_value(json_object_get(config, "threads"));
    if (threads != kd2m_context_threads(context))
        kd2m_log(context, KD2M_LOG_WARNING,
                 "the run began with %d threads and goes on with %d: results will differ in the "
                 "last digits",
                 (int)threads, kd2m_context_threads(context));
cleanup:
    return status;
}
