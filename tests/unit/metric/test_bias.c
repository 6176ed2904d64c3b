/* What batches do to a metric: against expectations over sub-samples in closed form, at the edges,
 * with the same seed, out of memory, interrupted. */
#include "problem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kd2m/bias.h"

static kd2m_context *context;
static metric_problem given;

static kd2m_bias_settings settings_of(const char *batches, int64_t draws, const char *pairing) {
    kd2m_bias_settings settings;
    kd2m_settings_default(kd2m_bias_setting_list(), &settings);
    settings.batches = batches;
    settings.draws = draws;
    settings.pairing = pairing;
    return settings;
}

static kd2m_status measure(kd2m_bias_report *out, const problem_metric *opened,
                           const metric_problem *problem, const kd2m_bias_settings *settings) {
    kd2m_sample x = problem_sample(&problem->x, opened->info.traits);
    kd2m_sample y = problem_sample(&problem->y, opened->info.traits);
    return kd2m_bias_measure(out, opened->context, opened->metric, &x, &y, settings);
}

static kd2m_bias_report report_of(const char *spec, const kd2m_bias_settings *settings) {
    kd2m_bias_report report;
    problem_metric opened = problem_open(context, spec);
    EXPECT_OK(context, measure(&report, &opened, &given, settings));
    problem_close(&opened);
    return report;
}

/* Mean over the rows but `without` (SIZE_MAX: all), and the sum over columns of their variance,
 * divided by one less than their number. */
static double moments(const problem_side *side, const problem_side *less, size_t without,
                      double *mean) {
    double count = (double)side->rows - (without < side->rows), variance = 0;
    for (size_t k = 0; k < side->dim; k++) {
        double sum = 0, squares = 0;
        for (int pass = 0; pass < 2; pass++) {
            mean[k] = sum / count;
            for (size_t i = 0; i < side->rows; i++) {
                double value = side->values[i * side->stride + k];
                value -= less ? less->values[i * less->stride + k] : 0;
                sum += pass == 0 && i != without ? value : 0;
                squares += pass == 1 && i != without ? (value - mean[k]) * (value - mean[k]) : 0;
            }
        }
        variance += squares / (count - 1);
    }
    return variance;
}

static double square_between(const double *a, const double *b, size_t dim) {
    double sum = 0;
    for (size_t k = 0; k < dim; k++)
        sum += (a[k] - (b ? b[k] : 0)) * (a[k] - (b ? b[k] : 0));
    return sum;
}

/* Without replacement the mean of b of N rows has variance S^2/b (1 - b/N), so that |mean
 * difference of batches|^2 is on average |mean difference|^2 + (S_X^2 + S_Y^2)/b (1 - b/N), S^2/b
 * of the differences where the rows are the same; between two disjoint batches of Y it is 2
 * S_Y^2/b. */
static void check_linear_values(const char *pairing) {
    enum { DIM = 5 };
    double mean_x[DIM], mean_y[DIM], mean_both[DIM];
    kd2m_bias_settings settings = settings_of("8,32,100", 1500, pairing);
    problem_fill(&given, 1, 200, 200, DIM);
    for (size_t i = 0; i < 200; i++) /* rows that correspond */
        for (size_t k = 0; k < DIM; k++)
            given.y.values[i * given.y.stride + k] += given.x.values[i * given.x.stride + k];
    double square_x = moments(&given.x, NULL, SIZE_MAX, mean_x);
    double square_y = moments(&given.y, NULL, SIZE_MAX, mean_y);
    double square_both = moments(&given.x, &given.y, SIZE_MAX, mean_both);
    bool paired = strcmp(pairing, "apart") != 0;
    kd2m_bias_report report = report_of("mmd:kernel=linear", &settings);
    assert_int_equal(report.paired, paired);
    assert_int_equal(report.count, 3);
    EXPECT_CLOSE(square_between(mean_x, mean_y, DIM), report.full.value, 0, 1e-5);
    for (size_t i = 0; i < 3; i++) {
        const kd2m_bias_size *size = &report.sizes[i];
        double rows = (double)size->rows;
        double bias = (paired ? square_both : square_x + square_y) / rows * (1 - rows / 200);
        EXPECT_CLOSE(bias, size->bias, 4 * size->bias_error, 0);
        assert_true(size->bias_error < bias / 8); /* so that this says something */
        EXPECT_CLOSE(report.full.value + size->bias, size->value, 0, 1e-12);
        EXPECT_CLOSE(size->bias / report.full.value, size->relative_bias, 0, 1e-12);
        EXPECT_CLOSE(size->value_sd / sqrt(1500), size->bias_error, 0, 1e-12);
        EXPECT_CLOSE(2 * square_y / rows, size->floor, 4 * size->floor_sd / sqrt(1500), 0);
        assert_int_equal(size->draws, 1500);
    }
    kd2m_bias_clear(context, &report);
}

