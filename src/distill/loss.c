/* The loss expression's parser: see loss.h for the grammar. */
#include "loss.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "memory.h"

#define KD2M_LOSS_TERMS 64

static const char *const reduction_names[] = {"pool", "flatten"};
#define REDUCTIONS (sizeof reduction_names / sizeof *reduction_names)

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

/* '@' layer [ '/' reduction ] [ '~' teacher_layer ] */
static kd2m_status read_layers(cursor *in, kd2m_term *term) {
    kd2m_status status = KD2M_OK;
    char *reduction = NULL;
    if (!take(in, '@')) {
        KD2M_TRY(kd2m_text_copy(in->context, &term->layer, "features"));
        KD2M_TRY(kd2m_text_copy(in->context, &term->teacher_layer, "features"));
        return KD2M_OK;
    }
    term->layer_given = true;
    KD2M_TRY(read_name(in, &term->layer, "layer's name"));
    if (take(in, '/')) {
        skip_space(in);
        size_t start = in->at;
        KD2M_TRY(read_name(in, &reduction, "reduction's name"));
        size_t found = 0;
        while (found < REDUCTIONS && strcmp(reduction, reduction_names[found]) != 0)
            found++;
        if (found == REDUCTIONS) {
            const char *near = kd2m_nearest_name(reduction, reduction_names, REDUCTIONS);
            status = kd2m_spec_fail(
                in->context, in->text, start, "no reduction '%s': there are pool and flatten%s%s%s",
                reduction, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
            goto cleanup;
        }
        term->reduction = (kd2m_reduction)found;
    }
    if (take(in, '~'))
        KD2M_TRY(read_name(in, &term->teacher_layer, "teacher's layer"));
    else
        KD2M_TRY(kd2m_text_copy(in->context, &term->teacher_layer, term->layer));
cleanup:
    kd2m_free(in->context, reduction);
    return status;
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
