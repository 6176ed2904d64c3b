/* Augmentation: what each step does and how often, and that place and seed alone decide it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment.h"
#include "loader.h"
#include "opening.h"
#include "testing.h"

static kd2m_context *context;

enum { HEIGHT = 5, WIDTH = 7, PIXELS = HEIGHT * WIDTH, DRAWS = 20000 };

static const kd2m_shape image = {3, {2, HEIGHT, WIDTH}};
static const kd2m_shape signal_shape = {2, {2, 40}};
static float means[2] = {1.0F, 2.0F}, scales[2] = {0.5F, 0.01F};
static const kd2m_normalisation normalisation = {2, means, scales};

static kd2m_augmenter *augmenter_for(const char *chain, const kd2m_shape *shape, uint64_t seed) {
    kd2m_augmenter *augmenter = NULL;
    EXPECT_OK(context,
              kd2m_augmenter_create(&augmenter, context, chain, shape, &normalisation, seed));
    assert_non_null(augmenter);
    return augmenter;
}

/* Value i of a sample: never 0, each another one. */
static void fill(float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(i + 1);
}

static void draw(kd2m_augmenter *augmenter, const kd2m_shape *shape, size_t epoch, size_t row,
                 float *values) {
    fill(values, kd2m_shape_size(shape));
    kd2m_augmenter_apply(augmenter, epoch, row, values);
}

static void seed_epoch_and_row_alone_decide(void **state) {
    static const char *const chains[] = {"crop:pad=2+flip+gain+noise", "shift+gain+noise:sd=0.1"};
    static const kd2m_shape *const shapes[] = {&image, &signal_shape};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        float first[80], again[80], other[80];
        size_t bytes = kd2m_shape_size(shapes[k]) * sizeof(float);
        kd2m_augmenter *a = augmenter_for(chains[k], shapes[k], 5);
        kd2m_augmenter *b = augmenter_for(chains[k], shapes[k], 5);
        kd2m_augmenter *c = augmenter_for(chains[k], shapes[k], 6);
        draw(a, shapes[k], 3, 17, first);
        for (size_t row = 0; row < 20; row++) /* what came before leaves no trace */
            draw(b, shapes[k], row, 2 * row, again);
        draw(b, shapes[k], 3, 17, again);
        assert_memory_equal(first, again, bytes);
        draw(b, shapes[k], 4, 17, other);
        assert_memory_not_equal(first, other, bytes);
        draw(b, shapes[k], 3, 18, other);
        assert_memory_not_equal(first, other, bytes);
        draw(c, shapes[k], 3, 17, other);
        assert_memory_not_equal(first, other, bytes);
        kd2m_augmenter_free(a);
        kd2m_augmenter_free(b);
        kd2m_augmenter_free(c);
    }
}

static void a_step_leaves_the_numbers_of_the_others(void **state) {
    float alone[80], among[80];
    kd2m_augmenter *a = augmenter_for("shift+gain", &signal_shape, 5);
    kd2m_augmenter *b = augmenter_for("shift:fill=wrap+gain+noise:sd=0", &signal_shape, 5);
    (void)state;
    for (size_t row = 0; row < 50; row++) {
        draw(a, &signal_shape, 0, row, alone);
        draw(b, &signal_shape, 0, row, among);
        assert_memory_equal(alone, among, sizeof alone);
    }
    kd2m_augmenter_free(a);
    kd2m_augmenter_free(b);
}

/* Fails unless `counts` (all of DRAWS over `cells`) look evenly distributed: 5 sigma. */
static void expect_even(const size_t *counts, size_t cells) {
    double expected = (double)DRAWS / (double)cells, chi_square = 0;
    for (size_t i = 0; i < cells; i++)
        chi_square += pow((double)counts[i] - expected, 2) / expected;
    double freedom = (double)cells - 1;
    assert_true(chi_square < freedom + 5 * sqrt(2 * freedom));
}

static float pixel(const float *of, size_t c, long y, long x) {
    bool inside = y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH;
    return inside ? of[c * PIXELS + (size_t)y * WIDTH + (size_t)x] : 0.0F;
}

