/* Recordings cut into windows: against NumPy, labels from columns, tables and folders, splits. */
#include "tables_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataset.h"

static kd2m_context *context;
static char folder[256];

/* Writes a recording of one channel, value = first + step, with a label from step `change` on. */
static const char *write_ramp(const char *name, size_t steps, int first, size_t change) {
    char text[4096] = "x,label\n";
    size_t used = strlen(text);
    for (size_t s = 0; s < steps; s++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,%s\n", first + (int)s,
                                 s < change ? "early" : "late");
    return tables_write(folder, name, text);
}

static void check_times(const kd2m_dataset *dataset, const char *begin, const char *end) {
    kd2m_array times[2];
    tables_array(&times[0], context, begin);
    tables_array(&times[1], context, end);
    for (size_t i = 0; i < times[0].count; i++) {
        EXPECT_CLOSE((double)((float *)times[0].values)[i], dataset->raw.train.time[i], 0, 1e-6);
        EXPECT_CLOSE((double)((float *)times[1].values)[i], dataset->raw.train.until[i], 0, 1e-6);
    }
    kd2m_array_clear(context, &times[0]);
    kd2m_array_clear(context, &times[1]);
}

static void cuts_as_numpy_does(void **state) {
    static const char *const cases[][3] = {{"drop", "kept", "x;y"},
                                           {"interpolate", "filled", NULL}};
    char spec[1024], files[4][32];
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        kd2m_dataset *dataset = NULL;
        static const char *const ends[] = {"x", "y", "time", "until"};
        for (size_t i = 0; i < 4; i++)
            snprintf(files[i], sizeof files[i], "%s-%s.npy", cases[c][1], ends[i]);
        snprintf(spec, sizeof spec, "recordings:%s,window=8,hop=4,label=fault,time=t%s%s",
                 tables_golden("recording.csv"), cases[c][2] ? ",channels=" : "",
                 cases[c][2] ? cases[c][2] : "");
        EXPECT_OK(context, tables_open(&dataset, context, spec, cases[c][0]));
        tables_check(context, dataset, KD2M_TRAIN, files[0], files[1]);
        check_times(dataset, files[2], files[3]);
        kd2m_dataset_free(dataset);
    }
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "5 value(s) are missing (NaN), the first in ");
    EXPECT_MESSAGE(context, "recording.csv, line 2, column 'x'; --missing drop");
    EXPECT_MESSAGE(context, "--missing interpolate fills them in along time");
}

/* The first value of a window, and what it belongs to. */
static void expect_window(const kd2m_dataset *dataset, size_t row, float first,
                          const char *recording, int32_t label) {
    float values[64];
    int32_t found, code;
    size_t column;
    kd2m_column_info info;
    EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TRAIN, row, 1, values, &found));
    EXPECT_OK(context, kd2m_dataset_find_column(dataset, "recording", &column));
    EXPECT_OK(context, kd2m_dataset_column(dataset, column, &info));
    EXPECT_OK(context, kd2m_dataset_read_codes(dataset, KD2M_TRAIN, column, row, 1, &code));
    EXPECT_CLOSE((double)first, (double)values[0], 0, 0);
    assert_string_equal(recording, info.texts[code]);
    assert_int_equal(label, found);
}

static void no_window_goes_over_files_or_labels(void **state) {
    kd2m_context *talking = tables_talking_context();
    kd2m_dataset *dataset = NULL;
    char spec[1024];
    (void)state;
    const char *a = write_ramp("a.csv", 11, 0, 5);
    const char *b = write_ramp("b.csv", 8, 100, 8);
    write_ramp("short.csv", 3, 0, 0);
    snprintf(spec, sizeof spec, "recordings:train=%s;%s;%s/short.csv,window=4,rate=2", a, b,
             folder);
    tables_log[0] = '\0';
    EXPECT_OK(talking, tables_open(&dataset, talking, spec, "refuse"));
    assert_int_equal(3, dataset->raw.train.rows);
    expect_window(dataset, 0, 0, "a.csv", 0);
    expect_window(dataset, 1, 100, "b.csv", 0);
    expect_window(dataset, 2, 104, "b.csv", 0);
    assert_true(dataset->raw.train.time[2] == 2.0 && dataset->raw.train.until[2] == 4.0);
    assert_non_null(
        strstr(tables_log, "a.csv: 1 windows; 1 left out where a label or column changes"));
    assert_non_null(strstr(tables_log, "short.csv: 3 steps are less than a window of 4: left out"));
    assert_non_null(strstr(tables_log, "channels of the recordings: x\n"));
    kd2m_dataset_free(dataset);
    snprintf(spec, sizeof spec, "recordings:train=%s/short.csv,window=4", folder);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "no windows are left");
    kd2m_context_free(talking);
}