static void test_linear_values(void **state) {
    (void)state;
    check_linear_values("apart");
    check_linear_values("paired");
    check_linear_values("auto");
}

/* Row i's gradient in a batch, times b, is 2 (mean x - mean y) with x_i among the b: given that,
 * the other b - 1 are drawn from N - 1. Only its expectation is looked at, and its variance. */
static void test_linear_gradients(void **state) {
    (void)state;
    enum { DIM = 4, ROWS = 120 };
    double mean_x[DIM], mean_y[DIM], others[DIM], row[DIM];
    kd2m_bias_settings settings = settings_of("4,16,60", 4000, "apart");
    problem_fill(&given, 2, ROWS, ROWS, DIM);
    moments(&given.x, NULL, SIZE_MAX, mean_x);
    double square_y = moments(&given.y, NULL, SIZE_MAX, mean_y);
    double whole = square_between(mean_x, mean_y, DIM);
    kd2m_bias_report report = report_of("mmd:kernel=linear", &settings);
    for (size_t s = 0; s < report.count; s++) {
        const kd2m_bias_size *size = &report.sizes[s];
        double b = (double)size->rows, expected = 0, along = 0, variance = 0;
        for (size_t i = 0; i < ROWS; i++) {
            double square = moments(&given.x, NULL, i, others);
            for (size_t k = 0; k < DIM; k++) {
                row[k] = given.x.values[i * given.x.stride + k] / b + (b - 1) / b * others[k] -
                         mean_y[k];
                along += row[k] * (mean_x[k] - mean_y[k]) / ROWS;
            }
            expected += square_between(row, NULL, DIM) / ROWS;
            variance += ((b - 1) / b / b * square * (1 - (b - 1) / (ROWS - 1)) +
                         square_y / b * (1 - b / ROWS)) /
                        ROWS;
        }
        EXPECT_CLOSE(along / sqrt(expected * whole), size->cosine, 0, 0.02);
        EXPECT_CLOSE(sqrt(expected / whole), size->norm_ratio, 0, 0.02);
        EXPECT_CLOSE(sqrt(variance / whole), size->noise, 0, 0.02);
    }
    assert_true(report.sizes[0].cosine < 0.95); /* a row counts for much among four */
    kd2m_bias_clear(context, &report);
}

/* U-statistics and means over pairs are right on average, whatever the batch. */
static void test_unbiased_metrics(void **state) {
    (void)state;
    static const char *const specs[] = {"mmd:kernel=linear,unbiased=1",
                                        "mmd:kernel=rbf,sigma=2,unbiased=1", "mse", "cosine"};
    kd2m_bias_settings settings = settings_of("8,32", 600, "auto");
    problem_fill(&given, 3, 100, 100, 4);
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        settings.pairing = s < 2 ? "apart" : "auto";
        kd2m_bias_report report = report_of(specs[s], &settings);
        for (size_t i = 0; i < report.count; i++) {
            const kd2m_bias_size *size = &report.sizes[i];
            EXPECT_CLOSE(0, size->bias, 4 * size->bias_error, 0);
            assert_true(size->bias_error > 0);
            assert_int_equal(isnan(size->floor), s >= 2);
            if (s < 2)
                continue;
            EXPECT_CLOSE(1, size->cosine, 1e-6, 0);
            EXPECT_CLOSE(1, size->norm_ratio, 1e-6, 0);
            EXPECT_CLOSE(0, size->noise, 1e-5, 0);
        }
        kd2m_bias_clear(context, &report);
    }
}

