/* A parser of arrays must refuse any bytes or give a sound array, and give all memory back. */
#ifndef KD2M_TESTS_FUZZ_ARRAY_H
#define KD2M_TESTS_FUZZ_ARRAY_H

#include <stdlib.h>

#include "elements.h"
#include "fuzz.h"
#include "kd2m/array.h"
#include "source.h"

typedef kd2m_status (*fuzz_array_parser)(kd2m_array *out, kd2m_context *context,
                                         kd2m_source *source);

static void fuzz_check_sound(const kd2m_array *array) {
    size_t count = 1;
    size_t first;
    if (array->dims < 1 || array->dims > KD2M_ARRAY_MAX_DIMS)
        abort();
    for (size_t i = 0; i < array->dims; i++)
        count *= array->shape[i];
    if (count == 0 || count != array->count)
        abort();
    if (array->element == KD2M_FLOAT32 &&
        kd2m_elements_count_non_finite(array->values, count, &first) > 0)
        abort();
}

static void fuzz_array(fuzz_array_parser parse, const uint8_t *bytes, size_t size) {
    kd2m_context *context = NULL;
    kd2m_source *source = NULL;
    kd2m_array array = {0};
    if (kd2m_context_create(&context, NULL) != KD2M_OK)
        return;
    if (kd2m_source_memory(&source, context, bytes, size, "fuzz") == KD2M_OK &&
        parse(&array, context, source) == KD2M_OK)
        fuzz_check_sound(&array);
    kd2m_array_clear(context, &array);
    kd2m_source_close(source);
    kd2m_context_free(context);
}

#endif
