/*
 * Settings declared once. A module writes one X-macro list; from it come the struct's fields, the
 * defaults, validation, the command line's flags, the keys of config.json and the help text.
 *
 *   #define KD2M_THING_SETTINGS(X)                                                       \
 *       X(INTEGER, epochs, "8", 1, 100000, "N", "passes over the training data")         \
 *       X(CHOICE, schedule, "cosine", 0, 0, "cosine|step|constant", "learning rate over time")
 *
 *   typedef struct kd2m_thing_settings {
 *       KD2M_THING_SETTINGS(KD2M_SETTINGS_FIELD)
 *   } kd2m_thing_settings;
 *
 *   #define ROW(...) KD2M_SETTINGS_ROW(kd2m_thing_settings, __VA_ARGS__)
 *   static const kd2m_setting rows[] = {KD2M_THING_SETTINGS(ROW)};
 *
 * Types: INTEGER and REAL (range low..high, both included), FLAG (0 or 1), TEXT (may be NULL,
 * written as ""), CHOICE (one of the words of the metavar, separated by '|').
 */
#ifndef KD2M_SETTINGS_H
#define KD2M_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"

KD2M_BEGIN_DECLS

typedef enum kd2m_setting_type {
    KD2M_SETTING_INTEGER,
    KD2M_SETTING_REAL,
    KD2M_SETTING_FLAG,
    KD2M_SETTING_TEXT,
    KD2M_SETTING_CHOICE
} kd2m_setting_type;

typedef struct kd2m_setting {
    const char *name; /* 'batch_size': the field, the key; as a flag '--batch-size' */
    kd2m_setting_type type;
    size_t offset;        /* of the field in the settings struct */
    const char *fallback; /* the default, in the form a user would write it; NULL = no text */
    double low, high;     /* range of INTEGER and REAL */
    const char *metavar;  /* what the help calls the value; the words of a CHOICE */
    const char *help;
} kd2m_setting;

typedef struct kd2m_setting_list {
    const kd2m_setting *rows;
    size_t count;
} kd2m_setting_list;

#define KD2M_SETTINGS_TYPE_INTEGER int64_t
#define KD2M_SETTINGS_TYPE_REAL double
#define KD2M_SETTINGS_TYPE_FLAG int
#define KD2M_SETTINGS_TYPE_TEXT const char *
#define KD2M_SETTINGS_TYPE_CHOICE const char *
#define KD2M_SETTINGS_FIELD(type, name, fallback, low, high, metavar, help)                        \
    KD2M_SETTINGS_TYPE_##type name;
#define KD2M_SETTINGS_ROW(struct_type, type, name, fallback, low, high, metavar, help)             \
    {#name, KD2M_SETTING_##type, offsetof(struct_type, name), fallback, low, high, metavar, help},

/* Fills the struct `settings` with the defaults of `list`. Texts are static. */
KD2M_API void kd2m_settings_default(const kd2m_setting_list *list, void *settings);

/*
 * Sets the field called `name` (batch_size or batch-size) from `text`, checking form and range.
 * TEXT and CHOICE are borrowed: `text` must outlive `settings`.
 * Errors: KD2M_ERROR_USAGE, the message naming the key, the value, the range, the nearest name.
 */
KD2M_API kd2m_status kd2m_settings_set(kd2m_context *context, const kd2m_setting_list *list,
                                       void *settings, const char *name, const char *text);

/* Checks every field of a struct that a program filled by hand. Errors: KD2M_ERROR_USAGE. */
KD2M_API kd2m_status kd2m_settings_validate(kd2m_context *context, const kd2m_setting_list *list,
                                            const void *settings);

KD2M_END_DECLS

#endif