static void crops_move_evenly_and_bring_in_zeros(void **state) {
    float before[2 * PIXELS], after[2 * PIXELS];
    size_t counts[25] = {0};
    kd2m_augmenter *augmenter = augmenter_for("crop:2", &image, 1);
    (void)state;
    fill(before, 2 * PIXELS);
    for (size_t row = 0; row < DRAWS; row++) {
        draw(augmenter, &image, 0, row, after);
        long middle = (long)after[2 * WIDTH + 3] - 1; /* still inside, whatever the move */
        long down = middle / WIDTH - 2, right = middle % WIDTH - 3;
        assert_true(labs(down) <= 2 && labs(right) <= 2);
        counts[(down + 2) * 5 + right + 2]++;
        for (size_t c = 0; c < 2; c++)
            for (long y = 0; y < HEIGHT; y++)
                for (long x = 0; x < WIDTH; x++)
                    assert_true(pixel(after, c, y, x) == pixel(before, c, y + down, x + right));
    }
    expect_even(counts, 25);
    kd2m_augmenter_free(augmenter);
    augmenter = augmenter_for("crop:pad=100", &image, 1); /* most of the time all is padding */
    for (size_t row = 0; row < 100; row++)
        draw(augmenter, &image, 0, row, after);
    kd2m_augmenter_free(augmenter);
}

static void flips_as_often_as_told(void **state) {
    static const struct {
        const char *chain;
        double p;
    } cases[] = {{"flip", 0.5}, {"flip:0.2", 0.2}, {"flip:p=0", 0}, {"flip:p=1", 1}};
    float before[2 * PIXELS], after[2 * PIXELS];
    (void)state;
    fill(before, 2 * PIXELS);
    for (size_t k = 0; k < 4; k++) {
        kd2m_augmenter *augmenter = augmenter_for(cases[k].chain, &image, 1);
        size_t flipped = 0;
        for (size_t row = 0; row < DRAWS; row++) {
            draw(augmenter, &image, 0, row, after);
            bool now = after[0] == before[WIDTH - 1];
            flipped += now;
            for (size_t i = 0; i < 2 * PIXELS; i++)
                assert_true(after[i] ==
                            before[now ? i / WIDTH * WIDTH + WIDTH - 1 - i % WIDTH : i]);
        }
        double sd = sqrt(cases[k].p * (1 - cases[k].p) / DRAWS);
        EXPECT_CLOSE(cases[k].p, (double)flipped / DRAWS, 5 * sd, 0);
        kd2m_augmenter_free(augmenter);
    }
}

static void gains_are_even_within_their_range(void **state) {
    float before[80], after[80];
    size_t counts[10] = {0};
    kd2m_augmenter *augmenter = augmenter_for("gain:low=0.5,high=2", &signal_shape, 1);
    (void)state;
    fill(before, 80);
    for (size_t row = 0; row < DRAWS; row++) {
        draw(augmenter, &signal_shape, 0, row, after);
        assert_true(after[0] >= 0.5F && after[0] <= 2.0F);
        counts[(size_t)fmin(((double)after[0] - 0.5) / 0.15, 9)]++;
        for (size_t i = 0; i < 80; i++)
            assert_true(after[i] == after[0] * before[i]);
    }
    expect_even(counts, 10);
    kd2m_augmenter_free(augmenter);
}

/* Mean, spread, tails and independence of neighbours, each channel by its own scale. */
static void noise_is_gaussian_with_the_channels_deviation(void **state) {
    enum { ROWS = 2000, LENGTH = 40 };
    float after[80];
    kd2m_augmenter *augmenter = augmenter_for("noise:0.1", &signal_shape, 1);
    double count = (double)ROWS * LENGTH;
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        double sd = 0.1 / (double)scales[c], sum = 0, squares = 0, fourth = 0, pairs = 0;
        for (size_t row = 0; row < ROWS; row++) {
            double last = 0;
            draw(augmenter, &signal_shape, 1, row, after);
            for (size_t i = 0; i < LENGTH; i++) {
                double z = ((double)after[c * LENGTH + i] - (double)(c * LENGTH + i + 1)) / sd;
                sum += z;
                squares += z * z;
                fourth += z * z * z * z;
                pairs += z * last;
                last = z;
            }
        }
        EXPECT_CLOSE(0, sum / count, 5 / sqrt(count), 0);
        EXPECT_CLOSE(1, squares / count, 5 * sqrt(2 / count), 0);
        EXPECT_CLOSE(3, fourth / count, 5 * sqrt(96 / count), 0);
        EXPECT_CLOSE(0, pairs / count, 5 / sqrt(count), 0);
    }
    kd2m_augmenter_free(augmenter);
}

