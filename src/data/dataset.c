/*
 * Data sets: a spec names a reader, the reader delivers train and test, and what every kind shares
 * is done here: checking the labels, the digest, the split, reading rows back. Memory: what the
 * reader delivered plus four bytes a row. Thread rule: that of the context.
 */
#include "dataset.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "digest.h"
#include "keys.h"
#include "label_noise.h"
#include "memory.h"
#include "select.h"
#include "split.h"
#include "transformed.h"

#define KD2M_READER(name) extern const kd2m_reader kd2m_reader_##name;
#include "readers.def"
#undef KD2M_READER

#define KD2M_READER(name) &kd2m_reader_##name,
static const kd2m_reader *const readers[] = {
#include "readers.def"
};
#undef KD2M_READER

static const char *const split_names[] = {"training", "validation", "test"};

enum { READERS = sizeof readers / sizeof *readers };

static kd2m_status find_reader(kd2m_context *context, const char *text, const kd2m_spec *spec,
                               const kd2m_reader **out) {
    const char *names[READERS];
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < READERS; i++) {
        names[i] = readers[i]->name;
        if (strcmp(spec->name, names[i]) == 0) {
            *out = readers[i];
            return spec->inner ? kd2m_spec_fail(context, text, spec->inner->position,
                                                "'%s' takes nothing in brackets", spec->name)
                               : KD2M_OK;
        }
        int length =
            snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", names[i]);
        used = used + (size_t)length < sizeof known ? used + (size_t)length : used;
    }
    const char *nearest = kd2m_nearest_name(spec->name, names, READERS);
    return kd2m_spec_fail(context, text, spec->position, "unknown data set '%s'%s%s%s; known: %s",
                          spec->name, nearest ? ", did you mean '" : "", nearest ? nearest : "",
                          nearest ? "'?" : "", known);
}

static kd2m_status read_raw(kd2m_dataset *dataset, const kd2m_data_settings *given) {
    kd2m_status status = KD2M_OK;
    kd2m_context *context = dataset->context;
    const kd2m_reader *reader = NULL;
    const char *text = given->data;
    kd2m_spec *spec = NULL;
    void *parameters = NULL;

    KD2M_TRY(kd2m_spec_parse(&spec, context, text));
    KD2M_TRY(find_reader(context, text, spec, &reader));
    KD2M_TRY(kd2m_alloc(context, &parameters, 1, reader->parameters_size));
    kd2m_settings_default(&reader->parameters, parameters);
    KD2M_TRY(kd2m_spec_settings(context, spec, reader->bare, &reader->parameters, parameters));
    dataset->raw.value_scale = 1.0F;
    dataset->raw.missing = kd2m_missing_policy(given->missing);
    KD2M_TRY(reader->read(context, parameters, &dataset->raw));

cleanup:
    kd2m_free(context, parameters);
    kd2m_spec_free(context, spec);
    return status;
}

/* Checks one part's labels; *highest rises to the highest of them. */
static kd2m_status check_labels(const kd2m_dataset *dataset, const kd2m_part *part,
                                const char *name, int32_t *highest) {
    int32_t limit = (int32_t)(dataset->raw.classes ? dataset->raw.classes : KD2M_CLASSES_LIMIT) - 1;
    if (part->rows > UINT32_MAX)
        return kd2m_fail(dataset->context, KD2M_ERROR_INPUT,
                         "%s has %zu rows, more than 32 bits can count", name, part->rows);
    for (size_t i = 0; i < part->rows; i++) {
        if (part->labels[i] < 0 || part->labels[i] > limit)
            return kd2m_fail(dataset->context, KD2M_ERROR_INPUT,
                             "label %d in row %zu (from 0) of the %s data; labels must be 0..%d",
                             part->labels[i], i, name, limit);
        if (part->labels[i] > *highest)
            *highest = part->labels[i];
    }
    return KD2M_OK;
}

