/* Tables in text: records and cells, hostile bytes, dialects that Python wrote, the reader csv. */
#include "tables_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "layout.h"

static kd2m_context *context;
static char folder[256];

/* Walks a table and returns what it holds: records in lines, cells in <>, or 'error'. */
static const char *shown(const char *bytes, size_t size, char separator, bool header) {
    static char out[2048];
    kd2m_source *source = NULL;
    kd2m_csv *csv = NULL;
    bool more = true;
    int used = 0;
    EXPECT_OK(context, kd2m_source_memory(&source, context, bytes, size, "t.csv"));
    kd2m_status status = kd2m_csv_open(&csv, context, source, NULL, separator, header);
    out[0] = '\0';
    for (size_t i = 0; csv && i < csv->width; i++)
        used += snprintf(out + used, sizeof out - (size_t)used, "%s|", csv->names[i]);
    while (status == KD2M_OK && (status = kd2m_csv_next(csv, &more)) == KD2M_OK && more) {
        used += snprintf(out + used, sizeof out - (size_t)used, "\n%zu", csv->line);
        for (size_t i = 0; i < csv->width; i++)
            used += snprintf(out + used, sizeof out - (size_t)used, "<%s>", csv->cells[i].text);
    }
    kd2m_csv_free(csv);
    kd2m_source_close(source);
    if (status != KD2M_OK) {
        assert_int_equal(KD2M_ERROR_INPUT, status);
        return "error";
    }
    return out;
}

static void takes_records_apart(void **state) {
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"a,b\n1,2\n", "a|b|\n2<1><2>"},
        {"a,b\n1,2", "a|b|\n2<1><2>"},
        {"a,b\r\n1,\r\n,2\r\n", "a|b|\n2<1><>\n3<><2>"},
        {"\xef\xbb\xbf"
         "a;b;c\n1;2,5;3\n",
         "a|b|c|\n2<1><2,5><3>"},
        {"a\tb\n\t\nx y \t z\n", "a|b|\n2<><>\n3<x y><z>"},
        {"a, b ,c\n 1 , 2,3 \n", "a|b|c|\n2<1><2><3>"},
        {"\"a,\"\"1\"\"\",b\n\" x \" , \"\"\n", "a,\"1\"|b|\n2< x ><>"},
        {"a,b\n\"two\nlines\",1\nx,2\n", "a|b|\n2<two\nlines><1>\n4<x><2>"},
        {"a,b\n5\" pipe,2\n", "a|b|\n2<5\" pipe><2>"},
        {"a,b\n\n  \n1,2\n\n\n", "a|b|\n4<1><2>"},
        {"a\n1\n\n\n2\n \n\n", "a|\n2<1>\n3<>\n4<>\n5<2>"},
        {"\n\na\n1\n", "a|\n4<1>"},
        {"a;b,c;d\n1;2;3\n", "a|b,c|d|\n2<1><2><3>"},
        {"\"a;;;\",b\n1,2\n", "a;;;|b|\n2<1><2>"},
        {"a,b\n", "a|b|"},
        {",\n1,2\n", "||\n2<1><2>"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_string_equal(cases[c].expected,
                            shown(cases[c].text, strlen(cases[c].text), 0, true));
    assert_string_equal("1|2|\n1<1><2>\n2<3><4>", shown("1,2\n3,4\n", 8, 0, false));
    assert_string_equal("a,b|\n2<1,2>", shown("a,b\n1,2\n", 8, ';', true));
}

static void refuses_what_is_no_table(void **state) {
    static const struct {
        const char *text, *message;
        size_t size;
    } cases[] = {
        {"", "t.csv: is empty", 0},
        {"\n \n", "t.csv: is empty", 3},
        {"a,b\n1,2\n3\n", "t.csv, line 3: has 1 cells, but there are 2 columns", 10},
        {"a,b\n1,2,3\n", "line 2: has 3 cells", 10},
        {"a,b\n\"x\ny\",2\n1\n", "line 4: has 1 cells", 14},
        {"a,b\n1,\"2\n", "line 2: a quote is not closed", 9},
        {"a,b\n\"1\"2,3\n", "line 2: text stands behind a closing quote", 11},
        {"a,b\n1,\0\n", "line 2: holds a NUL byte", 8},
        {"a,b\n1,\"\0\"\n", "line 2: holds a NUL byte", 10},
        {"\xff\xfe"
         "a\0,\0",
         "UTF-16", 6},
        {"\xfe\xff\0a", "UTF-16", 4},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        assert_string_equal("error", shown(cases[c].text, cases[c].size, 0, true));
        EXPECT_MESSAGE(context, cases[c].message);
    }
}

