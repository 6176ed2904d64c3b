/* Transforms of samples: chains and their texts, images, what is refused, memory. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd2m/array.h"
#include "kd2m/transform.h"
#include "rng.h"
#include "testing.h"

static kd2m_context *context;

/* A chain for samples of c x h x w (h = 0: signals, c x w). */
static kd2m_chain *chain_for(const char *text, size_t c, size_t h, size_t w) {
    const size_t image[] = {c, h, w}, signal[] = {c, w};
    kd2m_chain *chain = NULL;
    EXPECT_OK(context, kd2m_chain_open(&chain, context, text, h ? 3 : 2, h ? image : signal));
    return chain;
}

/* One sample through a chain that is made for it; returns how many values come out. */
static size_t transform(const char *text, size_t c, size_t h, size_t w, const float *values,
                        float *out) {
    kd2m_chain *chain = chain_for(text, c, h, w);
    kd2m_chain_info info;
    kd2m_chain_describe(chain, &info);
    EXPECT_OK(context, kd2m_chain_apply(chain, values, 1, out));
    kd2m_chain_free(chain);
    return info.sample_size;
}

static void fill_image(float image[70]) {
    for (int i = 0; i < 70; i++)
        image[i] = (float)(37 * i % 101) / 101.0F;
}

static void chains_have_one_plain_form(void **state) {
    const struct {
        const char *given, *plain;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"  ", ""},
        {"detrend", "detrend"},
        {" detrend : order=0 +  standardise ", "detrend:order=0+standardise"},
        {"detrend:\"0\"", "detrend:0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kd2m_chain *chain = chain_for(cases[i].given, 1, 0, 8);
        kd2m_chain_info info;
        kd2m_chain_describe(chain, &info);
        assert_string_equal(cases[i].plain, info.text);
        assert_int_equal(8, info.sample_size);
        kd2m_chain_free(chain);
    }
}

static void refuse(const char *text, size_t dims, kd2m_status expected, const char *message) {
    const size_t shape[] = {2, 8, 8};
    kd2m_chain *chain = NULL;
    EXPECT_STATUS(context, expected, kd2m_chain_open(&chain, context, text, dims, shape));
    EXPECT_MESSAGE(context, message);
    assert_null(chain);
}

static void refuses_what_does_not_fit(void **state) {
    char many[400] = "detrend";
    (void)state;
    refuse("detrnd", 2, KD2M_ERROR_USAGE, "unknown transform 'detrnd' (did you mean 'detrend'?)");
    refuse("quux", 2, KD2M_ERROR_USAGE, "kd2m data --transforms");
    refuse("detrend(standardise)", 2, KD2M_ERROR_USAGE, "takes nothing in brackets");
    refuse("detrend+", 2, KD2M_ERROR_USAGE, "a name is missing at position 9");
    refuse("+detrend", 2, KD2M_ERROR_USAGE, "a name is missing at position 1");
    refuse("detrend standardise", 2, KD2M_ERROR_USAGE, "'+' or the end is expected at position 9");
    refuse("detrend:order=2", 2, KD2M_ERROR_USAGE, "order takes a whole number from 0 to 1");
    refuse("detrend:ordr=1", 2, KD2M_ERROR_USAGE, "order");
    refuse("standardise:to=3", 2, KD2M_ERROR_USAGE, "standardise");
    for (int i = 0; i < 40; i++)
        strcat(many, "+detrend");
    refuse(many, 2, KD2M_ERROR_USAGE, "more than 32 steps");
    refuse("detrend", 1, KD2M_ERROR_INPUT,
           "transform detrend: takes signals, channels x length, "
           "not samples of 2 columns (npy: as=signal)");
    refuse("detrend", 3, KD2M_ERROR_INPUT, "not samples of 2 x 8 x 8");
    refuse("standardise", 1, KD2M_ERROR_INPUT, "standardise");
    refuse("resize:to=4", 2, KD2M_ERROR_INPUT, "transform resize: takes images");
    refuse("channels:to=1", 2, KD2M_ERROR_INPUT, "transform channels: takes images");
    refuse("channels:to=1", 3, KD2M_ERROR_INPUT, "images of 1 or 3 channels, not 2");
    refuse("channels:to=2", 3, KD2M_ERROR_USAGE, "to takes one of 1|3");
    static const char *const sides[] = {"resize",       "resize:to=0",     "resize:to=16777217",
                                        "resize:to=-3", "resize:to=4x",    "resize:to=x4",
                                        "resize:to=4y", "resize:to=4x4x4", "resize:to=9999999999"};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        refuse(sides[i], 3, KD2M_ERROR_USAGE, "sides of 1..16777216 is needed");
    refuse("crop", 2, KD2M_ERROR_USAGE, "transform crop: to=N or to=HxW");
    refuse("crop:to=4x3", 2, KD2M_ERROR_USAGE, "a signal has one length, to=N, not to=4x3");
    refuse("crop:to=4", 1, KD2M_ERROR_INPUT, "transform crop: takes signals");
    refuse("crop:to=8192", 3, KD2M_ERROR_INPUT, "crop: more than 67108864 values of a sample");
    refuse("resize:to=8192", 3, KD2M_ERROR_INPUT, "resize: more than 67108864 values of a sample");
    refuse("resample:to=1000+resample:from=1,to=250+resample:from=1,to=250", 2, KD2M_ERROR_INPUT,
           "resample: more than 67108864 values of a sample");
    refuse("detrend", 0, KD2M_ERROR_USAGE, "1 to 3 dimensions, not 0");
    refuse("detrend", 4, KD2M_ERROR_USAGE, "1 to 3 dimensions, not 4");
}

