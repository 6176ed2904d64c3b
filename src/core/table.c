/* Result tables: see kd2m/table.h. Rendering costs time linear in the text. */
#include "kd2m/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "memory.h"
#include "spec.h"
#include "text.h"

#define NUMBER_SIZE 1024 /* two numbers of the largest size, 15 digits after the point */
#define COLUMN_GAP 2

typedef struct column {
    char *key, *title;
    kd2m_column_type type;
    int digits;
} column;

typedef struct cell {
    int filled;
    char *text;
    int64_t integer;
    double real, sd;
} cell;

struct kd2m_table {
    kd2m_context *context;
    char *name;
    column *columns;
    size_t column_count, column_capacity;
    cell *cells; /* row after row */
    size_t row_count, cell_capacity;
    char **notes;
    size_t note_count, note_capacity;
};

kd2m_status kd2m_table_create(kd2m_table **out, kd2m_context *context, const char *name) {
    *out = NULL;
    kd2m_table *table = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&table, 1, sizeof *table));
    table->context = context;
    KD2M_TRY(kd2m_text_copy(context, &table->name, name));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    return status;
}

void kd2m_table_free(kd2m_table *table) {
    if (!table)
        return;
    kd2m_context *context = table->context;
    for (size_t i = 0; i < table->column_count; i++) {
        kd2m_free(context, table->columns[i].key);
        kd2m_free(context, table->columns[i].title);
    }
    for (size_t i = 0; i < table->row_count * table->column_count; i++)
        kd2m_free(context, table->cells[i].text);
    for (size_t i = 0; i < table->note_count; i++)
        kd2m_free(context, table->notes[i]);
    kd2m_free(context, table->notes);
    kd2m_free(context, table->cells);
    kd2m_free(context, table->columns);
    kd2m_free(context, table->name);
    kd2m_free(context, table);
}

kd2m_status kd2m_table_add_column(kd2m_table *table, const char *key, const char *title,
                                  kd2m_column_type type, int digits) {
    kd2m_context *context = table->context;
    kd2m_status status = KD2M_OK;
    int lowest = type == KD2M_COLUMN_REAL ? KD2M_DIGITS_SHORTEST : 0;
    if (table->row_count > 0 || digits < lowest || digits > 15)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "table '%s': column '%s' comes after rows or has %d digits", table->name,
                         key, digits);
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].key, key) == 0)
            return kd2m_fail(context, KD2M_ERROR_USAGE, "table '%s': there is a column '%s'",
                             table->name, key);
    KD2M_TRY(kd2m_grow(context, (void **)&table->columns, &table->column_capacity,
                       table->column_count, table->column_count + 1, sizeof *table->columns));
    column *added = &table->columns[table->column_count];
    *added = (column){.type = type, .digits = digits};
    KD2M_TRY(kd2m_text_copy(context, &added->key, key));
    status = kd2m_text_copy(context, &added->title, title);
    if (status != KD2M_OK) {
        kd2m_free(context, added->key);
        goto cleanup;
    }
    table->column_count++;
cleanup:
    return status;
}

kd2m_status kd2m_table_add_columns(kd2m_table *table, const kd2m_table_column *columns,
                                   size_t count) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < count && status == KD2M_OK; i++) {
        const kd2m_table_column *at = &columns[i];
        status = kd2m_table_add_column(table, at->key, at->title ? at->title : at->key, at->type,
                                       at->digits);
    }
    return status;
}

kd2m_status kd2m_table_add_row(kd2m_table *table) {
    size_t used = table->row_count * table->column_count;
    kd2m_status status = kd2m_grow(table->context, (void **)&table->cells, &table->cell_capacity,
                                   used, used + table->column_count, sizeof *table->cells);
    if (status == KD2M_OK)
        table->row_count++;
    return status;
}

/* The cell of the last row under `key`, which must be of this type. */
static kd2m_status find_cell(kd2m_table *table, const char *key, kd2m_column_type type,
                             cell **out) {
    for (size_t i = 0; table->row_count > 0 && i < table->column_count; i++)
        if (strcmp(table->columns[i].key, key) == 0 && table->columns[i].type == type) {
            *out = &table->cells[(table->row_count - 1) * table->column_count + i];
            return KD2M_OK;
        }
    return kd2m_fail(table->context, KD2M_ERROR_USAGE,
                     "table '%s': no row yet, or no column '%s' of this type", table->name, key);
}

