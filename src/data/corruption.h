/*
 * What a corruption is: one kind of damage that 'corrupt:kind=NAME,severity=1..5' does to samples,
 * to see how a net bears data that are worse than those it was trained on. Kinds that are akin
 * share a file, corrupt_FAMILY.c; each is a descriptor listed in corruptions.def.
 */
#ifndef KD2M_DATA_CORRUPTION_H
#define KD2M_DATA_CORRUPTION_H

#include <stdbool.h>

#include "kd2m/table.h"
#include "rng.h"
#include "shape.h"

#define KD2M_SEVERITIES 5

/* A corruption at work on one sample. */
typedef struct kd2m_corruption_use {
    const kd2m_shape *shape;
    double amount, extent; /* those of the severity */
    kd2m_rng *rng;         /* the sample's own, the same at every severity */
    float *scratch;        /* as many values as the kind asks for */
    const char **refused;  /* a static text here says why a sample could not be taken */
} kd2m_corruption_use;

typedef struct kd2m_corruption {
    const char *name;
    const char *summary; /* begins with what it takes, ends with what `amounts` are */
    size_t dims;         /* of the samples that it takes: 2 signals, 3 images */
    bool colours;        /* of images, those of 1 or 3 channels alone */
    double amounts[KD2M_SEVERITIES];
    double extents[KD2M_SEVERITIES];            /* all 0 where one number says it */
    size_t (*scratch)(const kd2m_shape *shape); /* values; NULL: none */
    /* Images come as shares of 1 and need not be cut to 0..1 here. Allocates nothing. */
    void (*apply)(const kd2m_corruption_use *use, const float *values, float *out);
} kd2m_corruption;

/* Adds the kinds and their severities to a table: see kd2m_steps_list. */
kd2m_status kd2m_corruptions_list(kd2m_table *table);

#endif
