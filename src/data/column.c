/*
 * Columns: texts or whole numbers beside the rows, coded 0, 1, .. in the order that they first
 * come.
 *
 * The codes are found by a hash table of open addressing that lives while a column is added. Time
 * O(rows) on the mean; memory 4 bytes a row, the texts once each, and 8 bytes a row meanwhile.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "dataset.h"
#include "digest.h"
#include "memory.h"
#include "spec.h"
#include "text.h"

/* A column's codes by text. A slot holds code + 1, 0 is free; at most half of them are taken. */
typedef struct code_table {
    kd2m_context *context;
    kd2m_column *column;
    uint32_t *slots;
    size_t mask; /* their number - 1; that is a power of two */
} code_table;

/* The slot that holds the text's code, or is to. */
static uint32_t *find_slot(const code_table *table, const char *text) {
    size_t at = (size_t)kd2m_digest(KD2M_DIGEST_START, text, strlen(text)) & table->mask;
    while (table->slots[at] != 0 && strcmp(table->column->texts[table->slots[at] - 1], text) != 0)
        at = (at + 1) & table->mask;
    return &table->slots[at];
}

/* Makes the table of a column's codes, with room for `rows` more. */
static kd2m_status create_table(code_table *out, kd2m_context *context, kd2m_column *column,
                                size_t rows) {
    size_t slots = 16;
    kd2m_status status = KD2M_OK;
    while (slots / 2 < column->count + rows)
        slots *= 2;
    *out = (code_table){context, column, NULL, slots - 1};
    KD2M_TRY(kd2m_alloc(context, (void **)&out->slots, slots, sizeof *out->slots));
    for (size_t code = 0; code < column->count; code++)
        *find_slot(out, column->texts[code]) = (uint32_t)code + 1;
cleanup:
    return status;
}

/* *out = the code of a text, a new one if it is new. */
static kd2m_status code_of(const code_table *table, const char *text, int32_t *out) {
    kd2m_column *column = table->column;
    uint32_t *slot = find_slot(table, text);
    kd2m_status status = KD2M_OK;
    if (*slot == 0) {
        KD2M_TRY(kd2m_grow(table->context, (void **)&column->texts, &column->capacity,
                           column->count, column->count + 1, sizeof *column->texts));
        KD2M_TRY(kd2m_text_copy(table->context, &column->texts[column->count], text));
        *slot = (uint32_t)++column->count;
    }
    *out = (int32_t)*slot - 1;
cleanup:
    return status;
}

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
    code_table table = {context, NULL, NULL, 0};
    kd2m_column *column = NULL;
    int32_t *codes = NULL;
    char number[16];
    kd2m_status status = KD2M_OK;

    KD2M_TRY(open_column(context, raw, part, name, &column, &codes));
    KD2M_TRY(create_table(&table, context, column, part->rows));
    for (size_t i = 0; i < part->rows; i++) {
        if (!texts)
            snprintf(number, sizeof number, "%" PRId32, numbers[i]);
        KD2M_TRY(code_of(&table, texts ? texts[i] : number, &codes[i]));
    }

cleanup:
    kd2m_free(context, table.slots);
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
