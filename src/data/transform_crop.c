/*
 * crop: signals to another length, images to another height and width, by cutting off what is too
 * much and filling up with 0, as measured, what is too little; at the end, on both sides or at the
 * start, by where the sample itself is to stay. Of an odd difference the end has the larger part.
 */
#include "context.h"
#include "transform.h"
#include "window.h"

#define CROP_SETTINGS(X)                                                                           \
    X(TEXT, to, NULL, 0, 0, "N|HxW", "length of a signal; pixels a side, or height x width")       \
    X(CHOICE, at, "centre", 0, 0, "centre|start|end", "which part of the sample stays")

typedef struct crop_settings {
    CROP_SETTINGS(KD2M_SETTINGS_FIELD)
} crop_settings;

#define ROW(...) KD2M_SETTINGS_ROW(crop_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {CROP_SETTINGS(ROW)};

static kd2m_status fit(kd2m_context *context, kd2m_transform_use *use) {
    const crop_settings *settings = use->parameters;
    size_t height, width;
    kd2m_status status = kd2m_sides_parse(context, settings->to, &height, &width);
    if (status != KD2M_OK)
        return status;
    if (use->in.dims == 2 && height != width)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "a signal has one length, to=N, not to=%.40s",
                         settings->to);
    use->out = use->in;
    use->out.sizes[use->in.dims - 1] = width;
    if (use->in.dims == 3)
        use->out.sizes[1] = height;
    return use->in.dims == 3 ? KD2M_OK : kd2m_check_signal(context, &use->in);
}

/* Where the window begins in a side. */
static int64_t offset(const crop_settings *settings, size_t from, size_t to) {
    int64_t surplus = (int64_t)from - (int64_t)to;
    switch (settings->at[0]) {
    case 's':
        return 0;
    case 'e':
        return surplus;
    default:
        return surplus / 2; /* towards 0: what is cut off or put before is the smaller half */
    }
}

static kd2m_sides sides_of(const kd2m_shape *shape) {
    return (kd2m_sides){shape->dims == 3 ? shape->sizes[1] : 1, shape->sizes[shape->dims - 1]};
}

static void apply(kd2m_transform_use *use, const float *values, float *out) {
    const crop_settings *settings = use->parameters;
    kd2m_sides from = sides_of(&use->in), to = sides_of(&use->out);
    for (size_t c = 0; c < use->in.sizes[0]; c++)
        kd2m_window_copy(
            values + c * from.height * from.width, from, offset(settings, from.height, to.height),
            offset(settings, from.width, to.width), out + c * to.height * to.width, to);
}

const kd2m_transform kd2m_transform_crop = {
    .step = {.name = "crop",
             .summary = "signals or images cut, or filled up with 0, to another size",
             .bare = "to",
             .parameters = {rows, sizeof rows / sizeof *rows},
             .parameters_size = sizeof(crop_settings)},
    .fit = fit,
    .apply = apply,
};