static void shifts_wrap_or_bring_in_zeros(void **state) {
    enum { LENGTH = 40, MAX = 6 };
    float before[80], after[80];
    (void)state;
    fill(before, 80);
    for (int zero = 0; zero < 2; zero++) {
        size_t counts[2 * MAX + 1] = {0};
        kd2m_augmenter *augmenter =
            augmenter_for(zero ? "shift:max=6,fill=zero" : "shift:6", &signal_shape, 1);
        for (size_t row = 0; row < DRAWS; row++) {
            draw(augmenter, &signal_shape, 0, row, after);
            int later = LENGTH / 2 - ((int)after[LENGTH / 2] - 1);
            assert_true(abs(later) <= MAX);
            counts[later + MAX]++;
            for (size_t c = 0; c < 2; c++)
                for (int i = 0; i < LENGTH; i++) {
                    int from = i - later;
                    bool outside = from < 0 || from >= LENGTH;
                    float wrapped = before[c * LENGTH + (size_t)((from + LENGTH) % LENGTH)];
                    assert_true(after[c * LENGTH + (size_t)i] ==
                                (zero && outside ? 0.0F : wrapped));
                }
        }
        expect_even(counts, 2 * MAX + 1);
        kd2m_augmenter_free(augmenter);
    }
}

static void refuse(const char *chain, const kd2m_shape *shape, kd2m_status expected,
                   const char *message) {
    kd2m_augmenter *augmenter = NULL;
    EXPECT_STATUS(context, expected,
                  kd2m_augmenter_create(&augmenter, context, chain, shape, &normalisation, 1));
    EXPECT_MESSAGE(context, message);
    assert_null(augmenter);
}

static void refuses_what_does_not_fit(void **state) {
    const kd2m_shape table = {1, {2}};
    kd2m_augmenter *augmenter = NULL;
    (void)state;
    refuse("crp", &image, KD2M_ERROR_USAGE, "unknown augmentation 'crp' (did you mean 'crop'?)");
    refuse("crop:pad=0", &image, KD2M_ERROR_USAGE, "pad takes a whole number from 1");
    refuse("crop", &signal_shape, KD2M_ERROR_INPUT,
           "augmentation crop: takes images, channels x height x width, not samples of 2 x 40");
    refuse("flip", &signal_shape, KD2M_ERROR_INPUT, "augmentation flip: takes images");
    refuse("shift", &image, KD2M_ERROR_INPUT, "augmentation shift: takes signals");
    refuse("shift:max=40", &signal_shape, KD2M_ERROR_USAGE, "max=40 does not fit signals of 40");
    refuse("gain:low=2,high=1", &signal_shape, KD2M_ERROR_USAGE, "low=2 is above high=1");
    refuse("noise:sd=-1", &signal_shape, KD2M_ERROR_USAGE, "sd takes a number from 0");
    refuse("flip+", &image, KD2M_ERROR_USAGE, "a name is missing");
    EXPECT_OK(context, kd2m_augmenter_create(&augmenter, context, "", &image, &normalisation, 1));
    assert_null(augmenter);
    augmenter = augmenter_for("gain+noise", &table, 1);
    kd2m_augmenter_free(augmenter);
}

#define DATA "bearing:train=8,test=1,length=64"
enum { LENGTH = 64, TRAIN = 56 };

static kd2m_loader *load(const kd2m_dataset *dataset, const kd2m_normalisation *with, size_t batch,
                         const char *augment) {
    const kd2m_loader_settings settings = {with, batch, KD2M_SAMPLER_SHUFFLE, 9, augment, 0};
    kd2m_loader *loader = NULL;
    EXPECT_OK(context, kd2m_loader_create(&loader, dataset, &settings));
    return loader;
}

/* All rows of an epoch, by row, as a loader with batches of `batch` gives them. */
static void collect(const kd2m_dataset *dataset, const kd2m_normalisation *with, size_t batch,
                    size_t epoch, const char *augment, float values[TRAIN][LENGTH]) {
    kd2m_loader *loader = load(dataset, with, batch, augment);
    kd2m_batch now;
    EXPECT_OK(context, kd2m_loader_seek(loader, epoch, 0));
    for (size_t step = 0; step < TRAIN / batch; step++) {
        EXPECT_OK(context, kd2m_loader_next(loader, &now));
        for (size_t i = 0; i < batch; i++)
            memcpy(values[now.ids[i]], now.values + i * LENGTH, sizeof values[0]);
    }
    kd2m_loader_free(loader);
}

