/*
 * Divergences of the Gaussians that fit the two samples. A metric says what one feature adds to
 * them; moments, the floor under variances, refusals and gradients are shared.
 */
#ifndef KD2M_METRIC_GAUSSIAN_H
#define KD2M_METRIC_GAUSSIAN_H

#include "metric.h"

/* clang-format off */
#define KD2M_GAUSSIAN_REG(X)                                                                       \
    X(REAL,   reg, "1e-5", 0, 1e6, "R", "adds R times the teacher's mean variance to all variances")
#define KD2M_GAUSSIAN_SETTINGS(X)                                                                  \
    X(CHOICE, cov, "diag", 0, 0,   "diag|full", "covariances: per feature alone, or of all pairs") \
    KD2M_GAUSSIAN_REG(X)
/* clang-format on */

typedef struct kd2m_gaussian_settings {
    KD2M_GAUSSIAN_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_gaussian_settings;

/* Of a metric that has no other settings. */
#define KD2M_GAUSSIAN_SETTING_COUNT 2
extern const kd2m_setting kd2m_gaussian_rows[KD2M_GAUSSIAN_SETTING_COUNT];

/* What one feature adds, and its derivatives. */
typedef struct kd2m_gaussian_term {
    double value;       /* INFINITY where the divergence is infinite */
    double by_gap;      /* by mean_x - mean_y */
    double by_variance; /* by the variance of x */
    double bend;        /* with full covariances: see coupling */
} kd2m_gaussian_term;

/* A divergence: outer(sum of the features' terms). */
typedef struct kd2m_gaussian_divergence {
    /* gap = mean_x - mean_y; s, t > 0: the variances of x and y with their floor. */
    kd2m_gaussian_term (*term)(double parameter, double gap, double s, double t);
    double parameter;
    double reg; /* the floor, as a share of the teacher's mean variance */
    /* In coordinates that make the covariances diagonal, the derivative by the covariance of x in
     * features k and l is coupling bend_k bend_l: that of gap^2 w(s) with w = c/(a s + b), for
     * which bend = gap/(a s + b) and coupling = -a c. */
    double coupling;
    /* Value and derivative at a sum >= 0; NULL = the sum itself. */
    void (*outer)(double sum, double *value, double *slope);
} kd2m_gaussian_divergence;

/* Whether the unit's setting cov is full. */
bool kd2m_gaussian_is_full(const kd2m_metric_unit *unit);

/* A configure: fits the unit's traits to cov. */
kd2m_status kd2m_gaussian_configure_cov(kd2m_context *context, kd2m_metric_unit *unit);

/* The configure of a metric with kd2m_gaussian_settings that is symmetric but for the floor, which
 * is the teacher's. */
kd2m_status kd2m_gaussian_configure_symmetric(kd2m_context *context, kd2m_metric_unit *unit);

size_t kd2m_gaussian_bytes(const kd2m_metric_unit *unit, const kd2m_metric_shape *shape);

/* The directions that terms are summed over: features, or principal directions. */
typedef struct kd2m_gaussian_directions {
    const char *name; /* of one of them, for messages */
    size_t count;
    const double *gap, *s, *t;
    double *by_gap, *by_variance, *bend; /* what is found, bend may be NULL */
    double slope;                        /* outer's, that all of these want */
} kd2m_gaussian_directions;

/* Sums the terms. Errors: KD2M_ERROR_NUMERIC where one is infinite. */
kd2m_status kd2m_gaussian_sum(const kd2m_metric_call *call,
                              const kd2m_gaussian_divergence *divergence,
                              kd2m_gaussian_directions *directions, double *value);

/* metric_gaussian_full.c */
size_t kd2m_gaussian_full_bytes(const kd2m_metric_shape *shape);
kd2m_status kd2m_gaussian_evaluate_full(const kd2m_metric_call *call,
                                        const kd2m_gaussian_divergence *divergence,
                                        kd2m_metric_result *result, const kd2m_gradient *gradient);

/* Value and gradient. Errors: KD2M_ERROR_NUMERIC where a variance stays 0 with its floor, or a term
 * is infinite. */
kd2m_status kd2m_gaussian_evaluate(const kd2m_metric_call *call,
                                   const kd2m_gaussian_divergence *divergence,
                                   kd2m_metric_result *result, const kd2m_gradient *gradient);

/* r - 1 - log(r), without cancellation near r = 1: what variances of ratio r add to a divergence.
 */
double kd2m_gaussian_excess(double ratio);

#define KD2M_BHATTACHARYYA_COUPLING (-0.25)

/* The feature's term of the Bhattacharyya distance. */
kd2m_gaussian_term kd2m_gaussian_bhattacharyya(double parameter, double gap, double s, double t);

/* sqrt as an outer function's body: value and slope, the slope 0 where the sum is rounding. */
void kd2m_gaussian_root(double sum, double *value, double *slope);

#endif
