/* The loader: which samples, how often, whatever the threads and seeks do. */
#include "fixture.h"
#include "opening.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loader.h"
#include "rng.h"

enum { ROWS = 53, COLUMNS = 5, BATCH = 8, EPOCHS = 3, CLASSES = 5 };

static kd2m_context *context;
static int32_t uneven[ROWS]; /* class 3 is never there, class 4 once, class 0 mostly */

static void pause_briefly(void) {
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static void fill_labels(void) {
    for (size_t i = 0; i < ROWS; i++)
        uneven[i] = i == 17 ? 4 : i % 7 == 0 ? 1 : i % 11 == 0 ? 2 : 0;
}

static kd2m_loader *load(const kd2m_dataset *dataset, const kd2m_normalisation *normalisation,
                         size_t batch, kd2m_sampler sampler, uint64_t seed) {
    kd2m_loader *loader = NULL;
    const kd2m_loader_settings settings = {normalisation, batch, sampler, seed, NULL, 2};
    EXPECT_OK(context, kd2m_loader_create(&loader, dataset, &settings));
    return loader;
}

static kd2m_status create(kd2m_loader **out, const kd2m_dataset *dataset, size_t batch) {
    const kd2m_loader_settings settings = {NULL, batch, KD2M_SAMPLER_CLUSTERED, 1, NULL, 2};
    return kd2m_loader_create(out, dataset, &settings);
}

static kd2m_batch next(kd2m_loader *loader) {
    kd2m_batch batch;
    EXPECT_OK(context, kd2m_loader_next(loader, &batch));
    return batch;
}

/* The batch's values and labels are those of its rows. */
static void check_content(const kd2m_batch *batch) {
    for (size_t i = 0; i < batch->rows; i++) {
        assert_true(batch->ids[i] < ROWS);
        assert_int_equal(uneven[batch->ids[i]], batch->labels[i]);
        for (size_t k = 0; k < COLUMNS; k++)
            EXPECT_CLOSE((double)fixture_value(batch->ids[i], k),
                         (double)batch->values[i * COLUMNS + k], 0.0, 0.0);
    }
}

static void shuffle_shows_each_sample_once_an_epoch(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_loader *loader = load(dataset, NULL, BATCH, KD2M_SAMPLER_SHUFFLE, 7);
    uint32_t first[EPOCHS];
    (void)state;
    assert_int_equal(ROWS / BATCH, kd2m_loader_steps(loader));
    for (size_t epoch = 0; epoch < EPOCHS; epoch++) {
        int seen[ROWS] = {0};
        for (size_t step = 0; step < kd2m_loader_steps(loader); step++) {
            kd2m_batch batch = next(loader);
            assert_int_equal(BATCH, batch.rows);
            check_content(&batch);
            for (size_t i = 0; i < BATCH; i++)
                assert_int_equal(1, ++seen[batch.ids[i]]);
            if (step == 0)
                memcpy(&first[epoch], batch.ids, sizeof *first);
        }
    }
    assert_false(first[0] == first[1] && first[1] == first[2]);
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

/* Over many epochs every sample is dropped about equally often, and comes first about as often. */
static void shuffle_is_fair(void **state) {
    enum { MANY = 5300 };
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_loader *loader = load(dataset, NULL, BATCH, KD2M_SAMPLER_SHUFFLE, 3);
    size_t first[ROWS] = {0};
    size_t steps = kd2m_loader_steps(loader);
    (void)state;
    for (size_t i = 0; i < MANY * steps; i++) {
        kd2m_batch batch = next(loader);
        if (i % steps == 0)
            first[batch.ids[0]]++;
    }
    double expected = (double)MANY / ROWS;
    double chi_square = 0.0;
    for (size_t i = 0; i < ROWS; i++)
        chi_square += pow((double)first[i] - expected, 2.0) / expected;
    assert_true(chi_square < 52.0 + 5.0 * sqrt(2.0 * 52.0)); /* 52 degrees of freedom */
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

/* Runs through EPOCHS epochs and writes down all rows. */
static uint32_t *record(const kd2m_dataset *dataset, kd2m_sampler sampler, uint64_t seed) {
    kd2m_loader *loader = load(dataset, NULL, BATCH, sampler, seed);
    size_t count = EPOCHS * kd2m_loader_steps(loader);
    uint32_t *ids = malloc(count * BATCH * sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < count; i++) {
        kd2m_batch batch = next(loader);
        memcpy(ids + i * BATCH, batch.ids, BATCH * sizeof *ids);
    }
    kd2m_loader_free(loader);
    return ids;
}

static void batches_depend_on_seed_and_place_alone(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_sampler samplers[] = {KD2M_SAMPLER_SHUFFLE, KD2M_SAMPLER_BALANCED, KD2M_SAMPLER_CLUSTERED};
    (void)state;
    for (size_t kind = 0; kind < 3; kind++) {
        uint32_t *ids = record(dataset, samplers[kind], 5);
        uint32_t *other = record(dataset, samplers[kind], 6);
        kd2m_loader *loader = load(dataset, NULL, BATCH, samplers[kind], 5);
        size_t steps = kd2m_loader_steps(loader);
        kd2m_rng rng;
        assert_memory_not_equal(ids, other, EPOCHS * steps * BATCH * sizeof *ids);
        kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, kind);
        for (size_t round = 0; round < 200; round++) {
            size_t place = (size_t)kd2m_rng_below(&rng, EPOCHS * steps);
            size_t run = (size_t)kd2m_rng_below(&rng, EPOCHS * steps - place + 1);
            EXPECT_OK(context, kd2m_loader_seek(loader, place / steps, place % steps));
            for (size_t i = 0; i < run && i < 9; i++) {
                if (kd2m_rng_below(&rng, 16) == 0)
                    pause_briefly();
                kd2m_batch batch = next(loader);
                check_content(&batch);
                assert_memory_equal(ids + (place + i) * BATCH, batch.ids, BATCH * sizeof *ids);
            }
        }
        kd2m_loader_free(loader);
        free(ids);
        free(other);
    }
    kd2m_dataset_free(dataset);
}

static void a_batch_stays_until_the_next(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_loader *loader = load(dataset, NULL, BATCH, KD2M_SAMPLER_SHUFFLE, 7);
    float values[BATCH * COLUMNS];
    uint32_t ids[BATCH];
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        kd2m_batch batch = next(loader);
        memcpy(values, batch.values, sizeof values);
        memcpy(ids, batch.ids, sizeof ids);
        pause_briefly();
        if (i % 3 == 0) {
            EXPECT_OK(context, kd2m_loader_seek(loader, i, 2));
            pause_briefly();
        }
        assert_memory_equal(values, batch.values, sizeof values);
        assert_memory_equal(ids, batch.ids, sizeof ids);
    }
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

static void balanced_shows_each_class_equally_often(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_loader *loader = load(dataset, NULL, 10, KD2M_SAMPLER_BALANCED, 7);
    size_t present = 4;
    size_t sizes[CLASSES] = {0};
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        sizes[uneven[i]]++;
    for (size_t epoch = 0; epoch < EPOCHS; epoch++) {
        size_t shown[CLASSES] = {0};
        size_t times[ROWS] = {0};
        size_t slots = kd2m_loader_steps(loader) * 10;
        for (size_t step = 0; step < kd2m_loader_steps(loader); step++) {
            size_t in_batch[CLASSES] = {0};
            kd2m_batch batch = next(loader);
            check_content(&batch);
            for (size_t i = 0; i < batch.rows; i++) {
                in_batch[batch.labels[i]]++;
                shown[batch.labels[i]]++;
                times[batch.ids[i]]++;
            }
            for (size_t c = 0; c < CLASSES; c++)
                assert_true(c == 3 ? in_batch[c] == 0 : in_batch[c] == 2 || in_batch[c] == 3);
        }
        for (size_t c = 0; c < CLASSES; c++)
            assert_true(c == 3 || shown[c] == slots / present || shown[c] == slots / present + 1);
        for (size_t i = 0; i < ROWS; i++) { /* a class's rows take turns */
            size_t share = shown[uneven[i]] / sizes[uneven[i]];
            assert_true(times[i] == share || times[i] == share + 1);
        }
    }
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

/* A class that runs out within an epoch comes again in another order. */
static void balanced_reshuffles_what_runs_out(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_loader *loader = load(dataset, NULL, BATCH, KD2M_SAMPLER_BALANCED, 7);
    size_t size = 0;
    size_t changed = 0;
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        size += uneven[i] == 2;
    assert_true(size >= 2);
    for (size_t epoch = 0; epoch < 8; epoch++) {
        uint32_t drawn[ROWS];
        size_t count = 0;
        for (size_t step = 0; step < kd2m_loader_steps(loader); step++) {
            kd2m_batch batch = next(loader);
            for (size_t i = 0; i < batch.rows; i++)
                if (batch.labels[i] == 2)
                    drawn[count++] = batch.ids[i];
        }
        assert_true(count >= 2 * size);
        changed += memcmp(drawn, drawn + size, size * sizeof *drawn) != 0;
    }
    assert_true(changed >= 4);
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

/* 12 classes of 30 rows: no row comes twice in an epoch, and a batch holds `classes` of them and
 * few more, where one ran out; each class is in about as many batches. */
static void clustered_batches_hold_few_classes(void **state) {
    enum { MANY_ROWS = 360, MANY_CLASSES = 12, LARGE = 20 };
    static const size_t wanted[] = {1, 2, 3, 12, 50};
    int32_t labels[MANY_ROWS];
    (void)state;
    for (size_t i = 0; i < MANY_ROWS; i++)
        labels[i] = (int32_t)(i % MANY_CLASSES);
    kd2m_dataset *dataset = fixture_dataset(context, MANY_ROWS, COLUMNS, labels, 0.0, 1);
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
        const kd2m_loader_settings settings = {NULL, LARGE, KD2M_SAMPLER_CLUSTERED,
                                               7,    NULL,  wanted[k]};
        kd2m_loader *loader = NULL;
        size_t batches = 0, classes = 0, shown[MANY_CLASSES] = {0};
        EXPECT_OK(context, kd2m_loader_create(&loader, dataset, &settings));
        for (size_t epoch = 0; epoch < 20; epoch++) {
            int seen[MANY_ROWS] = {0};
            for (size_t step = 0; step < kd2m_loader_steps(loader); step++, batches++) {
                bool there[MANY_CLASSES] = {false};
                kd2m_batch batch = next(loader);
                for (size_t i = 0; i < LARGE; i++) {
                    assert_int_equal(labels[batch.ids[i]], batch.labels[i]);
                    assert_int_equal(1, ++seen[batch.ids[i]]);
                    there[batch.labels[i]] = true;
                }
                for (size_t c = 0; c < MANY_CLASSES; c++) {
                    classes += there[c];
                    shown[c] += there[c];
                }
            }
        }
        double mean = (double)classes / (double)batches;
        double most = (double)wanted[k] < MANY_CLASSES ? (double)wanted[k] : MANY_CLASSES;
        assert_true(mean > 0.6 * most && mean < most + 1);
        for (size_t c = 0; c < MANY_CLASSES; c++)
            EXPECT_CLOSE((double)classes / MANY_CLASSES, (double)shown[c], 0, 0.2);
        kd2m_loader_free(loader);
    }
    kd2m_dataset_free(dataset);
}

/* The first pieces of an epoch, where no class runs out, have exactly as many classes, as many rows
 * of each. */
static void clusters_are_equal_pieces(void **state) {
    kd2m_loader *loader = NULL;
    int32_t labels[300];
    (void)state;
    for (size_t i = 0; i < 300; i++)
        labels[i] = (int32_t)(i / 100);
    kd2m_dataset *dataset = fixture_dataset(context, 300, COLUMNS, labels, 0.0, 1);
    const kd2m_loader_settings settings = {NULL, 7, KD2M_SAMPLER_CLUSTERED, 7, NULL, 2};
    EXPECT_OK(context, kd2m_loader_create(&loader, dataset, &settings));
    for (size_t step = 0; step < 20; step++) {
        size_t in_batch[3] = {0};
        kd2m_batch batch = next(loader);
        for (size_t i = 0; i < 7; i++)
            in_batch[batch.labels[i]]++;
        for (size_t c = 0; c < 3; c++)
            assert_true(in_batch[c] == 0 || in_batch[c] == 3 || in_batch[c] == 4);
    }
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

static void clusters_of_no_class_are_refused(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    const kd2m_loader_settings settings = {NULL, BATCH, KD2M_SAMPLER_CLUSTERED, 7, NULL, 0};
    kd2m_loader *loader = NULL;
    (void)state;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_loader_create(&loader, dataset, &settings));
    EXPECT_MESSAGE(context, "batches of 0 classes");
    assert_null(loader);
    kd2m_dataset_free(dataset);
}

/* Of wide rows a part of the values. */
static void check_some_values(const kd2m_batch *batch, size_t width) {
    for (size_t k = 0; k < batch->rows; k++)
        for (size_t c = 0; c < width; c += 997)
            assert_true(batch->values[k * width + c] == fixture_value(batch->ids[k], c));
}

/* What was prepared before the first batch is asked for, or while a seek comes, does no harm. */
static void neither_patience_nor_haste_changes_batches(void **state) {
    enum { WIDE = 40000 };
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, WIDE, uneven, 0.0, 1);
    kd2m_loader *patient = load(dataset, NULL, BATCH, KD2M_SAMPLER_SHUFFLE, 5);
    kd2m_loader *hasty = load(dataset, NULL, BATCH, KD2M_SAMPLER_SHUFFLE, 5);
    uint32_t *ids = record(dataset, KD2M_SAMPLER_SHUFFLE, 5);
    size_t steps = kd2m_loader_steps(hasty);
    (void)state;
    for (size_t i = 0; i < 20; i++)
        pause_briefly();
    for (size_t i = 0; i < EPOCHS * steps; i++) {
        kd2m_batch batch = next(patient);
        assert_memory_equal(ids + i * BATCH, batch.ids, BATCH * sizeof *ids);
    }
    for (size_t i = 0; i < EPOCHS * steps; i++) {
        size_t place = i * 7 % (EPOCHS * steps);
        EXPECT_OK(context, kd2m_loader_seek(hasty, place / steps, place % steps));
        kd2m_batch batch = next(hasty);
        assert_memory_equal(ids + place * BATCH, batch.ids, BATCH * sizeof *ids);
        check_some_values(&batch, WIDE);
    }
    free(ids);
    kd2m_loader_free(patient);
    kd2m_loader_free(hasty);
    kd2m_dataset_free(dataset);
}

/* Batches of which few fit into the room for prepared ones. */
static void large_batches_come_as_small_ones_do(void **state) {
    enum { WIDE = 75000, LARGE = 3 * BATCH };
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, WIDE, uneven, 0.0, 1);
    kd2m_loader *loader = load(dataset, NULL, LARGE, KD2M_SAMPLER_SHUFFLE, 5);
    uint32_t *ids = record(dataset, KD2M_SAMPLER_SHUFFLE, 5);
    size_t steps = kd2m_loader_steps(loader);
    (void)state;
    assert_int_equal(ROWS / BATCH, 3 * steps);
    for (size_t i = 0; i < 4 * EPOCHS * steps; i++) {
        size_t place = i % (EPOCHS * steps);
        if (place == 0)
            EXPECT_OK(context, kd2m_loader_seek(loader, 0, 0));
        if (i % 3 == 0)
            pause_briefly();
        kd2m_batch batch = next(loader);
        assert_memory_equal(ids + place * LARGE, batch.ids, LARGE * sizeof *ids);
        check_some_values(&batch, WIDE);
    }
    free(ids);
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

static void values_come_normalised(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_normalisation normalisation;
    EXPECT_OK(context, kd2m_dataset_measure(dataset, &normalisation));
    kd2m_loader *loader = load(dataset, &normalisation, ROWS, KD2M_SAMPLER_SHUFFLE, 7);
    kd2m_batch batch = next(loader);
    (void)state;
    for (size_t k = 0; k < COLUMNS; k++) {
        double sum = 0.0;
        double squares = 0.0;
        for (size_t i = 0; i < ROWS; i++) {
            double value = (double)batch.values[i * COLUMNS + k];
            sum += value;
            squares += value * value;
        }
        EXPECT_CLOSE(0.0, sum / ROWS, 1e-6, 0.0);
        EXPECT_CLOSE(1.0, squares / ROWS, 0.0, 1e-6);
    }
    kd2m_loader_free(loader);
    kd2m_normalisation_clear(context, &normalisation);
    kd2m_dataset_free(dataset);
}

static void refuses_batches_and_places_that_do_not_fit(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_loader *loader = NULL;
    (void)state;
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, create(&loader, dataset, ROWS + 1));
    EXPECT_MESSAGE(context, "batch of 54");
    EXPECT_MESSAGE(context, "53 training rows");
    assert_null(loader);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, create(&loader, dataset, 0));
    loader = load(dataset, NULL, ROWS, KD2M_SAMPLER_SHUFFLE, 1);
    assert_int_equal(1, kd2m_loader_steps(loader));
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_loader_seek(loader, 0, 1));
    EXPECT_MESSAGE(context, "step 1 sought in an epoch of 1 steps");
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