static void no_steps_change_nothing(void **state) {
    float image[70], out[70];
    (void)state;
    fill_image(image);
    assert_int_equal(70, transform("", 2, 5, 7, image, out));
    assert_memory_equal(image, out, sizeof image);
}

static void resizes_as_pytorch_does(void **state) {
    static const char *const sizes[] = {"9x11", "3x2", "5x14", "1x1"};
    float image[70], out[200];
    (void)state;
    fill_image(image);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char path[512], text[32];
        kd2m_array golden;
        snprintf(path, sizeof path, KD2M_TEST_SOURCE "/golden/transform/resize-%s.npy", sizes[i]);
        EXPECT_OK(context, kd2m_array_read(&golden, context, path));
        snprintf(text, sizeof text, "resize:to=%s", sizes[i]);
        assert_int_equal(golden.count, transform(text, 2, 5, 7, image, out));
        for (size_t k = 0; k < golden.count; k++)
            EXPECT_CLOSE((double)((const float *)golden.values)[k], (double)out[k], 1e-6, 0);
        kd2m_array_clear(context, &golden);
    }
    assert_int_equal(70, transform("resize:5x7", 2, 5, 7, image, out));
    assert_memory_equal(image, out, sizeof image);
    assert_int_equal(12, transform("resize:to=2x3", 2, 1, 1, image, out));
    for (size_t i = 0; i < 12; i++)
        assert_true(out[i] == image[i / 6]);
}

static void turns_colours_grey_and_back(void **state) {
    float image[75], out[75];
    (void)state;
    for (int i = 0; i < 75; i++)
        image[i] = (float)i * 0.5F;
    assert_int_equal(25, transform("channels", 3, 5, 5, image, out));
    for (size_t i = 0; i < 25; i++)
        EXPECT_CLOSE(0.299 * (double)image[i] + 0.587 * (double)image[25 + i] +
                         0.114 * (double)image[50 + i],
                     (double)out[i], 1e-5, 0);
    assert_int_equal(75, transform("channels:3", 1, 5, 5, image, out));
    for (size_t c = 0; c < 3; c++)
        assert_memory_equal(image, out + 25 * c, 25 * sizeof *out);
    assert_int_equal(75, transform("channels:to=3", 3, 5, 5, image, out));
    assert_memory_equal(image, out, sizeof image);
    assert_int_equal(12, transform("channels:to=1+resize:to=2+channels:to=3", 3, 5, 5, image, out));
}

