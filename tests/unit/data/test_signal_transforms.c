/* Transforms of signals against brute force and closed forms: spectra, envelopes, resampling. */
#include <math.h>
#include <string.h>

#include "kd2m/transform.h"
#include "rng.h"
#include "testing.h"

#define PI 3.14159265358979323846

enum { LONGEST = 2048 };

static kd2m_context *context;

/* One channel of `length` values through a chain; returns how many come out. */
static size_t transform(const char *text, size_t length, const float *values, float *out) {
    const size_t shape[] = {1, length};
    kd2m_chain *chain = NULL;
    kd2m_chain_info info;
    EXPECT_OK(context, kd2m_chain_open(&chain, context, text, 2, shape));
    kd2m_chain_describe(chain, &info);
    assert_true(info.sample_size <= LONGEST && info.dims == 2 && info.shape[0] == 1);
    EXPECT_OK(context, kd2m_chain_apply(chain, values, 1, out));
    kd2m_chain_free(chain);
    return info.sample_size;
}

static void fill_noise(float *values, size_t length) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, 3, KD2M_STREAM_TEST, (uint64_t)length);
    for (size_t i = 0; i < length; i++)
        values[i] = (float)kd2m_rng_normal(&rng);
}

/* |sum_n x_n exp(-2 pi i k n / N)| by its definition. */
static double amplitude(const double *x, size_t length, size_t k) {
    double real = 0, imaginary = 0;
    for (size_t n = 0; n < length; n++) {
        double angle = 2 * PI * (double)(k * n % length) / (double)length;
        real += x[n] * cos(angle);
        imaginary -= x[n] * sin(angle);
    }
    return sqrt(real * real + imaginary * imaginary);
}

static const size_t lengths[] = {2, 3, 4, 15, 16, 49, 60, 101, 128};

static void log_spectrum_is_its_definition(void **state) {
    float values[128], out[LONGEST];
    double weighted[128];
    (void)state;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int hann = 0; hann < 2; hann++) {
            size_t length = lengths[l];
            double sum = 0;
            fill_noise(values, length);
            for (size_t i = 0; i < length; i++) {
                double angle = 2 * PI * (double)i / (double)length;
                double weight = hann ? 0.5 - 0.5 * cos(angle) : 1;
                weighted[i] = weight * (double)values[i];
                sum += weight;
            }
            const char *text =
                hann ? "log-spectrum:eps=0.001" : "log-spectrum:window=none,eps=0.001";
            assert_int_equal(length / 2 + 1, transform(text, length, values, out));
            for (size_t k = 0; k <= length / 2; k++) {
                double sides = k == 0 || 2 * k == length ? 1 : 2;
                double power = sides * pow(amplitude(weighted, length, k) / sum, 2);
                EXPECT_CLOSE(10 * log10(power + 0.001), (double)out[k], 1e-4, 0);
            }
        }
}

static void a_sinusoid_has_half_its_squared_amplitude(void **state) {
    enum { LENGTH = 1024, BIN = 100 };
    float values[LENGTH], out[LONGEST];
    (void)state;
    for (size_t i = 0; i < LENGTH; i++)
        values[i] = (float)(3 * sin(2 * PI * BIN * (double)i / LENGTH + 0.7));
    transform("log-spectrum", LENGTH, values, out);
    for (size_t k = 0; k <= LENGTH / 2; k++)
        if (k == BIN)
            EXPECT_CLOSE(10 * log10(4.5), (double)out[k], 1e-3, 0);
        else if (k + 1 == BIN || k == BIN + 1) /* Hann's side lines: 1/2 of the amplitude */
            EXPECT_CLOSE(10 * log10(4.5 / 4), (double)out[k], 1e-3, 0);
        else
            assert_true(out[k] < -100.0F);
    memset(values, 0, sizeof values);
    transform("log-spectrum", LENGTH, values, out);
    EXPECT_CLOSE(-120, (double)out[7], 1e-4, 0);
}

