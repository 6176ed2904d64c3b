/*
 * Transforms on what a reader delivered: see transformed.h. The rows go through in blocks, so that
 * bytes need not all be widened at once. Memory: the result beside what was delivered, and a block.
 */
#include "transformed.h"

#include <stdbool.h>
#include <string.h>

#include "context.h"
#include "kd2m/transform.h"
#include "memory.h"
#include "text.h"

#define BLOCK 1024 /* rows */

/* Replaces the values of a part by those that come out of the chain. */
static kd2m_status transform_part(kd2m_context *context, const kd2m_raw_data *raw, kd2m_part *part,
                                  size_t size, kd2m_chain *chain, const char *name) {
    kd2m_status status = KD2M_OK;
    kd2m_chain_info info;
    float *block = NULL;
    if (part->rows == 0)
        return KD2M_OK;
    kd2m_chain_describe(chain, &info);
    kd2m_array made = {.element = KD2M_FLOAT32, .dims = info.dims + 1, .shape = {part->rows}};
    memcpy(made.shape + 1, info.shape, info.dims * sizeof *info.shape);
    if (!kd2m_size_multiply(part->rows, info.sample_size, &made.count))
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory");
    KD2M_TRY(kd2m_alloc(context, &made.values, made.count, sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&block, BLOCK, size * sizeof *block));
    for (size_t first = 0; first < part->rows; first += BLOCK) {
        size_t count = part->rows - first < BLOCK ? part->rows - first : BLOCK;
        KD2M_TRY(kd2m_check_interrupt(context));
        kd2m_part_read(part, raw->value_scale, size, first, count, block);
        status =
            kd2m_chain_apply(chain, block, count, (float *)made.values + first * info.sample_size);
        if (status != KD2M_OK) {
            kd2m_fail_within(context, status, "%s data, rows from %zu on", name, first);
            goto cleanup;
        }
    }
    kd2m_array_clear(context, &part->values);
    part->values = made;
    made = (kd2m_array){0};
cleanup:
    kd2m_free(context, block);
    kd2m_array_clear(context, &made);
    return status;
}

kd2m_status kd2m_raw_data_transform(kd2m_context *context, kd2m_raw_data *raw, const char *chain,
                                    char **plain) {
    *plain = NULL;
    kd2m_chain *made = NULL;
    kd2m_chain_info info;
    size_t size = 1;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < raw->dims; i++)
        size *= raw->shape[i];
    KD2M_TRY(kd2m_chain_open(&made, context, chain, raw->dims, raw->shape));
    kd2m_chain_describe(made, &info);
    KD2M_TRY(kd2m_text_copy(context, plain, info.text));
    if (info.text[0] == '\0')
        goto cleanup;
    KD2M_TRY(transform_part(context, raw, &raw->train, size, made, "training"));
    KD2M_TRY(transform_part(context, raw, &raw->test, size, made, "test"));
    raw->dims = info.dims;
    memcpy(raw->shape, info.shape, sizeof raw->shape);
    raw->value_scale = 1.0F;
cleanup:
    kd2m_chain_free(made);
    return status;
}

kd2m_status kd2m_transforms_join(kd2m_context *context, char **out, const char *first,
                                 const char *second) {
    *out = NULL;
    kd2m_text joined = {context, NULL, 0, 0};
    bool both = first && *first && second && *second;
    kd2m_status status = kd2m_text_append(&joined, "%s%s", first ? first : "", both ? "+" : "");
    if (status == KD2M_OK)
        status = kd2m_text_append(&joined, "%s", second ? second : "");
    if (status == KD2M_OK)
        *out = joined.text;
    else
        kd2m_free(context, joined.text);
    return status;
}
