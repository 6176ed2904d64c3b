/* Entropic transport of features: as eps goes to 0 it comes to exact transport, on hard inputs; a
 * long run tells its progress and stops when asked. */
#include "problem.h"

#include <math.h>
#include <stdio.h>

#include "kd2m/core.h"
#include "rng.h"

#define ROWS 60
#define DIM 512

static float x[ROWS * DIM], y[ROWS * DIM];

typedef enum input { GAUSSIAN, CLUSTERED, DUPLICATES, PERMUTED, OFFSET, INPUTS } input;

static void fill(input kind) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, 7, KD2M_STREAM_TEST, kind);
    for (size_t k = 0; k < ROWS * DIM; k++) {
        size_t i = k / DIM, cluster = i % 5;
        double centre = kind == CLUSTERED ? 3.0 * (double)(cluster == k % DIM % 5) : 0;
        double spread = kind == CLUSTERED ? 0.1 : kind == OFFSET ? 1e-3 : 1;
        double offset = kind == OFFSET ? 10 : centre;
        x[k] = (float)(offset + spread * kd2m_rng_normal(&rng));
        y[k] = (float)(offset + spread * (kd2m_rng_normal(&rng) + 0.1));
        if (kind == DUPLICATES && i >= 4) {
            x[k] = x[k - 4 * DIM];
            y[k] = y[k - 4 * DIM];
        }
    }
    for (size_t k = 0; kind == PERMUTED && k < ROWS * DIM; k++)
        y[(ROWS - 1 - k / DIM) * DIM + k % DIM] = x[k];
}

static kd2m_metric_result distance(kd2m_context *context, const char *spec, double *mean) {
    const kd2m_sample a = {.features = x, .rows = ROWS, .dim = DIM, .stride = DIM};
    const kd2m_sample b = {.features = y, .rows = ROWS, .dim = DIM, .stride = DIM};
    kd2m_metric *metric;
    kd2m_metric_result result;
    const char *name;
    EXPECT_OK(context, kd2m_metric_create(&metric, context, spec));
    EXPECT_OK(context, kd2m_metric_evaluate(metric, &a, &b, &result, NULL));
    if (mean)
        EXPECT_OK(context, kd2m_metric_constant(metric, 0, &name, mean));
    kd2m_metric_free(metric);
    return result;
}

/* exact <= entropic <= exact + eps log n: the entropy of a plan lies between 0 and log n. */
static void test_small_epsilons(void **state) {
    (void)state;
    static const double shares[] = {0.01, 0.001, 0.0001};
    kd2m_context *context = testing_context(2);
    for (input kind = 0; kind < INPUTS; kind++) {
        fill(kind);
        double exact = distance(context, "w2", NULL).value;
        for (size_t e = 0; e < sizeof shares / sizeof *shares; e++)
            for (int memory = 0; memory < 2; memory++) {
                char spec[64];
                double mean;
                snprintf(spec, sizeof spec, "sinkhorn:eps=%g,memory=%d", shares[e], memory);
                kd2m_metric_result result = distance(context, spec, &mean);
                if (!result.certificate.converged || result.certificate.gap > 1e-6)
                    fail_msg("%s on input %d: gap %g after %lld iterations", spec, (int)kind,
                             result.certificate.gap, (long long)result.certificate.iterations);
                assert_true(result.value >= exact - 1e-6 * mean);
                assert_true(result.value <= exact + (shares[e] * log(ROWS) + 1e-6) * mean);
            }
    }
    kd2m_context_free(context);
}

typedef struct host {
    int told, finished, polls, stop_at;
} host;

static void tell(void *user, const kd2m_progress *progress) {
    host *h = user;
    assert_string_equal(progress->unit, "rows");
    h->told++;
    h->finished += progress->finished;
}

static int interrupted(void *user) {
    host *h = user;
    return h->polls++ == h->stop_at;
}

static void test_long_runs_can_be_followed_and_stopped(void **state) {
    (void)state;
    fill(GAUSSIAN);
    for (int stop_at = -1; stop_at < 12; stop_at++) {
        host h = {.stop_at = stop_at};
        kd2m_context_settings settings;
        kd2m_context *context;
        kd2m_metric *metric;
        kd2m_metric_result result;
        const kd2m_sample a = {.features = x, .rows = ROWS, .dim = DIM, .stride = DIM};
        const kd2m_sample b = {.features = y, .rows = ROWS, .dim = DIM, .stride = DIM};
        kd2m_context_settings_default(&settings);
        settings.user = &h;
        settings.progress = tell;
        settings.interrupted = interrupted;
        assert_int_equal(kd2m_context_create(&context, &settings), KD2M_OK);
        EXPECT_OK(context, kd2m_metric_create(&metric, context, "sinkhorn:eps=0.01,memory=0"));
        EXPECT_STATUS(context, stop_at < 0 ? KD2M_OK : KD2M_ERROR_INTERRUPTED,
                      kd2m_metric_evaluate(metric, &a, &b, &result, NULL));
        if (stop_at < 0)
            assert_true(h.told > 0 && h.finished == 1);
        kd2m_metric_free(metric);
        kd2m_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_epsilons),
        cmocka_unit_test(test_long_runs_can_be_followed_and_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
