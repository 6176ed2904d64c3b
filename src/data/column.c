/*
 * Columns: texts or whole numbers beside the rows, coded 0, 1, .. in the order that they first
 * come. Time O(rows) on the mean; memory 4 bytes a row, and the texts once each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coding.h"
#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "spec.h"
#include "text.h"

/* The column called `name`, added if there is none yet, and its place for this part's codes. */
static kd2m_status open_column(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                               const char *name, kd2m_column **column, int32_t **codes) {
    size_t number = 0;
    kd2m_status status = KD2M_OK;
    if (name[0] == '\0' || strcmp(name, "label") == 0)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "a column can't be called '%s'; choose another name", name);
    if (part->rows > INT32_MAX)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "column '%s': more than %ld rows", name,
                         (long)INT32_MAX);
    while (number < raw->column_count && strcmp(raw->columns[number].name, name) != 0)
        number++;
    if (number == KD2M_COLUMNS_LIMIT)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "column '%s': more than %d columns", name,
                         KD2M_COLUMNS_LIMIT);
    if (part->codes[number])
        return kd2m_fail(context, KD2M_ERROR_INPUT, "there are two columns '%s'", name);
    if (number == raw->column_count) {
        KD2M_TRY(kd2m_text_copy(context, &raw->columns[number].name, name));
        raw->column_count++;
    }
    KD2M_TRY(kd2m_alloc(context, (void **)codes, part->rows, sizeof **codes));
    part->codes[number] = *codes;
    *column = &raw->columns[number];
cleanup:
    return status;
}

/* Texts, or where they are NULL, numbers. */
static kd2m_status add_column(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                              const char *name, const char *const *texts, const int32_t *numbers) {
    kd2m_coding coding = {0};
    kd2m_column *column = NULL;
    int32_t *codes = NULL;
    char number[16];
    kd2m_status status = KD2M_OK;

    KD2M_TRY(open_column(context, raw, part, name, &column, &codes));
    KD2M_TRY(kd2m_coding_open(&coding, context, column));
    for (size_t i = 0; i < part->rows; i++) {
        if (!texts)
            snprintf(number, sizeof number, "%" PRId32, numbers[i]);
        KD2M_TRY(kd2m_coding_code(&coding, texts ? texts[i] : number, &codes[i]));
    }

cleanup:
    kd2m_coding_close(&coding);
    return status;
}

kd2m_status kd2m_raw_data_add_texts(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                    const char *name, const char *const *texts) {
    return add_column(context, raw, part, name, texts, NULL);
}

kd2m_status kd2m_raw_data_add_numbers(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                      const char *name, const int32_t *numbers) {
    return add_column(context, raw, part, name, NULL, numbers);
}

kd2m_status kd2m_dataset_find_column(const kd2m_dataset *dataset, const char *name, size_t *out) {
    const kd2m_raw_data *raw = &dataset->raw;
    kd2m_text known = {dataset->context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < raw->column_count; i++) {
        if (!raw->train.codes[i])
            continue;
        if (strcmp(raw->columns[i].name, name) == 0) {
            *out = i;
            goto cleanup;
        }
        KD2M_TRY(kd2m_text_append(&known, "%s'%s'", known.text ? ", " : "", raw->columns[i].name));
    }
    status =
        kd2m_fail(dataset->context, KD2M_ERROR_USAGE,
                  "the training data of '%s' have no column '%s'%s%s", dataset->spec, name,
                  known.text ? "; there are " : ", nor any other", known.text ? known.text : "");
cleanup:
    kd2m_free(dataset->context, known.text);
    return status;
}

kd2m_status kd2m_dataset_column(const kd2m_dataset *dataset, size_t index, kd2m_column_info *out) {
    size_t count = dataset->raw.column_count;
    *out = (kd2m_column_info){NULL, 0, NULL};
    if (index >= count)
        return kd2m_fail(dataset->context, KD2M_ERROR_USAGE,
                         "column %zu (from 0) asked for, data set '%s' has %zu", index,
                         dataset->spec, count);
    const kd2m_column *column = &dataset->raw.columns[index];
    *out = (kd2m_column_info){column->name, column->count, (const char *const *)column->texts};
    return KD2M_OK;
}
