/* Corruptions against NumPy, SciPy and Pillow; what severity, seed, place and range do. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corruption.h"
#include "kd2m/array.h"
#include "kd2m/transform.h"
#include "testing.h"

static kd2m_context *context;

static const struct {
    const char *name;
    size_t dims;
} kinds[] = {
    {"gaussian-noise", 3}, {"shot-noise", 3},  {"impulse-noise", 3},
    {"defocus-blur", 3},   {"motion-blur", 3}, {"pixelate", 3},
    {"brightness", 3},     {"contrast", 3},    {"fog", 3},
    {"jpeg", 3},           {"gain", 2},        {"offset", 2},
    {"noise", 2},          {"time-warp", 2},   {"dropped", 2},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static kd2m_chain *chain_for(kd2m_context *mine, const char *text, size_t dims,
                             const size_t *shape) {
    kd2m_chain *chain = NULL;
    EXPECT_OK(mine, kd2m_chain_open(&chain, mine, text, dims, shape));
    return chain;
}

/* `rows` samples through 'corrupt:kind=..,severity=..' and `more`. */
static void corrupt(size_t kind, int severity, const char *more, const size_t *shape, size_t rows,
                    const float *values, float *out) {
    char text[128];
    snprintf(text, sizeof text, "corrupt:kind=%s,severity=%d%s", kinds[kind].name, severity, more);
    kd2m_chain *chain = chain_for(context, text, kinds[kind].dims, shape);
    EXPECT_OK(context, kd2m_chain_apply(chain, values, rows, out));
    kd2m_chain_free(chain);
}

/* JPEG's bytes, too: one that differs is 4e-3 off. */
static void kinds_are_their_formulas(void **state) {
    const size_t image[] = {3, 9, 12}, signal[] = {2, 33};
    float values[3 * 9 * 12], out[3 * 9 * 12];
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        bool is_image = kinds[kind].dims == 3;
        size_t size = is_image ? 3 * 9 * 12 : 2 * 33;
        kd2m_array golden;
        char path[512];
        for (size_t i = 0; i < size; i++)
            values[i] = is_image ? (testing_hashed(i, testing_stream("image")) + 1) / 2
                                 : testing_hashed(i, testing_stream("signal")) + 0.5F;
        snprintf(path, sizeof path, KD2M_TEST_SOURCE "/golden/corruption/%s.npy", kinds[kind].name);
        EXPECT_OK(context, kd2m_array_read(&golden, context, path));
        assert_int_equal(KD2M_SEVERITIES * size, golden.count);
        for (size_t k = 0; k < KD2M_SEVERITIES; k++) {
            corrupt(kind, (int)k + 1, ",seed=7", is_image ? image : signal, 1, values, out);
            for (size_t i = 0; i < size; i++)
                EXPECT_CLOSE((double)((const float *)golden.values)[k * size + i], (double)out[i],
                             2e-6, 2e-6);
        }
        kd2m_array_clear(context, &golden);
    }
}

enum { ROWS = 60, CHANNELS = 3, SIDE = 32, IMAGE = CHANNELS * SIDE * SIDE };

static const size_t image_shape[] = {CHANNELS, SIDE, SIDE};
static const size_t signal_shape[] = {CHANNELS, SIDE *SIDE}; /* as many values */

static const size_t *shape_of(size_t kind) {
    return kinds[kind].dims == 3 ? image_shape : signal_shape;
}

/* Waves of several lengths in 0.1..0.9, others in each sample. */
static float *make_samples(void) {
    float *values = malloc((size_t)ROWS * IMAGE * sizeof *values);
    for (size_t i = 0; i < (size_t)ROWS * IMAGE; i++) {
        double row = (double)(i / IMAGE), x = (double)(i % SIDE), y = (double)(i / SIDE % SIDE);
        double wave = sin((0.1 + 0.02 * row) * x + row) + cos(0.9 * y + 0.2 * x - row);
        values[i] = (float)(0.5 + 0.2 * wave * cos((double)(i / SIDE / SIDE % CHANNELS)));
    }
    return values;
}

static double distance(const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < (size_t)ROWS * IMAGE; i++)
        sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum / ((double)ROWS * IMAGE));
}

/* Up to a thousandth: of the published motions the third and the fourth hardly differ. */
static void severity_leads_farther_from_the_clean_sample(void **state) {
    float *values = make_samples(), *out = malloc((size_t)ROWS * IMAGE * sizeof *out);
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        double distances[KD2M_SEVERITIES];
        for (int k = 0; k < KD2M_SEVERITIES; k++) {
            corrupt(kind, k + 1, "", shape_of(kind), ROWS, values, out);
            distances[k] = distance(values, out);
            if (k > 0 && !(distances[k] > 0.999 * distances[k - 1]))
                fail_msg("%s: %g at severity %d, %g before", kinds[kind].name, distances[k], k + 1,
                         distances[k - 1]);
        }
        if (!(distances[0] > 0 && distances[4] > 1.05 * distances[0]))
            fail_msg("%s: %g at severity 1, %g at 5", kinds[kind].name, distances[0], distances[4]);
    }
    free(values);
    free(out);
}

