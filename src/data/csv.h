/*
 * Tables in text: records of cells, the first naming the columns. Reads RFC 4180 and what programs
 * make of it: cells apart by comma, semicolon or tab, "quoted" or not, lines ending in LF or CRLF,
 * a BOM in front. Blanks around a cell that is not quoted are not its own; lines without anything
 * are passed over, unless the table has one column, where they are empty cells.
 */
#ifndef KD2M_DATA_CSV_H
#define KD2M_DATA_CSV_H

#include <stdbool.h>

#include "reading.h"
#include "source.h"

#define KD2M_CSV_RECORD_LIMIT ((size_t)16 << 20) /* bytes: more is taken for a quote left open */
#define KD2M_CSV_COLUMNS_LIMIT 65536

typedef struct kd2m_csv_cell {
    char *text; /* with a NUL behind it */
    size_t length;
} kd2m_csv_cell;

typedef struct kd2m_csv {
    kd2m_context *context;
    kd2m_source *source;   /* borrowed */
    kd2m_reading *reading; /* borrowed: is told how many bytes were read; or NULL */
    char separator;
    char **names; /* width: the columns'; owned */
    size_t width;
    kd2m_csv_cell *cells; /* width: of the record that was read last, until the next is read */
    size_t line;          /* that it begins in, from 1 */

    /* inside */
    size_t cell_count, cell_capacity;
    char *buffer; /* bytes begin..end-1 are still to be taken apart */
    size_t capacity, begin, end;
    size_t next_line;
    size_t blanks; /* empty lines that are still to be given out as records */
    bool ended;    /* the source has no more */
    bool first;    /* `cells` hold the first record, that is still to be given out */
} kd2m_csv;

/*
 * Begins to read a table. `separator` 0: the one of , ; and tab that the first line holds most of.
 * Without a header the columns are called 1, 2, .. Errors: KD2M_ERROR_INPUT (an empty file, UTF-16,
 * what is no text), KD2M_ERROR_IO, KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_csv_open(kd2m_csv **out, kd2m_context *context, kd2m_source *source,
                          kd2m_reading *reading, char separator, bool header);

/* Reads the next record into cells and line; *more = false behind the last. Errors:
 * KD2M_ERROR_INPUT: a count of cells other than the columns', a quote left open or with text behind
 * it, a NUL byte, a record of more than KD2M_CSV_RECORD_LIMIT bytes; as the source's. */
kd2m_status kd2m_csv_next(kd2m_csv *csv, bool *more);

/* *out = number of the column of that name. Errors: KD2M_ERROR_USAGE: there is none (the message
 * names those that there are), or there are two. */
kd2m_status kd2m_csv_find(const kd2m_csv *csv, const char *name, size_t *out);

/* KD2M_ERROR_INPUT: 'FILE, line N, column 'NAME': MESSAGE', of the record that was read last. */
kd2m_status kd2m_csv_fail(const kd2m_csv *csv, size_t column, const char *format, ...)
    KD2M_PRINTF(3, 4);

/* Frees all but the source. NULL is fine. */
void kd2m_csv_free(kd2m_csv *csv);

#endif
