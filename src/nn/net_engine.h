/*
 * A thin layer over oneDNN: buffers that know their layout, primitives with their arguments bound,
 * reorders. The engine owns everything made through it, so that its users keep plain pointers and
 * free nothing. All is made while a net is created; running primitives allocates nothing of ours
 * (scratchpads are in user mode, one block serves all of them in turn).
 *
 * Threads: oneDNN takes OpenMP's current thread count. Creating and running primitives sets it to
 * the context's and puts it back, so the host's setting stands outside these calls.
 */
#ifndef KD2M_NN_NET_ENGINE_H
#define KD2M_NN_NET_ENGINE_H

#include <dnnl.h>
#include <stdbool.h>
#include <stddef.h>

#include "kd2m/core.h"
#include "net_layout.h"

#define KD2M_PRIMITIVE_ARGUMENTS 12

/* Memory with a layout. */
typedef struct kd2m_buffer {
    dnnl_memory_desc_t layout;
    dnnl_memory_t memory;
    dnnl_memory_t batch_last; /* the same, described with the batch last; NULL where it is not */
    float *values;            /* NULL until pointed somewhere */
    size_t count;             /* floats that it takes, padding included */
    bool owned;
    struct kd2m_buffer *next;
} kd2m_buffer;

typedef struct kd2m_primitive {
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[KD2M_PRIMITIVE_ARGUMENTS];
    int argument_count;
    struct kd2m_primitive *next;
} kd2m_primitive;

/* One tensor in a second layout: `buffer` is the original itself where the layouts agree, and then
 * `reorder` is NULL. */
typedef struct kd2m_buffer_view {
    kd2m_buffer *buffer;
    kd2m_primitive *reorder;
} kd2m_buffer_view;

typedef struct kd2m_engine {
    kd2m_context *context;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attributes; /* of every primitive: user scratchpad */
    dnnl_primitive_attr_t with_steps; /* the same and kd2m_engine_then's steps; NULL without */
    kd2m_buffer *buffers;
    kd2m_primitive *primitives;
} kd2m_engine;

kd2m_status kd2m_engine_init(kd2m_engine *engine, kd2m_context *context);
void kd2m_engine_clear(kd2m_engine *engine);

/* Sets aside the scratch block; no primitive may be made after it. */
kd2m_status kd2m_engine_seal(kd2m_engine *engine);

/* KD2M_OK, or what oneDNN's status means here, `what` having failed. */
kd2m_status kd2m_engine_status(kd2m_context *context, dnnl_status_t status, const char *what);

/* A buffer with zeroed memory of its own. */
kd2m_status kd2m_engine_buffer(kd2m_engine *engine, kd2m_buffer **out,
                               const dnnl_memory_desc_t *layout);

/* A buffer over memory of somebody else; `values` may be NULL until kd2m_buffer_point. */
kd2m_status kd2m_engine_window(kd2m_engine *engine, kd2m_buffer **out,
                               const dnnl_memory_desc_t *layout, const float *values);
void kd2m_buffer_point(kd2m_buffer *buffer, const float *values);

/* How a primitive is told of an image: 1 x C x H x W x N where it lies with the batch last. */
dnnl_memory_desc_t kd2m_buffer_layout(const kd2m_buffer *buffer);

/* A window over a part of `whole`: positions first .. first + dims - 1 of each dimension. */
kd2m_status kd2m_engine_part(kd2m_engine *engine, kd2m_buffer **out, const kd2m_buffer *whole,
                             const dnnl_dims_t dims, const dnnl_dims_t first);

/* The layout that the primitive of a forward descriptor would choose for one of its tensors. */
kd2m_status kd2m_engine_layout_of(kd2m_engine *engine, dnnl_memory_desc_t *out,
                                  const_dnnl_op_desc_t operation, dnnl_query_t what);

/* What primitives other than reorders that are made from here on do to each result before they
 * write it, in oneDNN's terms; NULL: nothing. */
kd2m_status kd2m_engine_then(kd2m_engine *engine, const_dnnl_post_ops_t steps);

/* Whether oneDNN has an implementation of this operation descriptor. */
bool kd2m_engine_offers(kd2m_engine *engine, const_dnnl_op_desc_t operation,
                        const kd2m_primitive *hint);

/* Makes the primitive of a oneDNN operation descriptor; `hint` is the forward primitive of a
 * backward one, or NULL. Errors: KD2M_ERROR_UNSUPPORTED, KD2M_ERROR_MEMORY. */
kd2m_status kd2m_engine_primitive(kd2m_engine *engine, kd2m_primitive **out,
                                  const_dnnl_op_desc_t operation, const kd2m_primitive *hint);

/* The layout that the primitive chose for one of its tensors, dnnl_query_src_md and so on. */
const dnnl_memory_desc_t *kd2m_primitive_layout(const kd2m_primitive *primitive, dnnl_query_t what);

/* Sets argument DNNL_ARG_..., in place of an earlier one; batch last if the primitive is. */
void kd2m_primitive_bind(kd2m_primitive *primitive, int argument, const kd2m_buffer *buffer);

/* Runs it; NULL stands for nothing to do. */
kd2m_status kd2m_engine_run(kd2m_engine *engine, const kd2m_primitive *primitive);

/* Copies `from` to `to`, which has the same shape, from layout to layout. */
kd2m_status kd2m_engine_reorder(kd2m_engine *engine, kd2m_primitive **out, const kd2m_buffer *from,
                                const kd2m_buffer *to);

/* `from` in another layout, which is a primitive's own, to be read: run view->reorder first. */
kd2m_status kd2m_engine_view_of(kd2m_engine *engine, kd2m_buffer_view *out, kd2m_buffer *from,
                                const dnnl_memory_desc_t *layout);

/* The same, unless `other`, an earlier view of `from`, is in that layout already. */
kd2m_status kd2m_engine_view_again(kd2m_engine *engine, kd2m_buffer_view *out, kd2m_buffer *from,
                                   const dnnl_memory_desc_t *layout, const kd2m_buffer_view *other);

/* `to` in another layout, to be written: run view->reorder afterwards. */
kd2m_status kd2m_engine_view_for(kd2m_engine *engine, kd2m_buffer_view *out, kd2m_buffer *to,
                                 const dnnl_memory_desc_t *layout);

#endif
