/* Missing values: what counts as one, filling in, and each policy in arrays and in tables. */
#include "tables_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dataset.h"
#include "missing.h"

static kd2m_context *context;
static char folder[256];

static void knows_what_is_missing(void **state) {
    static const char *const missing[] = {"", "NA", "NaN", "nan", "null"};
    static const char *const there[] = {"0", "na", "N/A", "inf", "NULL", " ", "-", "nano"};
    (void)state;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        assert_true(kd2m_missing_text(missing[i]));
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        assert_false(kd2m_missing_text(there[i]));
}

static void fills_on_the_line_between(void **state) {
    const double time[] = {0, 1, 3, 4, 4, 9};
    static const struct {
        float given[6], wanted[6];
        bool timed, filled;
    } cases[] = {
        {{1, NAN, NAN, 4, NAN, 6}, {1, 2, 3, 4, 5, 6}, false, true},
        {{NAN, NAN, 7, NAN, 5, NAN}, {7, 7, 7, 6, 5, 5}, false, true},
        {{0, NAN, NAN, 8, NAN, 8}, {0, 2, 6, 8, 8, 8}, true, true},
        {{NAN, NAN, NAN, 3, NAN, 13}, {3, 3, 3, 3, 3, 13}, true, true},
        {{1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}, true, true},
        {{NAN, NAN, NAN, NAN, NAN, NAN}, {0}, false, false},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        float values[12];
        for (size_t i = 0; i < 6; i++) {
            values[2 * i] = cases[c].given[i];
            values[2 * i + 1] = NAN; /* another channel's */
        }
        assert_int_equal(cases[c].filled,
                         kd2m_missing_fill(values, 6, 2, cases[c].timed ? time : NULL));
        for (size_t i = 0; i < 6; i++) {
            if (cases[c].filled)
                EXPECT_CLOSE((double)cases[c].wanted[i], (double)values[2 * i], 0, 1e-6);
            assert_true(isnan(values[2 * i + 1]));
        }
    }
    /* times that are equal: the earlier value */
    const double same[] = {2, 2, 2};
    float flat[] = {1, NAN, 3};
    assert_true(kd2m_missing_fill(flat, 3, 1, same));
    assert_true(flat[1] == 1);
}

/* Writes arrays of 4 samples whose second and last miss something; returns the spec. */
static const char *write_arrays(size_t dims, float hole) {
    static char spec[3000];
    static float values[4][6];
    static int32_t labels[] = {0, 1, 2, 3}, machines[] = {10, 11, 12, 13}, times[] = {5, 6, 7, 8};
    char paths[4][512];
    const char *names[] = {"x", "y", "m", "t"};
    for (size_t i = 0; i < 24; i++)
        values[i / 6][i % 6] = (float)i;
    values[1][4] = values[3][0] = hole;
    for (size_t i = 0; i < 4; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%s.npy", folder, names[i]);
    kd2m_array x = {KD2M_FLOAT32, dims, {4, 6}, 24, values};
    if (dims == 3) {
        x.shape[1] = 2;
        x.shape[2] = 3;
    }
    EXPECT_OK(context, kd2m_array_write(context, &x, paths[0]));
    int32_t *columns[] = {labels, machines, times};
    for (size_t i = 0; i < 3; i++) {
        const kd2m_array column = {KD2M_INT32, 1, {4}, 4, columns[i]};
        EXPECT_OK(context, kd2m_array_write(context, &column, paths[1 + i]));
    }
    snprintf(spec, sizeof spec, "npy:train=%s;%s;machine=%s;time=%s", paths[0], paths[1], paths[2],
             paths[3]);
    return spec;
}

static void arrays_follow_the_policy(void **state) {
    kd2m_context *talking = tables_talking_context();
    kd2m_dataset *dataset = NULL;
    float values[6];
    int32_t label, code;
    (void)state;
    const char *spec = write_arrays(3, NAN);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "2 value(s) are missing (NaN), the first in ");
    EXPECT_MESSAGE(context, "x.npy, row 1, element 4 (from 0); --missing drop");
    tables_log[0] = '\0';
    EXPECT_OK(talking, tables_open(&dataset, talking, spec, "drop"));
    assert_non_null(strstr(tables_log, "2 rows left out for 2 missing value(s)"));
    assert_int_equal(2, dataset->raw.train.rows);
    EXPECT_OK(talking, kd2m_dataset_read(dataset, KD2M_TRAIN, 1, 1, values, &label));
    EXPECT_OK(talking, kd2m_dataset_read_codes(dataset, KD2M_TRAIN, 0, 1, 1, &code));
    assert_true(values[0] == 12 && values[5] == 17 && label == 2 && code == 2);
    assert_true(dataset->raw.train.time[1] == 7);
    kd2m_dataset_free(dataset);

    EXPECT_OK(talking, tables_open(&dataset, talking, spec, "interpolate"));
    assert_non_null(strstr(tables_log, "2 missing value(s) interpolated, the first in "));
    EXPECT_OK(talking, kd2m_dataset_read(dataset, KD2M_TRAIN, 1, 1, values, NULL));
    assert_true(values[4] == 10); /* between 9 and 11 */
    EXPECT_OK(talking, kd2m_dataset_read(dataset, KD2M_TRAIN, 3, 1, values, NULL));
    assert_true(values[0] == 19); /* the edge: its neighbour */
    kd2m_dataset_free(dataset);
    kd2m_context_free(talking);
    tables_sweep(spec, "drop");
    tables_sweep(spec, "interpolate");
}

