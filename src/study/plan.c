/* Reading a plan: see plan.h. */
#include "plan.h"

#include <string.h>

#include "context.h"
#include "json.h"
#include "memory.h"
#include "score.h"
#include "spec.h"

#define MOST_PARTS ((size_t)1000) /* data sets, students, methods; shifts of one data set */

/* ---- pieces of JSON, with messages that say where ---- */

/* KD2M_ERROR_USAGE unless all keys of `object` are among `known`. */
static kd2m_status check_keys(kd2m_context *context, const json_t *object, const char *where,
                              const char *const *known, size_t count) {
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return kd2m_fail(context, KD2M_ERROR_USAGE, "%s must be an object {...}", where);
    json_object_foreach((json_t *)object, key, value) {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found |= strcmp(key, known[i]) == 0;
        if (!found)
            return kd2m_fail_unknown(context, where, "key", key, known, count);
    }
    return KD2M_OK;
}

/* The text under `key`; NULL where it is missing and `optional`. */
static kd2m_status take_text(kd2m_context *context, const json_t *object, const char *where,
                             const char *key, bool optional, const char **out) {
    const json_t *value = json_object_get(object, key);
    *out = json_string_value(value);
    if (*out && **out)
        return KD2M_OK;
    if (!value && optional)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_USAGE, "%s needs a text under \"%s\"", where, key);
}

static kd2m_status take_count(kd2m_context *context, const json_t *object, const char *where,
                              const char *key, size_t fallback, size_t low, size_t high,
                              size_t *out) {
    const json_t *value = json_object_get(object, key);
    *out = fallback;
    if (!value)
        return KD2M_OK;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < (json_int_t)low || number > (json_int_t)high)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%s: \"%s\" must be a whole number from %zu to %zu", where, key, low,
                         high);
    *out = (size_t)number;
    return KD2M_OK;
}

/* Makes room for the list under `key`, which must hold something unless `optional`. */
static kd2m_status take_list(kd2m_context *context, const json_t *object, const char *where,
                             const char *key, bool optional, const json_t **list, void **out,
                             size_t *count, size_t size) {
    *list = json_object_get(object, key);
    size_t length = json_array_size(*list);
    if (!*list && optional)
        return KD2M_OK;
    if (!json_is_array(*list) || (length == 0 && !optional) || length > MOST_PARTS)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%s needs a list under \"%s\", of 1 to %zu entries", where, key,
                         MOST_PARTS);
    kd2m_status status = kd2m_alloc(context, out, length, size);
    *count = status == KD2M_OK ? length : 0;
    return status;
}

/* KD2M_ERROR_USAGE where two of `count` parts, `size` bytes apart, have the same name: rows of the
 * study are told apart by them. */
static kd2m_status check_names(kd2m_context *context, const char *what, const void *parts,
                               size_t count, size_t size) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++) {
            const kd2m_plan_part *one = (const void *)((const char *)parts + i * size);
            const kd2m_plan_part *other = (const void *)((const char *)parts + k * size);
            if (strcmp(one->name, other->name) == 0)
                return kd2m_fail(context, KD2M_ERROR_USAGE, "two %s are called '%s'", what,
                                 one->name);
        }
    return KD2M_OK;
}

/* ---- parts ---- */

static const char *const part_keys[] = {"name", "settings"};

/* A text 'X' stands for {"name": "X", "settings": {key: "X"}}. */
static kd2m_status take_part(kd2m_context *context, json_t *list, size_t index, const char *where,
                             const char *key, kd2m_plan_part *out) {
    json_t *value = json_array_get(list, index);
    kd2m_status status = KD2M_OK;
    if (json_is_string(value)) {
        json_t *object = json_pack("{s:O, s:{s:O}}", "name", value, "settings", key, value);
        if (!object || json_array_set_new(list, index, object) != 0)
            return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for a plan");
        value = object;
    }
    out->settings = json_object_get(value, "settings");
    KD2M_TRY(take_text(context, value, where, "name", false, &out->name));
    if (!json_is_object(out->settings))
        status =
            kd2m_fail(context, KD2M_ERROR_USAGE,
                      "%s '%s' needs an object of settings under \"settings\"", where, out->name);
cleanup:
    return status;
}

