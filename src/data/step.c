/* Chains of steps: see step.h. Time linear in the text. */
#include "step.h"

#include <string.h>

#include "context.h"
#include "memory.h"
#include "text.h"

static kd2m_status find_kind(kd2m_context *context, const char *text, const kd2m_spec *spec,
                             const kd2m_step_catalogue *catalogue, const kd2m_step_kind **out) {
    const char *names[KD2M_STEPS_MAX];
    for (size_t i = 0; i < catalogue->count; i++) {
        names[i] = catalogue->kinds[i]->name;
        if (strcmp(spec->name, names[i]) == 0) {
            *out = catalogue->kinds[i];
            return spec->inner ? kd2m_spec_fail(context, text, spec->inner->position,
                                                "'%s' takes nothing in brackets", spec->name)
                               : KD2M_OK;
        }
    }
    const char *near = kd2m_nearest_name(spec->name, names, catalogue->count);
    return kd2m_spec_fail(context, text, spec->position,
                          near ? "unknown %s '%s' (did you mean '%s'?)"
                               : "unknown %s '%s' ('kd2m data --transforms' lists them all)",
                          catalogue->what, spec->name, near);
}

/* Reads the step at text[*at] and appends its plain form to `plain`. */
static kd2m_status read_step(kd2m_step *step, kd2m_text *plain, const char *text, size_t *at,
                             const kd2m_step_catalogue *catalogue) {
    kd2m_context *context = plain->context;
    char *shortest = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_spec_parse_embedded(&step->spec, context, text, at));
    KD2M_TRY(find_kind(context, text, step->spec, catalogue, &step->kind));
    KD2M_TRY(kd2m_alloc(context, &step->parameters, 1, step->kind->parameters_size));
    kd2m_settings_default(&step->kind->parameters, step->parameters);
    KD2M_TRY(kd2m_spec_settings(context, step->spec, step->kind->bare, &step->kind->parameters,
                                step->parameters));
    KD2M_TRY(kd2m_spec_text(context, &shortest, step->spec));
    KD2M_TRY(kd2m_text_append(plain, plain->length > 0 ? "+%s" : "%s", shortest));
cleanup:
    kd2m_free(context, shortest);
    return status;
}

static size_t skip_space(const char *text, size_t at) {
    return at + strspn(text + at, " \t\n");
}

kd2m_status kd2m_steps_parse(kd2m_steps *out, kd2m_context *context, const char *text,
                             const kd2m_step_catalogue *catalogue) {
    *out = (kd2m_steps){0};
    kd2m_text plain = {context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    size_t at = skip_space(text ? text : "", 0);
    if (text && strnlen(text, KD2M_SPEC_LENGTH + 1) > KD2M_SPEC_LENGTH)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "a %s of more than %d bytes", catalogue->what,
                         KD2M_SPEC_LENGTH);
    KD2M_TRY(kd2m_text_append(&plain, "%s", ""));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->items, KD2M_STEPS_MAX, sizeof *out->items));
    for (bool more = text && text[at] != '\0'; more; at = skip_space(text, at + more)) {
        if (out->count == KD2M_STEPS_MAX) {
            status = kd2m_spec_fail(context, text, at, "more than %d steps", KD2M_STEPS_MAX);
            goto cleanup;
        }
        KD2M_TRY(read_step(&out->items[out->count++], &plain, text, &at, catalogue));
        at = skip_space(text, at);
        more = text[at] == '+';
        if (!more && text[at] != '\0') {
            status = kd2m_spec_fail(context, text, at, "'+' or the end is expected");
            goto cleanup;
        }
    }
    out->text = plain.text;
    plain.text = NULL;
cleanup:
    kd2m_free(context, plain.text);
    if (status != KD2M_OK)
        kd2m_steps_clear(context, out);
    return status;
}

void kd2m_steps_clear(kd2m_context *context, kd2m_steps *steps) {
    for (size_t i = 0; i < steps->count; i++) {
        kd2m_free(context, steps->items[i].parameters);
        kd2m_spec_free(context, steps->items[i].spec);
    }
    kd2m_free(context, steps->items);
    kd2m_free(context, steps->text);
    *steps = (kd2m_steps){0};
}

static kd2m_status check_dims(kd2m_context *context, const kd2m_shape *shape, size_t dims,
                              const char *wanted) {
    char text[KD2M_SHAPE_TEXT];
    if (shape->dims == dims)
        return KD2M_OK;
    kd2m_shape_text(text, shape->dims, shape->sizes);
    return kd2m_fail(context, KD2M_ERROR_INPUT, "takes %s, not samples of %s%s", wanted, text,
                     shape->dims == 1 ? " columns (npy: as=signal)" : "");
}

kd2m_status kd2m_check_signal(kd2m_context *context, const kd2m_shape *shape) {
    return check_dims(context, shape, 2, "signals, channels x length");
}

kd2m_status kd2m_check_image(kd2m_context *context, const kd2m_shape *shape) {
    return check_dims(context, shape, 3, "images, channels x height x width");
}

kd2m_status kd2m_steps_list_name(kd2m_table *table, const char *what, const char *name,
                                 const char *meaning) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "what", what));
    KD2M_TRY(kd2m_table_set_text(table, "name", name));
    KD2M_TRY(kd2m_table_set_text(table, "meaning", meaning));
cleanup:
    return status;
}

static kd2m_status list_key(kd2m_table *table, const char *what, const char *name,
                            const kd2m_setting *setting) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_steps_list_name(table, what, name, setting->help));
    KD2M_TRY(kd2m_table_set_text(table, "key", setting->name));
    KD2M_TRY(kd2m_table_set_text(table, "value", setting->metavar));
    if (setting->fallback)
        KD2M_TRY(kd2m_table_set_text(table, "default", setting->fallback));
cleanup:
    return status;
}

kd2m_status kd2m_steps_list(kd2m_table *table, const kd2m_step_catalogue *catalogue) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < catalogue->count; i++) {
        const kd2m_step_kind *kind = catalogue->kinds[i];
        KD2M_TRY(kd2m_steps_list_name(table, catalogue->what, kind->name, kind->summary));
        for (size_t k = 0; k < kind->parameters.count; k++)
            KD2M_TRY(list_key(table, catalogue->what, kind->name, &kind->parameters.rows[k]));
    }
cleanup:
    return status;
}