static void may_be_freed_at_any_moment(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    (void)state;
    for (size_t round = 0; round < 200; round++) {
        kd2m_loader *loader = load(dataset, NULL, BATCH, KD2M_SAMPLER_SHUFFLE, round);
        for (size_t i = 0; i < round % 4; i++)
            next(loader);
        if (round % 5 == 0)
            EXPECT_OK(context, kd2m_loader_seek(loader, round, 1));
        kd2m_loader_free(loader);
    }
    kd2m_loader_free(NULL);
    kd2m_dataset_free(dataset);
}

static void counts_the_time_it_was_waited_for(void **state) {
    kd2m_dataset *dataset = fixture_dataset(context, ROWS, COLUMNS, uneven, 0.0, 1);
    kd2m_loader *loader = load(dataset, NULL, BATCH, KD2M_SAMPLER_SHUFFLE, 7);
    (void)state;
    assert_true(kd2m_loader_waited(loader) == 0.0);
    double before = 0.0;
    for (size_t i = 0; i < 1000; i++) {
        next(loader);
        assert_true(kd2m_loader_waited(loader) >= before);
        before = kd2m_loader_waited(loader);
    }
    assert_true(before > 0.0 && before < 60.0); /* the caller does nothing else, so it waits */
    kd2m_loader_free(loader);
    kd2m_dataset_free(dataset);
}

