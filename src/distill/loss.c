/* The loss expression's parser: see loss.h for the grammar. */
#include "loss.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "memory.h"

#define KD2M_LOSS_TERMS 64

static const char *const reduction_names[] = {"pool", "flatten", "positions"};
#define REDUCTIONS (sizeof reduction_names / sizeof *reduction_names)

/* clang-format off */
#define POSITIONS_SETTINGS(X)                                                                      \
    X(INTEGER, rows, "0", 0, 1e9, "N", "positions of a batch that are drawn, 0 for all")
/* beside the metric's own keys */
#define TERM_SETTINGS(X)                                                                           \
    X(INTEGER, bank, "0", 0, 1e9, "N", "rows of the teacher's that are kept from earlier batches")
/* clang-format on */

typedef struct positions_settings {
    POSITIONS_SETTINGS(KD2M_SETTINGS_FIELD)
} positions_settings;
typedef struct term_settings {
    TERM_SETTINGS(KD2M_SETTINGS_FIELD)
} term_settings;

#define POSITIONS_ROW(...) KD2M_SETTINGS_ROW(positions_settings, __VA_ARGS__)
static const kd2m_setting positions_rows[] = {POSITIONS_SETTINGS(POSITIONS_ROW)};
#define TERM_ROW(...) KD2M_SETTINGS_ROW(term_settings, __VA_ARGS__)
static const kd2m_setting term_rows[] = {TERM_SETTINGS(TERM_ROW)};

const char *kd2m_reduction_name(kd2m_reduction reduction) {
    return reduction_names[reduction];
}

/* The expression while it is read. */
typedef struct cursor {
    kd2m_context *context;
    const char *text;
    size_t at;
} cursor;

static void skip_space(cursor *in) {
    while (in->text[in->at] == ' ' || in->text[in->at] == '\t' || in->text[in->at] == '\n')
        in->at++;
}

static bool take(cursor *in, char symbol) {
    skip_space(in);
    if (in->text[in->at] != symbol)
        return false;
    in->at++;
    return true;
}

/* A layer's or reduction's name: plain characters, or anything in double quotes. */
static kd2m_status read_name(cursor *in, char **out, const char *what) {
    skip_space(in);
    size_t start = in->at;
    size_t length;
    if (in->text[start] == '"') {
        const char *end = strchr(in->text + start + 1, '"');
        if (!end)
            return kd2m_spec_fail(in->context, in->text, start, "the quote is not closed");
        length = (size_t)(end - in->text) - ++start;
        in->at = start + length + 1;
    } else {
        length = strcspn(in->text + start, " \t\n+@/~*(),:\"=");
        in->at = start + length;
    }
    if (length == 0)
        return kd2m_spec_fail(in->context, in->text, start, "a %s is missing", what);
    kd2m_status status = kd2m_alloc(in->context, (void **)out, length + 1, 1);
    if (status == KD2M_OK)
        memcpy(*out, in->text + start, length);
    return status;
}

/* [ number '*' ]: what is not a number followed by '*' is left alone. */
static kd2m_status read_weight(cursor *in, kd2m_term *term) {
    size_t length;
    double weight = kd2m_parse_number(in->text + in->at, &length);
    term->weight = 1;
    if (length == 0)
        return KD2M_OK;
    size_t start = in->at;
    in->at += length;
    if (!take(in, '*'))
        return kd2m_spec_fail(in->context, in->text, in->at, "a weight is followed by '*'");
    if (!(weight >= 0 && weight <= 1e30))
        return kd2m_spec_fail(in->context, in->text, start, "a weight is a number from 0 to 1e30");
    term->weight = weight;
    skip_space(in);
    return KD2M_OK;
}

/* A reduction behind its '/'. */
static kd2m_status read_reduction(cursor *in, kd2m_term *term) {
    static const kd2m_setting_list keys[REDUCTIONS] = {
        [KD2M_REDUCTION_POSITIONS] = {positions_rows,
                                      sizeof positions_rows / sizeof *positions_rows},
    };
    positions_settings settings = {0};
    kd2m_spec *spec = NULL;
    size_t found = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_spec_parse_embedded(&spec, in->context, in->text, &in->at));
    while (found < REDUCTIONS && strcmp(spec->name, reduction_names[found]) != 0)
        found++;
    if (found == REDUCTIONS || spec->inner) {
        const char *near = kd2m_nearest_name(spec->name, reduction_names, REDUCTIONS);
        status = kd2m_spec_fail(in->context, in->text, spec->position,
                                "no reduction '%s%s': there are pool, flatten and positions%s%s%s",
                                spec->name, spec->inner ? "(..)" : "",
                                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        goto cleanup;
    }
    if (spec->item_count > 0 && keys[found].count == 0) {
        status = kd2m_spec_fail(in->context, in->text, spec->items[0].position, "%s takes no keys",
                                spec->name);
        goto cleanup;
    }
    KD2M_TRY(kd2m_spec_settings(in->context, spec, NULL, &keys[found], &settings));
    term->reduction = (kd2m_reduction)found;
    term->rows = (size_t)settings.rows;
cleanup:
    kd2m_spec_free(in->context, spec);
    return status;
}

/* '@' layer [ '/' reduction ] [ '~' teacher_layer ] */
static kd2m_status read_layers(cursor *in, kd2m_term *term) {
    kd2m_status status = KD2M_OK;
    if (!take(in, '@')) {
        KD2M_TRY(kd2m_text_copy(in->context, &term->layer, "features"));
        KD2M_TRY(kd2m_text_copy(in->context, &term->teacher_layer, "features"));
        return KD2M_OK;
    }
    term->layer_given = true;
    KD2M_TRY(read_name(in, &term->layer, "layer's name"));
    if (take(in, '/'))
        KD2M_TRY(read_reduction(in, term));
    if (take(in, '~'))
        KD2M_TRY(read_name(in, &term->teacher_layer, "teacher's layer"));
    else
        KD2M_TRY(kd2m_text_copy(in->context, &term->teacher_layer, term->layer));
cleanup:
    return status;
}

