/* Data sets opened and loaded in two contexts by two threads at once: the bits of one by one. */
#include "testing.h"

#include "digest.h"
#include "kd2m/data.h"
#include "loader.h"

enum { ROUNDS = 3, BATCHES = 150, BATCH = 16 };

typedef struct job {
    const char *data, *transform, *augment;
    kd2m_sampler sampler;
    kd2m_context *context;
    uint64_t expected;
    size_t wrong; /* rounds that failed or differed */
} job;

static kd2m_status load(const job *work, const kd2m_dataset *dataset,
                        const kd2m_normalisation *normalisation, uint64_t *digest) {
    kd2m_dataset_info info;
    kd2m_loader *loader = NULL;
    const kd2m_loader_settings settings = {normalisation, BATCH, work->sampler, 5,
                                           work->augment, 2};
    kd2m_status status = kd2m_loader_create(&loader, dataset, &settings);
    kd2m_dataset_describe(dataset, &info);
    *digest = info.digest;
    for (size_t i = 0; i < BATCHES && status == KD2M_OK; i++) {
        kd2m_batch batch;
        status = kd2m_loader_next(loader, &batch);
        if (status == KD2M_OK) {
            size_t size = batch.rows * info.sample_size * sizeof *batch.values;
            *digest = kd2m_digest(*digest, batch.values, size);
            *digest = kd2m_digest(*digest, batch.ids, batch.rows * sizeof *batch.ids);
        }
    }
    kd2m_loader_free(loader);
    return status;
}

/* The data set's digest, carried on over the loader's batches. */
static kd2m_status read_all(const job *work, uint64_t *digest) {
    kd2m_dataset *dataset = NULL;
    kd2m_normalisation normalisation = {0};
    kd2m_data_settings settings;
    kd2m_settings_default(kd2m_data_setting_list(), &settings);
    settings.data = work->data;
    settings.transform = work->transform;
    kd2m_status status = kd2m_dataset_open(&dataset, work->context, &settings);
    if (status == KD2M_OK)
        status = kd2m_dataset_measure(dataset, &normalisation);
    if (status == KD2M_OK)
        status = load(work, dataset, &normalisation, digest);
    kd2m_normalisation_clear(work->context, &normalisation);
    kd2m_dataset_free(dataset);
    return status;
}

static void read_beside(void *user) {
    job *work = user;
    for (size_t round = 0; round < ROUNDS; round++) {
        uint64_t digest;
        work->wrong += read_all(work, &digest) != KD2M_OK || digest != work->expected;
    }
}

static void test_same_bits_side_by_side(void **state) {
    job jobs[2] = {
        {.data = "bearing:load=1,train=20,test=4",
         .transform = "detrend+envelope-spectrum+resample:from=64,to=48",
         .augment = "gain+noise"},
        {.data = "bearing:load=2,train=30,test=4",
         .transform = "standardise+resample:from=12000,to=5000",
         .augment = "shift",
         .sampler = KD2M_SAMPLER_BALANCED},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        jobs[i].context = testing_context(2);
        EXPECT_OK(jobs[i].context, read_all(&jobs[i], &jobs[i].expected));
    }
    testing_side_by_side(read_beside, &jobs[0], &jobs[1]);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(jobs[i].wrong, 0);
        kd2m_context_free(jobs[i].context);
    }
    assert_true(jobs[0].expected != jobs[1].expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits_side_by_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
