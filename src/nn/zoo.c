/* The zoo: from a spec to a graph, by the table in zoo.def. Time and memory O(nodes). */
#include "zoo.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "architecture.h"
#include "context.h"
#include "memory.h"
#include "spec.h"

#define KD2M_ARCHITECTURE(name) extern const kd2m_architecture kd2m_architecture_##name;
#include "zoo.def"
#undef KD2M_ARCHITECTURE

static const kd2m_architecture *const architectures[] = {
#define KD2M_ARCHITECTURE(name) &kd2m_architecture_##name,
#include "zoo.def"
#undef KD2M_ARCHITECTURE
};

#define ARCHITECTURE_COUNT (sizeof architectures / sizeof *architectures)

kd2m_status kd2m_builder_add(kd2m_builder *builder, const char *op, const char *name_format, ...) {
    char name[sizeof builder->graph->nodes->name];
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    size_t input = builder->last;
    return kd2m_graph_add(builder->graph, &builder->last, op, name, input);
}

kd2m_status kd2m_builder_set(kd2m_builder *builder, const char *key, double value) {
    return kd2m_graph_set(builder->graph, builder->last, key, value);
}

kd2m_status kd2m_builder_classify(kd2m_builder *builder) {
    kd2m_graph *graph = builder->graph;
    kd2m_status status = KD2M_OK;
    graph->features = builder->last;
    KD2M_TRY(kd2m_builder_add(builder, "linear", "classifier"));
    KD2M_TRY(kd2m_builder_set(builder, "out", (double)graph->classes));
    graph->logits = builder->last;
cleanup:
    return status;
}

size_t kd2m_builder_width(double width, double factor) {
    return (size_t)fmax(1.0, round(width * factor));
}

/* Whether `name` is the architecture's, followed by one of its variants if it has any. */
static bool has_name(const kd2m_architecture *architecture, const char *name, size_t *variant) {
    char number[24];
    size_t length = strlen(architecture->name);
    *variant = 0;
    if (strncmp(name, architecture->name, length) != 0)
        return false;
    if (!architecture->variants)
        return name[length] == '\0';
    for (const size_t *known = architecture->variants; *known; known++) {
        snprintf(number, sizeof number, "%zu", *known);
        if (strcmp(name + length, number) == 0)
            *variant = *known;
    }
    return *variant != 0;
}

#define NAMES 64
typedef char zoo_name[32];

/* All names, 'cnn1d', 'mlp', 'resnet8', ...; returns how many. */
static size_t list_names(zoo_name names[NAMES]) {
    size_t count = 0;
    for (size_t i = 0; i < ARCHITECTURE_COUNT; i++) {
        const size_t *variant = architectures[i]->variants;
        if (!variant && count < NAMES)
            snprintf(names[count++], sizeof *names, "%s", architectures[i]->name);
        for (; variant && *variant && count < NAMES; variant++)
            snprintf(names[count++], sizeof *names, "%s%zu", architectures[i]->name, *variant);
    }
    return count;
}

static kd2m_status fail_unknown(kd2m_context *context, const char *text, const kd2m_spec *spec) {
    zoo_name names[NAMES];
    const char *pointers[NAMES];
    char known[512] = "";
    size_t count = list_names(names), length = 0;
    for (size_t i = 0; i < count; i++) {
        pointers[i] = names[i];
        if (length < sizeof known)
            length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "",
                                       names[i]);
    }
    const char *near = kd2m_nearest_name(spec->name, pointers, count);
    return kd2m_spec_fail(
        context, text, spec->position, "unknown architecture '%s'%s%s%s; known: %s", spec->name,
        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", known);
}

static kd2m_status find_architecture(kd2m_context *context, const kd2m_architecture **out,
                                     size_t *variant, const char *text, const kd2m_spec *spec) {
    for (size_t i = 0; i < ARCHITECTURE_COUNT; i++) {
        if (has_name(architectures[i], spec->name, variant)) {
            *out = architectures[i];
            return KD2M_OK;
        }
    }
    return fail_unknown(context, text, spec);
}

kd2m_status kd2m_zoo_build(kd2m_graph **out, kd2m_context *context, const char *spec, size_t dims,
                           const size_t shape[3], size_t classes) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    const kd2m_architecture *architecture = NULL;
    kd2m_builder builder = {0};
    kd2m_spec *parsed = NULL;
    char *canonical = NULL;
    void *parameters = NULL;
    KD2M_TRY(kd2m_spec_parse(&parsed, context, spec));
    KD2M_TRY(find_architecture(context, &architecture, &builder.variant, spec, parsed));
    if (parsed->inner) {
        status = kd2m_spec_fail(context, spec, parsed->inner->position,
                                "'%s' takes nothing in parentheses", architecture->name);
        goto cleanup;
    }
    KD2M_TRY(kd2m_alloc(context, &parameters, 1, architecture->parameters_size));
    kd2m_settings_default(&architecture->parameters, parameters);
    KD2M_TRY(kd2m_spec_settings(context, parsed, architecture->bare, &architecture->parameters,
                                parameters));
    KD2M_TRY(kd2m_spec_text(context, &canonical, parsed));
    KD2M_TRY(kd2m_graph_create(&builder.graph, context, canonical, dims, shape, classes));
    KD2M_TRY(architecture->build(&builder, parameters));
    *out = builder.graph;
    builder.graph = NULL;
cleanup:
    kd2m_graph_free(builder.graph);
    kd2m_free(context, parameters);
    kd2m_text_free(context, canonical);
    kd2m_spec_free(context, parsed);
    return status;
}

kd2m_status kd2m_zoo_projector(kd2m_graph **out, kd2m_context *context, size_t from, size_t to) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_builder builder = {0};
    char name[64];
    snprintf(name, sizeof name, "projector:%zu-%zu", from, to);
    KD2M_TRY(kd2m_graph_create(&builder.graph, context, name, 1, (size_t[3]){from}, to));
    KD2M_TRY(kd2m_builder_add(&builder, "linear", "projector"));
    KD2M_TRY(kd2m_builder_set(&builder, "out", (double)to));
    KD2M_TRY(kd2m_builder_set(&builder, "bias", 0));
    builder.graph->features = builder.last;
    builder.graph->logits = builder.last;
    *out = builder.graph;
    builder.graph = NULL;
cleanup:
    kd2m_graph_free(builder.graph);
    return status;
}