static kd2m_status take_parts(kd2m_context *context, const json_t *object, const char *what,
                              const char *list_key, const char *key, bool optional,
                              kd2m_plan_part **out, size_t *count) {
    const json_t *list;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(take_list(context, object, "the plan", list_key, optional, &list, (void **)out, count,
                       sizeof **out));
    for (size_t i = 0; i < *count; i++) {
        KD2M_TRY(take_part(context, (json_t *)list, i, what, key, &(*out)[i]));
        KD2M_TRY(check_keys(context, json_array_get(list, i), what, part_keys,
                            sizeof part_keys / sizeof *part_keys));
    }
    KD2M_TRY(check_names(context, list_key, *out, *count, sizeof **out));
cleanup:
    return status;
}

/* Of a data set: how its teacher is trained, or where it is. */
static kd2m_status take_teacher(kd2m_context *context, const json_t *object, kd2m_plan_data *data) {
    const json_t *teacher = json_object_get(object, "teacher");
    data->teacher.name = "teacher";
    data->teacher_path = json_string_value(teacher);
    data->teacher.settings = json_is_object(teacher) ? teacher : NULL;
    if (data->teacher_path || data->teacher.settings)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_USAGE,
                     "data set '%s' needs a \"teacher\": the settings that train it, e.g. "
                     "{\"model\": \"resnet20\"}, or the path of one that is trained",
                     data->part.name);
}

/* A shift's name stands beside those of the data set's own parts. */
static kd2m_status check_shifts(const kd2m_plan *plan) {
    for (size_t i = 0; i < plan->data_count; i++)
        for (size_t k = 0; k < plan->data[i].shift_count; k++) {
            const char *name = plan->data[i].shifts[k].name;
            if (strcmp(name, "test") == 0 || strcmp(name, "validation") == 0)
                return kd2m_fail(plan->context, KD2M_ERROR_USAGE, "a shift can't be called '%s'",
                                 name);
        }
    return KD2M_OK;
}

static kd2m_status take_data(kd2m_plan *plan) {
    static const char *const keys[] = {"name", "settings", "teacher", "shifts", "group"};
    kd2m_context *context = plan->context;
    const json_t *list;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(take_list(context, plan->root, "the plan", "data", false, &list, (void **)&plan->data,
                       &plan->data_count, sizeof *plan->data));
    for (size_t i = 0; i < plan->data_count; i++) {
        kd2m_plan_data *data = &plan->data[i];
        KD2M_TRY(take_part(context, (json_t *)list, i, "a data set", "data", &data->part));
        const json_t *object = json_array_get(list, i);
        KD2M_TRY(check_keys(context, object, "a data set", keys, sizeof keys / sizeof *keys));
        KD2M_TRY(take_teacher(context, object, data));
        KD2M_TRY(take_parts(context, object, "a shift", "shifts", "data", true, &data->shifts,
                            &data->shift_count));
        KD2M_TRY(take_text(context, object, "a data set", "group", true, &data->group));
    }
    KD2M_TRY(check_shifts(plan));
    KD2M_TRY(check_names(context, "data sets", plan->data, plan->data_count, sizeof *plan->data));
cleanup:
    return status;
}

static kd2m_status take_methods(kd2m_plan *plan) {
    static const char *const keys[] = {"name", "settings", "loss", "search"};
    kd2m_context *context = plan->context;
    const json_t *list;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(take_list(context, plan->root, "the plan", "methods", false, &list,
                       (void **)&plan->methods, &plan->method_count, sizeof *plan->methods));
    for (size_t i = 0; i < plan->method_count; i++) {
        kd2m_plan_method *method = &plan->methods[i];
        json_t *object = json_array_get(list, i);
        KD2M_TRY(check_keys(context, object, "a method", keys, sizeof keys / sizeof *keys));
        KD2M_TRY(take_text(context, object, "a method", "loss", false, &method->loss));
        KD2M_TRY(take_text(context, object, "a method", "name", true, &method->part.name));
        if (!method->part.name)
            method->part.name = method->loss;
        method->part.settings = json_object_get(object, "settings");
        method->search = json_object_get(object, "search");
        if (!json_is_object(method->search)) {
            status = kd2m_fail(
                context, KD2M_ERROR_USAGE,
                "method '%s' needs an object under \"search\": what of it is searched, e.g. "
                "{\"lr\": [0.01, 0.1]}, or {} to say that nothing is. Every method gets the same "
                "budget",
                method->part.name);
            goto cleanup;
        }
    }
    KD2M_TRY(
        check_names(context, "methods", plan->methods, plan->method_count, sizeof *plan->methods));
cleanup:
    return status;
}