/* Records and cells longer than the buffer, cut at every place by it; and one that never ends. */
static void reads_records_of_any_length(void **state) {
    const size_t sizes[] = {(256 << 10) - 9, (256 << 10) - 8, 1 << 20, 17 << 20};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        char *text = malloc(sizes[s] + 16);
        kd2m_source *source = NULL;
        kd2m_csv *csv = NULL;
        bool more = false;
        assert_non_null(text);
        memcpy(text, "a,b\n1,\"", 7);
        memset(text + 7, 'x', sizes[s]);
        memcpy(text + 7 + sizes[s], "\"\n3,4\n", 6);
        EXPECT_OK(context, kd2m_source_memory(&source, context, text, sizes[s] + 13, "t.csv"));
        EXPECT_OK(context, kd2m_csv_open(&csv, context, source, NULL, 0, true));
        if (sizes[s] > KD2M_CSV_RECORD_LIMIT) {
            EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_csv_next(csv, &more));
            EXPECT_MESSAGE(context, "line 2: is longer than 16 MiB; is a quote left open?");
        } else {
            EXPECT_OK(context, kd2m_csv_next(csv, &more));
            assert_int_equal(sizes[s], csv->cells[1].length);
            assert_int_equal(sizes[s], strspn(csv->cells[1].text, "x"));
            EXPECT_OK(context, kd2m_csv_next(csv, &more));
            assert_string_equal("4", csv->cells[1].text);
        }
        kd2m_csv_free(csv);
        kd2m_source_close(source);
        free(text);
    }
    char *wide = malloc(70000);
    assert_non_null(wide);
    memset(wide, ',', 70000);
    assert_string_equal("error", shown(wide, 70000, 0, true));
    EXPECT_MESSAGE(context, "more than 65536 cells");
    free(wide);
}

/* Many short records: the buffer's end falls everywhere in them. */
static void reads_more_than_a_buffer(void **state) {
    enum { RECORDS = 60000 };
    char *text = malloc(RECORDS * 24 + 8);
    kd2m_source *source = NULL;
    kd2m_csv *csv = NULL;
    bool more = true;
    size_t used = 4;
    (void)state;
    assert_non_null(text);
    memcpy(text, "a,b\n", 4);
    for (size_t i = 0; i < RECORDS; i++)
        used += (size_t)sprintf(text + used, i % 3 ? "%zu,%zu\r\n" : "%zu,\"\"\"%zu\"\n", i,
                                i * i % 977);
    EXPECT_OK(context, kd2m_source_memory(&source, context, text, used, "t.csv"));
    EXPECT_OK(context, kd2m_csv_open(&csv, context, source, NULL, 0, true));
    for (size_t i = 0; i < RECORDS; i++) {
        char wanted[32];
        EXPECT_OK(context, kd2m_csv_next(csv, &more));
        assert_true(more);
        assert_int_equal(i, atoi(csv->cells[0].text));
        snprintf(wanted, sizeof wanted, i % 3 ? "%zu" : "\"%zu", i * i % 977);
        assert_string_equal(wanted, csv->cells[1].text);
    }
    EXPECT_OK(context, kd2m_csv_next(csv, &more));
    assert_false(more);
    kd2m_csv_free(csv);
    kd2m_source_close(source);
    free(text);
}

/* Every truncation is read or refused, without harm. */
static void survives_every_truncation(void **state) {
    static const char text[] = "\xef\xbb\xbf\"a\"\"\",b\r\n\"x\n\",1\r\n\n2,\"3\"\n";
    (void)state;
    for (size_t size = 0; size < sizeof text; size++)
        shown(text, size, 0, true);
}

static void check_column(const kd2m_dataset *dataset, const char *codes) {
    kd2m_array wanted;
    kd2m_column_info info;
    int32_t code;
    tables_array(&wanted, context, codes);
    EXPECT_OK(context, kd2m_dataset_column(dataset, 0, &info));
    assert_string_equal("machine", info.name);
    assert_int_equal(3, info.codes); /* i^2 mod 5 is 0, 1 or 4 */
    assert_string_equal("pump, left", info.texts[0]);
    assert_string_equal("press \"2\"", info.texts[1]);
    for (size_t i = 0; i < wanted.count; i++) {
        EXPECT_OK(context, kd2m_dataset_read_codes(dataset, KD2M_TRAIN, 0, i, 1, &code));
        assert_int_equal(((const int32_t *)wanted.values)[i], code);
    }
    kd2m_array_clear(context, &wanted);
}

