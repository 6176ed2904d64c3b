/*
 * Codes of texts: see coding.h. The table doubles when it is half full. Time O(1) a text on the
 * mean; memory the texts once each, and 8 to 16 bytes a code while the coding is open.
 */
#include "coding.h"

#include <string.h>

#include "context.h"
#include "digest.h"
#include "memory.h"

#define FIRST_SLOTS 16

/* The slot that holds the text's code, or is to. */
static uint32_t *find_slot(const kd2m_coding *coding, const char *text) {
    size_t at = (size_t)kd2m_digest(KD2M_DIGEST_START, text, strlen(text)) & coding->mask;
    while (coding->slots[at] != 0 &&
           strcmp(coding->column->texts[coding->slots[at] - 1], text) != 0)
        at = (at + 1) & coding->mask;
    return &coding->slots[at];
}

/* Makes the table anew with `slots` places. */
static kd2m_status make_table(kd2m_coding *coding, size_t slots) {
    uint32_t *memory = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(coding->context, (void **)&memory, slots, sizeof *memory));
    kd2m_free(coding->context, coding->slots);
    coding->slots = memory;
    coding->mask = slots - 1;
    for (size_t code = 0; code < coding->column->count; code++)
        *find_slot(coding, coding->column->texts[code]) = (uint32_t)code + 1;
cleanup:
    return status;
}

kd2m_status kd2m_coding_open(kd2m_coding *out, kd2m_context *context, kd2m_column *column) {
    size_t slots = FIRST_SLOTS;
    *out = (kd2m_coding){context, column, NULL, 0};
    while (slots / 2 <= column->count)
        slots *= 2;
    return make_table(out, slots);
}

kd2m_status kd2m_coding_code(kd2m_coding *coding, const char *text, int32_t *out) {
    kd2m_column *column = coding->column;
    uint32_t *slot = find_slot(coding, text);
    kd2m_status status = KD2M_OK;
    if (*slot != 0) {
        *out = (int32_t)*slot - 1;
        return KD2M_OK;
    }
    if (2 * (column->count + 1) > coding->mask) {
        KD2M_TRY(make_table(coding, 2 * (coding->mask + 1)));
        slot = find_slot(coding, text);
    }
    KD2M_TRY(kd2m_grow(coding->context, (void **)&column->texts, &column->capacity, column->count,
                       column->count + 1, sizeof *column->texts));
    KD2M_TRY(kd2m_text_copy(coding->context, &column->texts[column->count], text));
    *out = (int32_t)column->count;
    *slot = (uint32_t)++column->count;
cleanup:
    return status;
}

int32_t kd2m_coding_find(const kd2m_coding *coding, const char *text) {
    return (int32_t)*find_slot(coding, text) - 1;
}

void kd2m_coding_close(kd2m_coding *coding) {
    kd2m_free(coding->context, coding->slots);
    *coding = (kd2m_coding){0};
}

void kd2m_column_clear(kd2m_context *context, kd2m_column *column) {
    for (size_t code = 0; code < column->count; code++)
        kd2m_free(context, column->texts[code]);
    kd2m_free(context, column->texts);
    kd2m_free(context, column->name);
    *column = (kd2m_column){0};
}
