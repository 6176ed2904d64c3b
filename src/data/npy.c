/*
 * Reads NumPy's .npy format.
 *
 *   "\x93NUMPY", major, minor, header length (2 bytes in format 1, 4 in 2 and 3, low byte first),
 *   header: a Python dictionary in text, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)},
 *   then the elements
 *
 * Source: NEP 1, 'A simple file format for NumPy arrays', and numpy.lib.format's documentation. The
 * dictionary may order its keys, quote and space as it likes; each key must stand there once.
 * Nothing of the header is believed before it is checked. Thread rule: that of the context.
 */
#include "npy.h"

#include <stdbool.h>
#include <string.h>

#include "context.h"
#include "elements.h"
#include "memory.h"

#define HEADER_LIMIT 65536 /* longest header that is looked at; NumPy writes 128 bytes */

/* A walk through the header's text. */
typedef struct header_text {
    kd2m_context *context;
    const char *name; /* the file's */
    const char *next;
    const char *end;
} header_text;

typedef struct npy_header {
    kd2m_encoding encoding;
    size_t dims;
    size_t shape[KD2M_ARRAY_MAX_DIMS];
} npy_header;

static kd2m_status refuse_header(header_text *text, const char *expected) {
    return kd2m_fail(text->context, KD2M_ERROR_INPUT,
                     "%s: not a .npy header, expected %s, found '%.*s'", text->name, expected,
                     (int)(text->end - text->next < 20 ? text->end - text->next : 20), text->next);
}

static void skip_space(header_text *text) {
    while (text->next < text->end && strchr(" \t\r\n", *text->next) && *text->next)
        text->next++;
}

/* Takes `character` and the space before it, if it stands there. */
static bool take(header_text *text, char character) {
    skip_space(text);
    if (text->next == text->end || *text->next != character)
        return false;
    text->next++;
    return true;
}

static kd2m_status take_string(header_text *text, const char **start, size_t *length) {
    skip_space(text);
    char quote = text->next < text->end ? *text->next : '\0';
    if (quote != '\'' && quote != '"')
        return refuse_header(text, "a quoted text");
    const char *close = memchr(text->next + 1, quote, (size_t)(text->end - text->next - 1));
    if (!close)
        return refuse_header(text, "a quoted text that ends");
    *start = text->next + 1;
    *length = (size_t)(close - *start);
    text->next = close + 1;
    return KD2M_OK;
}

static bool take_word(header_text *text, const char *word) {
    size_t length = strlen(word);
    skip_space(text);
    if ((size_t)(text->end - text->next) < length || memcmp(text->next, word, length) != 0)
        return false;
    text->next += length;
    return true;
}

static kd2m_status read_type(header_text *text, npy_header *header) {
    static const struct {
        const char *code;
        kd2m_encoding_kind kind;
    } types[] = {{"f4", KD2M_ENCODING_F4},
                 {"f8", KD2M_ENCODING_F8},
                 {"u1", KD2M_ENCODING_U1},
                 {"i4", KD2M_ENCODING_I4},
                 {"i8", KD2M_ENCODING_I8}};
    kd2m_status status = KD2M_OK;
    const char *start = NULL;
    size_t length = 0;
    skip_space(text);
    if (text->next < text->end && *text->next == '[')
        return kd2m_fail(text->context, KD2M_ERROR_INPUT,
                         "%s: holds records; save one plain array a file", text->name);
    KD2M_TRY(take_string(text, &start, &length));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        bool ordered = length == 3 && (*start == '<' || *start == '>');
        bool single = length == 3 && *start == '|' && types[i].kind == KD2M_ENCODING_U1;
        if ((ordered || single) && memcmp(start + 1, types[i].code, 2) == 0) {
            header->encoding = (kd2m_encoding){types[i].kind, *start == '>'};
            return KD2M_OK;
        }
    }
    status = kd2m_fail(text->context, KD2M_ERROR_INPUT,
                       "%s: elements of type '%.*s' are not read, only f4, f8, u1, i4 and i8; "
                       "convert them: np.save(path, a.astype(np.float32))",
                       text->name, (int)(length < 32 ? length : 32), start);

cleanup:
    return status;
}

static kd2m_status read_order(header_text *text) {
    if (take_word(text, "False"))
        return KD2M_OK;
    if (!take_word(text, "True"))
        return refuse_header(text, "True or False");
    return kd2m_fail(text->context, KD2M_ERROR_INPUT,
                     "%s: is in Fortran order; write it in C order: "
                     "np.save(path, np.ascontiguousarray(a))",
                     text->name);
}

static kd2m_status read_dimension(header_text *text, size_t *out) {
    skip_space(text);
    if (text->next == text->end || *text->next < '0' || *text->next > '9')
        return refuse_header(text, "a dimension");
    size_t value = 0;
    while (text->next < text->end && *text->next >= '0' && *text->next <= '9') {
        size_t digit = (size_t)(*text->next - '0');
        if (value > (SIZE_MAX - digit) / 10)
            return kd2m_fail(text->context, KD2M_ERROR_INPUT,
                             "%s: the shape in its header is larger than any memory", text->name);
        value = 10 * value + digit;
        text->next++;
    }
    if (text->next < text->end && *text->next == 'L') /* a long of Python 2 */
        text->next++;
    *out = value;
    return KD2M_OK;
}

