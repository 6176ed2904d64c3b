/* The columns of a table, by what they are: see layout.h. Time linear in the text, about 60 MB/s
 * of numbers. Thread rule: that of the context. */
#include "layout.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "spec.h"

static bool is_in(const kd2m_names *names, const char *name) {
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

/* Whether a cell may stand in a column of numbers. */
static bool is_number(const kd2m_csv_cell *cell) {
    size_t length;
    kd2m_parse_number(cell->text, &length);
    return (length > 0 && length == cell->length) || kd2m_missing_text(cell->text);
}

kd2m_status kd2m_layout_complete(kd2m_layout *layout, kd2m_csv *csv, bool numbers_only) {
    bool more = false;
    kd2m_status status = KD2M_OK;
    if (numbers_only)
        KD2M_TRY(kd2m_csv_next(csv, &more));
    for (size_t i = 0; i < csv->width; i++) {
        const char *name = csv->names[i];
        if (is_in(&layout->texts, name) || (layout->time && strcmp(layout->time, name) == 0) ||
            (layout->label && strcmp(layout->label, name) == 0) ||
            (more && !is_number(&csv->cells[i])))
            continue;
        if (name[0] == '\0') {
            status = kd2m_fail(csv->context, KD2M_ERROR_INPUT,
                               "%s: column %zu has no name; write the table without the index, or "
                               "name the columns to be taken",
                               kd2m_source_name(csv->source), i + 1);
            goto cleanup;
        }
        KD2M_TRY(kd2m_names_add(&layout->values, csv->context, name));
    }
    csv->first = csv->first || more;
    if (layout->values.count == 0)
        status = kd2m_fail(csv->context, KD2M_ERROR_INPUT, "%s: no column of numbers is left",
                           kd2m_source_name(csv->source));
cleanup:
    return status;
}

static kd2m_status read_number(const kd2m_csv *csv, size_t column, double *out) {
    const kd2m_csv_cell *cell = &csv->cells[column];
    size_t length;
    *out = kd2m_parse_number(cell->text, &length);
    if (length > 0 && length == cell->length)
        return isfinite(*out)
                   ? KD2M_OK
                   : kd2m_csv_fail(csv, column, "'%.40s' is too large a number", cell->text);
    *out = NAN;
    if (kd2m_missing_text(cell->text))
        return KD2M_OK;
    return kd2m_csv_fail(csv, column, "'%.40s' is not a finite number%s", cell->text,
                         strchr(cell->text, ',') ? "; the decimal point is '.'" : "");
}

/* Counts what is missing in a cell. */
static void note(kd2m_gaps *gaps, const kd2m_csv *csv, size_t column) {
    kd2m_gaps_add(gaps, "%s, line %zu, column '%.60s'", kd2m_source_name(csv->source), csv->line,
                  csv->names[column]);
}

static kd2m_status read_value(const kd2m_csv *csv, size_t column, float *out, kd2m_gaps *gaps) {
    double value;
    kd2m_status status = read_number(csv, column, &value);
    *out = (float)value;
    if (status == KD2M_OK && isinf(*out))
        return kd2m_csv_fail(csv, column, "'%.40s' is beyond 32-bit floats",
                             csv->cells[column].text);
    if (status == KD2M_OK && isnan(value))
        note(gaps, csv, column);
    return status;
}

static kd2m_status read_text(const kd2m_csv *csv, size_t column, kd2m_coding *coding, int32_t *out,
                             kd2m_gaps *gaps) {
    const char *text = csv->cells[column].text;
    *out = -1;
    if (!kd2m_missing_text(text))
        return kd2m_coding_code(coding, text, out);
    note(gaps, csv, column);
    return KD2M_OK;
}

/* Where a layout's columns stand in one table. */
typedef struct places {
    size_t *values, *texts;
    size_t time;
} places;

static kd2m_status find_places(places *out, const kd2m_layout *layout, const kd2m_csv *csv) {
    kd2m_status status = KD2M_OK;
    *out = (places){NULL, NULL, 0};
    KD2M_TRY(
        kd2m_alloc(csv->context, (void **)&out->values, layout->values.count, sizeof *out->values));
    KD2M_TRY(
        kd2m_alloc(csv->context, (void **)&out->texts, layout->texts.count, sizeof *out->texts));
    for (size_t i = 0; i < layout->texts.count; i++)
        KD2M_TRY(kd2m_csv_find(csv, layout->texts.items[i], &out->texts[i]));
    for (size_t i = 0; i < layout->values.count; i++)
        KD2M_TRY(kd2m_csv_find(csv, layout->values.items[i], &out->values[i]));
    if (layout->time)
        KD2M_TRY(kd2m_csv_find(csv, layout->time, &out->time));
    if (layout->label && is_in(&layout->values, layout->label))
        status = kd2m_fail(csv->context, KD2M_ERROR_USAGE,
                           "%s: the label '%s' can't be among the values to learn it from",
                           kd2m_source_name(csv->source), layout->label);
cleanup:
    return status;
}

static kd2m_status read_time(const kd2m_csv *csv, size_t column, bool ascending, double *latest,
                             double *out, kd2m_gaps *gaps) {
    kd2m_status status = read_number(csv, column, out);
    if (status != KD2M_OK)
        return status;
    if (isnan(*out))
        note(gaps, csv, column);
    else if (ascending && *out < *latest)
        return kd2m_csv_fail(csv, column, "the time goes back, from %g to %g", *latest, *out);
    else
        *latest = *out;
    return KD2M_OK;
}

kd2m_status kd2m_layout_read(const kd2m_layout *layout, kd2m_csv *csv, kd2m_coding *codings,
                             kd2m_frame *frame, kd2m_gap_log *met) {
    places at;
    double latest = -INFINITY;
    bool more = true;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(find_places(&at, layout, csv));
    for (;;) {
        KD2M_TRY(kd2m_csv_next(csv, &more));
        if (!more)
            break;
        KD2M_TRY(kd2m_frame_add(frame));
        float *values = frame->values + (frame->rows - 1) * frame->width;
        int32_t *codes = frame->codes + (frame->rows - 1) * frame->texts;
        for (size_t i = 0; i < layout->values.count; i++)
            KD2M_TRY(read_value(csv, at.values[i], &values[i], &met->values));
        for (size_t i = 0; i < layout->texts.count; i++)
            KD2M_TRY(read_text(csv, at.texts[i], &codings[i], &codes[i], &met->marks));
        if (layout->time)
            KD2M_TRY(read_time(csv, at.time, layout->ascending, &latest,
                               &frame->time[frame->rows - 1], &met->marks));
    }
cleanup:
    kd2m_free(csv->context, at.values);
    kd2m_free(csv->context, at.texts);
    return status;
}

void kd2m_layout_clear(kd2m_layout *layout, kd2m_context *context) {
    kd2m_names_clear(&layout->texts, context);
    kd2m_names_clear(&layout->values, context);
}
