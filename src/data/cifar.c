/* CIFAR's binary files; see cifar.h. Memory: one file beside what was read before. */
#include "cifar.h"

#include <string.h>

#include "context.h"
#include "folder.h"
#include "memory.h"

#define SIDE 32
#define PIXELS ((size_t)3 * SIDE * SIDE)
#define FILE_LIMIT ((size_t)1 << 31) /* bytes; the official files have 31 or 154 million */

/* Makes room for `more` records behind those that are there. */
static kd2m_status grow(kd2m_context *context, kd2m_array *array, size_t record, size_t more) {
    void *values = NULL;
    size_t rows = array->shape[0], total;
    if (!kd2m_size_multiply(rows + more, record, &total))
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "%zu CIFAR records don't fit", rows + more);
    kd2m_status status = kd2m_alloc(context, &values, total, 1);
    if (status != KD2M_OK)
        return status;
    if (array->count > 0)
        memcpy(values, array->values, array->count);
    kd2m_free(context, array->values);
    array->values = values;
    return KD2M_OK;
}

static void split_records(kd2m_array *images, kd2m_array *labels, const uint8_t *bytes,
                          size_t count, kd2m_cifar_format format) {
    uint8_t *image = (uint8_t *)images->values + images->count;
    uint8_t *label = (uint8_t *)labels->values + labels->count;
    for (size_t i = 0; i < count; i++, bytes += format.label_bytes + PIXELS) {
        label[i] = bytes[format.label];
        memcpy(image + i * PIXELS, bytes + format.label_bytes, PIXELS);
    }
    size_t rows = labels->count + count;
    *images = (kd2m_array){KD2M_UINT8, 4, {rows, 3, SIDE, SIDE}, rows * PIXELS, images->values};
    *labels = (kd2m_array){KD2M_UINT8, 1, {rows}, rows, labels->values};
}

kd2m_status kd2m_cifar_append(kd2m_array *images, kd2m_array *labels, kd2m_context *context,
                              kd2m_source *source, kd2m_cifar_format format) {
    kd2m_status status = KD2M_OK;
    size_t record = format.label_bytes + PIXELS, size = 0;
    void *bytes = NULL;
    KD2M_TRY(kd2m_source_read_all(source, &bytes, &size, FILE_LIMIT));
    if (size == 0 || size % record != 0) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT,
                           "%s: has %zu bytes, which is no whole number of records of %zu bytes "
                           "(label and image): not this format, or cut short",
                           kd2m_source_name(source), size, record);
        goto cleanup;
    }
    KD2M_TRY(grow(context, images, PIXELS, size / record));
    KD2M_TRY(grow(context, labels, 1, size / record));
    split_records(images, labels, bytes, size / record, format);
cleanup:
    kd2m_free(context, bytes);
    return status;
}

kd2m_status kd2m_cifar_read_part(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                 const char *folder, const char *const *names,
                                 kd2m_cifar_format format) {
    kd2m_status status = KD2M_OK;
    kd2m_array images = {0}, labels = {0};
    kd2m_source *source = NULL;
    for (const char *const *name = names; *name; name++) {
        KD2M_TRY(kd2m_folder_open(&source, context, folder, *name, name == names));
        if (source)
            KD2M_TRY(kd2m_cifar_append(&images, &labels, context, source, format));
        kd2m_source_close(source);
        source = NULL;
    }
    KD2M_TRY(kd2m_raw_data_take(context, raw, part, &images, folder, &labels, folder));
    raw->value_scale = 1.0F / 255.0F;
cleanup:
    kd2m_source_close(source);
    kd2m_array_clear(context, &images);
    kd2m_array_clear(context, &labels);
    return status;
}
