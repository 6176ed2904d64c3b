/* Sizes and windows of images: see window.h. */
#include "window.h"

#include <string.h>

#include "context.h"

/* Reads a side from the front of *text; 0 where there is none that is allowed. */
static size_t read_side(const char **text) {
    size_t side = 0;
    for (; **text >= '0' && **text <= '9' && side <= KD2M_SIDE_MAX; (*text)++)
        side = side * 10 + (size_t)(**text - '0');
    return side <= KD2M_SIDE_MAX ? side : 0;
}

kd2m_status kd2m_sides_parse(kd2m_context *context, const char *text, size_t *height,
                             size_t *width) {
    const char *rest = text ? text : "";
    *height = read_side(&rest);
    *width = *height;
    if (*rest == 'x') {
        rest++;
        *width = read_side(&rest);
    }
    if (*height > 0 && *width > 0 && *rest == '\0')
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_USAGE,
                     "to=N or to=HxW with sides of 1..%d is needed, not '%.40s'", KD2M_SIDE_MAX,
                     text ? text : "");
}

/* What of from..from+to lies in 0..size: its beginning, and where it goes to. */
static size_t overlap(int64_t from, size_t size, size_t to, size_t *begin, size_t *place) {
    int64_t first = from > 0 ? from : 0;
    int64_t end = from + (int64_t)to < (int64_t)size ? from + (int64_t)to : (int64_t)size;
    *begin = (size_t)first;
    *place = (size_t)(first - from);
    return end > first ? (size_t)(end - first) : 0;
}

void kd2m_window_copy(const float *values, kd2m_sides from, int64_t top, int64_t left, float *out,
                      kd2m_sides to) {
    size_t row, row_place, column, column_place;
    size_t rows = overlap(top, from.height, to.height, &row, &row_place);
    size_t columns = overlap(left, from.width, to.width, &column, &column_place);
    memset(out, 0, to.height * to.width * sizeof *out);
    for (size_t i = 0; columns > 0 && i < rows; i++)
        memcpy(out + (row_place + i) * to.width + column_place,
               values + (row + i) * from.width + column, columns * sizeof *out);
}