/* Transport sees batches of one law as further apart than they are. */
static void test_transport_is_biased_upwards(void **state) {
    (void)state;
    kd2m_bias_settings settings = settings_of(NULL, 20, "auto");
    problem_fill(&given, 4, 256, 256, 8);
    kd2m_bias_report report = report_of("w2", &settings);
    assert_int_equal(report.count, 4);
    for (size_t i = 0; i < 4; i++) {
        const kd2m_bias_size *size = &report.sizes[i];
        assert_int_equal(size->rows, 16 << i);
        assert_int_equal(size->draws, i == 0 ? 32 : 20); /* 2 n / 16 */
        assert_true(size->bias > 5 * size->bias_error);
        assert_true(size->floor > 0 && size->cosine < 0.9);
        assert_true(i == 0 || size->bias < report.sizes[i - 1].bias);
        assert_true(i == 0 || size->cosine > report.sizes[i - 1].cosine);
    }
    kd2m_bias_clear(context, &report);
}

/* A batch of all rows is no batch, for every metric, whatever belongs to its rows; and every metric
 * has a floor, or is one of pairs. */
static void check_all_rows(problem_metric *opened, const reference_metric *metric,
                           reference_use use) {
    (void)metric;
    (void)use;
    kd2m_bias_settings settings = settings_of("12,30", 2, "auto");
    kd2m_bias_report report;
    metric_problem problem;
    for (int weighted = 0; weighted < 2; weighted++) {
        given.x.weighted = given.y.weighted = weighted;
        if (!problem_adapt(&problem, &given, opened))
            continue;
        EXPECT_OK(context, measure(&report, opened, &problem, &settings));
        const kd2m_bias_size *part = &report.sizes[0], *all = &report.sizes[1];
        double size = fabs(report.full.value);
        assert_string_equal(report.metric, opened->info.spec);
        assert_int_equal(isfinite(part->floor), !(opened->info.traits & KD2M_METRIC_PAIRED));
        assert_true(isnan(all->floor));
        assert_true(isfinite(part->value) && isfinite(part->noise));
        EXPECT_CLOSE(0, all->bias, 1e-9 + 1e-5 * size, 0);
        EXPECT_CLOSE(1, all->cosine, 1e-5, 0);
        EXPECT_CLOSE(1, all->norm_ratio, 1e-4, 0);
        EXPECT_CLOSE(0, all->noise, 1e-3, 0);
        kd2m_bias_clear(context, &report);
    }
}

static void test_batches_of_all_rows(void **state) {
    (void)state;
    problem_fill(&given, 5, 30, 30, 4);
    for (size_t i = 0; i < 30; i++) {
        given.x.weights[i] = 1 + (double)(i % 4);
        given.y.weights[i] = 1 + (double)(i % 3);
    }
    problem_for_each(context, check_all_rows);
}

static void test_columns_go_along(void **state) {
    (void)state;
    kd2m_bias_settings settings = settings_of("10,24", 2, "auto");
    kd2m_bias_report by_column, by_label;
    problem_fill(&given, 6, 24, 24, 3);
    problem_metric opened = problem_open(context, "cond(w2):by=machine");
    kd2m_sample x = problem_sample(&given.x, 0), y = problem_sample(&given.y, 0);
    const kd2m_sample_column x_column = {"machine", given.x.labels};
    const kd2m_sample_column y_columns[] = {{"load", given.x.labels}, {"machine", given.y.labels}};
    x.columns = &x_column;
    y.columns = y_columns;
    x.column_count = 1;
    y.column_count = 2;
    EXPECT_OK(context, kd2m_bias_measure(&by_column, context, opened.metric, &x, &y, &settings));
    by_label = report_of("cond(w2)", &settings);
    assert_memory_equal(by_column.sizes, by_label.sizes, 2 * sizeof *by_label.sizes);
    kd2m_bias_clear(context, &by_column);
    kd2m_bias_clear(context, &by_label);
    problem_close(&opened);
}

static void expect_same(const kd2m_bias_size *a, const kd2m_bias_size *b, double tolerance) {
    const double figures[][2] = {{a->value, b->value},       {a->value_sd, b->value_sd},
                                 {a->cosine, b->cosine},     {a->norm_ratio, b->norm_ratio},
                                 {a->noise, b->noise},       {a->floor, b->floor},
                                 {a->floor_sd, b->floor_sd}, {a->bias_error, b->bias_error}};
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->draws, b->draws);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        EXPECT_CLOSE(figures[i][0], figures[i][1], 0, tolerance);
}

