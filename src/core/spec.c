/* The spec grammar: see spec.h. Recursive descent, depth limited, time linear in the text. */
#include "spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "text.h"

#define ITEMS_MAX 256
#define SHOWN 60 /* bytes of text that an error shows around the place */

typedef struct cursor {
    kd2m_context *context;
    const char *text;
    size_t at;
    bool embedded; /* in a loss expression: a value ends where it can't go on */
    int depth;
} cursor;

kd2m_status kd2m_spec_fail(kd2m_context *context, const char *text, size_t position,
                           const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t length = strlen(text);
    position = position < length ? position : length;
    size_t from = position > SHOWN / 2 ? position - SHOWN / 2 : 0;
    size_t shown = length - from < SHOWN ? length - from : SHOWN;
    return kd2m_fail(context, KD2M_ERROR_USAGE, "%s at position %zu\n  %.*s\n  %*s^", message,
                     position + 1, (int)shown, text + from, (int)(position - from), "");
}

static void skip_space(cursor *in) {
    while (in->text[in->at] == ' ' || in->text[in->at] == '\t' || in->text[in->at] == '\n')
        in->at++;
}

static kd2m_status copy_text(cursor *in, char **out, size_t from, size_t length) {
    kd2m_status status = kd2m_alloc(in->context, (void **)out, length + 1, 1);
    if (status == KD2M_OK)
        memcpy(*out, in->text + from, length);
    return status;
}

/* "anything in quotes" */
static kd2m_status read_quoted(cursor *in, char **out) {
    size_t start = in->at + 1;
    const char *end = strchr(in->text + start, '"');
    if (!end)
        return kd2m_spec_fail(in->context, in->text, in->at, "the quote is not closed");
    size_t length = (size_t)(end - in->text) - start;
    in->at = start + length + 1;
    return copy_text(in, out, start, length);
}

static kd2m_status read_name(cursor *in, char **out, const char *what) {
    skip_space(in);
    if (in->text[in->at] == '"')
        return read_quoted(in, out);
    size_t length = strcspn(in->text + in->at, " \t\n(),:=+*@~/\"");
    if (length == 0)
        return kd2m_spec_fail(in->context, in->text, in->at, "%s is missing", what);
    size_t start = in->at;
    in->at += length;
    return copy_text(in, out, start, length);
}

/* A plain value's length. A whole text's value may hold everything but ',' and '"' (and ends before
 * ')' inside parentheses); an embedded one ends at the signs of the expression around it. */
static size_t value_length(const cursor *in) {
    const char *text = in->text + in->at;
    if (in->embedded) {
        size_t number;
        kd2m_parse_number(text, &number);
        size_t rest = strcspn(text + number, " \t\n+@)~,*\"");
        return number + rest;
    }
    size_t length = strcspn(text, in->depth > 1 ? ",\")" : ",\"");
    while (length > 0 && strchr(" \t\n", text[length - 1]))
        length--;
    return length;
}

static kd2m_status read_value(cursor *in, char **out) {
    skip_space(in);
    if (in->text[in->at] == '"')
        return read_quoted(in, out);
    size_t length = value_length(in);
    if (length == 0)
        return kd2m_spec_fail(in->context, in->text, in->at, "a value is missing");
    size_t start = in->at;
    in->at += length;
    return copy_text(in, out, start, length);
}

/* Where 'key =' stands here, the key's length; else 0. */
static size_t key_length(const cursor *in) {
    const char *text = in->text + in->at;
    size_t length = strcspn(text, " \t\n(),:=+*@~/\";.");
    size_t after = length;
    while (strchr(" \t\n", text[after]) && text[after])
        after++;
    return text[after] == '=' ? length : 0;
}

/* Keys are equal with '-' and '_' alike. */
static bool same_key(const char *a, const char *b) {
    for (; *a && *b; a++, b++)
        if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
            return false;
    return *a == *b;
}

static kd2m_status read_item(cursor *in, kd2m_spec *spec) {
    kd2m_status status = KD2M_OK;
    skip_space(in);
    if (spec->item_count == ITEMS_MAX)
        return kd2m_spec_fail(in->context, in->text, in->at, "more than %d values", ITEMS_MAX);
    KD2M_TRY(kd2m_grow(in->context, (void **)&spec->items, &spec->item_capacity, spec->item_count,
                       spec->item_count + 1, sizeof *spec->items));
    kd2m_spec_item *item = &spec->items[spec->item_count++];
    *item = (kd2m_spec_item){NULL, NULL, in->at};
    size_t key = key_length(in);
    if (key > 0) {
        KD2M_TRY(copy_text(in, &item->key, in->at, key));
        for (size_t i = 0; i + 1 < spec->item_count; i++)
            if (spec->items[i].key && same_key(spec->items[i].key, item->key)) {
                status =
                    kd2m_spec_fail(in->context, in->text, in->at, "'%s' is given twice", item->key);
                goto cleanup;
            }
        in->at += key;
        skip_space(in);
        in->at++; /* '=' */
    }
    KD2M_TRY(read_value(in, &item->value));
cleanup:
    return status;
}