kd2m_status kd2m_table_set_text(kd2m_table *table, const char *key, const char *value) {
    cell *found = NULL;
    char *copy;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(find_cell(table, key, KD2M_COLUMN_TEXT, &found));
    KD2M_TRY(kd2m_text_copy(table->context, &copy, value));
    kd2m_free(table->context, found->text);
    found->text = copy;
    found->filled = copy != NULL;
cleanup:
    return status;
}

kd2m_status kd2m_table_set_integer(kd2m_table *table, const char *key, int64_t value) {
    cell *found = NULL;
    kd2m_status status = find_cell(table, key, KD2M_COLUMN_INTEGER, &found);
    if (status == KD2M_OK) {
        found->filled = 1;
        found->integer = value;
    }
    return status;
}

kd2m_status kd2m_table_set_real(kd2m_table *table, const char *key, double value) {
    cell *found = NULL;
    kd2m_status status = find_cell(table, key, KD2M_COLUMN_REAL, &found);
    if (status == KD2M_OK) {
        found->filled = isfinite(value);
        found->real = value;
    }
    return status;
}

kd2m_status kd2m_table_set_mean_sd(kd2m_table *table, const char *key, double mean, double sd) {
    cell *found = NULL;
    kd2m_status status = find_cell(table, key, KD2M_COLUMN_MEAN_SD, &found);
    if (status == KD2M_OK) {
        found->filled = isfinite(mean);
        found->real = mean;
        found->sd = sd;
    }
    return status;
}

kd2m_status kd2m_table_add_note(kd2m_table *table, const char *note) {
    kd2m_status status = kd2m_grow(table->context, (void **)&table->notes, &table->note_capacity,
                                   table->note_count, table->note_count + 1, sizeof *table->notes);
    if (status == KD2M_OK)
        status = kd2m_text_copy(table->context, &table->notes[table->note_count], note);
    if (status == KD2M_OK)
        table->note_count++;
    return status;
}

