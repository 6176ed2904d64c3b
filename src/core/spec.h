/*
 * The one grammar for metrics, models and data sets:
 *
 *   spec  := name [ '(' spec ')' ] [ ':' item { ',' item } ]
 *   item  := [ key '=' ] value
 *   name, key, value: plain characters, or anything in "double quotes"
 *
 * A spec that is a whole text (a data set, a model) ends at its end, and a plain value runs to the
 * next ',' of the text. A spec inside a loss expression ends where its value can't go on: at white
 * space, '+', '@', ')' or '~'; a number is read greedily, so that '1e+3' is one. Numbers are read
 * and written with '.', whatever the locale. Depth is limited to KD2M_SPEC_DEPTH.
 */
#ifndef KD2M_CORE_SPEC_H
#define KD2M_CORE_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "kd2m/settings.h"

#define KD2M_SPEC_DEPTH 16
#define KD2M_SPEC_LENGTH 65536 /* longest text that is looked at */

typedef struct kd2m_spec_item {
    char *key;       /* NULL for a bare value */
    char *value;     /* without its quotes */
    size_t position; /* of its first byte in the text, from 0 */
} kd2m_spec_item;

typedef struct kd2m_spec {
    char *name;
    size_t position;
    struct kd2m_spec *inner; /* of 'name(inner)', or NULL */
    kd2m_spec_item *items;
    size_t item_count;
    size_t item_capacity;
} kd2m_spec;

/* Reads all of `text` as one spec. Errors: KD2M_ERROR_USAGE with the position and a pointer line.
 */
kd2m_status kd2m_spec_parse(kd2m_spec **out, kd2m_context *context, const char *text);

/* Reads a spec inside a larger expression from text[*position]; *position moves behind it. */
kd2m_status kd2m_spec_parse_embedded(kd2m_spec **out, kd2m_context *context, const char *text,
                                     size_t *position);

void kd2m_spec_free(kd2m_context *context, kd2m_spec *spec);

/*
 * Sets `settings` (already at its defaults) from the items of `spec`. Bare values are refused,
 * except the first where `bare` names the key it stands for. Unknown keys: KD2M_ERROR_USAGE with
 * position and nearest name. Texts stay owned by `spec`.
 */
kd2m_status kd2m_spec_settings(kd2m_context *context, const kd2m_spec *spec, const char *bare,
                               const kd2m_setting_list *list, void *settings);

/* The spec written out again in its shortest plain form: owned text. */
kd2m_status kd2m_spec_text(kd2m_context *context, char **out, const kd2m_spec *spec);

/* KD2M_ERROR_USAGE: 'MESSAGE at position N' with the text and a '^' below the place. */
kd2m_status kd2m_spec_fail(kd2m_context *context, const char *text, size_t position,
                           const char *format, ...) KD2M_PRINTF(4, 5);

/* Reads a plain number from the front of `text`, as the C locale would. *length: bytes used, 0 if
 * there is no number. */
double kd2m_parse_number(const char *text, size_t *length);

/* Writes `value` in the shortest form that reads back the same, as the C locale would. */
#define KD2M_NUMBER_SIZE 32
void kd2m_format_number(char out[KD2M_NUMBER_SIZE], double value);

/* The one of `count` names nearest to `name` by edit distance, or NULL if none is near. */
const char *kd2m_nearest_name(const char *name, const char *const *names, size_t count);

/* KD2M_ERROR_USAGE: 'OWNER has no KIND 'NAME'', the nearest of the `count` names that there are,
 * and as many of them as a message has room for. */
kd2m_status kd2m_fail_unknown(kd2m_context *context, const char *owner, const char *kind,
                              const char *name, const char *const *names, size_t count);

#endif