static void batches_and_seeks_change_no_sample(void **state) {
    static float whole[TRAIN][LENGTH], small[TRAIN][LENGTH], later[TRAIN][LENGTH];
    static const char chain[] = "shift+gain+noise";
    kd2m_dataset *dataset = NULL;
    kd2m_normalisation measured;
    (void)state;
    EXPECT_OK(context, testing_open(&dataset, context, DATA, 0, 1));
    EXPECT_OK(context, kd2m_dataset_measure(dataset, &measured));
    collect(dataset, &measured, TRAIN, 3, chain, whole);
    collect(dataset, &measured, 7, 3, chain, small);
    assert_memory_equal(whole, small, sizeof whole);
    collect(dataset, &measured, 8, 4, chain, later);
    for (size_t row = 0; row < TRAIN; row++)
        assert_memory_not_equal(whole[row], later[row], sizeof whole[row]);
    kd2m_normalisation_clear(context, &measured);
    kd2m_dataset_free(dataset);
}

/* The loader augments what was measured, then normalises. */
static void the_loader_augments_before_it_normalises(void **state) {
    static float found[TRAIN][LENGTH];
    float wanted[LENGTH];
    kd2m_dataset *dataset = NULL;
    kd2m_normalisation measured;
    kd2m_augmenter *augmenter = NULL;
    const kd2m_shape shape = {2, {1, LENGTH}};
    (void)state;
    EXPECT_OK(context, testing_open(&dataset, context, DATA, 0, 1));
    EXPECT_OK(context, kd2m_dataset_measure(dataset, &measured));
    measured.mean[0] = 3.0F; /* one that shows */
    EXPECT_OK(context, kd2m_augmenter_create(&augmenter, context, "gain+shift:fill=zero", &shape,
                                             &measured, 9));
    collect(dataset, &measured, TRAIN, 2, "gain+shift:fill=zero", found);
    for (size_t row = 0; row < TRAIN; row++) {
        EXPECT_OK(context, kd2m_dataset_read(dataset, KD2M_TRAIN, row, 1, wanted, NULL));
        kd2m_augmenter_apply(augmenter, 2, row, wanted);
        kd2m_normalisation_apply(&measured, wanted, LENGTH);
        assert_memory_equal(wanted, found[row], sizeof wanted);
    }
    kd2m_augmenter_free(augmenter);
    kd2m_normalisation_clear(context, &measured);
    kd2m_dataset_free(dataset);
}

static void every_failing_allocation_is_survived(void **state) {
    (void)state;
    for (size_t k = 0;; k++) {
        kd2m_context *failing = testing_failing_context(k);
        kd2m_dataset *dataset = NULL;
        kd2m_normalisation measured = {0};
        kd2m_loader *loader = NULL;
        kd2m_batch batch;
        kd2m_status status = testing_open(&dataset, failing, DATA, 0, 1);
        if (status == KD2M_OK)
            status = kd2m_dataset_measure(dataset, &measured);
        const kd2m_loader_settings settings = {&measured,          8, KD2M_SAMPLER_SHUFFLE, 9,
                                               "shift+gain+noise", 0};
        if (status == KD2M_OK)
            status = kd2m_loader_create(&loader, dataset, &settings);
        if (status == KD2M_OK) {
            size_t before = testing_allocations();
            for (size_t i = 0; i < 50; i++)
                EXPECT_OK(failing, kd2m_loader_next(loader, &batch));
            assert_int_equal(before, testing_allocations());
        }
        kd2m_loader_free(loader);
        kd2m_normalisation_clear(failing, &measured);
        kd2m_dataset_free(dataset);
        assert_int_equal(0, testing_live());
        assert_int_equal(status == KD2M_OK ? KD2M_OK : KD2M_ERROR_MEMORY, status);
        kd2m_context_free(failing);
        if (status == KD2M_OK)
            break;
        assert_true(k < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_epoch_and_row_alone_decide),
        cmocka_unit_test(a_step_leaves_the_numbers_of_the_others),
        cmocka_unit_test(crops_move_evenly_and_bring_in_zeros),
        cmocka_unit_test(flips_as_often_as_told),
        cmocka_unit_test(gains_are_even_within_their_range),
        cmocka_unit_test(noise_is_gaussian_with_the_channels_deviation),
        cmocka_unit_test(shifts_wrap_or_bring_in_zeros),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(batches_and_seeks_change_no_sample),
        cmocka_unit_test(the_loader_augments_before_it_normalises),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
