/* A run as it is listed: see run_record.h. Reads a few small files; the log alone of a run that is
 * not at its end. */
#include "run_record.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "config.h"
#include "context.h"
#include "json.h"
#include "loss.h"
#include "memory.h"
#include "run_folder.h"
#include "spec.h"

#define KEY_LENGTH 63

#define KEY_INTEGER KD2M_COLUMN_INTEGER, 0
#define KEY_REAL KD2M_COLUMN_REAL, KD2M_DIGITS_SHORTEST
#define KEY_FLAG KEY_INTEGER
#define KEY_TEXT KD2M_COLUMN_TEXT, 0
#define KEY_CHOICE KEY_TEXT

static const kd2m_table_column keys[] = {{"run", NULL, KEY_TEXT},
                                         {"state", NULL, KEY_TEXT},
                                         {"epoch", NULL, KEY_INTEGER},
                                         {"best_epoch", NULL, KEY_INTEGER},
                                         {"validation", NULL, KD2M_COLUMN_REAL, 4},
                                         {"test", NULL, KD2M_COLUMN_REAL, 4},
                                         {"test_loss", NULL, KD2M_COLUMN_REAL, 4},
                                         {"teacher_accuracy", NULL, KD2M_COLUMN_REAL, 4},
                                         {"parameters", NULL, KEY_INTEGER},
                                         {"unconverged", NULL, KEY_INTEGER},
                                         {"seconds", NULL, KD2M_COLUMN_REAL, 1},
                                         {"date", NULL, KEY_TEXT},
                                         {"message", NULL, KEY_TEXT},
#define MADE_BY 13
                                         {"version", NULL, KEY_TEXT},
                                         {"threads", NULL, KEY_INTEGER},
                                         {"data_digest", NULL, KEY_TEXT},
                                         {"teacher_digest", NULL, KEY_TEXT},
#define SETTINGS 17
/* two settings are called as accuracies are */
#define validation validation_share
#define test test_share
#define KEY(type, name, ...) KEY_OF(type, name)
#define KEY_OF(type, name) {#name, NULL, KEY_##type},
                                         KD2M_TRAIN_SETTINGS(KEY)
#undef validation
#undef test
};
#define KEYS (sizeof keys / sizeof *keys)

const kd2m_table_column *kd2m_run_keys(size_t *count, size_t *made_by) {
    *count = KEYS;
    *made_by = MADE_BY;
    return keys;
}

kd2m_status kd2m_run_key_find(const kd2m_table_column **out, kd2m_context *context,
                              const char *name, size_t length) {
    const char *names[KEYS];
    char asked[KEY_LENGTH + 1] = "";
    for (size_t i = 0; i < length && i < KEY_LENGTH; i++)
        asked[i] = (char)(name[i] == '-' ? '_' : name[i]);
    for (size_t i = 0; i < KEYS; i++) {
        names[i] = keys[i].key;
        *out = &keys[i];
        if (strcmp(names[i], asked) == 0)
            return KD2M_OK;
    }
    return kd2m_fail_unknown(context, "a run", "setting or result", asked, names, KEYS);
}

const char *kd2m_run_text(const json_t *record, const char *key) {
    const char *text = json_string_value(json_object_get(record, key));
    return text ? text : "";
}

double kd2m_run_number(const json_t *record, const char *key) {
    const json_t *value = json_object_get(record, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Paths and messages may be cut, or not be UTF-8. */
static kd2m_status set_text(kd2m_context *context, json_t *record, const char *key,
                            const char *text) {
    return kd2m_json_set(context, record, key, json_string_nocheck(text));
}

/* record[key] = from[source], a number or nothing. */
static kd2m_status copy_number(kd2m_context *context, json_t *record, const char *key, json_t *from,
                               const char *source, const char *path) {
    json_t *value = json_object_get(from, source);
    if (value && !json_is_null(value) && !json_is_number(value))
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s: '%s' is not a number", path, source);
    return kd2m_json_set(context, record, key, value ? json_incref(value) : json_null());
}

static kd2m_status take_config(kd2m_context *context, json_t *record, const char *path) {
    const kd2m_setting_list *list = kd2m_train_setting_list();
    kd2m_train_settings settings;
    json_t *config = NULL, *made_by = NULL;
    char *loss = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_config_read(&settings, &config, context, path));
    KD2M_TRY(kd2m_loss_expression(context, &loss, &settings));
    settings.loss = loss;
    KD2M_TRY(kd2m_settings_to_json(context, list, &settings, &made_by));
    for (size_t i = MADE_BY; i < KEYS; i++) {
        json_t *value = i < SETTINGS ? json_object_get(config, keys[i].key)
                                     : json_object_get(made_by, list->rows[i - SETTINGS].name);
        KD2M_TRY(
            kd2m_json_set(context, record, keys[i].key, value ? json_incref(value) : json_null()));
    }
cleanup:
    json_decref(made_by);
    json_decref(config);
    kd2m_free(context, loss);
    return status;
}

/* The outcome of a run that came to its end. */
static kd2m_status take_result(kd2m_context *context, json_t *record, const char *path) {
    static const struct {
        const char *key, *source;
    } figures[] = {
        {"epoch", "epochs"},
        {"best_epoch", "best_epoch"},
        {"validation", "validation_accuracy"},
        {"test", "test_accuracy"},
        {"test_loss", "test_loss"},
        {"teacher_accuracy", "teacher_accuracy"},
        {"parameters", "parameters"},
        {"unconverged", "unconverged"},
        {"seconds", "seconds"},
    };
    json_t *result = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_json_read(context, &result, path));
    if (!json_is_object(result)) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "%s: not a run's result", path);
        goto cleanup;
    }
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        KD2M_TRY(copy_number(context, record, figures[i].key, result, figures[i].source, path));
    KD2M_TRY(set_text(context, record, "state", "done"));
