/* JSON by jansson, with this library's statuses. */
#ifndef KD2M_CORE_JSON_H
#define KD2M_CORE_JSON_H

#include <jansson.h>

#include "kd2m/settings.h"

/* Parses a whole text. Errors: KD2M_ERROR_INPUT 'NAME: line L: reason'. *out is a new reference. */
kd2m_status kd2m_json_parse(kd2m_context *context, json_t **out, const char *text, size_t size,
                            const char *name);

/* Reads a JSON file of at most 64 MiB. */
kd2m_status kd2m_json_read(kd2m_context *context, json_t **out, const char *path);

/* *out = owned text: sorted as built, 17 digits, `compact` on one line or indented by 2. */
kd2m_status kd2m_json_text(kd2m_context *context, char **out, const json_t *value, int compact);

/* Writes `value` and a newline, atomically. */
kd2m_status kd2m_json_write(kd2m_context *context, const json_t *value, const char *path);

/* *out = a new string, or null for NULL. Errors: KD2M_ERROR_USAGE for text that is not UTF-8. */
kd2m_status kd2m_json_string(kd2m_context *context, json_t **out, const char *text);

/* Takes over `value` (NULL = jansson was out of memory) under `key`. NaN and infinity are not JSON:
 * pass reals through kd2m_json_real, which makes them null. */
kd2m_status kd2m_json_set(kd2m_context *context, json_t *object, const char *key, json_t *value);
json_t *kd2m_json_real(double value);

/* A settings struct as a JSON object, every key present. */
kd2m_status kd2m_settings_to_json(kd2m_context *context, const kd2m_setting_list *list,
                                  const void *settings, json_t **out);

/* Sets fields from an object; texts are borrowed from it. Unknown keys are an error. */
kd2m_status kd2m_settings_from_json(kd2m_context *context, const kd2m_setting_list *list,
                                    void *settings, const json_t *object, const char *name);

#endif
