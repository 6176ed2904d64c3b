/* The vectorised exponential against the C library's. */
#include "testing.h"

#include <float.h>
#include <math.h>

#include "exponential.h"

static void test_against_libm(void **state) {
    (void)state;
    for (double x = -707.9; x < 709; x += 0.00917)
        EXPECT_CLOSE(exp(x), kd2m_exp(x), 0, 1e-15);
    for (double x = 1; x > 1e-300; x *= 0.37) {
        EXPECT_CLOSE(exp(x), kd2m_exp(x), 0, 1e-15);
        EXPECT_CLOSE(exp(-x), kd2m_exp(-x), 0, 1e-15);
    }
}

static void test_ends(void **state) {
    (void)state;
    assert_true(kd2m_exp(0) == 1 && kd2m_exp(-0.0) == 1);
    assert_true(kd2m_exp(-709) == 0 && kd2m_exp(-DBL_MAX) == 0 && kd2m_exp(-INFINITY) == 0);
    EXPECT_CLOSE(exp(709), kd2m_exp(INFINITY), 0, 1e-15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_libm),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