cleanup:
    json_decref(result);
    return status;
}

/* One epoch, or what the run broke down of. Its accuracy counts if it is the last or, where the
 * best is kept, better than those before. */
static kd2m_status take_line(kd2m_context *context, json_t *record, json_t *line,
                             const char *path) {
    const char *error = json_string_value(json_object_get(line, "error"));
    kd2m_status status = KD2M_OK;
    KD2M_TRY(copy_number(context, record, "seconds", line, "seconds", path));
    if (error) {
        KD2M_TRY(set_text(context, record, "message", error));
        return set_text(context, record, "state", "diverged");
    }
    KD2M_TRY(copy_number(context, record, "epoch", line, "epoch", path));
    double now = kd2m_run_number(line, "validation_accuracy");
    if (strcmp(kd2m_run_text(record, "select"), "best") != 0 ||
        !(now <= kd2m_run_number(record, "validation")))
        KD2M_TRY(copy_number(context, record, "validation", line, "validation_accuracy", path));
cleanup:
    return status;
}

/* How far a run is that has no result yet. */
static kd2m_status take_log(kd2m_context *context, json_t *record, const char *path) {
    json_t *lines = NULL, *line;
    size_t i;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_run_log_read(&lines, context, path));
    json_array_foreach(lines, i, line) {
        if (!json_is_object(line)) {
            status =
                kd2m_fail(context, KD2M_ERROR_INPUT, "%s: line %zu is not an epoch's", path, i + 1);
            goto cleanup;
        }
        KD2M_TRY(take_line(context, record, line, path));
    }
cleanup:
    json_decref(lines);
    return status;
}

/* Whether there is such a file; *newest = when it was written, if that is later. */
static bool find_file(const char *path, time_t *newest) {
    struct stat found;
    if (stat(path, &found) != 0 || !S_ISREG(found.st_mode))
        return false;
    if (found.st_mtime > *newest)
        *newest = found.st_mtime;
    return true;
}

static kd2m_status set_date(kd2m_context *context, json_t *record, time_t when) {
    char text[32];
    struct tm local;
    if (!localtime_r(&when, &local) || strftime(text, sizeof text, "%F %T", &local) == 0)
        return KD2M_OK;
    return set_text(context, record, "date", text);
}

/* Turns a failure other than that of memory into the record of a damaged run. */
static kd2m_status accept_damage(kd2m_context *context, json_t *record, kd2m_status status) {
    if (status == KD2M_OK || status == KD2M_ERROR_MEMORY)
        return status;
    status = set_text(context, record, "message", kd2m_context_message(context));
    return status == KD2M_OK ? set_text(context, record, "state", "damaged") : status;
}

static kd2m_status describe(kd2m_context *context, json_t *record, const kd2m_run_folder *folder,
                            bool log, bool result) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(set_text(context, record, "state", "open"));
    KD2M_TRY(take_config(context, record, folder->config));
    KD2M_TRY(kd2m_json_set(context, record, "epoch", json_integer(0)));
    if (result)
        KD2M_TRY(take_result(context, record, folder->result));
    else if (log)
        KD2M_TRY(take_log(context, record, folder->log));
cleanup:
    return accept_damage(context, record, status);
}

kd2m_status kd2m_run_record_read(json_t **out, kd2m_context *context, const char *path) {
    *out = NULL;
    time_t newest = 0;
    kd2m_run_folder *folder = NULL;
    json_t *record = json_object();
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_run_folder_look(&folder, context, path));
    bool config = find_file(folder->config, &newest);
    bool log = find_file(folder->log, &newest), result = find_file(folder->result, &newest);
    if (!config && !log && !result)
        goto cleanup;
    KD2M_TRY(set_text(context, record, "run", path));
    KD2M_TRY(set_date(context, record, newest));
    KD2M_TRY(describe(context, record, folder, log, result));
    *out = json_incref(record);
cleanup:
    json_decref(record);
    kd2m_run_folder_close(folder);
    return status;
}

kd2m_status kd2m_run_record_damaged(json_t **out, kd2m_context *context, const char *path) {
    *out = NULL;
    json_t *record = json_object();
    kd2m_status status = KD2M_OK;
    KD2M_TRY(accept_damage(context, record, KD2M_ERROR_IO));
    KD2M_TRY(set_text(context, record, "run", path));
    *out = json_incref(record);
cleanup:
    json_decref(record);
    return status;
}
