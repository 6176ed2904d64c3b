/* The bearing's vibration: does it ring when, where and as loud as the model says? */
#include "opening.h"
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bearing_model.h"
#include "kd2m/data.h"

#define PI 3.14159265358979323846

enum { LONG = 24000 }; /* two seconds: lines half a hertz apart */

static kd2m_context *context;

/* Orders as the rig's makers publish them: Case Western Reserve University Bearing Data Center,
 * drive end bearing 6205-2RS, multiples of the running speed. */
static void orders_are_those_of_the_maker(void **state) {
    kd2m_bearing_orders orders = kd2m_bearing_kinematics();
    (void)state;
    EXPECT_CLOSE(5.4152, orders.inner, 0.0, 1e-3);
    EXPECT_CLOSE(3.5848, orders.outer, 0.0, 1e-3);
    EXPECT_CLOSE(0.39828, orders.cage, 0.0, 1e-3);
    EXPECT_CLOSE(4.7135, orders.ball, 0.0, 1e-3);
}

/* Magnitude of the Fourier sum of `x` at `frequency`, by definition. */
static double fourier(const double *x, size_t count, double frequency) {
    double real = 0.0;
    double imaginary = 0.0;
    for (size_t i = 0; i < count; i++) {
        double angle = 2.0 * PI * frequency * (double)i / KD2M_BEARING_RATE;
        real += x[i] * cos(angle);
        imaginary -= x[i] * sin(angle);
    }
    return hypot(real, imaginary) / (double)count;
}

/* The squared envelope of a window, mean removed; differencing takes the shaft's slow part away. */
static double *envelope(const kd2m_bearing_condition *condition, kd2m_bearing_class kind,
                        uint64_t window) {
    float *signal = malloc(LONG * sizeof *signal);
    double *squared = calloc(LONG, sizeof *squared);
    double mean = 0.0;
    assert_non_null(signal);
    assert_non_null(squared);
    kd2m_bearing_window(condition, kind, 11, window, signal, LONG);
    for (size_t i = 1; i < LONG; i++) {
        double difference = (double)signal[i] - (double)signal[i - 1];
        squared[i] = difference * difference;
        mean += squared[i] / LONG;
    }
    for (size_t i = 0; i < LONG; i++)
        squared[i] = squared[i] / mean - 1.0;
    free(signal);
    return squared;
}

/* Where the spectrum of `x` is highest between two frequencies. */
static double peak(const double *x, double from, double to) {
    double highest = 0.0;
    double where = 0.0;
    for (double f = from; f <= to; f += 0.25) {
        double size = fourier(x, LONG, f);
        if (size > highest) {
            highest = size;
            where = f;
        }
    }
    return where;
}

static void envelopes_peak_at_the_fault_frequencies(void **state) {
    kd2m_bearing_orders orders = kd2m_bearing_kinematics();
    /* the widest band around each line that holds none of its own sidebands' harmonics */
    const struct {
        kd2m_bearing_class kind;
        double order, around;
    } cases[] = {{KD2M_BEARING_INNER_SMALL, orders.inner, 0.3},
                 {KD2M_BEARING_INNER_LARGE, orders.inner, 0.3},
                 {KD2M_BEARING_OUTER_SMALL, orders.outer, 0.6},
                 {KD2M_BEARING_OUTER_LARGE, orders.outer, 0.6},
                 {KD2M_BEARING_BALL_SMALL, orders.ball, 0.3},
                 {KD2M_BEARING_BALL_LARGE, orders.ball, 0.3}};
    const kd2m_bearing_condition conditions[] = {{1, 1772.0, 60.0}, {3, 1500.0, 60.0}};
    (void)state;
    for (size_t n = 0; n < 2; n++)
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
            double expected = cases[c].order * conditions[n].speed / 60.0;
            double *x = envelope(&conditions[n], cases[c].kind, c);
            double found =
                peak(x, expected * (1.0 - cases[c].around), expected * (1.0 + cases[c].around));
            EXPECT_CLOSE(expected, found, 0.5, 0.015); /* speed varies by 1 % */
            free(x);
        }
}

/* The load zone turns against the defect: with the shaft for the inner race, not at all for the
 * outer, with the cage for a ball. */
