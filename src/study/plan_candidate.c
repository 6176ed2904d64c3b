/*
 * The settings of each training that a plan asks for: see plan.h. They come in layers, the later
 * ones over the earlier: the plan's, the data set's, the student's, the method's, and what the
 * candidate has of the method's search.
 *
 * A search is an object of dimensions. A list names values; {"low", "high"} is a range, cut on a
 * logarithmic scale with "log": true. Where all lists together have no more combinations than there
 * are candidates, candidate k is combination k, and those beyond the last begin anew with another
 * seed, so that every method gets the same number of trainings. Otherwise candidates are points of
 * Halton's sequence (Halton, Numer. Math. 2, 1960), which covers few dimensions evenly however many
 * points are taken.
 */
#include <math.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "kd2m/metric.h"
#include "loss.h"
#include "memory.h"
#include "plan.h"
#include "text.h"

/* ---- layers of settings ---- */

static kd2m_status lay_over(kd2m_context *context, json_t *to, const json_t *from) {
    if (from && json_object_update(to, (json_t *)from) != 0)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for a plan");
    return KD2M_OK;
}

static kd2m_status begin(const kd2m_plan *plan, size_t data, json_t **out) {
    kd2m_status status = KD2M_OK;
    *out = json_object();
    if (!*out)
        return kd2m_fail(plan->context, KD2M_ERROR_MEMORY, "out of memory for a plan");
    KD2M_TRY(lay_over(plan->context, *out, plan->settings));
    KD2M_TRY(lay_over(plan->context, *out, plan->data[data].part.settings));
cleanup:
    return status;
}

/* No training of a study reads test data. */
static kd2m_status end(const kd2m_plan *plan, json_t *settings) {
    return kd2m_json_set(plan->context, settings, "blind", json_integer(1));
}

/* KD2M_ERROR_USAGE for a metric that there isn't. */
static kd2m_status check_metrics(kd2m_context *context, const kd2m_loss *loss) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < loss->count && status == KD2M_OK; i++) {
        kd2m_metric *metric = NULL;
        if (loss->terms[i].metric)
            status = kd2m_metric_create(&metric, context, loss->terms[i].metric);
        kd2m_metric_free(metric);
    }
    return status;
}

kd2m_status kd2m_plan_settings(kd2m_context *context, const json_t *object,
                               kd2m_train_settings *out) {
    char *expression = NULL;
    kd2m_loss *loss = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_settings_default(kd2m_train_setting_list(), out);
    KD2M_TRY(kd2m_settings_from_json(context, kd2m_train_setting_list(), out, object, "settings"));
    KD2M_TRY(kd2m_settings_validate(context, kd2m_train_setting_list(), out));
    if (!out->model || !out->data) {
        status = kd2m_fail(context, KD2M_ERROR_USAGE, "settings: a training needs %s",
                           out->model ? "data" : "a model");
        goto cleanup;
    }
    KD2M_TRY(kd2m_loss_expression(context, &expression, out));
    KD2M_TRY(kd2m_loss_parse(&loss, context, expression));
    KD2M_TRY(check_metrics(context, loss));
cleanup:
    kd2m_loss_free(loss);
    kd2m_free(context, expression);
    return status;
}

/* ---- points of a search ---- */

static size_t power(size_t base, size_t exponent) {
    size_t value = 1;
    while (exponent-- > 0)
        value *= base;
    return value;
}

size_t kd2m_plan_rung_epochs(const kd2m_plan *plan, size_t rung, size_t epochs) {
    size_t share = epochs / power(plan->eta, plan->rungs - 1 - rung);
    return share > 0 ? share : 1;
}

size_t kd2m_plan_rung_candidates(const kd2m_plan *plan, size_t rung) {
    size_t divisor = power(plan->eta, rung);
    return (plan->candidates + divisor - 1) / divisor;
}

/* Combinations of all dimensions; 0 where one is a range, so that there are any number. */
static size_t count_combinations(const json_t *search) {
    const char *key;
    json_t *values;
    size_t count = 1;
    json_object_foreach((json_t *)search, key, values) {
        count *= json_array_size(values);
        if (count > 1000000)
            return 0;
    }
    return count;
}

/* Element `index` >= 1 of van der Corput's sequence, in (0, 1). */
static double radical_inverse(size_t index, size_t base) {
    double value = 0, place = 1;
    for (; index > 0; index /= base) {
        place /= (double)base;
        value += place * (double)(index % base);
    }
    return value;
}

static kd2m_status fail_dimension(kd2m_context *context, const char *key) {
    return kd2m_fail(context, KD2M_ERROR_USAGE,
                     "\"search\": '%s' must be a list of values, or a range {\"low\": L, \"high\": "
                     "H, \"log\": true}",
                     key);
}

/* *out = the value at `share` of a range; a new reference. */
static kd2m_status range_value(kd2m_context *context, const char *key, const json_t *range,
                               double share, json_t **out) {
    const json_t *low = json_object_get(range, "low"), *high = json_object_get(range, "high");
    double from = json_number_value(low), to = json_number_value(high);
    bool logarithmic = json_is_true(json_object_get(range, "log"));
    if (!json_is_number(low) || !json_is_number(high) || !(from <= to) ||
        (logarithmic && !(from > 0)))
        return fail_dimension(context, key);
    double value = logarithmic ? from * pow(to / from, share) : from + (to - from) * share;
    char text[KD2M_NUMBER_SIZE];
    snprintf(text, sizeof text, "%.3g", value); /* what a person would have written */
    size_t length;
    *out = json_real(kd2m_parse_number(text, &length));
    return *out ? KD2M_OK : kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for a plan");
}

