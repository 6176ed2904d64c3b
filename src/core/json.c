/* JSON by jansson: see json.h. */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "source.h"
#include "writer.h"

#define FILE_LIMIT ((size_t)64 << 20)
#define DIGITS 17

kd2m_status kd2m_json_parse(kd2m_context *context, json_t **out, const char *text, size_t size,
                            const char *name) {
    json_error_t error;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (*out)
        return KD2M_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "%s: out of memory to read JSON", name);
    return kd2m_fail(context, KD2M_ERROR_INPUT, "%s: not JSON: line %d: %s", name, error.line,
                     error.text);
}

kd2m_status kd2m_json_read(kd2m_context *context, json_t **out, const char *path) {
    *out = NULL;
    kd2m_source *source = NULL;
    void *text = NULL;
    size_t size;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_source_open(&source, context, path));
    KD2M_TRY(kd2m_source_read_all(source, &text, &size, FILE_LIMIT));
    KD2M_TRY(kd2m_json_parse(context, out, text, size, path));
cleanup:
    kd2m_free(context, text);
    kd2m_source_close(source);
    return status;
}

kd2m_status kd2m_json_text(kd2m_context *context, char **out, const json_t *value, int compact) {
    *out = NULL;
    size_t flags = JSON_REAL_PRECISION(DIGITS) | JSON_ENCODE_ANY |
                   (compact ? JSON_COMPACT : (size_t)JSON_INDENT(2));
    char *text = json_dumps(value, flags);
    if (!text)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory to write JSON");
    kd2m_status status = kd2m_text_copy(context, out, text);
    free(text); /* jansson's own memory */
    return status;
}

kd2m_status kd2m_json_write(kd2m_context *context, const json_t *value, const char *path) {
    kd2m_writer *writer = NULL;
    char *text = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_json_text(context, &text, value, 0));
    KD2M_TRY(kd2m_writer_open(&writer, context, path));
    KD2M_TRY(kd2m_writer_write(writer, text, strlen(text)));
    KD2M_TRY(kd2m_writer_write(writer, "\n", 1));
    KD2M_TRY(kd2m_writer_commit(writer));
cleanup:
    kd2m_writer_close(writer);
    kd2m_text_free(context, text);
    return status;
}

kd2m_status kd2m_json_string(kd2m_context *context, json_t **out, const char *text) {
    *out = text ? json_string(text) : json_null();
    if (*out)
        return KD2M_OK;
    json_t *unchecked = json_string_nocheck(text); /* made, unless memory is what was missing */
    if (!unchecked)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory to write JSON");
    json_decref(unchecked);
    return kd2m_fail(context, KD2M_ERROR_USAGE, "'%.80s' is not UTF-8 text", text);
}

kd2m_status kd2m_json_set(kd2m_context *context, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) == 0)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory to write JSON ('%s')", key);
}

json_t *kd2m_json_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}
