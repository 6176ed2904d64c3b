/*
 * resize: images to another height and width, bilinear between pixel centres at half integers, no
 * smoothing before a reduction; as PyTorch's interpolate(mode='bilinear', align_corners=False).
 *
 *   row j of the result lies at s = max((j + 1/2) H / H' - 1/2, 0) of the image, between rows
 *   floor(s) and floor(s) + 1 (at most H - 1); columns likewise
 *
 * Where from and how much of each, per row and column, is computed once. Time O(result).
 */
#include "memory.h"
#include "transform.h"
#include "window.h"

#define RESIZE_SETTINGS(X) X(TEXT, to, NULL, 0, 0, "N|HxW", "pixels a side, or height x width")

typedef struct resize_settings {
    RESIZE_SETTINGS(KD2M_SETTINGS_FIELD)
} resize_settings;

#define ROW(...) KD2M_SETTINGS_ROW(resize_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {RESIZE_SETTINGS(ROW)};

/* Where a row or column of the result comes from. */
typedef struct place {
    size_t low, high;
    float share; /* of `high` */
} place;

static kd2m_status fit(kd2m_context *context, kd2m_transform_use *use) {
    const resize_settings *settings = use->parameters;
    kd2m_status status = kd2m_fit_image(context, use);
    if (status != KD2M_OK)
        return status;
    return kd2m_sides_parse(context, settings->to, &use->out.sizes[1], &use->out.sizes[2]);
}

static void set_places(place *places, size_t from, size_t to) {
    for (size_t i = 0; i < to; i++) {
        double at = ((double)i + 0.5) * ((double)from / (double)to) - 0.5;
        at = at > 0 ? at : 0;
        size_t low = (size_t)at < from - 1 ? (size_t)at : from - 1;
        places[i] = (place){low, low < from - 1 ? low + 1 : low, (float)(at - (double)low)};
    }
}

static kd2m_status create(kd2m_context *context, kd2m_transform_use *use) {
    const size_t *from = use->in.sizes, *to = use->out.sizes;
    kd2m_status status = kd2m_alloc(context, &use->state, to[1] + to[2], sizeof(place));
    if (status != KD2M_OK)
        return status;
    set_places(use->state, from[1], to[1]);
    set_places((place *)use->state + to[1], from[2], to[2]);
    return KD2M_OK;
}

static void destroy(kd2m_context *context, kd2m_transform_use *use) {
    kd2m_free(context, use->state);
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    size_t width = use->in.sizes[2], size = use->in.sizes[1] * width;
    const place *rows_from = use->state, *columns_from = rows_from + use->out.sizes[1];
    for (size_t c = 0; c < use->in.sizes[0]; c++, values += size)
        for (size_t i = 0; i < use->out.sizes[1]; i++) {
            const float *low = values + rows_from[i].low * width;
            const float *high = values + rows_from[i].high * width;
            float down = rows_from[i].share;
            for (size_t k = 0; k < use->out.sizes[2]; k++) {
                place x = columns_from[k];
                float above = (1 - x.share) * low[x.low] + x.share * low[x.high];
                float below = (1 - x.share) * high[x.low] + x.share * high[x.high];
                *out++ = (1 - down) * above + down * below;
            }
        }
}

const kd2m_transform kd2m_transform_resize = {
    .step = {.name = "resize",
             .summary = "images to another size, bilinear, without smoothing",
             .bare = "to",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(resize_settings)},
    .fit = fit,
    .create = create,
    .destroy = destroy,
    .apply = apply,
};
