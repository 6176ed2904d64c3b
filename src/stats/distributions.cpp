/*
 * Distributions: see stats.h. Normal, Student's t and the incomplete beta function I_x(a, b) are
 * Boost.Math's (the one C++ file of the library: no exception leaves it, for none is made); F and
 * the binomial follow from I:
 *
 *     P(F > x)  = I_{d2/(d2 + d1 x)}(d2/2, d1/2)        P(X > k) = I_p(k + 1, n - k)
 *
 * Abramowitz & Stegun, 'Handbook of mathematical functions', 26.5 to 26.7.
 * Cost: about a microsecond a value, a binomial quantile log2(n) of them. Threads: pure functions.
 */
#define BOOST_DISABLE_ASSERTS
#include <cmath>
#include <limits>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/beta.hpp>

#include "kd2m/stats.h"

namespace {

namespace law = boost::math;
using namespace boost::math::policies;

/* Errors become the value that the function tends to, or NaN: nothing is thrown. */
typedef policy<domain_error<ignore_error>, pole_error<ignore_error>, overflow_error<ignore_error>,
               underflow_error<ignore_error>, denorm_error<ignore_error>,
               rounding_error<ignore_error>, evaluation_error<ignore_error>,
               indeterminate_result_error<ignore_error>>
    quiet;

const double infinity = std::numeric_limits<double>::infinity();
const double nothing = std::numeric_limits<double>::quiet_NaN();

bool is_share(double p) {
    return p >= 0 && p <= 1;
}

bool is_positive(double x) {
    return x > 0 && x < infinity;
}

/* Whether there is such a binomial law: beyond 2^36 trials I loses digits. */
bool is_binomial(int64_t n, double p) {
    return n >= 0 && n <= KD2M_MOST_TRIALS && is_share(p);
}

/* The quantile of a law on all numbers whose upper tail is p. */
template <typename Law> double upper_quantile(const Law &distribution, double p) {
    if (!is_share(p))
        return nothing;
    if (p <= 0 || p >= 1)
        return p <= 0 ? infinity : -infinity;
    return law::quantile(law::complement(distribution, p));
}

template <typename Law> double tail(const Law &distribution, double x) {
    if (std::isinf(x))
        return x < 0 ? 1 : 0;
    return law::cdf(law::complement(distribution, x));
}

} // namespace

double kd2m_normal_tail(double z) {
    return std::isnan(z) ? nothing : tail(law::normal_distribution<double, quiet>(), z);
}

double kd2m_normal_upper_quantile(double p) {
    return upper_quantile(law::normal_distribution<double, quiet>(), p);
}

double kd2m_student_tail(double t, double df) {
    if (std::isnan(t) || !(df > 0))
        return nothing;
    double slope = std::sqrt(df) / t;
    if (slope > 0 && slope < 1e-100) /* Boost's t^2 would overflow; the series' first term */
        return std::pow(slope, df) / (df * law::beta(df / 2, 0.5, quiet()));
    return df < infinity ? tail(law::students_t_distribution<double, quiet>(df), t)
                         : kd2m_normal_tail(t);
}

double kd2m_student_upper_quantile(double p, double df) {
    if (!(df > 0))
        return nothing;
    return df < infinity ? upper_quantile(law::students_t_distribution<double, quiet>(df), p)
                         : kd2m_normal_upper_quantile(p);
}

double kd2m_beta_cdf(double x, double a, double b) {
    return is_share(x) && is_positive(a) && is_positive(b) ? law::ibeta(a, b, x, quiet()) : nothing;
}

double kd2m_beta_tail(double x, double a, double b) {
    return is_share(x) && is_positive(a) && is_positive(b) ? law::ibetac(a, b, x, quiet())
                                                           : nothing;
}

double kd2m_beta_quantile(double p, double a, double b) {
    return is_share(p) && is_positive(a) && is_positive(b) ? law::ibeta_inv(a, b, p, quiet())
                                                           : nothing;
}

double kd2m_f_tail(double x, double df1, double df2) {
    if (!(x >= 0) || !is_positive(df1) || !is_positive(df2))
        return nothing;
    double share = df1 / df2 * x; /* of the numerator beside the denominator */
    return share < 1 ? law::ibetac(df1 / 2, df2 / 2, share / (1 + share), quiet())
                     : law::ibeta(df2 / 2, df1 / 2, 1 / (1 + share), quiet());
}

double kd2m_f_upper_quantile(double p, double df1, double df2) {
    if (!is_share(p) || !is_positive(df1) || !is_positive(df2))
        return nothing;
    double above = 0;
    double below = law::ibeta_inv(df2 / 2, df1 / 2, p, &above, quiet());
    return df2 / df1 * (above / below);
}

double kd2m_binomial_mass(int64_t k, int64_t n, double p) {
    if (!is_binomial(n, p))
        return nothing;
    if (k < 0 || k > n)
        return 0;
    if (p <= 0 || p >= 1)
        return k == (p <= 0 ? 0 : n);
    double successes = static_cast<double>(k), trials = static_cast<double>(n);
    return law::ibeta_derivative(successes + 1, trials - successes + 1, p, quiet()) / (trials + 1);
}

double kd2m_binomial_cdf(int64_t k, int64_t n, double p) {
    if (!is_binomial(n, p))
        return nothing;
    if (k < 0 || k >= n)
        return k < 0 ? 0 : 1;
    return law::ibetac(static_cast<double>(k) + 1, static_cast<double>(n - k), p, quiet());
}

double kd2m_binomial_tail(int64_t k, int64_t n, double p) {
    if (!is_binomial(n, p))
        return nothing;
    if (k < 0 || k >= n)
        return k < 0 ? 1 : 0;
    return law::ibeta(static_cast<double>(k) + 1, static_cast<double>(n - k), p, quiet());
}

int64_t kd2m_binomial_quantile(double q, int64_t n, double p) {
    if (!is_binomial(n, p) || !is_share(q))
        return -1;
    int64_t low = 0, high = n; /* the quantile is in low..high: cdf(n) = 1 */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (kd2m_binomial_cdf(middle, n, p) >= q)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