static void load_zone_modulates_each_fault_its_own_way(void **state) {
    const kd2m_bearing_condition condition = {1, 1772.0, 60.0};
    double shaft = 1772.0 / 60.0;
    double cage = shaft * kd2m_bearing_kinematics().cage;
    double *inner = envelope(&condition, KD2M_BEARING_INNER_LARGE, 0);
    double *outer = envelope(&condition, KD2M_BEARING_OUTER_LARGE, 1);
    double *ball = envelope(&condition, KD2M_BEARING_BALL_LARGE, 2);
    (void)state;
    EXPECT_CLOSE(shaft, peak(inner, 0.7 * shaft, 1.3 * shaft), 0.5, 0.01);
    EXPECT_CLOSE(cage, peak(ball, 0.7 * cage, 1.3 * cage), 0.5, 0.01);
    double at_shaft[] = {0.0, 0.0};
    double at_cage[] = {0.0, 0.0};
    for (double f = -0.6; f <= 0.6; f += 0.1) {
        at_shaft[0] = fmax(at_shaft[0], fourier(inner, LONG, shaft + f));
        at_shaft[1] = fmax(at_shaft[1], fourier(outer, LONG, shaft + f));
        at_cage[0] = fmax(at_cage[0], fourier(ball, LONG, cage + f));
        at_cage[1] = fmax(at_cage[1], fourier(outer, LONG, cage + f));
    }
    assert_true(at_shaft[0] > 5.0 * at_shaft[1]);
    assert_true(at_cage[0] > 5.0 * at_cage[1]);
    free(inner);
    free(outer);
    free(ball);
}

/* Mean power of windows of a kind. */
static double power(const kd2m_bearing_condition *condition, kd2m_bearing_class kind) {
    enum { WINDOWS = 400, LENGTH = 1024 };
    static float signal[LENGTH];
    double sum = 0.0;
    for (uint64_t window = 0; window < WINDOWS; window++) {
        kd2m_bearing_window(condition, kind, 3, window, signal, LENGTH);
        for (size_t i = 0; i < LENGTH; i++)
            sum += (double)signal[i] * (double)signal[i];
    }
    return sum / (WINDOWS * LENGTH);
}

static void noise_is_as_loud_as_snr_says(void **state) {
    const kd2m_bearing_condition silent = {1, 1772.0, 200.0};
    const kd2m_bearing_condition loud = {1, 1772.0, -20.0};
    double shaft = power(&silent, KD2M_BEARING_NORMAL);
    double fault = power(&silent, KD2M_BEARING_OUTER_SMALL) - shaft;
    double noise = power(&loud, KD2M_BEARING_NORMAL) - shaft;
    (void)state;
    /* the mean square of the gain, log-normal with sd 0.1, is exp(2 * 0.1^2) */
    EXPECT_CLOSE(kd2m_bearing_noise_power(&loud) * exp(0.02), noise, 0.0, 0.02);
    /* and 0.25 of strength and path, 0.15 of strikes, 0.2 of damping add theirs to the fault */
    double spread = exp(2.0 * (0.01 + 0.0625 + 0.0625 + 0.0225) + 0.02);
    EXPECT_CLOSE(spread * kd2m_bearing_noise_power(&loud), fault * 100.0, 0.0, 0.1);
}

static void faults_grow_with_size_load_and_speed(void **state) {
    const kd2m_bearing_condition nominal = {1, 1772.0, 100.0};
    const kd2m_bearing_condition heavy = {3, 1772.0, 100.0};
    const kd2m_bearing_condition slow = {1, 1200.0, 100.0};
    (void)state;
    for (int kind = KD2M_BEARING_INNER_SMALL; kind < KD2M_BEARING_CLASSES; kind += 2) {
        double shaft = power(&nominal, KD2M_BEARING_NORMAL);
        double small = power(&nominal, (kd2m_bearing_class)kind) - shaft;
        assert_true(power(&nominal, (kd2m_bearing_class)(kind + 1)) - shaft > 1.5 * small);
        assert_true(power(&heavy, (kd2m_bearing_class)kind) - shaft > 1.3 * small);
        assert_true(power(&slow, (kd2m_bearing_class)kind) - power(&slow, KD2M_BEARING_NORMAL) <
                    0.6 * small);
    }
}