/* By seed to the bit, whatever sizes stand beside; by threads but for rounding. */
static void test_batches_follow_from_the_seed(void **state) {
    (void)state;
    static const char *const specs[] = {"w2", "mmd", "sw2", "cond(gauss-w2)", "mse"};
    problem_fill(&given, 7, 90, 90, 6);
    memcpy(given.y.labels, given.x.labels, sizeof given.y.labels);
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        kd2m_bias_settings settings = settings_of("16,40", 10, "auto");
        kd2m_bias_settings one = settings_of("40", 10, "auto");
        kd2m_bias_report first = report_of(specs[s], &settings);
        kd2m_bias_report again = report_of(specs[s], &settings);
        kd2m_bias_report alone = report_of(specs[s], &one);
        assert_memory_equal(first.sizes, again.sizes, 2 * sizeof *first.sizes);
        assert_memory_equal(&first.sizes[1], alone.sizes, sizeof *first.sizes);
        kd2m_bias_clear(context, &again);
        kd2m_bias_clear(context, &alone);
        settings.seed = 1;
        again = report_of(specs[s], &settings);
        assert_true(first.sizes[0].value != again.sizes[0].value);
        kd2m_bias_clear(context, &again);

        settings.seed = 0;
        kd2m_context *threads = testing_context(2);
        problem_metric opened = problem_open(threads, specs[s]);
        EXPECT_OK(threads, measure(&again, &opened, &given, &settings));
        for (size_t i = 0; i < 2 && s < 4; i++)
            expect_same(&first.sizes[i], &again.sizes[i], 1e-4);
        kd2m_bias_clear(threads, &again);
        problem_close(&opened);
        kd2m_context_free(threads);
        kd2m_bias_clear(context, &first);
    }
}

static void test_some_rows_stand_for_all(void **state) {
    (void)state;
    kd2m_bias_settings settings = settings_of("10,40", 3, "auto");
    problem_fill(&given, 8, 100, 80, 3);
    settings.full = 40;
    kd2m_bias_report report = report_of("cond(energy)", &settings);
    assert_int_equal(report.x_rows, 40);
    assert_int_equal(report.y_rows, 40);
    assert_int_equal(report.x_given, 100);
    assert_int_equal(report.y_given, 80);
    assert_false(report.paired); /* there were not as many */
    EXPECT_CLOSE(0, report.sizes[1].bias, 1e-5 * report.full.value, 0);
    assert_true(report.sizes[0].bias > 0);
    kd2m_bias_clear(context, &report);

    settings.full = 90;
    settings.batches = "80";
    report = report_of("energy", &settings);
    assert_int_equal(report.x_rows, 90);
    assert_int_equal(report.y_rows, 80);
    kd2m_bias_clear(context, &report);
}

static void expect_refused(const char *spec, kd2m_bias_settings settings, kd2m_status status,
                           const char *message) {
    problem_metric opened = problem_open(context, spec);
    kd2m_bias_report report;
    memset(&report, 1, sizeof report);
    EXPECT_STATUS(context, status, measure(&report, &opened, &given, &settings));
    EXPECT_MESSAGE(context, message);
    assert_null(report.sizes);
    assert_null(report.metric);
    problem_close(&opened);
}

