/* What the readers of tables and of recordings share: keys, the files, the labels. */
#ifndef KD2M_DATA_TABLES_H
#define KD2M_DATA_TABLES_H

#include "layout.h"

/* The separator that a word of the setting 'sep' stands for; 0 is to be seen from the file. */
char kd2m_tables_separator(const char *word);

/* The files that a part is read from, and the rows that came of them. */
typedef struct kd2m_tables_part {
    const char *key; /* 'train' */
    kd2m_names files;
    kd2m_frame frame;
    kd2m_part *part; /* borrowed: where the rows go to */
} kd2m_tables_part;

/* What is read into: the coding of label and columns, shared by both parts. */
typedef struct kd2m_tables {
    kd2m_context *context;
    kd2m_raw_data *raw;        /* borrowed */
    kd2m_names texts;          /* of the label, then of the columns beside it */
    kd2m_column *columns;      /* texts.count */
    kd2m_coding *codings;      /* texts.count */
    kd2m_tables_part parts[2]; /* train, test */
    kd2m_gap_log met;
    kd2m_reading reading;
} kd2m_tables;

/* Begins with the files of both parts; `train` and `test` may be NULL. Errors: KD2M_ERROR_USAGE
 * (neither, a file that is there twice), as kd2m_names_files. */
kd2m_status kd2m_tables_begin(kd2m_tables *out, kd2m_context *context, kd2m_raw_data *raw,
                              const char *reader, const char *train, const char *test);

/* Adds a text that rows have: first the label, then columns. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_tables_add_text(kd2m_tables *tables, const char *name);

/* Gets the codings ready, once all texts are added. */
kd2m_status kd2m_tables_code(kd2m_tables *tables);

/* Opens a table. The source is to be closed by the caller, too, after the table. */
kd2m_status kd2m_tables_open(kd2m_tables *tables, const char *path, char separator, bool header,
                             kd2m_source **source, kd2m_csv **csv);

/* Numbers the classes and fills raw, whose shape is set. Errors: as kd2m_classes_number,
 * KD2M_ERROR_INPUT where no row is left of a part that has files. */
kd2m_status kd2m_tables_deliver(kd2m_tables *tables, const char *classes, const char *samples);

void kd2m_tables_end(kd2m_tables *tables);

#endif
