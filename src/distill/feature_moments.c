/*
 * Moments as rows. A law with mean m and standard deviations s, feature by feature, has the same
 * mean and variances as the two rows m + s and m - s; of several classes each gives its two rows,
 * with half the class's share as their weight. So a metric that looks at means and variances alone
 * (KD2M_METRIC_MOMENTS) needs to know nothing of where they came from.
 *
 * Rows are float32: where s is below about 1e-7 |m|, both rows round to one number and the variance
 * is lost, as it would be in float32 features themselves. How many are is told in the log.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "elements.h"
#include "feature_file.h"
#include "memory.h"

typedef enum moment_part { MEAN, VARIANCE, COVARIANCE, WEIGHT, PARTS } moment_part;

static const char *const endings[PARTS] = {".mean", ".variance", ".covariance", ".weight"};

/* What a tensor of moments is of: the length of its layer's name; false for other tensors. */
static bool split_name(const char *name, size_t *length, moment_part *part) {
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name)
        return false;
    *length = (size_t)(dot - name);
    for (*part = MEAN; *part < PARTS; (*part)++)
        if (strcmp(dot, endings[*part]) == 0)
            return true;
    return false;
}

/* Another part of what `name` is of, or NULL. */
static const kd2m_tensor *find_part(const kd2m_tensors *tensors, const char *name, size_t length,
                                    moment_part part) {
    char other[KD2M_TENSOR_NAME + 16];
    snprintf(other, sizeof other, "%.*s%s", (int)length, name, endings[part]);
    return kd2m_tensors_find(tensors, other);
}

bool kd2m_feature_moments(const kd2m_tensors *tensors) {
    size_t length;
    moment_part part;
    for (size_t i = 0; i < tensors->count; i++) {
        const char *name = tensors->items[i].name;
        if (split_name(name, &length, &part) && part == MEAN &&
            (find_part(tensors, name, length, VARIANCE) ||
             find_part(tensors, name, length, COVARIANCE)))
            return true;
    }
    return false;
}

/* Number i of a tensor of any type. */
static double number(const kd2m_tensor *tensor, size_t i) {
    switch (tensor->type) {
    case KD2M_TENSOR_F32:
        return (double)((const float *)tensor->values)[i];
    case KD2M_TENSOR_F64:
        return ((const double *)tensor->values)[i];
    case KD2M_TENSOR_I32:
        return (double)((const int32_t *)tensor->values)[i];
    case KD2M_TENSOR_I64:
        return (double)((const int64_t *)tensor->values)[i];
    case KD2M_TENSOR_U8:
        return (double)((const uint8_t *)tensor->values)[i];
    }
    return NAN;
}

static kd2m_status check_numbers(kd2m_context *context, const kd2m_tensor *tensor, double least) {
    for (size_t i = 0; i < tensor->count; i++) {
        double value = number(tensor, i);
        if (!isfinite(value) || value < least)
            return kd2m_fail(context, KD2M_ERROR_INPUT, "'%s' holds %g at place %zu%s",
                             tensor->name, value, i,
                             isfinite(value) ? ", which must not be negative" : "");
    }
    return KD2M_OK;
}

/* Groups of a mean: classes, or 1 of them all. */
static size_t groups_of(const kd2m_tensor *mean) {
    return mean->dims == 2 ? mean->shape[0] : 1;
}

static kd2m_status check_pair(kd2m_context *context, const kd2m_tensor *mean,
                              const kd2m_tensor *variance) {
    kd2m_status status = KD2M_OK;
    bool same = mean->dims == variance->dims;
    for (size_t i = 0; i < mean->dims && same; i++)
        same = mean->shape[i] == variance->shape[i];
    if (mean->dims < 1 || mean->dims > 2 || mean->count == 0 || !same)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "'%s' and '%s' must both be [d], or for each class [C,d]", mean->name,
                         variance->name);
    KD2M_TRY(check_numbers(context, mean, -INFINITY));
    KD2M_TRY(check_numbers(context, variance, 0));
cleanup:
    return status;
}

/* Adds the two rows of each group of `mean` as a tensor of `name`; adds to *flat the features that
 * spread less than float32 tells. */
static kd2m_status add_rows(kd2m_tensors *rows, const char *name, const kd2m_tensor *mean,
                            const kd2m_tensor *variance, size_t *flat) {
    kd2m_tensor *made;
    size_t groups = groups_of(mean), dim = mean->count / groups;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tensors_add(rows, &made, name, KD2M_TENSOR_F32, 2, (size_t[]){2 * groups, dim}));
    float *values = made->values;
    for (size_t i = 0; i < mean->count; i++) {
        double centre = number(mean, i), sd = sqrt(number(variance, i));
        size_t at = i / dim * 2 * dim + i % dim;
        values[at] = (float)(centre + sd);
        values[at + dim] = (float)(centre - sd);
        if (!isfinite(values[at]) || !isfinite(values[at + dim])) {
            status = kd2m_fail(rows->context, KD2M_ERROR_INPUT,
                               "'%s': mean %g and sd %g at place %zu are beyond float32",
                               mean->name, centre, sd, i);
            goto cleanup;
        }
        *flat += sd > 0 && !(values[at] > values[at + dim]);
    }
cleanup:
    return status;
}

