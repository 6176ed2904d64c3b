/*
 * Reads the IDX format.
 *
 *   0, 0, type, number of dimensions, each dimension in 4 bytes, then the elements; all high byte
 *   first
 *
 * Source: Y. LeCun, C. Cortes, C. Burges, 'The MNIST database of handwritten digits', file formats.
 * Thread rule: that of the context.
 */
#include "idx.h"

#include "context.h"
#include "elements.h"

static kd2m_status read_encoding(kd2m_context *context, const char *name, unsigned char code,
                                 kd2m_encoding *out) {
    static const struct {
        unsigned char code;
        kd2m_encoding_kind kind;
    } types[] = {{0x08, KD2M_ENCODING_U1},
                 {0x0C, KD2M_ENCODING_I4},
                 {0x0D, KD2M_ENCODING_F4},
                 {0x0E, KD2M_ENCODING_F8}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].code == code) {
            *out = (kd2m_encoding){types[i].kind, true};
            return KD2M_OK;
        }
    return kd2m_fail(
        context, KD2M_ERROR_INPUT,
        "%s: IDX elements of type 0x%02x are not read, only 0x08 (bytes), 0x0c (4-byte "
        "integers), 0x0d and 0x0e (floats)",
        name, code);
}

kd2m_status kd2m_idx_parse(kd2m_array *out, kd2m_context *context, kd2m_source *source) {
    *out = (kd2m_array){0};
    kd2m_status status = KD2M_OK;
    const char *name = kd2m_source_name(source);
    kd2m_encoding encoding = {0};
    unsigned char word[4] = {0};

    KD2M_TRY(kd2m_source_read_exact(source, word, sizeof word, "the IDX magic"));
    if (word[0] != 0 || word[1] != 0) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: is not an IDX file: it begins with %02x %02x, not 00 00", name,
                           word[0], word[1]);
        goto cleanup;
    }
    KD2M_TRY(read_encoding(context, name, word[2], &encoding));
    if (word[3] < 1 || word[3] > KD2M_ARRAY_MAX_DIMS) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "%s: has %d dimensions; 1 to %d are read",
                           name, word[3], KD2M_ARRAY_MAX_DIMS);
        goto cleanup;
    }
    out->dims = word[3];
    for (size_t i = 0; i < out->dims; i++) {
        KD2M_TRY(kd2m_source_read_exact(source, word, sizeof word, "the IDX dimensions"));
        out->shape[i] =
            (size_t)word[0] << 24 | (size_t)word[1] << 16 | (size_t)word[2] << 8 | (size_t)word[3];
    }
    KD2M_TRY(kd2m_elements_read(out, context, source, encoding, false));

cleanup:
    if (status != KD2M_OK)
        kd2m_array_clear(context, out);
    return status;
}
