/* What the readers of tables and of recordings share: see tables.h. */
#include "tables.h"

#include <string.h>
#include <sys/stat.h>

#include "classes.h"
#include "context.h"
#include "memory.h"

char kd2m_tables_separator(const char *word) {
    return strcmp(word, "comma") == 0       ? ','
           : strcmp(word, "semicolon") == 0 ? ';'
           : strcmp(word, "tab") == 0       ? '\t'
                                            : '\0';
}

/* Refuses a file that is named twice: the same samples would be learnt and tested. */
static kd2m_status check_files(kd2m_tables *tables) {
    kd2m_column paths = {0};
    kd2m_coding coding = {0};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_coding_open(&coding, tables->context, &paths));
    for (size_t p = 0; p < 2; p++) {
        const kd2m_names *files = &tables->parts[p].files;
        for (size_t i = 0; i < files->count; i++) {
            int32_t code;
            size_t before = paths.count;
            KD2M_TRY(kd2m_coding_code(&coding, files->items[i], &code));
            if (paths.count == before) {
                status = kd2m_fail(tables->context, KD2M_ERROR_USAGE,
                                   "%s: is named twice, the second time in '%s'", files->items[i],
                                   tables->parts[p].key);
                goto cleanup;
            }
        }
    }
cleanup:
    kd2m_coding_close(&coding);
    kd2m_column_clear(tables->context, &paths);
    return status;
}

/* Megabytes of all files; 0, unknown, where some are packed. */
static double total_size(const kd2m_tables *tables) {
    double bytes = 0;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < tables->parts[p].files.count; i++) {
            const char *path = tables->parts[p].files.items[i];
            struct stat found;
            size_t length = strlen(path);
            if (length > 3 && strcmp(path + length - 3, ".gz") == 0)
                return 0;
            if (stat(path, &found) == 0)
                bytes += (double)found.st_size;
        }
    return 1e-6 * bytes;
}

kd2m_status kd2m_tables_begin(kd2m_tables *out, kd2m_context *context, kd2m_raw_data *raw,
                              const char *reader, const char *train, const char *test) {
    kd2m_status status = KD2M_OK;
    *out = (kd2m_tables){
        .context = context,
        .raw = raw,
        .parts = {{.key = "train", .part = &raw->train}, {.key = "test", .part = &raw->test}}};
    for (size_t p = 0; p < 2; p++)
        out->parts[p].frame.context = context;
    if (!train && !test)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "%s: needs train=FILE or test=FILE", reader);
    if (train)
        KD2M_TRY(kd2m_names_files(&out->parts[0].files, context, train));
    if (test)
        KD2M_TRY(kd2m_names_files(&out->parts[1].files, context, test));
    KD2M_TRY(check_files(out));
    kd2m_reading_begin(&out->reading, context, "MB", total_size(out));
cleanup:
    return status;
}

kd2m_status kd2m_tables_add_text(kd2m_tables *tables, const char *name) {
    return kd2m_names_add(&tables->texts, tables->context, name);
}

kd2m_status kd2m_tables_code(kd2m_tables *tables) {
    kd2m_status status = KD2M_OK;
    size_t count = tables->texts.count;
    KD2M_TRY(kd2m_alloc(tables->context, (void **)&tables->columns, count, sizeof(kd2m_column)));
    KD2M_TRY(kd2m_alloc(tables->context, (void **)&tables->codings, count, sizeof(kd2m_coding)));
    for (size_t i = 0; i < count; i++) {
        KD2M_TRY(kd2m_text_copy(tables->context, &tables->columns[i].name, tables->texts.items[i]));
        KD2M_TRY(kd2m_coding_open(&tables->codings[i], tables->context, &tables->columns[i]));
    }
    for (size_t p = 0; p < 2; p++)
        tables->parts[p].frame.texts = count;
cleanup:
    return status;
}

kd2m_status kd2m_tables_open(kd2m_tables *tables, const char *path, char separator, bool header,
                             kd2m_source **source, kd2m_csv **csv) {
    kd2m_status status = KD2M_OK;
    *source = NULL;
    *csv = NULL;
    KD2M_TRY(kd2m_source_open(source, tables->context, path));
    KD2M_TRY(kd2m_csv_open(csv, tables->context, *source, &tables->reading, separator, header));
cleanup:
    return status;
}

kd2m_status kd2m_tables_deliver(kd2m_tables *tables, const char *classes, const char *samples) {
    int32_t *labels = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_classes_number(&labels, &tables->raw->classes, tables->context,
                                 &tables->columns[0], classes, &tables->parts[0].frame,
                                 &tables->parts[1].frame));
    for (size_t p = 0; p < 2; p++) {
        kd2m_tables_part *part = &tables->parts[p];
        if (part->files.count == 0)
            continue;
        if (part->frame.rows == 0) {
            status = kd2m_fail(tables->context, KD2M_ERROR_INPUT, "%s%s: no %s are left",
                               part->files.items[0], part->files.count > 1 ? " and others" : "",
                               samples);
            goto cleanup;
        }
        KD2M_TRY(kd2m_frame_deliver(&part->frame, tables->raw, part->part, &tables->texts,
                                    tables->codings, labels));
    }
cleanup:
    kd2m_free(tables->context, labels);
    return status;
}

void kd2m_tables_end(kd2m_tables *tables) {
    for (size_t p = 0; p < 2; p++) {
        kd2m_frame_clear(&tables->parts[p].frame);
        kd2m_names_clear(&tables->parts[p].files, tables->context);
    }
    for (size_t i = 0; tables->codings && i < tables->texts.count; i++)
        kd2m_coding_close(&tables->codings[i]);
    for (size_t i = 0; tables->columns && i < tables->texts.count; i++)
        kd2m_column_clear(tables->context, &tables->columns[i]);
    kd2m_free(tables->context, tables->codings);
    kd2m_free(tables->context, tables->columns);
    kd2m_names_clear(&tables->texts, tables->context);
    kd2m_reading_end(&tables->reading);
}