static void test_refusals(void **state) {
    (void)state;
    kd2m_bias_settings usual = settings_of("8", 2, "auto"), odd = usual;
    problem_fill(&given, 9, 31, 31, 3);
    expect_refused("w2", settings_of("8,32", 2, "auto"), KD2M_ERROR_USAGE,
                   "batches of 31 rows: numbers go from 0 to 31 at position 3");
    expect_refused("w2", settings_of("1,8", 2, "auto"), KD2M_ERROR_USAGE, "at least 2 rows, not 1");
    expect_refused("w2", settings_of("0", 2, "auto"), KD2M_ERROR_USAGE, "at least 2 rows");
    expect_refused("w2", settings_of("8,x", 2, "auto"), KD2M_ERROR_USAGE, "a number is expected");
    expect_refused("w2", settings_of("", 2, "auto"), KD2M_ERROR_USAGE, "a number is expected");
    expect_refused("w2", settings_of("8,8", 2, "auto"), KD2M_ERROR_USAGE, "there twice");
    expect_refused("w2", settings_of(NULL, 2, "auto"), KD2M_ERROR_USAGE,
                   "but there are 31: say which with --batches");
    expect_refused("w2", settings_of("8", 1, "auto"), KD2M_ERROR_USAGE, "draws takes");
    expect_refused("w2", settings_of("8", 2, "twice"), KD2M_ERROR_USAGE, "pairing takes");
    odd.seed = -1;
    expect_refused("w2", odd, KD2M_ERROR_USAGE, "seed takes");
    expect_refused("mse", settings_of("8", 2, "apart"), KD2M_ERROR_USAGE, "row i with row i");
    given.y.rows = 30;
    expect_refused("mse", usual, KD2M_ERROR_INPUT, "row i with row i");
    expect_refused("w2", settings_of("8", 2, "paired"), KD2M_ERROR_USAGE,
                   "the student (x) has 31 and the teacher (y) 30");
    expect_refused("w2", settings_of("31", 2, "auto"), KD2M_ERROR_USAGE, "from 0 to 30");
    given.x.rows = 0;
    expect_refused("w2", usual, KD2M_ERROR_INPUT, "empty");
    given.x.rows = 30;
    given.x.values[given.x.stride + 1] = NAN;
    expect_refused("w2", usual, KD2M_ERROR_INPUT, "NaN");

    problem_fill(&given, 9, 30, 30, 3);
    problem_metric opened = problem_open(context, "cond(w2)");
    kd2m_sample x = problem_sample(&given.x, 0), y = problem_sample(&given.y, 0);
    kd2m_bias_report report;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_bias_measure(&report, context, opened.metric, &x, &y, &usual));
    EXPECT_MESSAGE(context, "needs labels");
    problem_close(&opened);

    /* batches that have nothing in common, where all rows have */
    for (int32_t i = 0; i < 30; i++) {
        given.x.labels[i] = i;
        given.y.labels[i] = 29 - i;
    }
    expect_refused("cond(w2)", settings_of("2", 2, "apart"), KD2M_ERROR_INPUT,
                   "batch 1 of 2 rows: cond: student and teacher have no group in common");
}

static void test_values_that_did_not_converge(void **state) {
    (void)state;
    kd2m_bias_settings settings = settings_of("8,12", 4, "auto");
    kd2m_bias_report report;
    problem_fill(&given, 10, 24, 24, 3);
    problem_metric opened = problem_open(context, "sinkhorn:eps=0.001,iters=1");
    EXPECT_OK(context, measure(&report, &opened, &given, &settings));
    assert_false(report.full.certificate.converged);
    assert_int_equal(report.sizes[0].unconverged, report.sizes[0].draws);
    kd2m_bias_clear(context, &report);
    kd2m_metric_set_strict(opened.metric, 1);
    EXPECT_STATUS(context, KD2M_ERROR_NUMERIC, measure(&report, &opened, &given, &settings));
    EXPECT_MESSAGE(context, "did not converge");
    problem_close(&opened);
    report = report_of("sinkhorn", &settings);
    assert_true(report.full.certificate.converged);
    assert_int_equal(report.sizes[0].unconverged + report.sizes[1].unconverged, 0);
    kd2m_bias_clear(context, &report);
}

static void count_lines(const char *text, size_t *lines, size_t *commas) {
    *lines = *commas = 0;
    for (; *text; text++) {
        *lines += *text == '\n';
        *commas += *text == ',';
    }
}

static void test_table(void **state) {
    (void)state;
    kd2m_bias_settings settings = settings_of("8,16", 4, "apart");
    kd2m_table *table;
    char *text, *csv;
    size_t lines, commas;
    problem_fill(&given, 11, 50, 40, 3);
    settings.full = 36;
    kd2m_bias_report report = report_of("gauss-w2", &settings);
    EXPECT_OK(context, kd2m_bias_table(&table, context, &report));
    EXPECT_OK(context, kd2m_table_to_text(table, &text));
    EXPECT_OK(context, kd2m_table_to_csv(table, &csv));
    assert_non_null(strstr(text, "gauss-w2:cov=diag; last line: all 36 of X and 36 of Y; a batch "
                                 "holds rows drawn from each by itself"));
    assert_non_null(strstr(text, "these were drawn from 50 of X and 40 of Y"));
    count_lines(csv, &lines, &commas);
    assert_int_equal(lines, 4); /* keys, two sizes, all rows */
    assert_int_equal(commas, 4 * 12);
    assert_non_null(strstr(csv, "batch,draws,value,value_sd,bias,bias_error,relative_bias,cosine,"
                                "norm_ratio,noise,floor,floor_sd,unconverged\n8,"));
    assert_non_null(strstr(csv, "\n36,1,"));
    kd2m_text_free(context, text);
    kd2m_text_free(context, csv);
    kd2m_table_free(table);
    kd2m_bias_clear(context, &report);
}