static void crops_cut_off_and_fill_up(void **state) {
    static const struct {
        const char *text;
        float signal[6];
        size_t count;
    } cases[] = {
        {"crop:to=3", {1, 2, 3}, 3}, /* of 0..4: one off either side */
        {"crop:to=2", {1, 2}, 2},
        {"crop:3,at=start", {0, 1, 2}, 3},
        {"crop:to=3,at=end", {2, 3, 4}, 3},
        {"crop:to=6", {0, 1, 2, 3, 4, 0}, 6},
        {"crop:to=6,at=end", {0, 0, 1, 2, 3, 4}, 6},
        {"crop:to=5", {0, 1, 2, 3, 4}, 5},
    };
    const float signal[] = {0, 1, 2, 3, 4};
    float image[70], out[200];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(cases[i].count, transform(cases[i].text, 1, 0, 5, signal, out));
        for (size_t k = 0; k < cases[i].count; k++)
            assert_true(cases[i].signal[k] == out[k]);
    }
    fill_image(image); /* 5 x 7 pixels to 3 x 9: a row off either side, a column of 0 on either */
    assert_int_equal(54, transform("crop:to=3x9", 2, 5, 7, image, out));
    for (size_t c = 0; c < 2; c++)
        for (size_t y = 0; y < 3; y++)
            for (size_t x = 0; x < 9; x++) {
                bool inside = x >= 1 && x <= 7;
                assert_true(out[c * 27 + y * 9 + x] ==
                            (inside ? image[c * 35 + (y + 1) * 7 + x - 1] : 0.0F));
            }
}

static void takes_lines_and_means_off(void **state) {
    float line[2][33], out[66];
    (void)state;
    for (int i = 0; i < 33; i++) {
        line[0][i] = 1000.0F + 3.0F * (float)i;
        line[1][i] = -2.0F + 0.25F * (float)i * (float)i;
    }
    transform("detrend", 2, 0, 33, line[0], out);
    double sum = 0, moment = 0;
    for (int i = 0; i < 33; i++) {
        EXPECT_CLOSE(0, (double)out[i], 1e-4, 0);
        sum += (double)out[33 + i];
        moment += i * (double)out[33 + i];
    }
    EXPECT_CLOSE(0, sum, 1e-3, 0); /* what is left of a parabola is orthogonal to lines */
    EXPECT_CLOSE(0, moment, 1e-2, 0);
    EXPECT_CLOSE(0.25, ((double)out[33 + 2] - 2 * (double)out[33 + 1] + (double)out[33]) / 2, 1e-4,
                 0);
    transform("detrend:order=0", 2, 0, 33, line[0], out);
    for (int i = 0; i < 33; i++)
        EXPECT_CLOSE(3.0 * (i - 16), (double)out[i], 1e-4, 0);
    transform("detrend", 1, 0, 1, line[0], out);
    assert_true(out[0] == 0.0F);
}

static void standardises_each_channel_of_each_sample(void **state) {
    enum { ROWS = 40, LENGTH = 50 };
    static float values[ROWS][2][LENGTH], out[ROWS][2][LENGTH];
    kd2m_chain *chain = chain_for("standardise", 2, 0, LENGTH);
    kd2m_rng rng;
    (void)state;
    kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, 0);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < LENGTH; i++) {
            values[r][0][i] = (float)((double)r + 100.0 * kd2m_rng_normal(&rng));
            values[r][1][i] = 0.1F;
        }
    EXPECT_OK(context, kd2m_chain_apply(chain, values[0][0], ROWS, out[0][0]));
    for (size_t r = 0; r < ROWS; r++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < LENGTH; i++) {
            sum += (double)out[r][0][i];
            squares += (double)out[r][0][i] * (double)out[r][0][i];
            assert_true(out[r][1][i] == 0.0F);
        }
        EXPECT_CLOSE(0, sum / LENGTH, 1e-6, 0);
        EXPECT_CLOSE(1, squares / LENGTH, 1e-5, 0);
    }
    kd2m_chain_free(chain);
}

/* Every transform on signals, then every one on images. */
static const struct {
    const char *text;
    size_t c, h, w;
} all[] = {
    {"detrend+resample:to=120+standardise+resample:from=3,to=2", 2, 0, 60},
    {"crop:to=50+envelope:low=0.1+log-spectrum", 2, 0, 60},
    {"log-spectrum:window=none+envelope-spectrum", 2, 0, 61},
    {"corrupt:noise,severity=5+corrupt:time-warp+corrupt:dropped,seed=3", 2, 0, 60},
    {"corrupt:fog,low=-9,high=9+corrupt:pixelate,low=-9,high=9", 3, 6, 10},
    {"corrupt:jpeg,low=-9,high=9", 3, 6, 10},
    {"crop:to=7x12+resize:to=9x4+channels:to=1+channels:to=3+standardise", 3, 6, 10},
};

