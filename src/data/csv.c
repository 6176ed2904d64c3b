/*
 * Takes tables in text apart: see csv.h. RFC 4180, with the freedoms named there.
 *
 *   record := cell { separator cell } ( LF | CR LF | end )
 *   cell   := plain | '"' { any but '"', or '""' } '"'
 *
 * A record is looked through as a whole before it is touched: where the buffer ends in it, more is
 * read and it is looked through anew; the buffer doubles, so that each byte is looked at twice at
 * most on the mean. Then quotes are taken out and NULs put behind the cells, in place. Time linear;
 * memory 256 KiB or twice the longest record. Thread rule: that of the context.
 */
#include "csv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "spec.h"

#define BUFFER_SIZE ((size_t)256 << 10)

/* Reads on behind what is left in the buffer. */
static kd2m_status refill(kd2m_csv *csv) {
    size_t got = 0, left = csv->end - csv->begin;
    kd2m_status status = KD2M_OK;
    if (left > KD2M_CSV_RECORD_LIMIT)
        return kd2m_fail(csv->context, KD2M_ERROR_INPUT,
                         "%s, line %zu: is longer than %zu MiB; is a quote left open?",
                         kd2m_source_name(csv->source), csv->next_line,
                         KD2M_CSV_RECORD_LIMIT >> 20);
    if (left > 0)
        memmove(csv->buffer, csv->buffer + csv->begin, left);
    csv->begin = 0;
    csv->end = left;
    size_t wanted = left + (left < BUFFER_SIZE / 2 ? BUFFER_SIZE / 2 : left);
    KD2M_TRY(kd2m_grow(csv->context, (void **)&csv->buffer, &csv->capacity, left,
                       wanted > BUFFER_SIZE ? wanted + 1 : BUFFER_SIZE + 1, 1));
    KD2M_TRY(kd2m_source_read(csv->source, csv->buffer + left, csv->capacity - 1 - left, &got));
    csv->ended = got < csv->capacity - 1 - left;
    csv->end += got;
    KD2M_TRY(kd2m_reading_advance(csv->reading, 1e-6 * (double)got));
cleanup:
    return status;
}

static kd2m_status refuse(const kd2m_csv *csv, const char *fault) {
    return kd2m_fail(csv->context, KD2M_ERROR_INPUT, "%s, line %zu: %s",
                     kd2m_source_name(csv->source), csv->next_line, fault);
}

static bool is_blank(const kd2m_csv *csv, char c) {
    return c == ' ' || c == '\r' || (c == '\t' && csv->separator != '\t');
}

/* A place in the record that is looked through. */
typedef struct cursor {
    char *at, *end;
    size_t lines; /* that ended on the way */
} cursor;

static void skip_blanks(const kd2m_csv *csv, cursor *in) {
    while (in->at < in->end && is_blank(csv, *in->at))
        in->at++;
}

/* Where the quoted cell ends whose text begins at in->at; moves behind it. False: the buffer ends
 * before. */
static bool find_quote(const kd2m_csv *csv, cursor *in, char **stop) {
    while (in->at < in->end && (in->at = memchr(in->at, '"', (size_t)(in->end - in->at)))) {
        *stop = in->at++;
        if (in->at == in->end || *in->at != '"')
            return in->at < in->end || csv->ended;
        in->at++;
    }
    return false;
}

static kd2m_status add_cell(kd2m_csv *csv, char *text, const char *stop) {
    kd2m_status status = KD2M_OK;
    if (csv->cell_count == csv->cell_capacity) {
        if (csv->cell_count == KD2M_CSV_COLUMNS_LIMIT)
            return refuse(csv, "has more than 65536 cells");
        KD2M_TRY(kd2m_grow(csv->context, (void **)&csv->cells, &csv->cell_capacity, csv->cell_count,
                           csv->cell_count + 1, sizeof *csv->cells));
    }
    csv->cells[csv->cell_count++] = (kd2m_csv_cell){text, (size_t)(stop - text)};
cleanup:
    return status;
}

/* Looks for the quoted cell at in->at. */
static kd2m_status scan_quoted(kd2m_csv *csv, cursor *in, bool *whole) {
    char *start = ++in->at, *stop = start;
    kd2m_status status = KD2M_OK;
    *whole = find_quote(csv, in, &stop);
    if (!*whole)
        return csv->ended ? refuse(csv, "a quote is not closed") : KD2M_OK;
    if (memchr(start, '\0', (size_t)(stop - start)))
        return refuse(csv, "holds a NUL byte: this is no text");
    for (const char *c = start; (c = memchr(c, '\n', (size_t)(stop - c))); c++)
        in->lines++;
    KD2M_TRY(add_cell(csv, start, stop));
    skip_blanks(csv, in);
    if (in->at < in->end && *in->at != csv->separator && *in->at != '\n')
        return refuse(csv, "text stands behind a closing quote; a quote inside of a quoted cell is "
                           "written twice");
    *whole = in->at < in->end || csv->ended;
cleanup:
    return status;
}

