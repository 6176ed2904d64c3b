/*
 * csv: tables in text, a sample a row (the form is csv.h's). Several files, with one header, are
 * joined. Labels: whole numbers keep their value, texts are numbered as they sort (classes.h), in
 * train and test alike. Time about 60 MB/s; memory that of the values, twice while they grow.
 */
#include <string.h>

#include "context.h"
#include "memory.h"
#include "tables.h"

#define CSV_SETTINGS(X)                                                                            \
    X(TEXT, train, NULL, 0, 0, "FILE[;FILE]..", "training rows; patterns as the shell's, too")     \
    X(TEXT, test, NULL, 0, 0, "FILE[;FILE]..", "test rows")                                        \
    X(TEXT, label, "label", 0, 0, "NAME", "column of the class, whole numbers or texts")           \
    X(TEXT, classes, NULL, 0, 0, "A;B;..|N",                                                       \
      "texts of classes 0, 1, ..; else sorted; or the number of classes")                          \
    X(TEXT, columns, NULL, 0, 0, "NAME[;NAME]..", "columns carried beside, as machine, load")      \
    X(TEXT, time, NULL, 0, 0, "NAME", "column of the time a row was taken at, a number")           \
    X(TEXT, features, "*", 0, 0, "NAME[;NAME]..|*", "columns of values; * = all not named else")   \
    X(FLAG, header, "1", 0, 1, "0|1", "first line names the columns; 0: they are 1, 2, ..")        \
    X(CHOICE, sep, "auto", 0, 0, "auto|comma|semicolon|tab", "what cells are apart by")

typedef struct csv_settings {
    CSV_SETTINGS(KD2M_SETTINGS_FIELD)
} csv_settings;

#define ROW(...) KD2M_SETTINGS_ROW(csv_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {CSV_SETTINGS(ROW)};

/* The first table's header, and what was made of it. */
typedef struct table_form {
    const csv_settings *settings;
    kd2m_layout layout;
    kd2m_names header;
    char *first; /* that table's name; owned */
} table_form;

static kd2m_status learn_form(table_form *out, kd2m_csv *csv) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_text_copy(csv->context, &out->first, kd2m_source_name(csv->source)));
    for (size_t i = 0; i < csv->width; i++)
        KD2M_TRY(kd2m_names_add(&out->header, csv->context, csv->names[i]));
    if (strcmp(out->settings->features, "*") == 0)
        KD2M_TRY(kd2m_layout_complete(&out->layout, csv, false));
cleanup:
    return status;
}

/* Refuses a header other than the first table's. */
static kd2m_status check_form(const table_form *form, const kd2m_csv *csv) {
    const kd2m_names *header = &form->header;
    const char *name = kd2m_source_name(csv->source);
    for (size_t i = 0; i < csv->width && i < header->count; i++)
        if (strcmp(csv->names[i], header->items[i]) != 0)
            return kd2m_fail(csv->context, KD2M_ERROR_INPUT,
                             "%s: column %zu is '%.80s', but '%.80s' in %s", name, i + 1,
                             csv->names[i], header->items[i], form->first);
    if (csv->width != header->count)
        return kd2m_fail(csv->context, KD2M_ERROR_INPUT, "%s: has %zu columns, but %s %zu", name,
                         csv->width, form->first, header->count);
    return KD2M_OK;
}

static kd2m_status read_file(kd2m_tables *tables, kd2m_tables_part *part, table_form *form,
                             const char *path) {
    kd2m_source *source = NULL;
    kd2m_csv *csv = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tables_open(tables, path, kd2m_tables_separator(form->settings->sep),
                              form->settings->header, &source, &csv));
    KD2M_TRY(form->first ? check_form(form, csv) : learn_form(form, csv));
    part->frame.width = form->layout.values.count;
    part->frame.timed = form->layout.time != NULL;
    KD2M_TRY(kd2m_layout_read(&form->layout, csv, tables->codings, &part->frame, &tables->met));
cleanup:
    kd2m_csv_free(csv);
    kd2m_source_close(source);
    return status;
}

static kd2m_status read_part(kd2m_tables *tables, kd2m_tables_part *part, table_form *form) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < part->files.count; i++)
        KD2M_TRY(read_file(tables, part, form, part->files.items[i]));
    if (tables->raw->missing == KD2M_MISSING_DROP)
        tables->met.dropped += kd2m_frame_drop_missing(&part->frame);
cleanup:
    return status;
}

/* What the settings ask for by name. */
static kd2m_status name_columns(kd2m_tables *tables, table_form *form) {
    kd2m_context *context = tables->context;
    const csv_settings *settings = form->settings;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_names_add(&form->layout.texts, context, settings->label));
    KD2M_TRY(kd2m_names_split(&form->layout.texts, context, settings->columns, "a column"));
    for (size_t i = 0; i < form->layout.texts.count; i++)
        KD2M_TRY(kd2m_tables_add_text(tables, form->layout.texts.items[i]));
    if (strcmp(settings->features, "*") != 0)
        KD2M_TRY(kd2m_names_split(&form->layout.values, context, settings->features, "a column"));
    form->layout.label = settings->label;
    form->layout.time = settings->time;
    KD2M_TRY(kd2m_tables_code(tables));
cleanup:
    return status;
}

static kd2m_status read(kd2m_context *context, const void *parameters, kd2m_raw_data *out) {
    table_form form = {.settings = parameters};
    kd2m_tables tables;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(
        kd2m_tables_begin(&tables, context, out, "csv", form.settings->train, form.settings->test));
    KD2M_TRY(name_columns(&tables, &form));
    for (size_t p = 0; p < 2; p++)
        KD2M_TRY(read_part(&tables, &tables.parts[p], &form));
    KD2M_TRY(kd2m_missing_settle(context, out->missing, &tables.met, "rows",
                                 "the rows of a table have no order to go along"));
    out->dims = 1;
    out->shape[0] = form.layout.values.count;
    KD2M_TRY(kd2m_tables_deliver(&tables, form.settings->classes, "rows"));
cleanup:
    kd2m_tables_end(&tables);
    kd2m_layout_clear(&form.layout, context);
    kd2m_names_clear(&form.header, context);
    kd2m_free(context, form.first);
    return status;
}

const kd2m_reader kd2m_reader_csv = {
    .name = "csv",
    .summary = "tables in text, a sample a row",
    .bare = "train",
    .parameters = {rows, sizeof rows / sizeof *rows},
    .parameters_size = sizeof(csv_settings),
    .read = read,
};
