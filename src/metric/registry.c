/* The table of all metrics, as metrics.def lists them. */
#include "metric.h"

#include <stdio.h>
#include <string.h>

#include "context.h"

#define KD2M_METRIC(name) &kd2m_metric_descriptor_##name,
static const kd2m_metric_descriptor *const registry[] = {
#include "metrics.def"
};
#undef KD2M_METRIC

enum { registry_count = sizeof registry / sizeof *registry };

const kd2m_metric_descriptor *kd2m_metric_registry(size_t index) {
    return index < registry_count ? registry[index] : NULL;
}

kd2m_status kd2m_metric_find(const kd2m_metric_descriptor **out, kd2m_context *context,
                             const kd2m_spec *spec, const char *text) {
    const char *names[registry_count];
    *out = NULL;
    for (size_t i = 0; i < registry_count; i++) {
        names[i] = registry[i]->name;
        if (strcmp(spec->name, names[i]) == 0)
            *out = registry[i];
    }
    if (*out)
        return KD2M_OK;
    const char *near = kd2m_nearest_name(spec->name, names, registry_count);
    return kd2m_spec_fail(context, text, spec->position,
                          near ? "unknown metric '%s' (did you mean '%s'?)"
                               : "unknown metric '%s' ('kd2m metrics' lists them all)",
                          spec->name, near);
}

static const struct {
    unsigned trait;
    const char *word;
} trait_words[] = {
    {KD2M_METRIC_PAIRED, "paired"},           {KD2M_METRIC_ON_LOGITS, "logits"},
    {KD2M_METRIC_LABELS, "labels"},           {KD2M_METRIC_ZERO, "zero"},
    {KD2M_METRIC_SYMMETRIC, "symmetric"},     {KD2M_METRIC_TRANSLATION, "translation"},
    {KD2M_METRIC_ROTATION, "rotation"},       {KD2M_METRIC_PERMUTATION, "permutation"},
    {KD2M_METRIC_TRANSPORT, "transport"},     {KD2M_METRIC_ANY_WIDTH, "any-width"},
    {KD2M_METRIC_WEIGHTS, "weights"},         {KD2M_METRIC_SCALING, "scaling"},
    {KD2M_METRIC_WITH_LOGITS, "with-logits"}, {KD2M_METRIC_MOMENTS, "moments"},
};

/* Appends to text[size], as much as fits. */
static void append(char *text, size_t size, const char *separator, const char *part) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used > 0 ? separator : "", part);
}

/* 'kernel=rbf|linear, sigma=0': a choice's default is its first word. */
static void write_parameters(char *text, size_t size, const kd2m_setting_list *list) {
    text[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const kd2m_setting *setting = &list->rows[i];
        append(text, size, ", ", setting->name);
        append(text, size, "=",
               setting->type == KD2M_SETTING_CHOICE ? setting->metavar : setting->fallback);
    }
}

static void write_traits(char *text, size_t size, unsigned traits) {
    text[0] = '\0';
    for (size_t i = 0; i < sizeof trait_words / sizeof *trait_words; i++)
        if (traits & trait_words[i].trait)
            append(text, size, " ", trait_words[i].word);
}

static kd2m_status add_metric(kd2m_table *table, const kd2m_metric_descriptor *descriptor) {
    kd2m_status status = KD2M_OK;
    char text[512];
    KD2M_TRY(kd2m_table_add_row(table));
    snprintf(text, sizeof text, descriptor->wraps ? "%s(METRIC)" : "%s", descriptor->name);
    KD2M_TRY(kd2m_table_set_text(table, "name", text));
    write_parameters(text, sizeof text, &descriptor->settings);
    if (text[0] != '\0')
        KD2M_TRY(kd2m_table_set_text(table, "parameters", text));
    if (!descriptor->wraps && (descriptor->traits & KD2M_METRIC_SCALING))
        KD2M_TRY(kd2m_table_set_real(table, "degree", descriptor->degree));
    write_traits(text, sizeof text, descriptor->traits);
    KD2M_TRY(kd2m_table_set_text(table, "traits", text));
    KD2M_TRY(kd2m_table_set_text(table, "summary", descriptor->summary));
    KD2M_TRY(kd2m_table_set_text(table, "source", descriptor->source));
cleanup:
    return status;
}

kd2m_status kd2m_metric_table(kd2m_table **out, kd2m_context *context) {
    static const kd2m_table_column columns[] = {
        {"name", "metric", KD2M_COLUMN_TEXT, 0},
        {"parameters", "parameters", KD2M_COLUMN_TEXT, 0},
        {"degree", "degree", KD2M_COLUMN_REAL, 0},
        {"traits", "traits", KD2M_COLUMN_TEXT, 0},
        {"summary", "what it is", KD2M_COLUMN_TEXT, 0},
        {"source", "source", KD2M_COLUMN_TEXT, 0},
    };
    kd2m_status status = KD2M_OK;
    kd2m_table *table = NULL;
    *out = NULL;
    KD2M_TRY(kd2m_table_create(&table, context, "metrics"));
    KD2M_TRY(kd2m_table_add_columns(table, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < registry_count; i++)
        KD2M_TRY(add_metric(table, registry[i]));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    return status;
}