/* Looks for the plain cell at in->at. */
static kd2m_status scan_plain(kd2m_csv *csv, cursor *in, bool *whole) {
    char *start = in->at;
    while (in->at < in->end && *in->at != csv->separator && *in->at != '\n' && *in->at != '\0')
        in->at++;
    *whole = in->at < in->end || csv->ended;
    if (!*whole)
        return KD2M_OK;
    if (in->at < in->end && *in->at == '\0')
        return refuse(csv, "holds a NUL byte: this is no text");
    const char *stop = in->at;
    while (stop > start && is_blank(csv, stop[-1]))
        stop--;
    return add_cell(csv, start, stop);
}

/* Looks the record at `begin` through; *whole is false where the buffer ends in it. */
static kd2m_status scan(kd2m_csv *csv, bool *whole) {
    cursor in = {csv->buffer + csv->begin, csv->buffer + csv->end, 1};
    kd2m_status status = KD2M_OK;
    csv->cell_count = 0;
    for (;;) {
        skip_blanks(csv, &in);
        KD2M_TRY(in.at < in.end && *in.at == '"' ? scan_quoted(csv, &in, whole)
                                                 : scan_plain(csv, &in, whole));
        if (!*whole)
            return KD2M_OK;
        if (in.at == in.end || *in.at++ == '\n')
            break;
    }
    csv->begin = (size_t)(in.at - csv->buffer);
    csv->line = csv->next_line;
    csv->next_line += in.lines;
cleanup:
    return status;
}

/* Makes a cell a text of its own: '""' becomes '"'. A plain cell's quotes stay. */
static void finish_cell(kd2m_csv_cell *cell, bool quoted) {
    char *text = cell->text;
    size_t used = 0;
    if (quoted && memchr(text, '"', cell->length)) {
        for (size_t i = 0; i < cell->length; i++) {
            text[used++] = text[i];
            i += text[i] == '"';
        }
        cell->length = used;
    }
    text[cell->length] = '\0';
}

/* Passes a line without anything, and returns whether there was one. */
static bool pass_blank_line(kd2m_csv *csv) {
    cursor in = {csv->buffer + csv->begin, csv->buffer + csv->end, 0};
    skip_blanks(csv, &in);
    bool blank = in.at < in.end ? *in.at == '\n' : csv->ended && csv->begin < csv->end;
    if (!blank)
        return false;
    csv->begin = (size_t)(in.at - csv->buffer) + (in.at < in.end);
    csv->next_line++;
    return true;
}

/* Passes lines without anything; then a record begins at `begin`, or nothing is left. */
static kd2m_status pass_blank_lines(kd2m_csv *csv) {
    kd2m_status status = KD2M_OK;
    for (;;) {
        if (pass_blank_line(csv)) {
            csv->blanks++;
            continue;
        }
        const cursor in = {csv->buffer + csv->begin, csv->buffer + csv->end, 0};
        cursor ahead = in;
        skip_blanks(csv, &ahead);
        if (ahead.at < ahead.end || csv->ended)
            return KD2M_OK;
        KD2M_TRY(refill(csv));
    }
cleanup:
    return status;
}

/* Gives an empty line of a table of one column out. */
static void take_blank(kd2m_csv *csv) {
    static char nothing[1];
    csv->cells[0] = (kd2m_csv_cell){nothing, 0};
    csv->cell_count = 1;
    csv->line = csv->next_line - csv->blanks--;
}

/* Reads a record of any number of cells. */
static kd2m_status read_record(kd2m_csv *csv, bool *more) {
    bool whole = false;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(pass_blank_lines(csv));
    *more = csv->begin < csv->end;
    if (*more && csv->width == 1 && csv->blanks > 0) {
        take_blank(csv);
        return KD2M_OK;
    }
    csv->blanks = 0;
    while (*more && !whole) {
        KD2M_TRY(scan(csv, &whole));
        if (!whole)
            KD2M_TRY(refill(csv));
    }
    for (size_t i = 0; *more && i < csv->cell_count; i++)
        finish_cell(&csv->cells[i],
                    csv->cells[i].text > csv->buffer && csv->cells[i].text[-1] == '"');
cleanup:
    return status;
}

