/* Normalisation: each channel by its own mean and scale, whatever the number of positions. */
#include "testing.h"

#include "normalisation.h"

static void each_channel_has_its_own_map(void **state) {
    static const size_t shapes[][2] = {{1, 1}, {1, 100}, {3, 1}, {3, 7}, {100, 1}, {17, 33}};
    kd2m_context *context = testing_context(1);
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t channels = shapes[s][0], positions = shapes[s][1];
        float values[600], before[600];
        kd2m_normalisation made;
        EXPECT_OK(context, kd2m_normalisation_create(&made, context, channels));
        assert_int_equal(channels, made.channels);
        for (size_t c = 0; c < channels; c++) {
            EXPECT_CLOSE(0, (double)made.mean[c], 0, 0);
            EXPECT_CLOSE(0, (double)made.scale[c], 0, 0);
            made.mean[c] = (float)c - 3;
            made.scale[c] = 1 / (1 + (float)c);
        }
        for (size_t i = 0; i < channels * positions; i++)
            before[i] = values[i] = (float)(i % 13);
        values[channels * positions] = 42;
        kd2m_normalisation_apply(&made, values, channels * positions);
        for (size_t i = 0; i < channels * positions; i++) {
            double c = (double)(i / positions);
            EXPECT_CLOSE(((double)before[i] - (c - 3)) / (1 + c), (double)values[i], 1e-6, 1e-6);
        }
        EXPECT_CLOSE(42, (double)values[channels * positions], 0, 0); /* and not a value more */
        kd2m_normalisation_clear(context, &made);
        assert_null(made.mean);
        assert_int_equal(0, made.channels);
        kd2m_normalisation_clear(context, &made);
    }
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_channel_has_its_own_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
