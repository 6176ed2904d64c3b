/*
 * recordings: long signals, one a file, cut into windows on reading: N x C x window. A file is a
 * CSV table, its rows the steps, or a NumPy array of T steps or T x C. The label comes from a
 * column of the table (a window in which it changes is left out), from a table beside the files
 * (sidecar.h), or from the folder. Column 'recording' names the file; time and until are those of
 * its windows, on a clock of its own. Files are read one by one: memory is that of the windows and
 * of one file.
 */
#include <string.h>

#include "context.h"
#include "memory.h"
#include "npy.h"
#include "sidecar.h"
#include "text.h"
#include "window_cut.h"

#define RECORDINGS_SETTINGS(X)                                                                     \
    X(TEXT, train, NULL, 0, 0, "FILE|DIR|PATTERN[;..]", "recordings to train on: CSV or NumPy")    \
    X(TEXT, test, NULL, 0, 0, "FILE|DIR|PATTERN[;..]", "recordings to test with")                  \
    X(INTEGER, window, "1024", 1, 16777216, "STEPS", "length of a window")                         \
    X(INTEGER, hop, "0", 0, 16777216, "STEPS", "from one window to the next; 0 = the window")      \
    X(TEXT, channels, NULL, 0, 0, "NAME[;NAME]..",                                                 \
      "columns of a table that are signals; else all numbers not named otherwise")                 \
    X(TEXT, label, "label", 0, 0, "NAME", "column of the class, whole numbers or texts")           \
    X(TEXT, labels, NULL, 0, 0, "TABLE.csv|folder",                                                \
      "where it is: a table with a column 'file', or the folder's name; else in the recordings")   \
    X(TEXT, classes, NULL, 0, 0, "A;B;..|N",                                                       \
      "texts of classes 0, 1, ..; else sorted; or the number of classes")                          \
    X(TEXT, columns, NULL, 0, 0, "NAME[;NAME]..",                                                  \
      "columns carried beside; else all of the table of labels")                                   \
    X(TEXT, time, NULL, 0, 0, "NAME", "column of the time, ascending; else steps are counted")     \
    X(REAL, rate, "1", 1e-9, 1e12, "HZ", "steps in a unit of time, where no column says it")       \
    X(FLAG, header, "1", 0, 1, "0|1", "first line names the columns; 0: they are 1, 2, ..")        \
    X(CHOICE, sep, "auto", 0, 0, "auto|comma|semicolon|tab", "what cells are apart by")

typedef struct recordings_settings {
    RECORDINGS_SETTINGS(KD2M_SETTINGS_FIELD)
} recordings_settings;

#define ROW(...) KD2M_SETTINGS_ROW(recordings_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {RECORDINGS_SETTINGS(ROW)};

typedef struct recordings {
    const recordings_settings *settings;
    kd2m_context *context;
    kd2m_tables tables;
    kd2m_layout layout; /* of the tables that are recordings */
    kd2m_sidecar sidecar;
    bool by_folder, by_sidecar;
    size_t channels; /* 0 until the first recording says it */
    size_t parts;    /* of a path that tell the recordings apart */
    kd2m_window_rule rule;
    int32_t *fixed; /* codes of a recording; owned */
} recordings;

/* How many parts of the paths it takes to tell all files apart. */
static kd2m_status tell_apart(recordings *in) {
    const kd2m_tables_part *parts = in->tables.parts;
    bool apart = false;
    kd2m_status status = KD2M_OK;
    while (!apart) {
        kd2m_column names = {0};
        kd2m_coding coding;
        int32_t code;
        in->parts++;
        status = kd2m_coding_open(&coding, in->context, &names);
        for (size_t p = 0; p < 2; p++)
            for (size_t i = 0; status == KD2M_OK && i < parts[p].files.count; i++)
                status = kd2m_coding_code(&coding,
                                          kd2m_path_end(parts[p].files.items[i], in->parts), &code);
        apart = names.count == parts[0].files.count + parts[1].files.count;
        kd2m_coding_close(&coding);
        kd2m_column_clear(in->context, &names);
        KD2M_TRY(status);
    }
cleanup:
    return status;
}

/* The table of labels may lie in the folder of the recordings, and is none of them. */
static kd2m_status leave_sidecar_out(recordings *in) {
    for (size_t p = 0; p < 2; p++) {
        kd2m_names *files = &in->tables.parts[p].files;
        size_t before = files->count;
        kd2m_names_remove_file(files, in->context, in->settings->labels);
        if (before > 0 && files->count == 0)
            return kd2m_fail(in->context, KD2M_ERROR_USAGE,
                             "%s: no recordings are beside it in %s=", in->settings->labels,
                             in->tables.parts[p].key);
    }
    return KD2M_OK;
}