kd2m_status kd2m_csv_next(kd2m_csv *csv, bool *more) {
    if (csv->first) {
        csv->first = false;
        *more = true;
        return KD2M_OK;
    }
    kd2m_status status = read_record(csv, more);
    if (status == KD2M_OK && *more && csv->cell_count != csv->width)
        status = kd2m_fail(csv->context, KD2M_ERROR_INPUT,
                           "%s, line %zu: has %zu cells, but there are %zu columns",
                           kd2m_source_name(csv->source), csv->line, csv->cell_count, csv->width);
    return status;
}

/* Passes a BOM. */
static kd2m_status check_start(kd2m_csv *csv) {
    const unsigned char *bytes = (const unsigned char *)csv->buffer;
    if (csv->end >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        csv->begin = 3;
    else if (csv->end >= 2 && (bytes[0] ^ bytes[1]) == 1 && bytes[0] >= 0xfe)
        return refuse(csv, "the text is in UTF-16; save it in UTF-8");
    return KD2M_OK;
}

/* The sign of , ; and tab that the first line holds most of, outside of quotes. */
static char detect_separator(const kd2m_csv *csv) {
    static const char signs[] = {',', ';', '\t'};
    size_t counts[sizeof signs] = {0}, best = 0;
    bool quoted = false;
    for (size_t at = csv->begin; at < csv->end && (quoted || csv->buffer[at] != '\n'); at++) {
        quoted = quoted != (csv->buffer[at] == '"');
        for (size_t i = 0; !quoted && i < sizeof signs; i++)
            counts[i] += csv->buffer[at] == signs[i];
    }
    for (size_t i = 1; i < sizeof signs; i++)
        best = counts[i] > counts[best] ? i : best;
    return signs[best];
}

/* The columns' names: the cells of the first record, or their numbers. */
static kd2m_status name_columns(kd2m_csv *csv, bool header) {
    char number[24];
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(csv->context, (void **)&csv->names, csv->cell_count, sizeof *csv->names));
    csv->width = csv->cell_count;
    for (size_t i = 0; i < csv->width; i++) {
        snprintf(number, sizeof number, "%zu", i + 1);
        KD2M_TRY(
            kd2m_text_copy(csv->context, &csv->names[i], header ? csv->cells[i].text : number));
    }
    csv->first = !header;
cleanup:
    return status;
}

kd2m_status kd2m_csv_open(kd2m_csv **out, kd2m_context *context, kd2m_source *source,
                          kd2m_reading *reading, char separator, bool header) {
    kd2m_csv *csv = NULL;
    bool more = false;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_alloc(context, (void **)&csv, 1, sizeof *csv));
    csv->context = context;
    csv->source = source;
    csv->reading = reading;
    csv->separator = separator;
    csv->next_line = 1;
    KD2M_TRY(refill(csv));
    KD2M_TRY(check_start(csv));
    KD2M_TRY(pass_blank_lines(csv));
    if (!separator)
        csv->separator = detect_separator(csv);
    KD2M_TRY(read_record(csv, &more));
    if (!more) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "%s: is empty, a table is expected",
                           kd2m_source_name(source));
        goto cleanup;
    }
    KD2M_TRY(name_columns(csv, header));
    *out = csv;
    csv = NULL;
cleanup:
    kd2m_csv_free(csv);
    return status;
}

kd2m_status kd2m_csv_find(const kd2m_csv *csv, const char *name, size_t *out) {
    size_t found = 0;
    for (size_t i = csv->width; i-- > 0;)
        if (strcmp(csv->names[i], name) == 0) {
            *out = i;
            found++;
        }
    if (found > 1)
        return kd2m_fail(csv->context, KD2M_ERROR_USAGE, "%s: %zu columns are called '%s'",
                         kd2m_source_name(csv->source), found, name);
    if (found == 0)
        return kd2m_fail_unknown(csv->context, kd2m_source_name(csv->source), "column", name,
                                 (const char *const *)csv->names, csv->width);
    return KD2M_OK;
}

kd2m_status kd2m_csv_fail(const kd2m_csv *csv, size_t column, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return kd2m_fail(csv->context, KD2M_ERROR_INPUT, "%s, line %zu, column '%.60s': %s",
                     kd2m_source_name(csv->source), csv->line, csv->names[column], message);
}

void kd2m_csv_free(kd2m_csv *csv) {
    if (!csv)
        return;
    for (size_t i = 0; i < csv->width; i++)
        kd2m_free(csv->context, csv->names[i]);
    kd2m_free(csv->context, csv->names);
    kd2m_free(csv->context, csv->cells);
    kd2m_free(csv->context, csv->buffer);
    kd2m_free(csv->context, csv);
}
