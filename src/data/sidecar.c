/* Labels and columns of recordings from a table beside them: see sidecar.h. Time and memory linear
 * in the table. */
#include "sidecar.h"

#include <string.h>

#include "context.h"
#include "memory.h"

const char *kd2m_path_end(const char *path, size_t parts) {
    const char *at = path + strlen(path);
    while (at > path && (at[-1] != '/' || --parts > 0))
        at--;
    return at;
}

/* The texts of a row, in order; those of the table's columns that are neither file nor label where
 * the user names none. */
static kd2m_status name_texts(kd2m_tables *tables, const kd2m_csv *csv, const char *label,
                              const char *columns) {
    kd2m_names *texts = &tables->texts;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_names_add(texts, tables->context, label));
    KD2M_TRY(kd2m_names_split(texts, tables->context, columns, "a column"));
    for (size_t i = 0; !columns && i < csv->width; i++)
        if (strcmp(csv->names[i], "file") != 0 && strcmp(csv->names[i], label) != 0)
            KD2M_TRY(kd2m_names_add(texts, tables->context, csv->names[i]));
    KD2M_TRY(kd2m_names_add(texts, tables->context, "recording"));
    KD2M_TRY(kd2m_tables_code(tables));
cleanup:
    return status;
}

/* Which row each file has. */
static kd2m_status index_rows(kd2m_sidecar *sidecar, const kd2m_tables *tables) {
    const kd2m_frame *rows = &sidecar->rows;
    const kd2m_column *files = &tables->columns[rows->texts - 1];
    kd2m_status status = KD2M_OK;
    sidecar->codes = files->count;
    KD2M_TRY(kd2m_alloc(tables->context, (void **)&sidecar->row_of, files->count,
                        sizeof *sidecar->row_of));
    KD2M_TRY(
        kd2m_alloc(tables->context, (void **)&sidecar->taken, rows->rows, sizeof *sidecar->taken));
    for (size_t i = 0; i < rows->rows; i++) {
        int32_t code = rows->codes[(i + 1) * rows->texts - 1];
        if (code < 0)
            return kd2m_fail(tables->context, KD2M_ERROR_INPUT, "%s: row %zu names no file",
                             sidecar->path, i + 1);
        if (sidecar->row_of[code] > 0)
            return kd2m_fail(tables->context, KD2M_ERROR_INPUT, "%s: two rows are of '%s'",
                             sidecar->path, files->texts[code]);
        sidecar->row_of[code] = i + 1;
    }
cleanup:
    return status;
}

kd2m_status kd2m_sidecar_read(kd2m_sidecar *out, kd2m_tables *tables, const char *path,
                              const char *label, const char *columns) {
    kd2m_layout layout = {.time = NULL};
    kd2m_gap_log met = {.dropped = 0}; /* counts where a recording has the row */
    kd2m_source *source = NULL;
    kd2m_csv *csv = NULL;
    kd2m_status status = KD2M_OK;
    *out = (kd2m_sidecar){.rows = {.context = tables->context}};
    KD2M_TRY(kd2m_text_copy(tables->context, &out->path, path));
    KD2M_TRY(kd2m_tables_open(tables, path, 0, true, &source, &csv));
    KD2M_TRY(name_texts(tables, csv, label, columns));
    out->rows.texts = tables->texts.count;
    for (size_t i = 0; i + 1 < tables->texts.count; i++)
        KD2M_TRY(kd2m_names_add(&layout.texts, tables->context, tables->texts.items[i]));
    KD2M_TRY(kd2m_names_add(&layout.texts, tables->context, "file"));
    KD2M_TRY(kd2m_layout_read(&layout, csv, tables->codings, &out->rows, &met));
    KD2M_TRY(index_rows(out, tables));
cleanup:
    kd2m_layout_clear(&layout, tables->context);
    kd2m_csv_free(csv);
    kd2m_source_close(source);
    return status;
}

/* The row of a recording + 1, or 0. */
static size_t find_row(const kd2m_sidecar *sidecar, const kd2m_tables *tables, const char *path) {
    const kd2m_coding *files = &tables->codings[sidecar->rows.texts - 1];
    size_t found = 0;
    for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
        int32_t code = kd2m_coding_find(files, at);
        if (found == 0 && code >= 0 && (size_t)code < sidecar->codes)
            found = sidecar->row_of[code];
    }
    return found;
}

kd2m_status kd2m_sidecar_find(kd2m_sidecar *sidecar, kd2m_tables *tables, const char *path,
                              int32_t *codes) {
    size_t row = find_row(sidecar, tables, path), texts = sidecar->rows.texts - 1;
    if (row == 0)
        return kd2m_fail(tables->context, KD2M_ERROR_INPUT, "%s: no row is of '%s'", sidecar->path,
                         path);
    if (sidecar->taken[--row])
        return kd2m_fail(tables->context, KD2M_ERROR_INPUT,
                         "%s: the row of '%s' is another recording's, too; write the paths of both",
                         sidecar->path, path);
    sidecar->taken[row] = true;
    memcpy(codes, sidecar->rows.codes + row * (texts + 1), texts * sizeof *codes);
    for (size_t i = 0; i < texts; i++)
        if (codes[i] < 0)
            kd2m_gaps_add(&tables->met.marks, "%s, the row of '%s', column '%.60s'", sidecar->path,
                          path, tables->texts.items[i]);
    return KD2M_OK;
}

void kd2m_sidecar_clear(kd2m_sidecar *sidecar, kd2m_context *context) {
    if (sidecar->path)
        kd2m_frame_clear(&sidecar->rows);
    kd2m_free(context, sidecar->path);
    kd2m_free(context, sidecar->row_of);
    kd2m_free(context, sidecar->taken);
    *sidecar = (kd2m_sidecar){.path = NULL};
}
