/* How tensors lie, as oneDNN describes it; see net_layout.h. No state. */
#include "net_layout.h"

#include "net_engine.h"

static const dnnl_format_tag_t row_major[] = {dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};

kd2m_status kd2m_layout_plain(kd2m_context *context, dnnl_memory_desc_t *out, size_t dims,
                              const size_t *shape) {
    dnnl_dims_t sizes = {0};
    for (size_t i = 0; i < dims; i++)
        sizes[i] = (dnnl_dim_t)shape[i];
    if (dims == 3) {
        sizes[3] = sizes[2];
        sizes[2] = 1;
        dims = 4;
    }
    return kd2m_engine_status(
        context, dnnl_memory_desc_init_by_tag(out, (int)dims, sizes, dnnl_f32, row_major[dims - 1]),
        "describing a tensor");
}

/* can't fail: the shape was accepted before */
static dnnl_memory_desc_t laid_out(const dnnl_memory_desc_t *like, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t layout;
    dnnl_memory_desc_init_by_tag(&layout, like->ndims, like->dims, like->data_type, tag);
    return layout;
}

dnnl_memory_desc_t kd2m_layout_any(const dnnl_memory_desc_t *like) {
    return laid_out(like, dnnl_format_tag_any);
}

dnnl_memory_desc_t kd2m_layout_dense(const dnnl_memory_desc_t *like) {
    return laid_out(like, row_major[like->ndims - 1]);
}

/* Batch last: the axes of 1 x C x H x W x N in the order of N x C x H x W x 1. */
static const int turned[] = {4, 1, 2, 3, 0};

dnnl_memory_desc_t kd2m_layout_any_batch_last(const dnnl_memory_desc_t *like) {
    dnnl_memory_desc_t shape = {.ndims = 5, .data_type = like->data_type};
    for (int i = 0; i < 4; i++)
        shape.dims[turned[i]] = like->dims[i];
    shape.dims[0] = 1;
    return kd2m_layout_any(&shape);
}

dnnl_memory_desc_t kd2m_layout_batch_first(const dnnl_memory_desc_t *layout) {
    dnnl_memory_desc_t longer, first;
    if (layout->ndims != 5)
        return *layout;
    /* neither can fail: the axis that goes is 1 long */
    dnnl_memory_desc_permute_axes(&longer, layout, turned);
    dnnl_memory_desc_reshape(&first, &longer, 4, longer.dims);
    return first;
}

bool kd2m_layout_batch_last(dnnl_memory_desc_t *out, const dnnl_memory_desc_t *layout) {
    if (layout->ndims != 4 || layout->format_kind != dnnl_blocked)
        return false;
    dnnl_memory_desc_t any = kd2m_layout_any_batch_last(layout);
    *out = laid_out(&any, dnnl_nCdhw16c);
    dnnl_memory_desc_t first = kd2m_layout_batch_first(out);
    return dnnl_memory_desc_equal(&first, layout);
}
