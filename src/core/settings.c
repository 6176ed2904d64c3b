/* Settings from their one list: see kd2m/settings.h. */
#include "kd2m/settings.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "spec.h"

#define NAMES_MAX 128

static void *field_of(const kd2m_setting *setting, void *settings) {
    return (char *)settings + setting->offset;
}

/* Whether `text` is one of the words of 'a|b|c'. */
static bool is_choice(const char *words, const char *text) {
    size_t length = strlen(text);
    while (*words) {
        size_t word = strcspn(words, "|");
        if (word == length && strncmp(words, text, length) == 0)
            return true;
        words += word + (words[word] == '|');
    }
    return false;
}

static kd2m_status fail_value(kd2m_context *context, const kd2m_setting *setting, const char *text,
                              double value) {
    char number[KD2M_NUMBER_SIZE], low[KD2M_NUMBER_SIZE], high[KD2M_NUMBER_SIZE];
    kd2m_format_number(number, value);
    kd2m_format_number(low, setting->low);
    kd2m_format_number(high, setting->high);
    const char *shown = text ? text : number;
    switch (setting->type) {
    case KD2M_SETTING_INTEGER:
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%s takes a whole number from %s to %s, not '%.80s'", setting->name, low,
                         high, shown);
    case KD2M_SETTING_REAL:
        return kd2m_fail(context, KD2M_ERROR_USAGE, "%s takes a number from %s to %s, not '%.80s'",
                         setting->name, low, high, shown);
    case KD2M_SETTING_FLAG:
        return kd2m_fail(context, KD2M_ERROR_USAGE, "%s takes 0 or 1, not '%.80s'", setting->name,
                         shown);
    case KD2M_SETTING_TEXT:
        return kd2m_fail(context, KD2M_ERROR_USAGE, "%s takes text, not '%.80s'", setting->name,
                         shown);
    default:
        return kd2m_fail(context, KD2M_ERROR_USAGE, "%s takes one of %s, not '%.80s'",
                         setting->name, setting->metavar, shown);
    }
}

/* Whether a number is allowed for a setting of type INTEGER, REAL or FLAG. */
static bool fits(const kd2m_setting *setting, double value) {
    switch (setting->type) {
    case KD2M_SETTING_INTEGER:
        return value >= setting->low && value <= setting->high && floor(value) >= value;
    case KD2M_SETTING_REAL:
        return value >= setting->low && value <= setting->high;
    default:
        return value >= 0 && value <= 1 && floor(value) >= value;
    }
}

static void put_number(const kd2m_setting *setting, void *settings, double value) {
    void *field = field_of(setting, settings);
    if (setting->type == KD2M_SETTING_INTEGER)
        *(int64_t *)field = (int64_t)value;
    else if (setting->type == KD2M_SETTING_REAL)
        *(double *)field = value;
    else
        *(int *)field = (int)value;
}

static double get_number(const kd2m_setting *setting, const void *settings) {
    const void *field = (const char *)settings + setting->offset;
    if (setting->type == KD2M_SETTING_INTEGER)
        return (double)*(const int64_t *)field;
    if (setting->type == KD2M_SETTING_REAL)
        return *(const double *)field;
    return *(const int *)field;
}

static const char *get_text(const kd2m_setting *setting, const void *settings) {
    return *(const char *const *)(const void *)((const char *)settings + setting->offset);
}

static bool is_text(const kd2m_setting *setting) {
    return setting->type == KD2M_SETTING_TEXT || setting->type == KD2M_SETTING_CHOICE;
}

/* Parses and stores a value; the text itself where the setting is one. */
static kd2m_status put(kd2m_context *context, const kd2m_setting *setting, void *settings,
                       const char *text) {
    if (is_text(setting)) {
        if (setting->type == KD2M_SETTING_CHOICE && !is_choice(setting->metavar, text))
            return fail_value(context, setting, text, 0);
        *(const char **)field_of(setting, settings) = text;
        return KD2M_OK;
    }
    size_t length;
    double value = kd2m_parse_number(text, &length);
    if (length == 0 || text[length] != '\0' || !fits(setting, value))
        return fail_value(context, setting, text, value);
    put_number(setting, settings, value);
    return KD2M_OK;
}