/* Which methods the others are compared with: those named, else 'ce' and 'kd' where they are. */
static kd2m_status take_baselines(kd2m_plan *plan) {
    static const char *const usual[] = {"ce", "kd"};
    const size_t most = sizeof plan->baselines / sizeof *plan->baselines;
    const json_t *given = json_object_get(plan->root, "baselines");
    if (given && (!json_is_array(given) || json_array_size(given) > most))
        return kd2m_fail(plan->context, KD2M_ERROR_USAGE,
                         "\"baselines\" must be a list of at most %zu methods' names", most);
    for (size_t k = 0; k < (given ? json_array_size(given) : most); k++) {
        const char *name = given ? json_string_value(json_array_get(given, k)) : usual[k];
        bool found = false;
        for (size_t i = 0; i < plan->method_count && name; i++)
            found |= strcmp(plan->methods[i].part.name, name) == 0;
        if (found)
            plan->baselines[plan->baseline_count++] = name;
        else if (given)
            return kd2m_fail(plan->context, KD2M_ERROR_USAGE,
                             "\"baselines\" names '%s', which is no method of the plan",
                             name ? name : "something");
    }
    return KD2M_OK;
}

static kd2m_status take_budget(kd2m_plan *plan) {
    static const char *const keys[] = {"candidates", "rungs", "eta"};
    kd2m_context *context = plan->context;
    const json_t *budget = json_object_get(plan->root, "budget");
    kd2m_status status = KD2M_OK;
    if (budget)
        KD2M_TRY(check_keys(context, budget, "\"budget\"", keys, sizeof keys / sizeof *keys));
    KD2M_TRY(
        take_count(context, budget, "\"budget\"", "candidates", 4, 1, 1000, &plan->candidates));
    KD2M_TRY(take_count(context, budget, "\"budget\"", "rungs", 2, 1, 10, &plan->rungs));
    KD2M_TRY(take_count(context, budget, "\"budget\"", "eta", 2, 2, 10, &plan->eta));
    if (plan->candidates == 1)
        plan->rungs = 0; /* it has won already */
    KD2M_TRY(take_count(context, plan->root, "the plan", "seeds", 5, 2, 1000, &plan->seeds));
cleanup:
    return status;
}

/* What candidates are chosen by, and the alarm that it may be about. */
static kd2m_status take_score(kd2m_plan *plan) {
    static const char *const keys[] = {"class", "false_alarm_rate"};
    kd2m_context *context = plan->context;
    const json_t *alarm = json_object_get(plan->root, "alarm");
    size_t number;
    kd2m_status status = KD2M_OK;
    plan->alarm_class = -1;
    KD2M_TRY(take_text(context, plan->root, "the plan", "score", true, &plan->score));
    if (!plan->score)
        plan->score = "accuracy";
    if (alarm) {
        const json_t *rate = json_object_get(alarm, "false_alarm_rate");
        KD2M_TRY(check_keys(context, alarm, "\"alarm\"", keys, sizeof keys / sizeof *keys));
        KD2M_TRY(take_count(context, alarm, "\"alarm\"", "class", 0, 0, INT32_MAX, &number));
        plan->alarm_class = (int32_t)number;
        plan->false_alarm_rate = rate ? json_number_value(rate) : 0.01;
        if (rate && (!json_is_number(rate) || !(plan->false_alarm_rate >= 0) ||
                     !(plan->false_alarm_rate <= 1))) {
            status = kd2m_fail(context, KD2M_ERROR_USAGE,
                               "\"alarm\": \"false_alarm_rate\" must be a share from 0 to 1");
            goto cleanup;
        }
    }
    KD2M_TRY(kd2m_score_check(plan, plan->score));
cleanup:
    return status;
}