static void every_failing_allocation_is_survived(void **state) {
    char spec[600];
    (void)state;
    snprintf(spec, sizeof spec, "npy:train=%s",
             fixture_files(context, "train", ROWS, COLUMNS, uneven));
    for (size_t k = 0;; k++) {
        kd2m_context *failing = testing_failing_context(k);
        kd2m_dataset *dataset = NULL;
        kd2m_loader *loader = NULL;
        kd2m_batch batch;
        kd2m_status status = testing_open(&dataset, failing, spec, 0.2, 1);
        if (status == KD2M_OK)
            status = create(&loader, dataset, BATCH);
        if (status == KD2M_OK) {
            size_t before = testing_allocations();
            for (size_t i = 0; i < 50; i++)
                EXPECT_OK(failing, kd2m_loader_next(loader, &batch));
            assert_int_equal(before, testing_allocations());
        }
        kd2m_loader_free(loader);
        kd2m_dataset_free(dataset);
        assert_int_equal(0, testing_live());
        if (status != KD2M_OK)
            assert_int_equal(KD2M_ERROR_MEMORY, status);
        kd2m_context_free(failing);
        if (status == KD2M_OK)
            break;
        assert_true(k < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffle_shows_each_sample_once_an_epoch),
        cmocka_unit_test(shuffle_is_fair),
        cmocka_unit_test(batches_depend_on_seed_and_place_alone),
        cmocka_unit_test(a_batch_stays_until_the_next),
        cmocka_unit_test(balanced_shows_each_class_equally_often),
        cmocka_unit_test(balanced_reshuffles_what_runs_out),
        cmocka_unit_test(clustered_batches_hold_few_classes),
        cmocka_unit_test(clusters_are_equal_pieces),
        cmocka_unit_test(clusters_of_no_class_are_refused),
        cmocka_unit_test(neither_patience_nor_haste_changes_batches),
        cmocka_unit_test(large_batches_come_as_small_ones_do),
        cmocka_unit_test(values_come_normalised),
        cmocka_unit_test(refuses_batches_and_places_that_do_not_fit),
        cmocka_unit_test(may_be_freed_at_any_moment),
        cmocka_unit_test(counts_the_time_it_was_waited_for),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    fill_labels();
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
