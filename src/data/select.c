/*
 * Some classes of a data set alone: see select.h. Time O(rows x sample size), memory a byte a row
 * and four a class.
 */
#include "select.h"

#include "context.h"
#include "memory.h"
#include "number_list.h"

#define LEFT_OUT (-1)

/* Keeps the rows whose class has a number in `numbers`, and gives them that as label. */
static kd2m_status select_part(kd2m_context *context, kd2m_part *part, const char *name,
                               const int32_t *numbers, const char *list) {
    unsigned char *keep = NULL;
    size_t kept = 0;
    kd2m_status status = KD2M_OK;
    if (part->rows == 0)
        return KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&keep, part->rows, 1));
    for (size_t i = 0; i < part->rows; i++) {
        part->labels[i] = numbers[part->labels[i]];
        keep[i] = part->labels[i] != LEFT_OUT;
        kept += keep[i];
    }
    if (kept == 0) {
        status = kd2m_fail(context, KD2M_ERROR_USAGE,
                           "classes '%s': none of the %zu %s rows is of these classes", list,
                           part->rows, name);
        goto cleanup;
    }
    kd2m_part_keep(part, keep);

cleanup:
    kd2m_free(context, keep);
    return status;
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
