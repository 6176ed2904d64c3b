/*
 * Units: a descriptor with its settings and, for name(M), the unit inside. Making them from a
 * spec, writing them out again, and running their hooks with the constants that belong to a group.
 */
#include "metric.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"

/* Says whether the parentheses of a spec suit its descriptor. */
static kd2m_status check_nesting(kd2m_context *context, const kd2m_metric_descriptor *descriptor,
                                 const kd2m_spec *spec, const char *text) {
    if (descriptor->wraps && !spec->inner)
        return kd2m_spec_fail(context, text, spec->position,
                              "'%s' is written around another metric, as in %s(w2)", spec->name,
                              spec->name);
    if (!descriptor->wraps && spec->inner)
        return kd2m_spec_fail(context, text, spec->inner->position,
                              "'%s' takes no metric in parentheses", spec->name);
    return KD2M_OK;
}

kd2m_status kd2m_metric_unit_create(kd2m_metric_unit **out, kd2m_context *context,
                                    const kd2m_spec *spec, const char *text) {
    kd2m_status status = KD2M_OK;
    kd2m_metric_unit *unit = NULL;
    const kd2m_metric_descriptor *descriptor = NULL;
    *out = NULL;
    KD2M_TRY(kd2m_metric_find(&descriptor, context, spec, text));
    KD2M_TRY(check_nesting(context, descriptor, spec, text));
    KD2M_TRY(kd2m_alloc(context, (void **)&unit, 1, sizeof *unit));
    unit->descriptor = descriptor;
    unit->traits = descriptor->traits;
    unit->degree = descriptor->degree;
    unit->least_rows = descriptor->least_rows;
    while (unit->constant_count < KD2M_METRIC_MAX_CONSTANTS &&
           descriptor->constant_names[unit->constant_count])
        unit->constant_count++;
    KD2M_TRY(kd2m_alloc(context, &unit->settings, 1, descriptor->settings_size));
    kd2m_settings_default(&descriptor->settings, unit->settings);
    KD2M_TRY(kd2m_spec_settings(context, spec, NULL, &descriptor->settings, unit->settings));
    if (spec->inner) {
        KD2M_TRY(kd2m_metric_unit_create(&unit->inner, context, spec->inner, text));
        if (unit->inner->descriptor->wraps) {
            status = kd2m_spec_fail(context, text, spec->inner->position,
                                    "'%s' can't stand inside '%s'", spec->inner->name, spec->name);
            goto cleanup;
        }
    }
    if (descriptor->configure)
        KD2M_TRY(descriptor->configure(context, unit));
    *out = unit;
    unit = NULL;
cleanup:
    kd2m_metric_unit_free(context, unit);
    return status;
}

void kd2m_metric_unit_free(kd2m_context *context, kd2m_metric_unit *unit) {
    if (!unit)
        return;
    kd2m_metric_unit_free(context, unit->inner);
    kd2m_free(context, unit->settings);
    kd2m_free(context, unit);
}

/* The value that a spec gives a key, or the key's default: both as their author wrote them. */
static const char *written_value(const kd2m_spec *spec, const kd2m_setting *setting) {
    for (size_t i = spec->item_count; i-- > 0;)
        if (strcmp(spec->items[i].key, setting->name) == 0)
            return spec->items[i].value;
    return setting->fallback;
}

/* *out = a spec like `spec` with an item for every key; all texts borrowed. */
static kd2m_status write_out(kd2m_context *context, kd2m_spec *out, const kd2m_metric_unit *unit,
                             const kd2m_spec *spec) {
    const kd2m_setting_list *list = &unit->descriptor->settings;
    *out = (kd2m_spec){.name = spec->name, .inner = spec->inner};
    kd2m_status status = kd2m_alloc(context, (void **)&out->items, list->count, sizeof *out->items);
    for (size_t i = 0; status == KD2M_OK && i < list->count; i++)
        out->items[out->item_count++] =
            (kd2m_spec_item){.key = (char *)list->rows[i].name,
                             .value = (char *)written_value(spec, &list->rows[i])};
    return status;
}

kd2m_status kd2m_metric_unit_text(kd2m_context *context, char **out, const kd2m_metric_unit *unit,
                                  const kd2m_spec *spec) {
    kd2m_status status = KD2M_OK;
    kd2m_spec outer = {0}, inner = {0};
    *out = NULL;
    KD2M_TRY(write_out(context, &outer, unit, spec));
    if (unit->inner) {
        KD2M_TRY(write_out(context, &inner, unit->inner, spec->inner));
        outer.inner = &inner;
    }
    KD2M_TRY(kd2m_spec_text(context, out, &outer));
cleanup:
    kd2m_free(context, outer.items);
    kd2m_free(context, inner.items);
    return status;
}

/* The constants held for a group, NULL when there are none. */
static double *find_held(const kd2m_metric_held *held, int32_t group) {
    for (size_t i = 0; i < held->count; i++)
        if (held->items[i].group == group)
            return held->items[i].values;
    return NULL;
}

kd2m_status kd2m_metric_resolve(kd2m_metric_call *call, int32_t group) {
    kd2m_status status = KD2M_OK;
    if (call->unit->constant_count == 0 && !call->unit->inner)
        return KD2M_OK;
    /* Resolved apart, so that a failure leaves nothing half-held. */
    kd2m_metric_constants resolved = {.group = group};
    call->constants = resolved.values;
    KD2M_TRY(call->unit->descriptor->prepare(call));
    if (call->unit->constant_count == 0)
        goto cleanup;
    double *values = find_held(call->held, group);
    if (!values) {
        kd2m_metric_held *held = call->held;
        KD2M_TRY(kd2m_grow(call->context, (void **)&held->items, &held->capacity, held->count,
                           held->count + 1, sizeof *held->items));
        held->items[held->count].group = group;
        values = held->items[held->count++].values;
    }
    memcpy(values, resolved.values, sizeof resolved.values);
cleanup:
    call->constants = NULL;
    return status;
}

kd2m_status kd2m_metric_apply(kd2m_metric_call *call, int32_t group, kd2m_metric_result *result,
                              const kd2m_gradient *gradient) {
    kd2m_status status = KD2M_OK;
    void *left = NULL;
    *result = kd2m_metric_result_zero();
    call->carried = &left;
    if (call->unit->constant_count > 0) {
        size_t mark = call->arena->used;
        if (!find_held(call->held, group))
            KD2M_TRY(kd2m_metric_resolve(call, group));
        if (!left)
            kd2m_arena_rewind(call->arena, mark);
        call->constants = find_held(call->held, group);
    }
    KD2M_TRY(call->unit->descriptor->evaluate(call, result, gradient));
cleanup:
    call->carried = NULL;
    return status;
}

kd2m_metric_result kd2m_metric_result_zero(void) {
    return (kd2m_metric_result){.certificate = {.converged = 1}, .pair_share = NAN};
}
