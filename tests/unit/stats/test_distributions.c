/* Distributions: 40-digit values down to tails of 1e-300, identities, what they refuse. */
#include "testing.h"

#include <math.h>

#include "golden.h"
#include "kd2m/stats.h"

#define RELATIVE 1e-12

static void close_to(double expected, double value) {
    EXPECT_CLOSE(expected, value, 1e-307, RELATIVE);
}

static void normal_tail(const golden_line *line) {
    close_to(line->out[0], kd2m_normal_tail(line->in[0]));
}

static void normal_quantile(const golden_line *line) {
    close_to(line->out[0], kd2m_normal_upper_quantile(line->in[0]));
}

static void student_tail(const golden_line *line) {
    close_to(line->out[0], kd2m_student_tail(line->in[0], line->in[1]));
}

static void student_quantile(const golden_line *line) {
    close_to(line->out[0], kd2m_student_upper_quantile(line->in[0], line->in[1]));
}

static void f_tail(const golden_line *line) {
    close_to(line->out[0], kd2m_f_tail(line->in[0], line->in[1], line->in[2]));
}

static void f_quantile(const golden_line *line) {
    close_to(line->out[0], kd2m_f_upper_quantile(line->in[0], line->in[1], line->in[2]));
}

static void beta_cdf(const golden_line *line) {
    close_to(line->out[0], kd2m_beta_cdf(line->in[0], line->in[1], line->in[2]));
}

static void beta_tail(const golden_line *line) {
    close_to(line->out[0], kd2m_beta_tail(line->in[0], line->in[1], line->in[2]));
}

static void beta_quantile(const golden_line *line) {
    close_to(line->out[0], kd2m_beta_quantile(line->in[0], line->in[1], line->in[2]));
}

static void binomial(const golden_line *line) {
    int64_t k = (int64_t)line->in[0], n = (int64_t)line->in[1];
    close_to(line->out[0], kd2m_binomial_mass(k, n, line->in[2]));
    close_to(line->out[1], kd2m_binomial_cdf(k, n, line->in[2]));
    close_to(line->out[2], kd2m_binomial_tail(k, n, line->in[2]));
}

static void binomial_quantile(const golden_line *line) {
    assert_int_equal((int64_t)line->out[0],
                     kd2m_binomial_quantile(line->in[0], (int64_t)line->in[1], line->in[2]));
}

static void values_have_forty_digit_references(void **state) {
    (void)state;
    const struct {
        const char *name;
        size_t least;
        void (*check)(const golden_line *line);
    } laws[] = {{"normal_tail", 11, normal_tail},
                {"normal_upper_quantile", 6, normal_quantile},
                {"student_tail", 99, student_tail},
                {"student_upper_quantile", 63, student_quantile},
                {"f_tail", 30, f_tail},
                {"f_upper_quantile", 20, f_quantile},
                {"beta_cdf", 36, beta_cdf},
                {"beta_tail", 36, beta_tail},
                {"beta_quantile", 24, beta_quantile},
                {"binomial", 22, binomial},
                {"binomial_quantile", 30, binomial_quantile}};
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++)
        golden_each("distributions.txt", laws[i].name, laws[i].least, laws[i].check);
}

/* Chances that have a closed form. */
static void closed_forms_hold(void **state) {
    (void)state;
    const double pi = acos(-1.0);
    for (double x = 0.01; x < 1; x += 0.07) {
        double t = 20 * x - 10;
        close_to(0.5 - atan(t) / pi, kd2m_student_tail(t, 1));
        close_to(0.5 - t / (2 * sqrt(2 + t * t)), kd2m_student_tail(t, 2));
        close_to(pow(1 - x, 3), kd2m_beta_tail(x, 1, 3));
        close_to(1 - pow(1 - x, 1.0 / 3), kd2m_beta_quantile(x, 1, 3));
        close_to(1 / (1 + x), kd2m_f_tail(x, 2, 2));
        close_to(2 * kd2m_student_tail(t < 0 ? -t : t, 7), kd2m_f_tail(t * t, 1, 7));
        close_to(pow(1 - x, 9), kd2m_binomial_mass(0, 9, x));
    }
}

static void quantiles_undo_tails(void **state) {
    (void)state;
    for (double df = 1; df < 1e7; df *= 7.3)
        for (double p = 0.999; p > 1e-290; p *= p < 0.4 ? 1e-7 : 0.37) {
            EXPECT_CLOSE(p, kd2m_student_tail(kd2m_student_upper_quantile(p, df), df), 0, 1e-9);
            EXPECT_CLOSE(p, kd2m_normal_tail(kd2m_normal_upper_quantile(p)), 0, 1e-9);
        }
}

