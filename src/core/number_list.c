/* Lists of whole numbers: see number_list.h. O(highest + length of the text). */
#include "number_list.h"

#include "context.h"
#include "memory.h"
#include "spec.h"
#include "text.h"

/* The list while it is read. */
typedef struct cursor {
    kd2m_context *context;
    const char *text;
    size_t at;
    int32_t highest;
    unsigned char *taken; /* highest + 1 flags */
    size_t count;         /* of them that are set */
} cursor;

static kd2m_status read_number(cursor *in, int32_t *out) {
    size_t start = in->at;
    int64_t value = 0;
    for (; in->text[in->at] >= '0' && in->text[in->at] <= '9'; in->at++) {
        value = value * 10 + (in->text[in->at] - '0');
        if (value > in->highest)
            return kd2m_spec_fail(in->context, in->text, start, "numbers go from 0 to %ld",
                                  (long)in->highest);
    }
    if (in->at == start)
        return kd2m_spec_fail(in->context, in->text, start,
                              "a number is expected, as in '1-9' or '0,2,5-7'");
    *out = (int32_t)value;
    return KD2M_OK;
}

static kd2m_status read_range(cursor *in) {
    size_t start = in->at;
    int32_t first = 0, last = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(read_number(in, &first));
    last = first;
    if (in->text[in->at] == '-') {
        in->at++;
        KD2M_TRY(read_number(in, &last));
    }
    if (last < first)
        return kd2m_spec_fail(in->context, in->text, start, "a range goes from low to high");
    for (int32_t number = first; number <= last; number++) {
        if (in->taken[number])
            return kd2m_spec_fail(in->context, in->text, start, "%ld is there twice", (long)number);
        in->taken[number] = 1;
        in->count++;
    }
cleanup:
    return status;
}

kd2m_status kd2m_number_list_parse(kd2m_number_list *out, kd2m_context *context, const char *text,
                                   int32_t highest) {
    cursor in = {context, text, 0, highest, NULL, 0};
    kd2m_status status = KD2M_OK;
    *out = (kd2m_number_list){NULL, 0};
    KD2M_TRY(kd2m_alloc(context, (void **)&in.taken, (size_t)highest + 1, 1));
    KD2M_TRY(read_range(&in));
    while (text[in.at] == ',') {
        in.at++;
        KD2M_TRY(read_range(&in));
    }
    if (text[in.at] != '\0') {
        status = kd2m_spec_fail(context, text, in.at, "',' or the end is expected");
        goto cleanup;
    }
    KD2M_TRY(kd2m_alloc(context, (void **)&out->items, in.count, sizeof *out->items));
    for (int32_t number = 0; number <= highest; number++)
        if (in.taken[number])
            out->items[out->count++] = number;
cleanup:
    kd2m_free(context, in.taken);
    return status;
}

kd2m_status kd2m_number_list_text(char **out, kd2m_context *context, const kd2m_number_list *list) {
    kd2m_text to = {context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    *out = NULL;
    for (size_t first = 0, end; first < list->count; first = end) {
        int32_t low = list->items[first];
        for (end = first + 1; end < list->count && list->items[end] == list->items[end - 1] + 1;)
            end++;
        KD2M_TRY(kd2m_text_append(&to, "%s%ld", first > 0 ? "," : "", (long)low));
        if (end > first + 1)
            KD2M_TRY(kd2m_text_append(&to, "-%ld", (long)list->items[end - 1]));
    }
    *out = to.text;
    to.text = NULL;
cleanup:
    kd2m_free(context, to.text);
    return status;
}

void kd2m_number_list_clear(kd2m_context *context, kd2m_number_list *list) {
    kd2m_free(context, list->items);
    *list = (kd2m_number_list){NULL, 0};
}