static kd2m_dataset *open_by(kd2m_context *by, const char *spec) {
    kd2m_dataset *dataset = NULL;
    EXPECT_OK(by, testing_open(&dataset, by, spec, 0.0, 1));
    return dataset;
}

static uint64_t digest(const char *spec, int threads) {
    kd2m_context *by = testing_context(threads);
    kd2m_dataset *dataset = open_by(by, spec);
    kd2m_dataset_info info;
    kd2m_dataset_describe(dataset, &info);
    kd2m_dataset_free(dataset);
    kd2m_context_free(by);
    return info.digest;
}

static void windows_are_the_same_on_any_threads(void **state) {
    const char *spec = "bearing:train=20,test=9,length=256";
    uint64_t expected = digest(spec, 1);
    (void)state;
    for (int threads = 2; threads <= 5; threads++)
        assert_true(digest(spec, threads) == expected);
}

static void every_key_changes_the_data(void **state) {
    const char *const specs[] = {"bearing:train=2,test=1,length=256",
                                 "bearing:train=2,test=1,length=256,load=2",
                                 "bearing:train=2,test=1,length=256,speed=1500",
                                 "bearing:train=2,test=1,length=256,snr=10",
                                 "bearing:train=2,test=1,length=256,seed=2",
                                 "bearing:train=2,test=2,length=256",
                                 "bearing:train=3,test=1,length=256",
                                 "bearing:train=2,test=1,length=255"};
    enum { COUNT = sizeof specs / sizeof *specs };
    uint64_t digests[COUNT];
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        digests[i] = digest(specs[i], 2);
        for (size_t k = 0; k < i; k++)
            assert_true(digests[k] != digests[i]);
    }
    assert_true(digest("bearing:train=2,test=1,length=256,speed=1772", 1) == digests[0]);
}

static void describes_its_data(void **state) {
    kd2m_dataset *dataset = open_by(context, "bearing");
    kd2m_dataset_info info;
    (void)state;
    kd2m_dataset_describe(dataset, &info);
    assert_int_equal(2, info.dims);
    assert_int_equal(1, info.shape[0]);
    assert_int_equal(1024, info.shape[1]);
    assert_int_equal(7, info.classes);
    assert_int_equal(2800, info.rows[KD2M_TRAIN]);
    assert_int_equal(1400, info.rows[KD2M_TEST]);
    int32_t *labels = malloc(1400 * sizeof *labels);
    size_t counts[7] = {0};
    EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TEST, 0, 1400, NULL, labels));
    for (size_t i = 0; i < 1400; i++)
        counts[labels[i]]++;
    for (size_t c = 0; c < 7; c++)
        assert_int_equal(200, counts[c]);
    free(labels);
    kd2m_dataset_free(dataset);
}

/* Window i of a part under two loads is what it is under one of them, and says which. */
static void loads_take_turns(void **state) {
    enum { LENGTH = 64, COUNT = 5 * 7 };
    kd2m_dataset *both = open_by(context, "bearing:load=\"1,3\",train=5,test=1,length=64");
    kd2m_dataset *alone[] = {open_by(context, "bearing:load=1,train=5,test=1,length=64"),
                             open_by(context, "bearing:load=3,train=5,test=1,length=64")};
    static const char *const loads[] = {"1", "3"}, *const speeds[] = {"1772", "1730"};
    kd2m_column_info load, speed;
    (void)state;
    EXPECT_OK(context, kd2m_dataset_column(both, 0, &load));
    EXPECT_OK(context, kd2m_dataset_column(both, 1, &speed));
    assert_string_equal("load", load.name);
    assert_string_equal("speed", speed.name);
    for (size_t i = 0; i < COUNT; i++) {
        float found[LENGTH], expected[LENGTH];
        int32_t labels[2], codes[2];
        size_t turn = i / 7 % 2;
        EXPECT_OK(context, kd2m_dataset_read(both, KD2M_TRAIN, i, 1, found, &labels[0]));
        EXPECT_OK(context, kd2m_dataset_read(alone[turn], KD2M_TRAIN, i, 1, expected, &labels[1]));
        assert_memory_equal(expected, found, sizeof found);
        assert_int_equal(labels[1], labels[0]);
        EXPECT_OK(context, kd2m_dataset_read_codes(both, KD2M_TRAIN, 0, i, 1, &codes[0]));
        EXPECT_OK(context, kd2m_dataset_read_codes(both, KD2M_TRAIN, 1, i, 1, &codes[1]));
        assert_string_equal(loads[turn], load.texts[codes[0]]);
        assert_string_equal(speeds[turn], speed.texts[codes[1]]);
    }
    kd2m_dataset_free(alone[1]);
    kd2m_dataset_free(alone[0]);
    kd2m_dataset_free(both);
}