static void arrays_refuse_what_can_not_be(void **state) {
    (void)state;
    tables_refuse(context, write_arrays(2, NAN), "interpolate", KD2M_ERROR_USAGE,
                  "can't be interpolated: samples are no signals");
    tables_refuse(context, write_arrays(2, INFINITY), "drop", KD2M_ERROR_INPUT,
                  "x.npy: 2 of 24 values are infinite, the first in row 1, element 4");
    tables_refuse(context, write_arrays(2, 0), "forget", KD2M_ERROR_USAGE,
                  "missing takes one of refuse|drop|interpolate");
}

static void tables_follow_the_policy(void **state) {
    kd2m_dataset *dataset = NULL;
    char spec[1024];
    (void)state;
    const char *path =
        tables_write(folder, "holes.csv",
                     "x,y,m,label,t\n1,,a,0,1\n2,3,,0,2\n4,5,a,NA,3\n6,7,b,1,\n8,9,b,1,5\n");
    snprintf(spec, sizeof spec, "csv:%s,columns=m,time=t", path);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "3 label(s), column(s) or time(s) are missing, the first in ");
    EXPECT_MESSAGE(context, "holes.csv, line 3, column 'm'; --missing drop leaves such rows out");
    EXPECT_OK(context, tables_open(&dataset, context, spec, "drop"));
    assert_int_equal(1, dataset->raw.train.rows);
    assert_true(((const float *)dataset->raw.train.values.values)[1] == 9);
    kd2m_dataset_free(dataset);
    snprintf(spec, sizeof spec, "csv:%s,features=x;y,label=t", path);
    path = tables_write(folder, "holes.csv", "x,y,t\n1,,0\n2,NaN,0\n4,5,1\n");
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "2 value(s) are missing (NaN)");
    EXPECT_MESSAGE(context, "line 2, column 'y'");
    tables_refuse(context, spec, "interpolate", KD2M_ERROR_USAGE,
                  "the rows of a table have no order to go along");
    path = tables_write(folder, "holes.csv", "x,y,t\n1,,0\n");
    tables_refuse(context, spec, "drop", KD2M_ERROR_INPUT, "holes.csv: no rows are left");
}

static void recordings_follow_the_policy(void **state) {
    kd2m_dataset *dataset = NULL;
    char spec[1024];
    (void)state;
    const char *path =
        tables_write(folder, "r.csv", "x,y,label\n1,1,a\n,2,a\n3,3,a\n4,4,\n5,5,a\n6,6,a\n");
    snprintf(spec, sizeof spec, "recordings:%s,window=2", path);
    tables_refuse(context, spec, "interpolate", KD2M_ERROR_INPUT, "line 5, column 'label'");
    EXPECT_OK(context, tables_open(&dataset, context, spec, "drop"));
    assert_int_equal(1, dataset->raw.train.rows);
    assert_true(dataset->raw.train.time[0] == 4);
    kd2m_dataset_free(dataset);
    path = tables_write(folder, "r.csv", "x,y,label\n1,,a\n2,,a\n");
    tables_refuse(context, spec, "interpolate", KD2M_ERROR_INPUT,
                  "channel 1 (from 0) has no value at all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_is_missing),    cmocka_unit_test(fills_on_the_line_between),
        cmocka_unit_test(arrays_follow_the_policy), cmocka_unit_test(arrays_refuse_what_can_not_be),
        cmocka_unit_test(tables_follow_the_policy), cmocka_unit_test(recordings_follow_the_policy),
    };
    context = testing_context(1);
    snprintf(folder, sizeof folder, "%s", testing_folder());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