static void splits_by_recording_and_time(void **state) {
    kd2m_data_settings settings;
    kd2m_dataset *dataset = NULL;
    kd2m_dataset_info info;
    char spec[1024];
    (void)state;
    snprintf(spec, sizeof spec, "recordings:%s;%s,window=4,hop=1", write_ramp("a.csv", 40, 0, 0),
             write_ramp("b.csv", 40, 100, 0));
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = spec;
    settings.validation = 0.5;
    settings.split = "group:recording";
    EXPECT_OK(context, kd2m_dataset_open(&dataset, context, &settings));
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(37, info.rows[KD2M_TRAIN]);
    kd2m_dataset_free(dataset);

    settings.split = "time:recording";
    settings.validation = 0.25;
    EXPECT_OK(context, kd2m_dataset_open(&dataset, context, &settings));
    kd2m_dataset_describe(dataset, &info);
    assert_true(info.rows[KD2M_VALIDATION] == 18 && info.dropped == 6);
    float latest[2] = {0, 0}, values[4];
    for (size_t i = 0; i < info.rows[KD2M_TRAIN]; i++) {
        EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TRAIN, i, 1, values, NULL));
        latest[values[3] >= 100] = values[3];
    }
    for (size_t i = 0; i < info.rows[KD2M_VALIDATION]; i++) {
        EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_VALIDATION, i, 1, values, NULL));
        assert_true(values[0] > latest[values[0] >= 100]);
    }
    kd2m_dataset_free(dataset);
}

/* Arrays of steps, T and T x C, in folders that are their class. */
static void write_array(const char *path, size_t steps, size_t channels, float first) {
    float *values = calloc(steps * channels, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < steps * channels; i++)
        values[i] = first + (float)(i / channels) + 1000 * (float)(i % channels);
    kd2m_array array = {KD2M_FLOAT32, 2, {steps, channels}, steps * channels, values};
    if (channels == 1)
        array.dims = 1;
    EXPECT_OK(context, kd2m_array_write(context, &array, path));
    free(values);
}

static void make_folders(void) {
    static const char *const kinds[] = {"good", "worn"};
    char path[512];
    for (size_t k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/%s", folder, kinds[k]);
        mkdir(path, 0700);
        for (int i = 1; i <= 2; i++) {
            snprintf(path, sizeof path, "%s/%s/%d.npy", folder, kinds[k], i);
            write_array(path, 9, 2, (float)(100 * k) + (float)(10 * i));
        }
        snprintf(path, sizeof path, "%s/%s", folder, kinds[k]);
        tables_write(path, "notes.txt", "none of these\n");
    }
}

static void labels_come_from_folders(void **state) {
    static const char *const forms[] = {"%s/good;%s/worn", "%s/*/*.npy", "%s/[gw]o*"};
    char spec[1024], files[700];
    (void)state;
    make_folders();
    for (size_t f = 0; f < 3; f++) {
        kd2m_dataset *dataset = NULL;
        snprintf(files, sizeof files,
                 f == 0   ? forms[0]
                 : f == 1 ? forms[1]
                          : forms[2],
                 folder, folder);
        snprintf(spec, sizeof spec, "recordings:%s,labels=folder,window=4", files);
        EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
        assert_int_equal(8, dataset->raw.train.rows);
        assert_int_equal(2, dataset->raw.shape[0]);
        assert_int_equal(4, dataset->raw.shape[1]);
        expect_window(dataset, 0, 10, "good/1.npy", 0);
        expect_window(dataset, 3, 24, "good/2.npy", 0);
        expect_window(dataset, 7, 124, "worn/2.npy", 1);
        kd2m_dataset_free(dataset);
    }
}

