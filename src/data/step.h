/*
 * Chains of steps, 'crop:pad=4+flip': what transforms and augmentations have in common.
 *
 *   chain := step { '+' step }        step := name [ ':' key '=' value { ',' key '=' value } ]
 *
 * An empty text is a chain of no steps.
 */
#ifndef KD2M_DATA_STEP_H
#define KD2M_DATA_STEP_H

#include "kd2m/settings.h"
#include "kd2m/table.h"
#include "shape.h"
#include "spec.h"

#define KD2M_STEPS_MAX 32

/* What a step says of itself: the first member of every descriptor. */
typedef struct kd2m_step_kind {
    const char *name;
    const char *summary;
    const char *bare; /* the key that a value without a key stands for, or NULL */
    kd2m_setting_list parameters;
    size_t parameters_size; /* of the settings struct */
} kd2m_step_kind;

/* All kinds that a chain may name. */
typedef struct kd2m_step_catalogue {
    const char *what; /* 'transform', for messages */
    const kd2m_step_kind *const *kinds;
    size_t count;
} kd2m_step_catalogue;

typedef struct kd2m_step {
    const kd2m_step_kind *kind;
    void *parameters; /* its settings struct; owned, its texts lie in `spec` */
    kd2m_spec *spec;  /* owned */
} kd2m_step;

typedef struct kd2m_steps {
    kd2m_step *items; /* owned */
    size_t count;
    char *text; /* the chain in one plain form: equal texts, equal chains; owned */
} kd2m_steps;

/* Reads a chain (NULL is empty). On failure *out is zeroed. Errors: KD2M_ERROR_USAGE with the
 * place and the nearest name, KD2M_ERROR_MEMORY. */
kd2m_status kd2m_steps_parse(kd2m_steps *out, kd2m_context *context, const char *text,
                             const kd2m_step_catalogue *catalogue);
void kd2m_steps_clear(kd2m_context *context, kd2m_steps *steps);

/* KD2M_ERROR_INPUT unless samples are signals, C x L, or images, C x H x W. */
kd2m_status kd2m_check_signal(kd2m_context *context, const kd2m_shape *shape);
kd2m_status kd2m_check_image(kd2m_context *context, const kd2m_shape *shape);

/* Adds a row to a table as below: a name and what it means. */
kd2m_status kd2m_steps_list_name(kd2m_table *table, const char *what, const char *name,
                                 const char *meaning);

/* Adds a catalogue's kinds and their keys to a table with the columns 'what', 'name', 'key',
 * 'value', 'default' and 'meaning'. */
kd2m_status kd2m_steps_list(kd2m_table *table, const kd2m_step_catalogue *catalogue);

#endif