/* What windows carry: the label, columns, the recording. */
static kd2m_status name_texts(recordings *in) {
    const recordings_settings *settings = in->settings;
    kd2m_tables *tables = &in->tables;
    kd2m_status status = KD2M_OK;
    if (in->by_sidecar) {
        KD2M_TRY(leave_sidecar_out(in));
        return kd2m_sidecar_read(&in->sidecar, tables, settings->labels, settings->label,
                                 settings->columns);
    }
    KD2M_TRY(kd2m_tables_add_text(tables, settings->label));
    if (!in->by_folder)
        KD2M_TRY(kd2m_names_add(&in->layout.texts, in->context, settings->label));
    KD2M_TRY(kd2m_names_split(&tables->texts, in->context, settings->columns, "a column"));
    KD2M_TRY(kd2m_names_split(&in->layout.texts, in->context, settings->columns, "a column"));
    KD2M_TRY(kd2m_tables_add_text(tables, "recording"));
    KD2M_TRY(kd2m_tables_code(tables));
cleanup:
    return status;
}

static kd2m_status begin(recordings *in) {
    const recordings_settings *settings = in->settings;
    kd2m_status status = KD2M_OK;
    in->by_folder = settings->labels && strcmp(settings->labels, "folder") == 0;
    in->by_sidecar = settings->labels && !in->by_folder;
    KD2M_TRY(name_texts(in));
    KD2M_TRY(tell_apart(in));
    KD2M_TRY(kd2m_names_split(&in->layout.values, in->context, settings->channels, "a column"));
    in->layout.label = settings->label;
    in->layout.time = settings->time;
    in->layout.ascending = true;
    size_t texts = in->tables.texts.count;
    KD2M_TRY(kd2m_alloc(in->context, (void **)&in->fixed, texts, sizeof *in->fixed));
    in->rule = (kd2m_window_rule){
        .window = (size_t)settings->window,
        .hop = (size_t)(settings->hop > 0 ? settings->hop : settings->window),
        .drop = in->tables.raw->missing == KD2M_MISSING_DROP,
        .rate = settings->rate,
        .fixed = in->fixed,
        .first = in->by_folder ? 1 : 0,
    };
cleanup:
    return status;
}

static bool is_array(const char *path) {
    size_t length = strlen(path);
    return (length > 4 && strcmp(path + length - 4, ".npy") == 0) ||
           (length > 7 && strcmp(path + length - 7, ".npy.gz") == 0);
}

/* The channels that were not named. */
static kd2m_status find_channels(recordings *in, kd2m_csv *csv) {
    kd2m_text line = {in->context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_layout_complete(&in->layout, csv, true));
    for (size_t i = 0; i < in->layout.values.count; i++)
        KD2M_TRY(kd2m_text_append(&line, "%s%s", i > 0 ? ", " : "", in->layout.values.items[i]));
    kd2m_log(in->context, KD2M_LOG_INFO, "channels of the recordings: %.800s", line.text);
cleanup:
    kd2m_free(in->context, line.text);
    return status;
}

static kd2m_status read_table(recordings *in, const char *path, kd2m_frame *out) {
    kd2m_source *source = NULL;
    kd2m_csv *csv = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tables_open(&in->tables, path, kd2m_tables_separator(in->settings->sep),
                              in->settings->header, &source, &csv));
    if (in->layout.values.count == 0)
        KD2M_TRY(find_channels(in, csv));
    out->width = in->layout.values.count;
    out->texts = in->layout.texts.count;
    out->timed = in->layout.time != NULL;
    KD2M_TRY(kd2m_layout_read(&in->layout, csv, in->tables.codings + in->rule.first, out,
                              &in->tables.met));
cleanup:
    kd2m_csv_free(csv);
    kd2m_source_close(source);
    return status;
}

/* Counts what is missing in an array. */
static void note_gaps(recordings *in, const kd2m_frame *frame, const char *path) {
    size_t first, count = kd2m_missing_count(frame->values, frame->rows * frame->width, &first);
    if (count == 0)
        return;
    kd2m_gaps_add(&in->tables.met.values, "%s, row %zu, channel %zu (from 0)", path,
                  first / frame->width, first % frame->width);
    in->tables.met.values.count += count - 1;
}

static kd2m_status read_array(recordings *in, const char *path, kd2m_frame *out) {
    kd2m_array array = {0};
    kd2m_status status = KD2M_OK;
    if (in->layout.texts.count > 0 || in->layout.time || in->settings->channels)
        return kd2m_fail(in->context, KD2M_ERROR_USAGE,
                         "%s: an array has no columns with names: leave channels=, columns= and "
                         "time= out, and say labels=TABLE.csv or labels=folder",
                         path);
    KD2M_TRY(kd2m_array_read_gaps(&array, in->context, path));
    if (array.dims > 2 || array.element != KD2M_FLOAT32) {
        status = kd2m_fail(in->context, KD2M_ERROR_INPUT,
                           "%s: a recording is T or T x C floats; np.save(path, "
                           "x.reshape(len(x), -1).astype(np.float32))",
                           path);
        goto cleanup;
    }
    out->rows = array.shape[0];
    out->width = array.dims == 2 ? array.shape[1] : 1;
    out->values = array.values;
    array.values = NULL;
    note_gaps(in, out, path);
    KD2M_TRY(kd2m_reading_advance(&in->tables.reading, 4e-6 * (double)array.count));
cleanup:
    kd2m_array_clear(in->context, &array);
    return status;
}