/* More windows go on where fewer ended; training and test windows are never the same. */
static void windows_have_numbers_of_their_own(void **state) {
    enum { LENGTH = 64 };
    kd2m_dataset *few = open_by(context, "bearing:train=2,test=2,length=64");
    kd2m_dataset *many = open_by(context, "bearing:train=4,test=2,length=64");
    static float a[14 * LENGTH], b[14 * LENGTH];
    (void)state;
    EXPECT_OK(context, kd2m_dataset_read(few, KD2M_TRAIN, 0, 14, a, NULL));
    EXPECT_OK(context, kd2m_dataset_read(many, KD2M_TRAIN, 0, 14, b, NULL));
    assert_memory_equal(a, b, sizeof a);
    EXPECT_OK(context, kd2m_dataset_read(few, KD2M_TEST, 0, 14, b, NULL));
    for (size_t i = 0; i < 14; i++)
        assert_memory_not_equal(a + i * LENGTH, b + i * LENGTH, LENGTH * sizeof *a);
    kd2m_dataset_free(few);
    kd2m_dataset_free(many);
}

static void extremes_stay_finite(void **state) {
    const kd2m_bearing_condition conditions[] = {{0, 20000.0, -60.0},
                                                 {3, 20000.0, 200.0},
                                                 {3, 1e-3, 0.0},
                                                 {0, 4.9e-324, 0.0},
                                                 {1, 1772.0, 200.0}};
    float signal[64];
    (void)state;
    for (size_t n = 0; n < sizeof conditions / sizeof *conditions; n++)
        for (int kind = 0; kind < KD2M_BEARING_CLASSES; kind++) {
            kd2m_bearing_window(&conditions[n], (kd2m_bearing_class)kind, 1, 4294967295U, signal,
                                64);
            for (size_t i = 0; i < 64; i++)
                assert_true(isfinite(signal[i]));
        }
}

static void refuses_what_no_machine_does(void **state) {
    static const struct {
        const char *spec, *message;
    } cases[] = {{"bearing:load=4", "load: numbers go from 0 to 3"},
                 {"bearing:load=-1", "load: a number is expected"},
                 {"bearing:load=0-", "load: a number is expected"},
                 {"bearing:speed=-1", "speed"},
                 {"bearing:snr=nan", "snr"},
                 {"bearing:length=63", "length"},
                 {"bearing:lod=1", "load"},
                 {"bearing:train=0,test=0", "no data"},
                 {"bearing:5", ""}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_dataset *dataset = NULL;
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      testing_open(&dataset, context, cases[c].spec, 0.0, 1));
        EXPECT_MESSAGE(context, cases[c].message);
        assert_null(dataset);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_those_of_the_maker),
        cmocka_unit_test(envelopes_peak_at_the_fault_frequencies),
        cmocka_unit_test(load_zone_modulates_each_fault_its_own_way),
        cmocka_unit_test(noise_is_as_loud_as_snr_says),
        cmocka_unit_test(faults_grow_with_size_load_and_speed),
        cmocka_unit_test(windows_are_the_same_on_any_threads),
        cmocka_unit_test(every_key_changes_the_data),
        cmocka_unit_test(describes_its_data),
        cmocka_unit_test(loads_take_turns),
        cmocka_unit_test(windows_have_numbers_of_their_own),
        cmocka_unit_test(extremes_stay_finite),
        cmocka_unit_test(refuses_what_no_machine_does),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
