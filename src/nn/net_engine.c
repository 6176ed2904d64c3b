/* Buffers, primitives and reorders over oneDNN's C interface; see net_engine.h. */
#include "net_engine.h"

#include <omp.h>
#include <string.h>

#include "context.h"
#include "memory.h"

kd2m_status kd2m_engine_status(kd2m_context *context, dnnl_status_t status, const char *what) {
    switch (status) {
    case dnnl_success:
        return KD2M_OK;
    case dnnl_out_of_memory:
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "oneDNN ran out of memory in %s", what);
    case dnnl_unimplemented:
        return kd2m_fail(context, KD2M_ERROR_UNSUPPORTED,
                         "oneDNN has no implementation of %s for these shapes", what);
    default:
        return kd2m_fail(context, KD2M_ERROR_INTERNAL, "oneDNN failed with code %d in %s",
                         (int)status, what);
    }
}

static kd2m_status make_attributes(kd2m_engine *engine, dnnl_primitive_attr_t *out) {
    static const char what[] = "making attributes";
    kd2m_status status;
    KD2M_TRY(kd2m_engine_status(engine->context, dnnl_primitive_attr_create(out), what));
    KD2M_TRY(kd2m_engine_status(
        engine->context, dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user),
        what));
cleanup:
    return status;
}

static void forget_steps(kd2m_engine *engine) {
    if (engine->with_steps)
        dnnl_primitive_attr_destroy(engine->with_steps);
    engine->with_steps = NULL;
}

kd2m_status kd2m_engine_init(kd2m_engine *engine, kd2m_context *context) {
    kd2m_status status;
    memset(engine, 0, sizeof *engine);
    engine->context = context;
    KD2M_TRY(kd2m_engine_status(context, dnnl_engine_create(&engine->engine, dnnl_cpu, 0),
                                "making an engine"));
    KD2M_TRY(kd2m_engine_status(
        context, dnnl_stream_create(&engine->stream, engine->engine, dnnl_stream_default_flags),
        "making a stream"));
    KD2M_TRY(make_attributes(engine, &engine->attributes));
cleanup:
    if (status != KD2M_OK)
        kd2m_engine_clear(engine);
    return status;
}

void kd2m_engine_clear(kd2m_engine *engine) {
    while (engine->primitives) {
        kd2m_primitive *primitive = engine->primitives;
        engine->primitives = primitive->next;
        if (primitive->primitive)
            dnnl_primitive_destroy(primitive->primitive);
        if (primitive->description)
            dnnl_primitive_desc_destroy(primitive->description);
        kd2m_free(engine->context, primitive);
    }
    while (engine->buffers) {
        kd2m_buffer *buffer = engine->buffers;
        engine->buffers = buffer->next;
        if (buffer->memory)
            dnnl_memory_destroy(buffer->memory);
        if (buffer->batch_last)
            dnnl_memory_destroy(buffer->batch_last);
        if (buffer->owned)
            kd2m_free(engine->context, buffer->values);
        kd2m_free(engine->context, buffer);
    }
    forget_steps(engine);
    if (engine->attributes)
        dnnl_primitive_attr_destroy(engine->attributes);
    if (engine->stream)
        dnnl_stream_destroy(engine->stream);
    if (engine->engine)
        dnnl_engine_destroy(engine->engine);
    engine->attributes = NULL;
    engine->stream = NULL;
    engine->engine = NULL;
}