static kd2m_status read_spec(cursor *in, kd2m_spec **out) {
    *out = NULL;
    kd2m_spec *spec = NULL;
    kd2m_status status = KD2M_OK;
    skip_space(in);
    if (++in->depth > KD2M_SPEC_DEPTH)
        return kd2m_spec_fail(in->context, in->text, in->at, "nested deeper than %d",
                              KD2M_SPEC_DEPTH);
    KD2M_TRY(kd2m_alloc(in->context, (void **)&spec, 1, sizeof *spec));
    spec->position = in->at;
    KD2M_TRY(read_name(in, &spec->name, "a name"));
    size_t behind_name = in->at;
    skip_space(in);
    if (in->text[in->at] == '(') {
        size_t opened = in->at++;
        KD2M_TRY(read_spec(in, &spec->inner));
        skip_space(in);
        if (in->text[in->at] != ')') {
            status = kd2m_spec_fail(in->context, in->text, in->at,
                                    "')' is expected (for the '(' at position %zu)", opened + 1);
            goto cleanup;
        }
        behind_name = ++in->at;
        skip_space(in);
    }
    if (in->text[in->at] == ':') {
        do {
            in->at++;
            KD2M_TRY(read_item(in, spec));
            behind_name = in->at;
            skip_space(in);
        } while (in->text[in->at] == ',');
    }
    in->at = behind_name; /* white space behind it is not the spec's */
    in->depth--;
    *out = spec;
    spec = NULL;
cleanup:
    kd2m_spec_free(in->context, spec);
    return status;
}

kd2m_status kd2m_spec_parse_embedded(kd2m_spec **out, kd2m_context *context, const char *text,
                                     size_t *position) {
    cursor in = {context, text, *position, true, 0};
    kd2m_status status = read_spec(&in, out);
    if (status == KD2M_OK)
        *position = in.at;
    return status;
}

kd2m_status kd2m_spec_parse(kd2m_spec **out, kd2m_context *context, const char *text) {
    *out = NULL;
    cursor in = {context, text, 0, false, 0};
    if (strnlen(text, KD2M_SPEC_LENGTH + 1) > KD2M_SPEC_LENGTH)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "a spec of more than %d bytes",
                         KD2M_SPEC_LENGTH);
    kd2m_status status = read_spec(&in, out);
    if (status != KD2M_OK)
        return status;
    skip_space(&in);
    if (text[in.at] == '\0')
        return KD2M_OK;
    kd2m_spec_free(context, *out);
    *out = NULL;
    return kd2m_spec_fail(context, text, in.at, "the end is expected");
}

void kd2m_spec_free(kd2m_context *context, kd2m_spec *spec) {
    if (!spec)
        return;
    for (size_t i = 0; i < spec->item_count; i++) {
        kd2m_free(context, spec->items[i].key);
        kd2m_free(context, spec->items[i].value);
    }
    kd2m_free(context, spec->items);
    kd2m_spec_free(context, spec->inner); /* depth is limited by the parser */
    kd2m_free(context, spec->name);
    kd2m_free(context, spec);
}

kd2m_status kd2m_spec_settings(kd2m_context *context, const kd2m_spec *spec, const char *bare,
                               const kd2m_setting_list *list, void *settings) {
    for (size_t i = 0; i < spec->item_count; i++) {
        const kd2m_spec_item *item = &spec->items[i];
        const char *key = item->key ? item->key : i == 0 ? bare : NULL;
        if (!key)
            return kd2m_fail(context, KD2M_ERROR_USAGE,
                             "%s: '%.80s' at position %zu needs a key: 'key=%.80s'", spec->name,
                             item->value, item->position + 1, item->value);
        if (i > 0 && bare && !spec->items[0].key && same_key(key, bare))
            return kd2m_fail(context, KD2M_ERROR_USAGE,
                             "%s: '%s' at position %zu is given twice, at first without its key",
                             spec->name, key, item->position + 1);
        kd2m_status status = kd2m_settings_set(context, list, settings, key, item->value);
        if (status != KD2M_OK)
            return kd2m_fail_within(context, status, "%s, position %zu", spec->name,
                                    item->position + 1);
    }
    return KD2M_OK;
}

static bool is_number(const char *word) {
    size_t length;
    kd2m_parse_number(word, &length);
    return length > 0 && word[length] == '\0';
}

/* A word in quotes unless it is plain, as numbers with a '+' are, too, where a value stands. */
static kd2m_status append_word(kd2m_text *to, const char *word, bool value) {
    kd2m_status status = KD2M_OK;
    bool plain = word[0] != '\0' && !strpbrk(word, " \t\n(),:=+*@~/");
    if (plain || (value && is_number(word)))
        return kd2m_text_append(to, "%s", word);
    KD2M_TRY(kd2m_text_append(to, "\""));
    KD2M_TRY(kd2m_text_append(to, "%s", word));
    KD2M_TRY(kd2m_text_append(to, "\""));
cleanup:
    return status;
}

static kd2m_status append_spec(kd2m_text *to, const kd2m_spec *spec) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(append_word(to, spec->name, false));
    if (spec->inner) {
        KD2M_TRY(kd2m_text_append(to, "("));
        KD2M_TRY(append_spec(to, spec->inner));
        KD2M_TRY(kd2m_text_append(to, ")"));
    }
    for (size_t i = 0; i < spec->item_count; i++) {
        KD2M_TRY(kd2m_text_append(to, "%s", i == 0 ? ":" : ","));
        if (spec->items[i].key) {
            KD2M_TRY(kd2m_text_append(to, "%s", spec->items[i].key));
            KD2M_TRY(kd2m_text_append(to, "="));
        }
        KD2M_TRY(append_word(to, spec->items[i].value, true));
    }
cleanup:
    return status;
}

kd2m_status kd2m_spec_text(kd2m_context *context, char **out, const kd2m_spec *spec) {
    *out = NULL;
    kd2m_text to = {context, NULL, 0, 0};
    kd2m_status status = append_spec(&to, spec);
    if (status == KD2M_OK)
        *out = to.text;
    else
        kd2m_free(context, to.text);
    return status;
}