/* *point = object of each dimension's value for a candidate. */
static kd2m_status find_point(kd2m_context *context, const json_t *search, size_t candidates,
                              size_t candidate, json_t **point) {
    static const size_t primes[] = {2, 3, 5, 7, 11, 13, 17, 19};
    const char *key;
    json_t *values;
    size_t dimension = 0, combinations = count_combinations(search);
    bool all = combinations > 0 && combinations <= candidates;
    size_t number = all ? candidate % combinations : candidate + 1;
    kd2m_status status = KD2M_OK;
    *point = json_object();
    json_object_foreach((json_t *)search, key, values) {
        size_t length = json_array_size(values), at = 0;
        json_t *value = NULL;
        double share = radical_inverse(number, primes[dimension % 8]);
        if (json_is_object(values)) {
            KD2M_TRY(range_value(context, key, values, share, &value));
        } else if (length == 0) {
            KD2M_TRY(fail_dimension(context, key));
        } else if (all) {
            at = number % length;
            number /= length;
        } else {
            at = (size_t)(share * (double)length);
        }
        if (!value)
            value = json_incref(json_array_get(values, at));
        KD2M_TRY(kd2m_json_set(context, *point, key, value));
        dimension++;
    }
cleanup:
    return status;
}

/* ---- losses with placeholders ---- */

/* Writes what stands for `name`, `length` bytes long, to `to`. */
static kd2m_status write_value(kd2m_text *to, const char *name, size_t length, json_t *point,
                               const char *loss) {
    char key[64];
    if (length < sizeof key) {
        memcpy(key, name, length);
        key[length] = '\0';
        const json_t *value = json_object_get(point, key);
        if (json_is_string(value))
            return kd2m_text_append(to, "%s", json_string_value(value));
        if (json_is_number(value)) {
            char number[KD2M_NUMBER_SIZE];
            kd2m_format_number(number, json_number_value(value));
            return kd2m_text_append(to, "%s", number);
        }
    }
    return kd2m_fail(to->context, KD2M_ERROR_USAGE,
                     "loss '%s': {%.*s} is no text or number of its \"search\"", loss, (int)length,
                     name);
}

/* *out = the loss with values in the place of placeholders, which leave `point`. Owned text. */
static kd2m_status write_loss(kd2m_context *context, const char *loss, json_t *point, char **out) {
    kd2m_text text = {context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    const char *at = loss;
    for (const char *open; (open = strchr(at, '{')) != NULL;) {
        const char *close = strchr(open, '}');
        if (!close) {
            status = kd2m_fail(context, KD2M_ERROR_USAGE, "loss '%s': '{' without '}'", loss);
            goto cleanup;
        }
        KD2M_TRY(kd2m_text_append(&text, "%.*s", (int)(open - at), at));
        KD2M_TRY(write_value(&text, open + 1, (size_t)(close - open - 1), point, loss));
        at = close + 1;
    }
    KD2M_TRY(kd2m_text_append(&text, "%s", at));
    *out = text.text;
    text.text = NULL;
cleanup:
    kd2m_free(context, text.text);
    return status;
}

/* What the loss asks for by its placeholders is no training setting. */
static void drop_placeholders(const char *loss, json_t *point) {
    const char *open = loss, *close;
    while ((open = strchr(open, '{')) && (close = strchr(open, '}'))) {
        char key[64] = "";
        size_t length = (size_t)(close - open - 1);
        if (length < sizeof key)
            memcpy(key, open + 1, length);
        json_object_del(point, key);
        open = close;
    }
}

kd2m_status kd2m_plan_candidate(const kd2m_plan *plan, size_t data, size_t student, size_t method,
                                size_t candidate, json_t **out) {
    kd2m_context *context = plan->context;
    const kd2m_plan_method *of = &plan->methods[method];
    size_t combinations = count_combinations(of->search);
    json_t *settings = NULL, *point = NULL, *seed;
    char *loss = NULL;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(begin(plan, data, &settings));
    KD2M_TRY(lay_over(context, settings, plan->students[student].settings));
    KD2M_TRY(lay_over(context, settings, of->part.settings));
    KD2M_TRY(find_point(context, of->search, plan->candidates, candidate, &point));
    KD2M_TRY(write_loss(context, of->loss, point, &loss));
    drop_placeholders(of->loss, point);
    KD2M_TRY(lay_over(context, settings, point));
    KD2M_TRY(kd2m_json_set(context, settings, "loss", json_string(loss)));
    seed = json_integer(combinations > 0 ? (json_int_t)(candidate / combinations) : 0);
    KD2M_TRY(kd2m_json_set(context, settings, "seed", seed));
    KD2M_TRY(end(plan, settings));
    *out = settings;
    settings = NULL;
cleanup:
    json_decref(settings);
    json_decref(point);
    kd2m_free(context, loss);
    return status;
}

kd2m_status kd2m_plan_teacher(const kd2m_plan *plan, size_t data, json_t **out) {
    json_t *settings = NULL;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(begin(plan, data, &settings));
    KD2M_TRY(lay_over(plan->context, settings, plan->data[data].teacher.settings));
    KD2M_TRY(end(plan, settings));
    *out = settings;
    settings = NULL;
cleanup:
    json_decref(settings);
    return status;
}