/* Checks that samples end no earlier than they begin. */
static kd2m_status check_times(const kd2m_dataset *dataset, const kd2m_part *part,
                               const char *name) {
    if (part->until && !part->time)
        return kd2m_fail(dataset->context, KD2M_ERROR_INPUT,
                         "the %s data say when samples end, but not when they begin", name);
    for (size_t i = 0; part->until && i < part->rows; i++)
        if (!(part->until[i] >= part->time[i]))
            return kd2m_fail(dataset->context, KD2M_ERROR_INPUT,
                             "row %zu (from 0) of the %s data ends at %g, before it begins at %g",
                             i, name, part->until[i], part->time[i]);
    return KD2M_OK;
}

/* The values are in it by the rows' keys, which have them. */
static uint64_t digest_part(uint64_t digest, const kd2m_part *part) {
    digest = kd2m_digest(digest, &part->rows, sizeof part->rows);
    digest = kd2m_digest(digest, part->keys, part->rows * sizeof *part->keys);
    digest = kd2m_digest(digest, part->labels, part->rows * sizeof *part->labels);
    for (size_t i = 0; i < KD2M_COLUMNS_LIMIT; i++)
        if (part->codes[i])
            digest = kd2m_digest(digest, part->codes[i], part->rows * sizeof *part->codes[i]);
    if (part->time)
        digest = kd2m_digest(digest, part->time, part->rows * sizeof *part->time);
    if (part->until)
        digest = kd2m_digest(digest, part->until, part->rows * sizeof *part->until);
    return digest;
}

static uint64_t digest_columns(uint64_t digest, const kd2m_raw_data *raw) {
    for (size_t i = 0; i < raw->column_count; i++) {
        const kd2m_column *column = &raw->columns[i];
        digest = kd2m_digest(digest, column->name, strlen(column->name) + 1);
        for (size_t code = 0; code < column->count; code++)
            digest = kd2m_digest(digest, column->texts[code], strlen(column->texts[code]) + 1);
    }
    return digest;
}

static void digest_data(kd2m_dataset *dataset) {
    const kd2m_raw_data *raw = &dataset->raw;
    dataset->digest = kd2m_digest(KD2M_DIGEST_START, raw->shape, sizeof raw->shape);
    dataset->digest = digest_part(dataset->digest, &raw->train);
    dataset->digest = digest_part(dataset->digest, &raw->test);
    dataset->digest = digest_columns(dataset->digest, raw);
}

static const kd2m_setting setting_rows[] = {
#define ROW(...) KD2M_SETTINGS_ROW(kd2m_data_settings, __VA_ARGS__)
    KD2M_DATA_SETTINGS(ROW)
#undef ROW
};
static const kd2m_setting_list setting_list = {setting_rows,
                                               sizeof setting_rows / sizeof *setting_rows};

const kd2m_setting_list *kd2m_data_setting_list(void) {
    return &setting_list;
}

static kd2m_status validate(kd2m_context *context, const kd2m_data_settings *settings) {
    kd2m_status status = kd2m_settings_validate(context, &setting_list, settings);
    if (status == KD2M_OK && !settings->data)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "no data set: say --data SPEC, e.g. --data bearing or --data idx:DIR");
    return status == KD2M_OK ? kd2m_split_check(context, settings->split ? settings->split : "")
                             : status;
}