/* Moves the keys that are the term's, not the metric's, from the metric's spec to the term. */
static kd2m_status take_term_keys(kd2m_context *context, kd2m_spec *spec, kd2m_term *term) {
    static const kd2m_setting_list keys = {term_rows, sizeof term_rows / sizeof *term_rows};
    term_settings settings = {0};
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < spec->item_count; i++) {
        kd2m_spec_item *item = &spec->items[i];
        if (!item->key || strcmp(item->key, term_rows[0].name) != 0)
            continue;
        status = kd2m_settings_set(context, &keys, &settings, item->key, item->value);
        if (status != KD2M_OK)
            return kd2m_fail_within(context, status, "%s, position %zu", spec->name,
                                    item->position + 1);
        kd2m_free(context, item->key);
        kd2m_free(context, item->value);
        memmove(item, item + 1, (--spec->item_count - i) * sizeof *item);
        break; /* no key stands twice */
    }
    term->bank = (size_t)settings.bank;
    return KD2M_OK;
}

/* The text between two places, without the white space around it. */
static kd2m_status copy_range(cursor *in, char **out, size_t begin, size_t end) {
    while (end > begin && strchr(" \t\n", in->text[end - 1]))
        end--;
    kd2m_status status = kd2m_alloc(in->context, (void **)out, end - begin + 1, 1);
    if (status == KD2M_OK)
        memcpy(*out, in->text + begin, end - begin);
    return status;
}

static kd2m_status read_term(cursor *in, kd2m_term *term) {
    kd2m_status status = KD2M_OK;
    kd2m_spec *spec = NULL;
    skip_space(in);
    term->position = in->at;
    KD2M_TRY(read_weight(in, term));
    size_t metric_at = in->at;
    KD2M_TRY(kd2m_spec_parse_embedded(&spec, in->context, in->text, &in->at));
    bool task = strcmp(spec->name, "ce") == 0;
    if (task && (spec->inner || spec->item_count > 0)) {
        status = kd2m_spec_fail(in->context, in->text, metric_at, "ce takes no keys");
        goto cleanup;
    }
    KD2M_TRY(take_term_keys(in->context, spec, term));
    if (!task)
        KD2M_TRY(kd2m_spec_text(in->context, &term->metric, spec));
    KD2M_TRY(read_layers(in, term));
    if (task && term->layer_given) {
        status = kd2m_spec_fail(in->context, in->text, metric_at,
                                "ce compares logits with labels: it takes no layer");
        goto cleanup;
    }
    KD2M_TRY(copy_range(in, &term->text, term->position, in->at));
cleanup:
    kd2m_spec_free(in->context, spec);
    return status;
}

kd2m_status kd2m_loss_parse(kd2m_loss **out, kd2m_context *context, const char *text) {
    *out = NULL;
    kd2m_loss *loss = NULL;
    kd2m_status status = KD2M_OK;
    if (strlen(text) > KD2M_SPEC_LENGTH)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "loss: longer than %d bytes", KD2M_SPEC_LENGTH);
    KD2M_TRY(kd2m_alloc(context, (void **)&loss, 1, sizeof *loss));
    loss->context = context;
    cursor in = {context, text, 0};
    do {
        if (loss->count == KD2M_LOSS_TERMS) {
            status = kd2m_spec_fail(context, text, in.at, "more than %d terms", KD2M_LOSS_TERMS);
            goto cleanup;
        }
        KD2M_TRY(kd2m_grow(context, (void **)&loss->terms, &loss->capacity, loss->count,
                           loss->count + 1, sizeof *loss->terms));
        kd2m_term *term = &loss->terms[loss->count++];
        *term = (kd2m_term){0};
        KD2M_TRY(read_term(&in, term));
        skip_space(&in);
    } while (take(&in, '+'));
    if (text[in.at] != '\0') {
        status = kd2m_spec_fail(context, text, in.at, "'+' or the end is expected");
        goto cleanup;
    }
    *out = loss;
    loss = NULL;
cleanup:
    kd2m_loss_free(loss);
    return status;
}

void kd2m_loss_free(kd2m_loss *loss) {
    if (!loss)
        return;
    for (size_t i = 0; i < loss->count; i++) {
        kd2m_free(loss->context, loss->terms[i].text);
        kd2m_free(loss->context, loss->terms[i].metric);
        kd2m_free(loss->context, loss->terms[i].layer);
        kd2m_free(loss->context, loss->terms[i].teacher_layer);
    }
    kd2m_free(loss->context, loss->terms);
    kd2m_free(loss->context, loss);
}

kd2m_status kd2m_loss_expression(kd2m_context *context, char **out,
                                 const kd2m_train_settings *settings) {
    *out = NULL;
    if (settings->loss && settings->metric)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "--metric is short for a --loss: give one of the two");
    if (settings->loss)
        return kd2m_text_copy(context, out, settings->loss);
    if (!settings->metric)
        return kd2m_text_copy(context, out, settings->teacher ? "ce + w2" : "ce");
    char weight[KD2M_NUMBER_SIZE];
    kd2m_format_number(weight, settings->weight);
    size_t size = strlen(settings->metric) + sizeof weight + sizeof "ce + *";
    kd2m_status status = kd2m_alloc(context, (void **)out, size, 1);
    if (status == KD2M_OK)
        snprintf(*out, size, "ce + %s*%s", weight, settings->metric);
    return status;
}
