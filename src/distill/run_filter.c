/* Conditions on runs: see run_filter.h. What is there stands below, at or above what is asked for,
 * or apart from it (one of two numbers is none; a text does not hold the other); a relation is the
 * set of the places at which it holds. */
#include "run_filter.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "spec.h"

enum { BELOW = 1, AT = 2, ABOVE = 4, APART = 8 };

struct kd2m_run_relation {
    const char *sign;
    int places;
    bool within; /* of texts: whether one holds the other */
};

/* A sign comes before those that it begins with. */
static const kd2m_run_relation relations[] = {
    {"!=", BELOW | ABOVE | APART, false},
    {"!~", APART, true},
    {"<=", BELOW | AT, false},
    {">=", AT | ABOVE, false},
    {"==", AT, false},
    {"=", AT, false},
    {"~", AT, true},
    {"<", BELOW, false},
    {">", ABOVE, false},
};

static const kd2m_run_relation *find_relation(const char *text) {
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++)
        if (strncmp(text, relations[i].sign, strlen(relations[i].sign)) == 0)
            return &relations[i];
    return NULL;
}

/* The number that is asked for; no text stands for none. */
static kd2m_status read_number(kd2m_run_filter *filter, kd2m_context *context) {
    size_t length;
    filter->number = kd2m_parse_number(filter->text, &length);
    if (filter->text[length] == '\0' && !filter->relation->within)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_USAGE,
                     filter->relation->within ? "%s is a number: ~ is for texts"
                                              : "%s is a number, '%.80s' is not",
                     filter->key->key, filter->text);
}

kd2m_status kd2m_run_filter_parse(kd2m_run_filter *out, kd2m_context *context, const char *text) {
    size_t length = strcspn(text, "=!<>~");
    kd2m_status status = KD2M_OK;
    *out = (kd2m_run_filter){.relation = find_relation(text + length), .number = NAN};
    if (!out->relation)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "'%.80s' is no condition: say KEY, one of = != < <= > >= ~ !~, VALUE, "
                         "e.g. 'validation>0.9' or loss~w2",
                         text);
    out->text = text + length + strlen(out->relation->sign);
    KD2M_TRY(kd2m_run_key_find(&out->key, context, text, length));
    if (out->key->type != KD2M_COLUMN_TEXT)
        KD2M_TRY(read_number(out, context));
cleanup:
    return status == KD2M_OK ? status : kd2m_fail_within(context, status, "'%.80s'", text);
}

static int place_of_text(const kd2m_run_filter *filter, const char *text) {
    if (filter->relation->within)
        return strstr(text, filter->text) ? AT : APART;
    int order = strcmp(text, filter->text);
    return order < 0 ? BELOW : order > 0 ? ABOVE : AT;
}

static int place_of_number(const kd2m_run_filter *filter, double number) {
    if (isnan(number) || isnan(filter->number))
        return isnan(number) && isnan(filter->number) ? AT : APART;
    return number < filter->number ? BELOW : number > filter->number ? ABOVE : AT;
}

bool kd2m_run_filter_holds(const kd2m_run_filter *filter, const json_t *record) {
    const char *key = filter->key->key;
    int place = filter->key->type == KD2M_COLUMN_TEXT
                    ? place_of_text(filter, kd2m_run_text(record, key))
                    : place_of_number(filter, kd2m_run_number(record, key));
    return (filter->relation->places & place) != 0;
}
