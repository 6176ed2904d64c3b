/* What readers deliver: taking over what a file held, and giving it back. */
#include <string.h>

#include "coding.h"
#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "shape.h"

/* What a file beside the values holds, in words. */
typedef struct beside {
    const char *file;
    const char *what; /* 'labels' */
} beside;

static kd2m_status check_beside(kd2m_context *context, beside of, const kd2m_array *array,
                                size_t rows) {
    if (array->dims != 1)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: %s must have one dimension, not %zu; np.save(path, y.ravel())",
                         of.file, of.what, array->dims);
    if (array->count != rows)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s holds %zu %s for %zu samples", of.file,
                         array->count, of.what, rows);
    return KD2M_OK;
}

/* *out = owned copy of `rows` whole numbers. */
static kd2m_status take_integers(kd2m_context *context, int32_t **out, const kd2m_array *array,
                                 size_t rows, beside of) {
    kd2m_status status = KD2M_OK;
    if (array->element == KD2M_FLOAT32)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: %s must be integers; convert them: "
                         "np.save(path, y.astype(np.int32))",
                         of.file, of.what);
    KD2M_TRY(check_beside(context, of, array, rows));
    KD2M_TRY(kd2m_alloc(context, (void **)out, rows, sizeof **out));
    for (size_t i = 0; i < rows; i++)
        (*out)[i] = array->element == KD2M_UINT8 ? ((const uint8_t *)array->values)[i]
                                                 : ((const int32_t *)array->values)[i];
cleanup:
    return status;
}

static kd2m_status take_shape(kd2m_context *context, kd2m_raw_data *raw, const kd2m_array *values,
                              const char *name) {
    size_t dims = values->dims - 1;
    const size_t *shape = values->shape + 1;
    if (values->element == KD2M_INT32)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: values must be floats or bytes; convert them: "
                         "np.save(path, x.astype(np.float32))",
                         name);
    if (dims < 1)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: values must have a row for each sample, N x ..., not one dimension",
                         name);
    if (raw->dims == 0) {
        raw->dims = dims;
        memcpy(raw->shape, shape, dims * sizeof *shape);
    } else if (raw->dims != dims || memcmp(raw->shape, shape, dims * sizeof *shape) != 0) {
        char given[KD2M_SHAPE_TEXT], wanted[KD2M_SHAPE_TEXT];
        kd2m_shape_text(given, dims, shape);
        kd2m_shape_text(wanted, raw->dims, raw->shape);
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: a sample is %s, but %s in the training data", name, given, wanted);
    }
    return KD2M_OK;
}

kd2m_status kd2m_raw_data_take(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                               kd2m_array *values, const char *values_name,
                               const kd2m_array *labels, const char *labels_name) {
    kd2m_status status = KD2M_OK;

    KD2M_TRY(take_shape(context, raw, values, values_name));
    KD2M_TRY(take_integers(context, &part->labels, labels, values->shape[0],
                           (beside){labels_name, "labels"}));
    part->rows = labels->count;
    part->values = *values;
    *values = (kd2m_array){0};

cleanup:
    return status;
}

kd2m_status kd2m_raw_data_take_column(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                      const char *column, const kd2m_array *numbers,
                                      const char *numbers_name) {
    kd2m_status status = KD2M_OK;
    int32_t *values = NULL;
    KD2M_TRY(take_integers(context, &values, numbers, part->rows, (beside){numbers_name, "codes"}));
    KD2M_TRY(kd2m_raw_data_add_numbers(context, raw, part, column, values));

cleanup:
    kd2m_free(context, values);
    return status;
}

kd2m_status kd2m_raw_data_take_times(kd2m_context *context, const kd2m_part *part, double **out,
                                     const kd2m_array *times, const char *times_name) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check_beside(context, (beside){times_name, "times"}, times, part->rows));
    KD2M_TRY(kd2m_alloc(context, (void **)out, part->rows, sizeof **out));
    for (size_t i = 0; i < part->rows; i++)
        (*out)[i] = times->element == KD2M_FLOAT32 ? (double)((const float *)times->values)[i]
                    : times->element == KD2M_UINT8 ? (double)((const uint8_t *)times->values)[i]
                                                   : (double)((const int32_t *)times->values)[i];
cleanup:
    return status;
}

/* Moves the elements of kept rows to the front. */
static void keep_elements(void *memory, size_t size, const unsigned char *keep, size_t rows) {
    unsigned char *bytes = memory;
    size_t kept = 0;
    for (size_t i = 0; bytes && i < rows; i++)
        if (keep[i])
            memmove(bytes + kept++ * size, bytes + i * size, size);
}

void kd2m_part_keep(kd2m_part *part, const unsigned char *keep) {
    size_t kept = 0, sample = part->values.count / part->rows;
    for (size_t i = 0; i < part->rows; i++)
        kept += keep[i] != 0;
    keep_elements(part->values.values, sample * kd2m_part_width(part), keep, part->rows);
    keep_elements(part->labels, sizeof *part->labels, keep, part->rows);
    keep_elements(part->keys, sizeof *part->keys, keep, part->rows);
    for (size_t i = 0; i < KD2M_COLUMNS_LIMIT; i++)
        keep_elements(part->codes[i], sizeof *part->codes[i], keep, part->rows);
    keep_elements(part->time, sizeof *part->time, keep, part->rows);
    keep_elements(part->until, sizeof *part->until, keep, part->rows);
    part->values.shape[0] = part->rows = kept;
    part->values.count = kept * sample;
}

static void clear_part(kd2m_context *context, kd2m_part *part) {
    kd2m_array_clear(context, &part->values);
    kd2m_free(context, part->labels);
    kd2m_free(context, part->keys);
    for (size_t i = 0; i < KD2M_COLUMNS_LIMIT; i++)
        kd2m_free(context, part->codes[i]);
    kd2m_free(context, part->time);
    kd2m_free(context, part->until);
}

void kd2m_raw_data_clear(kd2m_context *context, kd2m_raw_data *raw) {
    clear_part(context, &raw->train);
    clear_part(context, &raw->test);
    for (size_t i = 0; i < raw->column_count; i++)
        kd2m_column_clear(context, &raw->columns[i]);
    *raw = (kd2m_raw_data){0};
}