/* Adds the rows of a layer whose mean this is. */
static kd2m_status add_layer(kd2m_tensors *rows, const kd2m_tensors *moments,
                             const kd2m_tensor *mean, size_t length, size_t *flat) {
    kd2m_context *context = rows->context;
    const kd2m_tensor *variance = find_part(moments, mean->name, length, VARIANCE);
    char *name = NULL;
    kd2m_status status = KD2M_OK;
    if (!variance)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         find_part(moments, mean->name, length, COVARIANCE)
                             ? "'%.*s.covariance': no metric uses whole covariances yet; give "
                               "their diagonal as '%.*s.variance'"
                             : "'%.*s.mean' is there, but no '%.*s.variance'",
                         (int)length, mean->name, (int)length, mean->name);
    KD2M_TRY(check_pair(context, mean, variance));
    KD2M_TRY(kd2m_text_copy(context, &name, mean->name));
    name[length] = '\0';
    KD2M_TRY(add_rows(rows, name, mean, variance, flat));
cleanup:
    kd2m_free(context, name);
    return status;
}

static kd2m_status add_layers(kd2m_tensors *rows, const kd2m_tensors *moments) {
    size_t length, flat = 0;
    moment_part part;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < moments->count; i++) {
        const kd2m_tensor *tensor = &moments->items[i];
        if (!split_name(tensor->name, &length, &part) ||
            !find_part(moments, tensor->name, length, MEAN)) {
            status = kd2m_fail(rows->context, KD2M_ERROR_INPUT,
                               "holds moments and beside them '%s': moments are NAME.mean, "
                               "NAME.variance and NAME.weight, nothing else goes with them",
                               tensor->name);
            goto cleanup;
        }
        if (part == MEAN)
            KD2M_TRY(add_layer(rows, moments, tensor, length, &flat));
    }
    if (flat > 0)
        kd2m_log(rows->context, KD2M_LOG_WARNING,
                 "%zu of the moments' variances are too small beside their means for float32, and "
                 "count as 0",
                 flat);
cleanup:
    return status;
}

/* The one tensor of weights, or one of several that say the same; NULL if there is none. */
static kd2m_status find_weights(const kd2m_tensors *moments, size_t groups,
                                const kd2m_tensor **out) {
    kd2m_context *context = moments->context;
    size_t length;
    moment_part part;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    for (size_t i = 0; i < moments->count; i++) {
        const kd2m_tensor *tensor = &moments->items[i];
        bool same = true;
        if (!split_name(tensor->name, &length, &part) || part != WEIGHT)
            continue;
        if (tensor->dims != 1 || tensor->count != groups)
            return kd2m_fail(context, KD2M_ERROR_INPUT, "'%s' must hold %zu numbers, one a class",
                             tensor->name, groups);
        KD2M_TRY(check_numbers(context, tensor, 0));
        for (size_t k = 0; *out && k < groups; k++)
            same = same && number(*out, k) >= number(tensor, k) &&
                   number(*out, k) <= number(tensor, k);
        if (!same)
            return kd2m_fail(context, KD2M_ERROR_INPUT,
                             "'%s' and '%s' differ: classes have one weight each", (*out)->name,
                             tensor->name);
        *out = tensor;
    }
cleanup:
    return status;
}

static kd2m_status make_weights(double **out, const kd2m_tensors *moments, size_t groups,
                                bool by_class) {
    kd2m_context *context = moments->context;
    const kd2m_tensor *given;
    double total = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(find_weights(moments, groups, &given));
    if (by_class && !given) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "has moments of %zu classes but not their weights: give "
                           "'features.weight', the number of each class's samples",
                           groups);
        goto cleanup;
    }
    for (size_t c = 0; given && c < groups; c++)
        total += number(given, c);
    if (given && !(total > 0 && isfinite(total))) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "the numbers of '%s' sum to %g", given->name,
                           total);
        goto cleanup;
    }
    KD2M_TRY(kd2m_alloc(context, (void **)out, 2 * groups, sizeof **out));
    for (size_t i = 0; i < 2 * groups; i++)
        (*out)[i] = given ? number(given, i / 2) / total / 2 : 0.5 / (double)groups;
cleanup:
    return status;
}

/* Whether the moments, which fit each other, are by class. */
static bool is_by_class(const kd2m_tensors *moments) {
    size_t length;
    moment_part part;
    for (size_t i = 0; i < moments->count; i++)
        if (split_name(moments->items[i].name, &length, &part) && part == MEAN)
            return moments->items[i].dims == 2;
    return false;
}

kd2m_status kd2m_feature_moments_to_rows(kd2m_tensors **out, double **weights,
                                         const kd2m_tensors *moments) {
    *out = NULL;
    *weights = NULL;
    kd2m_tensors *rows = NULL;
    kd2m_tensor *labels;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tensors_create(&rows, moments->context));
    KD2M_TRY(add_layers(rows, moments));
    size_t count = rows->items[0].shape[0]; /* there is one: kd2m_feature_moments */
    bool by_class = is_by_class(moments);
    KD2M_TRY(make_weights(weights, moments, count / 2, by_class));
    if (by_class) {
        KD2M_TRY(kd2m_tensors_add(rows, &labels, "labels", KD2M_TENSOR_I32, 1, (size_t[]){count}));
        for (size_t i = 0; i < count; i++)
            ((int32_t *)labels->values)[i] = (int32_t)(i / 2);
    }
    *out = rows;
    rows = NULL;
cleanup:
    if (status != KD2M_OK) {
        kd2m_free(moments->context, *weights);
        *weights = NULL;
    }
    kd2m_tensors_free(rows);
    return status;
}
