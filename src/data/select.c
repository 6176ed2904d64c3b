/*
 * Some classes of a data set alone: see select.h. Rows move up in place. Time O(rows x sample
 * size), memory four bytes a class.
 */
#include "select.h"

#include <string.h>

#include "context.h"
#include "memory.h"
#include "number_list.h"

#define LEFT_OUT (-1)

static void move(void *array, size_t to, size_t from, size_t size) {
    memmove((char *)array + to * size, (char *)array + from * size, size);
}

/* Row `from` becomes row `to` <= from, with all that belongs to it but the label. */
static void move_row(kd2m_part *part, size_t to, size_t from, size_t sample_bytes) {
    move(part->values.values, to, from, sample_bytes);
    move(part->keys, to, from, sizeof *part->keys);
    for (size_t i = 0; i < KD2M_COLUMNS_LIMIT; i++)
        if (part->codes[i])
            move(part->codes[i], to, from, sizeof *part->codes[i]);
    if (part->time)
        move(part->time, to, from, sizeof *part->time);
    if (part->until)
        move(part->until, to, from, sizeof *part->until);
}

/* Keeps the rows whose class has a number in `numbers`, and gives them that as label. */
static kd2m_status select_part(kd2m_context *context, kd2m_part *part, const char *name,
                               const int32_t *numbers, const char *list) {
    size_t kept = 0;
    if (part->rows == 0)
        return KD2M_OK;
    size_t width = part->values.element == KD2M_UINT8 ? 1 : sizeof(float);
    size_t sample_size = part->values.count / part->rows;
    for (size_t i = 0; i < part->rows; i++) {
        int32_t number = numbers[part->labels[i]];
        if (number == LEFT_OUT)
            continue;
        if (kept < i)
            move_row(part, kept, i, sample_size * width);
        part->labels[kept++] = number;
    }
    if (kept == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "classes '%s': none of the %zu %s rows is of these classes", list,
                         part->rows, name);
    part->rows = part->values.shape[0] = kept;
    part->values.count = kept * sample_size;
    return KD2M_OK;
}

kd2m_status kd2m_raw_data_select(kd2m_context *context, kd2m_raw_data *raw, const char *list) {
    kd2m_number_list classes = {NULL, 0};
    int32_t *numbers = NULL;
    kd2m_status status = KD2M_OK;
    if (!list || list[0] == '\0')
        return KD2M_OK;
    status = kd2m_number_list_parse(&classes, context, list, (int32_t)raw->classes - 1);
    if (status != KD2M_OK)
        return kd2m_fail_within(context, status, "classes");
    KD2M_TRY(kd2m_alloc(context, (void **)&numbers, raw->classes, sizeof *numbers));
    for (size_t c = 0; c < raw->classes; c++)
        numbers[c] = LEFT_OUT;
    for (size_t k = 0; k < classes.count; k++)
        numbers[classes.items[k]] = (int32_t)k;
    KD2M_TRY(select_part(context, &raw->train, "training", numbers, list));
    KD2M_TRY(select_part(context, &raw->test, "test", numbers, list));
    raw->classes = classes.count;

cleanup:
    kd2m_free(context, numbers);
    kd2m_number_list_clear(context, &classes);
    return status;
}