/* What is drawn: whether a seed matters to a kind. */
static bool is_random(size_t kind) {
    static const char *const fixed[] = {"defocus-blur", "pixelate", "brightness", "contrast",
                                        "jpeg"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(fixed[i], kinds[kind].name) == 0)
            return false;
    return true;
}

static void place_and_threads_change_nothing_but_the_seed_does(void **state) {
    size_t bytes = (size_t)ROWS * IMAGE * sizeof(float);
    float *values = make_samples(), *turned = malloc(bytes), *out = malloc(bytes);
    float *again = malloc(bytes);
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        memcpy(turned + i * IMAGE, values + (ROWS - 1 - i) * IMAGE, IMAGE * sizeof *values);
    for (size_t kind = 0; kind < KINDS; kind++) {
        char text[64];
        kd2m_context *parallel = testing_context(3);
        corrupt(kind, 4, ",seed=1", shape_of(kind), ROWS, values, out);
        snprintf(text, sizeof text, "corrupt:%s,severity=4,seed=1", kinds[kind].name);
        kd2m_chain *chain = chain_for(parallel, text, kinds[kind].dims, shape_of(kind));
        EXPECT_OK(parallel, kd2m_chain_apply(chain, turned, ROWS, again));
        kd2m_chain_free(chain);
        kd2m_context_free(parallel);
        for (size_t i = 0; i < ROWS; i++)
            assert_memory_equal(out + i * IMAGE, again + (ROWS - 1 - i) * IMAGE,
                                IMAGE * sizeof *out);
        corrupt(kind, 4, ",seed=2", shape_of(kind), ROWS, values, again);
        assert_int_equal(is_random(kind), memcmp(out, again, bytes) != 0);
    }
    free(values);
    free(turned);
    free(out);
    free(again);
}

static void images_have_a_range(void **state) {
    size_t count = (size_t)ROWS * IMAGE, bad = 37 * IMAGE + 5;
    float *values = make_samples(), *wide = malloc(count * sizeof *wide);
    float *out = malloc(count * sizeof *out), *other = malloc(count * sizeof *other);
    kd2m_context *parallel = testing_context(3);
    (void)state;
    for (size_t i = 0; i < count; i++)
        wide[i] = 200 * values[i] - 100;
    corrupt(7, 5, "", image_shape, ROWS, values, out);
    corrupt(7, 5, ",low=-100,high=100", image_shape, ROWS, wide, other);
    for (size_t i = 0; i < count; i++)
        EXPECT_CLOSE(200 * (double)out[i] - 100, (double)other[i], 1e-4, 0);
    kd2m_chain *chain = chain_for(parallel, "resize:32+corrupt:fog", 3, image_shape);
    values[bad] = 1.5F;
    values[bad + 10 * IMAGE] = -1;
    EXPECT_STATUS(parallel, KD2M_ERROR_INPUT, kd2m_chain_apply(chain, values, ROWS, out));
    EXPECT_MESSAGE(parallel, "transform corrupt: row 37 (from 0): values of an image beyond");
    EXPECT_MESSAGE(parallel, "low=0,high=255");
    values[bad] = 1.0001F; /* a rounding of white */
    values[bad + 10 * IMAGE] = 0;
    EXPECT_OK(parallel, kd2m_chain_apply(chain, values, ROWS, out));
    for (size_t i = 0; i < count; i++)
        assert_true(out[i] >= 0 && out[i] <= 1);
    kd2m_chain_free(chain);
    kd2m_context_free(parallel);
    free(values);
    free(wide);
    free(out);
    free(other);
}

static bool takes(size_t kind, const size_t *shape) {
    return strcmp(kinds[kind].name, "jpeg") != 0 || shape[0] == 1 || shape[0] == 3;
}

/* Black, white and constant samples of every odd shape stay finite, and images in their range. */
static void small_and_constant_samples_are_survived(void **state) {
    static const size_t shapes[][3] = {{1, 1, 1}, {2, 1, 3},  {1, 5, 1},
                                       {4, 2, 2}, {1, 17, 3}, {3, 3, 5}};
    float values[64], out[64];
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int severity = 1; takes(kind, shapes[s]) && severity <= KD2M_SEVERITIES;
                 severity++)
                for (int level = 0; level <= 2; level++) {
                    const size_t *shape = shapes[s];
                    size_t size = shape[0] * shape[1] * (kinds[kind].dims == 3 ? shape[2] : 1);
                    for (size_t i = 0; i < size; i++)
                        values[i] = (float)level / 2;
                    corrupt(kind, severity, "", shape, 1, values, out);
                    for (size_t i = 0; i < size && kinds[kind].dims == 3; i++)
                        assert_true(out[i] >= 0 && out[i] <= 1);
                }
}

#ifdef FAIL_MALLOC
static long until_failure = -1; /* calls of malloc before the one that fails; -1: none does */

