/* What readers deliver: taking over what a file held, and giving it back. */
#include <string.h>

#include "context.h"
#include "dataset.h"
#include "memory.h"
#include "shape.h"

static kd2m_status check_labels(kd2m_context *context, const kd2m_array *labels, const char *name,
                                size_t rows, const char *values_name) {
    if (labels->element == KD2M_FLOAT32)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: labels must be integers 0, 1, ..; convert them: "
                         "np.save(path, y.astype(np.int32))",
                         name);
    if (labels->dims != 1)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: labels must have one dimension, not %zu; np.save(path, y.ravel())",
                         name, labels->dims);
    if (labels->count != rows)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s holds %zu labels, %s %zu samples", name,
                         labels->count, values_name, rows);
    return KD2M_OK;
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
    KD2M_TRY(check_labels(context, labels, labels_name, values->shape[0], values_name));
    KD2M_TRY(kd2m_alloc(context, (void **)&part->labels, labels->count, sizeof *part->labels));
    for (size_t i = 0; i < labels->count; i++)
        part->labels[i] = labels->element == KD2M_UINT8 ? ((const uint8_t *)labels->values)[i]
                                                        : ((const int32_t *)labels->values)[i];
    part->rows = labels->count;
    part->values = *values;
    *values = (kd2m_array){0};

cleanup:
    return status;
}

void kd2m_raw_data_clear(kd2m_context *context, kd2m_raw_data *raw) {
    kd2m_part *parts[] = {&raw->train, &raw->test};
    for (size_t i = 0; i < 2; i++) {
        kd2m_array_clear(context, &parts[i]->values);
        kd2m_free(context, parts[i]->labels);
    }
    *raw = (kd2m_raw_data){0};
}