static int polls_left;

static int stop_after_some_polls(void *user) {
    (void)user;
    return polls_left-- <= 0;
}

static kd2m_progress told;
static int finished;

static void note_progress(void *user, const kd2m_progress *progress) {
    (void)user;
    told = *progress;
    finished += progress->finished;
}

static void test_interrupts_and_progress(void **state) {
    (void)state;
    kd2m_bias_settings settings = settings_of("8,16", 5, "auto");
    kd2m_context_settings host;
    kd2m_context_settings_default(&host);
    host.interrupted = stop_after_some_polls;
    host.progress = note_progress;
    kd2m_context *stopping;
    kd2m_bias_report report;
    assert_int_equal(kd2m_context_create(&stopping, &host), KD2M_OK);
    problem_fill(&given, 12, 40, 40, 3);
    problem_metric opened = problem_open(stopping, "mse");
    for (polls_left = 0; polls_left < 8; polls_left++) {
        int polls = polls_left;
        EXPECT_STATUS(stopping, KD2M_ERROR_INTERRUPTED,
                      measure(&report, &opened, &given, &settings));
        assert_null(report.sizes);
        polls_left = polls;
    }
    polls_left = 1000;
    finished = 0;
    EXPECT_OK(stopping, measure(&report, &opened, &given, &settings));
    assert_int_equal(finished, 1);
    EXPECT_CLOSE(told.total, told.done, 0, 0);
    EXPECT_CLOSE(10 * 64 + 5 * 256, told.total, 0, 0); /* batches x rows^2 */
    kd2m_bias_clear(stopping, &report);
    problem_close(&opened);
    kd2m_context_free(stopping);
}

static kd2m_status measure_and_show(kd2m_context *failing, const char *spec) {
    const kd2m_bias_settings settings = {"5,8", 2, 20, "auto", 0};
    kd2m_bias_report report = {0};
    kd2m_table *table = NULL;
    problem_metric opened = {.context = failing};
    kd2m_status status = kd2m_metric_create(&opened.metric, failing, spec);
    if (status == KD2M_OK) {
        kd2m_metric_describe(opened.metric, &opened.info);
        status = measure(&report, &opened, &given, &settings);
    }
    if (status == KD2M_OK)
        status = kd2m_bias_table(&table, failing, &report);
    kd2m_table_free(table);
    kd2m_bias_clear(failing, &report);
    kd2m_metric_free(opened.metric);
    return status;
}

static void test_failing_allocations(void **state) {
    (void)state;
    static const char *const specs[] = {"cond(w2)", "kd", "joint(w2):of=logits", "energy"};
    problem_fill(&given, 13, 24, 24, 3);
    given.x.weighted = false;
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        kd2m_status status = KD2M_ERROR_MEMORY;
        for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
            kd2m_context *failing = testing_failing_context(fail_at);
            assert_true(fail_at < 1000);
            status = measure_and_show(failing, specs[s]);
            if (status != KD2M_OK)
                EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
            assert_int_equal(testing_live(), 0);
            kd2m_context_free(failing);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_values),
        cmocka_unit_test(test_linear_gradients),
        cmocka_unit_test(test_unbiased_metrics),
        cmocka_unit_test(test_transport_is_biased_upwards),
        cmocka_unit_test(test_batches_of_all_rows),
        cmocka_unit_test(test_columns_go_along),
        cmocka_unit_test(test_batches_follow_from_the_seed),
        cmocka_unit_test(test_some_rows_stand_for_all),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_values_that_did_not_converge),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_interrupts_and_progress),
        cmocka_unit_test(test_failing_allocations),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