kd2m_status kd2m_engine_seal(kd2m_engine *engine) {
    kd2m_status status = KD2M_OK;
    const dnnl_memory_desc_t *largest = NULL;
    for (kd2m_primitive *p = engine->primitives; p; p = p->next) {
        const dnnl_memory_desc_t *layout = kd2m_primitive_layout(p, dnnl_query_scratchpad_md);
        if (!largest || dnnl_memory_desc_get_size(layout) > dnnl_memory_desc_get_size(largest))
            largest = layout;
    }
    if (!largest || dnnl_memory_desc_get_size(largest) == 0)
        return KD2M_OK;
    kd2m_buffer *scratch, *window;
    KD2M_TRY(kd2m_engine_buffer(engine, &scratch, largest));
    for (kd2m_primitive *p = engine->primitives; p; p = p->next) {
        const dnnl_memory_desc_t *layout = kd2m_primitive_layout(p, dnnl_query_scratchpad_md);
        if (dnnl_memory_desc_get_size(layout) == 0)
            continue;
        KD2M_TRY(kd2m_engine_window(engine, &window, layout, scratch->values));
        kd2m_primitive_bind(p, DNNL_ARG_SCRATCHPAD, window);
    }
cleanup:
    return status;
}

kd2m_status kd2m_engine_window(kd2m_engine *engine, kd2m_buffer **out,
                               const dnnl_memory_desc_t *layout, const float *values) {
    kd2m_status status;
    kd2m_buffer *buffer = NULL;
    *out = NULL;
    KD2M_TRY(kd2m_alloc(engine->context, (void **)&buffer, 1, sizeof *buffer));
    buffer->next = engine->buffers;
    engine->buffers = buffer;
    buffer->layout = *layout;
    buffer->count = (dnnl_memory_desc_get_size(layout) + sizeof(float) - 1) / sizeof(float);
    KD2M_TRY(kd2m_engine_status(
        engine->context,
        dnnl_memory_create(&buffer->memory, layout, engine->engine, DNNL_MEMORY_NONE),
        "making a memory object"));
    dnnl_memory_desc_t last;
    if (kd2m_layout_batch_last(&last, layout))
        KD2M_TRY(kd2m_engine_status(
            engine->context,
            dnnl_memory_create(&buffer->batch_last, &last, engine->engine, DNNL_MEMORY_NONE),
            "making a memory object"));
    if (values)
        kd2m_buffer_point(buffer, values);
    *out = buffer;
cleanup:
    return status;
}

kd2m_status kd2m_engine_buffer(kd2m_engine *engine, kd2m_buffer **out,
                               const dnnl_memory_desc_t *layout) {
    kd2m_status status;
    kd2m_buffer *buffer = NULL;
    float *values = NULL;
    *out = NULL;
    KD2M_TRY(kd2m_engine_window(engine, &buffer, layout, NULL));
    KD2M_TRY(kd2m_alloc(engine->context, (void **)&values, buffer->count, sizeof *values));
    kd2m_buffer_point(buffer, values);
    buffer->owned = true;
    *out = buffer;
cleanup:
    return status;
}

void kd2m_buffer_point(kd2m_buffer *buffer, const float *values) {
    buffer->values = (float *)values;
    /* can't fail for memory of the processor */
    dnnl_memory_set_data_handle(buffer->memory, (void *)values);
    if (buffer->batch_last)
        dnnl_memory_set_data_handle(buffer->batch_last, (void *)values);
}

dnnl_memory_desc_t kd2m_buffer_layout(const kd2m_buffer *buffer) {
    dnnl_memory_desc_t last;
    return kd2m_layout_batch_last(&last, &buffer->layout) ? last : buffer->layout;
}

kd2m_status kd2m_engine_part(kd2m_engine *engine, kd2m_buffer **out, const kd2m_buffer *whole,
                             const dnnl_dims_t dims, const dnnl_dims_t first) {
    kd2m_status status;
    dnnl_memory_desc_t layout;
    *out = NULL;
    KD2M_TRY(kd2m_engine_status(
        engine->context, dnnl_memory_desc_init_submemory(&layout, &whole->layout, dims, first),
        "describing a part of a tensor"));
    KD2M_TRY(kd2m_engine_window(engine, out, &layout, whole->values));
cleanup:
    return status;
}

/* oneDNN works with the context's number of threads from here to leave_threads. */
static int enter_threads(const kd2m_engine *engine) {
    int outside = omp_get_max_threads();
    omp_set_num_threads(kd2m_context_threads(engine->context));
    return outside;
}

static void leave_threads(int outside) {
    omp_set_num_threads(outside);
}