static void labels_come_from_a_table(void **state) {
    kd2m_dataset *dataset = NULL;
    kd2m_column_info info;
    char spec[1024];
    (void)state;
    make_folders();
    const char *table = tables_write(folder, "labels.csv",
                                     "file,fault,machine,load\n"
                                     "good/1.npy,2,A,1\ngood/2.npy,0,B,1\n"
                                     "worn/1.npy,1,A,2\nworn/2.npy,1,B,2\nother.npy,,,\n");
    snprintf(spec, sizeof spec,
             "recordings:train=%s/*/1.npy,test=%s/*/2.npy,labels=%s,label=fault,"
             "window=4",
             folder, folder, table);
    EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
    assert_int_equal(3, dataset->raw.column_count);
    expect_window(dataset, 1, 14, "good/1.npy", 2);
    expect_window(dataset, 2, 110, "worn/1.npy", 1);
    assert_int_equal(0, dataset->raw.test.labels[0]);
    EXPECT_OK(context, kd2m_dataset_column(dataset, 1, &info));
    assert_string_equal("load", info.name);
    assert_string_equal("1", info.texts[0]);
    kd2m_dataset_free(dataset);
    snprintf(spec + strlen(spec), 64, ",columns=machine");
    EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
    assert_int_equal(2, dataset->raw.column_count);
    kd2m_dataset_free(dataset);

    /* a table in the folder of the recordings is none of them */
    table = tables_write(folder, "good/labels.csv", "file,fault\n1.npy,2\n2.npy,0\n");
    snprintf(spec, sizeof spec, "recordings:%s/good,labels=%s,label=fault,window=4", folder, table);
    EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
    assert_int_equal(4, dataset->raw.train.rows);
    kd2m_dataset_free(dataset);
    snprintf(spec, sizeof spec, "recordings:%s,labels=%s", table, table);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_USAGE,
                  "no recordings are beside it in train=");
    remove(table);

    table = tables_write(folder, "labels.csv", "file,fault\n1.npy,2\n2.npy,0\n");
    snprintf(spec, sizeof spec, "recordings:%s/*/1.npy,labels=%s,label=fault,window=4", folder,
             table);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "is another recording's, too");
    snprintf(spec, sizeof spec, "recordings:%s/good/1.npy,labels=%s,label=fault,window=4", folder,
             table);
    EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
    expect_window(dataset, 0, 10, "1.npy", 2);
    kd2m_dataset_free(dataset);
    tables_write(folder, "labels.csv", "file,fault\n3.npy,2\n");
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "labels.csv: no row is of '");
    tables_write(folder, "labels.csv", "file,fault\n1.npy,2\n1.npy,1\n");
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "two rows are of '1.npy'");
    tables_write(folder, "labels.csv", "file,fault\n,2\n");
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "row 1 names no file");
    tables_write(folder, "labels.csv", "file,fault\n1.npy,\n");
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "1 label(s), column(s) or time(s) are missing, the first in ");
    tables_refuse(context, spec, "drop", KD2M_ERROR_INPUT, "no windows are left");
    tables_write(folder, "labels.csv", "name,fault\n1.npy,1\n");
    tables_refuse(context, spec, "refuse", KD2M_ERROR_USAGE, "no column 'file'");
}

static void refuses_recordings_that_do_not_fit(void **state) {
    char spec[1024];
    (void)state;
    make_folders();
    const char *table = write_ramp("a.csv", 9, 0, 0);
    snprintf(spec, sizeof spec, "recordings:%s/good/1.npy,window=4", folder);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_USAGE,
                  "say labels=TABLE.csv or labels=folder");
    snprintf(spec, sizeof spec, "recordings:%s/good/1.npy;%s,labels=folder,window=4", folder,
             table);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "a.csv: has 1 channel(s), but the recordings before it 2");
    snprintf(spec, sizeof spec, "recordings:%s,window=4,channels=y", table);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_USAGE, "no column 'y'");
    snprintf(spec, sizeof spec, "recordings:%s,window=0", table);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_USAGE, "window takes a whole number from 1");
    snprintf(spec, sizeof spec, "recordings:%s/good/*.csv", folder);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_IO, "good/*.csv: no file fits");
    tables_refuse(context, "recordings:window=4", "refuse", KD2M_ERROR_USAGE, "needs train=FILE");
    table = tables_write(folder, "back.csv", "x,t,label\n1,0,0\n1,2,0\n1,1,0\n");
    snprintf(spec, sizeof spec, "recordings:%s,window=2,time=t", table);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "back.csv, line 4, column 't': the time goes back, from 2 to 1");
    table = tables_write(folder, "odd.csv", "x,label\n1,0\nabc,0\n");
    snprintf(spec, sizeof spec, "recordings:%s,window=2", table);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "line 3, column 'x': 'abc'");
}

static void every_failing_allocation_is_survived(void **state) {
    char spec[1024];
    (void)state;
    make_folders();
    snprintf(spec, sizeof spec, "recordings:%s,window=8,hop=4,label=fault,time=t",
             tables_golden("recording.csv"));
    tables_sweep(spec, "interpolate");
    snprintf(spec, sizeof spec, "recordings:train=%s/good,test=%s/worn,labels=folder,window=4",
             folder, folder);
    tables_sweep(spec, "drop");
    const char *table =
        tables_write(folder, "labels.csv", "file,label,load\n1.npy,2,a\n2.npy,0,b\n");
    snprintf(spec, sizeof spec, "recordings:%s/good,labels=%s,window=4", folder, table);
    tables_sweep(spec, "refuse");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_as_numpy_does),
        cmocka_unit_test(no_window_goes_over_files_or_labels),
        cmocka_unit_test(splits_by_recording_and_time),
        cmocka_unit_test(labels_come_from_folders),
        cmocka_unit_test(labels_come_from_a_table),
        cmocka_unit_test(refuses_recordings_that_do_not_fit),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    context = testing_context(1);
    snprintf(folder, sizeof folder, "%s", testing_folder());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