static void reads_what_python_wrote(void **state) {
    static const struct {
        const char *file, *keys;
    } cases[] = {{"comma.csv", "label=state,columns=machine"},
                 {"semicolon.csv", "label=state,columns=machine,sep=semicolon,features=a;b;c"},
                 {"tab.csv", "label=state,columns=machine,features=*"},
                 {"zipped.csv.gz", "label=state,columns=machine"},
                 {"bare.csv", "header=0,label=4,columns=2"}};
    char spec[1024];
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_dataset *dataset = NULL;
        snprintf(spec, sizeof spec, "csv:%s,%s", tables_golden(cases[c].file), cases[c].keys);
        EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
        tables_check(context, dataset, KD2M_TRAIN, "values.npy", "labels.npy");
        assert_int_equal(3, dataset->raw.classes);
        if (c < 4)
            check_column(dataset, "machines.npy");
        kd2m_dataset_free(dataset);
    }
}

static int32_t label_of(const kd2m_dataset *dataset, kd2m_split split, size_t row) {
    int32_t label;
    EXPECT_OK(context, kd2m_dataset_read(dataset, split, row, 1, NULL, &label));
    return label;
}

static void codes_labels_alike_in_both_parts(void **state) {
    kd2m_context *talking = tables_talking_context();
    kd2m_dataset *dataset = NULL;
    char spec[2048];
    (void)state;
    const char *train = tables_write(folder, "train.csv", "x,k\n1,pear\n2,fig\n");
    const char *test = tables_write(folder, "test.csv", "x,k\n1,apple\n2,fig\n3,10\n");
    snprintf(spec, sizeof spec, "csv:train=%s,test=%s,label=k", train, test);
    tables_log[0] = '\0';
    EXPECT_OK(talking, tables_open(&dataset, talking, spec, "refuse"));
    assert_non_null(strstr(tables_log, "classes of 'k': 0 = 10, 1 = apple, 2 = fig, 3 = pear"));
    assert_int_equal(3, label_of(dataset, KD2M_TRAIN, 0));
    assert_int_equal(2, label_of(dataset, KD2M_TRAIN, 1));
    assert_int_equal(1, label_of(dataset, KD2M_TEST, 0));
    assert_int_equal(2, label_of(dataset, KD2M_TEST, 1));
    kd2m_dataset_free(dataset);

    snprintf(spec, sizeof spec, "csv:%s,label=k,classes=fig;plum;pear", train);
    EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
    assert_int_equal(3, dataset->raw.classes);
    assert_int_equal(2, label_of(dataset, KD2M_TRAIN, 0));
    assert_int_equal(0, label_of(dataset, KD2M_TRAIN, 1));
    kd2m_dataset_free(dataset);
    snprintf(spec, sizeof spec, "csv:%s,label=k,classes=fig;plum", train);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "'k' is 'pear' somewhere, which classes='fig;plum' does not name");
    snprintf(spec, sizeof spec, "csv:%s,label=k,classes=3", train);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_USAGE, "the labels in 'k' are texts");

    train = tables_write(folder, "train.csv", "x,k\n1,07\n2,3.0\n5,1e1\n");
    snprintf(spec, sizeof spec, "csv:%s,label=k,classes=12", train);
    EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
    assert_int_equal(12, dataset->raw.classes);
    assert_int_equal(7, label_of(dataset, KD2M_TRAIN, 0));
    assert_int_equal(3, label_of(dataset, KD2M_TRAIN, 1));
    assert_int_equal(10, label_of(dataset, KD2M_TRAIN, 2));
    kd2m_dataset_free(dataset);
    train = tables_write(folder, "train.csv", "x,k\n1,-1\n");
    snprintf(spec, sizeof spec, "csv:%s,label=k", train);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "label -1 in row 0");
    train = tables_write(folder, "train.csv", "x,k\n1,2\n2,2.5\n");
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "label '2.5' in column 'k' is not a whole number");
    kd2m_context_free(talking);
}

static void joins_files_with_one_header(void **state) {
    kd2m_dataset *dataset = NULL;
    char spec[2048];
    float values[2];
    (void)state;
    const char *a = tables_write(folder, "join-a.csv", "label,x,t\n1,10,5\n");
    const char *b = tables_write(folder, "join-b.csv", "label;x;t\n0;20;4\n2;30;6\n");
    snprintf(spec, sizeof spec, "csv:train=%s;%s,time=t", a, b);
    EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
    assert_int_equal(3, dataset->raw.train.rows);
    assert_int_equal(1, dataset->raw.shape[0]);
    assert_true(dataset->raw.train.time[1] == 4.0 && !dataset->raw.train.until);
    EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TRAIN, 2, 1, values, NULL));
    assert_true(values[0] == 30);
    kd2m_dataset_free(dataset);
    snprintf(spec, sizeof spec, "csv:%s/join-?.csv", folder);
    EXPECT_OK(context, tables_open(&dataset, context, spec, "refuse"));
    assert_int_equal(2, dataset->raw.shape[0]);
    kd2m_dataset_free(dataset);

    snprintf(spec, sizeof spec, "csv:train=%s,test=%s", a, a);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_USAGE,
                  "join-a.csv: is named twice, the second time in 'test'");
    b = tables_write(folder, "join-b.csv", "label,y,t\n0,20,4\n");
    snprintf(spec, sizeof spec, "csv:train=%s,test=%s", a, b);
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT,
                  "join-b.csv: column 2 is 'y', but 'x'");
    b = tables_write(folder, "join-b.csv", "label,x\n0,20\n");
    tables_refuse(context, spec, "refuse", KD2M_ERROR_INPUT, "has 2 columns, but");
}