static kd2m_status read_shape(header_text *text, npy_header *header) {
    kd2m_status status = KD2M_OK;
    bool comma = true;
    if (!take(text, '('))
        return refuse_header(text, "the shape's '('");
    while (!take(text, ')')) {
        if (!comma)
            return refuse_header(text, "',' or ')'");
        if (header->dims == KD2M_ARRAY_MAX_DIMS)
            return kd2m_fail(text->context, KD2M_ERROR_INPUT,
                             "%s: has more than %d dimensions; reshape it", text->name,
                             KD2M_ARRAY_MAX_DIMS);
        KD2M_TRY(read_dimension(text, &header->shape[header->dims]));
        header->dims++;
        comma = take(text, ',');
    }
    if (header->dims == 0)
        status = kd2m_fail(text->context, KD2M_ERROR_INPUT,
                           "%s: holds a single value without dimensions; reshape it", text->name);
    else if (header->dims == 1 && !comma)
        status = refuse_header(text, "a tuple, '(N,)'");

cleanup:
    return status;
}

static kd2m_status read_dictionary(header_text *text, npy_header *header) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    enum { DESCR, ORDER, SHAPE, KEYS };
    kd2m_status status = KD2M_OK;
    bool seen[KEYS] = {false};
    bool comma = true;
    if (!take(text, '{'))
        return refuse_header(text, "'{'");
    while (!take(text, '}')) {
        const char *start = NULL;
        size_t length = 0;
        size_t key = 0;
        if (!comma)
            return refuse_header(text, "',' or '}'");
        KD2M_TRY(take_string(text, &start, &length));
        while (key < KEYS && (strlen(keys[key]) != length || memcmp(keys[key], start, length) != 0))
            key++;
        if (key == KEYS || seen[key])
            return kd2m_fail(text->context, KD2M_ERROR_INPUT,
                             "%s: the .npy header holds the key '%.*s'%s", text->name,
                             (int)(length < 32 ? length : 32), start,
                             key == KEYS ? ", which the format does not know" : " twice");
        seen[key] = true;
        if (!take(text, ':'))
            return refuse_header(text, "':'");
        if (key == DESCR)
            KD2M_TRY(read_type(text, header));
        else if (key == ORDER)
            KD2M_TRY(read_order(text));
        else
            KD2M_TRY(read_shape(text, header));
        comma = take(text, ',');
    }
    skip_space(text);
    if (text->next != text->end)
        return refuse_header(text, "nothing after '}'");
    for (size_t key = 0; key < KEYS; key++)
        if (!seen[key])
            return kd2m_fail(text->context, KD2M_ERROR_INPUT,
                             "%s: the .npy header lacks the key '%s'", text->name, keys[key]);

cleanup:
    return status;
}

/* *length = the header's, from the fixed part in front of it. */
static kd2m_status read_preamble(kd2m_context *context, kd2m_source *source, size_t *length) {
    static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    kd2m_status status = KD2M_OK;
    const char *name = kd2m_source_name(source);
    unsigned char fixed[8] = {0};
    unsigned char size[4] = {0};

    KD2M_TRY(kd2m_source_read_exact(source, fixed, sizeof fixed, "the .npy magic"));
    if (memcmp(fixed, magic, sizeof magic) != 0) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: is not a .npy file; write one with np.save(path, a)", name);
        goto cleanup;
    }
    if (fixed[6] < 1 || fixed[6] > 3 || fixed[7] != 0) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: is of .npy format %d.%d; 1.0, 2.0 and 3.0 are read", name, fixed[6],
                           fixed[7]);
        goto cleanup;
    }
    KD2M_TRY(kd2m_source_read_exact(source, size, fixed[6] == 1 ? 2 : 4, "the header's length"));
    *length =
        (size_t)size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    if (*length > HEADER_LIMIT)
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: claims a header of %zu bytes; at most %d are read", name, *length,
                           HEADER_LIMIT);

cleanup:
    return status;
}

static kd2m_status parse(kd2m_array *out, kd2m_context *context, kd2m_source *source, bool gaps) {
    *out = (kd2m_array){0};
    kd2m_status status = KD2M_OK;
    npy_header header = {0};
    void *text = NULL;
    size_t length = 0;

    KD2M_TRY(read_preamble(context, source, &length));
    KD2M_TRY(kd2m_source_read_block(source, &text, length, "the header"));
    KD2M_TRY(read_dictionary(
        &(header_text){context, kd2m_source_name(source), text, (const char *)text + length},
        &header));
    out->dims = header.dims;
    memcpy(out->shape, header.shape, sizeof header.shape);
    KD2M_TRY(kd2m_elements_read(out, context, source, header.encoding, gaps));

cleanup:
    kd2m_free(context, text);
    if (status != KD2M_OK)
        kd2m_array_clear(context, out);
    return status;
}

kd2m_status kd2m_array_parse(kd2m_array *out, kd2m_context *context, kd2m_source *source) {
    return parse(out, context, source, false);
}

kd2m_status kd2m_array_parse_gaps(kd2m_array *out, kd2m_context *context, kd2m_source *source) {
    return parse(out, context, source, true);
}