/* Warns of classes that are tested but can't be learnt. */
static kd2m_status warn_of_untrained(const kd2m_dataset *dataset) {
    kd2m_status status = KD2M_OK;
    unsigned char *trained = NULL;

    KD2M_TRY(kd2m_alloc(dataset->context, (void **)&trained, dataset->raw.classes, 1));
    for (size_t i = 0; i < dataset->row_count[KD2M_TRAIN]; i++)
        trained[kd2m_dataset_label(dataset, KD2M_TRAIN, i)] = 1;
    for (kd2m_split split = KD2M_VALIDATION; split <= KD2M_TEST; split++) {
        size_t missing = 0;
        int32_t first = 0;
        for (size_t i = 0; i < dataset->row_count[split]; i++) {
            int32_t label = kd2m_dataset_label(dataset, split, i);
            if (trained[label])
                continue;
            first = missing++ == 0 ? label : first;
            trained[label] = 1; /* counted once */
        }
        if (missing > 0 && dataset->row_count[KD2M_TRAIN] > 0)
            kd2m_log(dataset->context, KD2M_LOG_WARNING,
                     "data set '%s': %zu class(es) of the %s data have no training row, the first "
                     "is class %d",
                     dataset->spec, missing, split_names[split], first);
    }

cleanup:
    kd2m_free(dataset->context, trained);
    return status;
}

kd2m_status kd2m_dataset_open(kd2m_dataset **out, kd2m_context *context,
                              const kd2m_data_settings *settings) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_dataset *dataset = NULL;
    int32_t highest = 0;

    KD2M_TRY(validate(context, settings));
    KD2M_TRY(kd2m_alloc(context, (void **)&dataset, 1, sizeof *dataset));
    dataset->context = context;
    KD2M_TRY(kd2m_text_copy(context, &dataset->spec, settings->data));
    KD2M_TRY(read_raw(dataset, settings));
    kd2m_raw_data *raw = &dataset->raw;
    KD2M_TRY(check_labels(dataset, &raw->train, "training", &highest));
    KD2M_TRY(check_labels(dataset, &raw->test, "test", &highest));
    KD2M_TRY(check_times(dataset, &raw->train, "training"));
    KD2M_TRY(check_times(dataset, &raw->test, "test"));
    if (raw->classes == 0)
        raw->classes = (size_t)highest + 1;
    KD2M_TRY(kd2m_raw_data_make_keys(context, raw));
    digest_data(dataset);
    KD2M_TRY(kd2m_raw_data_select(context, raw, settings->classes));
    KD2M_TRY(kd2m_raw_data_transform(context, raw, settings->transform, &dataset->transform));
    KD2M_TRY(kd2m_dataset_split(dataset, settings));
    KD2M_TRY(kd2m_dataset_relabel(dataset, settings->label_noise, (uint64_t)settings->seed));
    KD2M_TRY(warn_of_untrained(dataset));
    *out = dataset;

cleanup:
    if (status != KD2M_OK)
        kd2m_dataset_free(dataset);
    return status;
}

void kd2m_dataset_free(kd2m_dataset *dataset) {
    if (!dataset)
        return;
    for (size_t split = 0; split < 3; split++)
        kd2m_free(dataset->context, dataset->rows[split]);
    kd2m_raw_data_clear(dataset->context, &dataset->raw);
    kd2m_free(dataset->context, dataset->transform);
    kd2m_free(dataset->context, dataset->spec);
    kd2m_free(dataset->context, dataset);
}

size_t kd2m_dataset_sample_size(const kd2m_dataset *dataset) {
    size_t size = 1;
    for (size_t i = 0; i < dataset->raw.dims; i++)
        size *= dataset->raw.shape[i];
    return size;
}

void kd2m_dataset_describe(const kd2m_dataset *dataset, kd2m_dataset_info *info) {
    *info = (kd2m_dataset_info){.spec = dataset->spec,
                                .transform = dataset->transform,
                                .dims = dataset->raw.dims,
                                .sample_size = kd2m_dataset_sample_size(dataset),
                                .channels = dataset->raw.shape[0],
                                .classes = dataset->raw.classes,
                                .columns = dataset->raw.column_count,
                                .dropped = dataset->dropped,
                                .relabelled = dataset->relabelled,
                                .digest = dataset->digest};
    for (size_t i = 0; i < 3; i++) {
        info->shape[i] = dataset->raw.shape[i];
        info->rows[i] = dataset->row_count[i];
    }
}