void kd2m_settings_default(const kd2m_setting_list *list, void *settings) {
    for (size_t i = 0; i < list->count; i++) {
        const kd2m_setting *setting = &list->rows[i];
        if (setting->fallback)
            put(NULL, setting, settings, setting->fallback);
        else
            *(const char **)field_of(setting, settings) = NULL;
    }
}

/* Names are equal with '-' and '_' alike. */
static bool same_name(const char *name, const char *given) {
    for (; *name && *given; name++, given++)
        if (*name != *given && !(*name == '_' && *given == '-'))
            return false;
    return *name == *given;
}

static kd2m_status find(kd2m_context *context, const kd2m_setting_list *list, const char *name,
                        const kd2m_setting **out) {
    const char *names[NAMES_MAX];
    size_t count = list->count < NAMES_MAX ? list->count : NAMES_MAX;
    for (size_t i = 0; i < list->count; i++)
        if (same_name(list->rows[i].name, name)) {
            *out = &list->rows[i];
            return KD2M_OK;
        }
    for (size_t i = 0; i < count; i++)
        names[i] = list->rows[i].name;
    const char *near = kd2m_nearest_name(name, names, count);
    return kd2m_fail(context, KD2M_ERROR_USAGE, "no setting '%.80s'%s%s%s", name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

kd2m_status kd2m_settings_set(kd2m_context *context, const kd2m_setting_list *list, void *settings,
                              const char *name, const char *text) {
    const kd2m_setting *setting;
    kd2m_status status = find(context, list, name, &setting);
    return status == KD2M_OK ? put(context, setting, settings, text) : status;
}

kd2m_status kd2m_settings_validate(kd2m_context *context, const kd2m_setting_list *list,
                                   const void *settings) {
    for (size_t i = 0; i < list->count; i++) {
        const kd2m_setting *setting = &list->rows[i];
        if (is_text(setting)) {
            const char *text = get_text(setting, settings);
            if (setting->type == KD2M_SETTING_CHOICE &&
                (!text || !is_choice(setting->metavar, text)))
                return fail_value(context, setting, text ? text : "", 0);
        } else if (!fits(setting, get_number(setting, settings))) {
            return fail_value(context, setting, NULL, get_number(setting, settings));
        }
    }
    return KD2M_OK;
}

kd2m_status kd2m_settings_to_json(kd2m_context *context, const kd2m_setting_list *list,
                                  const void *settings, json_t **out) {
    *out = NULL;
    json_t *object = json_object();
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < list->count; i++) {
        const kd2m_setting *setting = &list->rows[i];
        json_t *value;
        if (is_text(setting)) {
            status = kd2m_json_string(context, &value, get_text(setting, settings));
            if (status != KD2M_OK) {
                kd2m_fail_within(context, status, "%s", setting->name);
                goto cleanup;
            }
        } else if (setting->type == KD2M_SETTING_REAL) {
            value = kd2m_json_real(get_number(setting, settings));
        } else {
            value = json_integer((json_int_t)get_number(setting, settings));
        }
        KD2M_TRY(kd2m_json_set(context, object, setting->name, value));
    }
    *out = object;
    object = NULL;
cleanup:
    json_decref(object);
    return status;
}

kd2m_status kd2m_settings_from_json(kd2m_context *context, const kd2m_setting_list *list,
                                    void *settings, const json_t *object, const char *name) {
    const char *key;
    json_t *value;
    kd2m_status status = KD2M_OK;
    if (!json_is_object(object))
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s: settings are missing", name);
    json_object_foreach((json_t *)object, key, value) {
        const kd2m_setting *setting;
        status = find(context, list, key, &setting);
        if (status == KD2M_OK && is_text(setting)) {
            if (json_is_string(value))
                status = put(context, setting, settings, json_string_value(value));
            else if (json_is_null(value) && setting->type == KD2M_SETTING_TEXT)
                *(const char **)field_of(setting, settings) = NULL;
            else
                status = fail_value(context, setting, "another type", 0);
        } else if (status == KD2M_OK) {
            if (json_is_number(value) && fits(setting, json_number_value(value)))
                put_number(setting, settings, json_number_value(value));
            else
                status = fail_value(context, setting, json_is_number(value) ? NULL : "another type",
                                    json_number_value(value));
        }
        if (status != KD2M_OK) {
            kd2m_fail_within(context, status, "%s", name);
            return KD2M_ERROR_INPUT;
        }
    }
    return KD2M_OK;
}