/* The envelope by its definition, all of the band. */
static void envelope_is_its_definition(void **state) {
    float values[128], out[LONGEST];
    (void)state;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        size_t length = lengths[l];
        fill_noise(values, length);
        assert_int_equal(length, transform("envelope", length, values, out));
        for (size_t n = 0; n < length; n++) {
            double real = 0, imaginary = 0;
            for (size_t k = 1; 2 * k <= length; k++)
                for (size_t m = 0; m < length; m++) {
                    double angle =
                        2 * PI * (double)(k * (n + length - m) % length) / (double)length;
                    double factor = (2 * k == length ? 1.0 : 2.0) / (double)length;
                    real += factor * (double)values[m] * cos(angle);
                    imaginary += factor * (double)values[m] * sin(angle);
                }
            EXPECT_CLOSE(hypot(real, imaginary), (double)out[n], 2e-5, 0);
        }
    }
}

enum { AM_LENGTH = 1200, CARRIER = 300, MODULATION = 17 };

static void fill_modulated(float *values) {
    for (size_t i = 0; i < AM_LENGTH; i++) {
        double t = (double)i / AM_LENGTH;
        double swell = 2 * (1 + 0.4 * cos(2 * PI * MODULATION * t));
        values[i] = (float)(5 + swell * sin(2 * PI * CARRIER * t));
    }
}

static void the_envelope_of_a_swelling_tone_is_its_swell(void **state) {
    float values[AM_LENGTH], out[LONGEST];
    (void)state;
    fill_modulated(values);
    transform("envelope", AM_LENGTH, values, out);
    for (size_t i = 0; i < AM_LENGTH; i++)
        EXPECT_CLOSE(2 * (1 + 0.4 * cos(2 * PI * MODULATION * (double)i / AM_LENGTH)),
                     (double)out[i], 1e-5, 0);
}

static void the_envelope_spectrum_shows_the_modulation(void **state) {
    float values[AM_LENGTH], out[LONGEST];
    (void)state;
    fill_modulated(values);
    assert_int_equal(AM_LENGTH / 2 + 1, transform("envelope-spectrum", AM_LENGTH, values, out));
    for (size_t k = 0; k <= AM_LENGTH / 2; k++)
        EXPECT_CLOSE(k == MODULATION ? 0.8 : 0, (double)out[k], 1e-5, 0);
    /* a louder tone elsewhere hides it, and its band leaves that tone out */
    for (size_t i = 0; i < AM_LENGTH; i++)
        values[i] += (float)(20 * sin(2 * PI * 100 * (double)i / AM_LENGTH));
    transform("envelope-spectrum", AM_LENGTH, values, out);
    assert_true(fabsf(out[200]) > 1.0F); /* they beat at the difference */
    transform("envelope-spectrum:low=0.2,high=0.3", AM_LENGTH, values, out);
    for (size_t k = 0; k <= AM_LENGTH / 2; k++)
        EXPECT_CLOSE(k == MODULATION ? 0.8 : 0, (double)out[k], 1e-4, 0);
}

/* Every spectrum bin of an odd and an even length, Nyquist's included. */
static void the_envelope_spectrum_is_its_definition(void **state) {
    float values[128], envelope[LONGEST], out[LONGEST];
    double centred[128];
    (void)state;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        size_t length = lengths[l];
        double sum = 0;
        fill_noise(values, length);
        transform("envelope", length, values, envelope);
        for (size_t i = 0; i < length; i++)
            sum += (double)envelope[i];
        for (size_t i = 0; i < length; i++)
            centred[i] = (double)envelope[i] - sum / (double)length;
        transform("envelope-spectrum", length, values, out);
        for (size_t k = 0; k <= length / 2; k++)
            EXPECT_CLOSE((2 * k == length ? 1 : 2) * amplitude(centred, length, k) / (double)length,
                         (double)out[k], 1e-5, 0);
    }
}

