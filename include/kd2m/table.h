/*
 * Result tables: what a command found, kept apart from how it is shown. The same table prints as
 * text for people, as JSON for machines and as CSV for charts.
 */
#ifndef KD2M_TABLE_H
#define KD2M_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"

KD2M_BEGIN_DECLS

typedef struct kd2m_table kd2m_table;

typedef enum kd2m_column_type {
    KD2M_COLUMN_TEXT,
    KD2M_COLUMN_INTEGER,
    KD2M_COLUMN_REAL,   /* shown with `digits` digits after the point; NaN shows as '-' / null */
    KD2M_COLUMN_MEAN_SD /* mean +- standard deviation, JSON {"mean":, "sd":} */
} kd2m_column_type;

/* Makes an empty table; `name` (copied) is its JSON key and its title. */
KD2M_API kd2m_status kd2m_table_create(kd2m_table **out, kd2m_context *context, const char *name);

/* For `digits` of a KD2M_COLUMN_REAL: as many as each number takes, '0.05', '1e-05'. */
#define KD2M_DIGITS_SHORTEST (-1)

/* Frees the table. NULL is fine. */
KD2M_API void kd2m_table_free(kd2m_table *table);

/*
 * Adds a column, before the first row. `key` names it in JSON, `title` in text (both copied);
 * `digits` 0..15 are shown after the point in text (JSON carries full precision).
 */
KD2M_API kd2m_status kd2m_table_add_column(kd2m_table *table, const char *key, const char *title,
                                           kd2m_column_type type, int digits);

/* A column as kd2m_table_add_column takes it; `title` NULL: the key. */
typedef struct kd2m_table_column {
    const char *key, *title;
    kd2m_column_type type;
    int digits;
} kd2m_table_column;

/* Adds `count` columns. */
KD2M_API kd2m_status kd2m_table_add_columns(kd2m_table *table, const kd2m_table_column *columns,
                                            size_t count);

/* Begins a row, its cells empty ('-' in text, null in JSON). */
KD2M_API kd2m_status kd2m_table_add_row(kd2m_table *table);

/* Fill a cell of the last row. Errors: KD2M_ERROR_USAGE for an unknown key or another type. */
KD2M_API kd2m_status kd2m_table_set_text(kd2m_table *table, const char *key, const char *value);
KD2M_API kd2m_status kd2m_table_set_integer(kd2m_table *table, const char *key, int64_t value);
KD2M_API kd2m_status kd2m_table_set_real(kd2m_table *table, const char *key, double value);
KD2M_API kd2m_status kd2m_table_set_mean_sd(kd2m_table *table, const char *key, double mean,
                                            double sd);

/* Adds a line of remark (copied) below the table. */
KD2M_API kd2m_status kd2m_table_add_note(kd2m_table *table, const char *note);

/*
 * Renders the table: owned text, to be given to kd2m_text_free. Text ends in a newline. JSON is
 * {"name":, "columns":[..], "rows":[{..}], "notes":[..]}; Markdown is a table with its notes below.
 * CSV (RFC 4180, but lines end in \n) begins with the keys and has no notes; numbers carry full
 * precision, an empty cell is empty, and a mean comes as two cells, KEY and KEY_sd.
 */
KD2M_API kd2m_status kd2m_table_to_text(const kd2m_table *table, char **out);
KD2M_API kd2m_status kd2m_table_to_json(const kd2m_table *table, char **out);
KD2M_API kd2m_status kd2m_table_to_markdown(const kd2m_table *table, char **out);
KD2M_API kd2m_status kd2m_table_to_csv(const kd2m_table *table, char **out);

KD2M_END_DECLS

#endif