/* Columns that a terminal takes: UTF-8's continuation bytes take none. */
static size_t display_width(const char *text) {
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* The cell as it is shown: its own text, or a number written into `number`. */
static const char *cell_text(char number[NUMBER_SIZE], const column *of, const cell *what) {
    if (!what->filled)
        return "-";
    if (of->type == KD2M_COLUMN_TEXT)
        return what->text;
    if (of->type == KD2M_COLUMN_INTEGER)
        snprintf(number, NUMBER_SIZE, "%lld", (long long)what->integer);
    else if (of->digits == KD2M_DIGITS_SHORTEST)
        kd2m_format_number(number, what->real);
    else if (of->type == KD2M_COLUMN_REAL || !isfinite(what->sd))
        snprintf(number, NUMBER_SIZE, "%.*f", of->digits, what->real);
    else
        snprintf(number, NUMBER_SIZE, "%.*f ± %.*f", of->digits, what->real, of->digits, what->sd);
    return number;
}

/* One cell, filled up to `width`: texts to the left, numbers to the right. No white space ends a
 * line. */
static kd2m_status append_cell(kd2m_text *to, const char *text, size_t width, int left, int last) {
    int fill = (int)(width - display_width(text));
    if (left)
        return kd2m_text_append(to, "%s%*s", text, last ? 0 : fill + COLUMN_GAP, "");
    return kd2m_text_append(to, "%*s%s%*s", fill, "", text, last ? 0 : COLUMN_GAP, "");
}

static void measure_widths(const kd2m_table *table, size_t *widths) {
    char number[NUMBER_SIZE];
    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = display_width(table->columns[c].title);
        for (size_t r = 0; r < table->row_count; r++) {
            size_t width = display_width(
                cell_text(number, &table->columns[c], &table->cells[r * table->column_count + c]));
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
}

kd2m_status kd2m_table_to_text(const kd2m_table *table, char **out) {
    *out = NULL;
    kd2m_context *context = table->context;
    size_t columns = table->column_count;
    size_t *widths = NULL;
    char number[NUMBER_SIZE];
    kd2m_text to = {context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&widths, columns, sizeof *widths));
    measure_widths(table, widths);
    for (size_t c = 0; c < columns; c++)
        KD2M_TRY(append_cell(&to, table->columns[c].title, widths[c],
                             table->columns[c].type == KD2M_COLUMN_TEXT, c + 1 == columns));
    KD2M_TRY(kd2m_text_append(&to, "\n"));
    for (size_t r = 0; r < table->row_count; r++) {
        for (size_t c = 0; c < columns; c++) {
            const char *text =
                cell_text(number, &table->columns[c], &table->cells[r * columns + c]);
            KD2M_TRY(append_cell(&to, text, widths[c], table->columns[c].type == KD2M_COLUMN_TEXT,
                                 c + 1 == columns));
        }
        KD2M_TRY(kd2m_text_append(&to, "\n"));
    }
    for (size_t i = 0; i < table->note_count; i++)
        KD2M_TRY(kd2m_text_append(&to, "%s%s\n", i == 0 ? "\n" : "", table->notes[i]));
    *out = to.text;
    to.text = NULL;
cleanup:
    kd2m_free(context, widths);
    kd2m_free(context, to.text);
    return status;
}

/* A text as a cell of Markdown: what would end the cell is escaped. */
static kd2m_status append_markdown(kd2m_text *to, const char *text) {
    kd2m_status status = KD2M_OK;
    for (size_t length; *text && status == KD2M_OK; text += length) {
        length = strcspn(text, "|");
        status = length > 0 ? kd2m_text_append(to, "%.*s", (int)length, text)
                            : kd2m_text_append(to, "\\|");
        length = length > 0 ? length : 1;
    }
    return status;
}

kd2m_status kd2m_table_to_markdown(const kd2m_table *table, char **out) {
    *out = NULL;
    size_t columns = table->column_count;
    char number[NUMBER_SIZE];
    kd2m_text to = {table->context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    for (size_t c = 0; c < columns; c++) {
        KD2M_TRY(kd2m_text_append(&to, "| "));
        KD2M_TRY(append_markdown(&to, table->columns[c].title));
        KD2M_TRY(kd2m_text_append(&to, " "));
    }
    KD2M_TRY(kd2m_text_append(&to, "|\n"));
    for (size_t c = 0; c < columns; c++)
        KD2M_TRY(
            kd2m_text_append(&to, table->columns[c].type == KD2M_COLUMN_TEXT ? "|---" : "|---:"));
    KD2M_TRY(kd2m_text_append(&to, "|\n"));
    for (size_t i = 0; i < table->row_count * columns; i++) {
        KD2M_TRY(kd2m_text_append(&to, "| "));
        KD2M_TRY(append_markdown(
            &to, cell_text(number, &table->columns[i % columns], &table->cells[i])));
        KD2M_TRY(kd2m_text_append(&to, (i + 1) % columns == 0 ? " |\n" : " "));
    }
    for (size_t i = 0; i < table->note_count; i++)
        KD2M_TRY(kd2m_text_append(&to, "\n%s\n", table->notes[i]));
    *out = to.text;
    to.text = NULL;
cleanup:
    kd2m_free(table->context, to.text);
    return status;
}

/* A text as a cell of CSV: in quotes where it needs them. */
static kd2m_status append_csv(kd2m_text *to, const char *text) {
    kd2m_status status = KD2M_OK;
    if (text[strcspn(text, ",\"\r\n")] == '\0')
        return kd2m_text_append(to, "%s", text);
    KD2M_TRY(kd2m_text_append(to, "\""));
    for (size_t length; *text; text += length + (text[length] == '"')) {
        length = strcspn(text, "\"");
        KD2M_TRY(kd2m_text_append(to, "%.*s%s", (int)length, text, text[length] ? "\"\"" : ""));
    }
    KD2M_TRY(kd2m_text_append(to, "\""));
cleanup:
    return status;
}

static kd2m_status append_csv_real(kd2m_text *to, double value) {
    char number[KD2M_NUMBER_SIZE];
    if (!isfinite(value))
        return KD2M_OK;
    kd2m_format_number(number, value);
    return kd2m_text_append(to, "%s", number);
}

/* An empty cell of a mean is two. */
static kd2m_status append_csv_cell(kd2m_text *to, const column *of, const cell *what) {
    kd2m_status status = KD2M_OK;
    if (what->filled && of->type == KD2M_COLUMN_TEXT)
        KD2M_TRY(append_csv(to, what->text));
    else if (what->filled && of->type == KD2M_COLUMN_INTEGER)
        KD2M_TRY(kd2m_text_append(to, "%lld", (long long)what->integer));
    else if (what->filled)
        KD2M_TRY(append_csv_real(to, what->real));
    if (of->type == KD2M_COLUMN_MEAN_SD) {
        KD2M_TRY(kd2m_text_append(to, ","));
        KD2M_TRY(append_csv_real(to, what->filled ? what->sd : NAN));
    }
cleanup:
    return status;
}

kd2m_status kd2m_table_to_csv(const kd2m_table *table, char **out) {
    *out = NULL;
    size_t columns = table->column_count;
    kd2m_text to = {table->context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    for (size_t c = 0; c < columns; c++) {
        KD2M_TRY(kd2m_text_append(&to, "%s", c > 0 ? "," : ""));
        KD2M_TRY(append_csv(&to, table->columns[c].key));
        if (table->columns[c].type == KD2M_COLUMN_MEAN_SD)
            KD2M_TRY(kd2m_text_append(&to, ",%s_sd", table->columns[c].key));
    }
    KD2M_TRY(kd2m_text_append(&to, "\n"));
    for (size_t i = 0; i < table->row_count * columns; i++) {
        KD2M_TRY(append_csv_cell(&to, &table->columns[i % columns], &table->cells[i]));
        KD2M_TRY(kd2m_text_append(&to, (i + 1) % columns > 0 ? "," : "\n"));
    }
    *out = to.text;
    to.text = NULL;
cleanup:
    kd2m_free(table->context, to.text);
    return status;
}

/* *out = the cell, a new reference; NULL where jansson is out of memory, for kd2m_json_set to see.
 */
static kd2m_status cell_json(kd2m_context *context, json_t **out, const column *of,
                             const cell *what) {
    if (!what->filled || of->type == KD2M_COLUMN_TEXT)
        return kd2m_json_string(context, out, what->filled ? what->text : NULL);
    if (of->type == KD2M_COLUMN_INTEGER)
        *out = json_integer((json_int_t)what->integer);
    else if (of->type == KD2M_COLUMN_REAL)
        *out = kd2m_json_real(what->real);
    else
        *out = json_pack("{s:o, s:o}", "mean", kd2m_json_real(what->real), "sd",
                         kd2m_json_real(what->sd));
    return KD2M_OK;
}

/* Appends `value` (taken over; NULL = out of memory) to `array`. */
static kd2m_status push(kd2m_context *context, json_t *array, json_t *value) {
    return json_array_append_new(array, value) == 0
               ? KD2M_OK
               : kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory to write JSON");
}

static kd2m_status push_text(kd2m_context *context, json_t *array, const char *text) {
    json_t *value;
    kd2m_status status = kd2m_json_string(context, &value, text);
    return status == KD2M_OK ? push(context, array, value) : status;
}

static kd2m_status fill_json(const kd2m_table *table, json_t *columns, json_t *rows,
                             json_t *notes) {
    kd2m_context *context = table->context;
    json_t *value;
    kd2m_status status = KD2M_OK;
    for (size_t c = 0; c < table->column_count; c++)
        KD2M_TRY(push_text(context, columns, table->columns[c].key));
    for (size_t r = 0; r < table->row_count; r++) {
        const cell *cells = &table->cells[r * table->column_count];
        json_t *row = json_object();
        KD2M_TRY(push(context, rows, row));
        for (size_t c = 0; c < table->column_count; c++) {
            KD2M_TRY(cell_json(context, &value, &table->columns[c], &cells[c]));
            KD2M_TRY(kd2m_json_set(context, row, table->columns[c].key, value));
        }
    }
    for (size_t i = 0; i < table->note_count; i++)
        KD2M_TRY(push_text(context, notes, table->notes[i]));
cleanup:
    return status;
}

kd2m_status kd2m_table_to_json(const kd2m_table *table, char **out) {
    *out = NULL;
    kd2m_context *context = table->context;
    json_t *object = json_object(), *name;
    json_t *columns = json_array(), *rows = json_array(), *notes = json_array();
    char *text = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_json_string(context, &name, table->name));
    KD2M_TRY(kd2m_json_set(context, object, "name", name));
    KD2M_TRY(kd2m_json_set(context, object, "columns", columns ? json_incref(columns) : NULL));
    KD2M_TRY(kd2m_json_set(context, object, "rows", rows ? json_incref(rows) : NULL));
    KD2M_TRY(kd2m_json_set(context, object, "notes", notes ? json_incref(notes) : NULL));
    KD2M_TRY(fill_json(table, columns, rows, notes));
    KD2M_TRY(kd2m_json_text(context, &text, object, 0));
    size_t length = strlen(text);
    KD2M_TRY(kd2m_alloc(context, (void **)out, length + 2, 1));
    memcpy(*out, text, length);
    (*out)[length] = '\n';
cleanup:
    kd2m_text_free(context, text);
    json_decref(columns);
    json_decref(rows);
    json_decref(notes);
    json_decref(object);
    return status;
}
