/*
 * What a transform is. One file each, transform_NAME.c, ends in its descriptor and is listed in
 * transforms.def.
 */
#ifndef KD2M_DATA_TRANSFORM_H
#define KD2M_DATA_TRANSFORM_H

#include "kd2m/transform.h"
#include "shape.h"
#include "step.h"

/* A transform at its place in a chain; every worker has one of its own. */
typedef struct kd2m_transform_use {
    const void *parameters;
    kd2m_shape in, out;
    void *state; /* what `create` made */
    /* Set by `apply`: why it can't take the sample that it has seen; static. */
    const char *refused;
} kd2m_transform_use;

typedef struct kd2m_transform {
    kd2m_step_kind step;
    /* Sets use->out from use->in; KD2M_ERROR_INPUT for a shape that it can't take (the message
     * without the name), KD2M_ERROR_USAGE for keys that contradict each other. */
    kd2m_status (*fit)(kd2m_context *context, kd2m_transform_use *use);
    /* Makes use->state; NULL where none is needed. What it made before it failed is destroyed. */
    kd2m_status (*create)(kd2m_context *context, kd2m_transform_use *use);
    void (*destroy)(kd2m_context *context, kd2m_transform_use *use); /* state may be half made */
    /* One sample. Allocates nothing, runs beside other workers. One that it can't take is a
     * KD2M_ERROR_INPUT by use->refused. */
    void (*apply)(kd2m_transform_use *use, const float *values, float *out);
} kd2m_transform;

/* For `fit`: out = in, refused unless samples are signals, C x L, or images, C x H x W. */
kd2m_status kd2m_fit_signal(kd2m_context *context, kd2m_transform_use *use);
kd2m_status kd2m_fit_image(kd2m_context *context, kd2m_transform_use *use);

#endif
