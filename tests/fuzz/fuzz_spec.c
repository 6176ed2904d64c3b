/* Any text as a spec: a refusal, or a spec that is written out and read back the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "memory.h"
#include "spec.h"

static void check_round_trip(kd2m_context *context, const kd2m_spec *spec) {
    char *once = NULL, *twice = NULL;
    kd2m_spec *again = NULL;
    if (kd2m_spec_text(context, &once, spec) != KD2M_OK)
        abort();
    if (strlen(once) <= KD2M_SPEC_LENGTH) {
        if (kd2m_spec_parse(&again, context, once) != KD2M_OK ||
            kd2m_spec_text(context, &twice, again) != KD2M_OK || strcmp(once, twice) != 0)
            abort();
    }
    kd2m_free(context, twice);
    kd2m_free(context, once);
    kd2m_spec_free(context, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    kd2m_context *context = NULL;
    kd2m_spec *spec = NULL;
    char *text = malloc(size + 1);
    if (!text || kd2m_context_create(&context, NULL) != KD2M_OK)
        abort();
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    if (kd2m_spec_parse(&spec, context, text) == KD2M_OK)
        check_round_trip(context, spec);
    kd2m_spec_free(context, spec);
    size_t position = 0;
    if (kd2m_spec_parse_embedded(&spec, context, text, &position) == KD2M_OK) {
        if (position > strlen(text))
            abort();
        check_round_trip(context, spec);
    }
    kd2m_spec_free(context, spec);
    kd2m_context_free(context);
    free(text);
    return 0;
}