/* Takes over `description`, whatever happens. */
static kd2m_status add_primitive(kd2m_engine *engine, kd2m_primitive **out,
                                 dnnl_primitive_desc_t description) {
    kd2m_status status;
    kd2m_primitive *primitive = NULL;
    KD2M_TRY(kd2m_alloc(engine->context, (void **)&primitive, 1, sizeof *primitive));
    primitive->next = engine->primitives;
    engine->primitives = primitive;
    primitive->description = description;
    description = NULL;
    KD2M_TRY(kd2m_engine_status(
        engine->context, dnnl_primitive_create(&primitive->primitive, primitive->description),
        "making a primitive"));
    *out = primitive;
cleanup:
    if (description)
        dnnl_primitive_desc_destroy(description);
    return status;
}

/* What oneDNN makes of an operation descriptor, for the context's number of threads. */
static dnnl_status_t describe(const kd2m_engine *engine, dnnl_primitive_desc_t *out,
                              const_dnnl_op_desc_t operation, const kd2m_primitive *hint) {
    int outside = enter_threads(engine);
    dnnl_status_t result = dnnl_primitive_desc_create(
        out, operation, engine->with_steps ? engine->with_steps : engine->attributes,
        engine->engine, hint ? hint->description : NULL);
    leave_threads(outside);
    return result;
}

kd2m_status kd2m_engine_then(kd2m_engine *engine, const_dnnl_post_ops_t steps) {
    kd2m_status status = KD2M_OK;
    forget_steps(engine);
    if (!steps)
        return KD2M_OK;
    /* of its own: oneDNN 2.6 can't take steps away from attributes again */
    KD2M_TRY(make_attributes(engine, &engine->with_steps));
    KD2M_TRY(kd2m_engine_status(engine->context,
                                dnnl_primitive_attr_set_post_ops(engine->with_steps, steps),
                                "making attributes"));
cleanup:
    if (status != KD2M_OK)
        forget_steps(engine);
    return status;
}

bool kd2m_engine_offers(kd2m_engine *engine, const_dnnl_op_desc_t operation,
                        const kd2m_primitive *hint) {
    dnnl_primitive_desc_t description = NULL;
    if (describe(engine, &description, operation, hint) != dnnl_success)
        return false;
    dnnl_primitive_desc_destroy(description);
    return true;
}

kd2m_status kd2m_engine_primitive(kd2m_engine *engine, kd2m_primitive **out,
                                  const_dnnl_op_desc_t operation, const kd2m_primitive *hint) {
    kd2m_status status;
    dnnl_primitive_desc_t description = NULL;
    *out = NULL;
    int outside = enter_threads(engine);
    KD2M_TRY(kd2m_engine_status(engine->context, describe(engine, &description, operation, hint),
                                "a primitive"));
    KD2M_TRY(add_primitive(engine, out, description));
cleanup:
    leave_threads(outside);
    return status;
}

kd2m_status kd2m_engine_layout_of(kd2m_engine *engine, dnnl_memory_desc_t *out,
                                  const_dnnl_op_desc_t operation, dnnl_query_t what) {
    dnnl_primitive_desc_t description = NULL;
    kd2m_status status = kd2m_engine_status(
        engine->context, describe(engine, &description, operation, NULL), "a primitive");
    if (status != KD2M_OK)
        return status;
    *out = *dnnl_primitive_desc_query_md(description, what, 0);
    dnnl_primitive_desc_destroy(description);
    return KD2M_OK;
}

kd2m_status kd2m_engine_reorder(kd2m_engine *engine, kd2m_primitive **out, const kd2m_buffer *from,
                                const kd2m_buffer *to) {
    kd2m_status status;
    dnnl_primitive_desc_t description = NULL;
    *out = NULL;
    int outside = enter_threads(engine);
    KD2M_TRY(kd2m_engine_status(
        engine->context,
        dnnl_reorder_primitive_desc_create(&description, &from->layout, engine->engine, &to->layout,
                                           engine->engine, engine->attributes),
        "a reorder"));
    KD2M_TRY(add_primitive(engine, out, description));
    kd2m_primitive_bind(*out, DNNL_ARG_FROM, from);
    kd2m_primitive_bind(*out, DNNL_ARG_TO, to);
cleanup:
    leave_threads(outside);
    return status;
}