/* Fills what is missing in each channel. */
static kd2m_status interpolate(recordings *in, kd2m_frame *frame, const char *path) {
    for (size_t c = 0; c < frame->width; c++)
        if (!kd2m_missing_fill(frame->values + c, frame->rows, frame->width, frame->time))
            return kd2m_fail(in->context, KD2M_ERROR_INPUT,
                             "%s: channel %zu (from 0) has no value at all to interpolate from",
                             path, c);
    return KD2M_OK;
}

/* *code = that of the name of the folder that a file is in. */
static kd2m_status find_folder(recordings *in, const char *path, int32_t *code) {
    char *copy = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_text_copy(in->context, &copy, kd2m_path_end(path, 2)));
    char *slash = strchr(copy, '/');
    if (!slash || slash == copy) {
        status = kd2m_fail(in->context, KD2M_ERROR_USAGE,
                           "%s: labels=folder needs paths with a folder in them", path);
        goto cleanup;
    }
    *slash = '\0';
    KD2M_TRY(kd2m_coding_code(&in->tables.codings[0], copy, code));
cleanup:
    kd2m_free(in->context, copy);
    return status;
}

/* The codes that hold for all of a recording. */
static kd2m_status fix_codes(recordings *in, const char *path) {
    size_t last = in->tables.texts.count - 1;
    kd2m_status status = KD2M_OK;
    if (in->by_sidecar)
        KD2M_TRY(kd2m_sidecar_find(&in->sidecar, &in->tables, path, in->fixed));
    if (in->by_folder)
        KD2M_TRY(find_folder(in, path, &in->fixed[0]));
    KD2M_TRY(kd2m_coding_code(&in->tables.codings[last], kd2m_path_end(path, in->parts),
                              &in->fixed[last]));
cleanup:
    return status;
}

/* All recordings have the same number of channels. */
static kd2m_status check_channels(recordings *in, const kd2m_frame *frame, const char *path) {
    if (in->channels > 0 && in->channels != frame->width)
        return kd2m_fail(in->context, KD2M_ERROR_INPUT,
                         "%s: has %zu channel(s), but the recordings before it %zu", path,
                         frame->width, in->channels);
    in->channels = frame->width;
    for (size_t p = 0; p < 2; p++) {
        in->tables.parts[p].frame.width = in->channels * in->rule.window;
        in->tables.parts[p].frame.timed = in->tables.parts[p].frame.lasting = true;
    }
    return KD2M_OK;
}

static kd2m_status cut_file(recordings *in, const char *path, kd2m_frame *windows) {
    kd2m_frame frame = {.context = in->context};
    kd2m_window_count count = {0, 0, 0};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(is_array(path) ? read_array(in, path, &frame) : read_table(in, path, &frame));
    KD2M_TRY(check_channels(in, &frame, path));
    KD2M_TRY(fix_codes(in, path));
    if (frame.rows < in->rule.window) {
        kd2m_log(in->context, KD2M_LOG_WARNING,
                 "%s: %zu steps are less than a window of %zu: left out", path, frame.rows,
                 in->rule.window);
        goto cleanup;
    }
    if (in->tables.raw->missing == KD2M_MISSING_INTERPOLATE)
        KD2M_TRY(interpolate(in, &frame, path));
    KD2M_TRY(kd2m_window_cut(windows, &frame, &in->rule, &count));
    in->tables.met.dropped += count.missing;
    if (count.changing + count.missing > 0)
        kd2m_log(in->context, KD2M_LOG_INFO,
                 "%s: %zu windows; %zu left out where a label or column changes, %zu where "
                 "something is missing",
                 path, count.kept, count.changing, count.missing);
cleanup:
    kd2m_frame_clear(&frame);
    return status;
}

static kd2m_status read(kd2m_context *context, const void *parameters, kd2m_raw_data *out) {
    recordings in = {.settings = parameters, .context = context};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tables_begin(&in.tables, context, out, "recordings", in.settings->train,
                               in.settings->test));
    KD2M_TRY(begin(&in));
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < in.tables.parts[p].files.count; i++)
            KD2M_TRY(cut_file(&in, in.tables.parts[p].files.items[i], &in.tables.parts[p].frame));
    KD2M_TRY(kd2m_missing_settle(context, out->missing, &in.tables.met, "windows", NULL));
    out->dims = 2;
    out->shape[0] = in.channels;
    out->shape[1] = in.rule.window;
    KD2M_TRY(kd2m_tables_deliver(&in.tables, in.settings->classes, "windows"));
cleanup:
    kd2m_tables_end(&in.tables);
    kd2m_sidecar_clear(&in.sidecar, context);
    kd2m_layout_clear(&in.layout, context);
    kd2m_free(context, in.fixed);
    return status;
}

const kd2m_reader kd2m_reader_recordings = {
    .name = "recordings",
    .summary = "long signals in CSV or NumPy files, cut into windows",
    .bare = "train",
    .parameters = {rows, sizeof rows / sizeof *rows},
    .parameters_size = sizeof(recordings_settings),
    .read = read,
};
