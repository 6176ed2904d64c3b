/* Rows with what belongs to each of them: see row_store.h. */
#include "row_store.h"

#include <string.h>

#include "context.h"
#include "memory.h"

kd2m_row_needs kd2m_row_needs_of(const kd2m_metric_info *info, size_t dim, size_t classes) {
    unsigned logits = KD2M_METRIC_ON_LOGITS | KD2M_METRIC_WITH_LOGITS;
    return (kd2m_row_needs){
        .dim = info->traits & KD2M_METRIC_ON_LOGITS ? 0 : dim,
        .classes = info->traits & logits ? classes : 0,
        .labels = info->traits & KD2M_METRIC_LABELS,
        .column = info->column,
    };
}

static kd2m_status allocate(kd2m_row_store *store, void *out, size_t width, size_t size) {
    size_t count;
    if (width == 0)
        return KD2M_OK;
    if (!kd2m_size_multiply(store->capacity, width, &count))
        return kd2m_fail(store->context, KD2M_ERROR_MEMORY, "%zu rows of %zu values don't fit",
                         store->capacity, width);
    return kd2m_alloc(store->context, out, count, size);
}

kd2m_status kd2m_row_store_create(kd2m_row_store **out, kd2m_context *context, size_t capacity,
                                  const kd2m_row_needs *needs) {
    *out = NULL;
    kd2m_row_store *store = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&store, 1, sizeof *store));
    store->context = context;
    store->needs = *needs;
    store->capacity = capacity;
    KD2M_TRY(allocate(store, &store->features, needs->dim, sizeof(float)));
    KD2M_TRY(allocate(store, &store->logits, needs->classes, sizeof(float)));
    KD2M_TRY(allocate(store, &store->labels, needs->labels, sizeof(int32_t)));
    KD2M_TRY(allocate(store, &store->codes, needs->column != NULL, sizeof(int32_t)));
    KD2M_TRY(allocate(store, &store->weights, needs->weights, sizeof(double)));
    *out = store;
    store = NULL;
cleanup:
    kd2m_row_store_free(store);
    return status;
}

void kd2m_row_store_free(kd2m_row_store *store) {
    if (!store)
        return;
    kd2m_context *context = store->context;
    kd2m_free(context, store->features);
    kd2m_free(context, store->logits);
    kd2m_free(context, store->labels);
    kd2m_free(context, store->codes);
    kd2m_free(context, store->weights);
    kd2m_free(context, store);
}

size_t kd2m_row_store_bytes(const kd2m_row_store *store) {
    const kd2m_row_needs *needs = &store->needs;
    size_t integers = (size_t)needs->labels + (needs->column != NULL);
    return store->capacity * ((needs->dim + needs->classes) * sizeof(float) +
                              integers * sizeof(int32_t) + needs->weights * sizeof(double));
}

static const int32_t *codes_of(const kd2m_sample *sample, const char *column) {
    for (size_t i = 0; column && i < sample->column_count; i++)
        if (strcmp(sample->columns[i].name, column) == 0)
            return sample->columns[i].values;
    return NULL;
}

void kd2m_row_store_write(kd2m_row_store *store, size_t at, const kd2m_sample *from,
                          const kd2m_row_choice *rows) {
    size_t dim = store->needs.dim, classes = store->needs.classes;
    const int32_t *codes = codes_of(from, store->needs.column);
    store->has_logits = store->logits && from->logits;
    store->has_labels = store->labels && from->labels;
    store->has_weights = store->weights && from->weights;
    store->column = (kd2m_sample_column){codes ? store->needs.column : NULL, store->codes};
    for (size_t i = 0; i < rows->count; i++, at++) {
        size_t row = rows->numbers ? rows->numbers[i] / rows->each : i;
        at = at < store->capacity ? at : 0;
        if (store->features)
            memcpy(store->features + at * dim, from->features + row * from->stride,
                   dim * sizeof(float));
        if (store->has_logits)
            memcpy(store->logits + at * classes, from->logits + row * from->logits_stride,
                   classes * sizeof(float));
        if (store->has_labels)
            store->labels[at] = from->labels[row];
        if (codes)
            store->codes[at] = codes[row];
        if (store->has_weights)
            store->weights[at] = from->weights[row];
    }
}

void kd2m_row_store_sample(const kd2m_row_store *store, size_t rows, kd2m_sample *out) {
    *out = (kd2m_sample){
        .rows = rows,
        .dim = store->needs.dim,
        .features = store->features,
        .stride = store->needs.dim,
        .weights = store->has_weights ? store->weights : NULL,
        .labels = store->has_labels ? store->labels : NULL,
        .logits = store->has_logits ? store->logits : NULL,
        .classes = store->needs.classes,
        .logits_stride = store->needs.classes,
        .columns = store->column.name ? &store->column : NULL,
        .column_count = store->column.name ? 1 : 0,
    };
}