static void refuses_tables_that_do_not_fit(void **state) {
    static const struct {
        const char *text, *keys, *message;
        kd2m_status status;
    } cases[] = {
        {"x,label\n1,0\n1x,0\n", "", "line 3, column 'x': '1x' is not a finite number",
         KD2M_ERROR_INPUT},
        {"x;label\n1,5;0\n", "", "'1,5' is not a finite number; the decimal point is '.'",
         KD2M_ERROR_INPUT},
        {"x,label\ninf,0\n", "", "'inf' is not a finite", KD2M_ERROR_INPUT},
        {"x,label\n1e999,0\n", "", "'1e999' is too large", KD2M_ERROR_INPUT},
        {"x,label\n1e39,0\n", "", "'1e39' is beyond 32-bit floats", KD2M_ERROR_INPUT},
        {"x,label\n1,0\n", ",label=y", "no column 'y'", KD2M_ERROR_USAGE},
        {"x,label\n1,0\n", ",columns=lable", "did you mean 'label'", KD2M_ERROR_USAGE},
        {"x,label\n1,0\n", ",features=x;label", "the label 'label' can't be among the values",
         KD2M_ERROR_USAGE},
        {"x,label\n1,0\n", ",features=x;;z", "names a column that is empty", KD2M_ERROR_USAGE},
        {"x,x,label\n1,2,0\n", "", "2 columns are called 'x'", KD2M_ERROR_USAGE},
        {",x,label\n1,2,0\n", "", "column 1 has no name", KD2M_ERROR_INPUT},
        {"label\n1\n", "", "no column of numbers is left", KD2M_ERROR_INPUT},
        {"x,label\n", "", "no rows are left", KD2M_ERROR_INPUT},
        {"x,label\n1,0\n", ",sep=tab", "no column 'label'", KD2M_ERROR_USAGE},
        {"x,label\n1,0\n", ",sep=dot", "auto|comma|semicolon|tab", KD2M_ERROR_USAGE},
        {"x,label\n1,0\n", ",classes=0", "classes=0: must be 1 to", KD2M_ERROR_USAGE},
        {"x,label\n1,5\n", ",classes=3", "labels must be 0..2", KD2M_ERROR_INPUT},
    };
    char spec[1024];
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const char *path = tables_write(folder, "bad.csv", cases[c].text);
        snprintf(spec, sizeof spec, "csv:%s%s", path, cases[c].keys);
        tables_refuse(context, spec, "refuse", cases[c].status, cases[c].message);
    }
    tables_refuse(context, "csv", "refuse", KD2M_ERROR_USAGE, "csv: needs train=FILE");
    tables_refuse(context, "csv:/nonexistent/a.csv", "refuse", KD2M_ERROR_IO, "/nonexistent/a.csv");
    tables_refuse(context, "csv:/nonexistent/*.csv", "refuse", KD2M_ERROR_IO, "no file fits");
}

static void every_failing_allocation_is_survived(void **state) {
    char spec[2048];
    (void)state;
    snprintf(spec, sizeof spec, "csv:train=%s,test=%s,label=state,columns=machine",
             tables_golden("comma.csv"), tables_golden("zipped.csv.gz"));
    tables_sweep(spec, "refuse");
    const char *path = tables_write(folder, "sweep.csv", "x,label,t\n1,b,0\n,b,1\n3,a,2\n");
    snprintf(spec, sizeof spec, "csv:%s,time=t,features=x,classes=a;b", path);
    tables_sweep(spec, "drop");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_records_apart),
        cmocka_unit_test(refuses_what_is_no_table),
        cmocka_unit_test(reads_records_of_any_length),
        cmocka_unit_test(reads_more_than_a_buffer),
        cmocka_unit_test(survives_every_truncation),
        cmocka_unit_test(reads_what_python_wrote),
        cmocka_unit_test(codes_labels_alike_in_both_parts),
        cmocka_unit_test(joins_files_with_one_header),
        cmocka_unit_test(refuses_tables_that_do_not_fit),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    context = testing_context(1);
    snprintf(folder, sizeof folder, "%s", testing_folder());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