const dnnl_memory_desc_t *kd2m_primitive_layout(const kd2m_primitive *primitive,
                                                dnnl_query_t what) {
    return dnnl_primitive_desc_query_md(primitive->description, what, 0);
}

void kd2m_primitive_bind(kd2m_primitive *primitive, int argument, const kd2m_buffer *buffer) {
    int i = 0;
    const dnnl_memory_desc_t *layout =
        dnnl_primitive_desc_query_md(primitive->description, dnnl_query_exec_arg_md, argument);
    bool last = buffer->batch_last && layout && layout->ndims == 5;
    while (i < primitive->argument_count && primitive->arguments[i].arg != argument)
        i++;
    primitive->arguments[i].arg = argument;
    primitive->arguments[i].memory = last ? buffer->batch_last : buffer->memory;
    if (i == primitive->argument_count)
        primitive->argument_count++;
}

kd2m_status kd2m_engine_run(kd2m_engine *engine, const kd2m_primitive *primitive) {
    if (!primitive)
        return KD2M_OK;
    int outside = enter_threads(engine);
    dnnl_status_t result = dnnl_primitive_execute(primitive->primitive, engine->stream,
                                                  primitive->argument_count, primitive->arguments);
    if (result == dnnl_success)
        result = dnnl_stream_wait(engine->stream);
    leave_threads(outside);
    return kd2m_engine_status(engine->context, result, "running a primitive");
}

/* A primitive's layout of a tensor, in as many dimensions as the net has for it. */
static dnnl_memory_desc_t as_in(const kd2m_buffer *tensor, const dnnl_memory_desc_t *layout) {
    return tensor->layout.ndims == 4 ? kd2m_layout_batch_first(layout) : *layout;
}

kd2m_status kd2m_engine_view_of(kd2m_engine *engine, kd2m_buffer_view *out, kd2m_buffer *from,
                                const dnnl_memory_desc_t *layout) {
    kd2m_status status = KD2M_OK;
    dnnl_memory_desc_t wanted = as_in(from, layout);
    *out = (kd2m_buffer_view){from, NULL};
    if (dnnl_memory_desc_equal(&from->layout, &wanted))
        return KD2M_OK;
    KD2M_TRY(kd2m_engine_buffer(engine, &out->buffer, &wanted));
    KD2M_TRY(kd2m_engine_reorder(engine, &out->reorder, from, out->buffer));
cleanup:
    return status;
}

kd2m_status kd2m_engine_view_again(kd2m_engine *engine, kd2m_buffer_view *out, kd2m_buffer *from,
                                   const dnnl_memory_desc_t *layout,
                                   const kd2m_buffer_view *other) {
    dnnl_memory_desc_t wanted = as_in(from, layout);
    *out = (kd2m_buffer_view){other->buffer, NULL};
    if (dnnl_memory_desc_equal(&other->buffer->layout, &wanted))
        return KD2M_OK;
    return kd2m_engine_view_of(engine, out, from, layout);
}

kd2m_status kd2m_engine_view_for(kd2m_engine *engine, kd2m_buffer_view *out, kd2m_buffer *to,
                                 const dnnl_memory_desc_t *layout) {
    kd2m_status status = KD2M_OK;
    dnnl_memory_desc_t wanted = as_in(to, layout);
    *out = (kd2m_buffer_view){to, NULL};
    if (dnnl_memory_desc_equal(&to->layout, &wanted))
        return KD2M_OK;
    KD2M_TRY(kd2m_engine_buffer(engine, &out->buffer, &wanted));
    KD2M_TRY(kd2m_engine_reorder(engine, &out->reorder, out->buffer, to));
cleanup:
    return status;
}
