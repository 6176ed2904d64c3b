/* Rows on their way into a data set: see frame.h. Memory doubles as it grows; time linear. */
#include "frame.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"

/* Makes one of a frame's arrays hold `rows` rows of `width` elements. */
static kd2m_status grow(kd2m_frame *frame, void **memory, size_t rows, size_t width, size_t size) {
    size_t capacity = 0, bytes;
    if (!kd2m_size_multiply(width, size, &bytes))
        return kd2m_fail(frame->context, KD2M_ERROR_MEMORY, "a row is larger than any memory");
    return kd2m_grow(frame->context, memory, &capacity, frame->rows, rows, bytes);
}

kd2m_status kd2m_frame_add(kd2m_frame *frame) {
    kd2m_status status = KD2M_OK;
    if (frame->rows == frame->capacity) {
        size_t rows = frame->capacity < 8 ? 8 : 2 * frame->capacity;
        KD2M_TRY(grow(frame, (void **)&frame->values, rows, frame->width, sizeof *frame->values));
        KD2M_TRY(grow(frame, (void **)&frame->codes, rows, frame->texts, sizeof *frame->codes));
        if (frame->timed)
            KD2M_TRY(grow(frame, (void **)&frame->time, rows, 1, sizeof *frame->time));
        if (frame->lasting)
            KD2M_TRY(grow(frame, (void **)&frame->until, rows, 1, sizeof *frame->until));
        frame->capacity = rows;
    }
    frame->rows++;
cleanup:
    return status;
}

static bool is_whole(const kd2m_frame *frame, size_t row) {
    for (size_t i = 0; i < frame->width; i++)
        if (isnan(frame->values[row * frame->width + i]))
            return false;
    for (size_t i = 0; i < frame->texts; i++)
        if (frame->codes[row * frame->texts + i] < 0)
            return false;
    return !frame->timed || !isnan(frame->time[row]);
}

static void move_row(kd2m_frame *frame, size_t to, size_t from) {
    memcpy(frame->values + to * frame->width, frame->values + from * frame->width,
           frame->width * sizeof *frame->values);
    memcpy(frame->codes + to * frame->texts, frame->codes + from * frame->texts,
           frame->texts * sizeof *frame->codes);
    if (frame->timed)
        frame->time[to] = frame->time[from];
    if (frame->lasting)
        frame->until[to] = frame->until[from];
}

size_t kd2m_frame_drop_missing(kd2m_frame *frame) {
    size_t kept = 0, rows = frame->rows;
    for (size_t row = 0; row < rows; row++) {
        if (!is_whole(frame, row))
            continue;
        if (kept != row)
            move_row(frame, kept, row);
        kept++;
    }
    frame->rows = kept;
    return rows - kept;
}

void kd2m_frame_clear(kd2m_frame *frame) {
    kd2m_free(frame->context, frame->values);
    kd2m_free(frame->context, frame->codes);
    kd2m_free(frame->context, frame->time);
    kd2m_free(frame->context, frame->until);
    frame->values = NULL;
    frame->codes = NULL;
    frame->time = frame->until = NULL;
    frame->rows = frame->capacity = 0;
}

static kd2m_status deliver_column(const kd2m_frame *frame, kd2m_raw_data *raw, kd2m_part *part,
                                  const char *name, size_t text, const kd2m_column *column) {
    const char **texts = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(frame->context, (void **)&texts, frame->rows, sizeof *texts));
    for (size_t i = 0; i < frame->rows; i++)
        texts[i] = column->texts[frame->codes[i * frame->texts + text]];
    KD2M_TRY(kd2m_raw_data_add_texts(frame->context, raw, part, name, texts));
cleanup:
    kd2m_free(frame->context, texts);
    return status;
}

kd2m_status kd2m_frame_deliver(kd2m_frame *frame, kd2m_raw_data *raw, kd2m_part *part,
                               const kd2m_names *names, const kd2m_coding *codings,
                               const int32_t *labels) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(frame->context, (void **)&part->labels, frame->rows, sizeof *part->labels));
    part->rows = frame->rows;
    for (size_t i = 0; i < frame->rows; i++)
        part->labels[i] = labels[frame->codes[i * frame->texts]];
    for (size_t text = 1; text < frame->texts; text++)
        KD2M_TRY(deliver_column(frame, raw, part, names->items[text], text, codings[text].column));
    part->values = (kd2m_array){.element = KD2M_FLOAT32,
                                .dims = raw->dims + 1,
                                .shape = {frame->rows},
                                .count = frame->rows * frame->width,
                                .values = frame->values};
    memcpy(part->values.shape + 1, raw->shape, raw->dims * sizeof *raw->shape);
    part->time = frame->time;
    part->until = frame->until;
    frame->values = NULL;
    frame->time = frame->until = NULL;
cleanup:
    return status;
}
