/* Rows that readers of tables and recordings gather before they are a part of a data set. */
#ifndef KD2M_DATA_FRAME_H
#define KD2M_DATA_FRAME_H

#include "coding.h"
#include "missing.h"
#include "names.h"

typedef struct kd2m_frame {
    kd2m_context *context;
    size_t width;   /* values in a row */
    size_t texts;   /* codes in a row: of the label, then of columns */
    bool timed;     /* rows have a time */
    bool lasting;   /* and an end, too */
    float *values;  /* rows x width; NaN is missing; owned, as all below */
    int32_t *codes; /* rows x texts; -1 is missing */
    double *time;   /* rows; NaN is missing */
    double *until;  /* rows */
    size_t rows, capacity;
} kd2m_frame;

/* Adds a row, to be filled; frame->rows counts it. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_frame_add(kd2m_frame *frame);

/* Leaves out the rows that miss anything, and returns how many they were. */
size_t kd2m_frame_drop_missing(kd2m_frame *frame);

/* Frees all but the settings; begin, width and the like stay. */
void kd2m_frame_clear(kd2m_frame *frame);

/*
 * Moves a frame into a part: its values of raw's shape, labels[code], the columns called
 * names->items[1..], whose texts `codings` knows. Errors: KD2M_ERROR_INPUT (columns),
 * KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_frame_deliver(kd2m_frame *frame, kd2m_raw_data *raw, kd2m_part *part,
                               const kd2m_names *names, const kd2m_coding *codings,
                               const int32_t *labels);

#endif
