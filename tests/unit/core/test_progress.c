/* Progress: what the host is told, how often, and how good rate and time left are. */
#include "testing.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "progress.h"

/* What the callback was told last. */
typedef struct host {
    kd2m_progress last;
    char text[100], unit[100];
    int calls;
} host;

static void keep(void *user, const kd2m_progress *progress) {
    host *told = user;
    told->calls++;
    told->last = *progress;
    strncpy(told->text, progress->text, sizeof told->text - 1);
    strncpy(told->unit, progress->unit, sizeof told->unit - 1);
}

static kd2m_context *hosted(host *told) {
    kd2m_context_settings settings;
    kd2m_context *made = NULL;
    *told = (host){.calls = 0};
    kd2m_context_settings_default(&settings);
    settings.user = told;
    settings.progress = keep;
    assert_int_equal(KD2M_OK, kd2m_context_create(&made, &settings));
    return made;
}

static void wait(double seconds) {
    const struct timespec time = {0, (long)(seconds * 1e9)};
    nanosleep(&time, NULL);
}

static void the_host_is_told_all(void **state) {
    host told;
    kd2m_context *context = hosted(&told);
    kd2m_meter meter;
    (void)state;
    kd2m_meter_begin(&meter, context, "samples", 200, 40);
    assert_int_equal(0, told.calls);
    kd2m_meter_text(&meter, "epoch %d/%d", 3, 8);
    wait(0.01);
    double before = kd2m_seconds();
    kd2m_meter_advance(&meter, 10);
    assert_int_equal(1, told.calls); /* the first at once */
    assert_string_equal("epoch 3/8", told.text);
    assert_string_equal("samples", told.unit);
    EXPECT_CLOSE(50, told.last.done, 0, 0);
    EXPECT_CLOSE(200, told.last.total, 0, 0);
    assert_true(told.last.elapsed_seconds >= 0.01);
    /* what was done before the beginning says nothing about the rate */
    EXPECT_CLOSE(10 / told.last.elapsed_seconds, told.last.rate, 0, 1e-9);
    EXPECT_CLOSE(150 / told.last.rate, told.last.eta_seconds, 0, 1e-9);
    assert_int_equal(0, told.last.finished);

    kd2m_meter_advance(&meter, 150); /* too soon to be told, but counted */
    if (kd2m_seconds() < before + 0.1)
        assert_int_equal(1, told.calls);
    int calls = told.calls;
    kd2m_meter_end(&meter);
    assert_int_equal(calls + 1, told.calls);
    EXPECT_CLOSE(200, told.last.done, 0, 0);
    EXPECT_CLOSE(0, told.last.eta_seconds, 0, 0);
    assert_int_equal(1, told.last.finished);
    kd2m_context_free(context);
}

static void the_host_is_told_ten_times_a_second(void **state) {
    host told;
    kd2m_context *context = hosted(&told);
    kd2m_meter meter;
    double start = kd2m_seconds(), now;
    (void)state;
    kd2m_meter_begin(&meter, context, "steps", 0, 0);
    do {
        kd2m_meter_advance(&meter, 1);
        now = kd2m_seconds();
    } while (now < start + 0.45 || told.calls < 2);
    assert_in_range(told.calls, 2, (int)((now - start) / 0.1) + 1);
    kd2m_context_free(context);
}

static void without_a_total_no_time_left_is_known(void **state) {
    host told;
    kd2m_context *context = hosted(&told);
    kd2m_meter meter;
    (void)state;
    kd2m_meter_begin(&meter, context, "steps", 0, 0);
    wait(0.001);
    kd2m_meter_advance(&meter, 1);
    assert_true(told.last.rate > 0);
    assert_true(told.last.eta_seconds < 0);

    kd2m_meter_begin(&meter, context, "steps", 10, 0);
    kd2m_meter_end(&meter); /* nothing measured */
    EXPECT_CLOSE(0, told.last.rate, 0, 0);
    assert_true(told.last.eta_seconds < 0);

    kd2m_meter_begin(&meter, context, "steps", 10, 0);
    wait(0.001);
    kd2m_meter_advance(&meter, 11); /* more than there was to do */
    EXPECT_CLOSE(0, told.last.eta_seconds, 0, 0);
    kd2m_context_free(context);
}

/* A first step that is far quicker than the others must not spoil the estimate for long. */
static void the_rate_recovers_from_an_odd_start(void **state) {
    host told;
    kd2m_context *context = hosted(&told);
    kd2m_meter meter;
    double start = kd2m_seconds();
    (void)state;
    kd2m_meter_begin(&meter, context, "steps", 1000, 0);
    wait(0.001);
    kd2m_meter_advance(&meter, 10);
    assert_true(told.last.rate > 1000 || told.last.elapsed_seconds > 0.01);
    while (kd2m_seconds() < start + 0.6) {
        wait(0.01);
        kd2m_meter_advance(&meter, 1);
    }
    double mean = told.last.done / told.last.elapsed_seconds;
    assert_true(told.last.rate > 0.5 * mean);
    assert_true(told.last.rate < 2 * mean);
    kd2m_context_free(context);
}

static void a_silent_host_is_fine(void **state) {
    kd2m_context *context = testing_context(1);
    kd2m_meter meter;
    (void)state;
    kd2m_meter_begin(&meter, context, "steps", 10, 2);
    kd2m_meter_text(&meter, "%0500d", 1); /* longer than a text */
    kd2m_meter_advance(&meter, 3);
    kd2m_meter_end(&meter);
    EXPECT_CLOSE(5, meter.done, 0, 0);
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_is_told_all),
        cmocka_unit_test(the_host_is_told_ten_times_a_second),
        cmocka_unit_test(without_a_total_no_time_left_is_known),
        cmocka_unit_test(the_rate_recovers_from_an_odd_start),
        cmocka_unit_test(a_silent_host_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
