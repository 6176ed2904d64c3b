/* Any bytes as a table: refused, or records of as many texts as columns, and numbers that are
 * finite or missing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "layout.h"

static void walk(kd2m_csv *csv) {
    bool more = true;
    size_t line = 0;
    while (kd2m_csv_next(csv, &more) == KD2M_OK && more) {
        for (size_t i = 0; i < csv->width; i++)
            if (strlen(csv->cells[i].text) != csv->cells[i].length)
                abort();
        if (csv->line <= line && line > 0)
            abort();
        line = csv->line;
    }
}

static void read_numbers(kd2m_context *context, kd2m_csv *csv) {
    kd2m_layout layout = {.time = NULL};
    kd2m_frame frame = {.context = context};
    kd2m_gap_log met = {.dropped = 0};
    if (kd2m_layout_complete(&layout, csv, true) == KD2M_OK) {
        frame.width = layout.values.count;
        if (kd2m_layout_read(&layout, csv, NULL, &frame, &met) == KD2M_OK) {
            size_t missing = 0;
            for (size_t i = 0; i < frame.rows * frame.width; i++) {
                missing += isnan(frame.values[i]) ? 1 : 0;
                if (isinf(frame.values[i]))
                    abort();
            }
            if (missing != met.values.count)
                abort();
        }
    }
    kd2m_frame_clear(&frame);
    kd2m_layout_clear(&layout, context);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    for (int numbers = 0; numbers < 2; numbers++) {
        kd2m_context *context = NULL;
        kd2m_source *source = NULL;
        kd2m_csv *csv = NULL;
        if (kd2m_context_create(&context, NULL) != KD2M_OK)
            abort();
        if (kd2m_source_memory(&source, context, bytes, size, "fuzz") == KD2M_OK &&
            kd2m_csv_open(&csv, context, source, NULL, 0, numbers) == KD2M_OK) {
            if (numbers)
                read_numbers(context, csv);
            else
                walk(csv);
        }
        kd2m_csv_free(csv);
        kd2m_source_close(source);
        kd2m_context_free(context);
    }
    return 0;
}