/* A sine far below both rates comes out as that sine on the new grid. */
static void resampling_keeps_slow_sines(void **state) {
    static const struct {
        const char *text;
        size_t from, to;
        double step; /* from / to: places of the result's values */
    } cases[] = {
        {"resample:to=512", 1024, 512, 2},
        {"resample:512", 300, 512, 300.0 / 512},
        {"resample:to=1000", 1024, 1000, 1.024},
        {"resample:from=12000,to=6000", 1024, 512, 2},
        {"resample:from=12000,to=48000", 250, 1000, 0.25},
        {"resample:from=48000,to=12000", 1023, 255, 4},
        {"resample:from=44100,to=48000", 1000, 1088, 441.0 / 480},
        {"resample:to=16", 2048, 16, 128},
        {"resample:to=2000", 100, 2000, 1.0 / 20},
        {"resample:from=50,to=50", 700, 700, 1},
    };
    static float values[LONGEST], out[LONGEST];
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double wave = 2 * PI / (double)(cases[k].from - 1); /* its ends are 0, points of symmetry */
        for (size_t i = 0; i < cases[k].from; i++)
            values[i] = (float)sin(wave * (double)i);
        assert_int_equal(cases[k].to, transform(cases[k].text, cases[k].from, values, out));
        for (size_t i = 0; i < cases[k].to; i++) {
            double place = (double)i * cases[k].step;
            if (place <= (double)(cases[k].from - 1)) /* behind it there is no signal */
                EXPECT_CLOSE(sin(wave * place), (double)out[i], 1e-3, 0);
        }
    }
}

static void resampling_keeps_lines_and_drops_what_would_alias(void **state) {
    static float values[1024], out[LONGEST];
    (void)state;
    for (size_t i = 0; i < 1024; i++)
        values[i] = 100.0F + 0.5F * (float)i;
    transform("resample:to=341", 1024, values, out);
    for (size_t i = 0; i < 341; i++)
        EXPECT_CLOSE(100 + 0.5 * (double)i * 1024 / 341, (double)out[i], 2e-3, 0);
    for (size_t i = 0; i < 1024; i++)
        values[i] = (float)sin(2 * PI * 0.4 * (double)i);
    transform("resample:to=512", 1024, values, out);
    for (size_t i = 50; i < 462; i++)
        EXPECT_CLOSE(0, (double)out[i], 1e-4, 0);
}

static void refuse(const char *text, size_t length, kd2m_status expected, const char *message) {
    const size_t shape[] = {1, length};
    kd2m_chain *chain = NULL;
    EXPECT_STATUS(context, expected, kd2m_chain_open(&chain, context, text, 2, shape));
    EXPECT_MESSAGE(context, message);
    assert_null(chain);
}

static void refuses_what_has_no_meaning(void **state) {
    (void)state;
    refuse("resample", 8, KD2M_ERROR_USAGE, "transform resample: to=LENGTH, or from=HZ,to=HZ");
    refuse("resample:from=100", 8, KD2M_ERROR_USAGE, "to=LENGTH, or from=HZ,to=HZ");
    refuse("resample:to=3000", 8, KD2M_ERROR_USAGE, "from 1 to 375 is more than 256 times");
    refuse("resample:from=100,to=10", 8, KD2M_ERROR_INPUT, "nothing is left of signals of 8");
    refuse("resample:to=-1", 8, KD2M_ERROR_USAGE, "to takes a whole number from 0 to 1000000");
    refuse("envelope:low=0.3,high=0.3", 8, KD2M_ERROR_USAGE, "low=0.3 must be below high=0.3");
    refuse("envelope-spectrum:low=0.6", 8, KD2M_ERROR_USAGE, "low takes a number from 0 to 0.5");
    refuse("log-spectrum:eps=0", 8, KD2M_ERROR_USAGE, "eps takes a number");
    refuse("log-spectrum:window=flat", 8, KD2M_ERROR_USAGE, "window takes one of hann|none");
    refuse("log-spectrum", 1, KD2M_ERROR_INPUT, "signals of 2 values or more");
    refuse("envelope-spectrum+resize:to=4", 8, KD2M_ERROR_INPUT, "resize: takes images");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_spectrum_is_its_definition),
        cmocka_unit_test(a_sinusoid_has_half_its_squared_amplitude),
        cmocka_unit_test(envelope_is_its_definition),
        cmocka_unit_test(the_envelope_of_a_swelling_tone_is_its_swell),
        cmocka_unit_test(the_envelope_spectrum_shows_the_modulation),
        cmocka_unit_test(the_envelope_spectrum_is_its_definition),
        cmocka_unit_test(resampling_keeps_slow_sines),
        cmocka_unit_test(resampling_keeps_lines_and_drops_what_would_alias),
        cmocka_unit_test(refuses_what_has_no_meaning),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
