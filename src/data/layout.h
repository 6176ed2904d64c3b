/* What the columns of a table are taken for, and reading its rows as such. */
#ifndef KD2M_DATA_LAYOUT_H
#define KD2M_DATA_LAYOUT_H

#include "csv.h"
#include "frame.h"

typedef struct kd2m_layout {
    kd2m_names texts;  /* columns that are kept as codes: the label, then those beside it */
    const char *time;  /* column of times, or NULL; borrowed */
    bool ascending;    /* times must not go back */
    const char *label; /* column that is never a value, or NULL; borrowed */
    kd2m_names values; /* columns of numbers; where there are none yet, kd2m_layout_complete's */
} kd2m_layout;

/* Takes all columns for values that are nothing else; with `numbers_only` those alone that hold a
 * number, or nothing, in the first row. Errors: KD2M_ERROR_INPUT (a column without a name, no
 * column left), as kd2m_csv_next. */
kd2m_status kd2m_layout_complete(kd2m_layout *layout, kd2m_csv *csv, bool numbers_only);

/*
 * Appends all rows of a table to a frame of the layout's width, texts and time; a text's codes come
 * from its coding. What is missing is NaN or -1 and counted in `met`. Errors: KD2M_ERROR_USAGE (a
 * column that is not there, a label among the values), KD2M_ERROR_INPUT (what is not a finite
 * number, with line and column), as kd2m_csv_next.
 */
kd2m_status kd2m_layout_read(const kd2m_layout *layout, kd2m_csv *csv, kd2m_coding *codings,
                             kd2m_frame *frame, kd2m_gap_log *met);

void kd2m_layout_clear(kd2m_layout *layout, kd2m_context *context);

#endif
