/* Any text as a list of numbers: a refusal, or a list that is written out and read back the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "memory.h"
#include "number_list.h"

#define HIGHEST 99

static void check_round_trip(kd2m_context *context, const kd2m_number_list *list) {
    kd2m_number_list again;
    char *text = NULL;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] < 0 || list->items[i] > HIGHEST ||
            (i > 0 && list->items[i] <= list->items[i - 1]))
            abort();
    if (kd2m_number_list_text(&text, context, list) != KD2M_OK ||
        kd2m_number_list_parse(&again, context, text, HIGHEST) != KD2M_OK ||
        again.count != list->count ||
        memcmp(again.items, list->items, list->count * sizeof *list->items) != 0)
        abort();
    kd2m_number_list_clear(context, &again);
    kd2m_free(context, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    kd2m_context *context = NULL;
    kd2m_number_list list;
    char *text = malloc(size + 1);
    if (!text || kd2m_context_create(&context, NULL) != KD2M_OK)
        abort();
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    if (kd2m_number_list_parse(&list, context, text, HIGHEST) == KD2M_OK)
        check_round_trip(context, &list);
    kd2m_number_list_clear(context, &list);
    kd2m_context_free(context);
    free(text);
    return 0;
}