static kd2m_status check_rows(const kd2m_dataset *dataset, kd2m_split split, size_t first,
                              size_t count) {
    size_t rows = dataset->row_count[split];
    if (first <= rows && count <= rows - first)
        return KD2M_OK;
    return kd2m_fail(dataset->context, KD2M_ERROR_USAGE,
                     "rows %zu..%zu asked for, data set '%s' has %zu %s rows", first,
                     first + count - 1, dataset->spec, rows, split_names[split]);
}

kd2m_status kd2m_dataset_read(const kd2m_dataset *dataset, kd2m_split split, size_t first,
                              size_t count, float *values, int32_t *labels) {
    kd2m_status status = check_rows(dataset, split, first, count);
    size_t size = kd2m_dataset_sample_size(dataset);
    for (size_t i = 0; status == KD2M_OK && i < count; i++)
        kd2m_dataset_fetch(dataset, split, first + i, NULL, values ? values + i * size : NULL,
                           labels ? labels + i : NULL);
    return status;
}

kd2m_status kd2m_dataset_read_codes(const kd2m_dataset *dataset, kd2m_split split, size_t column,
                                    size_t first, size_t count, int32_t *codes) {
    kd2m_column_info info;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_dataset_column(dataset, column, &info));
    KD2M_TRY(check_rows(dataset, split, first, count));
    if (count > 0 && !kd2m_dataset_part(dataset, split)->codes[column])
        return kd2m_fail(dataset->context, KD2M_ERROR_USAGE,
                         "the %s data of '%s' have no column '%s'",
                         split == KD2M_TEST ? "test" : "training", dataset->spec, info.name);
    for (size_t i = 0; i < count; i++)
        codes[i] = kd2m_dataset_code(dataset, split, column, first + i);
cleanup:
    return status;
}

kd2m_status kd2m_dataset_read_keys(const kd2m_dataset *dataset, kd2m_split split, size_t first,
                                   size_t count, uint64_t *keys) {
    kd2m_status status = check_rows(dataset, split, first, count);
    for (size_t i = 0; status == KD2M_OK && i < count; i++)
        keys[i] = kd2m_dataset_part(dataset, split)->keys[dataset->rows[split][first + i]];
    return status;
}

static kd2m_status add_parameter(kd2m_table *table, const kd2m_reader *reader,
                                 const kd2m_setting *setting) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_row(table));
    KD2M_TRY(kd2m_table_set_text(table, "data_set", reader->name));
    KD2M_TRY(kd2m_table_set_text(table, "key", setting->name));
    KD2M_TRY(kd2m_table_set_text(table, "value", setting->metavar));
    if (setting->fallback)
        KD2M_TRY(kd2m_table_set_text(table, "default", setting->fallback));
    KD2M_TRY(kd2m_table_set_text(table, "meaning", setting->help));

cleanup:
    return status;
}

kd2m_status kd2m_dataset_table(kd2m_table **out, kd2m_context *context) {
    static const char *const columns[][2] = {{"data_set", "data set"},
                                             {"key", "key"},
                                             {"value", "value"},
                                             {"default", "default"},
                                             {"meaning", "meaning"}};
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_table *table = NULL;

    KD2M_TRY(kd2m_table_create(&table, context, "data sets"));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        KD2M_TRY(kd2m_table_add_column(table, columns[i][0], columns[i][1], KD2M_COLUMN_TEXT, 0));
    for (size_t i = 0; i < READERS; i++) {
        KD2M_TRY(kd2m_table_add_row(table));
        KD2M_TRY(kd2m_table_set_text(table, "data_set", readers[i]->name));
        KD2M_TRY(kd2m_table_set_text(table, "meaning", readers[i]->summary));
        for (size_t k = 0; k < readers[i]->parameters.count; k++)
            KD2M_TRY(add_parameter(table, readers[i], &readers[i]->parameters.rows[k]));
    }
    *out = table;

cleanup:
    if (status != KD2M_OK)
        kd2m_table_free(table);
    return status;
}