/* ---- the whole ---- */

/* KD2M_ERROR_USAGE unless all settings of all trainings are what they should be. */
static kd2m_status check_settings(const kd2m_plan *plan) {
    json_t *settings = NULL;
    kd2m_train_settings values;
    kd2m_status status = KD2M_OK;
    for (size_t d = 0; d < plan->data_count; d++) {
        if (!plan->data[d].teacher_path) {
            KD2M_TRY(kd2m_plan_teacher(plan, d, &settings));
            KD2M_TRY(kd2m_plan_settings(plan->context, settings, &values));
            json_decref(settings);
            settings = NULL;
        }
        for (size_t s = 0; s < plan->student_count; s++)
            for (size_t m = 0; m < plan->method_count; m++) {
                KD2M_TRY(kd2m_plan_candidate(plan, d, s, m, 0, &settings));
                KD2M_TRY(kd2m_plan_settings(plan->context, settings, &values));
                if (values.validation <= 0) {
                    status = kd2m_fail(plan->context, KD2M_ERROR_USAGE,
                                       "\"validation\" is 0, but a study chooses by validation");
                    goto cleanup;
                }
                json_decref(settings);
                settings = NULL;
            }
    }
cleanup:
    json_decref(settings);
    return status;
}

static kd2m_status take_all(kd2m_plan *plan) {
    static const char *const keys[] = {"format", "settings", "data",      "students", "methods",
                                       "budget", "seeds",    "baselines", "score",    "alarm"};
    kd2m_context *context = plan->context;
    size_t format;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check_keys(context, plan->root, "the plan", keys, sizeof keys / sizeof *keys));
    KD2M_TRY(take_count(context, plan->root, "the plan", "format", KD2M_PLAN_FORMAT,
                        KD2M_PLAN_FORMAT, KD2M_PLAN_FORMAT, &format));
    plan->settings = json_object_get(plan->root, "settings");
    if (plan->settings && !json_is_object(plan->settings))
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "\"settings\" must be an object of training settings");
    KD2M_TRY(take_data(plan));
    KD2M_TRY(take_parts(context, plan->root, "a student", "students", "model", false,
                        &plan->students, &plan->student_count));
    KD2M_TRY(take_methods(plan));
    KD2M_TRY(take_baselines(plan));
    KD2M_TRY(take_budget(plan));
    KD2M_TRY(take_score(plan));
    KD2M_TRY(check_settings(plan));
cleanup:
    return status;
}

kd2m_status kd2m_plan_take(kd2m_plan **out, kd2m_context *context, json_t *root, const char *name) {
    *out = NULL;
    kd2m_plan *plan = NULL;
    kd2m_status status = kd2m_alloc(context, (void **)&plan, 1, sizeof *plan);
    if (status != KD2M_OK) {
        json_decref(root);
        return status;
    }
    plan->context = context;
    plan->root = root;
    status = take_all(plan);
    if (status != KD2M_OK) {
        kd2m_plan_free(plan);
        return kd2m_fail_within(context, status, "%s", name);
    }
    *out = plan;
    return KD2M_OK;
}

kd2m_status kd2m_plan_read(kd2m_plan **out, kd2m_context *context, const char *path) {
    json_t *root = NULL;
    *out = NULL;
    kd2m_status status = kd2m_json_read(context, &root, path);
    return status == KD2M_OK ? kd2m_plan_take(out, context, root, path) : status;
}

void kd2m_plan_free(kd2m_plan *plan) {
    if (!plan)
        return;
    kd2m_context *context = plan->context;
    for (size_t i = 0; i < plan->data_count; i++)
        kd2m_free(context, plan->data[i].shifts);
    kd2m_free(context, plan->data);
    kd2m_free(context, plan->students);
    kd2m_free(context, plan->methods);
    json_decref(plan->root);
    kd2m_free(context, plan);
}