static void threads_change_nothing(void **state) {
    enum { ROWS = 100 };
    (void)state;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        size_t size = all[k].c * (all[k].h ? all[k].h : 1) * all[k].w;
        float *values = malloc(ROWS * size * sizeof *values), *out[2];
        kd2m_rng rng;
        kd2m_rng_init(&rng, 2, KD2M_STREAM_TEST, k);
        for (size_t i = 0; i < ROWS * size; i++)
            values[i] = (float)kd2m_rng_normal(&rng);
        size_t bytes = 0;
        for (int threads = 1; threads <= 2; threads++) {
            kd2m_context *mine = testing_context(threads == 2 ? 3 : 1);
            const size_t image[] = {all[k].c, all[k].h, all[k].w}, signal[] = {all[k].c, all[k].w};
            kd2m_chain *chain = NULL;
            kd2m_chain_info info;
            EXPECT_OK(mine, kd2m_chain_open(&chain, mine, all[k].text, all[k].h ? 3 : 2,
                                            all[k].h ? image : signal));
            kd2m_chain_describe(chain, &info);
            bytes = ROWS * info.sample_size * sizeof(float);
            out[threads - 1] = malloc(bytes);
            EXPECT_OK(mine, kd2m_chain_apply(chain, values, ROWS, out[threads - 1]));
            kd2m_chain_free(chain);
            kd2m_context_free(mine);
        }
        assert_memory_equal(out[0], out[1], bytes);
        free(out[0]);
        free(out[1]);
        free(values);
    }
}

static void results_that_are_not_finite_are_named(void **state) {
    static float values[3][4] = {{0}, {3e38F, -3e38F, 3e38F, -3e38F}, {0}};
    float out[3 * 4];
    kd2m_chain *chain = chain_for("detrend", 1, 0, 4);
    (void)state;
    values[1][0] = -3.4e38F;
    values[1][1] = 3.4e38F;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_chain_apply(chain, values[0], 3, out));
    EXPECT_MESSAGE(context, "transform detrend: NaN or infinity comes out of row 1 (from 0)");
    kd2m_chain_free(chain);
}

static void every_failing_allocation_is_survived(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (size_t fail_at = 0;; fail_at++) {
            kd2m_context *failing = testing_failing_context(fail_at);
            const size_t image[] = {all[k].c, all[k].h, all[k].w}, signal[] = {all[k].c, all[k].w};
            kd2m_chain *chain = NULL;
            kd2m_status status = kd2m_chain_open(&chain, failing, all[k].text, all[k].h ? 3 : 2,
                                                 all[k].h ? image : signal);
            assert_int_equal(status == KD2M_OK ? KD2M_OK : KD2M_ERROR_MEMORY, status);
            kd2m_chain_free(chain);
            assert_int_equal(0, testing_live());
            kd2m_context_free(failing);
            if (status == KD2M_OK)
                break;
            assert_true(fail_at < 1000);
        }
    kd2m_chain_free(NULL);
}

static void the_table_lists_every_key(void **state) {
    kd2m_table *table = NULL;
    char *text = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_transform_table(&table, context));
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    assert_non_null(strstr(text, "detrend"));
    assert_non_null(strstr(text, "\"order\""));
    assert_non_null(strstr(text, "resize"));
    kd2m_text_free(context, text);
    kd2m_table_free(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_have_one_plain_form),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(no_steps_change_nothing),
        cmocka_unit_test(resizes_as_pytorch_does),
        cmocka_unit_test(turns_colours_grey_and_back),
        cmocka_unit_test(crops_cut_off_and_fill_up),
        cmocka_unit_test(takes_lines_and_means_off),
        cmocka_unit_test(standardises_each_channel_of_each_sample),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(results_that_are_not_finite_are_named),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(the_table_lists_every_key),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