extern void *__libc_malloc(size_t size);

__attribute__((visibility("default"))) void *malloc(size_t size) {
    return until_failure >= 0 && until_failure-- == 0 ? NULL : __libc_malloc(size);
}

/* libjpeg's own answer would be to print and to end the process. */
static void what_libjpeg_lacks_memory_for_is_refused(void **state) {
    float *values = make_samples(), *out = malloc(IMAGE * sizeof *out);
    kd2m_chain *chain = chain_for(context, "corrupt:jpeg", 3, image_shape);
    long failures = 0, left = -1;
    (void)state;
    for (long k = 0; left < 0; k++) {
        until_failure = k;
        kd2m_status status = kd2m_chain_apply(chain, values, 1, out);
        left = until_failure;
        until_failure = -1;
        if (status != KD2M_OK) {
            EXPECT_MESSAGE(context, "row 0 (from 0): libjpeg could not code the image");
            failures++;
        }
    }
    assert_true(failures > 0);
    EXPECT_OK(context, kd2m_chain_apply(chain, values, 1, out));
    kd2m_chain_free(chain);
    free(values);
    free(out);
}
#endif

static void refuse(const char *text, size_t dims, const size_t *shape, kd2m_status expected,
                   const char *message) {
    kd2m_chain *chain = NULL;
    EXPECT_STATUS(context, expected, kd2m_chain_open(&chain, context, text, dims, shape));
    EXPECT_MESSAGE(context, message);
    assert_null(chain);
}

static void what_does_not_fit_is_refused(void **state) {
    const size_t image[] = {3, 8, 8}, signal[] = {2, 8}, broad[] = {1, 1, 4097}, pair[] = {2, 8, 8};
    static const char *const severities[] = {"corrupt:fog,severity=0", "corrupt:fog,severity=6",
                                             "corrupt:fog,severity=-1", "corrupt:fog,severity=2.5",
                                             "corrupt:fog,severity=nan"};
    (void)state;
    refuse("corrupt", 3, image, KD2M_ERROR_USAGE, "kind=KIND is needed");
    refuse("corrupt:severity=1", 3, image, KD2M_ERROR_USAGE, "kind=KIND is needed");
    refuse("corrupt:kind=", 3, image, KD2M_ERROR_USAGE, "kind");
    refuse("corrupt:gausian-noise", 3, image, KD2M_ERROR_USAGE, "(did you mean 'gaussian-noise'?)");
    refuse("corrupt:quux", 3, image, KD2M_ERROR_USAGE, "'kd2m data --transforms' lists them all");
    for (size_t i = 0; i < sizeof severities / sizeof *severities; i++)
        refuse(severities[i], 3, image, KD2M_ERROR_USAGE, "severity takes a whole number from 1");
    refuse("corrupt:fog,seed=-1", 3, image, KD2M_ERROR_USAGE, "seed");
    refuse("corrupt:fog,low=1", 3, image, KD2M_ERROR_USAGE, "low=1 is not below high=1");
    refuse("corrupt:fog,high=1e9", 3, image, KD2M_ERROR_USAGE, "high");
    refuse("corrupt:fog", 2, signal, KD2M_ERROR_INPUT,
           "'fog' is for images, channels x height x width, not for samples of 2 x 8; for these "
           "there are gain, offset, noise, time-warp, dropped");
    refuse("corrupt:dropped", 3, image, KD2M_ERROR_INPUT,
           "'dropped' is for signals, channels x length, not for samples of 3 x 8 x 8; for these "
           "there are gaussian-noise, shot-noise");
    refuse("corrupt:jpeg", 3, pair, KD2M_ERROR_INPUT,
           "'jpeg' is for images of 1 or 3 channels (grey, colour), not of 2");
    refuse("corrupt:gain", 1, signal, KD2M_ERROR_INPUT, "no kind is for tables");
    refuse("corrupt:fog", 3, broad, KD2M_ERROR_INPUT, "up to 4096 pixels a side");
}

static void the_table_lists_kinds_and_severities(void **state) {
    kd2m_table *table = NULL;
    char *text = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_transform_table(&table, context));
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    for (size_t kind = 0; kind < KINDS; kind++)
        assert_non_null(strstr(text, kinds[kind].name));
    assert_non_null(strstr(text, "500, 250, 100, 75, 50"));
    assert_non_null(strstr(text, "0.3;0.4, 0.4;0.5"));
    kd2m_text_free(context, text);
    kd2m_table_free(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_their_formulas),
        cmocka_unit_test(severity_leads_farther_from_the_clean_sample),
        cmocka_unit_test(place_and_threads_change_nothing_but_the_seed_does),
        cmocka_unit_test(images_have_a_range),
        cmocka_unit_test(small_and_constant_samples_are_survived),
#ifdef FAIL_MALLOC
        cmocka_unit_test(what_libjpeg_lacks_memory_for_is_refused),
#endif
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(the_table_lists_kinds_and_severities),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