static void limits_are_reached(void **state) {
    (void)state;
    assert_true(kd2m_normal_tail(INFINITY) == 0 && kd2m_normal_tail(-INFINITY) == 1);
    assert_true(kd2m_normal_upper_quantile(0) == INFINITY);
    assert_true(kd2m_normal_upper_quantile(1) == -INFINITY);
    assert_true(kd2m_student_tail(INFINITY, 3) == 0 && kd2m_student_tail(-INFINITY, 3) == 1);
    assert_true(kd2m_student_upper_quantile(0, 3) == INFINITY);
    assert_true(kd2m_student_upper_quantile(1, 3) == -INFINITY);
    close_to(kd2m_normal_tail(3), kd2m_student_tail(3, INFINITY));
    close_to(kd2m_normal_upper_quantile(0.01), kd2m_student_upper_quantile(0.01, INFINITY));
    close_to(kd2m_normal_tail(3), kd2m_student_tail(3, 1e18));
    assert_true(kd2m_f_tail(0, 2, 3) == 1 && kd2m_f_tail(INFINITY, 2, 3) == 0);
    assert_true(kd2m_f_upper_quantile(1, 2, 3) == 0);
    assert_true(kd2m_f_upper_quantile(0, 2, 3) == INFINITY);
    assert_true(kd2m_beta_cdf(0, 2, 3) == 0 && kd2m_beta_cdf(1, 2, 3) == 1);
    assert_true(kd2m_beta_quantile(0, 2, 3) == 0 && kd2m_beta_quantile(1, 2, 3) == 1);
    assert_true(kd2m_binomial_cdf(-1, 5, 0.5) == 0 && kd2m_binomial_tail(-1, 5, 0.5) == 1);
    assert_true(kd2m_binomial_cdf(5, 5, 0.5) == 1 && kd2m_binomial_tail(5, 5, 0.5) == 0);
    assert_true(kd2m_binomial_mass(6, 5, 0.5) == 0 && kd2m_binomial_mass(0, 0, 0.3) == 1);
    assert_true(kd2m_binomial_mass(0, 5, 0) == 1 && kd2m_binomial_mass(5, 5, 1) == 1);
    assert_int_equal(0, kd2m_binomial_quantile(0, 5, 0.5));
    assert_int_equal(5, kd2m_binomial_quantile(1, 5, 0.5));
    for (int64_t n = 1 << 14; n <= KD2M_MOST_TRIALS; n *= 16)
        EXPECT_CLOSE((1 + kd2m_binomial_mass(n / 2, n, 0.5)) / 2, kd2m_binomial_cdf(n / 2, n, 0.5),
                     0, 1e-13);
}

static void others_have_no_value(void **state) {
    (void)state;
    const double bad[] = {NAN, -1, 2, INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(isnan(kd2m_normal_upper_quantile(bad[i])));
        assert_true(isnan(kd2m_student_upper_quantile(bad[i], 3)));
        assert_true(isnan(kd2m_f_upper_quantile(bad[i], 3, 3)));
        assert_true(isnan(kd2m_beta_quantile(bad[i], 3, 3)));
        assert_true(isnan(kd2m_beta_cdf(bad[i], 3, 3)));
        assert_true(isnan(kd2m_beta_tail(bad[i], 3, 3)));
        assert_true(isnan(kd2m_binomial_mass(1, 2, bad[i])));
        assert_true(isnan(kd2m_binomial_cdf(1, 2, bad[i])));
        assert_true(isnan(kd2m_binomial_tail(1, 2, bad[i])));
        assert_int_equal(-1, kd2m_binomial_quantile(0.5, 2, bad[i]));
        assert_int_equal(-1, kd2m_binomial_quantile(bad[i], 2, 0.5));
    }
    const double sizes[] = {NAN, -1, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(isnan(kd2m_student_tail(1, sizes[i])));
        assert_true(isnan(kd2m_student_upper_quantile(0.1, sizes[i])));
        assert_true(isnan(kd2m_f_tail(1, sizes[i], 1)) && isnan(kd2m_f_tail(1, 1, sizes[i])));
        assert_true(isnan(kd2m_beta_cdf(0.5, sizes[i], 1)));
        assert_true(isnan(kd2m_beta_quantile(0.5, 1, sizes[i])));
    }
    assert_true(isnan(kd2m_normal_tail(NAN)) && isnan(kd2m_student_tail(NAN, 2)));
    assert_true(isnan(kd2m_f_tail(-1, 1, 1)) && isnan(kd2m_f_tail(NAN, 1, 1)));
    assert_true(isnan(kd2m_binomial_cdf(0, -1, 0.5)));
    assert_true(isnan(kd2m_binomial_mass(0, KD2M_MOST_TRIALS + 1, 0.5)));
    assert_int_equal(-1, kd2m_binomial_quantile(0.5, -1, 0.5));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_have_forty_digit_references),
        cmocka_unit_test(closed_forms_hold),
        cmocka_unit_test(quantiles_undo_tails),
        cmocka_unit_test(limits_are_reached),
        cmocka_unit_test(others_have_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
